"""Programs over arrays: a batch gives what its elements give, in whatever blocks, matrices and devices."""

import contextlib
import inspect
import itertools
import math
import random
import re
import subprocess
import sys
import tracemalloc
import warnings
from math import inf, isfinite, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import Value, arrays, grad, hessian, hvp, jit, value_and_grad
from micrograd_plus.functions import KERNELS
from micrograd_plus.machinery.trees import tree_fill, tree_leaves
from micrograd_plus.nn import MLP, cross_entropy, mse
from micrograd_plus.rules import RULES
from micrograd_plus.tape import tape
from micrograd_plus.testing.strategies import expressions, networks, points


def sizes(f, *args):
    """For each number in f(*args), the sum of all that it is made of: what a rounding error is to be compared with.

    It is the sum over all numbers on the way of their size times their slope, so the result may be off by this much
    times the error of an operation.
    """
    inputs = [Value(x) for x in tree_leaves(args)]
    found = []
    for y in tree_leaves(f(*tree_fill(args, inputs))):
        total = 0.0
        if isinstance(y, Value):
            for x in inputs:
                x.grad = 0.0
            y.backward()
            total = math.fsum(abs(node.grad * node.data) for node in tape(y))
        found.append(max(total, abs(y.data if isinstance(y, Value) else y)))
    return found


def close(a, b, size):
    return a == b or abs(a - b) <= 1e-12 * size or (isnan(a) and isnan(b))


def columns(rows):
    """From a list of points to a batch for each variable."""
    return [np.array(column) for column in zip(*rows, strict=True)]


@contextlib.contextmanager
def blocks_of(n):
    before, arrays.BLOCK = arrays.BLOCK, n
    try:
        yield
    finally:
        arrays.BLOCK = before


# A batch is its elements ----------------------------------------------------------------------------------------------


@given(st.data())
def test_values_and_gradients_of_random_expressions_are_those_of_eager(data):
    f = data.draw(expressions())
    both = value_and_grad(f, tuple(range(len(f.variables))))
    rows = [f.point, *[data.draw(points(f)) for _ in range(3)]]
    with blocks_of(data.draw(st.sampled_from([3, 1024]))):
        program = jit(both, "numpy")
        value, slopes = program(*columns(rows))
    batches = [np.broadcast_to(y, 4) for y in (value, *slopes)]
    for i, row in enumerate(rows):
        for batch, expected, size in zip(batches, tree_leaves(both(*row)), sizes(both, *row), strict=True):
            assert close(batch[i], expected, size), (row, program.source)


EXACT = ["add", "sub", "mul", "truediv", "mod", "neg", "abs", "sqrt", "sign", "step", "floor", "ceil", "maximum"]
EXACT += ["minimum", "relu", "leaky_relu"]


@given(st.data())
def test_kinks_and_jumps_are_where_they_are_in_eager(data):
    f = data.draw(expressions(EXACT, smooth=False))  # these NumPy rounds as Python does: it is on the same side
    both = value_and_grad(f, tuple(range(len(f.variables))))
    rows = [f.point, *[data.draw(points(f)) for _ in range(3)]]
    program = jit(both, "numpy")
    value, slopes = program(*columns(rows))
    batches = [np.broadcast_to(y, 4) for y in (value, *slopes)]
    for i, row in enumerate(rows):
        for batch, expected in zip(batches, tree_leaves(both(*row)), strict=True):
            assert batch[i] == pytest.approx(expected, rel=1e-14, nan_ok=True), (row, program.source)


@given(st.data())
def test_gradients_of_random_networks_are_the_mean_of_those_of_eager(data):
    model = data.draw(networks(outputs=1, max_width=6))
    rows = data.draw(st.lists(points(model), min_size=1, max_size=5))
    targets = data.draw(st.lists(st.floats(-2.0, 2.0), min_size=len(rows), max_size=len(rows)))
    numbers = [p.data for p in model.parameters()]

    def loss(parameters, x, y):
        decay = mg.sum([p * p for p in parameters])
        return mse(model.bind(parameters)(x), y) + 0.01 * decay

    both = value_and_grad(loss)
    with blocks_of(data.draw(st.sampled_from([2, 1024]))):
        program = jit(both, "numpy", reduce="mean")
        result = tree_leaves(program(numbers, columns(rows), np.array(targets)))
    each = [tree_leaves(both(numbers, list(x), y)) for x, y in zip(rows, targets, strict=True)]
    bounds = [sizes(both, numbers, list(x), y) for x, y in zip(rows, targets, strict=True)]
    for got, expected, size in zip(result, zip(*each, strict=True), zip(*bounds, strict=True), strict=True):
        assert close(got, math.fsum(expected) / len(rows), max(size)), program.source


def batch_of_a_network(inputs=2, n=7, widths=(16, 16, 1), activation="tanh", seed=1):
    model, draw = MLP(inputs, list(widths), activation, seed=seed), random.Random(seed)
    xs = [[draw.gauss(0.0, 1.0) for _ in range(inputs)] for _ in range(n)]
    ys = [math.sin(sum(x)) for x in xs]
    return model, [p.data for p in model.parameters()], xs, ys


@pytest.mark.parametrize("of", [lambda f: f, grad, lambda f: hvp_of(f), lambda f: grad(f, 1)])
def test_what_is_made_of_a_network_is_the_sum_over_its_batch(of):
    model, numbers, xs, ys = batch_of_a_network(widths=(9, 5, 1), activation="silu")
    made = of(lambda p, x, y: mse(model.bind(p)(x), y))
    program = jit(made, "numpy", reduce="sum")
    result = tree_leaves(program(numbers, columns(xs), np.array(ys)))
    each = [tree_leaves(made(numbers, x, y)) for x, y in zip(xs, ys, strict=True)]
    for got, expected in zip(result, zip(*each, strict=True), strict=True):
        assert got == pytest.approx(math.fsum(expected), rel=1e-12, abs=1e-12)


def hvp_of(f):
    return lambda p, x, y: hvp(lambda q: f(q, x, y), (p,), ([1.0, -1.0] * (len(p) // 2) + [0.5] * (len(p) % 2),))


def test_a_hessian_over_a_batch_is_the_mean_of_hessians():
    def f(w, x):
        return mg.log1p(mg.exp(mg.dot(w, x))) + w[0] * w[0]

    w, xs = [0.5, -1.0, 2.0], [[0.1, 2.0, -0.5], [1.0, -0.3, 0.7], [0.2, 0.4, -2.0]]
    result = jit(hessian(f), "numpy", reduce="mean")(w, columns(xs))
    assert np.allclose(result, np.mean([hessian(f)(w, x) for x in xs], axis=0), rtol=1e-13, atol=1e-15)


def test_a_batch_of_classes_goes_through_cross_entropy():
    model, numbers, xs, _ = batch_of_a_network(widths=(8, 3))
    classes = [0, 2, 1, 1, 0, 2, 2]

    def loss(p, x, k):
        return cross_entropy(model.bind(p)(x), k)

    value, slopes = jit(value_and_grad(loss), "numpy", reduce="mean")(numbers, columns(xs), np.array(classes))
    each = [value_and_grad(loss)(numbers, x, k) for x, k in zip(xs, classes, strict=True)]
    assert value == pytest.approx(math.fsum(v for v, _ in each) / 7, rel=1e-13)
    assert np.allclose(slopes, np.mean([g for _, g in each], axis=0), rtol=1e-12, atol=1e-15)


# Batches --------------------------------------------------------------------------------------------------------------


def test_arrays_broadcast_and_come_back_in_the_common_shape():
    def f(x, y, w):
        return [x * y + w, x, w * w]

    x, y = np.array([[1.0], [2.0], [3.0]]), np.array([10.0, 20.0, 30.0, 40.0])
    product, copy, square = jit(f, "numpy")(x, y, 0.5)
    assert product.tolist() == (x * y + 0.5).tolist()
    assert copy.tolist() == np.broadcast_to(x, (3, 4)).tolist()
    assert square == 0.25
    total, *_ = jit(f, "numpy", reduce="sum")(x, y, 0.5)
    assert total == (x * y + 0.5).sum()
    with pytest.raises(ValueError, match="broadcast"):
        jit(f, "numpy")(x, np.ones((2, 4)), 0.5)


def test_whole_numbers_and_other_floats_are_floats_of_64_bits():
    f = jit(lambda x, w: x * w / 3.0, "numpy")
    for kind in (np.int32, np.int64, np.uint8, np.bool_, np.float32, np.float16):
        result = f(np.array([0, 1, 1], dtype=kind), 1)
        assert result.dtype == np.float64
        assert result.tolist() == [0.0, 1.0 / 3.0, 1.0 / 3.0]
    for number in (2, 2.0, True, np.float32(2.0), np.int8(2), np.array(2.0), np.array(2)):
        assert type(f(number, 3.0)) is float
        assert f(number, 3.0) == float(number)


def test_a_program_is_for_batches_and_numbers_in_the_same_places():
    calls = []

    def f(w, x):
        calls.append(1)
        return mg.sum([w[0] * x, w[1]])

    program = jit(f, "numpy")
    assert program([2.0, 1.0], np.arange(3.0)).tolist() == [1.0, 3.0, 5.0]
    assert program([3.0, 0.0], np.arange(5.0)).tolist() == [0.0, 3.0, 6.0, 9.0, 12.0]
    assert len(calls) == 1
    assert program([np.arange(3.0), 1.0], 2.0).tolist() == [1.0, 3.0, 5.0]  # of the weights, one is a batch
    assert program([2.0, 1.0], 3.0) == 7.0
    assert len(calls) == 3


def test_an_empty_batch_has_no_elements_a_sum_of_0_and_no_mean():
    def f(x, w):
        return [x * w, w]

    x = np.zeros((0,))
    stacked, number = jit(f, "numpy")(x, 2.0)
    assert stacked.shape == (0,)
    assert number == 2.0
    assert jit(f, "numpy", reduce="sum")(x, 2.0) == [0.0, 0.0]
    mean, number = jit(f, "numpy", reduce="mean")(x, 2.0)
    assert isnan(mean)
    assert number == 2.0
    model, numbers, *_ = batch_of_a_network()
    program = jit(grad(lambda p, x: model.bind(p)(x)), "numpy", reduce="sum")
    assert program(numbers, [x, x]) == [0.0] * len(numbers)


def test_results_do_not_depend_on_the_size_of_blocks():
    model, numbers, xs, ys = batch_of_a_network(n=50)

    def loss(p, x, y):
        return mse(model.bind(p)(x), y)

    results = []
    for n in (1, 7, 50, 1024):
        with blocks_of(n):
            program = jit(value_and_grad(loss), "numpy", reduce=("stack", "sum"))
            results.append(program(numbers, columns(xs), np.array(ys)))
    for losses, slopes in results[:-1]:
        assert np.allclose(losses, results[-1][0], rtol=1e-14, atol=1e-15)
        assert np.allclose(slopes, results[-1][1], rtol=1e-13, atol=1e-14)


def test_memory_is_for_a_block_and_not_for_the_batch():
    model, numbers, *_ = batch_of_a_network()
    program = jit(value_and_grad(lambda p, x, y: mse(model.bind(p)(x), y)), "numpy", reduce="mean")
    n = 300_000
    x, y = [np.linspace(-1.0, 1.0, n), np.linspace(0.0, 2.0, n)], np.ones(n)
    program(numbers, [column[:10] for column in x], y[:10])
    tracemalloc.start()
    try:
        program(numbers, x, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * n  # one number for each element would be more


def test_a_long_program_has_small_blocks():
    def f(x):
        for i in range(300):
            x = mg.sin(x) + x * (0.1 / (i + 1.0))
        return x

    before, arrays.ROOM = arrays.ROOM, 10_000
    try:
        program = jit(f, "numpy")
        x = np.linspace(0.0, 1.0, 500)
        program(x[:2])
        tracemalloc.start()
        result = program(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        arrays.ROOM = before
        tracemalloc.stop()
    assert result[7] == pytest.approx(f(x[7]), rel=1e-13)
    assert peak < 500_000  # 900 numbers on the way of each of 500 elements: in one block these were 3,600,000 bytes


# Sums over a batch ----------------------------------------------------------------------------------------------------


def outputs_of_all_kinds(w, x):
    return {"product": w * x, "pair": (x, [w, 3.0])}


X = np.array([1.0, 2.0, 6.0])


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [
        ("sum", {"product": 18.0, "pair": (9.0, [6.0, 9.0])}),
        ("mean", {"product": 6.0, "pair": (3.0, [2.0, 3.0])}),
        ({"product": "sum", "pair": "mean"}, {"product": 18.0, "pair": (3.0, [2.0, 3.0])}),
        ({"product": "mean", "pair": ("sum", ["mean", "sum"])}, {"product": 6.0, "pair": (9.0, [2.0, 9.0])}),
    ],
)
def test_each_result_is_reduced_as_it_is_said(reduce, expected):
    assert jit(outputs_of_all_kinds, "numpy", reduce=reduce)(2.0, X) == expected


def test_reduced_and_stacked_results_stand_side_by_side():
    result = jit(outputs_of_all_kinds, "numpy", reduce={"product": "mean", "pair": "stack"})(2.0, X)
    assert result["product"] == 6.0
    assert result["pair"][0].tolist() == X.tolist()
    assert result["pair"][1] == [2.0, 3.0]
    assert jit(outputs_of_all_kinds, "numpy", reduce="mean")(2.0, 3.0) == {"product": 6.0, "pair": (3.0, [2.0, 3.0])}


@pytest.mark.parametrize(
    "reduce", [("sum", "mean"), {"product": "sum"}, ["sum"], {"product": "sum", "pair": ("sum", ["sum"])}]
)
def test_a_reduction_of_another_structure_is_an_error(reduce):
    with pytest.raises(ValueError, match="reduce is not of the structure of the result"):
        jit(outputs_of_all_kinds, "numpy", reduce=reduce)(2.0, X)


def test_a_reduction_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match="reduce must be one of stack, sum, mean, or a structure; got 'max'"):
        jit(outputs_of_all_kinds, "numpy", reduce="max")


def test_in_a_gradient_what_has_no_batch_counts_once_for_each_element():
    weights = [0.1 * i for i in range(12)]
    x = [np.array([1.0, 2.0, -0.5, 4.0]) * (i + 1) for i in range(12)]

    def loss(w, x):
        return mg.dot(w, x) ** 2 + 0.5 * mg.dot(w, w)

    rows = [[column[k] for column in x] for k in range(4)]
    for reduce, share in (("sum", 1.0), ("mean", 0.25)):
        program = jit(grad(loss), "numpy", reduce=reduce)
        expected = [share * math.fsum(slope) for slope in zip(*[grad(loss)(weights, row) for row in rows], strict=True)]
        assert program(weights, x) == pytest.approx(expected, rel=1e-13)
        assert "count" in program.source


def test_the_mean_of_a_difference_is_not_the_difference_of_two_means():
    x = 1e15 + np.arange(63.0)  # their sum, 63e15 + 1953, is no float
    assert jit(lambda x, c: x - c, "numpy", reduce="mean")(x, 1e15) == 31.0
    assert jit(lambda x, c: x + c, "numpy", reduce="mean")(x, -1e15) == 31.0


def test_constants_are_results_too_and_keep_their_sign():
    batch, *rest = jit(lambda x: [x, 0.0, -0.0, 2.0], "numpy")(X)
    assert batch.tolist() == X.tolist()
    assert rest == [0.0, 0.0, 2.0]
    assert [math.copysign(1.0, y) for y in rest] == [1.0, -1.0, 1.0]
    assert jit(lambda x: [x, 0.5], "numpy", reduce="sum")(X) == [9.0, 1.5]


# Zeros, infinities, and what is no number -----------------------------------------------------------------------------


@pytest.mark.parametrize("root", [mg.sqrt, mg.log, lambda x: 1.0 / x, lambda x: x**0.5, lambda x: mg.asin(x + 1.0)])
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_side_that_where_did_not_take_does_not_poison_the_gradient(backend, root):
    """https://github.com/jax-ml/jax/issues/5798"""
    if backend == "jax":
        pytest.importorskip("jax")

    def f(w, x):
        return mg.where(x > 0.0, w * root(x), 0.0)

    def late(w, x):
        y = mg.where(x > 0.0, x, 1.0)
        return mg.where(x <= 0.0, 0.0, w * root(y))

    x = np.array([-1.0, 0.0, -0.25])
    for g in (f, late):
        value, (slope_w, slope_x) = jit(value_and_grad(g, (0, 1)), backend)(2.0, x)
        assert np.asarray(value).tolist() == [0.0, 0.0, 0.0]
        assert np.asarray(slope_w).tolist() == [0.0, 0.0, 0.0]
        assert np.asarray(slope_x).tolist() == [0.0, 0.0, 0.0]
        assert jit(grad(g, (0, 1)), backend, reduce="sum")(2.0, x) == (0.0, 0.0)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_in_a_layer_too_zero_times_infinity_along_a_path_is_zero(backend):
    """The root of a sum has the slope ∞ at 0: behind it, a weight of 0 passes nothing on, or an input of 0."""
    if backend == "jax":
        pytest.importorskip("jax")

    def f(p, x):
        inner = [mg.sqrt(mg.sum([p[3 * i] * x[0], p[3 * i + 1] * x[1], p[3 * i + 2]])) for i in range(5)]
        return mg.sum([mg.relu(mg.sum([p[15 + 5 * k + i] * inner[i] for i in range(5)])) for k in range(4)])

    draw = random.Random(59)  # its slopes are infinite to both sides, and never nan
    numbers = [0.0 if i % 3 == 2 else draw.choice([0.0, 1.0, 2.0]) for i in range(15)]
    numbers += [draw.choice([-1.0, 0.0, 1.0]) for _ in range(20)]
    xs = [[0.0, 0.0], [1.0, 0.0], [0.5, 0.25], [0.0, 3.0]]
    slopes = jit(grad(f), backend)(numbers, columns(xs))
    program = jit(grad(f), backend, reduce="sum")
    total = program(numbers, columns(xs))
    eager = [grad(f)(numbers, x) for x in xs]
    for i in range(35):
        expected = [row[i] for row in eager]
        assert np.broadcast_to(np.asarray(slopes[i]), 4).tolist() == pytest.approx(expected, rel=1e-14)
        assert total[i] == pytest.approx(sum(expected), rel=1e-14, nan_ok=True)
    assert {inf, -inf} <= {slope for row in eager for slope in row}
    assert not any(isnan(slope) for row in eager for slope in row)
    if backend == "jax":
        assert "chained_products" in program.source
        assert "chained_sums" in program.source


def test_a_nan_or_infinity_in_one_element_reaches_no_other():
    model, numbers, xs, ys = batch_of_a_network(n=9)
    made = value_and_grad(lambda x, p, y: mse(model.bind(p)(x), y))
    program = jit(made, "numpy")
    clean = tree_leaves(made(xs[0], numbers, ys[0]))
    x, y = columns(xs), np.array(ys)
    x[0][4], x[1][2], y[7] = nan, inf, nan
    value, slopes = program(x, numbers, y)
    for i in (0, 1, 3, 5, 6, 8):
        expected = tree_leaves(made(xs[i], numbers, ys[i]))
        assert [value[i], slopes[0][i], slopes[1][i]] == pytest.approx(expected, rel=1e-12)
    assert all(map(isfinite, clean))
    assert isnan(value[4])
    assert isnan(value[7])


def test_no_warning_is_given_of_what_is_infinite_or_no_number():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = jit(lambda x: [mg.log(x), mg.sqrt(x), 1.0 / x, mg.exp(1e4 + x)], "numpy")(np.array([-1.0, 0.0, 4.0]))
        assert jit(lambda x: mg.log(x), "numpy")(-1.0) != 0.0
    assert np.array_equal(result[0], [nan, -inf, math.log(4.0)], equal_nan=True)
    assert np.array_equal(result[1], [nan, 0.0, 2.0], equal_nan=True)
    assert result[2].tolist() == [-1.0, inf, 0.25]
    assert result[3].tolist() == [inf] * 3


# Kernels --------------------------------------------------------------------------------------------------------------

EDGES = [0.0, 0.1, 1 / 3, 0.5, 0.9999999999, 1.0, 1.0000000001, 1.5, 2.0, 3.0, math.pi, 8.0, 20.0, 27.0, 37.5, 40.0]
EDGES += [100.0, 700.0, 745.0, 750.0, 1e4, 1e16, 1e-3, 1e-8, 1e-20, 1e-300, 1e150, 1e200, 1.7e308, inf]
EDGES = [nan, *EDGES, *[-x for x in EDGES]]
NAMES = [name for name in KERNELS if name != "where" and not (name in RULES and RULES[name].sequences)]
UNSIGNED = {"numpy": {"floor", "ceil"}, "jax": {"floor", "ceil", "sign", "maximum", "minimum", "mod"}}


def arity(name):
    if name in RULES:
        return 2 if "{y}" in RULES[name].template else 1
    return len(inspect.signature(KERNELS[name]).parameters)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_kernel_is_the_function_of_floats(backend, name):
    if backend == "jax":
        jax = pytest.importorskip("jax")
    draw = random.Random(7)
    some = [draw.gauss(0.0, 1.0) * 10.0 ** draw.uniform(-3.0, 3.0) for _ in range(300)]
    some += [draw.uniform(-1.0, 1.0) for _ in range(200)]
    pairs = [*itertools.product(EDGES, EDGES), *zip(some, some[::-1], strict=True)]
    rows = pairs if arity(name) == 2 else [(x,) for x in EDGES + some]
    with np.errstate(all="ignore"):
        if backend == "jax":
            with jax.enable_x64(True):
                found = arrays.kernels("jax", jax.numpy.array)[name](*map(jax.numpy.asarray, columns(rows)))
        else:
            found = arrays.kernels("numpy", np.array)[name](*columns(rows))
    for row, got in zip(rows, np.asarray(found).tolist(), strict=True):
        try:
            expected = float(KERNELS[name](*row))
        except ValueError:  # outside of the domain; at a pole, an array has the limit
            assert not isfinite(got), row
            continue
        except ArithmeticError:
            assert not isfinite(got), row
            continue
        if isnan(expected):
            assert isnan(got), row
        elif expected == 0.0 or abs(expected) < 3e-308:
            assert abs(got - expected) < 1e-307, row
            if expected == 0.0 and got == 0.0 and name not in UNSIGNED[backend]:
                assert math.copysign(1.0, got) == math.copysign(1.0, expected), row
        else:
            assert got == expected or abs(got - expected) <= 1e-12 * abs(expected), (row, got, expected)


# Matrices -------------------------------------------------------------------------------------------------------------


def test_what_a_layer_does_is_written_with_matrices():
    model, numbers, xs, ys = batch_of_a_network(activation="relu")
    program = jit(value_and_grad(lambda p, x, y: mse(model.bind(p)(x), y)), "numpy", reduce="mean")
    program(numbers, columns(xs), np.array(ys))
    lines = program.source.splitlines()
    operations = [line for line in lines if re.match(r"    [td]\d+ = ", line)]
    assert len(operations) < 20  # and not one for each of 33 neurons
    assert program.source.count("products(") == 4  # of three layers, and on the way back of two: the inputs need none
    assert program.source.count("sums(") == 3
    assert program.source.count("maximum(") == 2
    assert max(map(len, lines)) <= 100


def test_few_operations_are_written_one_by_one():
    program = jit(grad(lambda w, x: mg.tanh(w[0] * x[0] + w[1] * x[1] + w[2])), "numpy", reduce="sum")
    program([1.0, 2.0, 3.0], [np.ones(2), np.ones(2)])
    assert not re.search("products|sums|stack|column", program.source)
    assert "w2 + w0 * x0" in program.source or "w0 * x0 + w1 * x1 + w2" in program.source


def test_equal_operations_at_different_places_become_one():
    def f(w, x):
        return [mg.sin(mg.exp(-u * x) + x) for u in w]

    w, x = [0.5, 1.0, -2.0, 0.25, 3.0], np.array([0.1, 0.2, 0.7])
    program = jit(f, "numpy")
    result = program(w, x)
    assert np.allclose(result, [[f([u], float(v))[0] for v in x] for u in w], rtol=1e-14)
    assert program.source.count("sin(") == program.source.count("exp(") == 1
    assert "column([-w0, -w1, -w2, -w3, -w4])" in program.source


def test_a_weight_may_be_made_of_weights_and_an_input_be_a_weight_elsewhere():
    def f(p, x, c):
        inner = [mg.tanh(mg.sum([p[i] * p[i + 1] * x[0], mg.exp(p[i]) * x[1], c * x[0]])) for i in range(6)]
        outer = [mg.sum([inner[j] * p[i + j] for j in range(6)]) + x[1] * inner[i] + inner[5 - i] for i in range(6)]
        return mg.sum([y * y for y in outer]) + mg.sum(inner) * c

    p, c = [0.1 * i - 0.5 for i in range(12)], 0.75
    xs = [[0.5, -1.0], [2.0, 0.25], [-0.75, 1.0]]
    both = value_and_grad(f, (0, 1, 2))
    result = tree_leaves(jit(both, "numpy", reduce="sum")(p, columns(xs), c))
    each = [tree_leaves(both(p, x, c)) for x in xs]
    for got, expected in zip(result, zip(*each, strict=True), strict=True):
        assert got == pytest.approx(math.fsum(expected), rel=1e-13)


def test_everything_may_be_a_batch_also_the_weights():
    model, numbers, xs, ys = batch_of_a_network(n=4)
    made = value_and_grad(lambda p, x, y: mse(model.bind(p)(x), y))
    members = [[number + 0.01 * k for number in numbers] for k in range(4)]
    value, slopes = jit(made, "numpy")(columns(members), columns(xs), np.array(ys))
    for k in range(4):
        expected = tree_leaves(made(members[k], xs[k], ys[k]))
        assert [value[k], *[slope[k] for slope in slopes]] == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_long_sums_and_programs_need_no_recursion_and_no_time():
    def f(w, x):
        total = 0.0
        for u in w:
            total = total + u * mg.sin(x + u)
        for _ in range(2000):
            x = mg.cos(x) * 1.01
        return total * x

    w = [0.001 * i for i in range(2000)]
    x = np.array([0.5, 1.5])
    value, slopes = jit(value_and_grad(f), "numpy")(w, x)
    expected, steep = value_and_grad(f)(w, 1.5)
    assert value[1] == pytest.approx(expected, rel=1e-12)
    assert np.allclose([slope[1] for slope in slopes], steep, rtol=1e-11)


# JAX ------------------------------------------------------------------------------------------------------------------


def test_jax_compiles_the_same_program():
    jax = pytest.importorskip("jax")
    model, numbers, xs, ys = batch_of_a_network()
    made = value_and_grad(lambda p, x, y: mse(model.bind(p)(x), y))
    program = jit(made, "jax", reduce=("stack", "mean"))
    values, slopes = program(numbers, columns(xs), np.array(ys))
    expected, steep = jit(made, "numpy", reduce=("stack", "mean"))(numbers, columns(xs), np.array(ys))
    assert isinstance(values, jax.Array)
    assert values.dtype == np.float64
    assert np.allclose(values, expected, rtol=1e-13, atol=1e-15)
    assert np.allclose(slopes, steep, rtol=1e-12, atol=1e-15)
    assert not jax.config.jax_enable_x64  # it is only so inside


@settings(max_examples=2)  # JAX takes a second to compile one
@given(st.data())
def test_on_jax_random_expressions_have_the_values_of_eager(data):
    pytest.importorskip("jax")
    fs = [data.draw(expressions(max_size=8)) for _ in range(8)]
    rows = [[f.point, data.draw(points(f))] for f in fs]
    program = jit(lambda *xs: [f(*x) for f, x in zip(fs, xs, strict=True)], "jax")
    for f, batch, pair in zip(fs, program(*map(columns, rows)), rows, strict=True):
        for got, row in zip(np.broadcast_to(np.asarray(batch), 2), pair, strict=True):
            assert close(got, f(*row), *sizes(f, *row)), row


def test_inside_of_jax_a_program_is_a_function_like_others():
    jax = pytest.importorskip("jax")

    def f(w, x):
        return mg.sin(w * x) * mg.exp(-x)

    program = jit(f, "jax")
    w, x = 1.5, np.array([0.1, 0.7, 2.0])
    slope = [grad(f)(w, v) for v in x]
    with jax.enable_x64(True):
        assert np.allclose(jax.jit(lambda w, x: program(w, x) * 2.0)(w, x), [2.0 * f(w, v) for v in x], rtol=1e-14)
        assert np.allclose(jax.vmap(program, (None, 0))(w, x), [f(w, v) for v in x], rtol=1e-14)
        assert np.allclose(jax.vmap(jax.grad(program), (None, 0))(w, x), slope, rtol=1e-14)
        total = jit(grad(f), "jax", reduce="sum")
        assert np.allclose(jax.jit(lambda w, x: total(w, x))(w, x), math.fsum(slope), rtol=1e-14)
    single = jax.jit(lambda x: program(1.5, x))(jax.numpy.float32(0.5))
    assert single.dtype == np.float32
    assert float(single) == pytest.approx(f(1.5, 0.5), rel=1e-6)


SHARDED = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
os.environ["JAX_PLATFORMS"] = "cpu"
import jax, numpy as np
from functools import partial
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from micrograd_plus import jit, value_and_grad
from micrograd_plus.nn import mse
from micrograd_plus.nn import MLP

jax.config.update("jax_enable_x64", True)
assert jax.device_count() == 4
model = MLP(2, [5, 4, 1], "tanh", seed=1)
numbers = [p.data for p in model.parameters()]
made = value_and_grad(lambda p, x, y: mse(model.bind(p)(x), y))
draw = np.random.default_rng(1)
x, y = [draw.normal(size=12), draw.normal(size=12)], draw.normal(size=12)
expected = jit(made, "numpy", reduce=("stack", "mean"))(numbers, x, y)

mesh = Mesh(np.array(jax.devices()), ("batch",))
pieces = NamedSharding(mesh, P("batch"))
here = [jax.device_put(column, pieces) for column in (*x, y)]
program = jit(made, "jax", reduce=("stack", "mean"))
losses, slopes = program(numbers, here[:2], here[2])
assert len({piece.device for piece in losses.addressable_shards}) == 4
assert losses.sharding.is_equivalent_to(pieces, 1)
assert np.allclose(losses, expected[0], rtol=1e-13) and np.allclose(slopes, expected[1], rtol=1e-12, atol=1e-15)

sums = jit(made, "jax", reduce="sum")

@partial(jax.shard_map, mesh=mesh, in_specs=(P(), P("batch")), out_specs=P())
def by_hand(numbers, batch):
    loss, slopes = sums([numbers[i] for i in range(len(numbers))], [batch[:, 0], batch[:, 1]], batch[:, 2])
    return jax.lax.psum(jax.numpy.stack(slopes), "batch") / 12

slopes = jax.jit(by_hand)(np.array(numbers), np.stack([*x, y], axis=1))
assert np.allclose(slopes, expected[1], rtol=1e-12, atol=1e-15)
print("right")
"""


def test_a_batch_in_pieces_on_several_devices_stays_there():
    pytest.importorskip("jax")
    run = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout == "right\n", run.stderr


def test_what_goes_wrong_with_arrays_is_not_tried_on_arrays_as_they_are():
    def f(x, y):
        return x * y

    def refused(x):
        raise ValueError("no x is good enough")

    with pytest.raises(ValueError, match=r"jit: f cannot be run over these arrays: .*\(3,\).*\(4,\)"):
        mg.jit(f, "numpy")(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="jit: refused cannot be run over these arrays: no x is good enough"):
        mg.jit(refused, "numpy")(np.ones(3))
    with pytest.raises(ValueError, match=r"^no x is good enough$"):
        mg.jit(refused, "numpy")(1.0)


def test_an_array_that_is_taken_for_something_else_is_told_what_it_is():
    with pytest.raises(TypeError, match="expected a number, got array") as caught:
        mg.jit(mg.tanh)(np.ones(3))
    assert 'if it is a batch of one number, write jit(f, backend="numpy")' in caught.value.__notes__[0]
    with pytest.raises(TypeError, match="not iterable") as caught:
        mg.jit(lambda w, x: sum(w) * x, "numpy")(np.ones(2), np.ones(3))
    assert "for several numbers, write a list of them" in caught.value.__notes__[0]
    with pytest.raises(TypeError, match="not iterable") as caught:
        mg.jit(lambda w: sum(w))(2.0)
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(("backend", "extra"), [("numpy", "fast"), ("jax", "jax")])
def test_without_its_package_a_backend_says_what_to_install(backend, extra):
    program = f"""
import sys
sys.modules["{backend}"] = None
import micrograd_plus as mg
try:
    mg.jit(mg.sin, "{backend}")(1.0)
except ImportError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    text = f"jit: the {backend} backend needs {backend}: pip install micrograd-plus[{extra}], in a clone -e .[{extra}]"
    assert result.stdout.strip() == text
