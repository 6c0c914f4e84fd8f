"""Spark: a function for mapInArrow, whose Python workers open the model once each, whatever they are given to do."""

import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest
import workers
from support import MODULE, run_engine_example

pyspark = pytest.importorskip("pyspark")
if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
    pytest.skip("Spark needs Java 17 or later", allow_module_level=True)

from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql.types import ArrayType, FloatType  # noqa: E402


@pytest.fixture
def spark(notes, tmp_path, monkeypatch):
    """Starts a session: one for each test, whose Python workers are new."""
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    sessions = []

    def start(master, **settings):
        builder = SparkSession.builder.master(master)
        for name, value in {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.local.dir": tmp_path / "local",
            "spark.sql.execution.arrow.maxRecordsPerBatch": 100,
            # As many tasks as files.
            "spark.sql.files.minPartitionNum": 8,
            # Java's Snappy is missing on some machines.
            "spark.sql.parquet.compression.codec": "uncompressed",
            "spark.sql.warehouse.dir": tmp_path / "warehouse",
            "spark.ui.enabled": False,
            "spark.ui.showConsoleProgress": False,
            **settings,
        }.items():
            builder.config(name, value)
        sessions.append(builder.getOrCreate())
        sessions[0].sparkContext.setLogLevel("OFF")
        return sessions[0]

    yield start
    for session in sessions:
        session.stop()
    # Of local-cluster.
    shutil.rmtree(Path(pyspark.__file__).with_name("work"), ignore_errors=True)


def embed(spark, table, notes, **how):
    """The table, embedded by workers that note what they do."""
    function = importlib.import_module(f"{MODULE}.spark").embed()

    def watched(batches):
        def noted():
            for batch in batches:
                workers.begin_batch(notes, len(batch), how.get("processes", 1), how.get("kill", False))
                yield batch

        workers.watch(notes, how.get("one_scalar", False))
        yield from function(noted())

    frame = spark.read.parquet(str(table.folder))
    frame = frame.mapInArrow(watched, "id long, text string, embedding array<float>")
    assert frame.schema["embedding"].dataType == ArrayType(FloatType())
    return frame.toArrow()


def test_workers_are_used_again(spark, table, notes):
    table.check(embed(spark("local[2]"), table, notes, processes=2))
    workers.check(notes, len(table.texts), threads=1, processes=2)


def test_a_worker_that_is_killed(spark, table, notes):
    # Two threads, and two more tries of a task; local[2] has none.
    table.check(embed(spark("local[2,3]"), table, notes, processes=2, kill=True))
    workers.check(notes, len(table.texts), threads=1, processes=2, killed=1)


CLUSTER = {
    "spark.cores.max": 2,
    "spark.executor.memory": "512m",
    "spark.executorEnv.OMP_NUM_THREADS": 3,
    # No task before both executors are there.
    "spark.scheduler.minRegisteredResourcesRatio": 1.0,
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
}


def test_two_executors(spark, table, notes):
    found = embed(spark("local-cluster[2,1,1024]", **CLUSTER), table, notes, processes=2, one_scalar=True)
    table.check(found)
    isas = workers.check(notes, len(table.texts), threads=3, processes=2)
    assert len(isas) == 2 and "scalar" in isas, isas


def test_the_example(spark, texts):
    spark("local[2]")
    # Java's folder is where it was started.
    run_engine_example("pyspark", **{f'"{name}"': f'"{Path(name).absolute()}"' for name in ["texts", "vectors"]})
    texts.check()
