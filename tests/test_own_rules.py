"""`rule` for operations of one's own: modes, orders, series, programs, drawings, strategies, pickles, errors."""

import math
import pickle

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import Value, derivative, derivatives, grad, jit, rule, stop_gradient, taylor
from micrograd_plus.nn import MLP
from micrograd_plus.rules import FUNCTIONS, RULES
from micrograd_plus.testing import check_grads, complex_step
from micrograd_plus.testing.strategies import Expression, expressions, points


def define():
    """One of each kind, as the fixture of conftest.py takes them away after each test."""

    @rule("{x} * sigmoid({x})", "The swish of x: swish(0.0) is 0.0")
    def swish(x):
        s = mg.sigmoid(x)
        return swish(x), s + x * s * (1.0 - s)

    @rule(over_floats=math.lgamma)
    def loggamma(x):
        """The logarithm of the gamma function."""
        return loggamma(x), psi(x)

    @rule(over_floats=lambda x: float(mpmath.digamma(x)))
    def psi(x):
        return psi(x), psi_1(x)

    @rule(over_floats=lambda x: float(mpmath.polygamma(1, x)))
    def psi_1(x):
        return psi_1(x), mg.stop_gradient(math.nan)

    @rule(over_floats=lambda a, b, t: a + (b - a) * t, over_complex=lambda a, b, t: a + (b - a) * t)
    def lerp(a, b, t):
        return lerp(a, b, t), 1.0 - t, t, b - a

    @rule(over_floats=lambda *x: math.fsum(z * z for z in x))
    def squares(*x):
        return squares(x), *[2.0 * z for z in x]

    return swish, loggamma, lerp, squares


def test_both_modes_and_every_order_of_an_operation_made_of_others():
    swish, _, _, _ = define()
    x = Value(1.5, tangent=1.0)
    y = swish(x)
    y.backward()
    assert y.data == mg.silu(1.5)
    assert y.tangent == x.grad == pytest.approx(derivative(mg.silu)(1.5), rel=1e-14)
    assert derivatives(swish, 6)(1.5) == [pytest.approx(c, rel=1e-12) for c in derivatives(mg.silu, 6)(1.5)]
    assert derivative(derivative(derivative(swish)))(1.5) == pytest.approx(derivative(mg.silu, 3)(1.5), rel=1e-12)
    assert complex_step(swish, 1.5) == pytest.approx(x.grad, rel=1e-14)


def test_an_operation_that_is_not_made_of_others():
    _, loggamma, lerp, squares = define()
    assert grad(loggamma)(3.0) == float(mpmath.digamma(3.0))
    assert derivatives(loggamma, 2)(3.0) == [
        math.lgamma(3.0),
        float(mpmath.digamma(3.0)),
        float(mpmath.polygamma(1, 3.0)),
    ]
    assert grad(lerp, argnums=(0, 1, 2))(1.0, 5.0, 0.25) == (0.75, 0.25, 4.0)
    assert grad(squares)([1.0, 2.0]) == [2.0, 4.0]
    assert taylor(lambda x: squares([x, x * x]), 1.0, 4) == [2.0, 6.0, 7.0, 4.0, 1.0]
    with pytest.raises(TypeError, match="there is no complex loggamma"):
        loggamma(1j)


@pytest.mark.parametrize("backend", ["python"])
def test_a_program_has_it_by_its_template_or_by_a_call(backend):
    swish, loggamma, lerp, squares = define()

    def f(x, y):
        return swish(x) + loggamma(y) * lerp(x, y, 0.5) + squares([x, y])

    slope = jit(grad(f, argnums=(0, 1)), backend)
    assert slope(1.5, 3.0) == pytest.approx(grad(f, argnums=(0, 1))(1.5, 3.0), rel=1e-14)
    assert "loggamma(y)" in slope.source
    assert "swish" not in slope.source
    assert jit(derivatives(swish, 4), backend)(1.5) == pytest.approx(derivatives(swish, 4)(1.5), rel=1e-13)


def test_drawings_and_messages_name_it():
    swish, loggamma, lerp, _ = define()
    x = Value(-2.0, label="x")
    assert "lerp(x, 1, 0.5)" in mg.draw_dot(lerp(x, 1.0, 0.5)).source
    assert "swish(x)" in mg.draw_dot(swish(x)).source
    with pytest.raises(ValueError, match=r"^loggamma\(x\) at x = -2\.0: "):
        loggamma(x)


def test_docstrings():
    swish, loggamma, _, _ = define()
    assert swish.__doc__.startswith("The swish of x.\n\n    >>> swish(0.0)\n    0.0")
    assert loggamma.__doc__ == "The logarithm of the gamma function."


@given(st.data())
def test_strategies_and_checks_know_it(data):
    define()
    f = data.draw(expressions(["swish", "lerp", "squares", "mul", "sin"], max_size=6))
    check_grads(f, data.draw(points(f)), order=1)


def test_an_expression_prints_it_as_one_s_own_program_writes_it():
    define()
    f = Expression(("x",), (("sin", (0,)), ("lerp", (0, 1, 2.0))), (0.5,))
    assert str(f) == "lerp(x, mg.sin(x), 2.0)"
    assert f(0.5) == 2.0 * math.sin(0.5) - 0.5
    with pytest.raises(TypeError, match="lerp is known over floats alone"):
        f(mpmath.mpf(0.5))


def test_a_network_has_it_as_activation():
    swish, _, _, _ = define()
    ours, theirs = (MLP(2, [3, 1], activation=f, output_activation="linear", seed=1) for f in (swish, mg.silu))
    theirs = theirs.bind(ours.state_dict())
    assert ours([1.0, -2.0]).data == pytest.approx(theirs([1.0, -2.0]), rel=1e-14)


def test_its_function_goes_through_a_pickle(tmp_path, monkeypatch):
    text = (
        "from micrograd_plus import rule\n@rule('{x} * {x} * {x}')\ndef cubed(x):\n    return cubed(x), 3.0 * x * x\n"
    )
    (tmp_path / "of_my_own.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    from of_my_own import cubed

    model = pickle.loads(pickle.dumps(MLP(1, [2, 1], activation=cubed, seed=1)))
    assert pickle.loads(pickle.dumps(cubed)) is cubed
    assert model([1.0]).data == MLP(1, [2, 1], activation=cubed, seed=1)([1.0]).data


# Errors ---------------------------------------------------------------------------------------------------------------


def test_a_wrong_number_of_partials_is_seen_before_the_rule_runs():
    with pytest.raises(TypeError, match=r"the rule of twice: .* value and 1 partial derivative, .* got 3 numbers"):

        @rule("2.0 * {x}")
        def twice(x):
            return twice(x), 2.0, 0.0

    assert "twice" not in RULES


@pytest.mark.parametrize(
    "run", [lambda f: grad(f)(1.0), lambda f: derivative(f)(1.0), lambda f: taylor(f, 1.0, 3), jit]
)
@pytest.mark.parametrize(
    ("results", "found"),
    [
        *[(results, "a tuple of") for results in (2.0, (2.0,), (2.0, 2.0, 2.0), [2.0, 2.0])],
        *[((2.0, None), "a number, got None"), ((2.0, "2"), "a number, got '2'")],
    ],
)
def test_a_wrong_result_of_a_rule_names_the_rule(results, found, run):
    @rule("2.0 * {x}")
    def twice(x):
        return results

    with pytest.raises(TypeError, match=f"the rule of twice: expected {found}"):
        run(lambda x: grad(twice)(x))(1.0) if run is jit else run(twice)


@pytest.mark.parametrize("name", ["sin", "add", "where", "mean", "softmax", "array", "inf"])
def test_a_name_of_the_library_is_refused(name):
    names = {"rule": rule, "__name__": __name__}
    before = dict(RULES), dict(FUNCTIONS)
    with pytest.raises(ValueError, match=f"rule: {name} is a name of the library"):
        exec(f"@rule('2.0 * {{x}}')\ndef {name}(x):\n    return 1.0, 2.0", names)
    assert before == (RULES, FUNCTIONS)


def test_a_name_may_be_defined_again():
    @rule("2.0 * {x}")
    def scaled(x):
        return scaled(x), 2.0

    first = scaled

    @rule("3.0 * {x}")
    def scaled(x):
        return scaled(x), 3.0

    assert first(1.0) == scaled(1.0) == 3.0
    assert grad(first)(1.0) == grad(scaled)(1.0) == 3.0


def test_what_nothing_defines_is_refused():
    with pytest.raises(ValueError, match="rule: say what nothing is over floats"):

        @rule()
        def nothing(x):
            return nothing(x), 1.0

    with pytest.raises(ValueError, match="the template of nothing is written in operations, and bessel is none"):

        @rule("bessel({x})")
        def nothing(x):
            return nothing(x), 1.0

    for template, message in [
        ("{z} * {x}", r"the operands of nothing are \{x\}, \{y\}, which '\{z\} \* \{x\}' does not fit: 'z'"),
        ("{x} * {2}", "does not fit: Replacement index 2 out of range"),
        ("{x * {y}", r"the operands of nothing are \{x\}, \{y\}"),
    ]:
        with pytest.raises(ValueError, match=message):

            @rule(template)
            def nothing(x, y):
                return nothing(x, y), 1.0, 1.0

    assert "nothing" not in RULES

    with pytest.raises(TypeError, match=r"write @rule\(\.\.\.\) with parentheses"):

        @rule
        def nothing(x):
            return nothing(x), 1.0


def test_a_function_that_returns_no_number_is_named():
    @rule(over_floats=lambda x: None)
    def nowhere(x):
        return nowhere(x), 1.0

    for x in (1.0, Value(1.0)):
        with pytest.raises(TypeError, match="nowhere: expected a number, got None"):
            nowhere(x)


# stop_gradient --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_no_derivative_of_any_order_goes_through_stop_gradient(order):
    assert derivative(lambda x: x * stop_gradient(x**3), order)(2.0) == (8.0 if order == 1 else 0.0)
    nested = lambda x: x * stop_gradient(x**3)  # noqa: E731
    for _ in range(order):
        nested = grad(nested)
    assert nested(2.0) == (8.0 if order == 1 else 0.0)


def test_stop_gradient_takes_structures_and_ordinary_values_and_is_known_to_programs():
    x = Value(3.0)
    (x * stop_gradient({"a": [x]})["a"][0]).backward()
    assert x.grad == 3.0
    assert stop_gradient([1.0, 2]) == [1.0, 2]
    assert jit(grad(lambda x: x * stop_gradient(x * x)))(3.0) == 9.0
    assert grad(lambda x: derivative(lambda y: y * stop_gradient(x * y))(x))(3.0) == 0.0
    with pytest.raises(TypeError):
        stop_gradient("x")
