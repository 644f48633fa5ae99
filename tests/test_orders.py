"""Derivatives of orders 1 to 5 of every operation, nested in mixes of forward and reverse mode, at 50 digits."""

import itertools
import math

import mpmath
import pytest

from micrograd_plus import Value, derivative, grad
from micrograd_plus.rules import RULES
from micrograd_plus.testing.strategies import Expression

ORDERS = 5
mp = mpmath.mp.clone()
mp.dps = 60

# Where each operation is tried, by the number of its operands; some are not defined or not smooth at all these places.
ARITY = {name: rule.partials.__code__.co_argcount or 3 for name, rule in RULES.items()}
PLACES = {1: [(0.0,), (0.7,), (-1.3,)], 2: [(0.7, -1.3), (-1.1, 2.5)], 3: [(0.7, -1.3, 0.0)]}
OTHERS = {
    "abs sign step floor ceil relu cbrt reciprocal": [(0.7,), (-1.3,)],
    "log log2 log10 sqrt": [(0.7,), (2.5,)],
    "asin acos atanh log1p": [(0.0,), (0.7,), (-0.4,)],
    "acosh": [(1.7,), (3.5,)],
    "add sub mul times hypot atan2 gaussian": [(0.7, -1.3), (0.0, 2.5)],
    "gamma lgamma": [(2.3,), (-1.3,)],
    "xlogy": [(-1.3, 0.7), (1.1, 2.5)],
    "logit": [(0.7,), (0.2,)],
    "pow": [(0.7, -1.3), (1.9, 3.0)],
    "dot": [(0.7, -1.3, 0.0, 0.7)],
}
NAMES = [name for name in RULES if name != "polygamma"]  # it has no slope by its order; those of gamma are made of it
POINTS = {name: PLACES[ARITY[name]] for name in RULES}
POINTS |= {name: points for names, points in OTHERS.items() for name in names.split()}

# The ways in which the operands move with t: one alone, which leaves the others constants; and all at once.
DIRECTIONS = {1: [(1,)], 2: [(1, 0), (0, 1), (1, -2)]}
DIRECTIONS |= {3: [(1, 0, 0), (0, 0, 1), (1, -2, 3)], 4: [(1, 0, 0, 0), (0, 0, 1, 0), (1, -2, 1, 3)]}
CASES = [
    pytest.param(name, point, direction, id=f"{name}-{point}-{direction}")
    for name in NAMES
    for point in POINTS[name]
    for direction in DIRECTIONS[len(point)]
]
FIRST = {name: points[0] for name, points in POINTS.items()}


def along(name, point, direction):
    """The operation as a function of t, whose operands are at `point` when t is 0 and move in `direction`."""
    variables = tuple(f"x{i}" for i in range(len(point)))
    operation = Expression(variables, ((name, tuple(range(len(point)))),), point)
    return lambda t: operation(*[x + d * t if d else x for x, d in zip(point, direction, strict=True)])


def nested(function, mix):
    for letter in mix:
        function = derivative(function) if letter == "f" else grad(function)
    return function


def mixes(order, every):
    """All the mixes of forward and reverse mode, or else those of one kind and those that alternate."""
    if every:
        return ["".join(mix) for mix in itertools.product("fr", repeat=order)]
    return sorted({"f" * order, "r" * order, ("fr" * order)[:order], ("rf" * order)[:order]})


def derivatives(name, point, direction):
    """The derivatives of orders 1, 2, ... at 50 digits, rounded."""
    series = mp.taylor(along(name, tuple(map(mp.mpf, point)), direction), mp.mpf(0), ORDERS)
    return [float(mp.re(series[order]) * math.factorial(order)) for order in range(1, ORDERS + 1)]


def near(number):
    return pytest.approx(number, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize(("name", "point", "direction"), CASES)
def test_every_mix_of_forward_and_reverse_gives_the_derivatives_of_50_digits(name, point, direction):
    function = along(name, point, direction)
    every = not RULES[name].sequences and point == FIRST[name]
    for order, expected in enumerate(derivatives(name, point, direction), start=1):
        for mix in mixes(order, every):
            assert nested(function, mix)(0.0) == near(expected), mix


@pytest.mark.parametrize("name", [name for name in NAMES if not RULES[name].sequences])
def test_ordinary_values_carry_the_outermost_derivative_in_both_modes(name):
    function, point = along(name, FIRST[name], DIRECTIONS[len(FIRST[name])][-1]), Value(0.0, tangent=1.0)
    expected = derivatives(name, FIRST[name], DIRECTIONS[len(FIRST[name])][-1])
    for mix in ("f", "r", "fr", "rf"):
        point.grad = 0.0
        result = nested(function, mix)(point)
        if isinstance(result, Value):  # else the derivative is a constant
            result.backward()
            assert [result.tangent, point.grad] == [near(expected[len(mix)])] * 2, mix
        else:
            assert expected[len(mix)] == 0.0


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 5, 2.0])
@pytest.mark.parametrize("x", [0.0, -1.5])
def test_whole_powers_have_all_their_derivatives_at_zero_and_below(x, exponent):
    for order in range(1, ORDERS + 1):
        expected = math.perm(int(exponent), order) * x ** max(exponent - order, 0)
        for mix in mixes(order, every=True):
            assert nested(lambda x: x**exponent, mix)(x) == near(expected), mix


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0])
@pytest.mark.parametrize("outer", [derivative, grad])
@pytest.mark.parametrize("inner", [derivative, grad])
def test_a_float_and_an_outer_value_add_up_whichever_comes_first(inner, outer, share):
    def slope(f):
        return lambda y: inner(lambda x: f(x, y))(2.0) ** 2

    for f in (lambda x, y: y * x + share * x, lambda x, y: share * x + y * x, lambda x, y: x * y - x * -share):
        assert slope(f)(3.0) == (3.0 + share) ** 2
        assert outer(slope(f))(3.0) == 2.0 * (3.0 + share)
