"""Writes micrograd_plus/machinery/signatures.pyi: what a type checker cannot see, because it is made from the rules.

python docs/make_types.py
"""

import inspect
import re
from pathlib import Path

from micrograd_plus.machinery.more import MORE
from micrograd_plus.machinery.operators import Number
from micrograd_plus.rules import RULES, Rule

STUB = Path(__file__).parent.parent / "micrograd_plus" / "machinery" / "signatures.pyi"
HEAD = '''"""What a type checker cannot see: the functions and methods made from the rules, and what transforms return.

Written by docs/make_types.py. It is read by type checkers alone: nothing of it exists when a program runs.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any as Any
from typing import Literal, ParamSpec, Protocol, Self, TypeAlias, TypeVar, overload

from ..value import Value
from .operators import Number

class _Real(Protocol):
    """A real number of another library: as NumPy's, and as fractions from Python 3.12 on."""

    def __float__(self) -> float: ...
    def is_integer(self) -> bool: ...

class _Array(Protocol):
    """An array of NumPy's, which does the operation itself, item by item."""

    def __array__(self) -> Any: ...

Real: TypeAlias = float | int | _Real  # int too: mypy does not see it in a list of both
N = TypeVar("N", bound=Number)
T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R", covariant=True)

class Forward(Protocol[P, R]):
    """What has a method `forward`, as a module of a network: calling the module takes and returns what that does."""

    def forward(self, *inputs: P.args, **options: P.kwargs) -> R: ...

class Outputs(Value, list[Value]):  # type: ignore[misc]
    """What a layer returns: a Value or, of several neurons, a list. Which, no type tells, so both are let pass."""

# What transforms return: a gradient has the structure of its argument.

class Derivative(Protocol):
    @overload
    def __call__(self, x: Real, /) -> float: ...
    @overload
    def __call__(self, x: N, /) -> N: ...

class Gradient(Protocol):
    @overload
    def __call__(self, x: float, /, *args: Any, **kwargs: Any) -> float: ...
    @overload
    def __call__(self, x: list[float], /, *args: Any, **kwargs: Any) -> list[float]: ...
    @overload
    def __call__(self, x: dict[str, float], /, *args: Any, **kwargs: Any) -> dict[str, float]: ...
    @overload
    def __call__(self, x: T, /, *args: Any, **kwargs: Any) -> T: ...

class ValueAndGradient(Protocol):
    @overload
    def __call__(self, x: float, /, *args: Any, **kwargs: Any) -> tuple[float, float]: ...
    @overload
    def __call__(self, x: list[float], /, *args: Any, **kwargs: Any) -> tuple[float, list[float]]: ...
    @overload
    def __call__(self, x: dict[str, float], /, *args: Any, **kwargs: Any) -> tuple[float, dict[str, float]]: ...
    @overload
    def __call__(self, x: N, /, *args: Any, **kwargs: Any) -> tuple[N, N]: ...
    @overload
    def __call__(self, x: T, /, *args: Any, **kwargs: Any) -> tuple[Any, T]: ...

_F: TypeAlias = Callable[..., Any]

def derivative(f: _F, n: int = 1) -> Derivative: ...
@overload
def grad(f: _F, argnums: Literal[0] = 0, has_aux: Literal[False] = False) -> Gradient: ...
@overload
def grad(f: _F, argnums: Sequence[int], has_aux: Literal[False] = False) -> Callable[..., tuple[Any, ...]]: ...
@overload
def grad(f: _F, argnums: int | Sequence[int] = 0, *, has_aux: Literal[True]) -> Callable[..., tuple[Any, Any]]: ...
@overload
def grad(f: _F, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> _F: ...
@overload
def value_and_grad(f: _F, argnums: Literal[0] = 0, has_aux: Literal[False] = False) -> ValueAndGradient: ...
@overload
def value_and_grad(
    f: _F, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]: ...
@overload
def jvp(f: _F, primals: Sequence[Any], tangents: Sequence[Any], has_aux: Literal[False] = False) -> tuple[Any, Any]: ...
@overload
def jvp(f: _F, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> tuple[Any, ...]: ...
@overload
def vjp(f: _F, *primals: Any, has_aux: Literal[False] = False) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]: ...
@overload
def vjp(f: _F, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]: ...
def jacobian(f: _F, argnums: int | Sequence[int] = 0) -> _F: ...
def hessian(f: _F, argnums: int | Sequence[int] = 0) -> _F: ...
def hvp(f: _F, primals: Sequence[Any], tangents: Sequence[Any]) -> Any: ...

# The functions.

@overload
def where(condition: Any, x: Real, y: Real) -> float: ...
@overload
def where(condition: Any, x: N, y: N | Real) -> N: ...
@overload
def where(condition: Any, x: Real, y: N) -> N: ...
@overload
def where(condition: Any, x: complex, y: complex) -> complex: ...
@overload
def mean(xs: Iterable[Real]) -> float: ...  # type: ignore[overload-overlap]  # of the empty sequence
@overload
def mean(xs: Iterable[Value | Real]) -> Value: ...
@overload
def mean(xs: Iterable[N]) -> N: ...
@overload
def mean(xs: Iterable[complex]) -> complex: ...
@overload
def log(x: Real, base: Real | None = None) -> float: ...
@overload
def log(x: N, base: N | Real | None = None) -> N: ...
@overload
def log(x: Real, base: N) -> N: ...
@overload
def log(x: complex, base: complex | None = None) -> complex: ...
@overload
def hypot(*x: Real) -> float: ...  # type: ignore[overload-overlap]  # of no number
@overload
def hypot(*x: Value | Real) -> Value: ...
@overload
def hypot(*x: N) -> N: ...
@overload
def hypot(*x: complex) -> complex: ...
@overload
def fma(x: Real, y: Real, z: Real) -> float: ...
@overload
def fma(x: N, y: N | Real, z: N | Real) -> N: ...
@overload
def fma(x: Real, y: N, z: N | Real) -> N: ...
@overload
def fma(x: Real, y: Real, z: N) -> N: ...
@overload
def clip(x: Real, a_min: Real | None = None, a_max: Real | None = None) -> float: ...
@overload
def clip(x: N, a_min: N | Real | None = None, a_max: N | Real | None = None) -> N: ...
@overload
def modf(x: Real) -> tuple[float, float]: ...
@overload
def modf(x: N) -> tuple[N, N]: ...
@overload
def prod(xs: Iterable[Real], *, start: Real = 1.0) -> float: ...  # type: ignore[overload-overlap]  # of no number
@overload
def prod(xs: Iterable[Value | Real], *, start: Value | Real = 1.0) -> Value: ...
@overload
def prod(xs: Iterable[N], *, start: N | Real = 1.0) -> N: ...
@overload
def dist(p: Iterable[Real], q: Iterable[Real]) -> float: ...  # type: ignore[overload-overlap]  # of no number
@overload
def dist(p: Iterable[Value | Real], q: Iterable[Value | Real]) -> Value: ...
@overload
def dist(p: Iterable[N], q: Iterable[N]) -> N: ...
def isnan(x: Number | Real) -> bool: ...
def isinf(x: Number | Real) -> bool: ...
def isfinite(x: Number | Real) -> bool: ...
def isclose(a: Number | Real, b: Number | Real, *, rel_tol: float = 1e-09, abs_tol: float = 0.0) -> bool: ...
'''
WRITTEN = {"log", "hypot"}  # rules whose functions take more than the rules do: they stand above
SAME = {"fsum": "sum", "sumprod": "dot", "expit": "sigmoid", "fabs": "abs"}
OPERATORS = {"add", "sub", "mul", "truediv", "mod", "pow"}
UNARY = {
    rule.name for rule in RULES.values() if not rule.sequences and getattr(Number, f"__{rule.name}__", None)
} - OPERATORS


def function(rule: Rule, name: str) -> list[str]:
    """The function of a rule: what it returns is a float if all operands are, else the kind of number that they are."""
    default = rule.partials.__defaults__
    if rule.sequences:
        many = rule.template.endswith("[0]")
        kinds = [("Real", "float"), ("Value | Real", "Value"), ("N", "N"), ("complex", "complex")]
        takes = [
            (", ".join(f"{x}s: Iterable[{kind}]" for x in "xy"[: rule.sequences]), result) for kind, result in kinds
        ]
        takes = [(taken, f"list[{result}]" if many else result) for taken, result in takes]
    elif "{y}" in rule.template:
        tail = f" = {default[0]}" if default else ""
        takes = [(f"x: Real, y: Real{tail}", "float"), (f"x: N, y: N | Real{tail}", "N"), ("x: Real, y: N", "N")]
        takes.append((f"x: complex, y: complex{tail}", "complex"))
    else:
        takes = [("x: Real", "float"), ("x: N", "N"), ("x: complex", "complex")]
    overlap = "  # type: ignore[overload-overlap]  # of the empty sequence" if rule.sequences else ""
    lines = [f"def {name}({taken}) -> {result}: ..." for taken, result in takes]
    lines[0] += overlap
    return [text for line in lines for text in ("@overload", line)]


def further(name: str) -> list[str]:
    """A function of one number or two that is made of the operations of rules."""
    x, *y = inspect.signature(MORE[name]).parameters
    kinds = [("Real", "Real", "float"), ("N", "N | Real", "N"), ("Real", "N", "N")]
    takes = [(", ".join([f"{x}: {first}", *[f"{z}: {second}" for z in y]]), to) for first, second, to in kinds]
    return [text for taken, to in takes[: 2 + len(y)] for text in ("@overload", f"def {name}({taken}) -> {to}: ...")]


def methods(rule: Rule) -> list[str]:
    """The methods and operators of a rule."""
    name, default = rule.name, rule.partials.__defaults__
    if rule.sequences:
        return []
    tail = f" = {default[0]}" if default else ""
    operand = f", y: Number | Real{tail}" if "{y}" in rule.template else ""
    lines = [f"def {name}(self{operand}) -> Self: ..."]
    if rule.numpy:
        lines.append(f"def {rule.numpy}(self{operand}) -> Self: ...")
    if name in OPERATORS:
        for sign, kinds in ((name, "Number | Real"), (f"r{name}", "Real")):
            lines += ["@overload", f"def __{sign}__(self, y: {kinds}, /) -> Self: ..."]
            lines += ["@overload", f"def __{sign}__(self, y: _Array, /) -> Any: ..."]
    elif name in UNARY:
        lines.append(f"def __{name}__(self) -> Self: ...")
    return lines


def stub() -> str:
    """The whole file."""
    functions = [line for rule in RULES.values() if rule.name not in WRITTEN for line in function(rule, rule.name)]
    functions += [line for name, of in SAME.items() for line in function(RULES[of], name)]
    written = re.findall(r"^def (\w+)", HEAD, re.MULTILINE)
    functions += [line for name in MORE if name not in (*SAME, *written) for line in further(name)]
    comparisons = [f"def __{name}__(self, other: Number | Real, /) -> bool: ..." for name in ("lt", "le", "gt", "ge")]
    inside = [line for rule in RULES.values() for line in methods(rule)] + comparisons
    return "\n".join(
        [
            HEAD + "\n".join(functions),
            "",
            "# The operators and methods of numbers that do their own operations.",
            "",
            "class Operators:",
            *[f"    {line}" for line in inside],
            "",
        ]
    )


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
