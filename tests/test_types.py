"""What type checkers find in a user's program, and what they know of its numbers; and that they are told the truth."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.machinery.more import MORE
from micrograd_plus.machinery.operators import Number
from micrograd_plus.rules import FUNCTIONS

ROOT = Path(__file__).parent.parent
STUB = ast.parse((ROOT / "micrograd_plus" / "machinery" / "signatures.pyi").read_text(encoding="utf-8"))
BEGIN = """
import math
from typing import reveal_type
import micrograd_plus as mg
from micrograd_plus import Value, derivative, grad, value_and_grad
from micrograd_plus.nn import MLP, Layer, Module, Neuron

class Line(Module):
    def __init__(self) -> None:
        self.slope = Value(2.0, label="slope")

    def forward(self, x: float) -> Value:
        return self.slope * x

def f(x: Value) -> Value:
    return mg.sin(x) * x

a, b = Value(2.0, label="a"), Value(3)
model = MLP(2, [4, 1], activation="tanh", seed=1)
"""
MISTAKES = [
    "mg.sinn(a)",
    "a.no_such()",
    'a + "x"',
    '"x" + a',
    'Value("x")',
    'Value(2.0, tangent="x")',
    "Value(a)",
    'mg.sin("x")',
    "mg.sin(a, a)",
    "a.sin(2.0)",
    "mg.sum(a)",
    'mg.sum(["x"])',
    "math.sin(a)",
    "float(a)",
    "grad(3.0)",
    "grad(f)(2.0).backward()",
    "model([1.0, 2.0]).no_such()",
    "Neuron(2)([1.0, 2.0]).no_such()",
    'Line()("x")',
    "MLP(2, 3)",
    "mg.log(a, 2.0, 3.0)",
    'mg.log(a, "e")',
    'mg.hypot(a, 3.0, "x")',
    'mg.clip(a, "low")',
    "mg.clip(a, minimum=0.0)",
    "mg.prod([a], 2.0)",
    "mg.dist(a, a)",
    "mg.isclose(a, b, tolerance=1e-6)",
    "mg.isclose(a, b, 1e-6)",
    "mg.fmod(a)",
    'mg.copysign(1.0, "x")',
]
TYPES = {
    "a * 3 + 1 / a - a**2": "Value",
    "2 * a % 3": "Value",
    "-abs(+a)": "Value",
    "a.sin().arctan().leaky_relu(0.1)": "Value",
    "a < b": "bool",
    "mg.sin(a)": "Value",
    "mg.sin(2)": "float",
    "mg.sin(2j)": "complex",
    "mg.maximum(0, a)": "Value",
    "mg.maximum(0, 1.0)": "float",
    "mg.where(a > 0, a, 0.0)": "Value",
    "mg.sum([a, b])": "Value",
    "mg.sum([a, 1, 2.0])": "Value",
    "mg.sum(x * 2.0 for x in (1, 2))": "float",
    "mg.mean(a * x for x in (1, 2))": "Value",
    "mg.dot([a, 1], [2, 3.0])": "Value",
    "mg.softmax([a, b])": "list[Value]",
    "mg.log(a, 10)": "Value",
    "mg.log(2.0, a)": "Value",
    "mg.log(8, 2)": "float",
    "mg.hypot(a, 3, b)": "Value",
    "mg.hypot(2.0, 3, 6)": "float",
    "mg.dist([a, 1], [2.0, b])": "Value",
    "mg.prod([a, 2], start=b)": "Value",
    "mg.clip(a, 0, a_max=1.0)": "Value",
    "mg.clip(3.0, a_max=1.0)": "float",
    "mg.fma(a, 2, b)": "Value",
    "mg.fmod(7, a)": "Value",
    "mg.degrees(1)": "float",
    "mg.modf(a)": "tuple[Value, Value]",
    "mg.isclose(a, 1.0, abs_tol=1e-9)": "bool",
    "derivative(f)(2)": "float",
    "derivative(derivative(f))(a)": "Value",
    "grad(f)": "Gradient",
    "grad(f)(2.0)": "float",
    "grad(f)([2, 3])": "list[float]",
    'grad(f)({"w": [1.0]})': "dict[str, list[float]]",
    "grad(f, argnums=(0, 1))(2.0, 3.0)": "tuple[Any, ...]",
    "value_and_grad(f)([2.0])": "tuple[float, list[float]]",
    "mg.jvp(f, (2.0,), (1.0,))": "tuple[Any, Any]",
    "Neuron(2)([1.0, 2.0])": "Value",
    "Line()(2.0)": "Value",
    "model": "MLP",
    "model([1.0, 2.0])": "Outputs",
    "model([1.0, 2.0])[0]": "Value",
    "Layer(2, 3)([1.0, 2.0])[0]": "Value",
}


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """What mypy says of each line of a program; its whole text is under the line 0."""
    pytest.importorskip("mypy", reason="pip install mypy")
    program = tmp_path_factory.mktemp("types") / "program.py"
    text = BEGIN + "\n".join([*MISTAKES, *[f"reveal_type({expression})" for expression in TYPES]])
    program.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--hide-error-context"]
    command += ["--config-file=", "--python-version=3.11", f"--cache-dir={program.parent / 'cache'}", program.name]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    run = subprocess.run(command, cwd=program.parent, env=environment, capture_output=True, text=True, timeout=300)
    found = {0: run.stdout + run.stderr}
    for line, message in re.findall(r"^program\.py:(\d+): (.*)", run.stdout, re.MULTILINE):
        found[text.splitlines()[int(line) - 1]] = found.get(text.splitlines()[int(line) - 1], "") + message + "\n"
    return found


@pytest.mark.parametrize("line", MISTAKES)
def test_mypy_finds_the_mistake(line, messages):
    assert "error" in messages.get(line, ""), messages[0]


@pytest.mark.parametrize("expression", TYPES)
def test_mypy_knows_the_type(expression, messages):
    said = messages.get(f"reveal_type({expression})", "")
    assert "error" not in said
    revealed = re.search(r'Revealed type is "(.*)"', said)
    assert revealed, messages[0]
    assert re.sub(r"\w+\.", "", revealed[1]).removesuffix("?") == TYPES[expression], said


def test_mypy_finds_nothing_wrong_in_what_is_right(messages):
    for line, said in messages.items():
        if line and line not in MISTAKES:
            assert "error" not in said, f"{line}: {said}"


def parameters(node):
    """The names of the parameters of a function of the stub, and which of them have a default."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    first = len(arguments) - len(node.args.defaults)
    names = {x.arg: i >= first for i, x in enumerate(arguments)}
    return names | {x.arg: d is not None for x, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)}


def test_every_function_that_the_stub_names_is_there_and_every_function_is_in_the_stub():
    named = {node.name for node in STUB.body if isinstance(node, ast.FunctionDef)}
    transforms = {name for name, f in vars(mg.transforms).items() if name in mg.__all__ and inspect.isfunction(f)}
    assert named == {*FUNCTIONS, *MORE} | transforms
    for name in named:
        assert callable(getattr(mg, name))


@pytest.mark.parametrize("name", ["derivative", "grad", "value_and_grad", "jvp", "vjp", "jacobian", "hessian", "hvp"])
def test_transforms_take_what_the_stub_says(name):
    real = inspect.signature(getattr(mg, name)).parameters
    there = {x for x, p in real.items() if p.kind is not p.VAR_POSITIONAL}
    for node in STUB.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            assert set(parameters(node)) == there
            assert {x for x, has in parameters(node).items() if has} <= {
                x for x in there if real[x].default is not real[x].empty
            }


def test_every_method_that_the_stub_names_is_there():
    (operators,) = [node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name == "Operators"]
    named = {node.name for node in operators.body}
    assert all(callable(getattr(Number, name, None)) for name in named)
    for node in operators.body:
        if not node.name.startswith("__") and node.name not in ("acosh", "arccosh"):
            x = Value(1.0 if node.name == "polygamma" else 0.5)
            assert type(getattr(x, node.name)(*[0.25] * (len(node.args.args) - 1))) is Value
