"""The laws of differentiation, on random programs over all rules; how many programs, conftest.py says."""

import math
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import exact_gradient, programs

from micrograd_plus import Value, grad, hessian, hvp, jvp, vjp

ROUNDING = 1e-14
TINY = 1e-300  # what products of derivatives may lose by underflow
seeds = st.floats(-2.0, 2.0)


def inputs_of(program, tangents=None):
    tangents = tangents or [0.0] * len(program.inputs)
    return [Value(x, tangent=t) for x, t in zip(program.inputs, tangents, strict=True)]


def as_list(program):
    """The program as a function of one list, as the transforms take it."""
    return lambda numbers: program(*numbers)


def tangents_of(program):
    """The derivative with respect to each input, in forward mode."""
    unit = [[float(i == j) for j in range(len(program.inputs))] for i in range(len(program.inputs))]
    return [jvp(program, program.inputs, tangent)[1] for tangent in unit]


def near(actual, expected, tolerance):
    return len(actual) == len(expected) and all(abs(a - b) <= tolerance for a, b in zip(actual, expected, strict=True))


def leeway(program, compute):
    """How far rounding errors may move the numbers that `compute` makes of the program: see `Program.run`."""
    numbers, moved = compute(program), 0.0
    for wobble in (1e-12, -3e-12):
        shaken = compute(program._replace(wobble=wobble))
        moved = max([moved, *[abs(a - b) for a, b in zip(numbers, shaken, strict=True)]])
    return 0.1 * moved + 1e-13 * max([1.0, *map(abs, numbers)])


@given(programs())
def test_the_numbers_are_those_of_plain_floats_exactly_in_every_mode(program):
    expected = [repr(float(node)) for node in program.run(program.inputs)]
    assert [repr(float(getattr(node, "data", node))) for node in program.run(inputs_of(program))] == expected

    def run(*numbers):
        return program.run(numbers)

    for numbers in (jvp(run, program.inputs, program.inputs)[0], vjp(run, *program.inputs)[0]):
        assert [repr(number) for number in numbers] == expected


@given(programs())
def test_forward_mode_and_reverse_mode_agree(program):
    tolerance = ROUNDING * program.reach()[-1] + TINY
    assert near(grad(as_list(program))(list(program.inputs)), tangents_of(program), tolerance)


@given(programs(), st.lists(seeds, min_size=3, max_size=3))
def test_on_one_run_the_gradients_times_the_tangents_add_up_to_the_tangent_of_the_output(program, tangents):
    inputs = inputs_of(program, tangents[: len(program.inputs)])
    output = program(*inputs)
    if isinstance(output, Value):
        output.backward()
        both = math.fsum(x.grad * x.tangent for x in inputs)
        assert output.tangent == pytest.approx(both, rel=0, abs=4 * ROUNDING * program.reach()[-1] + TINY)


@given(programs(), seeds, seeds)
def test_backward_is_linear_in_its_seed_and_the_leaves_add_up(program, a, b):
    inputs, tolerance = inputs_of(program), 8 * ROUNDING * program.reach()[-1] + TINY
    output = program(*inputs)
    if isinstance(output, Value):
        output.backward(a)
        assert near([x.grad for x in inputs], [a * g for g in tangents_of(program)], tolerance)
        output.backward(grad=b)
        assert near([x.grad for x in inputs], [(a + b) * g for g in tangents_of(program)], tolerance)


@given(programs(), st.lists(seeds, min_size=3, max_size=3), st.lists(seeds, min_size=3, max_size=3))
def test_jvp_and_vjp_are_transposes_of_each_other(program, tangents, cotangents):
    """For the last three nodes as outputs: cotangents · (J tangents) = (cotangents J) · tangents."""

    def outputs(*numbers):
        return program.run(numbers)[-3:]

    tangents = tangents[: len(program.inputs)]
    value, pushed = jvp(outputs, program.inputs, tangents)
    again, pullback = vjp(outputs, *program.inputs)
    assert value == again
    cotangents = cotangents[: len(value)]
    left = math.fsum(c * t for c, t in zip(cotangents, pushed, strict=True))
    right = math.fsum(g * t for g, t in zip(pullback(cotangents), tangents, strict=True))
    assert left == pytest.approx(right, rel=0, abs=12 * ROUNDING * max(program.reach()[-3:]) + TINY)


@given(programs(smooth=True))
def test_the_gradient_is_that_of_50_digits(program):
    def gradient(program):
        return grad(as_list(program))(list(program.inputs))

    expected = [float(number) for number in exact_gradient(program)]
    assert near(gradient(program), expected, leeway(program, gradient))


def second_derivatives(program):
    return [number for row in hessian(as_list(program))(list(program.inputs)) for number in row]


@given(programs(smooth=True))
def test_the_hessian_is_symmetric(program):
    rows = hessian(as_list(program))(list(program.inputs))
    columns = [list(column) for column in zip(*rows, strict=True)]
    assert near(list(chain(*rows)), list(chain(*columns)), leeway(program, second_derivatives))


@given(programs(smooth=True), st.lists(seeds, min_size=3, max_size=3))
def test_hvp_is_the_hessian_times_the_vector(program, vector):
    vector = vector[: len(program.inputs)]
    rows = hessian(as_list(program))(list(program.inputs))
    expected = [math.fsum(h * v for h, v in zip(row, vector, strict=True)) for row in rows]
    assert near(
        hvp(as_list(program), (list(program.inputs),), (vector,)), expected, leeway(program, second_derivatives)
    )
