"""vmap: a function of one sample over a batch says what a loop says, and what JAX says, in every nesting."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import Value, grad, hessian, jacobian, jit, jvp, value_and_grad, vjp, vmap
from micrograd_plus.testing.strategies import expressions

N = 7
X = np.random.default_rng(0).normal(size=(N, 2))
Y = np.random.default_rng(1).normal(size=N)
W = [0.3, -0.4, 1.2]
AXES = (None, 0, 0)


def f(w, x, y):
    chosen = mg.tanh(w[0] * x[0] + w[1] * x[1]) * mg.where(x[0] > 0.0, w[2], 1.0)
    return (chosen - y) ** 2 + mg.gelu(x[1]) * mg.softmax([w[0], *x])[1] + mg.relu(x[0] - 0.1) * mg.dot(x, x)


def over_samples(g, *more):
    return [g(W, x, y, *more) for x, y in zip(X, Y, strict=True)]


def total(w):
    return mg.sum([f(w, x, y) for x, y in zip(X, Y, strict=True)])


def close(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    assert a.shape == b.shape
    assert np.abs(a - b).max() <= 1e-13 * max(1.0, np.abs(b).max())


def test_vmap_of_a_function_of_its_gradient_and_of_its_hessian():
    close(vmap(f, AXES)(W, X, Y), over_samples(f))
    close(np.array(vmap(grad(f), AXES)(W, X, Y)).T, over_samples(grad(f)))
    close(vmap(grad(f, 1), AXES)(W, X, Y), over_samples(grad(f, 1)))
    close(np.array(vmap(hessian(f), AXES)(W, X, Y)).transpose(2, 0, 1), over_samples(hessian(f)))
    close(np.array(vmap(lambda w, x, y: jvp(lambda w: f(w, x, y), (w,), (W,))[1], AXES)(W, X, Y)),
          over_samples(lambda w, x, y: jvp(lambda w: f(w, x, y), (w,), (W,))[1]))  # fmt: skip


def test_gradient_hessian_and_jvp_of_a_vmap():
    def summed(w):
        return vmap(f, AXES, reduce="sum")(w, X, Y)

    assert value_and_grad(summed)(W)[0] == pytest.approx(total(W), rel=1e-14)
    close(grad(summed)(W), grad(total)(W))
    close(hessian(summed)(W), hessian(total)(W))
    close(jvp(summed, (W,), ([1.0, 2.0, 3.0],)), jvp(total, (W,), ([1.0, 2.0, 3.0],)))
    close(grad(lambda w: vmap(f, AXES, reduce="mean")(w, X, Y))(W), np.array(grad(total)(W)) / N)


def test_without_reduce_a_list_of_values_comes_back_inside_a_transform():
    def each(w):
        return vmap(f, AXES)(w, X, Y)

    def loop(w):
        return [f(w, x, y) for x, y in zip(X, Y, strict=True)]

    close(jacobian(each)(W), jacobian(loop)(W))
    close(jvp(each, (W,), ([1.0, 2.0, 3.0],)), jvp(loop, (W,), ([1.0, 2.0, 3.0],)))
    cotangents = [float(i) for i in range(N)]
    close(vjp(each, W)[1](cotangents)[0], vjp(loop, W)[1](cotangents)[0])


def test_an_array_of_inputs_is_differentiated_through_a_vmap():
    found = grad(lambda X: vmap(f, AXES, reduce="mean")(W, X, Y))(X)
    close(found, np.array(over_samples(grad(f, 1))) / N)
    close(jvp(lambda Y: vmap(f, AXES, reduce="sum")(W, X, Y), (Y,), (np.ones(N),))[1],
          sum(over_samples(lambda w, x, y: grad(f, 2)(w, x, y))))  # fmt: skip


def test_a_derivative_inside_a_vmap_inside_a_gradient():
    def slope(w, z):
        return grad(lambda z: mg.sin(w * z) * z)(z)

    def batch(w):
        return mg.sum(vmap(slope, (None, 0))(w, Y))

    def loop(w):
        return mg.sum([slope(w, z) for z in Y])

    close(grad(batch)(0.5), grad(loop)(0.5))
    close(hessian(lambda p: batch(p[0]))([0.5]), hessian(lambda p: loop(p[0]))([0.5]))


@pytest.mark.parametrize("reduce", ["sum", None])
def test_ordinary_values_get_their_gradients(reduce):
    w = [Value(x) for x in W]
    result = vmap(f, AXES, reduce=reduce)(w, X, Y)
    (result if reduce else mg.sum(result)).backward()
    close([x.grad for x in w], grad(total)(W))
    assert all(type(x.grad) is float for x in w)


def test_what_does_not_depend_on_the_sample_counts_once_for_each():
    assert grad(lambda w: vmap(lambda x: w + x, reduce="sum")(Y))(1.0) == N
    assert grad(lambda w: vmap(lambda x: w * 2.0, reduce="sum")(Y))(1.0) == 2.0 * N
    assert grad(lambda w: vmap(lambda x: w * 2.0, reduce="mean")(Y))(1.0) == 2.0
    assert vmap(lambda x: 3.0, reduce="sum")(Y) == 3.0 * N
    close(vmap(lambda x: 3.0)(Y), np.full(N, 3.0))


def test_structures_of_arguments_and_of_results():
    data = {"x": X, "y": [Y, 2.0]}
    found = vmap(lambda d: {"sum": d["x"].sum() + d["y"][0], "x": d["x"] * d["y"][1]}, ({"x": 0, "y": [0, None]},))(
        data
    )
    close(found["sum"], X.sum(axis=1) + Y)
    close(found["x"], 2.0 * X)
    both = vmap(lambda x: (x, {"a": x * x}), reduce=(None, {"a": "mean"}))(Y)
    close(both[0], Y)
    assert both[1]["a"] == pytest.approx((Y * Y).mean(), rel=1e-15)
    close(vmap(lambda x: x[::-1], reduce="sum")(X), X.sum(axis=0)[::-1])


def test_it_says_what_jax_says():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    jnp = jax.numpy

    def ours(w, x):
        return mg.tanh(w[0] * x[0] + w[1] * x[1]) ** 2

    def theirs(w, x):
        return jnp.tanh(w[0] * x[0] + w[1] * x[1]) ** 2

    with jax.enable_x64(True):
        w = W[:2]
        close(vmap(ours, (None, 0))(w, X), jax.vmap(theirs, (None, 0))(w, X))
        close(vmap(grad(ours), (None, 0))(w, X), jax.vmap(jax.grad(theirs), (None, 0))(w, X))
        close(vmap(hessian(ours), (None, 0))(w, X), jax.vmap(jax.hessian(theirs), (None, 0))(w, X))
        close(grad(lambda w: mg.sum(vmap(ours, (None, 0))(w, X)))(w),
              jax.grad(lambda w: jax.vmap(theirs, (None, 0))(w, X).sum())(w))  # fmt: skip


@settings(max_examples=50)
@given(st.data())
def test_random_expressions_over_a_batch_are_those_of_a_loop(data):
    g = data.draw(expressions(smooth=False))
    rows = np.array([g.point] * 3)
    slopes = vmap(grad(g, tuple(range(len(g.variables)))), 0)(*rows.T)
    expected = grad(g, tuple(range(len(g.variables))))(*g.point)
    largest = max([1.0, *[abs(x) for x in expected if math.isfinite(x)]])
    for column, x in zip(slopes, expected, strict=True):
        for y in np.asarray(column):
            assert y == x or (math.isnan(x) and math.isnan(y)) or abs(y - x) <= 1e-9 * largest or not math.isfinite(x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vmap(lambda x: x if x > 0.0 else -x)(Y), "a batch has many numbers, .* where"),
        (lambda: vmap(lambda x: math.sin(x))(Y), "a batch has many numbers"),
        (lambda: vmap(lambda x: vmap(lambda y: x * y)(Y))(Y), "is mapped inside of vmap; .* outermost"),
        (lambda: jit(lambda w: vmap(lambda x: w * x, reduce="sum")(Y))(1.0), r"inside of jit; write jit\(vmap\(f\)\)"),
        (lambda: vmap(f, AXES)(W, X, Y[:3]), "leading axes of one length"),
        (lambda: vmap(f, AXES)(W, X, 1.0), "argument 2 has no axis to map over"),
        (lambda: vmap(f, (None, 0))(W, X, Y), "in_axes has 2 items, and f was given 3 arguments"),
        (lambda: vmap(f, (None, 1, 0))(W, X, Y), "in_axes has 1 for argument 1"),
        (lambda: vmap(mg.sum, 1)([Y, Y]), "in_axes has 1 for argument 0"),
        (lambda: vmap(mg.sum, ([0],))([Y, Y]), r"in_axes has \[0\] for argument 0"),
        (lambda: vmap(f, AXES, reduce="max")(W, X, Y), "reduce must be None"),
        (lambda: vmap(lambda x: (x, x), reduce=("sum",))(Y), "reduce must be None"),
        (lambda: vmap(lambda x: (x, x), reduce=2)(Y), "reduce must be None"),
        (lambda: vmap(lambda x: (x, x, x), reduce="max")(Y), "reduce must be None"),
        (lambda: vmap(lambda x: x, reduce=())(Y), "reduce must be None"),
        (lambda: vmap(lambda x: x)(np.zeros(0)), "and not 0"),
        (lambda: vmap(lambda x: 1.0)(np.array([Value(1.0)])) and vmap(lambda x: "a")(Y), "the result"),
    ],
)
def test_what_cannot_be_mapped_says_why(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_batch_that_was_kept_is_refused():
    kept = []
    vmap(lambda x: kept.append(x) or x)(Y)
    with pytest.raises(TypeError, match="of another vmap"):
        vmap(lambda x: x + kept[0])(Y)
