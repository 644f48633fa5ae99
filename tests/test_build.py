"""What is built: an sdist with all that its tests need, a wheel with the package alone, and the page of an index."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

pytest.importorskip("build", reason="pip install build")
pytest.importorskip("setuptools", minversion="71", reason="pip install 'setuptools>=71'")

ROOT = Path(__file__).parent.parent
PARTS = [".ci", ".github", "docs", "examples", "micrograd_plus", "tests"]
FILES = [".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "setup.cfg"]
URL = "https://example.org/people/micrograd_plus"


def build(source, folder):
    """The names of the files of the sdist and of the wheel, and the metadata, as text; for a project with a URL."""
    text = (source / "setup.cfg").read_text(encoding="utf-8")
    (source / "setup.cfg").write_text(text.replace("[metadata]", f"[metadata]\nurl = {URL}", 1), encoding="utf-8")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": ""})
    assert run.returncode == 0, run.stdout + run.stderr
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}
    with zipfile.ZipFile(wheel) as archive:
        (about,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return inside, set(archive.namelist()), archive.read(about).decode()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        leave = shutil.ignore_patterns("__pycache__", "*.py[cod]", ".hypothesis", ".ipynb_checkpoints")
        shutil.copytree(ROOT / part, source / part, ignore=leave)
    for file in FILES:
        shutil.copy(ROOT / file, source / file)
    there = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    return there, *build(source, tmp_path_factory.mktemp("dist"))


def test_the_sdist_has_every_file_that_the_tests_need(built):
    there, sdist, *_ = built
    assert there <= sdist
    assert all(name.startswith(("micrograd_plus.egg-info/", "PKG-INFO")) for name in sdist - there)


def test_the_wheel_has_the_package_and_nothing_else(built):
    there, _, wheel, _ = built
    files = {name for name in wheel if not name.startswith("micrograd_plus-")}
    assert files == {name for name in there if name.startswith("micrograd_plus/")}
    assert {"micrograd_plus/py.typed", "micrograd_plus/machinery/signatures.pyi"} <= files


def test_the_long_description_shows_its_pictures_anywhere(built):
    metadata = message_from_string(built[3])
    description, readme = metadata.get_payload(), (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]*\]\((docs/[^)]+)\)", readme)
    assert pictures
    for picture in pictures:
        assert f"]({URL}/raw/HEAD/{picture})" in description
    for target in re.findall(r"\]\(([^)]*)\)", description):
        assert re.match("https?:|#", target)
    assert f"]({URL}/blob/HEAD/docs/testing.md)" in description


def test_the_core_needs_graphviz_alone(built):
    needs = message_from_string(built[3]).get_all("Requires-Dist")
    assert [need for need in needs if "extra ==" not in need] == ["graphviz>=0.20"]


@pytest.mark.parametrize(
    ("program", "missing", "extra"),
    [
        ("mg.jit(lambda x: x, backend='llvm')(1.0)", "llvmlite", "fast"),
        ("mg.jit(lambda x: x, backend='jax')(1.0)", "jax", "jax"),
        ("nn.gradient_report(nn.Neuron(1)).plot()", "matplotlib", "examples"),
        ("import micrograd_plus.testing.strategies", "hypothesis", "test"),
    ],
)
def test_what_is_missing_is_named_with_its_extra(program, missing, extra):
    text = f"import sys; sys.modules[{missing!r}] = None\nimport micrograd_plus as mg\nfrom micrograd_plus import nn\n"
    run = subprocess.run([sys.executable, "-c", text + program], capture_output=True, text=True, cwd=ROOT)
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"needs {missing}: pip install {missing}, or in a clone pip install -e '.[{extra}]'" in last
