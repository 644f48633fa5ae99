"""Functions of a number: a float, a complex number, or a Value.

`math.sin` takes floats only. The `sin` of this page takes a float to `math.sin`, a complex number to `cmath.sin`, and
hands everything else to the number itself, by its method `operate`: that is how a Value records what is done to it.
The rules of calculus on the next page, `rules.py`, are written in these functions, and so hold for every kind of
number: also for Values of Values, which is all that higher derivatives are.

On floats a function is what `math` makes of it, and raises what `math` raises. On complex numbers the functions with
a kink (`maximum`, `abs`, ...) choose by the real part, so that f(x + ih) with a tiny h still tells the slope of f.
"""

from __future__ import annotations

import cmath
import math
from math import inf, isfinite

TYPE_CHECKING = False  # typing is for the type checker: importing it would double the time of `import micrograd_plus`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Function = Callable[..., Any]


def is_real(x: Any) -> bool:
    """Whether `x` is a real number of Python's or NumPy's, and no Value; an array of one number is still an array.

    >>> is_real(2), is_real("2"), is_real(2j)
    (True, False, False)
    """
    if hasattr(x, "dtype"):
        return x.dtype.kind in "fiub" and x.shape == ()
    return hasattr(x, "__float__") and not hasattr(x, "operate")


def real(x: Any, name: str) -> float:
    """`x` as a float; TypeError, naming `name`, if it is not a real number, OverflowError if it is too large.

    >>> real(True, "w")
    1.0
    """
    if not is_real(x):
        kind = "real number" if isinstance(x, complex) else "number"
        raise TypeError(f"{name}: expected a {kind}, got {x!r} ({type(x).__name__})")
    try:
        return float(x)
    except OverflowError:
        raise OverflowError(f"{name}: the {type(x).__name__} is too large for a float") from None


def number(x: Any, name: str) -> Any:
    """`x` itself if it is a number that does its own operations, as a Value does; else as `real`.

    >>> number(1, "w")
    1.0
    """
    return x if hasattr(x, "operate") else real(x, name)


def _is_complex(x: Any) -> bool:
    return isinstance(x, complex) or getattr(getattr(x, "dtype", None), "kind", "") == "c"


KERNELS: dict[str, Function] = {}  # by name, what the functions do to floats: what a template is written in


def lift(
    name: str,
    over_floats: Function,
    over_complex: Function | None = None,
    *,
    arity: int = 1,
    pack: Function | None = None,
) -> Function:
    """The function `name` over all kinds of numbers, from the one over floats and the one over complex numbers.

    It takes `arity` numbers; or else `pack` makes a tuple of numbers, the operands, from what it takes.
    """

    def general(*arguments: Any) -> Any:
        operands = pack(*arguments) if pack else arguments
        kinds = set(map(type, operands))
        if kinds <= {float}:
            return over_floats(*operands)
        if any(hasattr(kind, "operate") for kind in kinds):
            return next(x for x in operands if hasattr(x, "operate")).operate(name, operands)
        if not any(map(_is_complex, operands)):
            return over_floats(*[real(x, name) for x in operands])
        if over_complex is None:
            raise TypeError(f"{name}: there is no complex {name} here, got {arguments!r}")
        return over_complex(*[complex(x) if _is_complex(x) else real(x, name) for x in operands])

    def unary(x: Any) -> Any:
        if type(x) is float:
            return over_floats(x)
        return x.operate(name, (x,)) if hasattr(x, "operate") else general(x)

    def binary(x: Any, y: Any) -> Any:
        return over_floats(x, y) if type(x) is float and type(y) is float else general(x, y)

    function: Any = general if pack else {1: unary, 2: binary}[arity]
    KERNELS[name] = function if pack else over_floats
    function.__name__ = function.__qualname__ = name
    return function  # type: ignore[no-any-return]


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where `condition` holds, else `y`.

    The condition is a bool, or what a comparison of numbers gave; x and y are numbers of any kind.

    >>> where(2.0 > 1.0, 10.0, 20.0)
    10.0
    """
    if type(condition) is not bool and hasattr(condition, "where"):
        return condition.where(x, y)
    return x if condition else y


KERNELS["where"] = where


def _atan2(y: complex, x: complex) -> complex:
    angle = math.atan2(y.real, x.real)  # the rest is small, and keeps a small imaginary part
    c, s = math.cos(angle), math.sin(angle)
    return angle + cmath.atan((y * c - x * s) / (x * c + y * s))


# From math and cmath ------------------------------------------------------------------------------------------------
# fmt: off

exp   = lift("exp",   math.exp,   cmath.exp)
log   = lift("log",   math.log,   cmath.log)
log2  = lift("log2",  math.log2,  lambda z: cmath.log(z) / math.log(2.0))
log10 = lift("log10", math.log10, cmath.log10)
sqrt  = lift("sqrt",  math.sqrt,  cmath.sqrt)
sin   = lift("sin",   math.sin,   cmath.sin)
cos   = lift("cos",   math.cos,   cmath.cos)
tan   = lift("tan",   math.tan,   cmath.tan)
asin  = lift("asin",  math.asin,  cmath.asin)
acos  = lift("acos",  math.acos,  cmath.acos)
atan  = lift("atan",  math.atan,  cmath.atan)
sinh  = lift("sinh",  math.sinh,  cmath.sinh)
cosh  = lift("cosh",  math.cosh,  cmath.cosh)
tanh  = lift("tanh",  math.tanh,  cmath.tanh)
asinh = lift("asinh", math.asinh, cmath.asinh)
acosh = lift("acosh", math.acosh, cmath.acosh)
atanh = lift("atanh", math.atanh, cmath.atanh)
erf   = lift("erf",   math.erf)
erfc  = lift("erfc",  math.erfc)
expm1 = lift("expm1", math.expm1, lambda z: complex(math.expm1(z.real) * math.cos(z.imag) - 2 * math.sin(z.imag / 2)**2,
                                                    math.exp(z.real) * math.sin(z.imag)))
log1p = lift("log1p", math.log1p, lambda z: complex(math.log1p(z.real * (2 + z.real) + z.imag**2) / 2,
                                                    math.atan2(z.imag, 1 + z.real)))
atan2 = lift("atan2", math.atan2, _atan2, arity=2)
hypot = lift("hypot", math.hypot, lambda x, y: cmath.sqrt(x * x + y * y), arity=2)
pow   = lift("pow",   math.pow,   lambda x, y: x**y, arity=2)
# fmt: on

# With a kink or a jump: chosen by the real part, and nan stays nan ----------------------------------------------------


def _choose(name: str, choice: Function, arity: int = 1) -> Function:
    return lift(name, choice, choice, arity=arity)


abs = _choose("abs", lambda x: -x if x.real < 0.0 else x + 0.0)  # -0.0 + 0.0 is 0.0
sign = _choose("sign", lambda x: x if x != x else float((x.real > 0.0) - (x.real < 0.0)))
step = _choose("step", lambda x: x if x != x else float(x.real > 0.0))
floor = _choose("floor", lambda x: float(math.floor(x.real)) if isfinite(x.real) else x)
ceil = _choose("ceil", lambda x: float(math.ceil(x.real)) if isfinite(x.real) else x)
maximum = _choose("maximum", lambda x, y: x if x.real > y.real or x != x else y, arity=2)
minimum = _choose("minimum", lambda x, y: x if x.real < y.real or x != x else y, arity=2)
mod = lift("mod", lambda x, y: x % y, lambda x, y: x - y * math.floor((x / y).real), arity=2)

# What the derivatives need: limits in place of exceptions, and no lost digits -----------------------------------------
# (On a first reading go on to rules.py here: the rest is care for the last digits.)


def _reciprocal(x: Any) -> Any:
    return 1.0 / x if x else math.copysign(inf, x)


def _cbrt(x: float) -> float:
    root = math.cbrt(x)  # up to 4 units in the last place off in some C libraries: one step of Newton's mends that
    return root + (x / (root * root) - root) / 3.0 if x and isfinite(x) else root


def _product(x: float, y: float) -> tuple[float, float]:
    """x * y as a sum of two floats, exactly, for sizes of 1e-140 to 1e150 (Dekker, Numerische Mathematik 18, 1971)."""
    x_high, y_high = x * 134217729.0, y * 134217729.0  # 2²⁷ + 1
    x_high, y_high = x_high - (x_high - x), y_high - (y_high - y)
    x_low, y_low = x - x_high, y - y_high
    return x * y, ((x_high * y_high - x * y) + x_high * y_low + x_low * y_high) + x_low * y_low


def _gaussian(x: float, c: float) -> float:
    if not 0.0 < math.fabs(c * x * x) < 1e3:  # 1, 0 or infinite, or nan
        return math.exp(c * x * x)
    x, exponent = math.frexp(x)
    c = math.ldexp(c, 2 * exponent)  # c·x² is the same, and now no square is too large or too small to be split
    square, square_rest = _product(x, x)
    power, power_rest = _product(c, square)
    bell = math.exp(power)
    return bell + bell * (power_rest + c * square_rest)


def _ndtr(x: float) -> float:
    z = -x * math.sqrt(0.5)
    if not 0.5 < z < 40.0:
        return 0.5 * math.erfc(z)
    (half, half_rest), (square, square_rest) = _product(0.5 * x, x), _product(z, z)
    error = ((square - half) + (square_rest - half_rest)) / (2.0 * z)  # by which z is too far from 0
    return 0.5 * math.erfc(z) + error * _gaussian(z, -1.0) / math.sqrt(math.pi)


_chained = lift("chained", lambda x, y: x * y if x and y else 0.0, lambda x, y: x * y, arity=2)


def chained(x: Any, y: Any) -> Any:
    for a, b in ((x, y), (y, x)):
        if type(a) is float and (a == 0.0 or a == 1.0):
            return b if a else 0.0
    return _chained(x, y)


reciprocal = lift("reciprocal", _reciprocal, lambda z: 1.0 / z)
cbrt = lift("cbrt", _cbrt, lambda z: z ** (1 / 3) if z.real >= 0.0 else -((-z) ** (1 / 3)))
gaussian = lift("gaussian", _gaussian, lambda z, c: cmath.exp(c * z * z), arity=2)
ndtr = lift("ndtr", _ndtr)

# Over sequences -------------------------------------------------------------------------------------------------------


def _pair(xs: Any, ys: Any) -> tuple[Any, ...]:
    xs, ys = tuple(xs), tuple(ys)
    if len(xs) != len(ys):
        raise ValueError(f"dot: the sequences have different lengths, {len(xs)} and {len(ys)}")
    return (*xs, *ys)


def _sum(*x: Any) -> Any:
    if complex in map(type, x):
        return complex(math.fsum(z.real for z in x), math.fsum(z.imag for z in x))
    return math.fsum(x)


def _dot(*x: Any) -> Any:
    pairs = list(zip(x[: len(x) // 2], x[len(x) // 2 :], strict=True))
    if complex in map(type, x):
        return _sum(*[a * b for a, b in pairs])
    parts = [part for a, b in pairs for part in _product(a, b)]
    return math.fsum(parts if all(map(isfinite, parts)) else [a * b for a, b in pairs])


def _weights(x: tuple[Any, ...]) -> tuple[Any, list[Any]]:
    """The largest of `x`, and exp(z - largest) for each z of `x`, without the rounding of that difference."""
    top = max(x, key=lambda z: z.real)
    weights = []
    for z in x:
        distance = z - top
        back = distance - z
        lost = (z - (distance - back)) - (top + back)  # Knuth, The Art of Computer Programming 2, 4.2.2
        weight = 1.0 if z == top else exp(distance)
        weights.append(weight + weight * lost if isfinite(lost.real) else weight)
    return top, weights


def _log_total(x: tuple[Any, ...]) -> tuple[Any, Any]:
    """The largest of `x`, and the logarithm of the sum of all weights, of which the largest one's is 1."""
    top, weights = _weights(x)
    del weights[x.index(top)]
    return top, log1p(_sum(*weights))


def _logsumexp(*x: Any) -> Any:
    top, rest = _log_total(x) if x else (-inf, 0.0)
    return top + rest


def _softmax(*x: Any) -> list[Any]:
    _, weights = _weights(x)
    total = _sum(*weights)
    return [weight / total for weight in weights]


def _log_softmax(*x: Any) -> list[Any]:
    top, rest = _log_total(x)
    return [(z - top if z != top else 0.0) - rest for z in x]  # of infinities, the difference would be nan


def _each(name: str, every: Function) -> Function:
    """From all numbers to all results. Over Values each result is an operation with its own operand moved to the front:
    of the shares of x, y, z, the second is softmax([y, x, z])[0].
    """
    at_once = lift(name, every, every, pack=tuple)

    def function(xs: Any) -> list[Any]:
        xs = tuple(xs)
        if any(hasattr(x, "operate") for x in xs):
            return [at_once((x, *xs[:i], *xs[i + 1 :])) for i, x in enumerate(xs)]
        return list(at_once(xs)) if xs else []

    function.__name__ = function.__qualname__ = name
    return function


sum = lift("sum", _sum, _sum, pack=tuple)
dot = lift("dot", _dot, _dot, pack=_pair)
logsumexp = lift("logsumexp", _logsumexp, _logsumexp, pack=tuple)
softmax = _each("softmax", _softmax)
log_softmax = _each("log_softmax", _log_softmax)


def mean(xs: Any) -> Any:
    """The mean of a sequence of numbers; ZeroDivisionError if it is empty.

    >>> mean([1.0, 2.0, 6.0])
    3.0
    """
    xs = tuple(xs)
    return sum(xs) / len(xs)
