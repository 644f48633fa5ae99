"""The laws of differentiation, on random expressions over all rules; how many of them, conftest.py says."""

import math
from collections import defaultdict
from dataclasses import replace
from itertools import chain

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd_plus import Value, grad, hessian, hvp, jvp, vjp
from micrograd_plus.tape import operands, tape
from micrograd_plus.testing import check_grads
from micrograd_plus.testing.strategies import Expression, expressions, points

ROUNDING = 1e-14
TINY = 1e-300  # what products of derivatives may lose by underflow
seeds = st.floats(-2.0, 2.0)
mp = mpmath.mp.clone()
mp.dps = 60


@st.composite
def expressions_at_points(draw, smooth=True):
    f = draw(expressions(smooth=smooth))
    return f, draw(points(f))


anywhere = expressions_at_points(smooth=False)
away_from_kinks = expressions_at_points()
vectors = st.lists(seeds, min_size=3, max_size=3)


def values(point, tangents=None):
    return [Value(x, tangent=t) for x, t in zip(point, tangents or [0.0] * len(point), strict=False)]


def of_a_list(f):
    return lambda numbers: f(*numbers)


def tangents_of(f, point):
    """The derivative with respect to each input, in forward mode."""
    units = [[float(i == j) for j in range(len(point))] for i in range(len(point))]
    return [jvp(f, point, unit)[1] for unit in units]


def near(actual, expected, tolerance):
    return len(actual) == len(expected) and all(abs(a - b) <= tolerance for a, b in zip(actual, expected, strict=True))


def reach(f, point):
    """For every node a bound on how much of a unit step in each input can arrive there: all paths, added up."""
    bounds = defaultdict(float)
    nodes = f.nodes(*map(Value, point))
    for node in tape(*[node for node in nodes if isinstance(node, Value)]):
        steps = [(x, partial) for x, partial in operands(node) if partial is not None]
        bounds[node] = sum(abs(partial) * bounds[x] for x, partial in steps) if steps else 1.0
    return [bounds[node] for node in nodes]


def shaken(f, share):
    """The expression with the result of every line off by about that share of it, to and fro."""
    first, lines = len(f.variables), []
    number = {i: i for i in range(first)}
    for i, (name, xs) in enumerate(f.lines, start=first):
        lines.append((name, tuple(number[x] if isinstance(x, int) else x for x in xs)))
        lines.append(("mul", (first + len(lines) - 1, 1.0 + share * math.sin(i))))
        number[i] = first + len(lines) - 1
    return replace(f, lines=tuple(lines))


def leeway(f, compute):
    """How far rounding errors on the way may move the numbers that `compute` makes of the expression."""
    numbers, moved = compute(f), 0.0
    for share in (1e-12, -3e-12):
        moved = max([moved, *[abs(a - b) for a, b in zip(numbers, compute(shaken(f, share)), strict=True)]])
    return moved + 1e-13 * max([1.0, *map(abs, numbers)])


def exact_gradient(f, point):
    """The derivatives by central differences with 60 digits, whose error is below 1e-35."""
    step, gradient = mp.mpf("1e-20"), []
    for i, x in enumerate(point):
        up, down = (f(*map(mp.mpf, point[:i]), x + h, *map(mp.mpf, point[i + 1 :])) for h in (step, -step))
        gradient.append(float((up - down) / (2 * step)))
    return gradient


@given(anywhere)
def test_the_numbers_are_those_of_plain_floats_exactly_in_every_mode(case):
    f, point = case
    expected = [repr(float(node)) for node in f.nodes(*point)]
    assert [repr(float(getattr(node, "data", node))) for node in f.nodes(*values(point, point))] == expected
    for numbers in (jvp(f.nodes, point, point)[0], vjp(f.nodes, *point)[0]):
        assert [repr(number) for number in numbers] == expected


@given(anywhere)
def test_forward_mode_and_reverse_mode_agree(case):
    f, point = case
    tolerance = ROUNDING * reach(f, point)[-1] + TINY
    assert near(grad(of_a_list(f))(list(point)), tangents_of(f, point), tolerance)


@given(anywhere, vectors)
def test_on_one_run_the_gradients_times_the_tangents_add_up_to_the_tangent_of_the_output(case, tangents):
    f, point = case
    inputs = values(point, tangents)
    output = f(*inputs)
    output.backward()
    both = math.fsum(x.grad * x.tangent for x in inputs)
    assert output.tangent == pytest.approx(both, rel=0, abs=4 * ROUNDING * reach(f, point)[-1] + TINY)


@given(anywhere, seeds, seeds)
def test_backward_is_linear_in_its_seed_and_the_leaves_add_up(case, a, b):
    f, point = case
    inputs, tolerance = values(point), 8 * ROUNDING * reach(f, point)[-1] + TINY
    output = f(*inputs)
    output.backward(a)
    assert near([x.grad for x in inputs], [a * g for g in tangents_of(f, point)], tolerance)
    output.backward(grad=b)
    assert near([x.grad for x in inputs], [(a + b) * g for g in tangents_of(f, point)], tolerance)


@given(anywhere, vectors, vectors)
def test_jvp_and_vjp_are_transposes_of_each_other(case, tangents, cotangents):
    """For the last three nodes as outputs: cotangents · (J tangents) = (cotangents J) · tangents."""
    f, point = case

    def outputs(*numbers):
        return f.nodes(*numbers)[-3:]

    tangents = tangents[: len(point)]
    value, pushed = jvp(outputs, point, tangents)
    again, pullback = vjp(outputs, *point)
    assert value == again
    cotangents = cotangents[: len(value)]
    left = math.fsum(c * t for c, t in zip(cotangents, pushed, strict=True))
    right = math.fsum(g * t for g, t in zip(pullback(cotangents), tangents, strict=True))
    assert left == pytest.approx(right, rel=0, abs=12 * ROUNDING * max(reach(f, point)[-3:]) + TINY)


@given(away_from_kinks)
def test_the_gradient_is_that_of_50_digits(case):
    f, point = case

    def gradient(f):
        return grad(of_a_list(f))(list(point))

    assert near(gradient(f), exact_gradient(f, point), leeway(f, gradient))


@given(away_from_kinks)
def test_the_derivatives_of_order_1_and_2_pass_the_check(case):
    f, point = case
    check_grads(f, point, order=2)


def second_derivatives(f, point):
    return [number for row in hessian(of_a_list(f))(list(point)) for number in row]


@given(away_from_kinks)
def test_the_hessian_is_symmetric(case):
    f, point = case
    rows = hessian(of_a_list(f))(list(point))
    columns = [list(column) for column in zip(*rows, strict=True)]
    tolerance = leeway(f, lambda f: second_derivatives(f, point))
    assert near(list(chain(*rows)), list(chain(*columns)), tolerance)


def check_hvp(f, point, vector):
    vector = vector[: len(point)]
    rows = hessian(of_a_list(f))(list(point))
    expected = [math.fsum(h * v for h, v in zip(row, vector, strict=True)) for row in rows]
    tolerance = leeway(f, lambda f: second_derivatives(f, point))
    assert near(hvp(of_a_list(f), (list(point),), (vector,)), expected, tolerance)


@given(away_from_kinks, vectors)
def test_hvp_is_the_hessian_times_the_vector(case, vector):
    check_hvp(*case, vector)


def test_hvp_is_the_hessian_times_the_vector_where_second_derivatives_cancel():
    """The example of a long run, in which both lose five digits: atan2(expm1(t), t) at t = z % x = 0.03."""
    lines = (("mod", (2, 0)), ("sign", (1,)), ("mul", (4, 3)), ("expm1", (5,)), ("atan2", (6, 3)))
    check_hvp(Expression(("x", "y", "z"), lines, (0.265625, 0.5, -0.5)), (0.265625, 0.5, -0.5), [0.0, 0.0, 1.0])
