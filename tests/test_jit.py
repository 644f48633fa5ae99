"""jit: compiled programs say what the eager ones say, to the last bit, and are fit to be read."""

import ast
import gc
import math
import operator
import pickle
import re
import sys
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import (
    Value,
    derivative,
    grad,
    hessian,
    hvp,
    jacobian,
    jit,
    jvp,
    value_and_grad,
    vjp,
)
from micrograd_plus.jit import javascript, python
from micrograd_plus.jit.text import Text
from micrograd_plus.jit.trace import Trace
from micrograd_plus.machinery.trees import tree_leaves
from micrograd_plus.nn import MLP, Neuron, losses, mse
from micrograd_plus.testing.strategies import expressions, networks, points


def same(a, b):
    """Equal to the last bit, but for the sign of a zero; nan is equal to nan."""
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b or (math.isnan(a) and math.isnan(b))


def alone(program, *args):
    """What the program itself returns; of `program(*args)` this is not certain, as f is called where it raises."""
    program(*args)  # so that there is one
    f, program.__wrapped__ = program.__wrapped__, None
    try:
        return program(*args)
    finally:
        program.__wrapped__ = f


# The same numbers -----------------------------------------------------------------------------------------------------


@given(st.data())
def test_values_and_gradients_of_random_expressions_are_those_of_eager(data):
    f = data.draw(expressions())
    argnums = tuple(range(len(f.variables)))
    program = jit(value_and_grad(f, argnums))
    for _ in range(2):
        point = data.draw(points(f))
        assert same(alone(program, *point), value_and_grad(f, argnums)(*point)), program.source


@given(st.data())
def test_values_and_gradients_with_kinks_and_jumps_are_those_of_eager(data):
    f = data.draw(expressions(smooth=False))
    argnums = tuple(range(len(f.variables)))
    program = jit(value_and_grad(f, argnums))
    for point in (f.point, data.draw(points(f))):
        assert same(alone(program, *point), value_and_grad(f, argnums)(*point)), program.source


@given(st.data())
def test_hessians_of_random_expressions_are_those_of_eager(data):
    f = data.draw(expressions())

    def packed(xs):
        return f(*xs)

    point = list(f.point)
    compiled, eager = alone(jit(hessian(packed)), point), hessian(packed)(point)
    # Where an operation's rule chooses, eager adds up in an order that depends on the choice.
    largest = max([abs(x) for x in tree_leaves(eager) if math.isfinite(x)], default=0.0)
    for a, b in zip(tree_leaves(compiled), tree_leaves(eager), strict=True):
        assert same(a, b) or abs(a - b) <= 1e-12 * max(largest, 1.0), compiled


@given(st.data())
def test_gradients_of_random_networks_are_those_of_eager(data):
    model = data.draw(networks(outputs=1))
    x = data.draw(points(model))
    numbers = [p.data for p in model.parameters()]

    def loss(parameters):
        return mse(model.bind(parameters)(x), 0.5)

    assert same(alone(jit(value_and_grad(loss)), numbers), value_and_grad(loss)(numbers))


def test_every_transform_compiles():
    def f(x, y):
        return mg.sin(x * y) * mg.exp(-x) + y / (1.0 + x * x)

    def three(xs):
        return [xs[0] * xs[1], mg.tanh(xs[1]), xs[0] ** 3 - 2.0]

    assert jit(f)(0.5, 2.0) == f(0.5, 2.0)
    assert jit(grad(f, argnums=1))(0.5, 2.0) == grad(f, argnums=1)(0.5, 2.0)
    assert jit(derivative(derivative(mg.tanh)))(0.3) == derivative(mg.tanh, n=2)(0.3)
    x, v, c = [0.5, 2.0], [1.0, -1.0], [1.0, 2.0, 3.0]
    assert jit(lambda x, v: jvp(three, (x,), (v,)))(x, v) == jvp(three, (x,), (v,))
    assert jit(lambda x: vjp(three, x)[1](c))(x) == vjp(three, x)[1](c)
    assert jit(jacobian(three))(x) == jacobian(three)(x)
    assert jit(lambda x, v: hvp(lambda p: f(*p), (x,), (v,)))(x, v) == hvp(lambda p: f(*p), (x,), (v,))


def test_a_compiled_function_is_differentiated_and_compiled_again():
    def f(x):
        return mg.sin(x) * x

    with pytest.warns(RuntimeWarning, match=r"^jit: f is not compiled: .* jit\(grad\(f\)\) is compiled"):
        assert grad(jit(f))(0.5) == grad(f)(0.5)
    with pytest.warns(RuntimeWarning, match="is not compiled: inside of a transform"):
        assert derivative(jit(grad(jit(f))))(0.5) == derivative(grad(f))(0.5)
    assert jit(grad(jit(f)))(0.5) == grad(f)(0.5)  # the inner one is a part of the outer program
    assert jit(lambda x: jit(f)(x) + 1.0)(0.5) == f(0.5) + 1.0
    x = Value(0.5)
    jit(f)(x).backward()
    assert x.grad == grad(f)(0.5)
    assert jit(f)(0.5 + 1e-200j).imag / 1e-200 == pytest.approx(grad(f)(0.5), rel=1e-14)


def test_a_zero_keeps_its_sign():
    def plus(x):
        return mg.atan2(x + 0.0, -1.0)

    def minus(x):
        return mg.atan2(x - -0.0, -1.0)

    def minus_plus(x):
        return mg.atan2(x - 0.0, -1.0)

    def of_slope(x):  # the root of what the chain rule made
        return grad(lambda y: mg.sqrt(grad(lambda z: z * z * mg.cos(x))(y)))(x)

    for f in (plus, minus, minus_plus, grad(mg.sqrt), of_slope):
        for x in (0.0, -0.0):
            assert str(alone(jit(f), x)) == str(f(x))


# What was not taken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", [mg.sqrt, mg.log, lambda x: 1.0 / x, lambda x: x**0.5, lambda x: mg.asin(x - 1.0)])
def test_a_branch_that_was_not_taken_neither_raises_nor_poisons_the_gradient(root):
    """https://github.com/jax-ml/jax/issues/5798"""

    def f(x):
        return mg.where(x > 0.0, root(x), 0.0)

    def late(x):
        y = mg.where(x > 0.0, x, 1.0)
        return mg.where(x <= 0.0, 0.0, root(y) * root(y))

    for g in (f, late):
        program = jit(value_and_grad(g))
        assert alone(program, -1.0) == (0.0, 0.0)
        assert alone(program, 0.0) == (0.0, 0.0)
        assert alone(jit(derivative(g)), -1.0) == 0.0


def test_a_root_that_is_used_twice_on_one_side_is_only_taken_there():
    def f(x):
        r = mg.sqrt(x)
        return mg.where(x > 0.0, r * r + mg.sin(r), x)

    program = jit(value_and_grad(f))
    assert alone(program, 4.0) == value_and_grad(f)(4.0)
    assert alone(program, -1.0) == (-1.0, 1.0)
    assert alone(jit(f), -1.0) == -1.0


def test_a_condition_may_depend_on_what_other_branches_need():
    def f(x, y):
        a, b = mg.maximum(y, -y), mg.tanh(y)
        return mg.where(((a == 0.5) | (b <= 0.0)) | ((a < b) & (a != b)), x, mg.sqrt(x))

    program = jit(value_and_grad(f))
    assert alone(program, -1.0, -2.0) == (-1.0, 1.0)
    assert alone(program, 4.0, 2.0) == (2.0, 0.25)


def test_a_condition_that_has_a_value_only_in_some_cases_is_asked_for_after_these():
    def f(x, y):
        r = mg.log(x)
        return mg.where(y > 0.0, mg.where(mg.sqrt(y) > 1.0, r + r * r, 1.0), 2.0)

    program = jit(value_and_grad(f, argnums=(0, 1)))
    assert alone(program, 1.0, 4.0) == (0.0, (1.0, 0.0))
    assert alone(program, -1.0, 0.25) == (1.0, (0.0, 0.0))
    assert alone(program, -1.0, -1.0) == (2.0, (0.0, 0.0))


def test_one_condition_for_several_things_and_for_its_opposite():
    def f(x):
        r = mg.log(x)
        return mg.where(x > 0.0, mg.where(x > 0.0, x, r * r + r), 2.0)

    def g(x):
        r = mg.sqrt(x)
        return sum(mg.where(x > float(i), r * (i + 1.0), 0.0) for i in range(7))

    def h(x, y):
        a, b, c = mg.softmax([x, y, x * y])
        return mg.where(x > 1.0, a * b * c, 1.0)

    assert alone(jit(value_and_grad(f)), -1.0) == (2.0, 0.0)
    assert alone(jit(value_and_grad(f)), 3.0) == (3.0, 1.0)
    assert alone(jit(value_and_grad(g)), 2.5) == value_and_grad(g)(2.5)
    for x in (0.5, 2.0):
        assert alone(jit(value_and_grad(h)), x, 3.0) == pytest.approx(value_and_grad(h)(x, 3.0), rel=1e-15)


def test_an_entry_of_a_long_table_is_chosen_by_a_short_program():
    def squared(table, i):
        found = table[0]
        for k, x in enumerate(table):
            found = mg.where(i == k, x, found)
        return found * found

    table = [0.5 * k for k in range(400)]
    program = jit(value_and_grad(squared))
    value, gradient = alone(program, table, 7)
    assert (value, gradient) == (3.5**2, [7.0 * (k == 7) for k in range(400)])
    assert len(program.source) < 400 * 200


def test_hundreds_of_choices_in_each_other_make_a_program_that_grows_with_their_number():
    def f(x):
        y = x
        for i in range(400):
            y = mg.where(x > float(-i), y * 1.01, 0.0)
        return y

    def g(x):
        for _ in range(400):
            x = mg.where(x > 0.5, mg.sqrt(x), mg.log(x + 2.0))
        return x

    def h(x):
        y = x
        for i in range(400):
            y = mg.where(x > float(i), 0.0, mg.sin(y) * 1.01)
        return y

    for function in (f, g, h):
        program = jit(value_and_grad(function))
        assert alone(program, 0.3) == value_and_grad(function)(0.3)
        assert alone(program, 2.0) == value_and_grad(function)(2.0)
        assert len(program.source) < 400 * 300


@pytest.mark.filterwarnings("ignore:0 · ∞")
def test_an_overflow_beside_a_zero_does_not_make_a_nan():
    """What the chain rule multiplies by 0 is 0, also where it is infinite; a plain product would be nan."""

    def f(x, y):
        return mg.relu(-x) * (x * x) * y

    program = jit(value_and_grad(f, argnums=(0, 1)))
    for point in [(1e200, 2.0), (1.0, math.inf), (1.0, math.nan), (-3.0, 2.0)]:
        assert same(program(*point), value_and_grad(f, argnums=(0, 1))(*point))

    def compared(x):  # the nan would not be seen: it is not larger than 0
        return mg.where(derivative(lambda z: mg.relu(-z) * (z * z))(x) >= 0.0, 1.0, 2.0)

    assert alone(jit(compared), 1e200) == compared(1e200) == 1.0


@pytest.mark.filterwarnings("ignore:0 · ∞")
def test_zero_times_infinity_along_a_path_is_zero():
    def f(x):
        return mg.relu(x - 1.0) * mg.sqrt(x)  # at 0 the root has the slope inf, and what it is multiplied by is 0

    assert jit(grad(f))(0.0) == grad(f)(0.0) == 0.0


@pytest.mark.parametrize("bound", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("side", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("slope", [mg.step, derivative(mg.relu)])
def test_beside_the_slope_of_relu_any_number_may_be_chosen(bound, side, slope):
    def f(x):
        return mg.where(x <= bound, side, slope(x))

    for x in (-1.5, -0.5, 0.5, 1.5):
        assert jit(f)(x) == f(x)


def test_of_choices_in_choices_only_some_may_hold():
    def f(x):
        return mg.where(x > 0.0, mg.where(x > 1.0, x, 0.0), 0.0)

    for x in (-1.0, 0.5, 2.0):
        assert alone(jit(f), x) == f(x)


@pytest.mark.parametrize(
    "combined",
    [
        lambda a, b: a & b,
        lambda a, b: a | b,
        lambda a, b: a ^ b,
        lambda a, b: a & True,
        lambda a, b: a & False,
        lambda a, b: True & a,
        lambda a, b: a | True,
        lambda a, b: False | a,
        lambda a, b: a ^ True,
        lambda a, b: a == b,  # "x > 0.0 == y > 0.0" would be a chain of comparisons
        lambda a, b: (a == b) & (a != (a | b)),
    ],
)
def test_conditions_are_combined_as_bools_are(combined):
    def f(x, y):
        return mg.where(combined(x > 0.0, y > x), 1.0, 2.0)

    program = jit(f)
    for point in [(1.0, 2.0), (1.0, -2.0), (-1.0, 2.0), (-1.0, -2.0)]:
        assert alone(program, *point) == f(*point)


@pytest.mark.parametrize(
    ("guarded", "outside"),
    [
        (lambda x, r: (x > 0.0) & ((r > 1.0) & (r < 9.0)), 0.0),
        (lambda x, r: (x <= 0.0) | ((r <= 1.0) | (r >= 9.0)), -1.0),
    ],
)
def test_the_right_side_of_and_and_or_is_asked_only_if_it_matters(guarded, outside):
    def f(x):
        r = mg.sqrt(x)
        chosen = guarded(x, r)
        return mg.where(chosen, x, 0.0) + mg.where(chosen, 1.0, x)

    program = jit(f)
    assert alone(program, 4.0) == (5.0 if outside == 0.0 else 4.0)
    assert alone(program, -1.0) == (-1.0 if outside == 0.0 else 0.0)


def test_what_is_undefined_on_the_side_that_is_taken_is_never_hidden():
    """A comparison with nan is false: a program must not take the one side where f raises."""

    def compared(x, y):
        return mg.where(x > 0.0, mg.where(mg.sqrt(y) > 1.0, x, 2.0), 3.0)

    def behind_a_choice(x, y):
        root = mg.where(x > 0.0, mg.sqrt(y), 1.0)
        return mg.where(root > 1.0, x, 2.0)

    for f in (compared, behind_a_choice, value_and_grad(compared), value_and_grad(behind_a_choice, (0, 1))):
        program = jit(f)
        assert alone(program, 3.0, 4.0) == f(3.0, 4.0)
        assert tree_leaves(alone(program, -3.0, -4.0))[0] in (2.0, 3.0)  # not asked
        with pytest.raises(ValueError, match="math domain error"):
            program(3.0, -4.0)


@pytest.mark.filterwarnings("ignore:0 · ∞")
@given(st.data())
def test_a_choice_between_random_expressions_says_what_the_chosen_one_says(data):
    """Whatever the other one does at that point: raise, overflow, or be nan."""
    f, g = data.draw(expressions(smooth=False)), data.draw(expressions(smooth=False))
    x, y = data.draw(points(f)), [data.draw(st.sampled_from([0.0, -1.0, 1e200, -1e200])) for _ in g.variables]
    chosen, other = value_and_grad(f, tuple(range(len(x)))), value_and_grad(g, tuple(range(len(y))))

    def choice(c, xs, ys):
        return mg.where(c > 0.0, f(*xs), g(*ys))

    program = jit(value_and_grad(choice, (1, 2)))
    expected, slopes = chosen(*x)
    assume(all(map(math.isfinite, [expected, *slopes])))
    value, (by_x, by_y) = program(1.0, list(x), y)
    assert same(value, expected)
    assert all(a == pytest.approx(b, rel=1e-12, nan_ok=True) for a, b in zip(by_x, slopes, strict=True))
    assert by_y == [0.0] * len(y)
    try:
        expected = other(*y)[0]
    except (ValueError, ArithmeticError):
        return
    assert same(program(-1.0, list(x), y)[0], expected)


def test_what_a_condition_depends_on_is_there_before_it():
    def f(x, y):
        r = mg.exp(y)
        s = mg.where(x > 0.0, r, 2.0)
        return mg.where(s > 1.5, r * s + r, s)

    program = jit(value_and_grad(f, (0, 1)))
    for point in [(1.0, 2.0), (1.0, -2.0), (-1.0, 1.0)]:
        assert alone(program, *point) == value_and_grad(f, (0, 1))(*point)


def test_two_things_may_each_be_needed_for_the_condition_of_the_other():
    def f(x, y, a, b):
        p, q = mg.exp(x), mg.exp(y)
        return mg.where(a > 0.0, mg.where(p > 1.0, q, 0.0), 0.0) + mg.where(b > 0.0, mg.where(q > 1.0, p, 0.0), 0.0)

    program = jit(value_and_grad(f, (0, 1)))
    for point in [(0.5, 0.7, 1.0, 1.0), (0.5, -0.7, -1.0, 1.0), (-0.5, 0.7, 1.0, -1.0), (0.5, 0.7, -1.0, -1.0)]:
        assert alone(program, *point) == value_and_grad(f, (0, 1))(*point)


def log_of_labelled(x):
    y = x - 2.0
    if isinstance(y, Value):
        y.label = "shifted"
    return mg.log(y)


@pytest.mark.parametrize(
    ("f", "x"),
    [(mg.log, -1.0), (mg.sqrt, -2.0), (lambda x: 1.0 / x, 0.0), (value_and_grad(log_of_labelled), 1.0)],
)
def test_what_raises_in_the_program_raises_as_in_eager(f, x):
    with pytest.raises((ValueError, ArithmeticError)) as expected:
        f(x)
    with pytest.raises((ValueError, ArithmeticError)) as caught:
        jit(f)(x)
    assert (caught.type, str(caught.value)) == (expected.type, str(expected.value))


def test_what_f_raises_while_it_is_recorded_speaks_of_numbers():
    def f(xs, y):
        if len(xs) != 2:
            raise ValueError(f"expected two numbers, got {xs}")
        return mg.sum(xs) * y

    with pytest.raises(ValueError, match=r"^expected two numbers, got \[0\.5, 1\.0, 1\.5\]$"):
        jit(f)([0.5, 1.0, 1.5], 2.0)
    model = Neuron(1, "tanh", seed=1)
    program = jit(lambda p, xs: model.bind(p)(xs))
    with pytest.raises(ValueError, match=r"got 2: \[0\.5, 1\.5\]"):
        program([0.5, 1.0], [0.5, 1.5])
    assert program([0.5, 1.0], [0.5]) == model.bind([0.5, 1.0])([0.5])


# Structures -----------------------------------------------------------------------------------------------------------


def test_arrays_of_numbers_go_in_and_come_out():
    def f(w, x):
        return (w * x).sum() ** 2

    w, x = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.5, -1.0], [2.0, 0.25]])
    gradient = jit(grad(f))(w, x)
    assert isinstance(gradient, np.ndarray)
    assert gradient.dtype == float
    assert (gradient == grad(f)(w, x)).all()
    assert jit(lambda x: x + 1.0)(np.float64(2.0)) == 3.0
    assert jit(lambda x: [x[0], x[0] * 2.0])([np.float32(0.5)]) == [0.5, 1.0]


def test_structures_may_be_deep_and_keys_need_not_be_words():
    def deep(x):
        for _ in range(250):
            x = [x]
        return x

    for backend in ("python", "llvm", "jax"):
        assert jit(deep, backend)(2.0) == deep(2.0)
        assert jit(lambda x: x, backend)(deep(2.0)) == deep(2.0)
    key = object()
    result = {key: 2.0, "a b, c = d": 4.0, (1, 2): 2.0, None: 2.0}
    assert jit(lambda x: {key: x, "a b, c = d": 2.0 * x, (1, 2): x, None: x})(2.0) == result
    assert jit(lambda x: {"a b, c = d": 2.0 * x})(2.0) == {"a b, c = d": 4.0}
    assert jit(lambda x: [])(1.0) == []
    assert jit(lambda: 3.0)() == 3.0
    assert jit(lambda x, y: (y,))([], {}) == ({},)


def test_whole_numbers_are_floats_in_a_program():
    square = jit(value_and_grad(lambda x: x * x))
    assert square(134217729) == value_and_grad(lambda x: x * x)(134217729)
    assert type(square(3)[0]) is float
    gradient = jit(grad(lambda x: (x * x).sum()))(np.array([1, 2]))
    assert gradient.dtype == float
    with pytest.raises(OverflowError, match="too large for a float"):
        square(10**400)


def test_numbers_of_a_program_or_a_transform_around_are_no_constants():
    def outer(x):
        return jit(lambda y: y * x)(2.0)

    assert jit(outer)(3.0) == 6.0
    assert jit(outer)(5.0) == 10.0
    with pytest.warns(RuntimeWarning, match="is not compiled: inside of a transform"):
        assert grad(outer)(3.0) == derivative(outer)(3.0) == 2.0
    assert jit(lambda x: jit(lambda y: x)(2.0))(3.0) == 3.0
    assert jit(lambda a: (lambda b: jit(lambda x: [x, b])(2.0)[1])(mg.exp(a)))(1.0) == math.exp(1.0)
    leak = []
    jit(lambda x: leak.append(x) or x)(2.0)
    for f in (lambda x: x * leak[0], lambda x: leak[0], lambda x: [x, mg.sin(leak[0])]):
        with pytest.raises(TypeError, match="was kept from another call"):
            jit(f)(5.0)
    for f in (mg.sin, lambda x: x * 2.0, lambda x: x + x):  # nor does it compute anything outside
        with pytest.raises(TypeError, match="was kept from another call"):
            f(leak[0])


def test_one_program_is_for_one_structure():
    def corners(x):
        return x[0, 0] + x[-1, -1] * x.shape[0]

    program, of_array = jit(lambda x: mg.sum(x)), jit(corners)
    for n in (1, 2, 3, 2, 1):
        assert alone(program, [1.0] * n) == n
    assert len(program._programs) == 3
    for shape in [(2, 3), (3, 2), (1, 6), (2, 3)]:
        x = np.arange(6.0).reshape(shape)
        assert alone(of_array, x) == corners(x)
    assert len(of_array._programs) == 3


@pytest.mark.parametrize("backend", ["python", "llvm"])
@pytest.mark.parametrize(
    "f", [lambda x: (x > 0) * 1.0, lambda x: 2.0 * (x > 0), lambda x: 2.0 - (x > 0.0), lambda x: x / (2.0 + (x > 0.0))]
)
def test_a_condition_times_a_number_is_a_number(f, backend):
    for x in (2.0, -2.0):
        found = alone(jit(f, backend), x)
        assert type(found) is float
        assert found == f(x)


@pytest.mark.parametrize("backend", ["python", "llvm"])
def test_whole_powers_of_a_power_of_two_are_exact(backend):
    for n in range(-5, 6):
        assert jit(lambda x, n=n: x ** float(n), backend)(-0.5) == (-0.5) ** n


def test_the_collector_is_as_it_was():
    assert gc.isenabled()
    jit(mg.sin)(1.0)
    assert gc.isenabled()
    gc.disable()
    try:
        jit(mg.sin)(1.0)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_number_of_programs_is_bounded():
    program = jit(lambda x: mg.sum(x))
    for n in range(1, 200):
        assert program([1.0] * n) == n
    assert len(program._programs) <= 64


# Programs to be read --------------------------------------------------------------------------------------------------


def test_the_source_is_what_runs_and_names_what_was_named():
    def layers(w1, b1, w2, b2, x, y):
        z1 = w1 * x + b1
        a1 = mg.relu(z1)
        z2 = w2 * a1 + b2
        error = z2 - y
        z1.label, z2.label = "z1", "z2"
        return 0.5 * error * error

    program = jit(value_and_grad(layers, argnums=(0, 1, 2, 3)))
    assert "before its first call" in program.source
    result = program(2.0, 0.0, 3.0, 1.0, 1.0, 5.0)
    assert program.source.startswith("def program(w1, b1, w2, b2, x, y):\n    z1 = w1 * x + b1\n")
    namespace = {"maximum": max, "step": lambda x: float(x > 0.0)}
    exec(program.source, namespace)
    assert namespace["program"](2.0, 0.0, 3.0, 1.0, 1.0, 5.0) == result == (2.0, (6.0, 6.0, 4.0, 2.0))


@pytest.mark.parametrize("label", ["a b", "lambda", "1x", "exp", "t1", "y²", "𝑥", "__debug__", "float", "program", "x"])
def test_a_label_becomes_a_name_whatever_it_is(label):
    def f(x):
        y = mg.sin(x)
        if isinstance(y, Value):
            y.label = x.label = label
        return y * y + y

    program = jit(grad(f))
    assert program(0.5) == grad(f)(0.5)


def test_one_label_for_many_is_numbered():
    def f(x):
        for _ in range(100):
            x = mg.sin(x) * 1.01
            x.label = "h"
        return x

    program = jit(grad(f))
    assert program(0.5) == grad(f)(0.5)
    assert "h_97 = " in program.source


def test_a_long_program_says_what_a_short_one_says(monkeypatch):
    def f(xs):
        total, y = 0.0, xs[0]
        for i in range(60):
            y = mg.sin(y) * xs[i % 3]
            total = total + y
        return total

    xs = [0.5, 1.5, -2.0]
    whole, divided = jit(value_and_grad(f)), jit(value_and_grad(f))
    assert whole(xs) == value_and_grad(f)(xs)
    monkeypatch.setattr(python, "PART", 10)  # lines that are compiled at once
    assert divided(xs) == value_and_grad(f)(xs)
    assert divided([1.0, 2.0, 3.0]) == value_and_grad(f)([1.0, 2.0, 3.0])
    assert divided.source == whole.source
    assert max(map(len, divided.source.splitlines())) <= 100

    def labelled(p):
        y = p["x"]
        for _ in range(60):
            y = mg.sin(y) * p["x"]
            if isinstance(y, Value):
                y.label = "values"  # also a word of the line that takes the dict apart
        return y

    assert jit(grad(labelled))({"x": 0.5}) == grad(labelled)({"x": 0.5})


# Operations as Python writes them; of a choice, the condition comes first
OPERATIONS = {
    "({}) + ({})": operator.add,
    "({}) - ({})": operator.sub,
    "({}) * ({})": operator.mul,
    "({}) / ({})": operator.truediv,
    "-({})": operator.neg,
    "({}) ** 2.0": lambda x: x**2.0,
    "({}) ** 3.0": lambda x: x**3.0,
}
CONDITIONS = {"({}) < ({})": operator.lt, "({}) == ({})": operator.eq}
COMBINED = {"({}) and ({})": operator.and_, "({}) or ({})": operator.or_, "not ({})": operator.invert}
CHOICE = {"({1}) if ({0}) else ({2})": mg.where}
WRITTEN = OPERATIONS | CONDITIONS | COMBINED | CHOICE


def pairs_of_operations():
    """Every operation with every other one in each of its places: its text, and what it makes of named numbers."""

    def asks(form):
        """For each place whether a condition stands there."""
        return [True, False, False] if form in CHOICE else [form in COMBINED] * form.count("{}")

    def applied(form, parts):
        return form.format(*[text for text, _ in parts]), lambda v: WRITTEN[form](*[make(v) for _, make in parts])

    def leaf(is_condition, name):
        return (f"{name} < 1.0", lambda v: v[name] < 1.0) if is_condition else (name, lambda v: v[name])

    for outer in WRITTEN:
        for place, is_condition in enumerate(asks(outer)):
            for inner in COMBINED | CONDITIONS if is_condition else OPERATIONS | CHOICE:
                inside = applied(inner, [*map(leaf, asks(inner), "abc")])
                parts = [inside if i == place else leaf(k, "xyz"[i]) for i, k in enumerate(asks(outer))]
                yield outer, inner, *applied(outer, parts)


def test_parentheses_stand_where_python_needs_them_and_nowhere_else():
    count = 0
    for outer, inner, whole, make in pairs_of_operations():
        for table in (python.TEXTS, javascript.FORMULAS)[: 1 + ({outer, inner} <= OPERATIONS.keys())]:
            trace = Trace()
            inputs = {name: trace.input(name) for name in "abcxyz"}
            (text,) = Text([*inputs.values()], [make(inputs)], table, inline=True).results
            assert text.count("(") <= ast.unparse(ast.parse(whole)).count("(") + ("-(-" in text), whole
            for numbers in [*permutations((0.3, 1.7, 0.9, 1.2, 0.6, 2.3))][::20]:
                names = dict(zip("abcxyz", numbers, strict=True))
                assert eval(text, names) == eval(whole, names), (whole, text)
            count += 1
    assert count > 200


def test_shares_are_computed_once_for_all():
    def f(xs):
        return mg.softmax(xs), mg.log_softmax(xs)[1:]

    program = jit(f)
    xs = [0.5, -1.0, 3.0]
    assert program(xs) == f(xs)
    assert program.source.count(" softmax(") == program.source.count("log_softmax(") == 1


def test_lines_are_short_and_names_are_free():
    def f(p, exp, t1):
        return mg.sum([mg.exp(x * exp) / (1.0 + x * x) + t1 for x in p])

    program = jit(value_and_grad(f))
    p = [0.01 * i for i in range(200)]
    assert same(program(p, 0.5, 1.0), value_and_grad(f)(p, 0.5, 1.0))
    assert max(map(len, program.source.splitlines())) <= 100
    assert "p199, exp_1, t1):" in program.source


def test_what_is_trivial_or_the_same_is_not_computed():
    def f(x):
        return (x * 1.0 - 0.0) * mg.sin(x) + mg.sin(x) ** 1.0 + (0.0 - x) * -1.0 + x**0.0

    program = jit(f)
    assert program(0.5) == f(0.5)
    assert program.source.count("sin(") == 1
    assert not re.search(r"\* 1\.0|- 0\.0|\*\*|pow|--", program.source)


def test_what_a_template_names_twice_has_a_line_of_its_own():
    program = jit(lambda x: mg.silu(mg.sin(x)))
    program(0.5)
    assert program.source.count("sin(x)") == 1


def test_a_negative_number_stands_in_parentheses():
    def f(x):
        return x - -2.0 * (x / -3.0)

    program = jit(f)
    assert alone(program, 1.0) == f(1.0)
    assert not re.search(r"- ?-|[*/] -", program.source)


def test_a_long_key_is_not_divided():
    key = "a b " * 30

    def one(x):
        return {key: x}

    def several(x):
        return {key: x, key + "c": [x * float(i) for i in range(40)]}

    assert len(key) == 120
    assert alone(jit(one), 2.0) == one(2.0)
    assert alone(jit(several), 2.0) == several(2.0)


def test_what_no_result_depends_on_is_not_there():
    program = jit(lambda x: (mg.exp(x), x * 2.0)[1])
    program(1.0)
    assert "exp" not in program.source


# What cannot be compiled ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x if x > 0.0 else -x,
        lambda x: math.sin(x),
        lambda x: float(x),
        lambda x: x.data + 1.0,
        lambda x: max(x, 0.0),
        lambda x: list(range(x)),
        lambda x: x // 2.0,
        lambda x: f"{x:.2f}",
        lambda x: x in [1.0, 2.0],
        lambda x: x in {1.0, 2.0},
        lambda x: {2.0: 7.0}[x],
        lambda x: len({x, x + 1.0}) * x,
        lambda x: grad(lambda y: y * y if y > 1.0 else y)(x),
    ],
)
def test_what_depends_on_the_numbers_is_an_error_that_names_the_line(f):
    line = f.__code__.co_firstlineno
    with pytest.raises(TypeError, match=rf"test_jit\.py, line {line}: this number is not known .*where\(") as caught:
        jit(f)(2.0)
    assert "mg.sin(x)" in str(caught.value)


@pytest.mark.parametrize("caught", [TypeError, Exception])
def test_what_depends_on_the_numbers_is_an_error_even_if_it_is_caught(caught):
    def guarded(x):
        try:
            return x if x > 0.0 else -x
        except caught:
            return 0.0

    assert guarded(3.0) == 3.0
    program = jit(guarded)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"test_jit\.py, line \d+: this number is not known"):
            program(3.0)


def test_a_method_is_compiled_for_one_object():
    class Line:
        slope = 2.0

        @jit
        def at(self, x):
            return self.slope * x

        def plain(self, x):
            return self.slope * x

    assert jit(Line().plain)(3.0) == 6.0
    with pytest.raises(
        TypeError, match=r"at is a method; compile that of one object, as in self\.at = jit\(self\.at\)"
    ):
        Line().at(3.0)


def test_a_backward_pass_that_is_refused_has_changed_nothing():
    w = Value(3.0)
    with pytest.raises(TypeError, match="would become a constant of the program"):
        jit(lambda x: ((w + x * w).backward(), x)[1])(2.0)
    assert w.grad == 0.0


def test_large_programs_need_no_recursion():
    def f(x):
        for _ in range(20_000):
            x = mg.sin(x) * 1.01
        return x

    assert sys.getrecursionlimit() < 20_000
    assert jit(f)(0.5) == f(0.5)
    assert jit(grad(f))(0.5) == grad(f)(0.5)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (losses.mse, [0.5, -1.0]),
        (losses.mae, [0.5, -1.0]),
        (losses.huber, [0.5, -1.0]),
        (losses.hinge, [1, -1]),
        (losses.binary_cross_entropy, [0, 1]),
        (losses.binary_cross_entropy, [0.25, 0.75]),
        (losses.cross_entropy, [2, 0]),
    ],
)
def test_targets_may_be_arguments_of_a_program(loss, targets):
    outputs = [[0.5, -2.0, 1.0], [3.0, 0.0, 40.0]] if loss is losses.cross_entropy else [0.75, -0.25]
    program = jit(value_and_grad(loss))
    for shift in (0.0, -0.5):
        predictions = [[x + shift for x in y] if isinstance(y, list) else y + shift for y in outputs]
        value, gradient = program(predictions, targets)
        expected, slopes = value_and_grad(loss)(predictions, targets)
        assert value == pytest.approx(expected, rel=1e-14)
        assert np.allclose(gradient, slopes, rtol=1e-14, atol=1e-16)
    assert len(program._programs) == 1


@pytest.mark.parametrize(
    ("loss", "output", "target"),
    [
        (losses.cross_entropy, [0.0, 1.0, 2.0], 3),
        (losses.cross_entropy, [0.0, 1.0, 2.0], -1),
        (losses.cross_entropy, [0.0, 1.0, 2.0], 0.5),
        (losses.hinge, 0.5, 0),
        (losses.binary_cross_entropy, 0.5, 2.0),
        (losses.binary_cross_entropy, 0.5, -1e-9),
    ],
)
def test_the_loss_of_a_target_that_is_none_is_nan(loss, output, target):
    assert math.isnan(alone(jit(loss), output, target))


def test_whole_numbers_among_others_make_no_program_of_their_own():
    program = jit(lambda xs, y: [xs[0] / xs[1], y])
    assert program([1, 2.0], 3) == [0.5, 3.0] == program([1.0, 2], 3) == program([1, 2], 3)
    assert len(program._programs) == 1
    assert type(program([1, 2], 3)[1]) is float


def test_a_sign_before_a_number_and_a_question_about_nothing_are_answered():
    assert jit(lambda x: +x)(2.0) == 2.0
    assert jit(lambda x: 1.0 if x == None or x == "text" else 2.0)(2.0) == 2.0  # noqa: E711


# At the door ----------------------------------------------------------------------------------------------------------


def test_arguments_and_results_of_any_structure_come_back_in_the_same():
    calls = []

    def f(p, x):
        calls.append(1)
        return {"out": (p["w"][0] * x[0][0] + p["b"], [x[1], 2.0]), "first": p["b"], "what": None}

    program = jit(f)
    p, x = {"w": [2.0, 3.0], "b": 0.5}, ((4.0, 1), 7.0)
    assert program(p, x) == f(p, x) == {"out": (8.5, [7.0, 2.0]), "first": 0.5, "what": None}
    assert program({"w": [1.0, 1.0], "b": True}, ((np.float64(1.0), 2.0), 3.0))["out"] == (2.0, [3.0, 2.0])
    assert len(calls) == 2  # once by itself, and once to be compiled
    program({"w": [1.0], "b": 0.0}, ((1.0, 2.0), 3.0))  # another structure
    assert len(calls) == 3


def test_what_is_no_number_is_a_part_of_the_structure():
    calls = []

    def f(x, scale=1.0, *, shift=0.0, sign="+"):
        calls.append(1)
        return x * scale + shift if sign == "+" else -x

    program = jit(f)
    assert program(2.0, scale=3.0, shift=0.5) == 6.5
    assert program(2.0, shift=0.5, scale=4.0) == 8.5
    assert "scale" in program.source
    assert [program(x, sign="-") for x in (2.0, 3.0)] == [-2.0, -3.0]
    assert len(calls) == 2


def test_a_call_with_keywords_and_one_without_have_programs_of_their_own():
    def f(x, more=(1.0,)):
        return x + mg.sum([2.0 * y for y in more])

    program = jit(f)
    for keywords in ({}, {"more": (5.0,)}, {"more": []}, {}, {"more": []}):
        assert program(3.0, **keywords) == f(3.0, **keywords)


def test_a_number_does_not_take_the_program_of_a_list_with_one():
    program = jit(lambda x: x[0] if isinstance(x, list) else -x)
    for x in ([2.0], 2.0, [2.0], [2.0, 3.0], 2.0):
        assert program(x) == (2.0 if isinstance(x, list) else -2.0)


def test_static_arguments_are_a_part_of_the_program():
    @jit(static_argnums=1)
    def power(x, n):
        y = 1.0
        for _ in range(n):
            y = y * x
        return y

    assert [power(2.0, n) for n in (3, 5, 3)] == [8.0, 32.0, 8.0]
    assert len(power._programs) == 2
    assert [jit(lambda n, x: sum(range(n), x), static_argnums=i)(3, 2.0) for i in (0, -2)] == [5.0, 5.0]
    with pytest.raises(TypeError, match="static_argnums must be a number"):
        jit(power, static_argnums="n")
    assert jit(lambda d: d[1] * 2.0)({1: 3.0}) == 6.0
    by_key = jit(lambda d: next(iter(d)) * next(iter(d.values())))
    assert [type(by_key({key: 1.0})) for key in (1, True, 1.0)] == [float] * 3
    assert len(by_key._programs) == 3  # equal keys, and yet not the same


def test_only_functions_of_numbers_are_compiled():
    with pytest.raises(TypeError, match="jit: expected a function, got 3"):
        jit(3)
    with pytest.raises(ValueError, match="the backend must be one of python, llvm, jax; got 'cuda'"):
        jit(mg.sin, "cuda")
    for gone in ("numpy", "numba"):
        with pytest.raises(ValueError, match='"llvm" is fast, and vmap'):
            jit(mg.sin, gone)


def test_a_call_that_has_no_program_warns_once_and_tells_why():
    """https://github.com/jax-ml/jax/discussions/15264"""

    def f(x):
        if not isinstance(x, float):
            raise ValueError("numbers alone")
        return x * 2.0

    program = jit(f)
    with pytest.warns(RuntimeWarning, match="f is not compiled: while it was recorded, ValueError: numbers alone"):
        assert program(2.0) == 4.0
    assert program(3.0) == 6.0  # and no second warning, which would be an error
    assert "numbers alone" in program.reason
    square = jit(lambda x: x * x)
    assert square(Value(3.0)).data == 9.0
    assert "Value" in square.reason
    assert (square(3.0), square.reason) == (9.0, "")


def test_the_program_used_last_is_the_last_to_go(monkeypatch):
    from micrograd_plus.jit import compiled

    monkeypatch.setattr(compiled, "PROGRAMS", 2)
    calls = []
    program = jit(lambda x: (calls.append(len(x)), mg.sum(x))[1])
    for n in (1, 2, 1, 3, 1, 2):
        assert program([1.0] * n) == n
    assert calls == [1, 2, 3, 2]


@jit
def cubic(x):
    return x**3


@jit(backend="llvm")
def halved(x):
    return x / 2.0


def fourth(x):
    return x**4


def test_compiled_functions_are_pickled_and_go_to_other_processes():
    """https://docs.python.org/3/library/pickle.html#what-can-be-pickled-and-unpickled"""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    program = jit(fourth)
    for _ in range(2):
        again = pickle.loads(pickle.dumps(program))
        assert again(2.0) == program(2.0) == 16.0
    assert pickle.loads(pickle.dumps(cubic)) is cubic
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(cubic, [1.0, 2.0])) == [1.0, 8.0]
        assert list(pool.map(halved, [1.0, 2.0])) == [0.5, 1.0]


def test_threads_get_their_own_results():
    from concurrent.futures import ThreadPoolExecutor

    for backend in ("python", "llvm"):
        program = jit(value_and_grad(lambda xs: mg.sum([mg.sin(x) for x in xs])), backend)
        points = [[0.01 * i, 0.02 * i] for i in range(200)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(program, points))
        for (value, gradient), xs in zip(found, points, strict=True):
            assert value == pytest.approx(sum(map(math.sin, xs)), abs=1e-14)
            assert gradient == pytest.approx(list(map(math.cos, xs)), abs=1e-14)


# A Value that is no argument ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "of",
    [
        lambda w: lambda x: w * x,
        lambda w: lambda x: x - w,
        lambda w: lambda x: mg.maximum(x, w),
        lambda w: lambda x: mg.dot([x, 1.0], [w, x]),
        lambda w: lambda x: mg.where(x > w, x, 1.0),
        lambda w: lambda x: mg.where(x > 0.0, w, x),
        lambda w: lambda x: mg.where(w > x, x, 1.0),
        lambda w: lambda x: w,
        lambda w: grad(lambda x: w * x),
        lambda w: grad(lambda x: x * w * w),
        lambda w: lambda x: hessian(lambda y: w * y * y)(x),
    ],
)
def test_a_captured_value_is_refused_by_its_name(of):
    """Its gradient would be lost: https://github.com/HIPS/autograd/blob/master/docs/tutorial.md#tips"""
    w = Value(2.0, label="w")
    program = jit(of(w))
    for _ in range(2):
        with pytest.raises(TypeError, match=r"label='w'\) would become a constant .* model\.bind\(parameters\)"):
            program(3.0)


def test_a_model_is_refused_and_its_parameters_are_bound():
    model = MLP(1, [2, 1], "tanh", seed=1)
    with pytest.raises(TypeError, match="model\\.bind"):
        jit(lambda x: model(x))([0.5])
    numbers = [p.data for p in model.parameters()]
    assert jit(lambda p, x: model.bind(p)(x))(numbers, [0.5]) == model([0.5]).data


def test_inside_a_transform_the_function_itself_runs_whatever_was_called_before():
    box = {"w": 4.0}
    fast = jit(lambda x: box["w"] * x)
    assert fast(3.0) == 12.0

    def loss(w):
        box["w"] = w
        return fast(3.0)

    with pytest.warns(RuntimeWarning, match="is not compiled: inside of a transform"):
        assert value_and_grad(loss)(5.0) == (15.0, 3.0)
    assert "jit(grad(f)) is compiled" in fast.reason
    assert value_and_grad(loss)(6.0) == (18.0, 3.0)  # it is told once
    assert fast(3.0) == 12.0  # a captured number is that of the first call
    assert not fast.reason


def test_arguments_that_are_changed_are_refused():
    def f(xs):
        xs[0] = xs[0] * 2.0
        return mg.sum(xs)

    def g(xs):
        xs.append(1.0)
        return mg.sum(xs)

    for function in (f, g):
        with pytest.raises(TypeError, match="changes its arguments"):
            jit(function)([1.0, 2.0])


def test_the_function_is_still_the_function_after_its_package_is_imported():
    import importlib

    for name in ("trace", "python", "llvm", "compiled"):
        importlib.import_module(f"micrograd_plus.jit.{name}")
    assert mg.jit(mg.sin)(0.5) == math.sin(0.5)
    from micrograd_plus.jit import jit as same_one

    assert same_one is mg.jit


@pytest.mark.parametrize("backend", ["python", "llvm"])
def test_what_the_function_catches_would_be_lost(backend):
    def root(x):
        try:
            mg.sqrt(x)
        except ValueError:
            return -x
        return x

    def quotient(x, y):
        try:
            return x / y
        except (KeyError, ZeroDivisionError):
            return 0.0

    def anything(x):
        try:
            return mg.log(x)
        except:  # noqa: E722
            return 0.0

    for f, args in ((root, (-4.0,)), (quotient, (1.0, 0.0)), (grad(root), (-4.0,)), (anything, (-4.0,))):
        with pytest.raises(TypeError, match=r"test_jit\.py, line \d+: \w+ may raise, and the function catches that"):
            jit(f, backend)(*args)


def test_what_it_catches_beside_that_is_its_own_affair():
    def f(xs):
        found = {}
        try:
            y = mg.sqrt(xs[0]) + found["bias"]
        except KeyError:
            y = mg.log(xs[0])
        try:
            y = y / xs[1]
        finally:
            found["y"] = y
        return y

    assert jit(f)([4.0, 2.0]) == f([4.0, 2.0])


@pytest.mark.parametrize("condition", [~(2.0 > 1.0), 1, 0])
def test_a_whole_number_is_no_condition(condition):
    with pytest.raises(TypeError, match="where: a condition is a comparison, got"):
        mg.where(condition, 1.0, 2.0)
