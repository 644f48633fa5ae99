"""A Value as a number among Python's and NumPy's numbers: making it, its operators, errors, copies and comparisons."""

import copy
import dataclasses
import math
import operator
import pickle
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import micrograd_plus as mg
from micrograd_plus import Value

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.mod, operator.pow]
SLOPES = {  # of x∘y with respect to x and y, at x = 2.5, y = 1.5
    operator.add: (1.0, 1.0),
    operator.sub: (1.0, -1.0),
    operator.mul: (1.5, 2.5),
    operator.truediv: (1.0 / 1.5, -2.5 / 1.5**2),
    operator.mod: (1.0, -1.0),
    operator.pow: (1.5 * math.sqrt(2.5), 2.5**1.5 * math.log(2.5)),
}
each_operation = pytest.mark.parametrize("operation", ARITHMETIC, ids=lambda operation: operation.__name__)


def near(numbers):
    return pytest.approx(numbers, rel=1e-15, abs=1e-15)


# Making one -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (3, 3.0),
        (True, 1.0),
        (False, 0.0),
        (0.1, 0.1),
        (Fraction(1, 3), 1 / 3),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(7), 7.0),
        (np.array(2.5), 2.5),
        (-math.inf, -math.inf),
    ],
)
def test_any_real_number_becomes_a_value_whose_data_is_a_float(number, data):
    value = Value(number)
    assert type(value.data) is float
    assert value.data == data
    assert (value.grad, value.tangent, value.label) == (0.0, 0.0, "")


@pytest.mark.parametrize(
    "number", ["3", np.str_("3"), None, 1j, np.complex64(1j), [1.0], np.ones(1), Value(1.0), object]
)
def test_what_is_no_real_number_is_refused_with_its_name_and_type(number):
    with pytest.raises(TypeError) as caught:
        Value(number)
    assert re.fullmatch(r"Value\b.*: expected a (real )?number, got .*", str(caught.value))
    assert repr(number) in str(caught.value)
    assert type(number).__name__ in str(caught.value)
    with pytest.raises(TypeError, match=type(number).__name__):
        Value(1.0, tangent=number)


def test_an_integer_too_large_for_a_float_is_an_overflow():
    with pytest.raises(OverflowError):
        Value(10**400)


@pytest.mark.parametrize("label", [3, 0, None, b"x"])
def test_a_label_that_is_no_string_is_refused_and_changes_nothing(label):
    with pytest.raises(TypeError, match=r"label: expected a string"):
        Value(1.0, label=label)
    value = Value(1.0, label="x")
    with pytest.raises(TypeError, match=repr(label)):
        value.label = label
    assert value.label == "x"


def test_a_label_belongs_to_one_value_alone():
    x, y = Value(1.0, label="x"), Value(2.0)
    total, other = x + y, x + y
    total.label = "total"
    y.label = "<b>&"
    assert [v.label for v in (x, y, total, other, y + x)] == ["x", "<b>&", "total", "", ""]
    x.label = ""
    assert x.label == ""


def test_a_tangent_is_a_float_as_the_data_is_even_if_it_is_zero():
    for zero in (0, False, Fraction(0), np.float64(0.0)):
        assert type(Value(1.0, tangent=zero).tangent) is float
    with pytest.raises(TypeError, match="tangent"):
        Value(1.0, tangent=Value(0.0))


def test_tangent_and_label_are_passed_by_name():
    with pytest.raises(TypeError, match="positional argument"):
        Value(1.0, 2.0)


def test_the_repr_shows_what_there_is():
    assert repr(Value(3)) == "Value(data=3.0, grad=0.0)"
    x = Value(0.1, tangent=2, label="it's")
    x.backward()
    assert repr(x) == 'Value(data=0.1, grad=1.0, tangent=2.0, label="it\'s")'


# Operators ------------------------------------------------------------------------------------------------------------


@each_operation
def test_two_values_give_the_number_of_two_floats_and_its_slopes(operation):
    x, y = Value(2.5), Value(1.5)
    z = operation(x, y)
    assert z.data == operation(2.5, 1.5)
    z.backward()
    assert (x.grad, y.grad) == near(SLOPES[operation])


@each_operation
def test_a_tangent_is_passed_on_if_only_one_of_the_two_operands_has_one(operation):
    x, y = Value(2.5), Value(1.5)
    assert operation(Value(2.5, tangent=2.0), y).tangent == near(2.0 * SLOPES[operation][0])
    assert operation(x, Value(1.5, tangent=2.0)).tangent == near(2.0 * SLOPES[operation][1])


@each_operation
def test_a_constant_that_equals_the_value_beside_it_is_still_a_constant(operation):
    x, y = Value(1.5, tangent=1.0), Value(1.5, tangent=1.0)
    left, right = operation(x, 1.5), operation(1.5, y)
    left.backward()
    right.backward()
    assert (x.grad, y.grad) == (left.tangent, right.tangent)
    both = operation(Value(1.5, tangent=1.0), Value(1.5, tangent=1.0))
    assert left.tangent + right.tangent == near(both.tangent)


@each_operation
def test_a_tangent_of_zero_is_none(operation):
    x, y, still = Value(2.5), Value(1.5), Value(2.0, tangent=0.0)
    for result in (operation(x, y), operation(x, still), operation(still, y), mg.hypot(still, y)):
        assert "tangent" not in repr(result)
        assert result.tangent == 0.0


@each_operation
@pytest.mark.parametrize("kind", [float, Fraction, np.float64, np.float32, lambda number: np.array(number)])
def test_a_number_of_another_kind_may_stand_on_either_side(operation, kind):
    """Above all np.float64, a float that has operators of its own: np.float64(2) * v must be a Value."""
    x, y = Value(2.5, tangent=1.0), Value(1.5, tangent=1.0)
    left, right = operation(kind(2.5), y), operation(x, kind(1.5))
    assert type(left) is type(right) is Value
    assert left.data == right.data == operation(2.5, 1.5)
    left.backward()
    right.backward()
    assert (x.grad, y.grad) == (x.grad, left.tangent) == near(SLOPES[operation])
    assert right.tangent == x.grad


@each_operation
@pytest.mark.parametrize("kind", [int, np.int64, bool])
def test_a_whole_number_may_stand_on_either_side(operation, kind):
    v = Value(2.5)
    for result, number in [(operation(kind(1), v), operation(1, 2.5)), (operation(v, kind(1)), operation(2.5, 1))]:
        assert type(result) is Value
        assert type(result.data) is float
        assert result.data == number


def test_signs_absolute_value_and_rounding_are_those_of_python():
    v = Value(-2.5)
    assert +v is v
    assert [(-v).data, abs(v).data, math.floor(v).data, math.ceil(v).data] == [2.5, 2.5, -3.0, -2.0]
    assert sum([v, v, 1]).data == -4.0


def test_augmented_assignment_makes_a_new_value():
    x = before = Value(2.0)
    x *= 3
    x += 1
    assert (before.data, x.data) == (2.0, 7.0)
    x.backward()
    assert before.grad == 3.0


# Errors ---------------------------------------------------------------------------------------------------------------


@each_operation
@pytest.mark.parametrize("other", [None, [1], (1,), {}, 1j, object])
def test_an_operand_that_is_no_real_number_is_named_with_its_type(operation, other):
    x = Value(2.5, label="x")
    for left, right in ((x, other), (other, x)):
        with pytest.raises(TypeError, match=f"{type(other).__name__} is not a real number") as caught:
            operation(left, right)
        assert repr(x) in str(caught.value)
        assert repr(other) in str(caught.value)


@each_operation
def test_numpys_complex_numbers_are_no_operands(operation):
    """Their conversion to float only warns (NumPy's ComplexWarning), and loses the imaginary part."""
    for other in (np.complex64(1j), np.complex128(1j)):
        for left, right in ((Value(2.5), other), (other, Value(2.5))):
            with pytest.raises(TypeError, match="complex"):
                operation(left, right)


def test_text_is_no_operand():
    x = Value(2.5, label="x")
    for operation in (lambda: x + "text", lambda: "text" + x, lambda: x * "text", lambda: x - "text", lambda: x ** "2"):
        with pytest.raises(TypeError, match="str is not a real number") as caught:
            operation()
        assert repr(x) in str(caught.value)
    assert f"{x!s:>40}".endswith("label='x')")


@pytest.mark.parametrize("convert", [float, int, complex, math.sin, math.sqrt, math.isnan])
def test_a_value_never_becomes_a_float_and_loses_its_gradient_silently(convert):
    with pytest.raises(TypeError):
        convert(Value(0.5, label="x"))


def test_the_error_of_a_conversion_says_what_to_write_instead():
    for convert in (float, int, complex, math.sin):
        with pytest.raises(TypeError, match=r"speed\.data .*mg\.sin\(speed\).*math\.sin\(speed\)") as caught:
            convert(Value(0.5, label="speed"))
        assert "0.5" in str(caught.value)
    with pytest.raises(TypeError, match=r"v\.data"):
        float(Value(0.5) * 2)


@pytest.mark.parametrize(
    ("operation", "error", "message"),
    [
        (lambda p, x: mg.log(p), ValueError, r"log\(p\) at p = 0\.0: .*"),
        (lambda p, x: p.log(), ValueError, r"log\(p\) at p = 0\.0: .*"),
        (lambda p, x: mg.sqrt(p - 1.0), ValueError, r"sqrt\(-1\.0\): .*"),
        (lambda p, x: mg.asin(x), ValueError, r"asin\(x\) at x = 3\.0: .*"),
        (lambda p, x: x / p, ZeroDivisionError, r"x / p at x = 3\.0, p = 0\.0: .*"),
        (lambda p, x: 2 / p, ZeroDivisionError, r"2\.0 / p at p = 0\.0: .*"),
        (lambda p, x: x / 0, ZeroDivisionError, r"x / 0\.0 at x = 3\.0: .*"),
        (lambda p, x: x % p, ZeroDivisionError, r"x % p at x = 3\.0, p = 0\.0: .*"),
        (lambda p, x: p**-1, ValueError, r"p \*\* \(-1\.0\) at p = 0\.0: .*"),
        (lambda p, x: (-x) ** 0.5, ValueError, r"\(-3\.0\) \*\* 0\.5: .*"),
        (lambda p, x: mg.log(x * -1000), ValueError, r"log\(-3000\.0\): .*"),
        (lambda p, x: mg.dot([x], [p, x]), ValueError, r"dot: the sequences have different lengths, 1 and 2"),
    ],
)
def test_an_error_names_the_operation_its_operands_and_their_numbers(operation, error, message):
    p, x = Value(0.0, label="p"), Value(3.0, label="x")
    with pytest.raises(error) as caught:
        operation(p, x)
    assert type(caught.value) is error
    assert re.fullmatch(message, str(caught.value)), str(caught.value)


def test_an_error_inside_of_transforms_is_explained_once():
    x = Value(0.0, label="p")
    for f in (mg.log, lambda y: mg.log(y * 1.0)):
        with pytest.raises(ValueError, match=r"^log\((p|0\.0)\)( at p = 0\.0)?: [^:]*$"):
            mg.derivative(mg.grad(f))(x)
        with pytest.raises(ValueError, match=r"^log\(0\.0\): [^:]*$"):
            mg.grad(mg.derivative(f))(0.0)


def test_a_refused_backward_changes_nothing():
    x = Value(2.0)
    y = x * x
    y.backward()
    for grad in ("1", None, 1j, [1.0], Value(1.0)):
        with pytest.raises(TypeError, match="backward"):
            y.backward(grad)
    assert (x.grad, y.grad) == (4.0, 1.0)


# Comparing and hashing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lt", "le", "eq", "ne", "ge", "gt"])
def test_comparisons_look_at_the_number_and_give_a_bool(name):
    compare = getattr(operator, name)
    for a in (1.0, 2.0, 3.0, math.nan):
        for other in (Value(2.0), 2, 2.0, Fraction(2)):
            assert compare(Value(a), other) is compare(a, 2.0)
            assert compare(other, Value(a)) is compare(2.0, a)
        with np.errstate(invalid="ignore"):  # NumPy 1.26 warns of nan
            assert bool(compare(Value(a), np.float64(2.0))) is compare(a, 2.0)  # NumPy's comparisons give NumPy's bools
            assert bool(compare(np.float64(2.0), Value(a))) is compare(2.0, a)


def test_a_value_equals_no_text_and_has_no_order_with_it():
    assert Value(1.0) != "1.0"
    assert Value(1.0) != None  # noqa: E711
    with pytest.raises(TypeError):
        assert Value(1.0) < "1.0"


@pytest.mark.parametrize("name", ["lt", "le", "eq", "ne", "ge", "gt"])
@pytest.mark.parametrize("D", [mg.derivative, mg.grad])
def test_comparisons_inside_of_transforms_look_at_the_numbers_of_values_of_all_levels(name, D):
    compare = getattr(operator, name)

    def outer(x):
        def inner(y):
            numbers = [(y, 2.0), (x, 3.0), (x * y, 6.0), (Value(2.0), 2.0), (Value(3.0) * x, 9.0), (6.0, 6.0)]
            for a, number in numbers:
                assert bool(a) is bool(number)
                for b, other in numbers:
                    assert compare(a, b) is compare(number, other)
            return y * x

        return D(inner)(2.0)

    assert D(outer)(3.0) == 1.0


def test_ordinary_control_flow_works():
    assert [bool(Value(x)) for x in (0.0, -0.0, 1e-300, math.nan)] == [False, False, True, True]
    values = [Value(x) for x in (2.0, -1.0, 3.0)]
    assert max(values) is values[2]
    assert [v.data for v in sorted(values)] == [-1.0, 2.0, 3.0]
    assert 3.0 in values


def test_values_of_equal_numbers_are_different_keys():
    a, b = Value(1.0), Value(1.0)
    table = {a: "a", b: "b"}
    assert (table[a], table[b], len({a, b, a})) == ("a", "b", 2)
    a.data = 5.0
    assert table[a] == "a"


# Copies ---------------------------------------------------------------------------------------------------------------


DUPLICATES = [copy.copy, copy.deepcopy, *[lambda v, p=p: pickle.loads(pickle.dumps(v, p)) for p in range(6)]]


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_copy_of_an_input_takes_number_gradient_and_label(duplicate):
    x = Value(3.0, tangent=1.0, label="x")
    (x * x).backward()
    copies = duplicate(x)
    assert (copies.data, copies.grad, copies.label) == (3.0, 6.0, "x")
    (copies * 2.0).backward()
    assert (copies.grad, x.grad) == (8.0, 6.0)


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_copy_of_a_result_would_lose_its_gradient_in_silence(duplicate):
    x = Value(3.0)
    y = x * x
    y.label = "y"
    with pytest.raises(TypeError, match=r"was computed: copy its number, y\.data, or compute it again"):
        duplicate(y)
    with pytest.raises(TypeError, match=r"copy its number, v\.data"):
        duplicate(x + 1.0)


def test_a_deep_copy_of_a_network_shares_what_the_network_shares():
    w = Value(1.0)
    layers = copy.deepcopy([[w, w], {"w": w}])
    assert layers[0][0] is layers[0][1] is layers[1]["w"] is not w


@dataclasses.dataclass
class Pair:
    a: Any
    b: Any


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda v: dataclasses.asdict(Pair(v, 1.0))["a"]])
def test_a_copy_inside_of_a_transform_is_the_value_itself(duplicate):
    """https://github.com/HIPS/autograd/issues/555"""
    slope = mg.derivative(lambda x: mg.grad(lambda y: duplicate(y) * x * y)(x))(3.0)  # of 2·x², to x
    assert (type(slope), slope) == (float, 12.0)
    assert mg.grad(lambda p: copy.deepcopy(p)[0] * p[1])([2.0, 3.0]) == [3.0, 2.0]
    assert mg.derivative(lambda x: duplicate(x) * x)(3.0) == 6.0


def test_a_value_of_a_transform_cannot_be_pickled():
    for transform in (mg.grad, mg.derivative):
        with pytest.raises(TypeError, match=r"of a transform that runs: it cannot be pickled; its number is \.data"):
            transform(lambda x: pickle.loads(pickle.dumps(x)) * x)(3.0)


# NumPy ----------------------------------------------------------------------------------------------------------------


def values(*numbers):
    return np.array([Value(x) for x in numbers])


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (np.exp, math.exp),
        (np.sqrt, lambda x: 0.5 / math.sqrt(x)),
        (np.arcsin, lambda x: 1.0 / math.sqrt(1.0 - x * x)),
        (np.arccos, lambda x: -1.0 / math.sqrt(1.0 - x * x)),
        (np.arctan, lambda x: 1.0 / (1.0 + x * x)),
        (np.arcsinh, lambda x: 1.0 / math.sqrt(1.0 + x * x)),
        (np.arctanh, lambda x: 1.0 / (1.0 - x * x)),
        (np.log1p, lambda x: 1.0 / (1.0 + x)),
        (np.abs, lambda x: 1.0),
        (np.floor, lambda x: 0.0),
        (np.ceil, lambda x: 0.0),
        (np.negative, lambda x: -1.0),
        (np.positive, lambda x: 1.0),
        (np.square, lambda x: 2.0 * x),
        (np.reciprocal, lambda x: -1.0 / (x * x)),
    ],
)
def test_numpys_functions_of_one_array_run_on_arrays_of_values(function, slope):
    numbers = [0.25, 0.75]
    array = values(*numbers)
    result = function(array)
    assert [v.data for v in result] == near(function(np.array(numbers)))
    np.sum(result).backward()
    assert [v.grad for v in array] == near([slope(x) for x in numbers])


@pytest.mark.parametrize(
    ("function", "slopes"),
    [
        (np.arctan2, (-0.5 / 6.5, -2.5 / 6.5)),
        (np.hypot, (2.5 / math.sqrt(6.5), -0.5 / math.sqrt(6.5))),
        (np.maximum, (1.0, 0.0)),
        (np.minimum, (0.0, 1.0)),
        (np.power, (-0.5 * 2.5**-1.5, 2.5**-0.5 * math.log(2.5))),
        (np.mod, (1.0, 5.0)),
    ],
)
def test_numpys_functions_of_two_arrays_run_on_arrays_of_values(function, slopes):
    x, y = values(2.5, 2.5), values(-0.5, -0.5)
    result = function(x, y)
    assert [v.data for v in result] == near([function(2.5, -0.5)] * 2)
    np.sum(result).backward()
    assert (x[1].grad, y[1].grad) == near(slopes)


def test_exp_and_matrix_product_and_sum_of_arrays_of_values_have_gradients():
    w, x = values(0.5, -1.0, 2.0, 0.25).reshape(2, 2), np.array([3.0, -2.0])
    hidden = np.exp(w @ x)
    hidden.sum().backward()
    expected = np.exp(np.array([[0.5, -1.0], [2.0, 0.25]]) @ x)
    assert [h.data for h in hidden] == near(expected)
    assert [v.grad for v in w.ravel()] == near(np.outer(expected, x).ravel())
    assert (x @ values(1.0, 2.0)).data == -1.0
    assert np.mean(values(1.0, 2.0, 6.0)).data == 3.0


@each_operation
def test_arrays_of_floats_and_of_values_mix_in_both_orders_with_values_too(operation):
    floats, v = np.array([2.5, 1.5]), Value(1.25)
    for array in (floats, values(2.5, 1.5)):
        assert [x.data for x in operation(array, v)] == [operation(2.5, 1.25), operation(1.5, 1.25)]
        assert [x.data for x in operation(v, array)] == [operation(1.25, 2.5), operation(1.25, 1.5)]
    assert [x.data for x in operation(floats, values(1.0, 2.0))] == [operation(2.5, 1.0), operation(1.5, 2.0)]
    assert [x.data for x in operation(values(1.0, 2.0), floats)] == [operation(1.0, 2.5), operation(2.0, 1.5)]


def test_functions_of_a_value_take_numpys_names_and_numpys_functions_a_value():
    v = Value(0.5)
    for name in ("arcsin", "arccos", "arctan", "arcsinh", "arctanh", "sin", "tanh", "exp"):
        assert getattr(np, name)(v).data == getattr(v, name)().data == near(getattr(np, name)(0.5))
    assert v.arctan2(0.25).data == np.arctan2(v, 0.25).data == math.atan2(0.5, 0.25)
    assert Value(2.0).arccosh().data == math.acosh(2.0)


def test_a_method_is_described_by_the_first_line_of_its_function():
    assert (Value.sin.__name__, Value.sin.__doc__) == ("sin", "The sine of x radians.")
    assert mg.sin.__doc__.startswith(Value.sin.__doc__ + "\n")


# Programs written for micrograd ---------------------------------------------------------------------------------------


def test_the_example_of_micrograds_readme_comes_out_to_the_last_bit():
    """github.com/karpathy/micrograd: the rational numbers that its floats stand for."""
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert g.data == float(Fraction(2421, 98))
    assert a.grad == pytest.approx(float(Fraction(47620, 343)), rel=2**-52)
    assert b.grad == pytest.approx(float(Fraction(221433, 343)), rel=2**-52)


def test_a_step_of_training_is_that_of_the_calculation_by_hand():
    """A neuron with a rectifier, two points, squared errors; the parameters' data are changed in place."""
    parameters = w, v, b = Value(0.5), Value(-0.25), Value(0.125)

    def loss():
        scores = [(w * x + v * y + b).relu() for x, y in ((1.0, 2.0), (2.0, 1.0))]
        return sum((score - target) ** 2 for score, target in zip(scores, [1.0, 2.0], strict=True)) * 0.5

    before = loss()
    for p in parameters:
        p.grad = 0
    before.backward()
    for p in parameters:
        p.data -= 0.125 * p.grad
    # The scores are 0.125 and 0.875, the residuals -0.875 and -1.125.
    assert before.data == 0.5 * (0.875**2 + 1.125**2)
    assert [p.grad for p in parameters] == [-0.875 - 2.25, -1.75 - 1.125, -0.875 - 1.125]
    assert [p.data for p in parameters] == [0.5 + 3.125 / 8, -0.25 + 2.875 / 8, 0.125 + 2.0 / 8]
    assert loss().data < before.data


def test_rectifiers_and_reflected_operators_do_what_micrograds_do():
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    y = (z * z).relu() + q + q * x
    y.backward()
    # z = 3x + 2 = -10, relu(z) = 0, q = zx, y = z² + zx + zx²; y' = 6z + (6x + 2) + (9x² + 4x)
    assert (y.data, x.grad) == (100.0 + 40.0 - 160.0, -60.0 - 22.0 + 128.0)
    assert [(1 - x).data, (8 / x).data, (-x).data, (x - 1).data, (x / 2).data] == [5.0, -2.0, 4.0, -5.0, -2.0]


def test_a_value_in_a_format_string_shows_its_number():
    v = Value(2.0, label="v") * 1.5
    assert f"{v:.4f}" == "3.0000"
    assert f"{v}" == str(v) == "Value(data=3.0, grad=0.0)"
    shown = []
    mg.derivative(lambda x: shown.append(f"{mg.grad(lambda y: shown.append(f'{y:.1f}') or y)(x):.1f}") or x)(7.0)
    assert shown == ["7.0", "1.0"]


def test_programs_that_walk_the_graph_by_the_names_of_micrograd_find_them():
    a, b = Value(2.0), Value(3.0)
    c = a * b + 1
    assert {x.data for x in c._prev} == {6.0}
    assert next(iter(c._prev))._prev == {a, b}
    assert (c._op, (a**2)._op, mg.tanh(a)._op, a._op, a._prev) == ("+", "**", "tanh", "", set())


def test_a_comparison_with_a_value_of_an_outer_level_is_answered_by_that_value():
    """As a condition that is being recorded must be: where(x < t, ...) is to ask t, not to look inside of it."""

    class Asked(Value):
        def __gt__(self, other):
            return f"{other} < t?"

    t, seen = Asked(1.0), []
    mg.derivative(lambda x: seen.append(x < t) or x)(2.0)
    assert seen == ["2.0 < t?"]


def test_a_value_of_a_class_of_ones_own_goes_through_every_kind_of_operation():
    class Mine(Value):
        pass

    x = Mine(2.0, tangent=1.0)
    y = mg.sin(x) * 3.0 + mg.hypot(x, Value(1.0)) + mg.sum([x, x, x]) - x
    y.backward()
    assert y.tangent == pytest.approx(3.0 * math.cos(2.0) + 2.0 / math.sqrt(5.0) + 2.0, rel=1e-15)
    assert x.grad == pytest.approx(y.tangent, rel=1e-15)


def test_inside_a_transform_there_is_no_backward():
    for transform in (mg.grad, mg.derivative):
        with pytest.raises(TypeError, match="inside of a transform there are vjp and grad for that"):
            transform(lambda x: (x * x).backward())(3.0)


def test_what_would_lose_a_gradient_says_what_to_write_with_the_label():
    for x, name in ((Value(1.0, label="w"), "w"), (Value(1.0), "v")):
        with pytest.raises(TypeError, match=rf"or {name}\.data for the number alone"):
            round(x)


def test_a_tangent_is_given_by_name():
    assert Value(data=1.0).data == 1.0
    with pytest.raises(TypeError):
        Value(1.0, 0.5)
