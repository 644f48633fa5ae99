"""Every backend of jit says what eager says: each kind of program with its value, gradient and Hessian, and batches."""

import math
import os
import subprocess
import sys
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import derivative, grad, hessian, jit, value_and_grad, vmap
from micrograd_plus.machinery.trees import tree_leaves
from micrograd_plus.nn import MLP, Adam, fit
from micrograd_plus.nn.losses import mse
from micrograd_plus.rules import rule
from micrograd_plus.testing.strategies import expressions, points

BACKENDS = ["python", "llvm", "jax"]
inf, nan = math.inf, math.nan


def numbers(tree):
    return [float(x) for x in tree_leaves(tree)]


def close(found, expected, tolerance=1e-12):
    """Equal within so much of the largest number; nan and infinities in the same places."""
    found, expected = numbers(found), numbers(expected)
    largest = max([1.0, *[abs(x) for x in expected if math.isfinite(x)]])
    return len(found) == len(expected) and all(
        a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= tolerance * largest
        for a, b in zip(found, expected, strict=True)
    )


def alone(program, *args):
    """What the program itself returns: where it raises, or is not sure of a nan, f is called, which is not here."""
    program(*args)
    f, program.__wrapped__ = program.__wrapped__, None
    try:
        return program(*args)
    finally:
        program.__wrapped__ = f


KINDS = {
    "conditions are added": (lambda x, y: x * ((x > 0.0) + (y > 0.0) + (x > y)), [(1.0, 2.0), (-1.0, 0.5)]),
    "conditions in a sum": (lambda x, y: y * mg.sum([x > 0.0, y > 0.0, x > y]), [(1.0, 2.0), (3.0, 0.5)]),
    "the opposite of a condition": (lambda x, y: -(x > 0.0) * y, [(1.0, 2.0), (-1.0, 2.0)]),
    "conditions are subtracted": (lambda x, y: ((x > 0.0) - (y > 0.0)) * x * y, [(1.0, -2.0), (-1.0, 2.0), (1.0, 1.0)]),
    "a function of a condition": (
        lambda x, y: mg.exp(x > 0.0) * y + mg.sigmoid(y > 0.0) * x,
        [(1.0, 2.0), (-1.0, 2.0)],
    ),
    "a condition is compared": (lambda x, y: mg.where((x > 0.5) == y, x * y, y), [(1.0, 1.0), (1.0, 0.0), (0.0, 0.0)]),
    "a product and its reverse": (lambda x, y: (x * y) * (y * x) + x * y, [(1.5, -2.0)]),
    "an exponential and a sine": (lambda x, y: mg.exp(x) * mg.sin(y), [(0.5, -2.0)]),
    "a branch not taken": (lambda x, y: mg.where(x > 0.0, mg.sqrt(abs(x)) * y, y * y), [(4.0, 2.0), (-4.0, 2.0)]),
    "a power": (lambda x, y: x**y + x**3.0 - y**2.0 + x**-1.5, [(2.0, 1.5), (0.5, -2.0)]),
    "hyperbolas": (lambda x, y: mg.tanh(x) * mg.sinh(y) - mg.expm1(x * y) + mg.asinh(x), [(0.3, 0.7), (-2.0, 0.1)]),
    "activations": (lambda x, y: mg.relu(x) * mg.silu(y) + mg.gelu(x * y) + mg.softplus(y), [(0.3, -0.7), (-1.0, 2.0)]),
    "shares": (lambda x, y: mg.softmax([x, y, 1.0])[0] * mg.logsumexp([x, x * y, 0.5]), [(0.3, -0.7), (1.0, 1.0)]),
    "the remainder": (lambda x, y: mg.where(x > 0.0, x % 3.0, x % -3.0) * y, [(7.5, 2.0), (-7.5, 2.0)]),
    "norms": (lambda x, y: mg.hypot(x, y) * mg.atan2(y, x) + mg.dot([x, y], [y, x]), [(3.0, -4.0)]),
    "the gamma function": (
        lambda x, y: mg.gamma(x) * mg.lgamma(y) + mg.digamma(x * x) - mg.polygamma(2, abs(y)),
        [(2.5, 0.75), (-1.25, 3.0), (4.5, -0.5)],
    ),
    "the bell's tail": (lambda x, y: mg.log_ndtr(x * y) + y * mg.log_ndtr(-x), [(0.5, 1.5), (30.0, -1.5)]),
    "waves": (lambda x, y: mg.sinc(x) * y + mg.sinc(x * y), [(0.2, 1.5), (1.75, -2.5)]),
    "entropies": (
        lambda x, y: mg.xlogy(x, y) + mg.logit(mg.expit(x)) * mg.logaddexp(x, y) + mg.log(y, 3.0),
        [(0.5, 1.5), (-2.0, 0.25)],
    ),
    "longer vectors": (
        lambda x, y: mg.norm([x, y, x * y]) * mg.hypot(x, y, 2.0) + mg.dist([x, y, 1.0], [y, 0.5, x]) ** 3.0,
        [(3.0, -4.0), (0.5, 2.0)],
    ),
    "angles and powers": (lambda x, y: mg.exp2(x) * mg.radians(y) + mg.degrees(x) * mg.prod([x, y, y]), [(0.5, -3.0)]),
    "pieces": (
        lambda x, y: mg.fmod(x, 3.0) * y + mg.remainder(x, y) + mg.copysign(x, y) * mg.trunc(x) + mg.clip(y, -1.0, 2.0),
        [(7.5, 2.25), (-7.5, -2.25)],
    ),
    "a mask": (lambda x, y: mg.relu(x - 1.0) * mg.sqrt(abs(y)) * x, [(0.5, 2.0), (1.5, 2.0)]),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_values_gradients_and_hessians_of_each_kind_are_those_of_eager(backend, kind, request):
    """JAX takes long to compile Hessians: all of them with the option --examples, else two."""
    f, where = KINDS[kind]
    transforms = [value_and_grad(f, (0, 1)), lambda x, y: hessian(lambda p: f(*p))([x, y])]
    few = backend == "jax" and kind not in ("an exponential and a sine", "a mask")
    if few and not request.config.getoption("--examples"):
        transforms = transforms[:1]
    xs, ys = np.array(where).T
    for g in transforms:
        one = jit(g, backend)
        for point in where:
            assert close(alone(one, *point), g(*point))
        over = alone(jit(vmap(g), backend), xs, ys)
        one_by_one = [numbers(g(*point)) for point in where]
        assert close(
            np.array(one_by_one).T.tolist(), [np.asarray(column).tolist() for column in leaves_of_arrays(over)]
        )
        assert close(tree_leaves(vmap(g)(xs, ys)), np.array(one_by_one).T.ravel().tolist())


def leaves_of_arrays(tree):
    if isinstance(tree, list | tuple):
        return [leaf for item in tree for leaf in leaves_of_arrays(item)]
    return [tree]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "f",
    [mg.softmax, mg.log_softmax, mg.logsumexp, grad(mg.logsumexp), lambda xs: mg.maximum(*xs[:2]),
     lambda xs: mg.minimum(*xs[:2]), lambda xs: mg.relu(xs[0]), lambda xs: mg.step(xs[0]), lambda xs: mg.sign(xs[0])],
)  # fmt: skip
def test_nan_stays_nan(backend, f):
    """https://github.com/numpy/numpy/issues/9513"""
    for xs in ([nan, 1.0, 2.0], [1.0, nan, 2.0]):
        eager = numbers(f(xs))
        found = numbers(jit(f, backend)(xs))
        assert [math.isnan(x) for x in found] == [math.isnan(x) for x in eager]
        assert close(vmap(lambda *xs: f([*xs]))(*[np.array([x]) for x in xs]), eager)
    assert all(map(math.isnan, numbers(jit(mg.softmax, backend)([nan, 1.0, 2.0]))))


@pytest.mark.parametrize("backend", BACKENDS)
def test_zero_wins_over_infinity_where_the_chain_rule_multiplies(backend):
    """https://github.com/jax-ml/jax/issues/5798"""

    def masked(x):
        return mg.relu(-x) * (x * x)

    program = jit(grad(masked), backend)
    assert [program(x) for x in (1e200, 1.0)] == [0.0, 0.0]
    assert program(-3.0) == -27.0
    chosen = jit(value_and_grad(lambda x: mg.where(x > 0.0, mg.sqrt(x), 0.0)), backend)
    second = jit(derivative(lambda x: mg.where(x > 0.0, mg.log(x), 1.0 - x), n=2), backend)
    assert [numbers(alone(chosen, x)) for x in (4.0, 0.0, -1.0)] == [[2.0, 0.25], [0.0, 0.0], [0.0, 0.0]]
    assert [alone(second, x) for x in (0.5, 0.0, -1.0)] == [-4.0, 0.0, 0.0]

    def compared(x):  # a nan would not be seen: it is not larger than 0
        return mg.where(derivative(lambda z: mg.relu(-z) * (z * z))(x) >= 0.0, 1.0, 2.0)

    assert alone(jit(compared, backend), 1e200) == compared(1e200) == 1.0


@settings(max_examples=30)
@given(st.data())
def test_machine_code_of_random_expressions_says_what_eager_says(data):
    f = data.draw(expressions(smooth=False))
    argnums = tuple(range(len(f.variables)))
    program = jit(value_and_grad(f, argnums), "llvm")
    for point in (f.point, data.draw(points(f))):
        assert close(program(*point), value_and_grad(f, argnums)(*point), 1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_operation_of_ones_own_is_called_back_and_what_it_raises_arrives(backend):
    @rule(over_floats=lambda x: 3.0 * x if x < 100.0 else math.log(-1.0))
    def tripled(x):
        return tripled(x), 3.0

    program = jit(value_and_grad(lambda x: tripled(x) * x), backend)
    assert numbers(program(2.0)) == [12.0, 12.0]
    over = jit(vmap(lambda x: tripled(x) * x, reduce="sum"), backend)
    assert over(np.arange(5.0)) == 90.0
    with pytest.raises(ValueError, match=r"math domain error|expected a positive"):
        program(200.0)
    if backend == "llvm":  # also from the threads of a big batch
        with pytest.raises(ValueError, match=r"math domain error|expected a positive"):
            over(np.full(9000, 200.0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loss_over_a_batch_with_its_gradient_is_one_program_for_all_sizes(backend):
    model = MLP(2, [6, 1], activation="tanh", seed=1)

    def loss(p, x, y):
        return mse(model.bind(p)(x), y)

    p = [w.data for w in model.parameters()]
    program = jit(vmap(value_and_grad(loss), in_axes=(None, 0, 0), reduce="mean"), backend)
    calls = len(program._programs)
    for n in (1, 7, 8, 100) if backend != "llvm" else (1, 7, 8, 100, 9001):
        rng = np.random.default_rng(n)
        x, y = rng.normal(size=(n, 2)), rng.normal(size=n)
        some = range(n) if n < 1000 else ()
        if some:
            one_by_one = np.array([numbers(value_and_grad(loss)(p, list(x[i]), y[i])) for i in some]).mean(axis=0)
        else:
            one_by_one = numbers(vmap(value_and_grad(loss), in_axes=(None, 0, 0), reduce="mean")(p, x, y))
        assert close(alone(program, p, x, y), one_by_one.tolist() if some else one_by_one)
    assert len(program._programs) == calls + 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_array_is_a_vector(backend):
    from scipy.optimize import minimize

    def rosenbrock(x):
        return mg.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])

    program = jit(value_and_grad(rosenbrock), backend)
    x = np.array([-1.2, 1.0, 1.0])
    value, gradient = program(x)
    assert isinstance(gradient, np.ndarray)
    assert close([value, *gradient], [value_and_grad(rosenbrock)(x)[0], *value_and_grad(rosenbrock)(x)[1]])
    if backend != "jax":  # two hundred calls of a millisecond
        assert minimize(program, x, jac=True, method="BFGS").x == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)
    second = jit(hessian(rosenbrock), backend)(x)
    assert second.shape == (3, 3)
    assert close(second, hessian(rosenbrock)(x))


@pytest.mark.parametrize("backend", ["python", "llvm"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_nothing_times_infinity_is_nothing_in_each_place_of_the_result(place, backend):
    def f(a, b, c):
        return a + mg.relu(-b) * (b * b) + c

    def of_dict(p):
        return f(p["w"][1], p["v"], p["w"][0])

    x, expected, (left, right) = [3.0] * 3, [1.0] * 3, [i for i in range(3) if i != place]
    x[place], expected[place] = 1e200, 0.0
    assert jit(grad(lambda x: f(x[left], x[place], x[right])), backend)(x) == expected
    assert jit(grad(of_dict), backend)({"w": [1.0, 2.0], "v": 1e200}) == {"w": [1.0, 1.0], "v": 0.0}


def test_vectors_of_machine_code_keep_their_digits():
    from mpmath import MPContext

    mpmath = MPContext()
    mpmath.dps = 40
    tiny = np.geomspace(1e-300, 1.0, 70)
    x = np.concatenate([np.linspace(-700.0, 700.0, 571), np.linspace(-3.0, 3.0, 571), tiny, -tiny])
    for name, limit in {"exp": 2.0, "expm1": 3.0, "tanh": 6.0}.items():
        found = jit(vmap(getattr(mg, name)), "llvm")(x)
        for a, b in zip(x, found, strict=True):
            exact = getattr(mpmath, name)(mpmath.mpf(float(a)))
            assert abs(b - exact) <= limit * math.ulp(float(exact)), (name, a, b)
    edges = np.array([inf, -inf, nan, 0.0, -0.0, 800.0, -800.0, -740.0])
    with np.errstate(all="ignore"):
        for name in ("exp", "expm1", "tanh"):
            assert close(jit(vmap(getattr(mg, name)), "llvm")(edges), getattr(np, name)(edges))


def test_a_buffer_is_read_and_written_in_place():
    run = jit(lambda x, *, scale: {"y": x["a"] * scale}, "llvm").buffer({"a": 2.0}, scale=5.0)
    run()
    assert run.outputs.tolist() == [10.0]
    run.inputs[0] = 3.0
    run()
    assert run.outputs.tolist() == [15.0]
    run = jit(grad(lambda x: mg.relu(-x) * (x * x)), "llvm").buffer(1e200)
    run()
    assert run.outputs.tolist() == [0.0]  # and not 0 · ∞
    with pytest.raises(ValueError, match='only the backend "llvm" has buffers'):
        jit(mg.sin).buffer(1.0)


def test_a_long_program_is_cut_into_functions_that_hand_over(monkeypatch):
    from micrograd_plus.jit import llvm

    def f(xs):
        y, chosen = xs[0], xs[1] > 0.0
        for i in range(100):
            y = mg.sin(y) * xs[i % 3] + mg.where(chosen & (y > 0.0), xs[1], 0.5)
        return [y, xs[2], 3.0, y, mg.where(chosen, y, 0.0)]

    expected = f([0.5, 1.5, -2.0])
    assert close(jit(f, "llvm")([0.5, 1.5, -2.0]), expected)
    monkeypatch.setattr(llvm, "PART", 7)
    assert close(jit(f, "llvm")([0.5, 1.5, -2.0]), expected)
    monkeypatch.setattr(llvm, "MODULE", 21)
    assert close(jit(f, "llvm")([0.5, 1.5, -2.0]), expected)
    over = jit(vmap(lambda a, b: f([a, b, -2.0])), "llvm")(np.array([0.5] * 9), np.array([1.5] * 9))
    assert close([column[8] for column in over], expected)


def test_results_that_are_constant_or_there_twice_come_out_all_the_same():
    def f(x):
        return [x[0], -0.0, 0.0, x[0], nan, (inf, x[1] * x[1], x[1] * x[1]), {"a": x[1]}]

    for backend in BACKENDS:
        program = jit(f, backend)
        assert "no program" in program.source
        assert repr(program([2.0, 3.0])) == "[2.0, -0.0, 0.0, 2.0, nan, (inf, 9.0, 9.0), {'a': 3.0}]"
        assert "no program" not in program.source


DIVIDED = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import micrograd_plus as mg

assert len(jax.devices()) == 4
step = mg.jit(mg.vmap(mg.value_and_grad(lambda w, x: (w[0] * x + w[1]).tanh() ** 2), (None, 0), reduce="mean"), "jax")
x = np.linspace(-2.0, 2.0, 1000)
value, gradient = step([0.5, 0.25], x)
with jax.enable_x64(True):
    pieces = jax.device_put(x, NamedSharding(Mesh(jax.devices(), "batch"), PartitionSpec("batch")))
assert len(pieces.sharding.device_set) == 4
divided = step([0.5, 0.25], pieces)
assert np.allclose([value, *gradient], [divided[0], *divided[1]], rtol=1e-12, atol=0.0)
eager = [mg.value_and_grad(lambda w: (w[0] * a + w[1]).tanh() ** 2)([0.5, 0.25]) for a in x.tolist()]
assert np.allclose([value, *gradient], np.mean([[v, *g] for v, g in eager], axis=0), rtol=1e-12, atol=1e-15)
"""


def test_a_batch_may_be_divided_among_four_devices():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", DIVIDED], env={**os.environ, **flags}, capture_output=True, text=True)
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_operation_of_ones_own_is_not_taken_for_a_function_of_that_name_elsewhere(backend):
    """i0 is NumPy's, fdim and j0 are C's: each means something else here."""

    @rule(over_floats=lambda x: 100.0 * x)
    def i0(x):
        return i0(x), 100.0

    @rule(over_floats=lambda x, y: x - 2.0 * y)
    def fdim(x, y):
        return fdim(x, y), 1.0, -2.0

    @rule(over_floats=lambda x: 7.0 * x)
    def j0(x):
        return j0(x), 7.0

    def f(x):
        return i0(x) + fdim(x, 3.0) * j0(x)

    assert numbers(jit(value_and_grad(f), backend)(2.0)) == numbers(value_and_grad(f)(2.0))
    assert jit(vmap(f), backend)(np.array([1.0, 2.0])).tolist() == [f(1.0), f(2.0)]
    assert vmap(f)(np.array([1.0, 2.0])).tolist() == [f(1.0), f(2.0)]


@pytest.mark.parametrize("backend", [None, "python", "llvm"])
@pytest.mark.parametrize("bad", [1e200, nan])
def test_a_step_that_fails_leaves_parameters_and_what_the_optimizer_remembers(backend, bad):
    """The pair that fails comes in the third step, of a loss that is then infinite or nan."""
    first = [(0.5, 1.0), (1.0, 2.0)]
    model, same_model = [MLP(1, [2, 1], activation="tanh", seed=1) for _ in range(2)]
    optimizer, expected = [Adam(m.parameters(), lr=0.1) for m in (model, same_model)]
    fit(same_model, first, mse, expected, epochs=1, batch_size=1, seed=3, progress=False, backend=backend)
    order = Random(3).sample(range(3), 3)  # as fit draws it
    data = [(0.0, 0.0)] * 3
    for place, pair in zip(order, [*[first[i] for i in Random(3).sample(range(2), 2)], (1.0, bad)], strict=True):
        data[place] = pair
    with pytest.raises(FloatingPointError, match="step 2"):
        fit(model, data, mse, optimizer, epochs=1, batch_size=1, seed=3, progress=False, backend=backend)
    assert optimizer.state_dict() == expected.state_dict()
    assert [p.data for p in model.parameters()] == [p.data for p in same_model.parameters()]
