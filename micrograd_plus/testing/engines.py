"""Somebody's own scalar engine, whatever its names are: make a Value, run a program on it, read off its numbers."""

from __future__ import annotations

import ast
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..functions import is_real
from ..rules import FUNCTIONS
from ..transforms import value_and_grad

DATA = ("data", "value", "val")  # what people call it, the first that there is
GRAD = ("grad", "gradient", "derivative")
BACKWARD = ("backward", "backprop", "backward_pass")
TANGENT = ("tangent", "dot")
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.USub: "-x"}
NAMES = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "**": "pow", "-x": "neg"}
OVER_ONE = (
    *("exp", "log", "sqrt", "tanh", "sigmoid", "relu", "sin", "cos", "tan", "sinh", "cosh", "softplus", "silu"),
    *("log1p", "expm1", "asin", "acos", "atan", "erf", "abs"),
)
ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "silu": "swish", "sigmoid": "logistic"}
LACKS = (TypeError, AttributeError, NameError, NotImplementedError)  # how a program says that something is not there


class Missing(Exception):
    """The engine does not offer what was asked for; the text says how it said so."""


class Wrong(Exception):
    """The program gives something else than it should; `what` came out, and what `should`."""

    def __init__(self, program: str, what: str, should: str = "") -> None:
        super().__init__(program, what, should)
        self.program, self.what, self.should = program, what, should


class Run(NamedTuple):
    """A program that has run on the engine: its inputs and its result, as the engine's own numbers."""

    inputs: dict[str, Any]
    result: Any


class Engine:
    """The class `value`, by the names that it goes by, and how many random `examples` it is tested on.

    `names` may give other ones: `data`, `grad`, `tangent` (attributes), `backward` (a method), or functions of a Value
    in their place; `make`, a function from a float to a Value; and any operation, as `exp=lambda v: v.exp()`. Else
    methods and then functions of the class's module are looked for. TypeError if there is nothing that it could be.
    """

    def __init__(self, value: Any, examples: int = 200, **names: Any) -> None:
        self.examples = examples  # random programs
        if not callable(value):
            raise TypeError(f"check_engine: expected the class of your Values, got {value!r}")
        self.value, self.names = value, names
        self.module = sys.modules.get(getattr(value, "__module__", ""))
        self.make = names.get("make", value)
        try:
            sample = self.make(1.0 / 3.0)
        except Exception as error:
            raise TypeError(
                f"check_engine: {getattr(value, '__name__', value)}(0.5) raises {told(error)}; "
                "make=lambda x: ... tells how to make a Value"
            ) from error
        self.data_name = self._name("data", DATA, sample)
        if self.data_name is None:
            raise TypeError(
                f"check_engine: {sample!r} has no attribute {', '.join(DATA)}; data='...' tells how its number is named"
            )
        self.grad_name = self._name("grad", GRAD, sample)
        self.backward_name = self._name("backward", BACKWARD, sample)
        self.tangent_name = self._name("tangent", TANGENT, sample)
        self.tolerance = 1e-9 if abs(self.data(sample) * 3.0 - 1.0) < 1e-12 else 1e-4  # numbers with half the digits
        self.fresh = getattr(sample, self.grad_name, 0.0) if isinstance(self.grad_name, str) else 0.0
        self.functions = {name: function for name in OVER_ONE if (function := self._function(name)) is not None}

    def _name(self, what: str, candidates: Sequence[str], sample: Any) -> Any:
        known = [name for name in candidates if hasattr(sample, name)]
        if what == "tangent":  # there are tensors with a method dot
            known = [name for name in known if not callable(getattr(sample, name))]
        return self.names.get(what, next(iter(known), None))

    def _function(self, name: str) -> Callable[[Any], Any] | None:
        """The operation of one operand, as a function."""
        if name in self.names:
            return self.names[name]  # type: ignore[no-any-return]
        if name == "abs":
            return abs if hasattr(self.value, "__abs__") else None
        for known in (name, ALIASES.get(name, name)):
            if callable(method := getattr(self.value, known, None)) and not inspect.isclass(method):
                return lambda v, known=known: getattr(v, known)()  # type: ignore[misc]
            function = getattr(self.module, known, None)
            if callable(function) and getattr(function, "__module__", None) == self.value.__module__:
                return function  # type: ignore[no-any-return]
        return None

    def data(self, v: Any) -> float:
        """The number in a Value; a Missing if there is none."""
        return self._number(v, self.data_name, "data")

    def grad(self, v: Any) -> float:
        if self.grad_name is None:
            raise Missing(f"a Value has no attribute {', '.join(GRAD)}")
        return self._number(v, self.grad_name, "grad")

    def tangent(self, v: Any) -> float:
        if self.tangent_name is None:
            raise Missing(f"a Value has no attribute {', '.join(TANGENT)}")
        return self._number(v, self.tangent_name, "tangent")

    def _number(self, v: Any, name: Any, what: str) -> float:
        number = name(v) if callable(name) else getattr(v, name, v)
        if callable(number) and not is_real(number):
            number = number()
        for _ in range(9):  # a Value of Values
            if not isinstance(number, self.value if isinstance(self.value, type) else ()):
                break
            number = self.data_name(number) if callable(self.data_name) else getattr(number, self.data_name)
        if number is None and what != "data":
            return 0.0  # no gradient has arrived
        try:
            return float(number)
        except (TypeError, ValueError):
            raise Missing(f"{what} is {number!r}, no number") from None

    def backward(self, v: Any) -> None:
        if self.backward_name is None:
            raise Missing(f"a Value has no method {', '.join(BACKWARD)}")
        if not hasattr(v, str(self.backward_name)) and not callable(self.backward_name):
            raise Missing(f"the result, {v!r}, is no Value")
        self.backward_name(v) if callable(self.backward_name) else getattr(v, self.backward_name)()

    def zero(self, *inputs: Any) -> None:
        """Forget the gradients, by the engine's own method if it has one; Missing if there is no way to."""
        for v in inputs:
            if hasattr(v, "zero_grad"):
                v.zero_grad()
            elif isinstance(self.grad_name, str):
                setattr(v, self.grad_name, self.fresh)
            else:
                raise Missing("a gradient that a function finds cannot be set to 0, and there is no method zero_grad")

    def moving(self, x: float, tangent: float) -> Any:
        """A Value with a tangent."""
        name = self.tangent_name
        if not isinstance(name, str):
            raise Missing(f"a Value has no attribute {', '.join(TANGENT)}")
        try:
            return self.make(x, **{name: tangent})
        except TypeError:
            v = self.make(x)
            setattr(v, name, tangent)
            return v

    def run(self, program: str, make: Callable[[float], Any] | None = None, /, **point: float) -> Run:
        """The program on Values, forward; Missing if it uses what the engine has not."""
        inputs = {name: (make or self.make)(x) for name, x in point.items()}
        try:
            return Run(inputs, _evaluated(program, self.functions | inputs))
        except LACKS as error:
            raise Missing(f"{program} raises {told(error)}") from None
        except Exception as error:
            raise Wrong(f"{program}{at(point)}", f"raises {told(error)}") from None

    def check(self, program: str, /, slopes: Any = True, **point: float) -> Run:
        """Run the program and, if `slopes`, its backward pass: Wrong if a number is not what it should be."""
        value, gradient = reference(program, point)
        run, where = self.run(program, **point), f"{program}{at(point)}"
        if not is_near(found := self.data(run.result), value, self.tolerance):
            raise Wrong(where, f"value {found!r}", repr(value))
        if slopes:
            self.swept(run, where)
            self.compare(run, where, gradient)
            changed = [n for n, v in run.inputs.items() if not is_near(self.data(v), point[n], self.tolerance)]
            if changed:
                raise Wrong(where, f"after backward, {changed[0]} is {self.data(run.inputs[changed[0]])!r}")
        return run

    def swept(self, run: Run, where: str) -> None:
        """The backward pass, whatever it raises."""
        try:
            self.backward(run.result)
        except Missing:
            raise
        except Exception as error:
            raise Wrong(where, f"backward raises {told(error)}") from None

    def compare(self, run: Run, where: str, gradient: dict[str, float]) -> None:
        for name, slope in gradient.items():
            if not is_near(found := self.grad(run.inputs[name]), slope, self.tolerance):
                raise Wrong(where, f"gradient of {name} {found!r}", repr(slope))


def reference(program: str, point: dict[str, float]) -> tuple[float, dict[str, float]]:
    """What the program's value and gradient should be."""
    table = {name: FUNCTIONS[name] for name in OVER_ONE}
    value, gradient = value_and_grad(lambda p: _evaluated(program, table | p))(point)
    return value, {name: slope + 0.0 for name, slope in gradient.items()}


def _evaluated(program: str, names: dict[str, Any]) -> Any:
    return eval(program, {"sum": sum}, names)  # the programs stand in this package; no other text comes here


def operations(program: str) -> set[str]:
    """What the program is made of: operators as they are written, and names of functions.

    >>> sorted(operations("exp(-x) * 2.0"))
    ['*', '-x', 'exp']
    """
    nodes = [*ast.walk(ast.parse(program, mode="eval"))]
    found = {OPERATORS[type(node.op)] for node in nodes if isinstance(node, ast.BinOp | ast.UnaryOp)}
    return found | {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def is_near(found: float, right: float, tolerance: float) -> bool:
    if not math.isfinite(right):
        return found == right or (math.isnan(found) and math.isnan(right))
    return abs(found - right) <= tolerance * max(abs(right), 1e-3 if tolerance < 1e-6 else 1.0)


def at(point: dict[str, float]) -> str:
    return f" at {', '.join([f'{name} = {x:g}' for name, x in point.items()])}" if point else ""


def told(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:100]}" if text else type(error).__name__
