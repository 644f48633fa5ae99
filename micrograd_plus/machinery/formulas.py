"""Operations for numbers that have no function of their own for them: made of others, or over arrays."""

from __future__ import annotations

from math import inf, nan

from ..functions import KERNELS, where
from ..machinery.operations import OWN
from ..rules import FUNCTIONS, RULES, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..functions import Function


def made_of(name: str) -> Function:
    """The operation of that name as a function of its operands, made of other operations.

    >>> made_of("silu")(0.0), made_of("logsumexp")(0.0, 0.0)
    (0.0, 0.6931471805599453)
    """
    rule = RULES[name]
    if rule not in TEMPLATES:
        TEMPLATES[rule] = OF_OTHERS.get(name) or _template(rule)
    return TEMPLATES[rule]


TEMPLATES: dict[Rule, Function] = {}


def _template(rule: Rule) -> Function:
    if f"{rule.name}(" in rule.template:
        raise NotImplementedError(f"{rule.name}: formulas.py does not say how it is made of other operations")

    def over(*x: Any) -> Any:
        names = [f"x{i}" for i in range(len(x))]
        return eval(rule.program(names), FUNCTIONS | dict(zip(names, x, strict=True)))

    names = ["x", "y"] if "{y}" in rule.template else ["x"]
    return over if rule.sequences else eval(f"lambda {', '.join(names)}: {rule.program(names)}", dict(FUNCTIONS))


def in_order(operands: tuple[Any, ...]) -> list[Any]:
    """Symbols in the order of their index: operations that take operands in any order are then made once."""
    known = all(type(x) is float or hasattr(x, "index") for x in operands)
    return sorted(operands, key=lambda x: (x.index, 0.0) if hasattr(x, "index") else (-1, x)) if known else [*operands]


def _sum(*x: Any) -> Any:
    total, *rest = x
    for y in rest:
        total = total + y
    return total


def _dot(*x: Any) -> Any:
    return _sum(*[a * b for a, b in zip(x[: len(x) // 2], x[len(x) // 2 :], strict=True)])


def _weights(x: tuple[Any, ...]) -> tuple[Any, Any]:
    """The largest of `x`, and the sum of e**(z - largest) for all z of `x`, less one. A nan makes both nan."""
    xs = in_order(x)  # the same for all results of a softmax, which so share these symbols
    top, *others = xs
    for z in others:
        top = FUNCTIONS["maximum"](top, z)
    rest = [where(z == top, 0.0, FUNCTIONS["exp"](z - top)) for z in xs]
    ties = [where(z == top, 1.0, 0.0) for z in xs]
    return top, _sum(*rest) + (_sum(*ties) - 1.0)


def _logsumexp(*x: Any) -> Any:
    top, rest = _weights(x)
    return top + FUNCTIONS["log1p"](rest)


def _softmax(*x: Any) -> Any:
    top, rest = _weights(x)
    share = where(x[0] == top, 1.0, FUNCTIONS["exp"](x[0] - top)) / (1.0 + rest)
    return share + where(top == -inf, nan, 0.0)


def _log_softmax(*x: Any) -> Any:
    top, rest = _weights(x)
    share = where(x[0] == top, 0.0, x[0] - top) - FUNCTIONS["log1p"](rest)
    return share + where(top == -inf, nan, 0.0)


def _norm(x: Any, *more: Any) -> Any:
    length = FUNCTIONS["abs"](x)
    for y in more:
        length = FUNCTIONS["hypot"](length, y)
    return length


OF_OTHERS: dict[str, Function] = {"sum": _sum, "dot": _dot, "logsumexp": _logsumexp, "softmax": _softmax}
OF_OTHERS["log_softmax"] = _log_softmax
OF_OTHERS["norm"] = _norm
OF_OTHERS["gaussian"] = lambda x, y: FUNCTIONS["exp"](y * x * x)
OF_OTHERS["ndtr"] = lambda x: FUNCTIONS["erfc"](x * -(0.5**0.5)) * 0.5

# Over arrays ----------------------------------------------------------------------------------------------------------

# What is not a function of NumPy's of that name, or is none; the same for jax.numpy.
SPELT: dict[str, str | Function] = {"add": "add", "sub": "subtract", "mul": "multiply", "neg": "negative"}
SPELT |= {"truediv": "divide", "pow": "power", "reciprocal": lambda np: lambda x: np.divide(1.0, x)}
SPELT["step"] = lambda np: lambda x: np.maximum(np.sign(x), 0.0)
SPELT["times"] = lambda np: lambda x, y: np.where((x == 0.0) | (y == 0.0), 0.0, np.multiply(x, y))


def over_arrays(name: str, vectorize: Function, *modules: Any) -> Function | None:
    """The operation over arrays, of the first of these modules that has it, as NumPy; None if it is made of others.

    What none of them has is what `vectorize` makes of the function over floats.

    >>> import numpy
    >>> over_arrays("sub", numpy.vectorize, numpy)(numpy.array([3.0, 5.0]), 1.0)
    array([2., 4.])
    """
    rule = RULES[name]
    spelt: Any = SPELT.get(name) or rule.numpy or name
    if name not in SPELT and (name in OF_OTHERS or rule.sequences or f"{name}(" not in rule.template):
        return None
    if not isinstance(spelt, str):
        return spelt(modules[0])  # type: ignore[no-any-return]
    found = [getattr(module, spelt) for module in modules if hasattr(module, spelt) and name not in OWN]
    return found[0] if found else vectorize(KERNELS[name])  # type: ignore[no-any-return]
