"""Builds a wheel of one model: MODEL_GGUF=x.gguf pip wheel ./python -w dist --no-deps

The wheel is named after the model's file, which maturin cannot do. So this backend writes a folder with the Python files
and a pyproject.toml of that name, and has maturin build it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PYTHON = Path(__file__).resolve().parents[1]
ROOT = PYTHON.parent
MATURIN = "maturin>=1.16,<2"

PYPROJECT = """\
[build-system]
requires = ["{maturin}"]
build-backend = "maturin"

[project]
name = "{distribution}"
version = "{version}"
description = "The embedding model of {file}, compiled by monomorph"
requires-python = ">=3.10"
dependencies = ["numpy>=1.26"]
license = "MIT OR Apache-2.0"
license-files = ["LICENSE-*"]

[project.entry-points."monomorph.models"]
{slug} = "{module}:Model"

[tool.maturin]
manifest-path = "{manifest}"
module-name = "{module}._native"
python-source = "."
include = [{{ path = "{module}/model.gguf", format = "wheel" }}]
locked = true
"""

ABOUT = '''\
"""What the wheel is called, and which file it was made of. Written by the build."""

MODULE = "{module}"
SLUG = "{slug}"
VERSION = "{version}"
MODEL_FILE = {file!r}
MODEL_SHA256 = "{sha256}"
'''


def get_requires_for_build_wheel(config_settings=None):
    return [MATURIN]


def get_requires_for_build_sdist(config_settings=None):
    return []


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit(
        "error: there is no source distribution, for it could not hold the model: "
        "MODEL_GGUF=x.gguf pip wheel ./python"
    )


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    model = model_file()
    folder, environment = render(model)
    out = Path(wheel_directory).resolve()
    # On the path of pip's own build environment, and else a module of this one.
    maturin = [found] if (found := shutil.which("maturin")) else [sys.executable, "-m", "maturin"]
    command = [*maturin, "build", "--release", "--interpreter", sys.executable, "--out", str(out)]
    before = {wheel: wheel.stat().st_mtime_ns for wheel in out.glob("*.whl")}
    done = subprocess.run(command, cwd=folder, env=environment)
    if done.returncode:
        raise SystemExit(f"error: maturin failed with exit code {done.returncode}; its messages are above")
    new = [wheel for wheel in out.glob("*.whl") if wheel.stat().st_mtime_ns != before.get(wheel)]
    if len(new) != 1:
        raise SystemExit(f"error: maturin should have made one wheel in {out}, but made {len(new)}")
    return new[0].name


def model_file():
    """The file that MODEL_GGUF names; a relative path starts at the root of the repository, as in cargo's build."""
    given = os.environ.get("MODEL_GGUF")
    if not given:
        raise SystemExit("error: a wheel is of one model: MODEL_GGUF=x.gguf pip wheel ./python")
    model = Path(os.path.abspath(ROOT / given))
    if not model.is_file():
        raise SystemExit(f"error: MODEL_GGUF: there is no file {model}")
    return model


def render(model):
    """Writes what maturin builds, and returns its folder and the environment to build it in."""
    slug = slug_of(os.environ.get("MONOMORPH_NAME") or model.stem)
    sha256 = digest(model)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or PYTHON / "target").resolve()
    folder = target / "wheel" / slug
    names = {
        "distribution": "monomorph-" + slug.replace("_", "-"),
        "file": model.name,
        "manifest": os.path.relpath(PYTHON / "Cargo.toml", folder).replace(os.sep, "/"),
        "maturin": MATURIN,
        "module": "monomorph_" + slug,
        "sha256": sha256,
        "slug": slug,
        # With another file, another version: pip leaves a wheel of the same version alone. Digits alone would be taken
        # as a number, whose zeros in front are dropped.
        "version": f"{version()}+sha{sha256[:8]}",
    }
    if folder.exists():
        shutil.rmtree(folder)
    package = folder / names["module"]
    shutil.copytree(PYTHON / "monomorph", package, ignore=shutil.ignore_patterns("__pycache__", "*.so", "_about.*"))
    (package / "_about.py").write_text(ABOUT.format(**names), encoding="utf-8")
    for licence in ROOT.glob("LICENSE-*"):
        shutil.copy(licence, folder)
    # The build script writes the model's terms here.
    terms = folder / "LICENSE-MODEL"
    terms.touch()
    if is_beside():
        shutil.copyfile(model, package / "model.gguf")
    (folder / "pyproject.toml").write_text(PYPROJECT.format(**names), encoding="utf-8")
    settings = {"MODEL_GGUF": str(model), "CARGO_TARGET_DIR": str(target), "MONOMORPH_TERMS": str(terms)}
    return folder, {**os.environ, **settings}


def is_beside():
    """Whether the wheel holds the file: not if its weights go into the extension, or are left out."""
    return os.environ.get("MONOMORPH_EMBED") not in ("1", "blocks") and os.environ.get("MONOMORPH_BESIDE") != "0"


def slug_of(name):
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not slug:
        raise SystemExit(f"error: {name!r} has no letter to name a package by; set MONOMORPH_NAME")
    return slug


def version():
    manifest = (PYTHON / "Cargo.toml").read_text(encoding="utf-8")
    return re.search(r'^version = "(.+)"$', manifest, re.MULTILINE).group(1)


def digest(path):
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
    return sha256.hexdigest()
