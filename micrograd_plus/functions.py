"""Functions of a number of any kind: a float, a complex number, a Value.

`math.sin` takes floats only. The `sin` of this page takes a float to `math.sin`, a complex number to `cmath.sin`, and
hands a Value to its own method `operate`: that is how a Value records what is done to it. The rules of calculus
(rules.py) are written in these functions, and so hold for every kind of number: also for Values of Values, which is
all that higher derivatives are.

On floats the functions do and raise what `math` does and raises, but what overflows is infinity. On complex numbers
those with a kink (`maximum`, `abs`, ...) choose by the real part, so that f(x + ih) with a tiny h still tells the slope
of f. Functions that need more care, and those over sequences, are in machinery/digits.py.
"""

from __future__ import annotations

import cmath
import math
from math import inf, isfinite

TYPE_CHECKING = False  # typing is for the type checker: importing it would double the time of `import micrograd_plus`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Function = Callable[..., Any]

OVER_NUMBERS: dict[str, Function] = {}  # by name, the functions made here
KERNELS: dict[str, Function] = {}  # by name, what they do to floats: what the templates of rules call


def over_numbers(
    name: str,
    over_floats: Function,
    over_complex: Function | None = None,
    *,
    arity: int = 1,
    pack: Function | None = None,
) -> Function:
    """The function `name` over all kinds of numbers, from the one over floats and the one over complex numbers.

    It takes `arity` numbers; or else `pack` makes a tuple of numbers, the operands, from what it takes: a sequence.
    """

    def general(*arguments: Any) -> Any:
        operands = pack(*arguments) if pack else arguments
        kinds = set(map(type, operands))
        if kinds <= {float}:
            return over_floats(*operands)
        if any(hasattr(kind, "operate") for kind in kinds):
            return deepest(operands).operate(name, operands)
        if not any(map(is_complex, operands)):
            return over_floats(*[real(x, name) for x in operands])
        if over_complex is None:
            raise TypeError(f"{name}: there is no complex {name} here, got {arguments!r}")
        return over_complex(*[complex(x) if is_complex(x) else real(x, name) for x in operands])

    def unary(x: Any) -> Any:
        if type(x) is float:
            return over_floats(x)
        return x.operate(name, (x,)) if hasattr(x, "operate") else general(x)

    def binary(x: Any, y: Any) -> Any:
        return over_floats(x, y) if type(x) is float and type(y) is float else general(x, y)

    function: Any = general if pack else {1: unary, 2: binary}[arity]
    function.__name__ = function.__qualname__ = name
    OVER_NUMBERS[name] = function
    KERNELS[name] = function if pack else over_floats
    return function  # type: ignore[no-any-return]


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where `condition` holds, else `y`.

    The condition is a bool, or what a comparison of numbers gave, or a Value, which holds unless it is 0; x and y are
    numbers of any kind. TypeError if it is anything else: ~True is a whole number, -2.

    >>> where(2.0 > 1.0, 10.0, 20.0)
    10.0
    """
    if type(condition) is not bool:
        if hasattr(condition, "where"):
            return condition.where(x, y)
        if not hasattr(condition, "operate") and getattr(getattr(condition, "dtype", None), "kind", "") != "b":
            raise TypeError(f"where: a condition is a comparison, got {condition!r}; write x <= y in place of ~(x > y)")
    return x if condition else y


KERNELS["where"] = where


def unbounded(function: Function, limit: Function) -> Function:
    """A function of `math` that overflows to infinity, as floats do in a product, where `math` raises."""

    def overflowing(*x: float) -> float:
        try:
            return function(*x)  # type: ignore[no-any-return]
        except OverflowError:
            return limit(*x)  # type: ignore[no-any-return]

    return overflowing


# From math and cmath ------------------------------------------------------------------------------------------------
# fmt: off

exp   = over_numbers("exp",   unbounded(math.exp, lambda x: inf), cmath.exp)
log   = over_numbers("log",   math.log,   cmath.log)
log2  = over_numbers("log2",  math.log2,  lambda z: cmath.log(z) / math.log(2.0))
log10 = over_numbers("log10", math.log10, cmath.log10)
sqrt  = over_numbers("sqrt",  math.sqrt,  cmath.sqrt)
sin   = over_numbers("sin",   math.sin,   cmath.sin)
cos   = over_numbers("cos",   math.cos,   cmath.cos)
tan   = over_numbers("tan",   math.tan,   cmath.tan)
asin  = over_numbers("asin",  math.asin,  cmath.asin)
acos  = over_numbers("acos",  math.acos,  cmath.acos)
atan  = over_numbers("atan",  math.atan,  cmath.atan)
sinh  = over_numbers("sinh",  unbounded(math.sinh, lambda x: math.copysign(inf, x)), cmath.sinh)
cosh  = over_numbers("cosh",  unbounded(math.cosh, lambda x: inf), cmath.cosh)
tanh  = over_numbers("tanh",  math.tanh,  cmath.tanh)
asinh = over_numbers("asinh", math.asinh, cmath.asinh)
acosh = over_numbers("acosh", math.acosh, cmath.acosh)
atanh = over_numbers("atanh", math.atanh, cmath.atanh)
erf   = over_numbers("erf",   math.erf)
erfc  = over_numbers("erfc",  math.erfc)
hypot = over_numbers("hypot", math.hypot, lambda x, y: cmath.sqrt(x * x + y * y), arity=2)
pow   = over_numbers("pow",   unbounded(math.pow, lambda x, y: -inf if x < 0.0 and y % 2.0 else inf), lambda x, y: x**y,
                     arity=2)
# fmt: on

# With a kink or a jump: chosen by the real part, and nan stays nan ----------------------------------------------------


def _choose(name: str, choice: Function, arity: int = 1) -> Function:
    return over_numbers(name, choice, choice, arity=arity)


abs = _choose("abs", lambda x: -x if x.real < 0.0 else x + 0.0)  # -0.0 + 0.0 is 0.0
sign = _choose("sign", lambda x: x if x != x else float((x.real > 0.0) - (x.real < 0.0)))
step = _choose("step", lambda x: x if x != x else float(x.real > 0.0))
floor = _choose("floor", lambda x: float(math.floor(x.real)) if isfinite(x.real) else x)
ceil = _choose("ceil", lambda x: float(math.ceil(x.real)) if isfinite(x.real) else x)
maximum = _choose("maximum", lambda x, y: x if x.real > y.real or x != x else y, arity=2)
minimum = _choose("minimum", lambda x, y: x if x.real < y.real or x != x else y, arity=2)
mod = over_numbers("mod", lambda x, y: x % y, lambda x, y: x - y * math.floor((x / y).real), arity=2)

# What is a number -----------------------------------------------------------------------------------------------------


def is_real(x: Any) -> bool:
    """Whether `x` is a real number of Python's or NumPy's, and no Value; an array of one number is still an array.

    >>> is_real(2), is_real("2"), is_real(2j)
    (True, False, False)
    """
    if getattr(x, "shape", ()) != () or getattr(getattr(x, "dtype", None), "kind", "f") not in "fiub":
        return False
    return hasattr(x, "__float__") and not hasattr(x, "operate") and not isinstance(x, type)


def is_complex(x: Any) -> bool:
    """Whether `x` is a complex number of Python's or NumPy's."""
    return isinstance(x, complex) or getattr(getattr(x, "dtype", None), "kind", "") == "c"


def real(x: Any, name: str) -> float:
    """`x` as a float; TypeError, naming `name`, if it is not a real number, OverflowError if it is too large.

    >>> real(True, "w")
    1.0
    """
    try:
        if is_real(x):
            return float(x)
    except OverflowError:
        raise OverflowError(f"{name}: the {type(x).__name__} is too large for a float") from None
    except (TypeError, ValueError):
        pass  # it has a method __float__, which says that it is none
    kind = "real number" if isinstance(x, complex) else "number"
    raise TypeError(f"{name}: expected a {kind}, got {x!r} ({type(x).__name__})") from None


def number(x: Any, name: str) -> Any:
    """`x` itself if it is a number that does its own operations, as a Value does; else as `real`.

    >>> number(1, "w")
    1.0
    """
    return x if hasattr(x, "operate") else real(x, name)


def deepest(operands: Iterable[Any]) -> Any:
    """Of the operands that do their own operations, the first of the deepest level: it answers for all of them.

    >>> from micrograd_plus import Value
    >>> deepest([1.0, Value(2.0), Value(3.0)])
    Value(data=2.0, grad=0.0)
    """
    return max([x for x in operands if hasattr(x, "operate")], key=lambda x: x.level)
