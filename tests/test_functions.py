"""The functions over floats, over complex numbers, and over Values."""

import cmath
import math
import operator
from fractions import Fraction
from math import inf, nan

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpc

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.functions import KERNELS, is_real, over_numbers, real
from micrograd_plus.machinery.digits import times
from micrograd_plus.rules import FUNCTIONS, RULES

# Python has no complex error function, nor gamma function:
REAL_ONLY = ["erf", "erfc", "gelu", "ndtr", "log_ndtr", "gamma", "lgamma", "polygamma"]
SEQUENCES = [name for name, rule in RULES.items() if "[{" in rule.template]


def call(name, xs):
    """The operation on these operands; of a list of results, the first."""
    if name not in SEQUENCES:
        return FUNCTIONS[name](*xs)
    n = len(xs) // RULES[name].template.count("[{")
    result = FUNCTIONS[name](*[xs[i : i + n] for i in range(0, len(xs), n)])
    return result[0] if isinstance(result, list) else result


def operand_lists(name):
    """Some operands off the kinks, in the domain."""
    if name in SEQUENCES:
        return [(0.3, -1.7, 1.2, 2.4, -0.5, 0.8), (-20.0, 3.0, 2.5, 0.3, -0.2, 40.0)]
    if "{y}" in RULES[name].template:
        return [(0.3, 1.7), (1.6, -0.8), (2.4, 0.3), (-1.3, -3.0), (-0.7, 2.0), (30.0, -0.02)]
    return [(x,) for x in (-30.0, -2.3, -0.7, -0.3, 0.2, 0.8, 1.6, 3.1, 25.0)]


# Over floats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "x", "result"),
    [
        (mg.abs, -0.0, 0.0),
        (mg.sign, -0.0, 0.0),
        (mg.sign, -1e-300, -1.0),
        (mg.sign, inf, 1.0),
        (mg.step, 0.0, 0.0),
        (mg.step, 5e-324, 1.0),
        (mg.floor, -1e-300, -1.0),
        (mg.ceil, 1e-300, 1.0),
        (mg.floor, 1e300, 1e300),
        (mg.floor, -inf, -inf),
        (mg.reciprocal, 0.0, inf),
        (mg.reciprocal, -inf, 0.0),
        (mg.relu, -inf, 0.0),
        (mg.elu, -inf, -1.0),
        (mg.sigmoid, -inf, 0.0),
        (mg.sigmoid, inf, 1.0),
        (mg.sigmoid, -1e4, 0.0),
        (mg.softplus, 1e4, 1e4),
        (mg.softplus, -1e4, 0.0),
        (mg.softplus, inf, inf),
        (mg.tanh, 1e4, 1.0),
        (mg.gelu, 1e4, 1e4),
        (mg.gelu, -1e4, 0.0),
        (mg.silu, -1e4, 0.0),
    ],
)
def test_values_at_the_ends_and_jumps(function, x, result):
    assert function(x) == result
    assert function(Value(x)).data == result


@pytest.mark.parametrize(("x", "y"), [(-1e200, 3.0), (-0.5, -2001.0), (-1e200, 2.0), (1e200, 3.0)])
def test_a_power_that_overflows_is_infinite_with_the_sign_of_the_exact_one(x, y):
    sign = -1.0 if x < 0.0 and y % 2.0 == 1.0 else 1.0
    assert mg.pow(x, y) == sign * inf == float(mpmath.mpf(x) ** y)


def test_the_derivatives_of_lgamma_fade_and_its_slope_grows():
    ends = [mg.polygamma(float(n), inf) for n in range(4)]
    assert ends == [inf, 0.0, 0.0, 0.0]
    assert [math.copysign(1.0, x) for x in ends] == [1.0, 1.0, -1.0, 1.0]  # as of polygamma(n, 1e300)


def test_numbers_of_all_kinds_become_floats():
    numpy = pytest.importorskip("numpy")
    for number in (4, True, Fraction(1, 2), numpy.float32(0.5), numpy.int64(9), numpy.array(4.0)[()]):
        assert mg.sqrt(number) == math.sqrt(number)
        assert type(mg.sqrt(number)) is float
        assert mg.maximum(number, 0) == float(number)
        assert mg.sum([number, 1]) == float(number) + 1.0


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (lambda: mg.exp("3"), "exp: expected a number, got '3' (str)"),
        (lambda: mg.exp(None), "exp: expected a number, got None (NoneType)"),
        (lambda: mg.exp([1.0]), "exp: expected a number, got [1.0] (list)"),
        (lambda: mg.maximum(1.0, "2"), "maximum: expected a number, got '2' (str)"),
        (lambda: mg.maximum("2", 1.0), "maximum: expected a number, got '2' (str)"),
        (lambda: mg.sum(["3"]), "sum: expected a number, got '3' (str)"),
        (lambda: mg.softmax(["3", 1.0]), "softmax: expected a number, got '3' (str)"),
        (lambda: mg.dot([1.0], ["3"]), "dot: expected a number, got '3' (str)"),
        (lambda: mg.maximum(Value(1.0), "2"), "maximum: expected a number, got '2' (str)"),
        (lambda: mg.sum([Value(1.0), None]), "sum: expected a number, got None (NoneType)"),
        (lambda: real("3", "w"), "w: expected a number, got '3' (str)"),
    ],
)
def test_what_is_no_number_is_named(program, message):
    with pytest.raises(TypeError) as raised:
        program()
    assert str(raised.value) == message


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_what_says_that_it_is_no_number_is_none(error):
    class Almost:
        def __float__(self):
            raise error("not today")

    with pytest.raises(TypeError, match=r"sin: expected a number, got .*Almost"):
        mg.sin(Almost())


def test_an_array_of_one_number_is_no_number_and_text_in_an_array_neither():
    assert is_real(np.array(2.0))
    assert not is_real(np.ones(1))
    assert not is_real(np.array("2"))


def test_where_chooses_among_numbers_of_any_kind():
    x = Value(2.0)
    assert mg.where(True, 1.0, 2.0) == 1.0
    assert mg.where(False, 1.0, 2j) == 2j
    assert mg.where(x > 1.0, x, 0.0) is x
    assert mg.where(x < 1.0, x, 0.0) == 0.0
    mg.where(x > 1.0, x * x, mg.log(x)).backward()
    assert x.grad == 4.0


# Over complex numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in RULES if name not in REAL_ONLY])
def test_a_complex_step_gives_the_partials(name):
    """f(x + ih) = f(x) + ih f'(x) + ..., without a difference in which digits are lost (Squire and Trapp, 1998)."""
    tried = 0
    for xs in operand_lists(name):
        try:
            _, *partials = RULES[name].partials(*xs)
        except (ValueError, ArithmeticError):
            continue
        for i, partial in enumerate(partials):
            if math.isnan(partial):
                continue
            steps = [complex(x, 1e-200 * (i == j)) if i == j else x for j, x in enumerate(xs)]
            slope = complex(call(name, steps)).imag / 1e-200
            assert slope == pytest.approx(partial, rel=1e-13, abs=1e-300), (xs, i)
            tried += 1
    assert tried >= 2


POINTS = [0.3 + 0.4j, -0.6 + 0.7j, 1.7 - 0.2j, -2.1 - 1.3j, 0.01 + 2.5j, 1e-9 - 1e-9j]


def complex_root(z):
    return mpmath.cbrt(z) if z.real >= 0 else -mpmath.cbrt(-z)  # the branch that is real where z is


ANALYTIC = {
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "log2": lambda z: mp.log(z, 2),
    "log10": lambda z: mp.log(z, 10),
    "sqrt": mp.sqrt,
    "cbrt": complex_root,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "reciprocal": lambda z: 1 / z,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "softplus": lambda z: mp.log(1 + mp.exp(z)),
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "neg": operator.neg,
    "pow": mp.power,
    "gaussian": lambda z, w: mp.exp(w * z**2),
    "atan2": lambda y, x: 2 * mp.atan(y / (mp.sqrt(x * x + y * y) + x)),
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "sum": lambda *zs: mp.fsum(zs),
    "dot": lambda a, b, c, d: a * c + b * d,
    "logsumexp": lambda *zs: mp.log(sum(map(mp.exp, zs))),
    "softmax": lambda *zs: mp.exp(zs[0]) / sum(map(mp.exp, zs)),
    "log_softmax": lambda *zs: zs[0] - mp.log(sum(map(mp.exp, zs))),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_off_the_real_line_the_functions_are_the_analytic_ones(name):
    n = 4 if name in SEQUENCES else 1 + ("{y}" in RULES[name].template)
    for i in range(len(POINTS)):
        zs = [POINTS[(i + 2 * j) % len(POINTS)] for j in range(n)]
        with mp.workdps(30):
            exact = complex(ANALYTIC[name](*map(mpc, zs)))
        assert abs(call(name, zs) - exact) <= 1e-14 * abs(exact), zs


@pytest.mark.parametrize("name", [name for name in REAL_ONLY if name != "polygamma"])
def test_an_operation_without_a_complex_form_says_so(name):
    with pytest.raises(TypeError, match=r"there is no complex \w+ here, got \(1\+2j\)|got \(\(1\+2j\),\)"):
        FUNCTIONS[name](1 + 2j)


def test_kinks_and_jumps_choose_by_the_real_part():
    h = 1e-200j
    assert mg.maximum(1.0 + h, 2.0) == 2.0
    assert mg.maximum(2.0 + h, 1.0) == mg.minimum(2.0 + h, 3.0) == mg.relu(2.0 + h) == 2.0 + h
    assert mg.abs(-2.0 + h) == 2.0 - h
    assert mg.floor(2.5 + h) == 2.0
    assert mg.mod(5.5 + h, 2.0) == 1.5 + h
    assert cmath.isnan(mg.maximum(1.0, complex(nan, 0.0)))
    assert cmath.isnan(mg.minimum(complex(nan, 0.0), 1.0))


# Over sequences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_sequences_may_be_anything_that_can_be_iterated(kind):
    assert mg.sum(kind([1.0, 2.0])) == 3.0
    assert mg.dot(kind([1.0, 2.0]), kind([3.0, 4.0])) == 11.0
    assert mg.mean(kind([1.0, 2.0])) == 1.5
    assert mg.softmax(kind([1.0, 1.0])) == [0.5, 0.5]


def test_a_sum_is_rounded_once():
    assert mg.sum([1e16, 1.0, -1e16]) == 1.0
    assert mg.sum([Value(1e16), 1.0, -1e16]).data == 1.0
    assert mg.sum([0.1] * 10) == 1.0
    assert mg.sum([1e16 + 1j, 1.0, -1e16]) == 1.0 + 1j
    assert mg.mean([1e16, 1.0, -1e16, 2.0]) == 0.75


def test_empty_sequences():
    assert mg.sum([]) == mg.dot([], []) == 0.0
    assert mg.logsumexp([]) == -inf
    assert mg.softmax([]) == mg.log_softmax([]) == []
    with pytest.raises(ZeroDivisionError):
        mg.mean([])


def test_the_sequences_of_a_dot_product_have_one_length():
    for ys in ([1.0], [], [Value(1.0), 2.0, 3.0]):
        with pytest.raises(ValueError, match=rf"^dot: the sequences have different lengths, 2 and {len(ys)}$"):
            mg.dot([1.0, 2.0], ys)


FAR = [
    ([1e4, -1e4], 1e4, [1.0, 0.0], [0.0, -2e4]),
    ([1e4, 1e4], 1e4 + math.log(2.0), [0.5, 0.5], [-math.log(2.0)] * 2),
    ([-1e4, -1e4], -1e4 + math.log(2.0), [0.5, 0.5], [-math.log(2.0)] * 2),
    ([0.0, -745.0], math.exp(-745.0), [1.0, math.exp(-745.0)], [-math.exp(-745.0), -745.0]),
    ([inf, 1.0], inf, [1.0, 0.0], [0.0, -inf]),
    ([1.0, -inf], 1.0, [1.0, 0.0], [0.0, -inf]),
    ([-inf], -inf, [nan], [nan]),
    ([inf, inf], inf, [0.5, 0.5], [-math.log(2.0)] * 2),
    ([-inf, -inf], -inf, [nan, nan], [nan, nan]),
    ([nan, 1.0], nan, [nan, nan], [nan, nan]),
    ([1.0, nan], nan, [nan, nan], [nan, nan]),
    ([-inf, nan, inf], nan, [nan] * 3, [nan] * 3),
]


@pytest.mark.parametrize("kind", [float, Value])
@pytest.mark.parametrize(("xs", "logsumexp", "softmax", "log_softmax"), FAR, ids=[str(row[0]) for row in FAR])
def test_shares_far_out_are_their_limits(xs, logsumexp, softmax, log_softmax, kind):
    def number(x):
        return x.data if isinstance(x, Value) else x

    zs = [kind(x) for x in xs]
    assert number(mg.logsumexp(zs)) == pytest.approx(logsumexp, rel=1e-15, abs=0.0, nan_ok=True)
    assert [number(z) for z in mg.softmax(zs)] == pytest.approx(softmax, rel=1e-15, abs=0.0, nan_ok=True)
    assert [number(z) for z in mg.log_softmax(zs)] == pytest.approx(log_softmax, rel=1e-15, abs=0.0, nan_ok=True)


@pytest.mark.parametrize("name", [*SEQUENCES, "mean"])
def test_values_and_floats_may_be_mixed_in_a_sequence(name):
    numbers = [0.5, 2.0, -1.0, 0.25]

    def run(xs):
        result = FUNCTIONS[name](xs[:2], xs[2:]) if name == "dot" else FUNCTIONS[name](xs)
        return list(result) if isinstance(result, list) else [result]

    floats = run(numbers)
    for places in ([0], [3], [1, 2], [0, 1, 2, 3]):
        mixed = [Value(x, tangent=1.0, label=f"x{i}") if i in places else x for i, x in enumerate(numbers)]
        full = [Value(x, tangent=float(i in places)) for i, x in enumerate(numbers)]
        for result, number, whole in zip(run(mixed), floats, run(full), strict=True):
            assert result.data == number
            assert result.tangent == pytest.approx(whole.tangent, rel=1e-14, abs=1e-16)
            for x in mixed:
                if isinstance(x, Value):
                    x.grad = 0.0
            result.backward()
            gradients = sum(x.grad for x in mixed if isinstance(x, Value))
            assert gradients == pytest.approx(result.tangent, rel=1e-14, abs=1e-16)


def test_every_operation_has_a_kernel_over_floats():
    assert set(RULES) - set(KERNELS) == set()


def test_where_asks_a_condition_that_can_choose_for_itself():
    class Both:
        """A condition that is not decided yet, as in a program that is being recorded."""

        def where(self, x, y):
            return [x, y]

    assert mg.where(Both(), 1.0, 2.0) == [1.0, 2.0]
    assert mg.where(mg.Value(0.0), 1.0, 2.0) == 2.0


def test_the_second_derivative_of_elu_at_its_joint_is_that_of_the_left_side():
    assert mg.derivative(mg.elu, n=2)(0.0) == 1.0
    assert mg.derivative(mg.elu, n=2)(1e-300) == 0.0


@pytest.mark.parametrize("number", [2.0, 2, mg.Value(2.0), 2.0 + 0j])
@pytest.mark.parametrize(
    ("name", "arity"), [("sin", 1), ("log2", 1), ("relu", 1), ("mod", 2), ("maximum", 2), ("atan2", 2)]
)
def test_a_function_takes_as_many_numbers_of_one_kind_as_of_another(name, arity, number):
    for wrong in {1, 2, 3} - {arity}:
        with pytest.raises(TypeError, match=rf"^{name}\(\) (takes|missing) "):
            getattr(mg, name)(*[number] * wrong)


def test_the_slopes_of_a_length_at_the_origin_are_zero_in_every_order():
    for n in (1, 2, 3):
        assert mg.derivative(lambda x: mg.hypot(x, 0.0), n)(0.0) == 0.0
        assert mg.derivative(lambda x: mg.atan2(x, 0.0), n)(0.0) == 0.0


def test_an_integer_too_large_for_a_float_is_named():
    for f in (mg.Value, mg.exp, lambda n: mg.Value(1.0) * n, lambda n: n - mg.Value(1.0), mg.grad(mg.exp)):
        for number in (2**2000, Fraction(2**2000)):
            with pytest.raises(OverflowError, match=rf": the {type(number).__name__} is too large for a float"):
                f(number)


def test_a_dot_product_of_numbers_too_large_to_be_split_is_still_their_product():
    assert mg.dot([1e305], [1e-300]) == 1e305 * 1e-300
    assert mg.dot([1e200, 1.0], [1e200, 1.0]) == inf


def test_the_cube_root_of_an_imaginary_number_is_the_principal_one():
    assert mg.cbrt(8j) == pytest.approx(math.sqrt(3.0) + 1j, rel=1e-15)
    assert mg.cbrt(-8j) == pytest.approx(math.sqrt(3.0) - 1j, rel=1e-15)


def test_a_slope_times_one_or_zero_makes_no_node_of_an_outer_level():
    outer = Value(2.0)
    assert times(1.0, outer) is times(outer, 1.0) is outer
    assert type(times(0.0, outer)) is type(times(outer, 0.0)) is float


def test_of_two_equal_real_parts_the_second_operand_is_taken_so_that_a_rectifier_is_flat_at_zero():
    h = 1e-200j
    assert mg.maximum(h, 0.0) == mg.minimum(h, 0.0) == mg.relu(h) == 0.0
    assert mg.maximum(0.0, h) == mg.minimum(0.0, h) == h


def test_the_absolute_value_of_a_zero_of_either_sign_is_plus_zero():
    for zero in (0.0, -0.0):
        assert math.copysign(1.0, mg.abs(zero)) == math.copysign(1.0, mg.abs(Value(zero)).data) == 1.0


def test_how_many_operands_a_function_takes_is_said_by_name():
    with pytest.raises(TypeError, match="positional arguments"):
        over_numbers("nothing", math.hypot, None, 2)


@pytest.mark.parametrize("c", [-1e308, -1e301, -1.0, -1e-308, 0.0, 1e301])
def test_the_top_of_a_bell_is_1_however_steep_it_is(c):
    assert FUNCTIONS["gaussian"](0.0, c) == FUNCTIONS["gaussian"](-0.0, c) == 1.0
