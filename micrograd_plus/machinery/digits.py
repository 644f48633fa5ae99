"""Functions that need care: limits in place of exceptions, no lost digits, and those over sequences of numbers.

The rules of calculus read as in a book because the care stands here. None of it is needed to follow the idea.
"""

from __future__ import annotations

import cmath
import math
from math import inf, isfinite

from ..functions import OVER_NUMBERS, exp, log1p, over_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..functions import Function


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


reciprocal = over_numbers("reciprocal", _reciprocal, lambda z: 1.0 / z)
cbrt = over_numbers("cbrt", _cbrt, lambda z: z ** (1 / 3) if z.real >= 0.0 else -((-z) ** (1 / 3)))
gaussian = over_numbers("gaussian", _gaussian, lambda z, c: cmath.exp(c * z * z), arity=2)
ndtr = over_numbers("ndtr", _ndtr)

# The chain rule's product and sum ------------------------------------------------------------------------------------

NOTHING = float("0")  # this very object says "no tangent" and "no gradient yet": it is told by `is`, not by its value

_times = over_numbers("times", lambda x, y: x * y if x and y else 0.0, lambda x, y: x * y, arity=2)


def times(x: Any, y: Any) -> Any:
    """The product that the chain rule makes: 0 if either is 0, even against infinity.

    What has no influence passes nothing on, where × would make nan of it. An outer Value times 1 is itself: no node.

    >>> times(0.0, math.inf), times(2.0, 3.0)
    (0.0, 6.0)
    """
    if x is NOTHING or y is NOTHING:
        return NOTHING
    for a, b in ((x, y), (y, x)):
        if type(a) is float and (a == 0.0 or a == 1.0):
            return b if a else 0.0
    return _times(x, y)


OVER_NUMBERS["times"] = times


def plus(x: Any, y: Any) -> Any:
    """The sum that the chain rule makes; an outer Value plus a float 0 is itself: no node.

    >>> plus(2.0, 3.0), plus(2.0, NOTHING)
    (5.0, 2.0)
    """
    if y is NOTHING:
        return x
    if type(x) is float and type(y) is not float and x == 0.0:
        return y
    if type(y) is float and type(x) is not float and y == 0.0:
        return x
    return x + y


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
    """From all numbers to all results. Over Values each result is an operation, its own operand turned to the front:
    of the shares of x, y, z, the second is softmax([y, z, x])[0].
    """
    at_once = over_numbers(name, every, every, pack=tuple)

    def function(xs: Any) -> list[Any]:
        xs = tuple(xs)
        if any(hasattr(x, "operate") for x in xs):
            return [at_once(xs[i:] + xs[:i]) for i in range(len(xs))]
        return list(at_once(xs)) if xs else []

    function.__name__ = function.__qualname__ = name
    OVER_NUMBERS[name] = function
    return function


sum = over_numbers("sum", _sum, _sum, pack=tuple)
dot = over_numbers("dot", _dot, _dot, pack=_pair)
logsumexp = over_numbers("logsumexp", _logsumexp, _logsumexp, pack=tuple)
softmax = _each("softmax", _softmax)
log_softmax = _each("log_softmax", _log_softmax)


def mean(xs: Any) -> Any:
    """The mean of a sequence of numbers; ZeroDivisionError if it is empty.

    >>> mean([1.0, 2.0, 6.0])
    3.0
    """
    xs = tuple(xs)
    return sum(xs) / len(xs)
