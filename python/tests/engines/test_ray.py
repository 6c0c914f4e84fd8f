"""Ray Data: a class whose actors open the model once each; on one node, on two, and with an actor that is killed."""

import importlib
import shutil
import tempfile

import pyarrow as pa
import pytest
import workers
from support import MODULE, run_engine_example

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

from ray.cluster_utils import Cluster  # noqa: E402
from ray.data import ActorPoolStrategy  # noqa: E402

NODE = {"num_cpus": 4, "object_store_memory": 200_000_000, "include_dashboard": False}


@pytest.fixture
def cluster(notes, monkeypatch):
    """Starts nodes, each with environment variables of its own."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Its sockets' paths must be short.
    folder = tempfile.mkdtemp(prefix="ray")
    monkeypatch.setenv("RAY_TMPDIR", folder)
    nodes = Cluster()

    def start(*environments):
        # Not 127.0.0.1, for which Ray takes an address that others can reach.
        for i, environment in enumerate(environments, 2):
            nodes.add_node(**NODE, node_ip_address=f"127.0.0.{i}", env_vars=environment)
        ray.init(nodes.address, _node_ip_address="127.0.0.2", log_to_driver=False, logging_level="warning")

    try:
        yield start
    finally:
        ray.shutdown()
        nodes.shutdown()
        shutil.rmtree(folder)


def embed(table, notes, actors, num_cpus, processes=1, kill=False):
    """The table, embedded by actors that note what they do."""

    class Watched(importlib.import_module(f"{MODULE}.ray").Embed):
        def __init__(self, *arguments, **options):
            workers.watch(notes)
            super().__init__(*arguments, **options)

        def __call__(self, batch):
            workers.begin_batch(notes, len(batch), processes, kill)
            return super().__call__(batch)

    rows = ray.data.read_parquet(str(table.folder)).repartition(target_num_rows_per_block=500)
    rows = rows.map_batches(
        Watched, batch_format="pyarrow", batch_size=100, num_cpus=num_cpus, compute=ActorPoolStrategy(size=actors)
    )
    return pa.concat_tables(ray.get(rows.to_arrow_refs()))


def test_actors(cluster, table, arrow, notes):
    cluster({})
    found = embed(table, notes, actors=2, num_cpus=0.5, processes=2)
    assert found.schema.field("embedding").type == arrow
    table.check(found)
    workers.check(notes, len(table.texts), threads=1, processes=2)


def test_an_actor_with_threads_that_is_killed(cluster, table, arrow, notes):
    cluster({})
    found = embed(table, notes, actors=1, num_cpus=3, kill=True)
    assert found.schema.field("embedding").type == arrow
    table.check(found)
    workers.check(notes, len(table.texts), threads=3, processes=1, killed=1)


def test_two_nodes(cluster, table, notes):
    cluster({}, {"MONOMORPH_ISA": "scalar"})
    # A node has no room for both.
    table.check(embed(table, notes, actors=2, num_cpus=3, processes=2))
    isas = workers.check(notes, len(table.texts), threads=3, processes=2)
    assert len(isas) == 2 and "scalar" in isas, isas


def test_the_example(cluster, texts):
    cluster({})
    run_engine_example("ray", **{"num_cpus=4": "num_cpus=1"})
    texts.check()
