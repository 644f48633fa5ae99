"""The package as a whole: what importing it costs, how its files build on each other, and what its names say."""

import ast
import doctest
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import micrograd_plus as mg
from micrograd_plus import Value, functions, losses, nn, optim, testing
from micrograd_plus.rules import FUNCTIONS, RULES, rule
from micrograd_plus.testing import strategies

ROOT = Path(__file__).parent.parent
HOUSE = ["functions", "rules", "tape", "value", "transforms"]
HOUSE += ["symbols", "printing", "matrices", "arrays", "instructions", "interpreter", "jit"]
HOUSE += ["draw", "explore", "nn", "losses", "optim", "testing", "__main__"]
TESTING = ["differences", "judging", "diagnosis", "checks", "profile", "strategies", "engines"]
TESTING += ["abilities", "examination"]
FILES = sorted((ROOT / "micrograd_plus").rglob("*.py"))
PUBLIC = {name: getattr(mg, name) for name in {*mg.__all__, *FUNCTIONS}}
MODULES = (nn, losses, optim, testing, strategies)
PUBLIC |= {name: getattr(module, name) for module in MODULES for name in module.__all__}


def test_importing_the_package_brings_nothing_but_a_few_builtin_modules():
    program = """
import cmath, gc, itertools, math, os, sys, __future__
before = set(sys.modules)
import micrograd_plus
print(*[name for name in set(sys.modules) - before if name.split(".")[0] != "micrograd_plus"])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.split() == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_file_imports_only_from_files_above_it(file):
    if file.stem == "__init__":
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level and "TYPE_CHECKING" not in _condition(file, node):
            for name in [node.module] if node.module else [alias.name for alias in node.names]:
                for order in (HOUSE, TESTING):
                    if name in order:
                        here = file.stem if file.stem in order else file.parent.name
                        assert order.index(name) < order.index(here), f"line {node.lineno}"


def _condition(file, node):
    """The test of the `if` that a statement stands under, if it does."""
    for outer in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(outer, ast.If) and any(inner.lineno == node.lineno for inner in outer.body):
            return ast.unparse(outer.test)
    return ""


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_has_a_sentence_and_an_example(name):
    text = inspect.getdoc(PUBLIC[name])
    assert re.match(r"[A-Z`].*\.$", text.split("\n\n")[0], re.DOTALL), "there is no sentence"
    assert doctest.DocTestParser().get_examples(text), "there is no example"


def test_the_functions_do_not_shadow_python_under_import_star():
    names = {}
    exec("from micrograd_plus import *", names)
    assert {"sin", "Value", "grad", "maximum"} <= names.keys()
    assert not {"abs", "pow", "sum"} & names.keys()


def test_the_version_is_that_of_the_installed_package():
    from importlib.metadata import version

    assert mg.__version__ == version("micrograd-plus")


def test_an_operation_is_added_by_one_rule():
    @rule("{x} * {x} * {x}", "The cube of x: cubed(2.0) is 8.0")
    def cubed(x):
        return cubed(x), 3.0 * x * x

    try:
        x = Value(2.0, tangent=1.0, label="x")
        y = cubed(x)
        y.backward()
        assert (y.data, y.tangent, x.grad) == (8.0, 12.0, 12.0)
        assert mg.derivative(cubed, n=3)(5.0) == 6.0
        assert cubed(2.0 + 1e-200j).imag == 12e-200
        assert "x * x * x" in mg.draw_dot(y).source
        assert "cubed(2.0)\n    8.0" in cubed.__doc__
    finally:
        del RULES["cubed"], FUNCTIONS["cubed"], functions.KERNELS["cubed"]


def test_the_readme_names_every_file_of_the_package_in_the_order_of_the_house():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\(micrograd_plus/(\w+(?:\.py|/))\)", text)
    there = [f"{path.name}/" if path.is_dir() else path.name for path in (ROOT / "micrograd_plus").iterdir()]
    assert named == [path for name in HOUSE for path in (f"{name}.py", f"{name}/") if path in there]


def test_an_operation_that_nothing_defines_is_refused_with_its_name():
    with pytest.raises(ValueError, match=r"nothing_yet stands in its own template: functions\.py must say"):

        @rule("nothing_yet({x})", "Nothing yet: nothing_yet(0.0) is 0.0")
        def nothing_yet(x):
            return nothing_yet(x), 0.0

    assert "nothing_yet" not in RULES


def test_an_operation_may_be_made_of_operations_over_sequences():
    @rule("log_softmax([{x}, {y}])[0] + sum([{x}, {y}])", "One of two: one_of_two(0.0, 0.0) is -0.6931471805599453")
    def one_of_two(x, y):
        share = mg.softmax([x, y])[1]
        return one_of_two(x, y), share + 1.0, 1.0 - share

    try:
        x, y = Value(1.0, tangent=1.0), Value(2.0)
        z = one_of_two(x, y)
        z.backward()
        assert z.data == one_of_two(1.0, 2.0) == mg.log_softmax([1.0, 2.0])[0] + 3.0
        assert z.tangent == x.grad == 2.0 - y.grad
        assert one_of_two(1.0 + 1e-200j, 2.0).imag / 1e-200 == pytest.approx(x.grad, rel=1e-14)
    finally:
        del RULES["one_of_two"], FUNCTIONS["one_of_two"], functions.KERNELS["one_of_two"]
