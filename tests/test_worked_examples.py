"""The worked examples on the chain rule and backpropagation, with the numbers that are given there.

Each derivative is computed by reverse mode and by forward mode, and compared with the number, with the formula that
sympy derives, with the same thing done by hand in NumPy, or with a finite bump. docs/chain-rule.md and
docs/backpropagation.md walk through them, docs/testing.md through the backward pass of the wrong loss.
"""

import itertools
import math

import numpy as np
import pytest
import sympy as sp

import micrograd_plus as mg
from micrograd_plus import Value, derivative, grad, jacobian, jvp, value_and_grad
from micrograd_plus.tape import operands, tape

BUMP = 0.001


def close(expected):
    return pytest.approx(expected, rel=1e-13, abs=1e-15)


def slopes(f, *numbers):
    """The partial derivatives of f in three ways: `backward`, tangents on an ordinary run, and the transforms."""
    leaves = [Value(x) for x in numbers]
    f(*leaves).backward()
    tangents = [
        f(*[Value(x, tangent=float(i == j)) for j, x in enumerate(numbers)]).tangent for i in range(len(numbers))
    ]
    transform = grad(f, argnums=tuple(range(len(numbers))))(*numbers)
    assert tangents == close(list(transform))
    assert [x.grad for x in leaves] == close(list(transform))
    return transform


def edges(nodes):
    return sum(partial is not None for node in nodes for _, partial in operands(node))


# One number in, one number out ----------------------------------------------------------------------------------------


def square(w):
    return w**2


@pytest.mark.parametrize(("w", "slope"), [(3.0, 6.0), (2.0, 4.0), (-3.0, -6.0)])
def test_the_square_has_twice_its_argument_as_slope(w, slope):
    assert slopes(square, w) == (slope,)
    assert derivative(square)(w) == slope
    assert (square(w + BUMP) - square(w)) / BUMP == pytest.approx(slope, abs=1.01 * BUMP)  # off by the bump itself


def test_a_bump_of_the_square_at_3_gives_9_006001():
    assert square(Value(3.0 + BUMP)).data == pytest.approx(9.006001, abs=1e-14)
    assert (square(3.0 + BUMP) - square(3.0)) / BUMP == pytest.approx(6.001, abs=1e-9)


@pytest.mark.parametrize("x", [-2.0, -1 / 3, 0.0, 0.7, 2.0])
def test_the_square_of_3x_plus_1_has_the_slope_6_times_3x_plus_1(x):
    s = sp.Symbol("x")
    assert sp.expand(sp.diff((3 * s + 1) ** 2, s) - 6 * (3 * s + 1)) == 0
    assert slopes(lambda x: (3 * x + 1) ** 2, x) == close((6 * (3 * x + 1),))


@pytest.mark.parametrize("t", [-1.2, 0.0, 0.5, 1.0, 3.0])
def test_two_paths_from_t_to_f_add_up(t):
    s = sp.Symbol("t")
    formula = sp.diff((s**2) ** 2 + sp.sin(s) ** 2, s)
    assert sp.simplify(formula - (4 * s**3 + 2 * sp.sin(s) * sp.cos(s))) == 0

    def f(t):
        x, y = t**2, mg.sin(t)
        return x**2 + y**2

    assert slopes(f, t) == close((4 * t**3 + 2 * math.sin(t) * math.cos(t),))


# One neuron -----------------------------------------------------------------------------------------------------------

NEURONS = [(2.0, 1.0, 0.0, 5.0), (2.0, 3.0, 1.0, 5.0), (-0.5, 1.25, 0.3, -2.0)]  # w, x, b, y


def neuron(w, x, b, y):
    return 0.5 * (w * x + b - y) ** 2


@pytest.mark.parametrize(("w", "x", "b", "y"), NEURONS)
def test_every_step_of_a_linear_neuron_has_the_gradient_derived_by_hand(w, x, b, y):
    weight, bias = Value(w), Value(b)
    c = weight * x
    y_hat = c + bias
    d = y_hat - y
    L = 0.5 * d**2
    L.backward()
    error = w * x + b - y
    assert L.data == close(0.5 * error**2)
    assert [node.grad for node in (L, d, y_hat, c, weight, bias)] == close([1.0, error, error, error, error * x, error])


@pytest.mark.parametrize("numbers", NEURONS)
def test_the_gradient_of_a_linear_neuron_is_the_one_of_sympy(numbers):
    symbols = sp.symbols("w x b y")
    L = neuron(*symbols)
    at = dict(zip(symbols, map(sp.Rational, numbers), strict=True))
    assert slopes(neuron, *numbers) == close(tuple(float(sp.diff(L, s).subs(at)) for s in symbols))


@pytest.mark.parametrize(("w", "x", "b", "y"), NEURONS)
def test_the_squared_error_without_the_half_has_twice_the_gradient(w, x, b, y):
    error = w * x + b - y
    assert slopes(lambda w, b: (w * x + b - y) ** 2, w, b) == close((2 * error * x, 2 * error))


def test_steps_against_the_gradient_shrink_the_error_by_the_factor_1_minus_alpha_times_x2_plus_1():
    x, y, alpha = 3.0, 5.0, 0.05
    w, b = Value(2.0), Value(1.0)
    losses = []
    for _ in range(4):
        w.grad = b.grad = 0.0
        L = neuron(w, x, b, y)
        L.backward()
        losses.append(L.data)
        w.data -= alpha * w.grad
        b.data -= alpha * b.grad
    assert losses == close([2.0, 0.5, 0.125, 0.03125])  # d becomes d (1 - α (x² + 1)) = d / 2
    assert (w.data, b.data) == close((2.0 - 0.6 * 0.9375, 1.0 - 0.2 * 0.9375))


# Two layers -----------------------------------------------------------------------------------------------------------


def rectified(w1, b1, w2, b2, x=1.0, y=5.0):
    z1 = w1 * x + b1
    a1 = mg.relu(z1)
    z2 = w2 * a1 + b2
    y_hat = mg.relu(z2)
    return 0.5 * (y_hat - y) ** 2, (z1, a1, z2, y_hat)


def test_two_layers_of_relu_give_2_2_7_7_and_the_loss_2():
    L, steps = rectified(Value(2.0), Value(0.0), Value(3.0), Value(1.0))
    assert [node.data for node in steps] == [2.0, 2.0, 7.0, 7.0]
    assert L.data == 2.0
    L.backward()
    assert [node.grad for node in steps] == [6.0, 6.0, 2.0, 2.0]


def test_a_bump_confirms_each_gradient_of_two_layers_of_relu():
    numbers = [2.0, 0.0, 3.0, 1.0]  # w1, b1, w2, b2
    gradient = slopes(lambda *p: rectified(*p)[0], *numbers)
    assert gradient == (6.0, 6.0, 4.0, 2.0)
    for i, expected in enumerate(gradient):
        bumped = [x + BUMP * (i == j) for j, x in enumerate(numbers)]
        assert (rectified(*bumped)[0] - 2.0) / BUMP == pytest.approx(expected, abs=5 * BUMP)
    assert rectified(2.0 + BUMP, 0.0, 3.0, 1.0)[0] == pytest.approx(2.0060045, abs=1e-12)


def test_a_unit_of_relu_that_is_off_stops_the_gradient():
    assert slopes(lambda *p: rectified(*p)[0], 2.0, -3.0, 3.0, 1.0) == (0.0, 0.0, 0.0, -4.0)


def sigmoid(z):  # as one writes it in NumPy: object arrays of Values go through np.exp as well
    return 1 / (1 + np.exp(-z))


W = np.array([[0.15, -0.2], [0.25, 0.3], [-0.4, 0.1]])
B = np.array([0.35, -0.1, 0.2])
V = np.array([[0.4, -0.45, 0.5], [0.55, 0.2, -0.3]])
C = np.array([0.6, -0.25])
X = np.array([0.05, 0.8])
T = np.array([0.01, 0.99])


def layers(W, b, V, c):
    return sigmoid(V @ sigmoid(W @ X + b) + c)


def loss(W, b, V, c):
    return 0.5 * ((layers(W, b, V, c) - T) ** 2).sum()


def test_two_layers_of_sigmoids_have_the_gradient_derived_by_hand_in_numpy():
    a = sigmoid(W @ X + B)
    y = sigmoid(V @ a + C)
    delta2 = (y - T) * y * (1 - y)
    delta1 = V.T @ delta2 * a * (1 - a)
    by_hand = np.outer(delta1, X), delta1, np.outer(delta2, a), delta2
    value, gradient = value_and_grad(loss, argnums=(0, 1, 2, 3))(W, B, V, C)
    assert value == close(0.5 * sum((y - T) ** 2))
    for computed, expected in zip(gradient, by_hand, strict=True):
        np.testing.assert_allclose(computed, expected, rtol=1e-13)


def test_the_chain_rule_in_matrix_form_is_the_gradient_times_the_jacobian():
    dL_dy = grad(lambda y: 0.5 * ((y - T) ** 2).sum())(layers(W, B, V, C))
    dy_dW = jacobian(layers)(W, B, V, C)
    assert (dL_dy.shape, dy_dW.shape) == ((2,), (2, 3, 2))
    np.testing.assert_allclose(dL_dy, layers(W, B, V, C) - T, rtol=1e-13)
    np.testing.assert_allclose(np.tensordot(dL_dy, dy_dW, 1), grad(loss)(W, B, V, C), rtol=1e-13)


# A backward pass written by hand, and the loss that it does not belong to ---------------------------------------------


class Network:
    """2-4-1 sigmoids, as the tutorial has them: X is 100 points, y is 1 where x0 + x1 > 0."""

    def __init__(self):
        random = np.random.RandomState(0)  # its stream is frozen
        self.X = random.randn(100, 2)
        self.y = (self.X[:, :1] + self.X[:, 1:] > 0).astype(float)
        self.parameters = [0.01 * random.randn(2, 4), np.zeros((1, 4)), 0.01 * random.randn(4, 1), np.zeros((1, 1))]

    def forward(self, W1, b1, W2, b2):
        a1 = sigmoid(self.X @ W1 + b1)
        return a1, sigmoid(a1 @ W2 + b2)

    def backward(self, W1, b1, W2, b2, factor=lambda a2: 1.0):
        a1, a2 = self.forward(W1, b1, W2, b2)
        dz2 = factor(a2) * (a2 - self.y) / len(self.y)
        dz1 = dz2 @ W2.T * a1 * (1 - a1)
        return self.X.T @ dz1, dz1.sum(0, keepdims=True), a1.T @ dz2, dz2.sum(0, keepdims=True)

    def squared_error(self, *parameters):
        return np.mean((self.forward(*parameters)[1] - self.y) ** 2)

    def cross_entropy(self, *parameters):
        a2, y = self.forward(*parameters)[1], self.y
        return -np.mean(y * np.log(a2) + (1 - y) * np.log(1 - a2))

    def train(self, epochs):
        for _ in range(epochs):
            gradient = self.backward(*self.parameters)
            self.parameters = [p - 0.1 * g for p, g in zip(self.parameters, gradient, strict=True)]


@pytest.mark.parametrize("y", [0.0, 1.0])
@pytest.mark.parametrize("z", [-3.0, -0.4, 0.0, 1.7])
def test_a2_minus_y_is_the_slope_of_cross_entropy_in_z2_and_not_of_the_squared_error(z, y):
    a = 1 / (1 + math.exp(-z))
    entropy = slopes(lambda z: -(y * mg.log(mg.sigmoid(z)) + (1 - y) * mg.log(1 - mg.sigmoid(z))), z)
    squared = slopes(lambda z: (mg.sigmoid(z) - y) ** 2, z)
    assert entropy == close((a - y,))
    assert squared == close(((a - y) * 2 * a * (1 - a),))  # 2 a (1 - a) is at most 1/2: never the same
    assert abs(squared[0]) <= 0.5 * abs(entropy[0])


def test_sympy_derives_the_same_two_slopes():
    z, y = sp.symbols("z y", real=True)
    a = 1 / (1 + sp.exp(-z))
    entropy = sp.diff(-(y * sp.log(a) + (1 - y) * sp.log(1 - a)), z)
    squared = sp.diff((a - y) ** 2, z)
    assert sp.simplify(entropy - (a - y)) == 0
    assert sp.simplify(squared - (a - y) * 2 * a * (1 - a)) == 0


@pytest.mark.parametrize("epochs", [0, 1000])
def test_a_gradient_check_finds_that_the_backward_pass_is_of_another_loss(epochs):
    network = Network()
    network.train(epochs)
    by_hand = network.backward(*network.parameters)
    mended = network.backward(*network.parameters, factor=lambda a2: 2 * a2 * (1 - a2))
    entropy = grad(network.cross_entropy, argnums=(0, 1, 2, 3))(*network.parameters)
    squared = grad(network.squared_error, argnums=(0, 1, 2, 3))(*network.parameters)
    for hand, right, other, printed in zip(by_hand, entropy, mended, squared, strict=True):
        np.testing.assert_allclose(hand, right, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(other, printed, rtol=1e-10, atol=1e-15)
        assert np.linalg.norm(hand - printed) > 0.3 * np.linalg.norm(hand)  # the check cannot miss it


@pytest.mark.parametrize("epochs", [0, 1000])
def test_a_bump_of_a_weight_agrees_with_the_gradient_of_the_loss_that_is_bumped(epochs):
    network = Network()
    network.train(epochs)
    for loss in (network.squared_error, network.cross_entropy):
        gradient = grad(loss)(*network.parameters)
        for i in np.ndindex(2, 4):
            up, down = (network.parameters[0].copy() for _ in range(2))
            up[i] += BUMP
            down[i] -= BUMP
            bumped = (loss(up, *network.parameters[1:]) - loss(down, *network.parameters[1:])) / (2 * BUMP)
            assert bumped == pytest.approx(gradient[i], rel=1e-3, abs=1e-7)


def test_the_wrong_backward_pass_still_lowers_the_loss_that_is_printed():
    """Which is why nobody notices without a gradient check."""
    network = Network()
    before = network.squared_error(*network.parameters)
    network.train(1000)
    after = network.squared_error(*network.parameters)
    right = (network.forward(*network.parameters)[1] > 0.5) == network.y
    assert before == pytest.approx(0.25, abs=1e-3)
    assert after < 0.05
    assert right.mean() > 0.9


# What it costs --------------------------------------------------------------------------------------------------------


def perceptron(width, depth):
    """A function of a flat list of parameters: `depth` layers of `width` neurons, and one neuron, at two inputs."""
    sizes = [2, *[width] * depth, 1]
    count = sum((m + 1) * n for m, n in itertools.pairwise(sizes))

    def network(parameters):
        next_parameter = iter(parameters).__next__
        layer = [0.5, -0.25]
        for n in sizes[1:]:
            layer = [mg.tanh(sum((next_parameter() * x for x in layer), next_parameter())) for _ in range(n)]
        return layer[0]

    return network, [0.1 * math.sin(i) for i in range(count)]


SIZES = [(2, 1), (4, 2), (8, 2), (8, 4)]


@pytest.mark.parametrize(("width", "depth"), SIZES)
def test_the_tape_of_one_backward_pass_has_n_operations_and_p_parameters_and_two_edges_each_at_most(width, depth):
    network, numbers = perceptron(width, depth)
    parameters = [Value(x) for x in numbers]
    nodes = tape(network(parameters))
    neurons = width * depth + 1
    products = len(parameters) - neurons  # a weight is multiplied once, a bias only added
    n = 2 * products + neurons  # and each product added once, and each neuron's sum squashed
    assert len(nodes) == n + len(parameters)
    assert edges(nodes) == 2 * products + 2 * products + neurons - 2 * width  # two inputs of the network are constants


@pytest.mark.parametrize(("width", "depth"), SIZES)
def test_a_gradient_costs_a_few_runs_in_reverse_mode_and_one_run_a_parameter_in_forward_mode(width, depth):
    """Counted on the tape of the derivatives themselves: their inputs are Values, so every operation is recorded."""
    network, numbers = perceptron(width, depth)
    parameters = [Value(x) for x in numbers]
    p, run = len(numbers), operations(network(parameters))
    runs = []

    def counted(parameters):
        runs.append(1)
        return network(parameters)

    value, gradient = value_and_grad(counted)(parameters)
    assert len(runs) == 1
    reverse = operations(value, *gradient)
    unit = [[float(i == j) for j in range(p)] for i in range(p)]
    duals = [jvp(network, (parameters,), (direction,)) for direction in unit]
    forward = sum(operations(*dual) for dual in duals)
    assert [tangent.data for _, tangent in duals] == close([slope.data for slope in gradient])
    assert reverse < 5 * run  # the cheap gradient principle (Baur and Strassen, 1983), whatever p is
    assert forward > p * run


def operations(*roots):
    return sum(node.left is not None for node in tape(*roots))


# Vanishing and exploding gradients ------------------------------------------------------------------------------------


def chain_of(f, depth, x=0.5):
    """The gradient of f(f(...f(x))), and the product of the local derivatives on the way."""
    y = x = Value(x, tangent=1.0)
    for _ in range(depth):
        y = f(y)
    y.backward()
    locals_ = [partial for node in tape(y) for _, partial in operands(node) if partial is not None]
    assert x.grad == pytest.approx(math.prod(locals_), rel=1e-12)
    assert y.tangent == pytest.approx(x.grad, rel=1e-12)
    return x.grad, locals_


@pytest.mark.parametrize("depth", [1, 5, 20, 100])
def test_the_gradient_vanishes_through_a_chain_of_sigmoids(depth):
    gradient, slopes = chain_of(mg.sigmoid, depth)
    by_hand, x = 1.0, 0.5
    for _ in range(depth):
        x = 1 / (1 + math.exp(-x))
        by_hand *= x * (1 - x)
    assert gradient == pytest.approx(by_hand, rel=1e-12)
    assert max(slopes) <= 0.25
    assert 0.0 < gradient <= 0.25**depth


@pytest.mark.parametrize("depth", [1, 5, 20, 100])
def test_the_gradient_explodes_through_a_chain_of_large_weights(depth):
    assert chain_of(lambda x: 3.0 * x, depth)[0] == close(3.0**depth)


@pytest.mark.parametrize("depth", [1, 5, 20, 100])
def test_the_gradient_passes_unchanged_through_a_chain_of_relus(depth):
    assert chain_of(mg.relu, depth)[0] == 1.0
