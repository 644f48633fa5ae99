"""Series: every order from the same rules, against nesting and 50 digits; nested in everything; at singular points."""

import copy
import gc
import math
import pickle
import threading

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_orders import CASES, DIRECTIONS, FIRST, NAMES, along, near, nested

import micrograd_plus as mg
from micrograd_plus import Value, derivative, derivatives, grad, jit, series, stop_gradient, taylor
from micrograd_plus.rules import RULES
from micrograd_plus.series import Series, solution
from micrograd_plus.testing.strategies import expressions, points

mp = mpmath.mp.clone()
mp.dps = 50
N = 20
SINGULAR = {"abs", "sign", "step", "floor", "ceil", "maximum", "minimum", "relu", "leaky_relu", "elu", "mod"}


def exact(f, x, n):
    """The coefficients of the Taylor series at 50 digits."""
    return [mp.re(c) for c in mp.taylor(f, mp.mpf(x), n)]


def is_near(found, truth, digits=1e-13):
    """Whether each coefficient is as near to the truth as the largest of it and its neighbours allows."""
    for k, c in enumerate(found):
        scale = max(abs(t) for t in truth[max(k - 1, 0) : k + 2])
        assert abs(c - truth[k]) <= digits * scale + mp.mpf(10) ** -35, k
    return len(found) == len(truth)


# The rules ------------------------------------------------------------------------------------------------------------


# Their slopes are quotients, with coefficients that fall faster than those of the parts do: each is as near as the
# largest one allows.
QUOTIENTS = {"log_ndtr", "sinc"}


@pytest.mark.parametrize(("name", "point", "direction"), CASES)
def test_every_operation_has_the_series_of_50_digits(name, point, direction):
    truth = exact(along(name, tuple(map(mp.mpf, point)), direction), 0, N)
    found = taylor(along(name, point, direction), 0.0, N)
    if name in QUOTIENTS:
        assert is_near(found[:5], truth[:5])
        assert all(abs(c - t) <= 1e-13 * max(map(abs, truth)) for c, t in zip(found, truth, strict=True))
    else:
        assert is_near(found, truth)


@pytest.mark.parametrize(("name", "point", "direction"), CASES)
def test_all_derivatives_at_once_are_those_by_nesting(name, point, direction):
    f = along(name, point, direction)
    expected = [f(0.0), *[nested(f, "f" * n)(0.0) for n in range(1, 5)]]
    assert derivatives(f, 4)(0.0) == [near(number) for number in expected]


# x**y has the slope y · x**(y - 1), until the exponent is below 1/2; with a variable y, for ever. That of a polygamma
# function is the next one.
GROWING = {"pow", "gamma", "lgamma"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in GROWING])
def test_the_slopes_of_slopes_come_to_an_end(name, monkeypatch):
    made = []
    init = Series.__init__
    monkeypatch.setattr(
        Series, "__init__", lambda self, *args, **more: (made.append(self), init(self, *args, **more))[1]
    )

    def nodes(n):
        made.clear()
        taylor(along(name, FIRST[name], DIRECTIONS[len(FIRST[name])][-1]), 0.0, n)
        return len(made)

    assert nodes(6) == nodes(16)


@given(st.data())
def test_random_programs_have_the_series_of_50_digits(data):
    f = data.draw(expressions([name for name in RULES if name not in SINGULAR], ["x"], max_size=8))
    (x,) = data.draw(points(f))
    truth = exact(f, x, 8)
    assert is_near(taylor(f, x, 8), truth, 1e-8)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_a_polynomial_ends(n):
    assert taylor(lambda x: (x - 1.0) * (x + 3.0) / 2.0, 1.0, n) == [0.0, 2.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0][: n + 1]


def test_the_result_may_be_the_argument_or_a_constant():
    assert taylor(lambda x: x, 3.0, 3) == [3.0, 1.0, 0.0, 0.0]
    assert taylor(lambda x: 7, 3.0, 3) == [7.0, 0.0, 0.0, 0.0]
    assert derivatives(lambda x: 7, 2)(3.0) == [7.0, 0.0, 0.0]


@pytest.mark.parametrize("n", [3, 4, 9])
def test_derivative_takes_the_third_order_and_those_above_from_there(n):
    assert derivative(mg.sin, n)(0.3) == pytest.approx(math.sin(0.3 + n * math.pi / 2), rel=1e-14)


def test_order_13_of_a_quotient():
    assert derivative(lambda x: 1.0 / (1.0 - x), 13)(0.25) == pytest.approx(math.factorial(13) / 0.75**14, rel=1e-13)


def test_a_quotient_of_what_has_no_reciprocal():
    assert derivatives(lambda x: 1e-315 / (x * 1e-310), 2)(1.0)[:2] == [pytest.approx(1e-5), pytest.approx(-1e-5)]
    assert derivatives(lambda x: 1.0 / (x * math.inf), 2)(1.0)[0] == 0.0


# Nested ---------------------------------------------------------------------------------------------------------------


def test_a_series_of_series():
    mixed = taylor(lambda x: taylor(lambda y: mg.exp(x * y), 1.0, 3)[3], 2.0, 3)  # x³ exp(x) / 6
    assert mixed == [pytest.approx(c, rel=1e-14) for c in taylor(lambda x: x**3 * mg.exp(x) / 6.0, 2.0, 3)]


def test_no_confusion_of_levels():
    """Siskind and Pearlmutter, 2005."""
    assert taylor(lambda x: x * taylor(lambda y: x + y, 1.0, 1)[1], 1.0, 2) == [1.0, 1.0, 0.0]
    assert taylor(lambda x: x * derivative(lambda y: x * y)(1.0), 3.0, 2) == [9.0, 6.0, 1.0]
    assert derivative(lambda x: x * taylor(lambda y: x * y, 1.0, 1)[1])(3.0) == 6.0


@pytest.mark.parametrize("outer", [grad, derivative])
def test_the_gradient_of_a_coefficient(outer):
    slope = outer(lambda w: taylor(lambda x: mg.tanh(w * x) / (1.0 + x), 0.5, 6)[6])(1.25)
    truth = mp.diff(lambda w: mp.taylor(lambda x: mp.tanh(w * x) / (1 + x), mp.mpf(0.5), 6)[6], mp.mpf(1.25))
    assert slope == pytest.approx(float(truth), rel=1e-10)


def test_the_series_of_a_gradient():
    found = taylor(lambda t: grad(lambda w: mg.sin(w * t) ** 2)(2.0), 0.3, 8)
    assert is_near(found, exact(lambda t: 2 * t * mp.sin(2 * t) * mp.cos(2 * t), 0.3, 8))


def test_backward_from_a_coefficient_reaches_ordinary_values():
    w = Value(2.0, tangent=1.0, label="w")
    c = taylor(lambda x: mg.sin(w * x), 0.5, 5)[5]  # w⁵ cos(w x) / 120
    c.backward()
    expected = derivative(lambda w: w**5 * mg.cos(0.5 * w) / 120.0)(2.0)
    assert w.grad == pytest.approx(expected, rel=1e-14)
    assert c.tangent == pytest.approx(expected, rel=1e-14)


def test_the_place_itself_may_be_a_value():
    x = Value(0.5)
    c = derivatives(mg.exp, 4)(x)[4]
    c.backward()
    assert x.grad == pytest.approx(math.exp(0.5), rel=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_the_coefficients_of_every_operation_have_a_gradient(name):
    f, point = along(name, FIRST[name], DIRECTIONS[len(FIRST[name])][-1]), Value(0.0)
    coefficients = derivatives(f, 4)(point)
    if isinstance(coefficients[3], Value):
        coefficients[3].backward()
    assert point.grad == near(derivatives(f, 4)(0.0)[4])


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_series_is_the_eager_one(name):
    f = along(name, FIRST[name], DIRECTIONS[len(FIRST[name])][-1])
    assert jit(derivatives(f, 4))(0.0) == [near(number) for number in derivatives(f, 4)(0.0)]


def test_a_compiled_series_is_right_on_the_other_side_of_a_choice():
    program = jit(lambda x: taylor(lambda t: mg.where(t > 1.0, t * t, mg.exp(t)), x, 3))
    assert program(2.0) == [4.0, 4.0, 1.0, 0.0]
    assert program(0.0) == [1.0, 1.0, 0.5, pytest.approx(1.0 / 6.0)]


# As a number ----------------------------------------------------------------------------------------------------------


def test_a_branch_looks_at_the_leading_coefficient():
    assert taylor(lambda x: x * x if x > 1.0 else -x, 2.0, 2) == [4.0, 4.0, 1.0]
    assert taylor(lambda x: x * x if x > 1.0 else -x, 1.0, 2) == [-1.0, -1.0, 0.0]
    assert taylor(lambda x: x if x else x + 1.0, 0.0, 1) == [1.0, 1.0]


def test_a_domain_error_says_which_operation():
    with pytest.raises(ValueError, match=r"^log\(0\.0\): "):
        taylor(lambda x: mg.log(x - 1.0), 1.0, 3)
    with pytest.raises(ZeroDivisionError, match=r"1\.0 / 0\.0"):
        taylor(lambda x: 1.0 / x, 0.0, 3)


@pytest.mark.parametrize("call", [float, int, math.sin, complex])
def test_a_series_does_not_become_a_float_in_silence(call):
    with pytest.raises(TypeError, match="without losing its gradient"):
        taylor(call, 1.0, 2)


def test_a_copy_is_the_series_itself_and_no_pickle_is_made():
    assert taylor(lambda x: copy.copy(x) * copy.deepcopy([x])[0], 3.0, 2) == [9.0, 6.0, 1.0]
    with pytest.raises(TypeError, match="cannot be pickled"):
        taylor(lambda x: pickle.loads(pickle.dumps(x)), 3.0, 2)


def test_what_escapes_is_a_number():
    kept = []
    taylor(lambda x: kept.append(x * x) or x, 3.0, 2)
    assert derivative(lambda x: x * kept[0])(2.0) == 9.0
    assert taylor(lambda x: x * kept[0], 2.0, 1) == [18.0, 9.0]
    assert stop_gradient(kept[0]) == 9.0


@pytest.mark.parametrize("n", [-1, 1.0, True, None])
def test_the_order_is_a_whole_number(n):
    for function in (taylor, lambda f, x, n: derivatives(f, n)(x), lambda f, x, n: solution(f, x, n)):
        with pytest.raises(ValueError, match="n must be a whole number from 0 up"):
            function(mg.sin, 1.0, n)


@pytest.mark.parametrize("f", [lambda x: [x], lambda x: None, lambda x: "x"])
def test_the_result_is_one_number(f):
    with pytest.raises(TypeError, match="taylor: the result of <lambda>"):
        taylor(f, 1.0, 2)
    with pytest.raises(TypeError, match="taylor: the argument"):
        taylor(mg.sin, [1.0], 2)


def test_factorials_end_at_170():
    assert derivatives(mg.exp, 170)(0.0)[-1] == pytest.approx(1.0, rel=1e-12)
    for function in (derivatives, derivative):
        with pytest.raises(ValueError, match="171! is too large for a float; taylor gives"):
            function(mg.exp, 171)(0.0)
    assert taylor(lambda x: 1.0 / (1.0 - x), 0.0, 300) == [1.0] * 301


# Singular points ------------------------------------------------------------------------------------------------------

INF = math.inf


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (mg.sqrt, 0.0, [0.0, INF, -INF, INF]),
        (lambda x: mg.sqrt(2.0 * x - 2.0), 1.0, [0.0, INF, -INF, INF]),
        (lambda x: x**1.5, 0.0, [0.0, 0.0, INF, -INF]),
        (lambda x: x**3, 0.0, [0.0, 0.0, 0.0, 6.0]),
        (lambda x: x**3, -2.0, [-8.0, 12.0, -12.0, 6.0]),
        (lambda x: x**0, 0.0, [1.0, 0.0, 0.0, 0.0]),
        (abs, 0.0, [0.0, 0.0, 0.0, 0.0]),
        (mg.relu, 0.0, [0.0, 0.0, 0.0, 0.0]),
        (lambda x: mg.maximum(x, 0.0), 0.0, [0.0, 0.5, 0.0, 0.0]),
        (lambda x: mg.hypot(x, 0.0), 0.0, [0.0, 0.0, 0.0, 0.0]),
        (lambda x: mg.atan2(x, 0.0), 0.0, [0.0, 0.0, 0.0, 0.0]),
        (lambda x: mg.where(x > 0.0, mg.sqrt(x), 0.0), 0.0, [0.0, 0.0, 0.0, 0.0]),
        (mg.tanh, 700.0, [1.0, 0.0, 0.0, 0.0]),
        (mg.softplus, -800.0, [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_at_a_singular_point_there_is_the_documented_choice(f, x, expected):
    assert derivatives(f, 3)(x) == expected


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: mg.sqrt(x) ** 2, 0.0),
        (lambda x: mg.cbrt(x) ** 3, 0.0),
        (lambda x: mg.cos(mg.acos(x)), 1.0),
        (lambda x: mg.sqrt(x**4), 0.0),
    ],
)
@pytest.mark.parametrize("outer", [lambda x: x, Value])
def test_what_zero_times_infinity_hides_is_nan_and_never_a_wrong_number(f, x, outer):
    """Zygote.jl #1101, autograd #570: these have derivatives, which the slopes do not know."""
    assert all(math.isnan(stop_gradient(c)) for c in taylor(f, outer(x), 3)[1:])


# Long, and side by side -----------------------------------------------------------------------------------------------


def test_a_chain_of_15000_operations_needs_no_recursion():
    def chain(x):
        for _ in range(5000):
            x = mg.sin(x) * 1.0001 + 0.001
        return x

    found = taylor(chain, 0.3, 3)
    assert found[:2] == [pytest.approx(c, rel=1e-12) for c in (chain(0.3), derivative(chain)(0.3))]
    assert found[2] == pytest.approx(derivative(chain, 2)(0.3) / 2.0, rel=1e-9)


def test_nothing_is_left_to_the_garbage_collector():
    def run():
        taylor(lambda x: mg.exp(mg.sin(x)) / mg.tanh(x), 0.7, 6)

    run()
    gc.collect()
    gc.disable()
    try:
        run()
        assert not any(isinstance(x, Series) for x in gc.get_objects())
    finally:
        gc.enable()


def test_two_threads_do_not_meet():
    found = {}

    def work(i):
        found[i] = [taylor(lambda x: mg.exp(i * x), 0.0, 5) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[i] == [taylor(lambda x, i=i: mg.exp(i * x), 0.0, 5)] * 20 for i in map(float, range(4)))


# Differential equations -----------------------------------------------------------------------------------------------


def test_a_pendulum_is_that_of_mpmath():
    x, v = solution(lambda y: [y[1], -mg.sin(y[0])], [1.0, 0.5], 25)
    t = 0.5
    motion = mp.odefun(lambda t, y: [y[1], -mp.sin(y[0])], 0, [mp.mpf(1), mp.mpf(0.5)])
    assert sum(c * t**k for k, c in enumerate(x)) == pytest.approx(float(motion(t)[0]), rel=1e-14)
    assert sum(c * t**k for k, c in enumerate(v)) == pytest.approx(float(motion(t)[1]), rel=1e-14)


def test_a_solution_has_the_structure_of_its_beginning():
    found = solution(lambda y: {"t": 1.0, "x": y["t"] * y["x"]}, {"x": 1.0, "t": 0.0}, 4)  # x = exp(t² / 2)
    assert found == {"x": [1.0, 0.0, 0.5, 0.0, 0.125], "t": [0.0, 1.0, 0.0, 0.0, 0.0]}
    with pytest.raises(ValueError, match="solution: y and its slope differ in structure"):
        solution(lambda y: [y[0]], [1.0, 2.0], 3)


def test_a_solution_has_a_gradient_in_its_beginning_and_in_constants():
    def at_one(y0, w):
        return mg.sum(solution(lambda y: w * y, y0, 25))  # y0 exp(w)

    assert grad(at_one, argnums=(0, 1))(2.0, 1.5) == (
        pytest.approx(math.exp(1.5), rel=1e-13),
        pytest.approx(2.0 * math.exp(1.5), rel=1e-13),
    )


def test_a_coefficient_that_is_not_known_yet_is_asked_for_in_vain():
    with pytest.raises(ValueError, match="coefficient 1 is not known yet"):
        series.extended(Series([1.0], 10**9, {}), 1)
