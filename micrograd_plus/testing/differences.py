"""Slopes without calculus: ways that only run the function, and know no rule that they could have an error from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..functions import real

Function = Callable[..., Any]
EPS = 2.0**-52  # the distance from 1 to the next float


def forward_difference(f: Function, x: float, h: float) -> float:
    """The slope of `f` between x and x + h, a number for functions of one number; off by something times h.

    >>> forward_difference(lambda w: w * w, 3.0, 0.125)
    6.125
    """
    return float((f(x + h) - f(x)) / h)


def central_difference(f: Function, x: float, h: float) -> float:
    """The slope of `f` between x - h and x + h, a number for functions of one number; off by something times h².

    >>> central_difference(lambda w: w * w * w, 3.0, 0.125)
    27.015625
    """
    return float((f(x + h) - f(x - h)) / (2.0 * h))


def complex_step(f: Function, x: float, h: float = 1e-200) -> float:
    """The slope of `f` at x, exact to rounding: f(x + ih) is f(x) + ih f'(x), and h² is too small to be seen.

    f takes a complex number, and is made of arithmetic and the functions of this library. In no difference are digits
    lost, so h may be as small as you like (Squire and Trapp, SIAM Review 40, 1998). TypeError if f refuses.

    >>> complex_step(lambda w: w * w * w, 3.0)
    27.000000000000004
    """
    return float((f(complex(x, h)) + 0j).imag / h)


def ridders(f: Function, x: float, h: float | None = None) -> tuple[float, float]:
    """The slope of `f` at x by central differences over smaller and smaller steps, and an estimate of its error.

    The error of a central difference is a series in h², so from several steps the slope at a step of zero can be
    extrapolated (Ridders, Advances in Engineering Software 4, 1982). Its error is taken to be what the extrapolation
    still changed, or what rounding does, if that is more. The steps start at `h`, by default an eighth of the larger of
    1 and |x|, and get much smaller where f has no value so far away, or bends too much. Where there is no such step,
    the result is nan, and its error infinite. A staircase of steps smaller than h is taken for the slope it has.

    >>> slope, error = ridders(math.exp, 1.0)
    >>> abs(slope - math.e) < error < 1e-12
    True
    """
    first = 0.125 * max(1.0, abs(x)) if h is None else h
    return limit(lambda h: slope_between(f, x - h, x + h), first, 2)


def slope_between(f: Function, a: float, b: float, noise: float = 0.0, size: float = 0.0) -> tuple[float, float]:
    """The slope of `f` between a and b, and what rounding may do to it; nan where f has no real value.

    The rounding is that of f's last operation, or `noise`, and that of numbers of the size of a and b, or of `size`.

    >>> slope_between(lambda x: 3.0 * x, 0.0, 0.5)
    (3.0, 1.3322676295501878e-15)
    """
    try:
        left, right = real(f(a), "f"), real(f(b), "f")
        slope = (right - left) / (b - a)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return math.nan, math.inf
    rounding = EPS * (abs(left) + abs(right) + (abs(a) + abs(b) + size) * abs(slope)) + noise
    return slope, rounding / abs(b - a)


def limit(slope: Callable[[float], tuple[float, float]], h: float, power: int) -> tuple[float, float]:
    """The limit of `slope(h)`, whose error is a series in h**power, as h goes to 0; and an estimate of its error.

    >>> limit(lambda h: slope_between(lambda x: x * x, 1.0, 1.0 + h), 0.125, 1)[0]
    2.0
    """
    best, worse = (math.nan, math.inf), 0
    for _ in range(28):  # to a step of 16**-28, about 1e-34, times the first
        *found, by_rounding = _extrapolated(slope, h, power)
        worse = worse + 1 if found[1] >= best[1] < math.inf else 0
        best = min(best, (found[0], found[1]), key=lambda estimate: estimate[1])
        if best[1] <= 1e-11 * abs(best[0]) or worse == (2 if by_rounding else 8):  # which smaller steps make larger
            break
        h /= 16.0
    return best


def _extrapolated(slope: Callable[[float], tuple[float, float]], h: float, power: int) -> tuple[float, float, bool]:
    """The same from the steps h, h/2, h/4, ... alone: each row of the table extrapolates from one step more.

    Besides, whether that error is what rounding does.
    """
    best = (math.nan, math.inf, False)
    row: list[float] = []
    for _ in range(8):
        above, (first, rounding) = row, slope(h)
        row = [first]
        for j, last in enumerate(above, start=1):
            row.append(row[-1] + (row[-1] - last) / (2.0 ** (power * j) - 1.0))
            error = max(abs(row[j] - row[j - 1]), abs(row[j] - last), rounding)
            if error < best[1] and j > 1:  # that two steps agree may be chance
                best = (row[j], error, error == rounding)
        if len(above) > 1 and not abs(row[-1] - above[-1]) <= 2.0 * best[1]:  # it gets worse, or there is no value
            break
        h /= 2.0
    return best
