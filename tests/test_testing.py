"""The checks: what they pass, what they find, what they say, and that they raise no false alarm."""

import inspect
import math
import re

import mpmath
import numpy as np
import pytest

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.rules import RULES
from micrograd_plus.testing import (
    central_difference,
    check_derivative,
    check_grads,
    complex_step,
    forward_difference,
    ridders,
)
from micrograd_plus.testing.differences import slope_between


def complaint(check, *args, **options):
    with pytest.raises(AssertionError) as caught:
        check(*args, **options)
    return str(caught.value)


# Slopes without calculus ----------------------------------------------------------------------------------------------


def test_the_errors_of_differences_are_of_the_first_and_second_order():
    for h in (0.5, 0.25):
        assert forward_difference(lambda x: x * x, 3.0, h) == 6.0 + h
        assert central_difference(lambda x: x**3, 3.0, h) == 27.0 + h * h


def test_the_complex_step_is_exact_to_rounding_on_the_classic_example():
    """Squire and Trapp, SIAM Review 40, 1998: exp(x) / sqrt(sin(x)³ + cos(x)³) at 1.5."""

    def f(x):
        return mg.exp(x) / mg.sqrt(mg.sin(x) ** 3 + mg.cos(x) ** 3)

    with mpmath.workdps(50):
        exact = mpmath.diff(
            lambda x: mpmath.exp(x) / mpmath.sqrt(mpmath.sin(x) ** 3 + mpmath.cos(x) ** 3), mpmath.mpf(1.5)
        )
    assert complex_step(f, 1.5) == pytest.approx(float(exact), rel=4e-16)
    slope, error = ridders(f, 1.5)
    assert abs(slope - float(exact)) <= error < 1e-12


def test_a_complex_step_through_a_constant_is_zero_and_one_through_a_function_of_floats_is_refused():
    assert complex_step(lambda x: 5.0, 2.0) == 0.0
    with pytest.raises(TypeError):
        complex_step(math.sin, 2.0)
    with pytest.raises(TypeError, match="there is no complex erf"):
        complex_step(mg.erf, 2.0)


@pytest.mark.parametrize("name", ["softplus", "elu", "sigmoid", "silu", "tanh"])
@pytest.mark.parametrize("x", [0.0, -0.0])
def test_the_complex_step_is_right_where_two_formulas_of_one_smooth_function_meet(name, x):
    assert complex_step(getattr(mg, name), x) == mg.derivative(getattr(mg, name))(x)


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (math.exp, 1.0, math.e),
        (lambda x: 1e8 + x, 0.0, 1.0),
        (lambda x: math.sin(1e6 * x), 1.0, 1e6 * math.cos(1e6)),
        (lambda x: math.exp(-1e4 * x), 1e-3, -1e4 * math.exp(-10.0)),
        (math.log, 1e-12, 1e12),
        (math.sqrt, 1e-6, 500.0),
        (lambda x: x * x, 1e150, 2e150),
        (lambda x: abs(x - 0.02), 0.0, -1.0),
        (lambda x: 3.0, 5.0, 0.0),
    ],
)
def test_ridders_is_as_near_as_it_says_also_where_f_is_steep_or_has_a_kink_or_an_end_nearby(f, x, slope):
    found, error = ridders(f, x)
    assert abs(found - slope) <= error
    assert error <= 1e-6 * abs(slope) + 1e-6


def test_ridders_is_not_taken_in_by_two_steps_that_agree_by_chance():
    """Central differences over 1/8 and 1/16 are both 1.003125."""
    slope, error = ridders(lambda x: x + x**3 - 51.2 * x**5, 0.0)
    assert abs(slope - 1.0) <= error < 1e-9


def test_the_first_step_of_ridders_is_an_eighth_of_x_and_at_least_an_eighth():
    for x, step in ((0.0, 0.125), (1.0, 0.125), (-80.0, 10.0)):
        seen = []
        ridders(lambda x, seen=seen: seen.append(x) or x, x)
        assert max(abs(y - x) for y in seen) == step


def test_the_complex_step_is_1e_200():
    seen = []
    complex_step(lambda x: seen.append(x) or x, 3.0)
    assert seen == [complex(3.0, 1e-200)]


def test_ridders_finds_nothing_where_f_has_values_on_one_side_alone():
    slope, error = ridders(math.sqrt, 0.0)
    assert math.isnan(slope)
    assert error == math.inf
    assert math.isnan(ridders(lambda x: x**0.5, 0.0)[0])  # which is complex on the left
    assert math.isnan(ridders(lambda x: x, math.inf)[0])
    assert math.isnan(ridders(lambda x: x, math.nan)[0])


# What passes ----------------------------------------------------------------------------------------------------------

ANYWHERE = 0.6
OTHERS = ("acosh", "polygamma")  # with another domain, and with a whole number


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not rule.sequences and name not in OTHERS])
def test_every_operation_passes_to_the_third_order(name):
    count = RULES[name].partials.__code__.co_argcount
    check_grads(mg.rules.FUNCTIONS[name], (ANYWHERE, 1.7)[:count], order=3)


def test_structures_of_numbers_go_in_and_come_out():
    def f(p, xs):
        return {"sum": p["w"][0] * xs[0] + p["w"][1] * xs[1], "pair": (mg.sin(p["b"]), [p["b"] * xs[1]])}

    check_grads(f, ({"w": [1.0, 2.0], "b": 0.5}, (3.0, 4.0)))
    check_grads(lambda x: mg.sum((x * x).ravel()), (np.array([[1.0, 2.0], [3.0, 4.0]]),))
    check_grads(lambda x: x @ x, (np.array([1.0, 2.0, 3.0]),))
    check_grads(lambda x, y: x * y, [2, 3])


def test_functions_that_take_no_complex_numbers_pass_by_differences():
    check_grads(lambda x: mg.erf(x) * mg.gelu(x), (0.3,))
    check_grads(lambda x: x * x if x > 0.0 else -x, (0.3,))


def test_python_s_abs_of_a_complex_number_does_not_mislead():
    check_grads(lambda x: abs(x) * x, (3.0,))
    check_grads(lambda x: abs(x) * x, (-3.0,))


def test_a_network_of_ordinary_values_is_checked_in_its_input_and_left_alone():
    w = Value(2.0, label="w")
    check_grads(lambda x: mg.tanh(w * x), (0.3,))
    assert (w.grad, w.data) == (0.0, 2.0)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: mg.sin(1e3 * x), 1.0),
        (lambda x: mg.sin(1e7 * x), 1.0),
        (lambda x: mg.exp(x * x), 26.0),
        (lambda x: mg.erf(1e4 * x), 1e-5),
        (lambda x: 1e10 + x, 3.0),
        (lambda x: (1e10 + x) - 1e10, 3.0),
        (lambda x: 0.0 * x, 3.0),
        (lambda x: 5.0, 3.0),
        (lambda x: 1e-30 * x, 3.0),
        (lambda x: 1e200 * x * x, 3.0),
        (lambda x: mg.atan2(x, x), 0.7),
        (lambda x: mg.log10(mg.cosh(x - mg.gelu(x))), 1e-7),
        (lambda x: mg.log(mg.ndtr(x * 8.0)), 1.0),
        (mg.reciprocal, 1e-12),
        (mg.log, 1e-100),
        (mg.sqrt, 1e-9),
        (mg.cbrt, 1e-9),
        (lambda x: mg.relu(x - 1.0), 1.0 + 1e-6),
        (lambda x: mg.floor(mg.tan(x) * 50.0) * x, 1.56),
    ],
)
def test_what_is_right_passes_also_where_it_is_steep_flat_noisy_or_near_a_pole(f, x):
    check_grads(f, (x,))


def test_next_to_the_end_of_a_root_there_is_still_a_derivative():
    check_grads(mg.acos, (1.0 - 1e-12,), order=1)
    check_grads(mg.acosh, (1.0 + 1e-12,), order=1)


def test_a_peak_that_large_steps_would_jump_over_is_seen():
    """At its steepest the slope is -735,759 and 1, where all but the smallest steps find 1 and 0."""

    def peak(x):
        return math.exp(-(((x - 0.5) * 1e6) ** 2))

    check_derivative(peak, lambda x: -2e12 * (x - 0.5) * peak(x), (0.5 + 1e-6,))
    assert "is wrong" in complaint(check_derivative, lambda x: x + peak(x), lambda x: 1.0, (0.5 + 1e-6,))


def test_a_stair_is_flat_however_steep_the_staircase():
    check_derivative(lambda x: math.floor(x * 1e6) / 1e6, lambda x: 0.0, (0.5000005,))
    text = complaint(check_derivative, lambda x: math.floor(x * 1e6) / 1e6, lambda x: 1.0, (0.5000005,))
    assert "  differences    0.0 ± " in text


def test_steep_functions_of_two_arguments_of_unlike_size_pass():
    check_grads(lambda x, y: x / y, (1.0, 1e-100), order=1)
    check_grads(lambda x, y: mg.log(x) + mg.sqrt(y), (1e-9, 1e9))


# What is found --------------------------------------------------------------------------------------------------------


def lost(x):
    """x², which has lost half of its gradient."""
    return x * (x.data if isinstance(x, Value) else x)


def test_a_lost_gradient_is_found_and_the_message_says_it_all():
    text = complaint(check_grads, lost, (3.0,))
    factor, tolerance = re.findall(r"off by (.e\+1\d)", text)[0], re.findall(r"± (.e-1\d)", text)[0]
    assert float(factor) * float(tolerance) == pytest.approx(3.0, rel=0.2)
    assert text.splitlines() == [
        "check_grads: the derivative of lost with respect to x is wrong",
        f"  forward mode   3.0, off by {factor} times the tolerance",
        f"  reverse mode   3.0, off by {factor} times the tolerance",
        f"  complex step   6.0 ± {tolerance}",
        "  that of x is 0.5 times what it should be: is the 2 of a square missing?",
        "again: check_grads(lost, (3.0,), order=1, modes=('fwd', 'rev'), seed=0)",
    ]


def test_the_argument_and_the_result_that_are_wrong_are_named():
    def f(p, q):
        return {"good": p["w"][0] * p["w"][1], "bad": [q, lost(p["w"][1])]}

    text = complaint(check_grads, f, ({"w": [1.0, 2.0]}, 3.0))
    assert "the derivative of result['bad'][1] of f with respect to p['w'][1] is wrong" in text
    assert "  forward mode   2.0, off by" in text
    assert "  complex step   4.0 ± " in text
    assert "again: check_grads(f, ({'w': [1.0, 2.0]}, 3.0), order=1" in text
    array = complaint(check_grads, lambda x: lost(x[1, 0]), (np.array([[1.0, 2.0], [0.1, 4.0]]),))
    assert "of f with respect to x[1, 0] is wrong" in array
    assert "again: check_grads(f, (np.array([[1.0, 2.0], [0.1, 4.0]]),), order=1" in array
    unknown = complaint(check_grads, lambda *numbers: lost(numbers[1]), (1.0, 2.0))
    assert "with respect to args[1] is wrong" in unknown


def test_many_numbers_are_not_all_repeated():
    text = complaint(check_grads, lambda xs: lost(xs[7]), ([0.5] * 100,))
    assert "with respect to xs[7]" in text
    assert "again: check_grads(f, args, order=1" in text


@pytest.mark.parametrize("f", [lost, lambda x: lost(mg.erf(x)), lambda x: lost(mg.erf(x) * 1e-30)])
@pytest.mark.parametrize("x", [1e-5, 3.0])
def test_what_is_wrong_is_found_by_differences_too_and_however_small_it_is(f, x):
    assert "is wrong" in complaint(check_grads, f, (x,))


def test_a_rule_that_is_wrong_in_the_second_order_alone_is_found_there(monkeypatch):
    wrong = RULES["cos"].partials
    check_grads(mg.sin, (0.5,), order=3)
    monkeypatch.setattr(RULES["cos"], "partials", lambda x: (wrong(x)[0], 1.001 * wrong(x)[1]))
    check_grads(mg.sin, (0.5,), order=1)
    text = complaint(check_grads, mg.sin, (0.5,))
    assert "the derivative of the forward-mode derivative of sin with respect to x is wrong" in text
    assert "again: check_grads(sin, (0.5,), order=2" in text


def test_each_mode_is_checked_by_itself():
    def half(x):
        """The right gradient in forward mode, and none in reverse."""
        return x if not isinstance(x, Value) or type(x).__name__ == "Dual" else x.data

    check_grads(half, (3.0,), modes=("fwd",))
    text = complaint(check_grads, half, (3.0,))
    assert "  forward mode   1.0\n  reverse mode   0.0, off by" in text
    assert "forward mode" not in complaint(check_grads, half, (3.0,), modes=["rev"])


def test_modes_that_differ_by_less_than_an_oracle_sees_are_told_apart():
    def f(x):
        wrong = isinstance(x, Value) and type(x).__name__ != "Dual"
        return mg.erf(x) * 1e4 + (1e-6 * x if wrong else 0.0 * x) + mg.floor(x * 1e3)

    assert "the modes differ on f with respect to x by" in complaint(check_grads, f, (0.50051,), order=1)


def test_the_rounding_of_a_slope_grows_with_noise_and_with_the_size_of_the_numbers():
    def error(**of):
        return slope_between(lambda x: 3.0 * x, 0.0, 0.5, **of)[1]

    assert error(noise=1e-3) == pytest.approx(2e-3)
    assert error() < error(size=1.0) < error(size=100.0)
    assert error(size=1000.0) == pytest.approx(6e3 * 2.0**-52, rel=0.01)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_wrong_second_derivative_is_found_by_each_mode_alone(mode):
    @mg.rule("{x} * {x} * {x}")
    def cube(x):
        return cube(x), 3.0 * x * mg.stop_gradient(x)  # half of the second derivative is lost

    check_grads(cube, (2.0,), order=1, modes=(mode,))
    text = complaint(check_grads, cube, (2.0,), order=2, modes=(mode,))
    long = {"fwd": "forward", "rev": "reverse"}[mode]
    assert text.startswith(f"check_grads: the derivative of the {long}-mode derivative of ")


def test_atol_and_rtol_are_added_to_what_is_tolerated():
    def f(x):
        return 1.001 * x - 0.001 * (x.data if isinstance(x, Value) else x)

    complaint(check_grads, f, (1.0,))
    check_grads(f, (1.0,), rtol=2e-3)
    check_grads(f, (1.0,), atol=2e-3)
    complaint(check_grads, f, (1.0,), atol=0.5e-3)
    complaint(check_grads, f, (1.0,), rtol=0.5e-3)


@pytest.mark.parametrize("x", [1e-3, 1.0, 1e3])
def test_what_is_tolerated_is_an_error_of_the_slope_wherever_it_is_taken(x):
    def off_by(error):
        return lambda x: 3.0 + error

    check_derivative(lambda x: 3.0 * x, off_by(0.9e-3), (x,), atol=1e-3)
    check_derivative(lambda x: 3.0 * x, off_by(2.7e-3), (x,), rtol=1e-3)
    complaint(check_derivative, lambda x: 3.0 * x, off_by(1.1e-3), (x,), atol=1e-3)
    complaint(check_derivative, lambda x: 3.0 * x, off_by(3.3e-3), (x,), rtol=1e-3)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_tolerated_is_tolerated_in_each_of_many_numbers_and_in_each_of_many_results(seed):
    x = 10.0 ** np.random.default_rng(seed).uniform(-3.0, 3.0, 20)
    w = np.random.default_rng(seed).standard_normal((20, 20))

    def off_by(error, of):
        return lambda x: w[:of].squeeze() + error

    for of in (1, 20):
        f = lambda x, of=of: w[:of].squeeze() @ x  # noqa: E731
        check_derivative(f, off_by(0.9e-3, of), (x,), atol=1e-3, seed=seed)
        complaint(check_derivative, f, off_by(2e-3, of), (x,), atol=1e-3, seed=seed)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_a_small_number_that_is_wrong_is_found_behind_a_large_one_that_is_off_by_what_is_tolerated(seed):
    text = complaint(check_derivative, lambda x: 3.0 * x.sum(), lambda x: np.array([3.0009, 3.5]),
                     (np.array([1e3, 1.0]),), atol=1e-3, seed=seed)  # fmt: skip
    assert "with respect to x[1] is wrong" in text


def test_the_same_seed_gives_the_same_directions():
    def directions(seed):
        seen = []

        def f(x, y):
            seen.extend(repr((x, y)) for _ in [0] if isinstance(x, Value) and x.tangent)
            return x * y

        check_grads(f, (1.0, 2.0), seed=seed, order=1, modes=["fwd"])
        return seen

    assert directions(0) == directions(0) != directions(1)


DROPS = {  # what loses the imaginary part, and so the complex step with it; of arrays; and what remains of the gradient
    "abs": (lambda x: np.sum(np.abs(x)), lambda x: 0.0 * x),
    "half of it": (lambda x: np.sum(np.abs(x) + x), np.ones_like),
    "norm": (np.linalg.norm, lambda x: 0.0 * x),
    "vdot": (lambda x: np.vdot(x, x), lambda x: 0.0 * x),
    "real": (lambda x: np.sum(np.real(x) * x), np.real),
    "a small share": (lambda x: np.sum(x * x) + 1e-6 * np.linalg.norm(x), lambda x: 2.0 * x),
}


@pytest.mark.parametrize("name", DROPS)
def test_a_gradient_that_is_lost_just_where_the_complex_step_is_lost_too_is_found(name):
    text = complaint(check_derivative, *DROPS[name], (np.array([1.0, -2.0]),))
    assert "is wrong" in text
    assert "  differences    " in text


def test_a_gradient_lost_where_floats_and_values_lose_it_alike_is_found():
    text = complaint(check_grads, lambda x: mg.sin(x.data if isinstance(x, Value) else x.real), (1.0,))
    assert "  differences    0.5403023" in text


def constant(x):
    return x.data if isinstance(x, Value) else x


def test_a_gradient_is_found_lost_also_beside_others_that_are_much_larger():
    text = complaint(check_grads, lambda x, y: x * x + constant(y), (1e7, 1.0), order=1)
    assert "the derivative of f with respect to y is wrong" in text
    assert "with respect to y is wrong" in complaint(check_grads, lambda x, y: x * x + constant(y), (1e9, 1.0), order=1)
    text = complaint(check_grads, lambda x: [1e14 * x * x, constant(x)], (1.0,), order=1)
    assert "the derivative of result[1] of f with respect to x is wrong" in text
    text = complaint(
        check_derivative,
        lambda p: p["price"] * p["n"] + p["fee"],
        lambda p: {"price": p["n"], "n": p["price"], "fee": 0.0},
        ({"price": 3e5, "n": 4e7, "fee": 2.0},),
    )
    assert "with respect to p['fee'] is wrong" in text


@pytest.mark.parametrize("size", [1e4, 1e7, 1e9])
def test_a_gradient_that_is_half_of_what_it_should_be_is_found_beside_larger_ones(size):
    text = complaint(check_derivative, lambda x, y: x * x + y, lambda x, y: (2.0 * x, 0.5), (size, 1.0))
    assert "the derivative of f with respect to y is wrong\n  df             0.5, off by" in text


def test_one_wrong_number_of_many_is_found_by_halving():
    calls = []

    def f(xs):
        calls.append(1)
        return mg.sum([mg.erf(x) * x for x in xs[1:]]) + constant(xs[0])

    assert "with respect to xs[0] is wrong" in complaint(check_grads, f, ([0.5] * 200,), order=1)
    assert len(calls) < 10_000


# Kinks, jumps, ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "text"),
    [
        (mg.relu, 0.0, "its slope is 0 on the left, 1 on the right"),
        (lambda x: 3.0 * abs(x - 2.0), 2.0, "its slope is -3 on the left, 3 on the right"),
        (lambda x: mg.maximum(mg.sin(x), 0.5), math.asin(0.5), "its slope is 0 on the left, 0.866025 on the right"),
        (lambda x: mg.exp(x) + 4e-4 * mg.relu(x), 0.0, "its slope is 1 on the left, 1.0004 on the right"),
        (mg.step, 0.0, "it jumps, or its slope is infinite"),
        (mg.sign, 0.0, "it jumps, or its slope is infinite"),
        (mg.floor, 1.0, "it jumps, or its slope is infinite"),
        (lambda x: mg.sign(x) ** 2, 0.0, "it jumps, or its slope is infinite"),
        (mg.sqrt, 0.0, "it jumps, or its slope is infinite"),
        (mg.cbrt, 0.0, "it jumps, or its slope is infinite"),
        (mg.asin, 1.0, "it jumps, or its slope is infinite"),
    ],
)
def test_a_point_without_a_derivative_is_said_to_be_one(f, x, text):
    message = complaint(check_grads, f, (x,), order=1)
    assert "has no derivative with respect to x: " + text in message
    assert "  forward mode   " in message


def test_a_kink_of_the_derivative_is_found_in_the_second_order():
    def f(x):
        return x * mg.abs(x)

    check_grads(f, (0.0,), order=1)
    text = complaint(check_grads, f, (0.0,))
    assert "the forward-mode derivative of f has no derivative with respect to x: its slope is" in text


def test_of_several_arguments_that_on_a_kink_is_named():
    text = complaint(check_grads, lambda x, y: mg.sin(x) + mg.relu(y), (1.0, 0.0))
    assert "f has no derivative with respect to y: its slope is 0 on the left, 1 on the right" in text


def test_an_end_of_the_domain_at_which_the_slope_is_finite_cannot_be_checked():
    text = complaint(check_grads, lambda x: mg.erf(x**1.5), (0.0,), order=1)
    assert "cannot be checked with respect to x: it has no values on both sides" in text


def test_a_function_that_is_smooth_on_no_more_than_a_speck_is_said_to_be_too_rough():
    text = complaint(check_grads, lambda x: mg.erf(x) + mg.step(x - 0.5 - 1e-12), (0.5,), order=1)
    assert "f is too rough or too steep to be checked with respect to x\n  forward mode   0.878" in text
    assert re.search(r"\n  differences    [\d.e+-]+ ± .e[+-]\d\d\nagain: ", text)


# Wrong calls ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, -1, 1.0, True, None])
def test_an_order_that_is_no_whole_number_from_1_up_is_refused(order):
    with pytest.raises(ValueError, match="order must be a whole number from 1 up"):
        check_grads(mg.sin, (1.0,), order=order)


@pytest.mark.parametrize("modes", [(), "fwd", ("forward",), ("fwd", "back")])
def test_unknown_modes_are_refused(modes):
    with pytest.raises(ValueError, match=r'modes must be some of \("fwd", "rev"\)'):
        check_grads(mg.sin, (1.0,), modes=modes)


@pytest.mark.parametrize("check", [check_grads, lambda f, args: check_derivative(f, f, args)])
def test_arguments_are_a_sequence_of_structures_of_finite_numbers(check):
    with pytest.raises(ValueError, match=r"args has one item per argument, as in \(2\.0,\), got 3\.0"):
        check(mg.sin, 3.0)
    for args in ((), ([],), (math.nan,), (math.inf,)):
        with pytest.raises(ValueError, match="args must hold one finite number at least"):
            check(mg.sin, args)
    with pytest.raises(TypeError, match="a number in args: expected a real number, got 1j"):
        check(mg.sin, (1j,))


def test_what_f_raises_is_raised_and_says_that_it_was_called_with_floats():
    with pytest.raises(AttributeError) as caught:
        check_grads(lambda p: p["w"].data, ({"w": 1.0},))
    assert caught.value.__notes__ == ["check_grads calls f with plain floats too, to find its slope without calculus"]
    with pytest.raises(ValueError, match=r"math domain error|expected a positive"):
        check_grads(mg.log, (-1.0,))
    with pytest.raises(TypeError, match=r"mg\.sin"):
        check_grads(lambda x: math.sin(x), (1.0,))


def test_a_table_that_has_no_value_off_the_point_cannot_be_checked():
    table = {1.0: 5.0}
    text = complaint(check_derivative, lambda x: table[x], lambda x: 0.0, (1.0,))
    assert "f cannot be checked with respect to x: it has no values on both sides" in text


def test_what_was_tolerated_stands_in_the_line_that_repeats_the_check():
    assert "seed=3)" in complaint(check_grads, lost, (3.0,), atol=1e-3, rtol=1e-4, seed=3)
    assert ", atol=0.001, rtol=0.0001, seed=3)" in complaint(check_grads, lost, (3.0,), atol=1e-3, rtol=1e-4, seed=3)
    check_grads(mg.sin, (1.0,), atol=None, rtol=None, modes=iter(["fwd", "rev"]))


def test_the_derivatives_of_higher_order_are_shown_as_one_knows_them():
    def f(x):
        return x**3 if not isinstance(x, Value) or not isinstance(x.data, Value) else 2.0 * x**2

    assert re.search(
        "forward mode   4.0, off by .* times the tolerance\n.*\n  differences    (12.0|11.99)",
        complaint(check_grads, f, (2.0,)),
    )


def test_the_signature_is_that_of_jax():
    parameters = list(inspect.signature(check_grads).parameters)
    assert parameters[:6] == ["f", "args", "order", "modes", "atol", "rtol"]


# By hand --------------------------------------------------------------------------------------------------------------


def test_a_derivative_by_hand_may_be_of_several_arguments_and_structures():
    def f(p, x):
        return p["w"] * x * x + p["b"]

    check_derivative(f, lambda p, x: ({"w": x * x, "b": 1.0}, 2.0 * p["w"] * x), ({"w": 3.0, "b": 1.0}, 2.0))
    check_derivative(f, lambda p, x: [{"w": x * x, "b": 1.0}, 2.0 * p["w"] * x], ({"w": 3.0, "b": 1.0}, 2.0))
    text = complaint(
        check_derivative, f, lambda p, x: ({"w": x * x, "b": 1.0}, p["w"] * x), ({"w": 3.0, "b": 1.0}, 2.0)
    )
    assert "the derivative of f with respect to x is wrong\n  df             6.0, off by" in text
    assert "again: check_derivative(f, df, ({'w': 3.0, 'b': 1.0}, 2.0), seed=0)" in text


def test_functions_of_math_alone_can_be_checked():
    check_derivative(math.sin, math.cos, (1.0,))
    text = complaint(check_derivative, math.cos, math.sin, (1.0,))
    assert "  differences    -0.841470984807" in text
    assert "again: check_derivative(cos, sin, (1.0,), seed=0)" in text


def test_numpy_functions_are_checked_by_the_complex_step():
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    check_derivative(lambda x: np.sum(np.exp(x) @ a @ x), lambda x: gradient(x, a), (np.array([0.5, 1.0]),))
    text = complaint(
        check_derivative, lambda x: np.sum(np.exp(x) @ a @ x), lambda x: 1.01 * gradient(x, a), (np.array([0.5, 1.0]),)
    )
    assert "complex step" in text
    assert "x[" in text


def gradient(x, a):
    return np.exp(x) * (a @ x) + a.T @ np.exp(x)


def test_a_kink_is_named_also_for_a_derivative_by_hand():
    text = complaint(check_derivative, abs, lambda x: 0.0, (0.0,))
    assert "abs has no derivative with respect to x: its slope is -1 on the left, 1 on the right\n  df  " in text


def test_what_is_no_gradient_is_refused_before_anything_is_compared():
    with pytest.raises(ValueError, match=r"structure of x for each number of f's result, \[1\.0, 1\.0\], not 1\.0"):
        check_derivative(lambda x: [x, 2.0 * x], lambda x: 1.0, (1.0,))
    with pytest.raises(ValueError, match=r"what df returned for . must .*, an array of shape \(1000,\), not 1\.0"):
        check_derivative(lambda x: np.ones(1000) * x, lambda x: 1.0, (1.0,))
    with pytest.raises(ValueError, match=r"what df returned for . must .*, {'w': 2\.0, 'b': 3\.0}, not {'w': 3\.0}"):
        check_derivative(lambda p: p["w"] * p["b"], lambda p: {"w": p["b"]}, ({"w": 2.0, "b": 3.0},))


def test_what_df_returns_is_named_if_it_is_no_gradient():
    with pytest.raises(ValueError, match=r"what df returned for . must have the structure .*2\.0, not \(4\.0,\)"):
        check_derivative(lambda x: x * x, lambda x: (2.0 * x,), (2.0,))
    with pytest.raises(ValueError, match=r"what df returned for x must have the structure of x, 2\.0, not None"):
        check_derivative(lambda x: x * x, lambda x: None, (2.0,))
    with pytest.raises(TypeError, match=r"a number that df returned: expected a real number, got \(4\+0j\)"):
        check_derivative(lambda x: x * x, lambda x: 2 * x + 0j, (2.0,))


def test_functions_may_change_what_they_are_given():
    def f(xs):
        xs[0] = xs[0] * xs[1]
        xs.append(1.0)
        return xs[0] * xs[1]

    xs = [1.5, 2.0]
    check_grads(f, (xs,))
    assert xs == [1.5, 2.0]

    def df(p):
        slope = {"w": 2.0 * p["w"]}
        p["w"] = 9.0
        return slope

    check_derivative(lambda p: p["w"] ** 2, df, ({"w": 3.0},))
    assert "of f with respect to p['w'] is wrong\n  df             18.0" in complaint(
        check_derivative, lambda p: p["w"] ** 2, lambda p: (p.update(w=9.0), {"w": 2.0 * p["w"]})[1], ({"w": 3.0},)
    )


@pytest.mark.parametrize("check", [check_grads, lambda f, args: check_derivative(f, f, args)])
def test_what_is_no_function_of_numbers_is_refused(check):
    count = iter(range(100))
    with pytest.raises(ValueError, match=r"f returned 0\.0 and then, for the same arguments, another"):
        check(lambda x: x * next(count), (1.0,))
    for nothing in ([], {}, ()):
        with pytest.raises(ValueError, match="there is no number in what f returned"):
            check(lambda x, nothing=nothing: nothing, (1.0,))
    for single in (np.float32, lambda x: np.array([x], dtype=np.float32), lambda x: {"y": [np.float16(x)]}):
        with pytest.raises(TypeError, match=r"f computes with float(32|16); a slope can be told with float64 only"):
            check(single, (1.3,))


def test_numbers_too_small_for_a_step_by_a_share_of_them_are_taken_for_zero():
    """The example of a long run: the second derivative of hypot(x, 3) at 2e-311."""
    check_grads(lambda x: mg.hypot(x, 3.0), (2.225073858507e-311,))
    assert "with respect to x is wrong" in complaint(check_grads, lambda x: mg.sin(constant(x)), (2.225073858507e-311,))


def test_nan_and_infinity_are_wrong_and_not_off_by_a_number():
    text = complaint(check_derivative, math.sin, lambda x: math.nan, (1.0,))
    assert "the derivative of sin with respect to x is nan\n  df             nan\n" in text
    assert "  df             inf, off by inf times" in complaint(check_derivative, math.sin, lambda x: math.inf, (1.0,))
