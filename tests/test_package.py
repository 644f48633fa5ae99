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
from micrograd_plus import Value, losses, nn, optim, testing
from micrograd_plus.rules import FUNCTIONS, RULES, rule
from micrograd_plus.testing import strategies

ROOT = Path(__file__).parent.parent
# The order of imports: a file imports from what stands before it alone. Of a folder that is not spelt out, all files
# stand in its place, in the order of ROOMS.
HOUSE = ["functions", "machinery.digits", "machinery.special", "machinery.operations", "rules", "machinery.more"]
HOUSE += ["machinery.formulas", "tape", "machinery.operators", "value", "machinery.trees", "machinery.structures"]
HOUSE += ["machinery.running", "machinery.fast", "transforms", "series", "batch", "jit", "draw", "nn", "explore"]
HOUSE += ["testing", "__main__"]
ROOMS = {
    "jit": ["trace", "text", "compiled", "python", "javascript", "llvm", "jax"],
    "draw": ["files", "fit", "engines", "picture", "formulas", "modules", "diagram", "notebook"],
    "nn": ["losses", "modules", "optim", "training"],
    "explore": ["page", "explain", "play"],
    "testing": [
        "differences",
        "judging",
        "diagnosis",
        "checks",
        "profile",
        "strategies",
        "engines",
        "abilities",
        "examination",
    ],
}
LATER = [("transforms", "series")]  # imported inside a function: `derivative` takes the third order from there
ALIASES = ["losses", "optim"]  # what stands in nn, under the names that it had before
READ = ["value", "rules", "tape", "transforms", "functions", "series", "batch"]  # the files that one comes to read
USED = ["machinery", "jit", "draw"]
USED += ["explore", "nn", "testing", "__main__"]
FILES = sorted((ROOT / "micrograd_plus").rglob("*.py"))
CONSTANTS = {"e", "inf", "nan", "pi", "tau"}
PUBLIC = {name: getattr(mg, name) for name in {*mg.__all__, *FUNCTIONS} - CONSTANTS}
MODULES = (nn, losses, optim, testing, strategies)
PUBLIC |= {name: getattr(module, name) for module in MODULES for name in module.__all__}


def test_importing_the_package_brings_nothing_but_a_few_builtin_modules():
    program = """
import cmath, gc, itertools, math, os, sys, _operator, __future__
sys.path.insert(0, os.getcwd())
before = set(sys.modules)
import micrograd_plus
print(*[name for name in set(sys.modules) - before if name.split(".")[0] != "micrograd_plus"])
"""
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.split() == []


def place(path):
    """Where a file stands in the order of imports: by folder, and by file in the folder."""
    folder = path[0]
    if folder == "machinery" or len(path) == 1:
        return HOUSE.index(".".join(path)), 0
    return HOUSE.index(folder), ROOMS.get(folder, []).index(path[1]) if len(path) > 1 and folder in ROOMS else 0


def imported(file):
    """The files of the package that a file imports, but those that are for the type checker alone."""
    package = file.relative_to(ROOT / "micrograd_plus").parts[:-1]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    skipped = {inner for node in typing for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and node not in skipped:
            base = package[: len(package) - node.level + 1]
            names = [tuple(node.module.split("."))] if node.module else [(alias.name,) for alias in node.names]
            for name in names:
                path = (*base, *name)
                if (ROOT / "micrograd_plus" / Path(*path)).is_dir() and node.module:
                    path = (*path, node.names[0].name) if path == ("machinery",) else path[:1]
                yield node.lineno, path


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_file_imports_only_from_files_above_it(file):
    here = file.relative_to(ROOT / "micrograd_plus").with_suffix("").parts
    if here[-1] == "__init__" or here[0] in ALIASES:
        return
    for line, path in imported(file):
        if path and path[0].split(".")[0] in {name.split(".")[0] for name in HOUSE} and (here[0], path[0]) not in LATER:
            assert place(path) < place(here), f"line {line}"


def lines(*names):
    return {name: (ROOT / "micrograd_plus" / f"{name}.py").read_text(encoding="utf-8").splitlines() for name in names}


def test_the_chapter_is_short_enough_to_be_read_in_an_evening():
    assert sum(map(len, lines("value", "tape", "transforms").values())) <= 520
    assert len(lines("functions")["functions"]) <= 200


def test_the_idea_stands_on_the_first_page():
    text = lines("value", "rules")
    first = {name: next(i for i, line in enumerate(page, 1) if line.startswith(begin)) for name, page, begin in [
        ("operate", text["value"], "def operate("), ("sweep", text["value"], "    for node in reversed(order)"),
        ("rule", text["rules"], "@rule("),
    ]}  # fmt: skip
    assert first["operate"] <= 30
    assert first["sweep"] + 2 <= 55
    assert first["rule"] <= 30


def test_no_operation_takes_more_than_twelve_lines():
    tree = ast.parse((ROOT / "micrograd_plus" / "rules.py").read_text(encoding="utf-8"))
    rules = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    sizes = [rule.end_lineno - rule.decorator_list[0].lineno + 1 for rule in rules]
    assert max(sizes) <= 12
    assert sorted(sizes)[len(sizes) // 2] == 2


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

    x = Value(2.0, tangent=1.0, label="x")
    y = cubed(x)
    y.backward()
    assert (y.data, y.tangent, x.grad) == (8.0, 12.0, 12.0)
    assert mg.derivative(cubed, n=3)(5.0) == 6.0
    assert cubed(2.0 + 1e-200j).imag == 12e-200
    assert "x * x * x" in mg.draw_dot(y).source
    assert "cubed(2.0)\n    8.0" in cubed.__doc__


def test_the_readme_names_every_file_of_the_package_in_the_order_of_reading():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\(micrograd_plus/(\w+(?:\.py|/))\)", text)
    there = [f"{path.name}/" if path.is_dir() else path.name for path in (ROOT / "micrograd_plus").iterdir()]
    assert named == [path for name in READ + USED for path in (f"{name}.py", f"{name}/") if path in there]


def test_an_operation_that_nothing_defines_is_refused_with_its_name():
    with pytest.raises(ValueError, match="say what nothing_yet is over floats, by over_floats= or by a template"):

        @rule("nothing_yet({x})", "Nothing yet: nothing_yet(0.0) is 0.0")
        def nothing_yet(x):
            return nothing_yet(x), 0.0

    assert "nothing_yet" not in RULES


def test_an_operation_may_be_made_of_operations_over_sequences():
    @rule("log_softmax([{x}, {y}])[0] + sum([{x}, {y}])", "One of two: one_of_two(0.0, 0.0) is -0.6931471805599453")
    def one_of_two(x, y):
        share = mg.softmax([x, y])[1]
        return one_of_two(x, y), share + 1.0, 1.0 - share

    x, y = Value(1.0, tangent=1.0), Value(2.0)
    z = one_of_two(x, y)
    z.backward()
    assert z.data == one_of_two(1.0, 2.0) == mg.log_softmax([1.0, 2.0])[0] + 3.0
    assert z.tangent == x.grad == 2.0 - y.grad
    assert one_of_two(1.0 + 1e-200j, 2.0).imag / 1e-200 == pytest.approx(x.grad, rel=1e-14)
