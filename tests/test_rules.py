"""The page of calculus: every rule against sympy, every template against its rule, and what happens at the edges."""

import itertools
import math
import re
from math import inf, nan
from pathlib import Path

import pytest
import sympy

import micrograd_plus as mg
from micrograd_plus import Value, derivative, functions, grad
from micrograd_plus.rules import FUNCTIONS, RULES, Rule

PAGE = Path(__file__).parent.parent / "docs" / "accuracy.md"
NAMES = ["a", "b", "c", "p", "q", "r"]


def arity(rule):
    """How many operands to try the rule with: three for each sequence."""
    return 3 * rule.sequences or 1 + ("{y}" in rule.template)


def same(a, b):
    return a == b or (a != a and b != b)


# Against sympy --------------------------------------------------------------------------------------------------------


def sympy_floor(x):
    return x - sympy.Rational(1, 2) + sympy.atan(sympy.cot(sympy.pi * x)) / sympy.pi  # sympy has no slope for its floor


def sympy_softmax(xs):
    return [sympy.exp(x) / sum(map(sympy.exp, xs)) for x in xs]


# Sympy's own functions, and a line for each operation that has another name there, or none, and no formula as template.
SYMPY = vars(sympy) | {
    "abs": sympy.Abs,
    "pow": sympy.Pow,
    "mod": lambda x, y: x - y * sympy_floor(x / y),
    "step": lambda x: (1 + sympy.sign(x)) / 2,
    "floor": sympy_floor,
    "ceil": lambda x: -sympy_floor(-x),
    "maximum": lambda x, y: (x + y + sympy.Abs(x - y)) / 2,
    "minimum": lambda x, y: (x + y - sympy.Abs(x - y)) / 2,
    "reciprocal": lambda x: 1 / x,
    "times": lambda x, y: x * y,
    "expm1": lambda x: sympy.exp(x) - 1,
    "log1p": lambda x: sympy.log(1 + x),
    "log2": lambda x: sympy.log(x, 2),
    "log10": lambda x: sympy.log(x, 10),
    "cbrt": lambda x: sympy.sign(x) * sympy.Abs(x) ** sympy.Rational(1, 3),
    "hypot": lambda x, y: sympy.sqrt(x**2 + y**2),
    "gaussian": lambda x, y: sympy.exp(y * x**2),
    "ndtr": lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
    "lgamma": lambda x: sympy.log(sympy.Abs(sympy.gamma(x))),
    "log_ndtr": lambda x: sympy.log(sympy.erfc(-x / sympy.sqrt(2)) / 2),
    "sinc": lambda x: sympy.sin(sympy.pi * x) / (sympy.pi * x),
    "norm": lambda xs: sympy.sqrt(sum(x**2 for x in xs)),
    "where": lambda condition, x, y: x if condition is sympy.true else y,
    "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
    "sum": sum,
    "dot": lambda xs, ys: sum(x * y for x, y in zip(xs, ys, strict=True)),
    "logsumexp": lambda xs: sympy.log(sum(map(sympy.exp, xs))),
    "softmax": sympy_softmax,
    "log_softmax": lambda xs: [sympy.log(x) for x in sympy_softmax(xs)],
}

# Multiples of 1/64 off the kinks: they are exact in binary and in decimal, and in the domain of most functions.
POINTS = {
    1: [(-2.359375,), (-0.703125,), (-0.296875,), (0.203125,), (0.796875,), (1.609375,), (3.140625,)],
    2: [(0.296875, 1.703125), (1.609375, -0.796875), (-0.703125, 2.0), (2.359375, 0.296875), (-1.296875, -3.0)],
    3: [(0.296875, -1.703125, 1.203125), (2.203125, 2.359375, -0.5), (-3.0, -1.0, -0.203125)],
    6: [(0.296875, -1.703125, 1.203125, 2.359375, -0.5, 0.796875), (-1.0, 2.0, 0.5, 3.0, 0.203125, -0.296875)],
}


def exists(name, point):
    try:
        RULES[name].partials(*point)
    except (ValueError, ArithmeticError):
        return False
    return True


# sympy has no derivative of polygamma by the order, and recurs for ever: tests/test_accuracy.py has its slopes.
@pytest.mark.parametrize("name", [name for name in RULES if name != "polygamma"])
def test_the_partials_are_the_derivatives_that_sympy_finds(name):
    rule = RULES[name]
    n = arity(rule)
    symbols = sympy.symbols(NAMES[:n], real=True)
    formula = eval(rule.program(NAMES[:n]), SYMPY | dict(zip(NAMES, symbols, strict=False)))
    slopes = [sympy.diff(formula, symbol) for symbol in symbols]
    points = [point for point in POINTS[n] if exists(name, point)]
    assert len(points) >= 2
    for point in points:
        at = dict(zip(symbols, map(sympy.Rational, point), strict=True))
        for computed, exact in zip(rule.partials(*point), [formula, *slopes], strict=True):
            number = exact.subs(at).evalf(30) if isinstance(exact, sympy.Expr) else exact
            if number.is_real:
                assert computed == pytest.approx(float(number), rel=1e-14, abs=1e-15), (point, exact)
            else:  # the power of a negative number has no slope with respect to the exponent
                assert name == "pow"
                assert math.isnan(computed)


# The template and the value -------------------------------------------------------------------------------------------

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-300, 40.0, -40.0, 800.0, -800.0, 1e200, inf, -inf, nan]


def grid(name):
    """Tuples of special operands for this operation."""
    n = arity(RULES[name])
    if n <= 2:
        return list(itertools.product(SPECIAL, repeat=n))
    return [tuple(SPECIAL[i * j % len(SPECIAL)] for j in range(1, n + 1)) for i in range(len(SPECIAL))]


def outcome(function, *arguments):
    """What the function returns, or the type of what it raises."""
    try:
        return function(*arguments)
    except (ValueError, ArithmeticError) as error:
        return type(error)


def value_of(name, xs):
    """The operation applied to floats."""
    rule = RULES[name]
    if not rule.sequences:
        return FUNCTIONS[name](*xs)
    n = len(xs) // rule.sequences
    result = FUNCTIONS[name](*[xs[i : i + n] for i in range(0, len(xs), n)])
    return result[0] if isinstance(result, list) else result


@pytest.mark.parametrize("name", RULES)
def test_the_template_is_a_program_for_the_value(name):
    program = RULES[name].program(NAMES[: arity(RULES[name])])
    for xs in grid(name):
        names = functions.KERNELS | dict(zip(NAMES, xs, strict=False)) | {"__builtins__": {}}
        result, value = outcome(eval, program, names), outcome(value_of, name, xs)
        assert same(result, value), f"{program} at {xs} is {result}, the value {value}"


@pytest.mark.parametrize("name", RULES)
def test_the_rule_has_that_value_and_never_raises_where_it_exists(name):
    for xs in grid(name):
        value, results = outcome(value_of, name, xs), outcome(RULES[name].partials, *xs)
        if isinstance(value, type):
            assert results is value, f"{name} at {xs} raises {value}, its rule gives {results}"
        else:
            assert not isinstance(results, type), f"{name} at {xs} is {value}, its rule raises {results}"
            assert same(results[0], value), f"{name} at {xs} is {value}, by its rule {results[0]}"
            assert len(results) == 1 + len(xs)
            assert all(type(result) is float for result in results), f"{name} at {xs}: {results}"


@pytest.mark.parametrize("name", [name for name in RULES if hasattr(math, name) and name != "sum"])
def test_the_value_is_that_of_math(name):
    for xs in grid(name):
        expected, value = outcome(getattr(math, name), *xs), outcome(value_of, name, xs)
        if name in ("floor", "ceil") and not math.isfinite(xs[0]):
            expected = xs[0]  # there is no infinite int, which is what math has in mind
        if expected is OverflowError:  # here, as in every product of floats, what is too large is infinite
            expected = -inf if (xs[0] < 0.0 and (name == "sinh" or xs[-1] % 2.0 == 1.0)) else inf
        near = name in ("cbrt", "gamma", "lgamma")  # some C libraries are up to 4 ulp off, and Python's gamma is
        close = near and float is type(expected) is type(value) and abs(value - expected) <= 4 * math.ulp(expected)
        assert close or same(value, expected), f"{name} at {xs} is {value}, in math {expected}"


# At the edges: the value ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_nan_in_nan_out(name):
    n = arity(RULES[name])
    for place in range(n):
        xs = [nan if i == place else 0.5 for i in range(n)]
        assert math.isnan(value_of(name, xs)), f"{name} at {xs}"
        ys = [Value(x, tangent=1.0) for x in xs]
        assert math.isnan(value_of(name, ys).data), f"{name} at {ys}"


RAISES = {
    "log": [(0.0, ValueError), (-1.0, ValueError)],
    "log1p": [(-1.0, ValueError), (-2.0, ValueError)],
    "log2": [(0.0, ValueError)],
    "log10": [(0.0, ValueError)],
    "sqrt": [(-1.0, ValueError)],
    "asin": [(1.5, ValueError)],
    "acos": [(-1.5, ValueError)],
    "acosh": [(0.5, ValueError)],
    "atanh": [(1.0, ValueError), (-1.0, ValueError)],
    "sin": [(inf, ValueError)],
    "cos": [(inf, ValueError)],
    "tan": [(-inf, ValueError)],
}


@pytest.mark.parametrize(("name", "x", "error"), [(name, x, error) for name in RAISES for x, error in RAISES[name]])
def test_the_message_of_a_value_that_does_not_exist_names_operation_label_and_number(name, x, error):
    with pytest.raises(error) as of_math:
        getattr(math, name)(x)
    with pytest.raises(error, match=rf"^{name}\(p\) at p = {re.escape(repr(x))}: {of_math.value}$"):
        getattr(mg, name)(Value(x, label="p"))
    with pytest.raises(error, match=rf"^{name}\({re.escape(repr(x))}\): {of_math.value}$"):
        grad(getattr(mg, name))(x)
    with pytest.raises(error, match=rf"^{name}\({re.escape(repr(x))}\): {of_math.value}$"):
        derivative(getattr(mg, name), n=3)(x)


@pytest.mark.parametrize(
    ("operation", "error", "message"),
    [
        (lambda p, q: p / q, ZeroDivisionError, "p / q at p = -8.0, q = 0.0"),
        (lambda p, q: p % q, ZeroDivisionError, "p % q at p = -8.0, q = 0.0"),
        (lambda p, q: q**-1, ValueError, "q ** (-1.0) at q = 0.0"),
        (lambda p, q: 0.0 ** (q - 1.0), ValueError, "0.0 ** (-1.0)"),
        (lambda p, q: p ** (1 / 3), ValueError, "p ** 0.3333333333333333 at p = -8.0"),
        (lambda p, q: p ** (q + 0.5), ValueError, "p ** 0.5 at p = -8.0"),
        (lambda p, q: (-8.0) ** (q + 0.5), ValueError, "(-8.0) ** 0.5"),
    ],
)
def test_the_message_of_two_operands_names_both(operation, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}: "):
        operation(Value(-8.0, label="p"), Value(0.0, label="q"))


def test_a_negative_number_to_a_fractional_power_is_no_complex_number():
    assert type((-8.0) ** (1 / 3)) is complex  # what Python makes of it
    for function in (lambda x: x ** (1 / 3), lambda x: (x - 7.5) ** 0.5, lambda x: mg.pow(x, 1.5)):
        with pytest.raises(ValueError, match="math domain error"):
            derivative(function)(-8.0)
        with pytest.raises(ValueError, match="math domain error"):
            grad(function)(-8.0)


# At the edges: the slopes ---------------------------------------------------------------------------------------------

EDGES = {
    # the table of the design, row by row
    "relu(0.0)": [0.0],
    "step(0.0)": [0.0],
    "sign(0.0)": [0.0],
    "floor(2.0)": [0.0],
    "ceil(2.0)": [0.0],
    "abs(0.0)": [0.0],
    "maximum(2.0, 2.0)": [0.5, 0.5],
    "minimum(2.0, 2.0)": [0.5, 0.5],
    "sqrt(0.0)": [inf],
    "cbrt(0.0)": [inf],
    "pow(0.0, 0.5)": [inf, 0.0],
    "pow(0.0, 0.0)": [0.0, 0.0],
    "pow(-2.0, 0.0)": [0.0, nan],
    "pow(0.0, 2.0)": [0.0, 0.0],
    "pow(-2.0, 3.0)": [12.0, nan],
    "hypot(0.0, 0.0)": [0.0, 0.0],
    "norm([0.0, 0.0, 0.0])": [0.0, 0.0, 0.0],
    "xlogy(0.0, 0.0)": [-inf, 0.0],
    # further choices
    "atan2(0.0, 0.0)": [0.0, 0.0],
    "asin(1.0)": [inf],
    "asin(-1.0)": [inf],
    "acos(1.0)": [-inf],
    "acos(-1.0)": [-inf],
    "acosh(1.0)": [inf],
    "leaky_relu(0.0, 0.01)": [0.01, 0.0],
    "elu(0.0, 0.5)": [0.5, 0.0],
    "mod(4.0, 2.0)": [1.0, -2.0],
}
# The exact limits, where a formula of the school overflows or gives nan.
LIMITS = {
    "relu(-0.0)": [0.0],
    "abs(-0.0)": [0.0],
    "sqrt(-0.0)": [inf],
    "cbrt(-0.0)": [inf],
    "hypot(-0.0, 0.0)": [0.0, 0.0],
    "pow(0.0, 1.0)": [1.0, 0.0],
    "pow(0.0, 1.5)": [0.0, 0.0],
    "pow(1e-200, 2.0)": [2e-200, 0.0],  # the square is 0, its slope is not
    "pow(2.0, 0.0)": [0.0, math.log(2.0)],
    "sigmoid(1e4)": [0.0],
    "sigmoid(-1e4)": [0.0],
    "softplus(1e4)": [1.0],
    "softplus(-1e4)": [0.0],
    "tanh(1e4)": [0.0],
    "tanh(-1e4)": [0.0],
    "gelu(1e4)": [1.0],
    "gelu(-1e4)": [0.0],
    "silu(1e4)": [1.0],
    "silu(-1e4)": [0.0],
    "elu(-1e4, 2.0)": [0.0, -1.0],
    "erf(1e200)": [0.0],
    "atan(1e200)": [0.0],
    "asinh(1e200)": [1e-200],
    "gaussian(1e200, -0.5)": [0.0, 0.0],
    "hypot(3e-200, 4e-200)": [0.6, 0.8],
    "norm([2e-320, 0.0, 0.0])": [1.0, 0.0, 0.0],
    "norm([0.0, 1.5e308, -0.0])": [0.0, 1.0, 0.0],
    "log_ndtr(-1e10)": [1e10],
    "log_ndtr(50.0)": [0.0],
    "sinc(0.0)": [0.0],
    "gamma(1e300)": [inf],
    "logit(1e-300)": [1e300],
    "atan2(3e200, 4e200)": [1.6e-201, -1.2e-201],
    "logsumexp([1e4, -1e4])": [1.0, 0.0],
    "logsumexp([-1e4, -1e4])": [0.5, 0.5],
    "softmax([1e4, -1e4])": [0.0, 0.0],
    "softmax([1e4, 1e4])": [0.25, -0.25],
    "log_softmax([1e4, -1e4])": [0.0, 0.0],
    "log_softmax([-1e4, 1e4])": [1.0, -1.0],
}


@pytest.mark.parametrize("call", EDGES | LIMITS)
def test_the_slope_at_an_edge_is_the_documented_one_in_both_modes(call):
    number = re.compile(r"(?<!\w)-?\d[\d.e-]*")
    program, numbers = number.sub("{}", call), [float(text) for text in number.findall(call)]

    def function(*xs):
        names = NAMES[: len(xs)]
        result = eval(program.format(*names), FUNCTIONS | dict(zip(names, xs, strict=True)))
        return result[0] if isinstance(result, list) else result

    for i, slope in enumerate((EDGES | LIMITS)[call]):
        seeded = [Value(x, tangent=float(i == j)) for j, x in enumerate(numbers)]
        result = function(*seeded)
        result.backward()
        reverse = grad(function, argnums=i)(*numbers)
        forward = derivative(lambda x: function(*numbers[:i], x, *numbers[i + 1 :]))(numbers[i])  # noqa: B023
        for computed in (result.tangent, seeded[i].grad, reverse, forward):
            assert same(computed, slope) or computed == pytest.approx(slope, rel=1e-15, abs=0.0)


def test_the_docs_tell_the_slopes_at_the_edges():
    table = PAGE.read_text(encoding="utf-8").partition("| at | slopes | why |")[2].partition("\n\n")[0]
    told = {}
    for row in table.splitlines()[2:]:
        calls, slopes, why = [cell.strip() for cell in row.strip("|").split("|")]
        assert why
        for call in re.findall(r"`([^`]+)`", calls):
            told[call] = [float(slope) for slope in slopes.strip("`").split(", ")]
    assert told.keys() == EDGES.keys()
    for call in told:
        assert all(map(same, told[call], EDGES[call])), call


def test_the_second_slope_of_a_root_at_zero_is_minus_infinity_however_it_is_written():
    for root in (mg.sqrt, lambda x: x**0.5, lambda x: x**0.25, lambda x: x**0.75):
        assert derivative(root, 2)(0.0) == grad(grad(root))(0.0) == -inf


def test_what_else_is_known_of_a_rule_is_said_by_name():
    with pytest.raises(TypeError, match="positional arguments"):
        Rule("cube", "{x} * {x} * {x}", lambda x: (x**3, 3.0 * x * x), "cube")


def test_a_power_too_small_to_have_all_digits_has_a_slope_with_all_of_them():
    slope = derivative(lambda x: x**107.0)(0.00125)  # of the number 2.3e-311; the slope is by mpmath
    assert slope == pytest.approx(2.003757479808265305e-306, rel=1e-15, abs=0.0)


def test_an_angle_has_its_slopes_on_the_unit_circle():
    points = [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)]
    assert [mg.grad(mg.atan2, (0, 1))(y, x) for y, x in points] == [(x, -y) for y, x in points]


def test_a_product_with_a_logarithm_has_its_slopes_at_one_and_at_zero():
    assert [mg.grad(mg.xlogy, 1)(x, 2.0) for x in (1.0, -1.0)] == [0.5, -0.5]
    assert mg.grad(mg.xlogy, (0, 1))(0.0, 0.0) == (-inf, 0.0)


@pytest.mark.parametrize("x", [0.0, -0.5, -1.0, -2.0])
def test_what_a_rectifier_cuts_off_meets_no_infinity(x):
    assert mg.grad(lambda x: mg.sqrt(mg.relu(x)))(x) == 0.0  # where 0 would meet infinity, with a warning


def test_a_leak_is_a_hundredth_and_an_elu_ends_at_minus_one():
    assert mg.value_and_grad(mg.leaky_relu)(-2.0) == (-0.02, 0.01)
    assert mg.elu(-100.0) == mg.elu(Value(-100.0)).data == -1.0
    assert mg.leaky_relu(Value(-2.0)).data == -0.02
