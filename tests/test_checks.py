"""The checks of layers, what kind of mistake they name, and that what cancels is no false alarm."""

import inspect
import math
import re
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.test_util
import numpy as np
import pytest
from cancelling import CASES, trial
from hypothesis import Phase, find, given
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus.machinery import trees
from micrograd_plus.testing import check_backward, check_derivative, check_grads, check_jvp, check_vjp, gradients
from micrograd_plus.testing.strategies import Expression, expressions

jax.config.update("jax_enable_x64", True)


def complaint(check, *args, **options):
    with pytest.raises(AssertionError) as caught:
        check(*args, **options)
    return str(caught.value)


def refusal(check, *args):
    with pytest.raises((TypeError, ValueError)) as caught:
        check(*args)
    return str(caught.value)


# What cancels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_gradient_that_cancels_passes_and_faults_planted_in_it_are_found(name, request):
    count = request.config.getoption("--examples") or 3
    for seed in range(count):
        alarms, missed = trial(name, seed, faults=seed < max(1, count // 20))
        assert not alarms
        assert not missed


def test_a_gradient_that_is_rough_only_near_the_point_passes():
    """Of a layer norm of numbers that nearly agree: found among 100 random checks."""
    assert trial("layer norm, summed", 24) == ([], [])


CLASSICAL = {  # what loses its digits near 0, or beside a large number, and its slope; over floats alone
    "log(1 + x)": (lambda x: math.log(1.0 + x), lambda x: 1.0 / (1.0 + x)),
    "exp(x) - 1": (lambda x: math.exp(x) - 1.0, math.exp),
    "sqrt(1 + x) - 1": (lambda x: math.sqrt(1.0 + x) - 1.0, lambda x: 0.5 / math.sqrt(1.0 + x)),
    "(1e9 + tan x) - 1e9": (lambda x: (1e9 + math.tan(x)) - 1e9, lambda x: 1.0 + math.tan(x) ** 2),
}


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("x", [0.3, 1e-5, 1e-8, 1e-15, 1e-17, 1e-40])
def test_the_slope_of_a_staircase_by_rounding_is_that_of_the_whole_staircase(name, x):
    f, slope = CLASSICAL[name]
    check_derivative(f, slope, (x,))
    if "1e9" not in name:
        check_derivative(lambda x, y: f(x) + y, lambda x, y: (slope(x), 1.0), (x, 0.0))
    assert "is wrong" in complaint(check_derivative, f, lambda x: 1.01 * slope(x), (x,))


@pytest.mark.parametrize("x", [1e-80, 1e-150, 1e-190])
def test_a_wrong_slope_is_found_also_at_very_small_numbers(x):
    for f in (lambda x: 3.0 * x, lambda x: 3.0 * float(x)):
        check_derivative(f, lambda x: 3.0, (x,))
        assert "is wrong" in complaint(check_derivative, f, lambda x: 3.001, (x,))


@pytest.mark.parametrize("seed", [876, 4159])
def test_the_noise_of_a_gradient_is_heard_in_what_the_other_numbers_do(seed):
    """Found among 5,000 random checks: whatever the bias is, the numbers beside it are rounded in the same way."""
    assert trial("bias before batch norm", seed, faults=False) == ([], [])


@pytest.mark.parametrize("seed", [140, 600, 2460, 7640])
def test_rounding_is_not_taken_for_single_precision(seed):
    """Found among 10,000 random checks: the rounding of 0.1 * x has a period, and with that the search was in step."""
    assert trial("weights that cancel", seed) == ([], [])


def test_the_examples_that_were_reported_pass():
    def centre(x):
        return (x - x.mean()).sum()

    for x in (np.array([1.0, 2.0, 4.0]), np.zeros(3)):
        check_derivative(centre, np.zeros_like, (x,))
        check_derivative(centre, np.zeros_like, (x,), atol=1e-3)
        check_grads(centre, (x,))
    check_grads(lambda x: 0.1 * x + 0.2 * x - 0.3 * x, (0.0,))
    for x in (0.0, 0.3, 1e4):
        check_grads(lambda x: (x + 1.0) ** 2 - x * x - 2.0 * x - 1.0, (x,), order=1)


def test_atol_and_rtol_hold_for_kinks_too():
    def f(x):
        return x * x + 1e-3 * abs(x - 1.0)

    assert "its slope is 1.999 on the left, 2.001 on the right" in complaint(check_derivative, f, lambda x: 2.0, (1.0,))
    check_derivative(f, lambda x: 2.0, (1.0,), atol=0.01)
    check_derivative(f, lambda x: 2.0, (1.0,), rtol=0.01)


def test_mish_with_no_slope_far_to_the_left_is_found_within_100_programs():
    def slope(x):
        t = np.tanh(np.log1p(np.exp(x)))
        return 0.0 if x < -5.0 else t + x * (1.0 - t * t) / (1.0 + np.exp(-x))

    check_derivative(lambda x: x * np.tanh(np.log1p(np.exp(x))), slope, (-4.9,))

    @gradients
    @given(st.floats(-20.0, 20.0))
    def test_mish(x):
        check_derivative(lambda x: x * np.tanh(np.log1p(np.exp(x))), slope, (x,))

    text = complaint(test_mish)
    assert "the derivative of f with respect to x is wrong\n  df             0.0, off by" in text


# Layers ---------------------------------------------------------------------------------------------------------------


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


X, W, B = normal(4, 3), normal(3, 3, seed=1), normal(3, seed=2)


def affine(x, w, b):
    return x @ w + b


def back(dout, x, w, b):
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def test_a_layer_that_is_right_passes_in_each_of_the_three_ways():
    check_backward(affine, back, (X, W, B))
    check_vjp(affine, lambda *args: (affine(*args), lambda dout: back(dout, *args)), (X, W, B))
    check_jvp(affine, lambda p, t: (affine(*p), t[0] @ p[1] + p[0] @ t[1] + t[2]), (X, W, B))
    check_backward(np.tanh, lambda dout, x: dout * (1.0 - np.tanh(x) ** 2), (X,))
    check_backward(np.tanh, lambda dout, x: (dout * (1.0 - np.tanh(x) ** 2),), (X,))


def test_the_transforms_of_this_library_and_of_jax_pass():
    check_vjp(mg.softmax, partial(mg.vjp, mg.softmax), ([1.0, 2.0, 3.0],))
    check_jvp(mg.softmax, partial(mg.jvp, mg.softmax), ([1.0, 2.0, 3.0],))
    check_vjp(jax.nn.softmax, partial(jax.vjp, jax.nn.softmax), (np.array([1.0, 2.0, 3.0]),))
    check_jvp(jax.nn.softmax, partial(jax.jvp, jax.nn.softmax), (np.array([1.0, 2.0, 3.0]),))


def test_the_signatures_are_those_of_jax():
    for check, theirs in ((check_vjp, jax.test_util.check_vjp), (check_jvp, jax.test_util.check_jvp)):
        assert list(inspect.signature(check).parameters)[:5] == list(inspect.signature(theirs).parameters)[:5]


def test_structures_go_in_and_come_out():
    def f(p, x):
        return {"y": [p["w"] * x, p["b"]]}

    def backward(dout, p, x):
        first, second = dout["y"]
        return {"w": first * x, "b": second}, first * p["w"]

    check_backward(f, backward, ({"w": 2.0, "b": 1.0}, 3.0))
    text = complaint(check_backward, f, lambda d, p, x: ({"w": 0.0, "b": d["y"][1]}, d["y"][0] * p["w"]),
                     ({"w": 2.0, "b": 1.0}, 3.0))  # fmt: skip
    assert "the derivative of result['y'][0] of f with respect to p['w'] is wrong\n  backward       0.0, off by" in text


class Pair(NamedTuple):
    w: Any
    b: Any


@dataclass
class Layer:
    w: Any
    b: Any


class Point:
    def __init__(self, w, b):
        self.w, self.b = w, b


@pytest.mark.parametrize(("kind", "name"), [(Pair, "p.b"), (Layer, "p.b"), (Point, "p[1]")])
def test_every_number_of_every_kind_of_structure_is_checked(kind, name, monkeypatch):
    monkeypatch.setitem(trees.NODES, Point, (lambda p: ([p.w, p.b], None), lambda _, items: Point(*items)))

    def f(p):
        return p.w * p.b**2

    args = (kind(2.0, 3.0),)
    check_grads(f, args)
    check_derivative(f, lambda p: kind(p.b**2, 2.0 * p.w * p.b), args)
    text = complaint(check_derivative, f, lambda p: kind(p.b**2, p.w * p.b), args)
    assert f"with respect to {name} is wrong\n  df             6.0, off by" in text
    if kind is not Point:
        assert f"again: check_derivative(f, df, ({kind.__name__}(w=2.0, b=3.0),), seed=0)" in text
    text = complaint(check_grads, lambda p: p.w * (p.b.data if isinstance(p.b, mg.Value) else p.b), args)
    assert f"with respect to {name} is wrong" in text
    wrong = complaint(check_derivative, lambda x: kind(x, x * x), lambda x: kind(1.0, x), (3.0,))
    assert f"the derivative of result{name[1:]} of f with respect to x is wrong" in wrong


@pytest.mark.parametrize("kind", [Pair, Layer])
def test_what_is_no_number_stays_where_it_is_in_a_structure(kind):
    index = np.array([0, 2])

    def f(p):
        assert p.b["kind"] == "rows"
        assert p.b["none"] is None
        return (p.w[p.b["index"]] ** 2).sum()

    p = kind(np.array([1.0, 2.0, 3.0]), {"kind": "rows", "none": None, "index": index})
    check_derivative(f, lambda p: kind(np.array([2.0, 0.0, 6.0]), p.b), (p,))
    text = complaint(check_derivative, f, lambda p: kind(np.array([2.0, 0.0, 7.0]), p.b), (p,))
    assert "with respect to p.w[2] is wrong" in text


def test_a_value_that_is_not_that_of_the_function_is_told():
    text = complaint(check_vjp, lambda x: x * x, lambda x: (x**3, lambda g: (2.0 * x * g,)), (3.0,))
    assert (
        text == "check_vjp: f_vjp returned 27.0 for result, f returned 9.0\nagain: check_vjp(f, f_vjp, (3.0,), seed=0)"
    )
    rounded = 9.0 * (1.0 + 1e-15)
    check_vjp(lambda x: x * x, lambda x: (rounded, lambda g: (2.0 * x * g,)), (3.0,))
    text = complaint(check_vjp, lambda x: x * x, lambda x: (9.0 + 1e-7, lambda g: (2.0 * x * g,)), (3.0,))
    assert "f_vjp returned 9.0000001 for result, f returned 9.0" in text
    text = complaint(check_jvp, np.sin, lambda p, t: (np.cos(p[0]), np.cos(p[0]) * t[0]), (np.array([1.0, 2.0]),))
    assert text.startswith("check_jvp: f_jvp returned 0.5403023058681398 for result[0], f returned 0.841470984807")


def test_functions_with_array_results():
    check_derivative(np.sin, lambda x: np.diag(np.cos(x)), (B,))
    check_derivative(affine, lambda x, w, b: jax.jacobian(affine, (0, 1, 2))(x, w, b), (X, W, B))
    check_derivative(lambda x, y: np.array([x * y, x]), lambda x, y: (np.array([y, 1]), np.array([x, 0])), (2.0, 3.0))
    check_grads(lambda x: x * 2.0, (X,))
    wrong = np.diag(np.cos(B))
    wrong[1, 1] *= 2.0
    assert "the derivative of result[1] of sin with respect to x" in complaint(
        check_derivative, np.sin, lambda x: wrong, (B,)
    ).replace("args[0][1]", "x")


# What kind of mistake -------------------------------------------------------------------------------------------------


def test_each_kind_of_mistake_is_named():
    def said(backward, f=affine, args=(X, W, B)):
        return complaint(check_backward, f, backward, args)

    dx, dw, db = (lambda d, x, w, b: back(d, x, w, b)[0]), (lambda d, x, w, b: back(d, x, w, b)[1]), (
        lambda d, x, w, b: back(d, x, w, b)[2])  # fmt: skip
    assert "the gradient of w is transposed" in said(lambda d, *a: (dx(d, *a), dw(d, *a).T, db(d, *a)))
    assert "each of the 3 numbers that are wrong is -1 times what it should be: the sign" in said(
        lambda d, *a: (dx(d, *a), dw(d, *a), -db(d, *a))
    )
    assert "each of the 9 numbers that are wrong is 1/4 times what it should be: a mean over 4 is taken twice" in said(
        lambda d, *a: (dx(d, *a), dw(d, *a) / 4.0, db(d, *a))
    )
    assert "is 4 times what it should be: it lacks the 1/4 of a mean" in said(
        lambda d, *a: (dx(d, *a), 4.0 * dw(d, *a), db(d, *a))
    )
    assert "each of the 12 numbers that are wrong is 0 times what it should be, at this point: " in said(
        lambda d, *a: (0.0 * dx(d, *a), dw(d, *a), db(d, *a))
    )
    assert "is 2 times what it should be: the 2 of a square, or" in said(
        lambda d, x: 4.0 * x * d, lambda x: x * x, (X,)
    )
    assert "is 0.5 times what it should be: is the 2 of a square missing?" in said(
        lambda d, x: x * d, lambda x: x * x, (X,)
    )
    assert "the gradients of a and b are swapped" in said(
        lambda d, a, b: (d * a, d * b), lambda a, b: a * b, (B, B + 1.0)
    )

    assert "swapped" not in said(lambda d, a, b: (d * a, d * a), lambda a, b: a * b, (B, B + 1.0))  # one is right
    C = np.array([0.0, 2.0, 3.0])
    assert "the gradients of a and b are swapped" in said(  # also if some of their numbers are equal
        lambda d, a, b, c: (d * a * c, d * b * c, d * a * b), lambda a, b, c: a * b * c, (C, 2.0 * C, C + 1.0)
    )

    def one_entry(d, x):
        slope = 2.0 * x * d
        slope[1, 2] += 0.1
        return slope

    assert "x[1, 2] alone of 12 numbers is wrong\n" in said(one_entry, lambda x: x * x, (X,))

    def one_sign(d, x):
        slope = 2.0 * x * d
        slope[1, 2] *= -1.0
        return slope

    assert "x[1, 2] alone of 12 numbers is wrong: -1 times what it should be\n" in said(one_sign, lambda x: x * x, (X,))

    def last_sign(d, x):
        return 2.0 * x * d * np.array([1.0] * (len(x) - 1) + [-1.0])

    four = np.array([1.0, 2.0, 3.0, 4.0])
    assert "x[3] alone of 4 numbers is wrong: -1 times what it should be\n" in said(last_sign, lambda x: x * x, (four,))
    assert "\n  that of x[2] is -1 times what it should be: the sign is wrong\n" in said(
        last_sign, lambda x: x * x, (four[:3],)
    )


def test_the_kind_of_mistake_is_named_also_for_what_takes_floats_alone():
    def f(x):
        return [math.exp(x[0]), math.exp(2.0 * x[1]), math.exp(-x[2]), math.exp(x[3] / 3.0)]

    def slopes(d, x):
        return [d[0] * math.exp(x[0]), 2.0 * d[1] * math.exp(2.0 * x[1]), -d[2] * math.exp(-x[2]),
                d[3] * math.exp(x[3] / 3.0) / 3.0]  # fmt: skip

    point = [0.5, 1.0, -1.0, 2.0]
    check_backward(f, slopes, (point,))
    text = complaint(check_backward, f, lambda d, x: [-slope for slope in slopes(d, x)], (point,))
    assert "each of the 4 numbers that are wrong is -1 times what it should be: the sign is wrong\n" in text
    text = complaint(check_backward, f, lambda d, x: [*slopes(d, x)[:3], 3.0 * slopes(d, x)[3]], (point,))
    assert "with respect to x[3] is wrong" in text
    assert "x[3] alone of 4 numbers is wrong" in text
    text = complaint(check_backward, f, lambda d, x: [slope * (1.0 + 1e-9) for slope in slopes(d, x)], (point,))
    assert "is wrong" in text


def test_one_wrong_number_among_many_is_found(request):
    x = normal(10_000 if request.config.getoption("--examples") else 1_000)

    def wrong(d, x):
        slope = 2.0 * x * d
        slope[777] *= 1.001
        return slope

    check_backward(lambda x: x * x, lambda d, x: 2.0 * x * d, (x,))
    text = complaint(check_backward, lambda x: x * x, wrong, (x,))
    assert "with respect to x[777] is wrong" in text
    assert re.search(r"x\[777\] alone of 5\d numbers looked at is wrong", text)


# Messages -------------------------------------------------------------------------------------------------------------


def test_a_wrong_shape_or_length_names_both():
    flat = normal(3, 2)
    assert refusal(check_backward, lambda x, w: x @ w, lambda d, x, w: (d @ w.T, (x.T @ d).T), (X, flat)).endswith(
        "what backward returned for w must have the structure of w, an array of shape (3, 2), "
        "not an array of shape (2, 3); is it transposed?"
    )
    assert "backward must return a tuple of 3 gradients, for x, w, b, got a tuple of 2 items" in refusal(
        check_backward, affine, lambda d, x, w, b: (X, W), (X, W, B)
    )
    assert "an array of shape (3,), not an array of shape (4,)" in refusal(
        check_derivative, np.sum, lambda x: np.ones(4), (B,)
    )


def test_another_kind_of_structure_names_both_also_beside_integers():
    indices = np.array([0, 2])
    for p, slopes in (
        ({"w": B, "at": indices}, [np.ones(3), indices]),
        ([B, indices], {"w": np.ones(3), "at": indices}),
    ):
        f = lambda p: sum([x.sum() for x in (p.values() if isinstance(p, dict) else p)])  # noqa: E731
        text = refusal(check_backward, f, lambda d, p, slopes=slopes: slopes, (p,))
        assert "what backward returned for p must have the structure of p" in text


def test_nan_is_said_to_be_nan():
    text = complaint(check_derivative, np.sum, lambda x: np.array([1.0, np.nan, 1.0]), (B,))
    assert "[1] is nan\n  df             nan\nagain: check_derivative(sum, df, (np.array(" in text
    assert "f returned nan, which has no slope, at (1.0,)" in refusal(
        check_derivative, lambda x: x * float("nan"), lambda x: 1.0, (1.0,)
    )


def test_a_function_that_computes_in_single_precision_is_recognised():
    for f in (lambda x: float(np.float32(x) ** 2), lambda x: np.float32(x) ** 2,
              lambda x: [float(np.sin(np.float32(x)))]):  # fmt: skip
        assert "f computes with float32" in refusal(check_derivative, f, lambda x: 2.0 * x, (1.3,))
    within = lambda x: np.sin(x.astype(np.float32)).sum() + np.cos(x).sum()  # noqa: E731
    assert "f computes with float32 inside" in refusal(check_derivative, within, lambda x: np.cos(x) - np.sin(x), (B,))
    check_derivative(lambda x: np.floor(1e3 * x) / 4.0, lambda x: 0.0, (0.30001,))  # simple numbers are not single ones
    for constant in (12345.0, 2.0**24 - 1.0):
        check_derivative(lambda x, constant=constant: constant, lambda x: 0.0, (0.3,))
    for x in (0.06, 0.3, 1.2, 5.0, 20.0):  # nor is what is left when large numbers cancel
        check_derivative(lambda x: (x + 1e8) - 1e8, lambda x: 1.0, (x,))
    check_derivative(lambda x: x, lambda x: 1.0, (0.5,))


def test_what_returns_no_pair_and_what_is_no_function_is_named():
    def square(x):
        return x * x

    assert refusal(check_vjp, square, lambda x: 2.0 * x, (3.0,)) == (
        "check_vjp: f_vjp must return the value of f and a function of cotangents, got 6.0"
    )
    assert refusal(check_jvp, square, lambda p, t: 2.0 * p[0] * t[0], (3.0,)) == (
        "check_jvp: f_jvp must return the value of f and its derivative, got 18.0"
    )
    assert refusal(check_vjp, square, lambda x: (x * x, 2.0 * x), (3.0,)) == (
        "the function that f_vjp returned: expected a function, got 6.0"
    )
    assert refusal(check_derivative, square, 6.0, (3.0,)) == "df: expected a function, got 6.0"
    assert refusal(check_backward, None, back, (3.0,)) == "f: expected a function, got None"


def test_integers_that_would_be_moved_are_told():
    with pytest.raises(TypeError) as caught:
        check_derivative(lambda xs, i: xs[i[0]] ** 2, lambda xs, i: [2.0 * xs[0], 0.0], ([1.0, 2.0], [0]))
    assert caught.value.__notes__ == [
        "check_derivative moves each number in args, as a float; indices go into an array of integers"
    ]
    text = refusal(check_derivative, lambda x: (x * x).sum(), lambda x: 2 * x, (np.array([1, 2]),))
    assert "arrays of integers are indices, which do not move: make them floats" in text


def test_what_f_returned_is_named_if_it_is_no_number():
    assert "check_grads: a number that f returned: expected a number, got None" in refusal(
        check_grads, lambda x: None, (1.0,)
    )


def test_arrays_of_integers_stay_what_they_are():
    def loss(table, index):
        assert index.dtype.kind == "i"
        return table[index]

    def backward(d, table, index):
        slope = np.zeros_like(table)
        np.add.at(slope, index, d)
        return slope

    index = np.array([0, 2, 1, 1])
    check_backward(loss, backward, (W, index))
    check_backward(loss, lambda *args: (backward(*args), None), (W, index))
    check_grads(lambda x, i: x[i] * 2.0, (B, np.array([0, 1])))
    check_derivative(lambda p: np.sum(p["w"][p["i"]]), lambda p: {"w": np.array([1.0, 0.0, 1.0]), "i": None},
                     ({"w": B, "i": np.array([0, 2])},))  # fmt: skip

    def last_wins(d, table, index):
        slope = np.zeros_like(table)
        slope[index] += d
        return slope

    text = complaint(check_backward, loss, last_wins, (W, index))
    assert "table[1, 0], table[1, 1], table[1, 2] alone of 9 numbers are wrong" in text


TEMPLATES = ["sqrt(1.0 + {x} * {x})", "{x} * {x}", "{x} / 2.0"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_line_that_repeats_the_check_runs_also_for_an_operation_of_one_s_own(template):
    @mg.rule(template)
    def slant(x):
        return slant(x), 100.0 + 0.0 * x

    f = Expression(("x",), (("slant", (0,)), ("sin", (1,))), (0.5,))
    assert repr(f) == "lambda x: mg.sin(slant(x))"
    assert eval(repr(f), {"mg": mg, "slant": slant})(0.25) == f(0.25)
    text = complaint(check_grads, f, (0.25,))
    again = text.partition("again: ")[2]
    with pytest.raises(AssertionError, match="is wrong") as caught:
        exec(again, {"mg": mg, "slant": slant, "check_grads": check_grads})
    assert str(caught.value).splitlines()[1:4] == text.splitlines()[1:4]


def test_operations_of_one_s_own_over_sequences_are_checked_as_calls():
    @mg.rule("sum([{x}]) * 2.0")
    def twice(*x):
        return twice(x), *[2.0 for _ in x]

    f = Expression(("x", "y"), (("twice", (0, 1)),), (0.5, 0.25))
    assert repr(f) == "lambda x, y: twice([x, y])"
    assert (f(0.5, 0.25), eval(repr(f), {"twice": twice})(0.5, 0.25)) == (1.5, 1.5)
    check_grads(f, (0.5, 0.25))


def test_the_profile_leaves_out_the_phase_that_takes_seconds():
    @gradients(max_examples=7)
    @given(st.floats(-1.0, 1.0))
    def test(x):
        seen.append(x)

    seen = []
    test()
    used = test._hypothesis_internal_use_settings
    assert len(seen) <= 7
    assert Phase.explain not in used.phases
    assert used.deadline is None
    assert find(expressions(["sin"], ["x"]), lambda f: len(f.operations) == 1).operations == ("sin",)


def test_the_profile_tries_100_examples_unless_told_otherwise():
    seen = []

    @gradients(derandomize=True, database=None)
    @given(st.floats(-1.0, 1.0))
    def test(x):
        seen.append(x)

    test()
    assert len(seen) == 100


def test_a_claimed_slope_that_jumps_at_the_point_is_not_taken_for_noise():
    def huber(x):
        return 0.5 * x * x if abs(x) < 1.0 else abs(x) - 0.5

    assert "is wrong" in complaint(check_derivative, huber, lambda x: x if abs(x) < 1.0 else 1.0, (-1.0,))
