"""Networks: what their parameters are called, what they compute, other numbers in them, and files."""

import collections
import copy
import dataclasses
import gc
import inspect
import json
import math
import os
import pickle
import random
import re
from abc import ABC, abstractmethod

import numpy as np
import pytest

import micrograd_plus as mg
from micrograd_plus import Value, derivative, grad, hessian, hvp, jacobian, jvp, value_and_grad
from micrograd_plus.nn import MLP, Layer, Module, Neuron, glorot, gradient_report, he, linear
from micrograd_plus.rules import RULES
from micrograd_plus.tape import tape
from micrograd_plus.testing import check_grads


def numbers(module):
    return [parameter.data for parameter in module.parameters()]


def gradients(module):
    return [parameter.grad for parameter in module.parameters()]


def names(module):
    return [name for name, _ in module.named_parameters()]


def set_numbers(module, state):
    for parameter, number in zip(module.parameters(), state, strict=True):
        parameter.data = number


class Line(Module):
    def __init__(self, slope=2.0, offset=1.0):
        self.slope, self.offset = Value(slope), Value(offset)

    def forward(self, x):
        return self.slope * x + self.offset


# Names ----------------------------------------------------------------------------------------------------------------


def test_parameters_are_named_by_the_way_to_them_and_labelled_so():
    model = MLP(2, [2, 1])
    assert names(model) == [
        "layers.0.neurons.0.weights.0",
        "layers.0.neurons.0.weights.1",
        "layers.0.neurons.0.bias",
        "layers.0.neurons.1.weights.0",
        "layers.0.neurons.1.weights.1",
        "layers.0.neurons.1.bias",
        "layers.1.neurons.0.weights.0",
        "layers.1.neurons.0.weights.1",
        "layers.1.neurons.0.bias",
    ]
    assert [parameter.label for parameter in model.parameters()] == names(model)
    assert names(model.layers[1]) == ["neurons.0.weights.0", "neurons.0.weights.1", "neurons.0.bias"]
    assert names(Neuron(1)) == ["weights.0", "bias"]
    assert len(MLP(2, [16, 16, 1]).parameters()) == 2 * 16 + 16 + 16 * 16 + 16 + 16 + 1


def test_the_parameters_of_a_module_of_ones_own_are_found_in_whatever_it_keeps_them():
    Pair = collections.namedtuple("Pair", "first second")

    class Everything(Module):
        limit = Value(9.0)  # of the class, not of the module

        def __init__(self):
            self.scale = Value(1.0)
            self.steps = [Value(2.0), (Value(3.0), {"deep": [Value(4.0)]}), 5.0, "text", None]
            self.heads = {"cat": Line(), 7: Line()}
            self.pair = Pair(Value(6.0), [Value(7.0)])
            self.again = self.scale
            self._cache = Value(8.0)
            self.__hidden = Line()
            self.empty, self.numbers, self.f = [], np.ones(3), lambda x: x

    module = Everything()
    assert names(module) == [
        "scale",
        "steps.0",
        "steps.1.0",
        "steps.1.1.deep.0",
        "heads.cat.slope",
        "heads.cat.offset",
        "heads.7.slope",
        "heads.7.offset",
        "pair.0",
        "pair.1.0",
    ]
    assert module.scale.label == "scale"  # and not "again"
    assert [p.label for p in module.parameters()] == names(module)
    assert module._cache.label == ""


def test_arrays_of_values_hold_parameters_too():
    class Affine(Module):
        def __init__(self):
            self.W, self.b = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]), np.array([Value(5.0)])

        def forward(self, x):
            return (self.W @ np.array(x)).sum() + self.b[0]

    affine = Affine()
    assert names(affine) == ["W.0.0", "W.0.1", "W.1.0", "W.1.1", "b.0"]
    assert affine([10.0, 1.0]).data == 51.0
    assert grad(lambda p: affine.bind(p)([10.0, 1.0]))(numbers(affine)) == [10.0, 1.0, 10.0, 1.0, 1.0]


def test_a_module_given_to_another_is_named_by_the_outermost_one_and_shared_parameters_are_listed_once():
    class Twice(Module):
        def __init__(self, line):
            self.first, self.other, self.second = line, Line(), line
            self.tied = line.offset

        def forward(self, x):
            return self.second(self.first(x)) + self.tied

    line = Line()
    assert [p.label for p in line.parameters()] == ["slope", "offset"]
    outer = Twice(line)
    assert names(outer) == ["first.slope", "first.offset", "other.slope", "other.offset"]
    assert [p.label for p in line.parameters()] == ["first.slope", "first.offset"]
    assert names(line) == ["slope", "offset"]
    y = outer(3.0)  # s(sx + o) + 2o
    y.backward()
    assert (y.data, line.slope.grad, line.offset.grad) == (16.0, 2 * 2.0 * 3.0 + 1.0, 2.0 + 2.0)
    assert grad(lambda p: outer.bind(p)(3.0))([2.0, 1.0, 0.0, 0.0]) == [13.0, 4.0, 0.0, 0.0]


def test_a_module_without_parameters_and_one_without_forward():
    assert (Module().parameters(), Module().state_dict(), Module().zero_grad()) == ([], {}, None)
    with pytest.raises(NotImplementedError, match="Module has no method `forward`"):
        Module()(1.0)


def test_keywords_and_several_inputs_reach_forward():
    class Scaled(Line):
        def forward(self, x, y, scale=1.0):
            return (self.slope * x + self.offset * y) * scale

    assert Scaled()(3.0, 4.0, scale=10.0).data == 100.0


def test_a_module_that_knows_the_module_it_stands_in_is_walked_once():
    class Parent(Module):
        def __init__(self):
            self.line = Line()
            self.line.parent = self
            self.lines = [self.line]

        def forward(self, x):
            return self.line(x) * self.lines[0].slope

    parent = Parent()
    assert names(parent) == ["line.slope", "line.offset"]
    assert grad(lambda p: parent.bind(p)(3.0))([2.0, 1.0]) == [13.0, 2.0]
    bound = parent.bind([4.0, 5.0])
    assert bound.line.parent is bound
    assert bound.lines[0] is bound.line


def test_two_parameters_of_one_name_are_refused():
    class Clash(Module):
        def __init__(self):
            self.heads = {1: Value(1.0), "1": Value(2.0)}

    with pytest.raises(ValueError, match=r"heads\.1"):
        Clash().state_dict()


def test_an_abstract_class_can_be_a_module():
    """A metaclass of modules must not be in its way: github.com/pyro-ppl/pyro/pull/3173."""

    class Shape(Module, ABC):
        @abstractmethod
        def area(self): ...

    class Square(Shape):
        def __init__(self):
            self.side = Value(3.0)

        def area(self):
            return self.side * self.side

    assert Square().area() == 9.0
    with pytest.raises(TypeError, match="abstract"):
        Shape()


# Activations and initial weights --------------------------------------------------------------------------------------


def test_the_defaults_are_those_of_micrograd():
    model = MLP(2, [3, 3, 1])
    assert [layer.neurons[0].activation for layer in model.layers] == [mg.relu, mg.relu, linear]
    assert MLP(1, [1]).bind([-2.0, 0.0])(3.0) == -6.0  # the last layer is linear
    assert Neuron(1).bind([-2.0, 0.0])(3.0) == Layer(1, 1).bind([-2.0, 0.0])(3.0) == 0.0


def test_hidden_and_output_activations_are_chosen_apart_by_name_or_as_functions():
    def square(x):
        return x * x

    numbers = [2.0, 1.0, 3.0, 0.5]
    assert MLP(1, [1, 1], "tanh", "sigmoid").bind(numbers)(0.1) == mg.sigmoid(3.0 * math.tanh(1.2) + 0.5)
    assert MLP(1, [1, 1], square, lambda x: x + 100.0).bind(numbers)(2.0) == 3.0 * 25.0 + 0.5 + 100.0
    assert MLP(1, [1, 1], activation=mg.sin).bind(numbers)(2.0) == 3.0 * math.sin(5.0) + 0.5
    assert repr(MLP(2, [3, 1], square, mg.sin)) == "MLP(2, [3, 1], square, sin)"


def test_an_activation_may_be_a_module_with_parameters_of_its_own():
    class PReLU(Module):
        def __init__(self):
            self.slope = Value(0.25)

        def forward(self, x):
            return mg.maximum(x, 0.0) + self.slope * mg.minimum(x, 0.0)

    model = MLP(1, [1, 1], PReLU())
    assert names(model)[0] == "layers.0.neurons.0.activation.slope"
    assert names(model)[1:] == names(MLP(1, [1, 1]))
    assert grad(lambda p: model.bind(p)(-2.0))([0.25, 3.0, 0.0, 7.0, 0.0])[0] == 7.0 * -6.0


@pytest.mark.parametrize("activation", ["tahn", "softmax", "add", "", None, 3])
@pytest.mark.parametrize("make", [lambda a: Neuron(1, a), lambda a: MLP(1, [1], a), lambda a: MLP(1, [1], "relu", a)])
def test_an_unknown_activation_is_an_error_that_names_it_and_those_there_are(activation, make):
    with pytest.raises(
        ValueError,
        match=f"activation: there is no {activation!r}; (there are linear, .*tanh.*relu|did you mean .*tanh)",
    ):
        make(activation)


HE = ["relu", "leaky_relu", "elu", "gelu", "silu", "softplus"]
GLOROT = ["linear", "tanh", "sigmoid", "sin"]


@pytest.mark.parametrize("activation", HE)
def test_rectifiers_start_with_the_normal_numbers_of_variance_2_over_the_inputs_of_he(activation):
    """Five standard errors off are the mean and the variance of n such numbers in about one of a million seeds."""
    layer = Layer(40, 100, activation, seed=1)
    weights = np.array([weight.data for neuron in layer.neurons for weight in neuron.weights])
    n, variance = len(weights), 2.0 / 40
    assert abs(weights.mean()) < 5.0 * math.sqrt(variance / n)
    assert abs((weights**2).mean() / variance - 1.0) < 5.0 * math.sqrt(2.0 / n)
    beyond = (np.abs(weights) > math.sqrt(variance)).mean()  # of a normal distribution, 31.7%; of a uniform one, 42.3%
    assert abs(beyond - 0.3173) < 5.0 * math.sqrt(0.3173 * 0.6827 / n)
    assert all(neuron.bias.data == 0.0 for neuron in layer.neurons)


def test_a_hundred_thousand_weights_of_each_kind_have_the_variance_of_the_papers():
    generator, n = random.Random(1), 100_000
    normal = math.fsum(he(generator, 8, 3) ** 2 for _ in range(n)) / n
    uniform = math.fsum(glorot(generator, 8, 4) ** 2 for _ in range(n)) / n
    assert abs(normal / (2.0 / 8) - 1.0) < 5.0 * math.sqrt(2.0 / n)
    assert abs(uniform / (2.0 / (8 + 4)) - 1.0) < 5.0 * math.sqrt(0.8 / n)


@pytest.mark.parametrize("activation", GLOROT)
def test_others_start_with_the_uniform_numbers_between_the_bounds_of_glorot(activation):
    layer = Layer(30, 120, activation, seed=1)
    weights = np.array([weight.data for neuron in layer.neurons for weight in neuron.weights])
    n, bound = len(weights), math.sqrt(6.0 / (30 + 120))
    assert 0.99 * bound < weights.max() <= bound
    assert -0.99 * bound > weights.min() >= -bound
    assert abs(weights.mean()) < 5.0 * bound / math.sqrt(3.0 * n)
    assert abs((weights**2).mean() / (bound**2 / 3.0) - 1.0) < 5.0 * math.sqrt(0.8 / n)
    assert all(neuron.bias.data == 0.0 for neuron in layer.neurons)


def test_a_neuron_alone_starts_as_a_layer_of_one():
    for init in ("glorot", None):
        alone, one, many = [Neuron(3, "tanh", init=init, seed=1, **width) for width in ({}, {"width": 1}, {"width": 9})]
        assert alone.state_dict() == one.state_dict() != many.state_dict()


def test_each_layer_of_a_network_starts_as_its_own_activation_and_widths_want_it():
    calls = []

    def init(generator, inputs, outputs):
        calls.append((inputs, outputs))
        return float(len(calls))

    model = MLP(2, [3, 1], init=init)
    assert calls == [(2, 3)] * 6 + [(3, 1)] * 3
    assert numbers(model) == [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 6.0, 0.0, 7.0, 8.0, 9.0, 0.0]
    assert numbers(MLP(2, [3, 1], seed=1, init="he"))[-2] == numbers(MLP(2, [3, 1], "relu", "relu", seed=1))[-2]
    assert numbers(MLP(2, [3, 1], seed=1, init="glorot")) == numbers(MLP(2, [3, 1], "tanh", seed=1))
    hidden, output = MLP(50, [50, 50], seed=3).layers  # relu has wider weights than the linear output
    largest = [max(abs(w.data) for neuron in layer.neurons for w in neuron.weights) for layer in (hidden, output)]
    assert largest[0] > 3.0 * math.sqrt(2.0 / 50) > math.sqrt(6.0 / 100) > largest[1]


def test_a_seed_repeats_itself_a_generator_goes_on_and_none_follows_random_seed():
    assert numbers(MLP(2, [3, 1], seed=5)) == numbers(MLP(2, [3, 1], seed=5)) != numbers(MLP(2, [3, 1], seed=6))
    assert numbers(MLP(2, [3, 1], seed=0)) == numbers(MLP(2, [3, 1], seed=random.Random(0)))
    generator = random.Random(5)
    first, second = MLP(2, [3, 1], seed=generator), MLP(2, [3, 1], seed=generator)
    assert numbers(first) == numbers(MLP(2, [3, 1], seed=5)) != numbers(second)
    assert len(set(numbers(first))) == 9 + 1  # no two weights are alike, and the biases are 0
    state = random.getstate()
    try:
        random.seed(5)
        assert numbers(MLP(2, [3, 1])) == numbers(first)
        random.seed(5)
        assert numbers(MLP(2, [3, 1], seed=random)) == numbers(first)
        random.seed(5)
        MLP(2, [3, 1], seed=7)
        assert random.random() == random.Random(5).random()  # a seed of its own leaves the module's generator alone
    finally:
        random.setstate(state)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MLP(0, [1]), ValueError, "inputs: expected a whole number from 1 up, got 0"),
        (lambda: MLP(2.0, [1]), ValueError, "inputs: expected a whole number from 1 up, got 2.0"),
        (lambda: MLP(True, [1]), ValueError, "inputs: expected a whole number from 1 up, got True"),
        (lambda: MLP(2, [3, 0]), ValueError, "outputs: expected a whole number from 1 up, got 0"),
        (lambda: MLP(2, [3, "1"]), ValueError, "outputs: expected a whole number from 1 up, got '1'"),
        (lambda: MLP(2, []), ValueError, "widths must be a list with the number of neurons of each layer, got []"),
        (lambda: MLP(2, 3), ValueError, "widths must be a list with the number of neurons of each layer, got 3"),
        (lambda: MLP(2, "31"), ValueError, "widths must be a list with the number of neurons of each layer, got '31'"),
        (lambda: Layer(2, -1), ValueError, "outputs: expected a whole number from 1 up, got -1"),
        (lambda: Neuron(-1), ValueError, "inputs: expected a whole number from 1 up, got -1"),
        (lambda: Neuron(1, width=0), ValueError, "width: expected a whole number from 1 up, got 0"),
        (lambda: MLP(2, [1], seed="5"), TypeError, "seed: expected a whole number, a random.Random or None, got '5'"),
        (lambda: MLP(2, [1], seed=True), TypeError, "seed: expected a whole number, a random.Random or None, got True"),
        (lambda: MLP(2, [1], seed=1.5), TypeError, "seed: expected a whole number, a random.Random or None, got 1.5"),
        (lambda: MLP(2, [1], init=lambda *_: None), TypeError, "expected a number, got None"),
        (lambda: MLP(2, [1], init="he_normal"), ValueError, "init: there is no 'he_normal'; there are he, glorot"),
    ],
)
def test_what_makes_no_network_is_refused(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_sizes_may_come_from_numpy():
    """The number of classes is often `y.max() + 1`."""
    assert len(MLP(np.int64(2), [np.int64(3), 1], seed=np.int64(4)).parameters()) == 13


# What they compute ----------------------------------------------------------------------------------------------------

erf = np.vectorize(math.erf)


def bell(z):
    return np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def logistic(z):
    return 1.0 / (1.0 + np.exp(-z))


# Of NumPy's arrays: the function and its derivative, as textbooks have them.
ACTIVATIONS = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.where(z > 0, z, 0.0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
    "elu": (lambda z: np.where(z > 0, z, np.exp(z) - 1.0), lambda z: np.where(z > 0, 1.0, np.exp(z))),
    "gelu": (lambda z: z * (1 + erf(z / 2**0.5)) / 2, lambda z: (1 + erf(z / 2**0.5)) / 2 + z * bell(z)),
    "silu": (lambda z: z * logistic(z), lambda z: logistic(z) + z * logistic(z) * (1.0 - logistic(z))),
    "sigmoid": (logistic, lambda z: logistic(z) * (1.0 - logistic(z))),
    "softplus": (lambda z: np.log(1.0 + np.exp(z)), logistic),
    "tanh": (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    "sin": (np.sin, np.cos),
}


def matrices(state, inputs, widths):
    """The weights and biases of each layer, from the numbers in their order."""
    layers, state = [], np.asarray(state)
    for n, width in zip([inputs, *widths], widths, strict=False):
        block, state = state[: width * (n + 1)].reshape(width, n + 1), state[width * (n + 1) :]
        layers.append((block[:, :-1], block[:, -1]))
    assert len(state) == 0
    return layers


def by_hand(state, inputs, widths, x, seed, activations):
    """The outputs of a network, and the gradient of their product with `seed`: by matrices, and the chain rule."""
    layers, a, past = matrices(state, inputs, widths), np.asarray(x), []
    for (W, b), name in zip(layers, activations, strict=True):
        z = W @ a + b
        past.append((a, z))
        a = ACTIVATIONS[name][0](z)
    delta, blocks = np.asarray(seed), []
    for (W, _), (a_before, z), name in zip(reversed(layers), reversed(past), reversed(activations), strict=True):
        delta = delta * ACTIVATIONS[name][1](z)
        blocks.append(np.hstack([np.outer(delta, a_before), delta[:, None]]).ravel())
        delta = W.T @ delta
    return a, np.concatenate(blocks[::-1]), delta


@pytest.mark.parametrize("output", ["linear", "sigmoid"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_outputs_and_gradients_are_those_of_matrices_and_the_chain_rule_by_hand(activation, output):
    generator = random.Random(3)
    model = MLP(3, [4, 3, 2], activation, output, seed=generator)
    for parameter in model.parameters():
        parameter.data += generator.uniform(-0.5, 0.5)  # biases too
    x, seed = [Value(0.3), Value(-1.2), Value(2.0)], [0.7, -1.9]
    outputs = model(x)
    mg.dot(seed, outputs).backward()
    values, slopes, to_inputs = by_hand(
        numbers(model), 3, [4, 3, 2], [v.data for v in x], seed, [activation, activation, output]
    )
    assert [y.data for y in outputs] == pytest.approx(values, rel=1e-12, abs=1e-14)
    assert gradients(model) == pytest.approx(slopes, rel=1e-12, abs=1e-14)
    assert [v.grad for v in x] == pytest.approx(to_inputs, rel=1e-12, abs=1e-14)
    assert np.abs(slopes).min() > 0.0 or activation == "relu"  # so that there was something to compare


def test_a_batch_adds_up_the_gradients_of_its_samples():
    model = MLP(2, [3, 1], "tanh", seed=4)
    batch = [([0.5, -1.0], 1.0), ([2.0, 0.25], -1.0), ([-1.5, -0.5], 0.5)]
    expected = 0.0
    for x, target in batch:
        prediction, _, _ = by_hand(numbers(model), 2, [3, 1], x, [1.0], ["tanh", "linear"])
        expected = expected + by_hand(numbers(model), 2, [3, 1], x, 2.0 * (prediction - target), ["tanh", "linear"])[1]
    sum((model(x) - target) ** 2 for x, target in batch).backward()
    assert gradients(model) == pytest.approx(expected, rel=1e-12)
    for x, target in batch:  # and one after the other, twice over
        ((model(x) - target) ** 2).backward()
    assert gradients(model) == pytest.approx(2.0 * expected, rel=1e-12)
    model.zero_grad()
    assert gradients(model) == [0.0] * 13


@pytest.mark.parametrize(
    "inputs",
    [
        [0.5, -2],
        (0.5, -2.0),
        np.array([0.5, -2.0]),
        np.array([[0.5, 9.0], [-2.0, 9.0]], dtype=np.float32)[:, 0],
        np.array([Value(0.5), Value(-2.0)]),
        np.array([Value(0.5), -2.0], dtype=object),
        [np.float64(0.5), np.int64(-2)],
        {"a": 0.5, "b": -2.0}.values(),
    ],
    ids=repr,
)
def test_inputs_of_all_kinds(inputs):
    layer = Layer(2, 2, "linear", seed=1)
    set_numbers(layer, [1.0, 10.0, 0.5, 3.0, -1.0, 0.25])
    outputs = layer(inputs)
    assert [y.data for y in outputs] == [-19.0, 3.75]
    assert [type(y.data) for y in outputs] == [float, float]


def test_inputs_may_be_an_iterator_of_values_as_in_micrograds_demo():
    neuron = Neuron(2, "linear").bind([1.0, 10.0, 0.5])
    xrow = np.array([0.5, -2.0])
    assert neuron(map(Value, xrow)).data == neuron(list(map(Value, xrow))).data == -19.0
    assert neuron(x for x in xrow) == -19.0
    assert Layer(2, 2, "linear").bind([1.0, 10.0, 0.5] * 2)(iter(xrow)) == [-19.0, -19.0]


@pytest.mark.parametrize("x", [3, 3.0, [3.0], np.float64(3.0), np.array(3.0), np.array([3.0]), Value(3.0), (Value(3),)])
def test_a_single_input_may_be_the_number_itself(x):
    for model in (Neuron(1, "linear"), Layer(1, 1, "linear"), MLP(1, [1]), MLP(1, [1, 1], "linear")):
        set_numbers(model, [2.0, 1.0] * (len(model.parameters()) // 2))
        assert model(x) == (15.0 if len(model.parameters()) > 2 else 7.0)


@pytest.mark.parametrize("model", [Neuron(2), Layer(2, 3), MLP(2, [3, 1])], ids=repr)
@pytest.mark.parametrize("inputs", [[], [1.0], 1.0, Value(1.0), [1.0] * 3, np.ones(3), np.ones((3, 2))])
def test_inputs_of_the_wrong_length_are_an_error_that_tells_both_lengths(model, inputs):
    n = len(inputs) if hasattr(inputs, "__len__") else 1
    with pytest.raises(ValueError, match=f"expected 2 numbers, got {n}: "):
        model(inputs)
    if n == 3:
        with pytest.raises(ValueError, match=r"expected 2 numbers, got 3: \["):  # not: <map object>
            model(map(abs, inputs))


@pytest.mark.parametrize("inputs", [[1.0, "2"], "ab", [1.0, None], [[1.0, 2.0], [3.0, 4.0]], [1.0, 2j]], ids=repr)
def test_inputs_that_are_no_numbers_are_an_error(inputs):
    with pytest.raises(
        (TypeError, ValueError), match=r"is not a real number|expected 2 numbers, got 2: |in order, got a str"
    ):
        MLP(2, [3, 1])(inputs)


def test_a_batch_of_as_many_samples_as_there_are_inputs_is_an_error_that_says_how_to_write_it():
    with pytest.raises(ValueError, match=r"for a batch write \[model\(x\) for x in batch\]"):
        MLP(2, [3, 1])([[1.0, 2.0], [3.0, 4.0]])


def test_a_saved_network_of_another_activation_is_loaded_with_a_warning(tmp_path):
    saved, other = MLP(1, [2, 1], "tanh", seed=1), MLP(1, [2, 1], "relu", seed=2)
    saved.save(tmp_path / "model.json")
    with pytest.warns(UserWarning, match=r"was saved from MLP\(1, \[2, 1\], 'tanh', .*and this is .*'relu'"):
        other.load(tmp_path / "model.json")
    assert other.state_dict() == saved.state_dict()


def test_a_function_that_keeps_a_parameter_for_itself_cannot_be_bound():
    class Closing(Module):
        def __init__(self):
            self.weight = Value(2.0)
            self.f = lambda x: self.weight * x

        def forward(self, x):
            return self.f(x)

    closing = Closing()
    assert closing(3.0).data == 6.0
    with pytest.raises(ValueError, match="keeps the old parameters"):
        grad(lambda p: closing.bind(p)(3.0))([2.0])


def test_a_bound_method_and_a_private_name_of_a_parameter_go_with_a_bound_network():
    class Aliases(Module):
        def __init__(self):
            self.weight = Value(2.0)
            self._same, self.method = [self.weight], self.times

        def times(self, x):
            return self.weight * x

        def forward(self, x):
            return self.method(x) + self._same[0]

    assert grad(lambda p: Aliases().bind(p)(3.0))([2.0]) == [4.0]


def test_slots_would_hide_the_parameters_and_are_refused():
    with pytest.raises(TypeError, match="__slots__"):

        class Slotted(Module):
            __slots__ = ("weight",)


def test_a_result_that_a_module_keeps_is_no_parameter():
    class Keeping(Module):
        def __init__(self):
            self.line = Line()

        def forward(self, x):
            self.kept = self.line(x)
            return self.kept

    keeping = Keeping()
    before = keeping.state_dict()
    keeping(3.0)
    assert keeping.state_dict() == before


def test_help_shows_the_arguments_of_a_network():
    assert list(inspect.signature(MLP).parameters) == [
        "inputs", "widths", "activation", "output_activation", "init", "seed"
    ]  # fmt: skip


def test_a_whole_table_given_for_one_sample_is_not_repeated_in_the_message():
    with pytest.raises(ValueError, match="expected 2 numbers, got 3000") as caught:
        MLP(2, [3, 1])(np.ones((3000, 2)))
    assert len(str(caught.value)) < 300


# Other numbers: bind --------------------------------------------------------------------------------------------------


def small(activation="tanh"):
    """A network of 2 inputs, 3 neurons and 1, and its numbers."""
    model = MLP(2, [3, 1], activation, seed=8)
    generator = random.Random(8)
    set_numbers(model, [generator.uniform(-1.0, 1.0) for _ in model.parameters()])
    return model, numbers(model)


def complex_steps(f, state):
    """The gradient of `f` by the complex step."""
    return [f([complex(x, 1e-200 * (i == j)) for j, x in enumerate(state)]).imag / 1e-200 for i in range(len(state))]


def output(state, x=(0.5, -1.0)):
    """What `small()` computes, by NumPy, with numbers that may be complex."""
    (W1, b1), (W2, b2) = matrices(state, 2, [3, 1])
    return (W2 @ np.tanh(W1 @ np.asarray(x) + b1) + b2)[0]


def test_bound_networks_take_lists_and_dicts_and_numbers_of_all_kinds():
    model, state = small()
    x, by_name = [0.5, -1.0], model.state_dict()
    assert model.bind(state)(x) == model(x).data
    assert model.bind(tuple(state))(x) == model.bind(np.array(state))(x) == model(x).data
    assert model.bind(dict(reversed(by_name.items())))(x) == model(x).data
    assert model.bind([0.0] * 12 + [7])(x) == 7.0
    assert model.bind([complex(s, 1e-200) for s in state])(x).real == pytest.approx(model(x).data, rel=1e-15)
    assert model.bind([Value(s, tangent=1.0) for s in state])(x).tangent != 0.0
    assert repr(model.bind(state)) == repr(model)


def test_gradients_over_bind_are_those_of_backward_and_of_the_complex_step():
    model, state = small()
    model([0.5, -1.0]).backward()
    expected = complex_steps(output, state)
    assert gradients(model) == pytest.approx(expected, rel=1e-13)
    value, slopes = value_and_grad(lambda p: model.bind(p)([0.5, -1.0]))(state)
    assert value == pytest.approx(output(state), rel=1e-14)
    assert slopes == gradients(model)
    by_name = grad(lambda p: model.bind(p)([0.5, -1.0]))(model.state_dict())
    assert by_name == dict(zip(names(model), slopes, strict=True))
    assert jacobian(lambda p: model.bind(p)([0.5, -1.0]))(np.array(state)).tolist() == slopes
    direction = [math.cos(i) for i in range(13)]
    along = jvp(lambda p: model.bind(p)([0.5, -1.0]), (state,), (direction,))
    assert along == pytest.approx((output(state), np.dot(expected, direction)), rel=1e-13)
    assert complex_steps(lambda p: model.bind(p)([0.5, -1.0]), state) == pytest.approx(expected, rel=1e-13)


def test_second_derivatives_over_bind_are_those_of_the_complex_step_through_the_chain_rule_by_hand():
    model, state = small()
    x, activations = [0.5, -1.0], ["tanh", "linear"]

    def slope(i):
        return lambda p: by_hand(p, 2, [3, 1], x, [1.0], activations)[1][i]

    expected = np.array([complex_steps(slope(i), state) for i in range(13)])
    assert np.array(hessian(lambda p: model.bind(p)(x))(state)) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    direction = [math.cos(i) for i in range(13)]
    along = hvp(lambda p: model.bind(p)(x), (state,), (direction,))
    assert along == pytest.approx(expected @ direction, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("inner", [derivative, grad])
def test_a_derivative_with_respect_to_the_input_stands_inside_a_loss(inner):
    """u' + u for a network u, squared: Lagaris, Likas and Fotiadis, IEEE Transactions on Neural Networks 9, 1998."""
    model = MLP(1, [2, 1], "tanh", seed=2)
    state, points = [0.5, -1.0, 1.5, 0.25, 2.0, -0.75, 0.125], [0.0, 0.5, 2.0]

    def loss(p):
        u = model.bind(p)
        return sum((inner(u)(x) + u(x)) ** 2 for x in points)

    def formula(p):
        w0, b0, w1, b1, v0, v1, c = p
        a0, a1 = [np.tanh(w0 * x + b0) for x in points], [np.tanh(w1 * x + b1) for x in points]
        return sum(
            (v0 * w0 * (1.0 - s * s) + v1 * w1 * (1.0 - t * t) + v0 * s + v1 * t + c) ** 2
            for s, t in zip(a0, a1, strict=True)
        )

    value, slopes = value_and_grad(loss)(state)
    assert value == pytest.approx(formula(state), rel=1e-13)
    assert slopes == pytest.approx(complex_steps(formula, state), rel=1e-12)
    set_numbers(model, state)
    sum((inner(model)(x) + model(x)) ** 2 for x in points).backward()
    assert gradients(model) == pytest.approx(slopes, rel=1e-12)


def test_binding_leaves_the_network_alone():
    model, state = small()
    model([1.0, 2.0]).backward()
    before = [repr(parameter) for parameter in model.parameters()]
    parts = [id(part) for layer in model.layers for part in (layer, *layer.neurons)]
    bound = model.bind([Value(7.0) for _ in state])
    bound([1.0, 2.0]).backward()
    bound.zero_grad()
    bound.layers.append("more")
    grad(lambda p: model.bind(p)([1.0, 2.0]))(state)
    assert [repr(parameter) for parameter in model.parameters()] == before
    assert [id(part) for layer in model.layers for part in (layer, *layer.neurons)] == parts


def test_bound_to_values_it_is_a_network_of_these():
    model, state = small()
    mine = [Value(s, label=f"p{i}") for i, s in enumerate(state)]
    bound = model.bind(mine)
    assert bound.parameters() == mine
    assert all(a is b for a, b in zip(bound.parameters(), mine, strict=True))
    assert names(bound) == names(model)
    assert [p.label for p in mine] == [f"p{i}" for i in range(13)]  # they are yours
    bound([0.5, -1.0]).backward()
    assert [p.grad for p in mine] == pytest.approx(complex_steps(output, state), rel=1e-13)
    assert bound.bind([0.0] * 12 + [4.0])([0.5, -1.0]) == 4.0
    bound.load_state_dict(dict.fromkeys(names(model), 2.0))
    assert [p.data for p in mine] == [2.0] * 13
    assert numbers(model) == state


def test_bound_to_plain_numbers_it_lists_them_and_can_be_bound_and_saved_again(tmp_path):
    model, state = small()
    bound = model.bind(dict(zip(names(model), state[::-1], strict=True)))
    assert bound.parameters() == state[::-1]
    assert bound.layers[1].parameters() == state[::-1][-4:]
    assert bound.state_dict() == dict(zip(names(model), state[::-1], strict=True))
    assert bound.zero_grad() is None
    assert bound.bind(state)([0.5, -1.0]) == bound.bind(model.state_dict())([0.5, -1.0]) == model([0.5, -1.0]).data
    with pytest.raises(ValueError, match="cannot be changed"):
        bound.load_state_dict(model.state_dict())
    bound.save(tmp_path / "bound.json")
    copied = copy.deepcopy(pickle.loads(pickle.dumps(bound)))
    model.load(tmp_path / "bound.json")
    assert numbers(model) == state[::-1] == copied.parameters()
    assert copied([0.5, -1.0]) == model([0.5, -1.0]).data


def test_a_penalty_on_the_parameters_is_the_same_over_numbers_of_all_kinds():
    """Weight decay, as in micrograd's demo, which asks the network for its parameters."""

    def penalised(model):
        return model(3.0) + 0.5 * sum(p * p for p in model.parameters())

    line = Line(2.0, 1.0)
    assert penalised(line) == penalised(line.bind([2.0, 1.0])) == penalised(line.bind({"slope": 2.0, "offset": 1.0}))
    assert value_and_grad(lambda p: penalised(line.bind(p)))([2.0, 1.0]) == (9.5, [5.0, 2.0])
    check_grads(lambda p: penalised(line.bind(p)), ([2.0, 1.0],), order=2)


def test_parameters_that_are_made_of_others_pass_their_gradients_on():
    """A network whose numbers another network makes: Ha, Dai and Le, "HyperNetworks", 2016."""
    t = Value(0.5)
    line = Line().bind([t * t, mg.sin(t)])
    line(3.0).backward()
    assert t.grad == pytest.approx(2.0 * 0.5 * 3.0 + math.cos(0.5), rel=1e-15)
    assert derivative(lambda t: Line().bind([t * t, mg.sin(t)])(3.0))(0.5) == t.grad

    class Made(Module):
        def __init__(self, t):
            self.line = Line()
            self.line.slope = t * t

        def forward(self, x):
            return self.line(x)

    assert grad(lambda t: Made(t)(3.0))(0.5) == 2.0 * 0.5 * 3.0
    assert [name for name, _ in Made(t).named_parameters()] == ["line.offset"]  # what was computed is no parameter
    assert hessian(lambda t: Made(t)(3.0))(0.5) == 6.0


def test_attributes_that_hold_no_parameters_go_with_a_bound_network_as_they_are():
    Pair = collections.namedtuple("Pair", "slope rest")

    class Box(Module):
        def __init__(self):
            self.pair = Pair(Value(1.0), collections.OrderedDict(offset=Value(2.0)))
            self._log, self.table = [], np.ones(2)

        def forward(self, x):
            self._log.append(x)
            return self.pair.slope * x + self.pair.rest["offset"]

    box = Box()
    assert grad(lambda p: box.bind(p)(3.0))([5.0, 6.0]) == [3.0, 1.0]
    bound = box.bind([5.0, 6.0])
    assert bound(3.0) == 21.0
    assert (type(bound.pair), type(bound.pair.rest)) == (Pair, collections.OrderedDict)
    assert (box.pair.slope.data, box.pair.rest["offset"].data) == (1.0, 2.0)
    assert bound._log is box._log
    assert box._log == [3.0, 3.0]
    assert bound.table is box.table


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([1.0], "bind expected 2 parameters, got 1"),
        ([1.0] * 3, "bind expected 2 parameters, got 3"),
        ([], "bind expected 2 parameters, got 0"),
        ({"slope": 1.0}, "there is no offset"),
        ({"slope": 1.0, "offset": 2.0, "extra": 3.0}, "there is no place for extra"),
        ({}, "there is no slope, offset"),
    ],
)
def test_the_wrong_parameters_cannot_be_bound(parameters, message):
    with pytest.raises(ValueError, match=message):
        Line().bind(parameters)


def test_a_list_is_bound_in_the_order_in_which_the_module_lists_its_parameters():
    """Modules written for micrograd have a method `parameters` of their own."""

    class Reversed(Line):
        def parameters(self):
            return [self.offset, self.slope]

    line = Reversed(2.0, 1.0)
    assert line.bind(numbers(line))(10.0) == 21.0
    assert line.bind({"slope": 3.0, "offset": 4.0})(10.0) == 34.0
    assert grad(lambda p: line.bind(p)(10.0))([1.0, 2.0]) == [1.0, 10.0]


# States ---------------------------------------------------------------------------------------------------------------


def test_a_state_goes_from_one_network_to_another():
    model, other = MLP(2, [3, 2], seed=1), MLP(2, [3, 2], seed=2)
    state = model.state_dict()
    assert state == dict(zip(names(model), numbers(model), strict=True))
    other([1.0, 2.0])[0].backward()
    before = gradients(other)
    other.load_state_dict(dict(reversed(state.items())))
    assert other.state_dict() == state
    assert gradients(other) == before  # they are not part of it
    state["layers.0.neurons.0.bias"] = 9.0
    assert model.layers[0].neurons[0].bias == 0.0  # a state is a copy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layers.0.neurons.1.weights.0"), "there is no layers.0.neurons.1.weights.0"),
        (lambda s: s.clear(), r"among the 0 parameters given, there is no .*weights.0, .*weights.1, .*bias \.\.\."),
        (lambda s: s.update(more=1.0), "there is no place for more"),
        (lambda s: s.update({3: 1.0}), "there is no place for 3"),
        (lambda s: (s.pop("layers.1.neurons.0.bias"), s.update(b=1.0)), "no layers.1.*bias and .* no place for b"),
        (
            lambda s: s.update({"layers.1.neurons.0.bias": [1.0]}),
            r"layers.1.neurons.0.bias must be a number, got \[1.0",
        ),
        (lambda s: s.update({"layers.1.neurons.0.bias": "1.0"}), "layers.1.neurons.0.bias must be a number, got '1.0'"),
        (lambda s: s.update({"layers.1.neurons.0.bias": None}), "layers.1.neurons.0.bias must be a number, got None"),
        (lambda s: s.update({"layers.1.neurons.0.bias": True}), "layers.1.neurons.0.bias must be a number, got True"),
        (lambda s: s.update({"layers.1.neurons.0.bias": 1j}), "layers.1.neurons.0.bias must be a number, got 1j"),
        (lambda s: s.update({"layers.1.neurons.0.bias": np.ones(1)}), "layers.1.neurons.0.bias must be a number"),
        (lambda s: s.update({"layers.1.neurons.0.bias": Value(1.0)}), "layers.1.neurons.0.bias must be a number"),
        (lambda s: s.update({"layers.1.neurons.0.bias": 10**400}), "layers.1.neurons.0.bias"),
    ],
)
def test_a_state_of_something_else_is_one_clear_error_and_nothing_changes(change, message):
    model = MLP(2, [3, 1], seed=1)
    before, state = numbers(model), dict.fromkeys(names(model), 5.0)
    change(state)
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state)
    assert numbers(model) == before


@pytest.mark.parametrize("state", [None, [1.0] * 13, "state", 3])
def test_a_state_that_is_no_dict_is_refused(state):
    with pytest.raises(ValueError, match="expected a dict of numbers by name"):
        MLP(2, [3, 1]).load_state_dict(state)


def test_states_may_hold_numbers_of_numpy_and_whole_ones_and_come_out_as_floats():
    line = Line()
    line.load_state_dict({"slope": np.float32(0.5), "offset": 3})
    assert [(type(x), x) for x in numbers(line)] == [(float, 0.5), (float, 3.0)]


def test_nan_and_infinity_are_states_like_others_but_cannot_be_saved(tmp_path):
    line, path = Line(), tmp_path / "line.json"
    line.save(path)
    before = path.read_bytes()
    for bad in (math.nan, math.inf, -math.inf):
        line.load_state_dict({"slope": 1.0, "offset": bad})
        assert math.isnan(line(1.0).data) or line(1.0).data == bad
        with pytest.raises(ValueError, match=f"offset is {bad!r}, which JSON has no word for"):
            line.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["line.json"]


# Files ----------------------------------------------------------------------------------------------------------------


def test_what_is_saved_is_loaded_to_the_last_digit(tmp_path):
    hard = [0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, 1e23, math.pi, 2.0**-1074 * 3, -1 / 3, 1e16, 123456789.0]
    model, other, path = MLP(3, [2, 1]), MLP(3, [2, 1]), tmp_path / "model.json"
    set_numbers(model, [*hard, np.float64(0.1)])
    model.save(path)
    other.load(str(path))
    assert [x.hex() for x in numbers(other)] == [float(x).hex() for x in numbers(model)]
    assert [type(x) for x in numbers(other)] == [float] * 11
    content = json.loads(path.read_text())
    assert content["parameters"] == model.state_dict()  # which other programs can read
    first = path.read_bytes()
    other.save(path)
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == ["model.json"]


def test_numbers_of_other_types_are_saved_as_floats(tmp_path):
    line, path = Line(), tmp_path / "line.json"
    set_numbers(line, [np.float32(0.5), 3])
    line.save(path)
    set_numbers(line, [0.0, 0.0])
    line.load(path)
    assert numbers(line) == [0.5, 3.0]


def test_a_module_of_ones_own_is_saved_the_same_each_time(tmp_path):
    Line().save(tmp_path / "a.json")
    Line().save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def refuses(model, path, kind=ValueError):
    before = numbers(model)
    with pytest.raises(kind) as caught:
        model.load(path)
    assert numbers(model) == before
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    return str(caught.value)


def test_a_file_that_ends_too_early_is_refused_wherever_it_ends(tmp_path):
    model, path = Neuron(1, seed=1), tmp_path / "neuron.json"
    model.save(path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert "this is not JSON, or not all of it" in refuses(model, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\x00\xff\xfe\x80", "not JSON"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not JSON"),
        ("ä".encode("latin-1"), "not JSON"),
        (b"slope = 2", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"1" * 5_000, "JSON"),
        (b"null", "no file that `save` wrote"),
        (b"3", "no file that `save` wrote"),
        (b"[]", "no file that `save` wrote"),
        (b'"parameters of micrograd_plus"', "no file that `save` wrote"),
        (b"{}", "no file that `save` wrote"),
        (b'{"slope": 2.0, "offset": 1.0}', "no file that `save` wrote"),
        (b'{"format": "other", "parameters": {"slope": 2.0, "offset": 1.0}}', "no file that `save` wrote"),
        (b'{"format": ["parameters of micrograd_plus"]}', "no file that `save` wrote"),
        (b'{"format": "parameters of micrograd_plus"}', "no file that `save` wrote"),
        (b'{"format": "parameters of micrograd_plus", "parameters": null}', "expected a dict"),
        (b'{"format": "parameters of micrograd_plus", "parameters": [2.0, 1.0]}', "expected a dict"),
        (b'{"format": "parameters of micrograd_plus", "parameters": {"slope": 7.0}}', "there is no offset"),
        (b'{"format": "parameters of micrograd_plus", "parameters": {"slope": 7.0, "offset": "8"}}', "offset must be"),
        (b'{"format": "parameters of micrograd_plus", "parameters": {"slope": 7.0, "offset": {}}}', "offset must be"),
        (
            b'{"format": "parameters of micrograd_plus", "parameters": {"slope": 7.0, "offset": 1' + b"0" * 400 + b"}}",
            "offset",
        ),
    ],
    ids=lambda x: repr(x[:70]),
)
def test_a_foreign_file_is_one_clear_error_and_nothing_changes(content, message, tmp_path):
    path = tmp_path / "foreign.json"
    path.write_bytes(content)
    assert message in refuses(Line(0.1, 0.2), path)


def test_the_file_of_another_network_is_an_error_that_names_both(tmp_path):
    path = tmp_path / "model.json"
    MLP(2, [4, 1], "tanh").save(path)
    message = refuses(MLP(2, [3, 1], "tanh"), path)
    assert "MLP(2, [4, 1], 'tanh', 'linear')" in message
    assert "MLP(2, [3, 1], 'tanh', 'linear')" in message
    assert "there is no place for layers.0.neurons.3.bias, layers.0.neurons.3.weights.0" in message


def test_a_file_that_is_not_there_and_a_directory_are_errors_of_the_system_that_name_it(tmp_path):
    refuses(Line(), tmp_path / "missing.json", FileNotFoundError)
    refuses(Line(), tmp_path, IsADirectoryError)
    for path, kind in [(tmp_path, IsADirectoryError), (tmp_path / "no" / "line.json", FileNotFoundError)]:
        with pytest.raises(kind, match=re.escape(str(path))):
            Line().save(path)
    assert os.listdir(tmp_path) == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "line.json"
    Line(1.0, 2.0).save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=f"No space left on device: '{re.escape(str(path))}'"):
        Line(3.0, 4.0).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["line.json"]


# Copies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deep", "pickle"])
def test_a_copy_has_parameters_of_its_own_with_their_numbers_gradients_and_names(duplicate):
    model, x = MLP(2, [3, 1], "gelu", "sigmoid", seed=1), [0.5, -1.0]
    y = model(x)
    y.backward()
    other = duplicate(model)
    assert type(other) is MLP
    assert repr(other) == repr(model)
    assert [repr(p) for p in other.parameters()] == [repr(p) for p in model.parameters()]
    assert not set(map(id, other.parameters())) & set(map(id, model.parameters()))
    assert other(x).data == y.data
    other.zero_grad()
    set_numbers(other, [0.0] * 13)
    assert model(x).data == y.data
    assert gradients(model)[-1] != 0.0


def test_a_copy_of_a_module_keeps_what_is_shared_in_it_shared():
    class Tied(Module):
        def __init__(self):
            self.line = Line()
            self.lines = [self.line, self.line]
            self.slope = self.line.slope

    other = copy.deepcopy(Tied())
    assert other.slope is other.line.slope is other.lines[1].slope
    assert names(other) == ["line.slope", "line.offset"]


def test_a_shallow_copy_has_the_same_parameters():
    model = MLP(2, [3, 1])
    model([1.0, 2.0])
    other = copy.copy(model)
    assert all(a is b for a, b in zip(model.parameters(), other.parameters(), strict=True))


class Keeper(Module):
    def __init__(self):
        self.w, self.last = Value(2.0), None

    def forward(self, x):
        self.last = [self.w * x]
        return self.last[0]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickle.dumps])
def test_a_copy_of_a_module_that_keeps_its_last_output_is_refused_with_the_name_of_the_attribute(duplicate):
    model = Keeper()
    duplicate(model)
    model(3.0)
    with pytest.raises(TypeError, match=r"Keeper\.last keeps a Value that was computed"):
        duplicate(model)
    with pytest.raises(TypeError, match=r"Keeper\.last keeps a Value that was computed"):
        duplicate({"model": [model]})
    assert copy.copy(model).last is model.last
    model.last = None
    duplicate(model)


def test_the_program_of_micrograds_demo_comes_to_the_numbers_of_the_same_program_in_numpy():
    """github.com/karpathy/micrograd/blob/master/demo.ipynb, on points of a circle, for four steps."""
    generator = np.random.default_rng(1337)
    X = generator.uniform(-1.5, 1.5, (24, 2))
    y = np.where((X**2).sum(axis=1) < 1.2, 1, -1)
    model = MLP(2, [16, 16, 1])
    start = generator.uniform(-1.0, 1.0, len(model.parameters()))
    for p, number in zip(model.parameters(), start, strict=True):
        p.data = number

    def loss():
        inputs = [list(map(Value, xrow)) for xrow in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        alpha = 1e-4
        reg_loss = alpha * sum(p * p for p in model.parameters())
        total_loss = data_loss + reg_loss
        accuracy = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(y, scores, strict=True)]
        return total_loss, sum(accuracy) / len(accuracy)

    def in_numpy(state):
        (W1, b1), (W2, b2), (W3, b3) = layers = matrices(state, 2, [16, 16, 1])
        Z1 = X @ W1.T + b1
        A1 = np.maximum(Z1, 0.0)
        Z2 = A1 @ W2.T + b2
        A2 = np.maximum(Z2, 0.0)
        scores = (A2 @ W3.T + b3)[:, 0]
        margins = 1.0 - y * scores
        D3 = (-y * (margins > 0.0) / len(y))[:, None]
        D2 = D3 @ W3 * (Z2 > 0.0)
        D1 = D2 @ W2 * (Z1 > 0.0)
        blocks = [np.hstack([D.T @ A, D.sum(axis=0)[:, None]]) for D, A in ((D1, X), (D2, A1), (D3, A2))]
        gradient = np.concatenate([block.ravel() for block in blocks]) + 2e-4 * state
        assert len(layers) == 3
        return np.maximum(margins, 0.0).mean() + 1e-4 * state @ state, ((y > 0) == (scores > 0)).mean(), gradient

    state = start
    for k in range(4):
        total_loss, acc = loss()
        model.zero_grad()
        total_loss.backward()
        expected_loss, expected_accuracy, gradient = in_numpy(state)
        assert total_loss.data == pytest.approx(expected_loss, rel=1e-12)
        assert acc == expected_accuracy
        assert gradients(model) == pytest.approx(gradient, rel=1e-9, abs=1e-13)
        learning_rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        state = state - learning_rate * gradient
        assert numbers(model) == pytest.approx(state, rel=1e-9, abs=1e-12)


def test_modules_written_for_micrograd_run():
    """They have `__call__` and `parameters` of their own, as micrograd's nn.py."""

    class Neuron(Module):
        def __init__(self, nin):
            self.w = [Value(float(i)) for i in range(nin)]
            self.b = Value(0)

        def __call__(self, x):
            act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
            return act.relu()

        def parameters(self):
            return [*self.w, self.b]

    class Layer(Module):
        def __init__(self, nin, nout):
            self.neurons = [Neuron(nin) for _ in range(nout)]

        def __call__(self, x):
            out = [n(x) for n in self.neurons]
            return out[0] if len(out) == 1 else out

        def parameters(self):
            return [p for n in self.neurons for p in n.parameters()]

    layer = Layer(3, 2)
    y = layer([1.0, 2.0, 3.0])
    (y[0] + y[1]).backward()
    assert [p.grad for p in layer.parameters()] == [1.0, 2.0, 3.0, 1.0] * 2
    layer.zero_grad()
    assert [p.grad for p in layer.parameters()] == [0.0] * 8
    assert names(layer)[-1] == "neurons.1.b"
    assert grad(lambda p: layer.bind(p)([1.0, 2.0, 3.0])[0])(numbers(layer))[:4] == [1.0, 2.0, 3.0, 1.0]


# The marks of what was made in a module -------------------------------------------------------------------------------


def test_results_know_the_modules_they_came_from_the_innermost_first():
    model = MLP(2, [3, 2], "tanh")
    outputs = model([0.5, -1.0])
    last = model.layers[1]
    assert [_modules(y) for y in outputs] == [(neuron, last, model) for neuron in last.neurons]
    hidden = [x for x in tape(outputs[0]) if _modules(x) and _modules(x)[-1] is not model]
    assert [_modules(x) for x in hidden] == [(neuron, model.layers[0]) for neuron in model.layers[0].neurons]
    assert [x.rule.name for x in hidden] == ["tanh"] * 3
    assert _modules(model.layers[0].neurons[0].weights[0]) == ()
    assert RULES["tanh"].calls == RULES["add"].calls == ()
    later = outputs[0] * 2.0 + outputs[1]
    assert later.rule is RULES["add"]


def test_a_module_applied_to_its_own_result_is_named_once_and_what_passes_through_keeps_its_marks():
    class Recurrent(Module):
        def __init__(self):
            self.line = Line()

        def forward(self, x, times):
            for _ in range(times):
                x = self.line(x)
            return x

    class Through(Module):
        def forward(self, x):
            return x

    module = Recurrent()
    y = module(1.0, 3)
    assert y.data == 15.0
    assert _modules(y) == (module.line, module)
    through = Through()
    assert _modules(through(through(y))) == (module.line, module, through)
    assert (through(3.0), through(x := Value(3.0)) is x, _modules(x)) == (3.0, True, ())


def test_a_label_and_the_modules_of_a_result_leave_each_other_alone():
    class Named(Line):
        def forward(self, x):
            y = self.slope * x
            y.label = "product"
            return y

    module = Named()
    y = module(3.0)
    assert (y.label, _modules(y), y.rule.name) == ("product", (module,), "mul")
    y.label = "score"
    assert (y.label, _modules(y), y.data) == ("score", (module,), 6.0)
    assert module(3.0).label == "product"
    line = Line()
    line(3.0).label = "mine"
    assert line(3.0).label == ""


@pytest.mark.parametrize("kind", ["bound", "made"])
def test_modules_that_are_made_anew_in_each_call_are_not_kept(kind):
    class Outer(Module):
        def __init__(self):
            self.net, self.hyper = MLP(1, [2, 1], "tanh"), MLP(1, [7], "tanh")

        def forward(self, x):
            if kind == "bound":
                return self.net.bind(self.hyper([x]))([x])
            return Line()(self.net([x]))

    def alive():
        gc.collect()
        return sum(issubclass(type(x), Module | Value | type(RULES["add"])) for x in gc.get_objects())

    outer = Outer()
    outer(0.5)
    before = alive()
    for _ in range(20):
        outer(0.5)
    assert alive() <= before + 20


# How gradients fare ---------------------------------------------------------------------------------------------------


def test_a_report_tells_of_each_layer_how_large_its_gradients_are():
    model = MLP(2, [2, 1], "relu")
    set_numbers(model, [1.0, -1.0, 0.5, 1.0, -1.0, -9.0, 2.0, 3.0, 0.25])
    model([3.0, 1.0]).backward()  # the first neuron has 2.5, the second nothing
    first, second = gradient_report(model)
    sizes = [abs(p.data) for p in model.parameters()]
    assert first == ("layers.0", 6, (6.0 + 2.0 + 2.0) / 6, 6.0, 0.5, pytest.approx(10.0 / sum(sizes[:6])))
    assert second == ("layers.1", 3, 3.5 / 3, 2.5, 1 / 3, pytest.approx(3.5 / 5.25))
    lines = str(gradient_report(model)).splitlines()
    assert lines[1].split() == ["layers.0", "6", "1.67e+00", "6.00e+00", "50%", "7.41e-01"]
    assert len(set(map(len, lines))) == 1


def test_a_report_of_modules_of_ones_own_puts_each_parameter_into_the_smallest_that_is_no_neuron():
    @dataclasses.dataclass  # its modules compare by their numbers, and have no hash
    class Offset(Module):
        value: Value

        def forward(self, x):
            return x + self.value

    class Net(Module):
        def __init__(self):
            self.scale = Value(0.0)
            self.offsets = [Offset(Value(0.0)), Offset(Value(0.0))]
            self.neuron = Neuron(1, "linear")

        def forward(self, x):
            return self.neuron(self.offsets[1](self.offsets[0](x))) * self.scale

    net = Net()
    y = net(2.0)
    y.backward()
    rows = gradient_report(net)
    assert [(row.name, row.parameters) for row in rows] == [("", 3), ("offsets.0", 1), ("offsets.1", 1)]
    assert rows[0].largest == abs(net.neuron(2.0).data)
    assert rows[1].zeros == 1.0
    assert math.isnan(rows[1].ratio)
    assert gradient_report(Module()) == []


def test_a_report_can_be_drawn_also_when_there_is_nothing_to_see():
    model = MLP(2, [2, 1])
    gradient_report(model).plot().canvas.draw()  # all gradients are 0
    model([3.0, 1.0]).backward()
    figure = gradient_report(model).plot()
    figure.canvas.draw()
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["layers.0", "layers.1"]
    assert axes.get_yscale() == "log"
    for parameter in model.parameters():
        parameter.grad = math.nan
    assert all(math.isnan(row.largest) for row in gradient_report(model))
    gradient_report(model).plot().canvas.draw()


def test_a_report_needs_a_module_and_gradients():
    with pytest.raises(TypeError, match=r"gradient_report: expected a Module, got Value\(data=1\.0"):
        gradient_report(Value(1.0))
    with pytest.raises(ValueError, match=r"Neuron\(1, 'relu'\) was bound to numbers that have no gradients"):
        gradient_report(Neuron(1).bind([1.0, 2.0]))


def test_other_bases_of_a_module_are_told_of_its_subclasses():
    class Registry:
        def __init_subclass__(cls, *, title="", **options):
            super().__init_subclass__(**options)
            cls.title = title

    class Titled(Module, Registry, title="a line"):
        pass

    assert Titled.title == "a line"


def _modules(y):
    """The modules whose result a Value is."""
    return tuple(module for module, _ in y.rule.calls)


def test_a_parameter_that_was_computed_is_refused_when_the_module_is_made():
    class Scaled(Module):
        def __init__(self):
            self.parts = [Value(0.5) * 0.5]

    with pytest.raises(TypeError, match=r"Scaled\.parts .* self\.parts = Value\(0\.25\)"):
        Scaled()


class Frame:
    """As far as a table of pandas' is concerned: iterating gives the labels."""

    iloc = None

    def __iter__(self):
        return iter([0, 1])


@pytest.mark.parametrize("inputs", [{0: 5.0, 1: 7.0}, {5.0, 7.0}, Frame()])
def test_inputs_without_an_order_are_refused(inputs):
    for model in (Neuron(2), Layer(2, 2), MLP(2, [1])):
        with pytest.raises(TypeError, match="expected numbers in order"):
            model(inputs)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_load_refuses_what_is_no_number(word, tmp_path):
    path, model = tmp_path / "m.json", Neuron(1, seed=1)
    model.save(path)
    path.write_text(path.read_text().replace('"bias": 0.0', f'"bias": {word}'))
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"bias is -?(nan|inf)"):
        model.load(path)
    assert model.state_dict() == before


def test_load_warns_of_functions_without_a_name(tmp_path):
    path = tmp_path / "m.json"
    Neuron(1, lambda x: x * x).save(path)
    with pytest.warns(UserWarning, match="another <lambda>"):
        Neuron(1, lambda x: -x).load(path)
