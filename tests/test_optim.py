"""Optimizers against their formulas, written out in NumPy over all past gradients; and fit, and all ways it ends."""

import json
import math
import random
import signal
import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.nn import (
    MLP,
    SGD,
    Adam,
    AdamW,
    Neuron,
    Optimizer,
    clip_grad_norm,
    cross_entropy,
    fit,
    huber,
    mse,
)

# The updates ----------------------------------------------------------------------------------------------------------

START = [-1.2, 1.0, 2.0, -3.0, 0.5]
STEPS = 100
STEEP, FLAT = 1000.0, 0.01  # the curvatures of the quadratic


def valley(a, b, c, d, e):
    """Rosenbrock's valley, and a bowl 100,000 times as steep in one direction as in another."""
    return (1.0 - a) ** 2 + 100.0 * (b - a * a) ** 2 + 0.5 * (STEEP * c * c + FLAT * d * d + e * e) + c * d


def slope(p):
    """The gradient of the valley, by hand."""
    a, b, c, d, e = p
    bend = b - a * a
    return np.array([-2 * (1 - a) - 400 * a * bend, 200 * bend, STEEP * c + d, FLAT * d + c, e])


def path(move, lr, clip_norm=None, decay=0.0):
    """The points that a method comes through; `move` makes a step of all gradients so far and of the rate."""
    p, gradients, points = np.array(START), [], []
    for t in range(STEPS):
        gradient = slope(p)
        if clip_norm is not None:
            gradient = gradient * min(1.0, clip_norm / (np.sqrt(np.sum(gradient**2)) + 1e-6))
        gradients.append(gradient + decay * p)
        p = move(p, np.array(gradients), lr(t) if callable(lr) else lr)
        points.append(p)
    return np.array(points)


def weighted(gradients, factor):
    """The sum of all gradients, each with the factor to the power of its age."""
    ages = np.arange(len(gradients))[::-1]
    return np.sum(factor ** ages[:, None] * gradients, axis=0)


def sgd_path(lr, momentum=0.0, nesterov=False, weight_decay=0.0, clip_norm=None):
    def move(p, gradients, lr):
        velocity = weighted(gradients, momentum) if momentum else gradients[-1]
        return p - lr * (gradients[-1] + momentum * velocity if nesterov else velocity)

    return path(move, lr, clip_norm, weight_decay)


def adam_path(lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, clip_norm=None, decoupled=False):
    def move(p, gradients, lr):
        t = len(gradients)
        mean, square = [
            (1 - beta) * weighted(g, beta) / (1 - beta**t)
            for g, beta in zip((gradients, gradients**2), betas, strict=True)
        ]
        kept = p - lr * weight_decay * p if decoupled else p
        return kept - lr * mean / (np.sqrt(square) + eps)

    return path(move, lr, clip_norm, 0.0 if decoupled else weight_decay)


def adamw_path(lr, weight_decay=0.01, **options):
    return adam_path(lr, weight_decay=weight_decay, decoupled=True, **options)


PATHS = {SGD: sgd_path, Adam: adam_path, AdamW: adamw_path}
RUNS = [
    (SGD, {"lr": 1e-4}),
    (SGD, {"lr": 1e-4, "momentum": 0.9}),
    (SGD, {"lr": 1e-4, "momentum": 0.8, "nesterov": True}),
    (SGD, {"lr": 1e-4, "weight_decay": 0.5}),
    (SGD, {"lr": 1e-4, "momentum": 0.9, "nesterov": True, "weight_decay": 0.5, "clip_norm": 100.0}),
    (SGD, {"lr": lambda step: 1e-4 / (1 + 0.1 * step)}),
    (SGD, {"lr": 1e-2, "clip_norm": 1.0}),
    (Adam, {"lr": 0.01}),
    (Adam, {"lr": 0.01, "betas": (0.5, 0.9)}),
    (Adam, {"lr": 0.01, "eps": 1.0}),
    (Adam, {"lr": 0.01, "weight_decay": 0.5}),
    (Adam, {"lr": lambda step: 0.02 * 0.97**step}),
    (Adam, {"lr": 0.01, "clip_norm": 1.0, "weight_decay": 0.5}),
    (AdamW, {"lr": 0.01}),
    (AdamW, {"lr": 0.01, "weight_decay": 2.0, "betas": (0.5, 0.9), "eps": 1.0}),
    (AdamW, {"lr": lambda step: 0.02 * 0.97**step, "weight_decay": 0.5, "clip_norm": 1.0}),
]


@pytest.mark.parametrize(("kind", "options"), RUNS, ids=lambda x: x.__name__ if callable(x) else "-".join(x))
def test_a_hundred_steps_are_those_of_the_formula_over_all_past_gradients(kind, options):
    parameters = [Value(x) for x in START]
    optimizer = kind(parameters, **options)
    points = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        valley(*parameters).backward()
        optimizer.step()
        points.append([p.data for p in parameters])
    expected = PATHS[kind](**options)
    assert np.max(np.abs(points - expected) / np.maximum(1.0, np.abs(expected))) < 1e-12
    assert optimizer.steps == STEPS


@pytest.mark.parametrize(("kind", "lr"), [(Adam, 1e-3), (AdamW, 1e-3)])
def test_what_is_not_said_is_as_in_pytorch(kind, lr):
    optimizer = kind([Value(0.0)])
    assert (optimizer.lr, optimizer.betas, optimizer.eps) == (lr, (0.9, 0.999), 1e-8)
    assert optimizer.weight_decay == (0.01 if kind is AdamW else 0.0)


def test_the_learning_rate_can_be_changed_between_steps():
    w = Value(1.0)
    optimizer = SGD([w], lr=1.0)
    for optimizer.lr in (0.25, lambda step: 0.5 * step):
        w.grad = 1.0
        optimizer.step()
    assert w.data == 1.0 - 0.25 - 0.5


def test_gradients_add_up_until_they_are_set_to_zero():
    w = Value(1.0)
    optimizer = SGD([w], lr=1.0)
    (2.0 * w).backward()
    (3.0 * w).backward()
    assert w.grad == 5.0
    optimizer.zero_grad()
    optimizer.step()
    assert (w.data, w.grad) == (1.0, 0.0)


def test_parameters_may_come_from_a_generator():
    values = [Value(1.0), Value(2.0)]
    assert SGD((v for v in values), lr=1.0).parameters == values


def test_an_optimizer_of_ones_own_needs_nothing_but_its_update():
    class Counting(Optimizer):
        memory = 1

        def update(self, number, gradient, lr, count):
            return number + count, count + 1.0

    a, b = Value(0.0), Value(10.0)
    optimizer = Counting([a, b], lr=0.1)
    for _ in range(4):
        optimizer.step()
    assert (a.data, b.data) == (6.0, 16.0)
    with pytest.raises(NotImplementedError, match="Optimizer has no method `update` that says what a step does"):
        Optimizer([a], lr=0.1).step()


# Clipping -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_norm", "scale"), [(2.5, 2.5 / (5.0 + 1e-6)), (5.0, 5.0 / (5.0 + 1e-6)), (5.1, 1.0)])
def test_clipping_scales_by_the_norm_and_a_millionth_and_never_up(max_norm, scale):
    a, b = Value(0.0), Value(0.0)
    a.grad, b.grad = 3.0, -4.0
    assert clip_grad_norm([a, b], max_norm) == 5.0
    assert (a.grad, b.grad) == (3.0 * scale, -4.0 * scale)


def test_the_norm_of_large_gradients_does_not_overflow():
    a, b = Value(0.0), Value(0.0)
    a.grad, b.grad = 3e200, 4e200  # their squares are too large for a float
    assert clip_grad_norm([a, b], 1.0) == pytest.approx(5e200, rel=1e-15)
    assert (a.grad, b.grad) == (pytest.approx(0.6, rel=1e-15), pytest.approx(0.8, rel=1e-15))
    a.grad = b.grad = sys.float_info.max
    with pytest.raises(FloatingPointError, match="the norm of the gradients is too large for a float"):
        clip_grad_norm([a, b], 1.0)
    assert (a.grad, b.grad) == (sys.float_info.max,) * 2


def test_an_infinite_bound_only_measures():
    w = Value(0.0)
    w.grad = -7.0
    assert clip_grad_norm([w], math.inf) == 7.0
    assert w.grad == -7.0


def test_a_clipped_step_leaves_the_gradients_as_they_were():
    w = Value(0.0)
    w.grad = 7.0
    SGD([w], lr=1.0, clip_norm=2.0).step()
    assert w.data == pytest.approx(-2.0, rel=1e-6)
    assert w.grad == 7.0


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(("label", "name"), [("w1", "w1"), ("", r"parameters\[1\]")])
@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_a_gradient_that_is_no_finite_number_stops_the_step_and_nothing_is_changed(kind, label, name, bad):
    options = {"momentum": 0.9} if kind is SGD else {}
    parameters = [Value(1.0), Value(2.0, label=label), Value(3.0)]
    twins = [Value(1.0), Value(2.0), Value(3.0)]
    optimizer, twin = kind(parameters, lr=0.1, **options), kind(twins, lr=0.1, **options)
    for p in parameters + twins:
        p.grad = 0.5
    optimizer.step()
    twin.step()
    parameters[1].grad = bad
    with pytest.raises(FloatingPointError, match=f"step 1: the gradient of {name} is {bad!r}; nothing was changed"):
        optimizer.step()
    with pytest.raises(FloatingPointError, match=f"clip_grad_norm: the gradient of {name} is {bad!r}"):
        clip_grad_norm(parameters, 0.1)
    assert [p.grad for p in parameters] == pytest.approx([0.5, bad, 0.5], nan_ok=True)
    assert (optimizer.steps, [p.data for p in parameters]) == (1, [p.data for p in twins])
    parameters[1].grad = 0.5
    optimizer.step()  # and goes on, with the moments it had, as if nothing had been
    twin.step()
    assert [p.data for p in parameters] == [p.data for p in twins]


def test_a_step_out_of_the_range_of_floats_changes_nothing():
    a, b = Value(1.0), Value(-1e308, label="b")
    a.grad, b.grad = 1.0, 1e308
    sgd, adam = SGD([a, b], lr=2.0), Adam([a, b])  # for Adam the gradient's square is too large
    for optimizer in (sgd, adam):
        with pytest.raises(FloatingPointError, match=r"step 0: b = -1e\+308 with the gradient 1e\+308 and lr = "):
            optimizer.step()
        assert (a.data, b.data, optimizer.steps) == (1.0, -1e308, 0)


@pytest.mark.parametrize("make", [partial(SGD, momentum=0.9), Adam, AdamW])
def test_what_an_optimizer_remembers_is_not_changed_by_a_step_that_fails(make):
    a, b, twin = Value(1.0), Value(1.0), Value(1.0)
    optimizer, other = make([a, b], lr=0.1), make([twin], lr=0.1)
    a.grad = twin.grad = 0.5
    optimizer.step()
    other.step()
    a.grad, b.grad, b.data = 0.25, 1e308, -1.7e308  # the step of a alone would do
    optimizer.lr = 1e300
    with pytest.raises(FloatingPointError, match="nothing was changed"):
        optimizer.step()
    a.grad = twin.grad = -0.5
    optimizer.lr, b.grad = 0.1, 0.0
    optimizer.step()
    other.step()
    assert a.data == twin.data


X = Value(3.0, label="x")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD([X], lr=-0.1), ValueError, "lr: expected a number from 0 up, got -0.1"),
        (lambda: Adam([X], lr=math.nan), ValueError, "lr: expected a number from 0 up, got nan"),
        (lambda: AdamW([X], lr=math.inf), ValueError, "lr: expected a number from 0 up, got inf"),
        (lambda: SGD([X], lr="0.1"), TypeError, r"lr: expected a number, got '0\.1' \(str\)"),
        (lambda: SGD([X], lr=Value(0.1)), TypeError, r"lr: expected a number, got Value\(data=0\.1"),
        (lambda: SGD([X], lr=None), TypeError, "lr: expected a number, got None"),
        (lambda: SGD([X], 0.1, momentum=-0.1), ValueError, "momentum: expected a number from 0 up, and below 1"),
        (lambda: SGD([X], 0.1, momentum=1.0), ValueError, "momentum: expected a number from 0 up, and below 1, got 1"),
        (lambda: SGD([X], 0.1, nesterov=True), ValueError, "nesterov: .* give momentum= too"),
        (lambda: SGD([X], 0.1, weight_decay=-1.0), ValueError, "weight_decay: expected a number from 0 up, got -1"),
        (lambda: Adam([X], weight_decay=math.nan), ValueError, "weight_decay: expected a number from 0 up, got nan"),
        (lambda: Adam([X], betas=0.9), ValueError, "betas: expected a pair of numbers"),
        (lambda: Adam([X], betas=(0.9,)), ValueError, r"betas: expected a pair of numbers, as .*, got \(0\.9,\)"),
        (lambda: Adam([X], betas=(1.0, 0.9)), ValueError, r"betas\[0\]: expected a number from 0 up, and below 1"),
        (lambda: Adam([X], betas=(0.9, -1.0)), ValueError, r"betas\[1\]: expected a number from 0 up, and below 1"),
        (lambda: Adam([X], eps=0.0), ValueError, "eps: expected a number above 0, got 0"),
        (lambda: AdamW([X], clip_norm=0), ValueError, "clip_norm: expected a number above 0, got 0"),
        (lambda: SGD([X], 0.1, clip_norm=math.nan), ValueError, "clip_norm: expected a number above 0, got nan"),
        (lambda: clip_grad_norm([X], -1.0), ValueError, "max_norm: expected a number above 0, got -1.0"),
        (lambda: SGD(X, 0.1), TypeError, r"parameters: expected a list of Values, as model\.parameters\(\), got Value"),
        (lambda: SGD(Neuron(2), 0.1), TypeError, r"parameters: expected a list of Values, .* got Neuron\(2, 'relu'\)"),
        (lambda: SGD([], 0.1), ValueError, "parameters: the list is empty"),
        (lambda: clip_grad_norm([], 0.1), ValueError, "parameters: the list is empty"),
        (lambda: SGD([X, 3.0], 0.1), TypeError, r"parameters\[1\]: expected a Value, got 3\.0 \(float\)"),
        (lambda: Adam(Neuron(2).named_parameters()), TypeError, r"parameters\[0\]: expected a Value, got \('weights"),
        (lambda: SGD([X, X * 2.0], 0.1), ValueError, r"parameters\[1\]: Value\(data=6\.0, grad=0\.0\) was computed"),
        (lambda: mg.grad(lambda x: SGD([x], 0.1))(1.0), ValueError, r"parameters\[0\]: .* an input of a transform"),
        (lambda: SGD([X, Value(3.0), X], 0.1), ValueError, r"parameters\[2\]: Value.*label='x'\) is in the list twice"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("rate", "error", "message"),
    [
        ({}.get, TypeError, "lr at step 1: expected a number, got None"),
        (lambda step: -0.1, ValueError, "lr at step 1: expected a number from 0 up, got -0.1"),
        (lambda step: math.nan, ValueError, "lr at step 1: expected a number from 0 up, got nan"),
    ],
)
def test_a_function_that_returns_no_learning_rate_is_named_with_the_step(rate, error, message):
    w = Value(1.0)
    optimizer = SGD([w], lr=lambda step: 0.5 if step == 0 else rate(step))
    w.grad = 1.0
    optimizer.step()
    with pytest.raises(error, match=message):
        optimizer.step()
    assert (w.data, optimizer.steps) == (0.5, 1)


# Training -------------------------------------------------------------------------------------------------------------

LINE = [(float(x), 2.0 * x + 1.0) for x in range(5)]


class Line:
    """A line through given points, that notes what it is asked."""

    def __init__(self):
        self.w, self.b = Value(0.5, label="w"), Value(-0.5, label="b")
        self.asked = []

    def parameters(self):
        return [self.w, self.b]

    def __call__(self, x):
        self.asked.append(x)
        return self.w * x + self.b

    def numbers(self):
        return self.w.data, self.b.data


def trained(line, loss=mse, *, data=LINE, lr=0.01, **options):
    return fit(line, data, loss, SGD(line.parameters(), lr=lr), **{"progress": False, **options})


def by_hand(batches, lr=0.01):
    """The line after descent of the mean squared error along these batches of inputs, and each batch's loss before."""
    w, b, losses = 0.5, -0.5, []
    for batch in batches:
        xs = np.array(batch)
        errors = w * xs + b - (2.0 * xs + 1.0)
        losses.append(np.mean(errors**2))
        w, b = w - lr * np.mean(2.0 * errors * xs), b - lr * np.mean(2.0 * errors)
    return (w, b), losses


def test_without_a_batch_size_each_epoch_is_one_step_over_the_data_in_their_order():
    line = Line()
    state = random.getstate()
    history = trained(line, epochs=3)
    numbers, losses = by_hand([[0.0, 1.0, 2.0, 3.0, 4.0]] * 3)
    assert line.asked == [x for x, _ in LINE] * 3
    assert (history, line.numbers()) == (pytest.approx(losses, rel=1e-12), pytest.approx(numbers, rel=1e-12))
    assert random.getstate() == state
    for size in (5, 100):
        other = Line()
        assert trained(other, epochs=3, batch_size=size, seed=1) == history
        assert (other.numbers(), other.asked) == (line.numbers(), line.asked)


def test_batches_are_shuffled_anew_in_each_epoch_and_a_smaller_last_one_counts_less():
    line = Line()
    history = trained(line, epochs=4, batch_size=2, seed=7)
    epochs = [line.asked[i : i + 5] for i in range(0, 20, 5)]
    assert len(line.asked) == 20
    assert all(sorted(epoch) == [0.0, 1.0, 2.0, 3.0, 4.0] for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 4  # by this seed, no order comes twice
    numbers, losses = by_hand([epoch[i : i + 2] for epoch in epochs for i in (0, 2, 4)])
    means = [np.dot(losses[i : i + 3], [2, 2, 1]) / 5 for i in range(0, 12, 3)]
    assert (history, line.numbers()) == (pytest.approx(means, rel=1e-12), pytest.approx(numbers, rel=1e-12))


def test_a_seed_is_a_number_or_a_generator_or_none_for_the_one_of_random():
    def order(seed):
        line = Line()
        trained(line, epochs=2, batch_size=2, seed=seed)
        return line.asked

    assert order(3) == order(3) == order(random.Random(3)) != order(4)
    state = random.getstate()
    try:
        random.seed(3)
        assert order(None) == order(3)
    finally:
        random.setstate(state)
    with pytest.raises(TypeError, match=r"seed: expected a whole number, a random\.Random or None, got 'three'"):
        order("three")


def test_old_gradients_are_forgotten_and_those_of_the_last_batch_remain():
    line = Line()
    line.w.grad = line.b.grad = 1e9
    trained(line)
    (w, b), _ = by_hand([[x for x, _ in LINE]])
    assert (line.w.grad, line.b.grad) == (pytest.approx((0.5 - w) / 0.01), pytest.approx((-0.5 - b) / 0.01))


def test_a_network_learns_what_no_line_can():
    data = [([x, y], float((x > 0) != (y > 0))) for x in (-1.0, 1.0) for y in (-1.0, 1.0)]
    model = MLP(2, [4, 1], activation="tanh", seed=1)
    history = fit(model, data, mse, Adam(model.parameters(), lr=0.05), epochs=150, seed=1, batch_size=2, progress=False)
    assert len(history) == 150
    assert history[0] > 0.25  # what the best line has
    assert history[-1] < 1e-3


def test_fit_can_be_called_again_and_goes_on():
    line, other = Line(), Line()
    optimizer = Adam(line.parameters(), lr=lambda step: 0.1 / (step + 1))
    histories = [fit(line, LINE, mse, optimizer, epochs=2, progress=False) for _ in range(2)]
    history = fit(other, LINE, mse, Adam(other.parameters(), lr=lambda s: 0.1 / (s + 1)), epochs=4, progress=False)
    assert (histories[0] + histories[1], line.numbers(), optimizer.steps) == (history, other.numbers(), 4)


def test_arrays_are_data_once_they_are_zipped():
    inputs, targets = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), np.array([1.0, 2.0, 3.0])
    arrays, lists = Neuron(2, "tanh", seed=1), Neuron(2, "tanh", seed=1)
    for neuron, data in (
        (arrays, list(zip(inputs, targets, strict=True))),
        (lists, list(zip(inputs.tolist(), targets.tolist(), strict=True))),
    ):
        fit(neuron, data, mse, SGD(neuron.parameters(), lr=0.1), epochs=2, progress=False)
    assert arrays.state_dict() == pytest.approx(lists.state_dict(), rel=1e-15)


# How it ends ----------------------------------------------------------------------------------------------------------


def interrupting(call, signals=1):
    """The mean squared error, in which somebody presses Ctrl-C at that call, counted from 1."""
    calls = []

    def loss(predictions, targets):
        calls.append(len(predictions))
        if len(calls) == call:
            for _ in range(signals):
                signal.raise_signal(signal.SIGINT)
        return mse(predictions, targets)

    return loss


@pytest.fixture
def usual_handler():
    """Python's own handler of Ctrl-C, whatever runs these tests has put in its place; asked for again at the end."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("usual_handler")
@pytest.mark.parametrize(("call", "epochs", "seen"), [(1, 0, 2), (3, 0, 5), (5, 1, 4), (12, 3, 5)])
def test_an_interrupt_ends_after_a_whole_step_with_the_losses_so_far(call, epochs, seen):
    line, free = Line(), Line()
    history = trained(line, interrupting(call), epochs=4, batch_size=2, seed=7)
    assert len(line.asked) == 5 * epochs + seen
    trained(free, epochs=4, batch_size=2, seed=7)
    assert line.asked == free.asked[: len(line.asked)]
    batches = [line.asked[i + k : i + min(k + 2, 5)] for i in range(0, len(line.asked), 5) for k in (0, 2, 4)][:call]
    numbers, losses = by_hand(batches)
    sizes = [len(batch) for batch in batches]
    means = [np.average(losses[i : i + 3], weights=sizes[i : i + 3]) for i in range(0, call, 3)]
    assert (history, line.numbers()) == (pytest.approx(means, rel=1e-12), pytest.approx(numbers, rel=1e-12))


@pytest.mark.usefixtures("usual_handler")
def test_a_second_interrupt_does_not_wait_for_the_step():
    line, free = Line(), Line()
    with pytest.raises(KeyboardInterrupt):
        trained(line, interrupting(3, signals=2), epochs=4)
    trained(free, epochs=2)
    assert line.numbers() == free.numbers()


@pytest.mark.usefixtures("usual_handler")
def test_the_handler_is_given_back_after_an_error_too():
    with pytest.raises(ZeroDivisionError):
        trained(Line(), lambda predictions, targets: predictions[0] / 0.0)


@pytest.mark.usefixtures("usual_handler")
def test_a_handler_of_somebody_else_stays_in_force():
    heard = []

    def handler(number, frame):
        heard.append(number)

    signal.signal(signal.SIGINT, handler)
    try:
        assert len(trained(Line(), interrupting(2), epochs=4)) == 4
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [signal.SIGINT]


def test_fit_runs_in_a_thread_where_no_handler_can_be_set():
    line, other, histories = Line(), Line(), []
    thread = threading.Thread(target=lambda: histories.append(trained(line, epochs=3)))
    thread.start()
    thread.join()
    assert histories == [trained(other, epochs=3)]
    assert line.numbers() == other.numbers()


def test_a_loss_that_explodes_is_stopped_with_the_step_and_the_parameter_of_the_largest_gradient():
    line, free = Line(), Line()
    with pytest.raises(FloatingPointError) as caught:
        trained(line, data=[(10.0, 0.0), (20.0, 0.0)], lr=1e50, epochs=9, batch_size=1, seed=1)
    trained(free, data=[(10.0, 0.0), (20.0, 0.0)], lr=1e50, epochs=1, batch_size=1, seed=1)
    assert abs(line.w.grad) > abs(line.b.grad)
    assert str(caught.value) == (
        "fit: the loss is inf at step 3, in epoch 1 (both counted from 0). In the step before, the largest gradient "
        f"was that of w: {line.w.grad!r}; its number is {line.w.data!r}. "
        "Try a smaller lr, or an optimizer with clip_norm=1.0."
    )
    w, b = Value(free.w.data), Value(free.b.data)  # the third step, by hand, and no fourth
    x = line.asked[2]
    mse([w * x + b], [0.0]).backward()
    assert line.numbers() == (w.data - 1e50 * w.grad, b.data - 1e50 * b.grad)
    assert (line.w.grad, line.b.grad) == (w.grad, b.grad)


FIRST = "in epoch 0 (both counted from 0), the first step of this fit: look at the data, and at the initial parameters."


@pytest.mark.parametrize(
    ("factor", "loss", "gradient"), [([math.nan], "nan", "nan"), ([1e200, -1e200], "inf", "-inf")], ids=["nan", "inf"]
)
def test_a_loss_that_is_no_finite_number_at_the_first_step_points_at_the_data(factor, loss, gradient):
    line = Line()
    optimizer = SGD(line.parameters(), lr=0.01)
    fit(line, LINE, mse, optimizer, progress=False)
    w, b = line.numbers()
    line.w.grad, line.b.data = 1e9, -0.5  # since then somebody has changed what there was

    def wrong(predictions, targets):
        return mse(predictions, targets) + line.b * math.prod(factor[:1]) * math.prod(factor[1:])

    with pytest.raises(FloatingPointError) as caught:
        fit(line, LINE, wrong, optimizer, progress=False)
    assert str(caught.value) == (
        f"fit: the loss is {loss} at step 1, {FIRST} "
        f"Here, the largest gradient was that of b: {gradient}; its number is -0.5."
    )
    assert line.numbers() == (w, -0.5) != (w, b)


def test_what_the_model_raises_at_the_first_step_has_a_note_on_where():
    line = Line()
    with pytest.raises(ValueError, match=r"log\(x\) at x = -1.0: .*") as caught:
        trained(line, lambda predictions, targets: mg.log(Value(-1.0, label="x")))
    assert caught.value.__notes__ == [f"This was at step 0, {FIRST}"]
    assert line.numbers() == (0.5, -0.5)


def test_what_the_loss_raises_later_has_a_note_with_the_step_and_the_largest_gradient():
    line, free = Line(), Line()

    def steep(predictions, targets):
        return mg.mean([mg.exp(mg.sqrt(p + 100.0)) for p in predictions])

    with pytest.raises(ValueError, match=r"^sqrt\(.*: (math domain error|expected a nonnegative)") as caught:
        trained(line, steep, lr=100.0, data=[(1.0, 0.0), (2.0, 0.0)], epochs=9)
    trained(free, steep, lr=100.0, data=[(1.0, 0.0), (2.0, 0.0)])
    assert caught.value.__notes__ == [
        "This was at step 1, in epoch 1 (both counted from 0). In the step before, the largest gradient was that of w: "
        f"{free.w.grad!r}; its number is {free.w.data!r}. Try a smaller lr, or an optimizer with clip_norm=1.0."
    ]
    assert line.numbers() == free.numbers()


@pytest.mark.parametrize(
    "loss",
    [
        lambda predictions, targets: 0.25,
        lambda predictions, targets: math.nan,
        lambda predictions, targets: sum(p.data for p in predictions),
        lambda predictions, targets: Value(0.25),
        lambda predictions, targets: predictions,
        lambda predictions, targets: None,
    ],
    ids=["number", "nan", "data", "leaf", "list", "none"],
)
def test_a_loss_that_is_not_one_value_computed_by_the_model_is_refused(loss):
    line = Line()
    with pytest.raises(TypeError, match=r"fit: the loss must be one Value, .* does not depend on the parameters"):
        trained(line, loss)
    assert line.numbers() == (0.5, -0.5)


ARRAYS = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"got \[\], which is empty"),
        (np.zeros((0, 2)), r"got array\(.*, which is empty"),
        (ARRAYS, r"item 0 of this tuple is no such tuple: array"),
        ([[1.0, 2.0], [3.0, 4.0]], r"item 0 of this list is no such tuple: \[1\.0, 2\.0\]"),
        (ARRAYS[0], r"item 0 of this ndarray is no such tuple: array"),
        ([(1.0, 2.0), (1.0, 2.0, 3.0)], r"item 1 of this list is no such tuple: \(1\.0, 2\.0, 3\.0\)"),
        (zip([1.0], [2.0], strict=True), r"got <zip object at .*> \(zip\)"),
        ({(1.0, 2.0)}, r"got \{\(1\.0, 2\.0\)\} \(set\)"),  # which has no order
        (None, r"got None \(NoneType\)"),
    ],
    ids=["empty", "empty array", "two arrays", "rows", "array", "triple", "zip", "set", "none"],
)
def test_data_that_are_no_list_of_pairs_are_refused_with_how_to_make_one(data, message):
    with pytest.raises(ValueError, match=rf"a list of tuples \(input, target\), as list\(zip\(X, y\)\).*{message}"):
        trained(Line(), data=data)


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "2"])
@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_epochs_and_batch_size_are_whole_numbers_from_1_up(name, number):
    with pytest.raises(ValueError, match=f"{name}: expected a whole number from 1 up, got {number!r}"):
        trained(Line(), **{name: number})


def test_loss_and_optimizer_in_the_wrong_order_are_told_apart():
    line = Line()
    with pytest.raises(TypeError, match=r"fit: expected an optimizer, as SGD\(.*\), got <function mse"):
        fit(line, LINE, SGD(line.parameters(), lr=0.1), mse)


# The progress bar -----------------------------------------------------------------------------------------------------


def test_the_bar_counts_steps_and_shows_the_loss(capsys):
    history = trained(Line(), epochs=2, batch_size=2, seed=1, progress=True)
    out, err = capsys.readouterr()
    last = err.split("\r")[-1]
    assert out == ""
    assert "6/6" in last
    assert f"epoch=1, loss={history[-1]:.4g}" in last


def test_there_is_no_bar_where_none_is_wanted_or_tqdm_is_not_installed(capsys, monkeypatch):
    quiet = trained(Line(), epochs=2)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert trained(Line(), epochs=2, progress=True) == quiet
    assert capsys.readouterr() == ("", "")


def test_tqdm_is_not_imported_before_it_is_needed():
    program = "import sys, micrograd_plus.optim; sys.exit('tqdm' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_optimizer_made_for_another_model_is_an_error_at_once():
    old, new = MLP(1, [1], seed=1), MLP(1, [1], seed=2)
    optimizer = SGD(old.parameters(), lr=0.1)
    with pytest.raises(
        ValueError, match="depends on none of the optimizer's parameters; was it made for another model"
    ):
        fit(new, [(0.5, 1.0)], mse, optimizer, progress=False)
    assert optimizer.steps == 0


def test_fit_wants_a_loss_that_can_be_called():
    model = MLP(1, [1], seed=1)
    with pytest.raises(TypeError, match=r"a loss that can be called, got .* and 'mse'"):
        fit(model, [(0.5, 1.0)], "mse", SGD(model.parameters(), lr=0.1), progress=False)


def test_an_optimizer_shows_how_many_parameters_and_which_rate_it_has():
    assert repr(AdamW(MLP(2, [3, 1]).parameters(), lr=0.25)) == "AdamW(13 parameters, lr=0.25)"


# Compiled -------------------------------------------------------------------------------------------------------------

POINTS = [([math.sin(i), math.cos(3.0 * i)], i % 3) for i in range(30)]


def weights(loss=cross_entropy, data=POINTS, make=None, **options):
    """The parameters and the history after training one small network."""
    model = make() if make else MLP(2, [5, 3], activation="tanh", seed=1)
    optimizer = Adam(model.parameters(), lr=0.05)
    options = {"epochs": 6, "batch_size": 8, "seed": 1, "progress": False, **options}
    return fit(model, data, loss, optimizer, **options), [p.data for p in model.parameters()]


# With a backend, and without ------------------------------------------------------------------------------------------


class Keeping(MLP):
    """Keeps a running mean in a dict, counts its calls, and drops inputs by a generator of its own."""

    def __init__(self, seed):
        super().__init__(2, [5, 3], activation="tanh", seed=seed)
        self.stats, self.calls, self.generator = {"mean": 0.0}, 0, random.Random(seed)

    def forward(self, x):
        self.calls += 1
        self.stats["mean"] = 0.9 * self.stats["mean"] + 0.1 * x[0]
        return super().forward([value if self.generator.random() < 0.9 else 0.0 for value in x])


def test_by_default_it_trains_as_the_plain_loop_whatever_the_model_keeps_draws_or_counts():
    def loop(model, optimizer):
        history = []
        for _ in range(12):
            loss = cross_entropy([model(x) for x, _ in POINTS], [k for _, k in POINTS])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append(loss.data)
        return history

    def trained(train):
        model = Keeping(seed=1)
        optimizer = SGD(model.parameters(), lr=lambda step: 0.1 if step < 6 else 0.01)
        return train(model, optimizer), [p.data for p in model.parameters()], model.stats, model.calls

    found = trained(lambda m, o: fit(m, POINTS, cross_entropy, o, epochs=12, progress=False))
    assert found == trained(loop)
    assert found[3] == 12 * len(POINTS)


def test_what_a_callback_changes_counts_from_then_on():
    def run():
        model = MLP(2, [5, 3], activation="tanh", seed=1)
        scale = {"by": 1.0}

        def rate(step):
            scale["by"] = 1.0 if step < 20 else 0.5
            return 0.1

        def loss(predictions, targets):
            return cross_entropy([[z * scale["by"] for z in row] for row in predictions], targets)

        history = fit(model, POINTS, loss, SGD(model.parameters(), lr=rate), epochs=60, progress=False)
        return history[-1], loss([model(x) for x, _ in POINTS], [k for _, k in POINTS]).data

    last, real = run()
    assert last == pytest.approx(real, rel=0.05)


@pytest.mark.parametrize("backend", ["python", "llvm", "jax"])
@pytest.mark.parametrize("arrays", [False, True])
def test_compiled_training_ends_with_the_weights_of_the_plain_loop(backend, arrays):
    data = [(np.array(x), np.int64(k)) for x, k in POINTS] if arrays else POINTS
    history, found = weights(data=data, backend=backend)
    expected, numbers = weights()
    assert history == pytest.approx(expected, rel=1e-9)
    assert found == pytest.approx(numbers, rel=1e-9, abs=1e-9)
    assert found != weights(epochs=5)[1]


def test_a_model_of_a_program_is_called_for_the_recording_and_the_first_batch_and_keeps_nothing():
    calls = []

    class Counted(MLP):
        def forward(self, x):
            calls.append(x)
            return super().forward(x)

    model = Counted(2, [5, 3], "tanh", seed=1)
    before = set(vars(model))
    fit(model, POINTS, cross_entropy, SGD(model.parameters(), lr=0.1), epochs=9, progress=False, backend="python")
    assert len(calls) == 1 + len(POINTS)
    assert set(vars(model)) == before
    assert all(type(p.data) is float for p in model.parameters())


def keeps_in_a_dict():
    class Keeps(MLP):
        def forward(self, x):
            self.seen["last"] = super().forward(x)
            return self.seen["last"]

    model = Keeps(2, [5, 3], activation="tanh", seed=1)
    model.seen = {}
    return model


def keeps_in_an_attribute():
    class Keeps(MLP):
        def forward(self, x):
            self.last = super().forward(x)
            return self.last

    return Keeps(2, [5, 3], activation="tanh", seed=1)


def noisy():
    class Noisy(MLP):
        def forward(self, x):
            return super().forward([value + random.gauss(0.0, 0.1) for value in x])

    return Noisy(2, [5, 3], activation="tanh", seed=1)


def branching():
    class Branching(MLP):
        def forward(self, x):
            return super().forward(x if x[0] > 0.0 else [2.0 * value for value in x])

    return Branching(2, [5, 3], activation="tanh", seed=1)


def says_that_it_is_a_mean(predictions, targets):
    return cross_entropy(predictions, targets) * len(predictions)


says_that_it_is_a_mean.mean_of_pairs = True


@pytest.mark.parametrize("backend", ["python", "llvm"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"make": keeps_in_a_dict}, r"Keeps\.seen\['last'\]\S* keeps a number that the model computes"),
        ({"make": keeps_in_an_attribute}, r"Keeps\.last\S* keeps a number that the model computes"),
        ({"make": noisy}, "draws random numbers"),
        ({"make": branching}, r"test_optim\.py, line \d+: this number is not known"),
        ({"make": lambda: Keeping(seed=1)}, r"Keeping\.stats\['mean'\]\S* keeps a number"),
        ({"loss": says_that_it_is_a_mean}, "depend on something else than parameters and pairs"),
        ({"loss": lambda p, t: cross_entropy(p, t)}, r"may be more than the mean over pairs; .* loss\.mean_of_pairs"),
        ({"make": Line, "data": LINE * 10, "loss": mse}, "the model must be a Module"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_the_reason_and_nothing_has_changed(options, message, backend):
    random.seed(5)
    expected = random.getstate()
    made = []
    make = options.get("make", lambda: MLP(2, [5, 3], activation="tanh", seed=1))
    with pytest.raises((TypeError, ValueError), match=message):
        weights(**{**options, "make": lambda: made.append(make()) or made[-1]}, backend=backend)
    assert random.getstate() == expected
    fresh = [p.data for p in make().parameters()]
    assert [p.data for p in made[0].parameters()] == fresh
    weights(**options)  # without a backend it trains


def test_a_loss_of_ones_own_says_that_it_is_a_mean_over_pairs():
    def squared(predictions, targets):
        return mse(predictions, targets) * 2.0

    squared.mean_of_pairs = True
    results = [
        weights(loss=loss, data=[(x, 0.5) for x, _ in POINTS], make=lambda: Neuron(2, "tanh", seed=1), backend=backend)
        for loss, backend in [(squared, "python"), (squared, None), (partial(huber, delta=2.0), "llvm")]
    ]
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-9)
    assert results[2][1] != results[1][1]


@pytest.mark.parametrize("off", [3e-10, 3e-9])
def test_the_loss_of_the_program_and_of_the_model_may_differ_by_1e_9(off):
    def loss(predictions, targets):
        return mse(predictions, targets) + (off if len(predictions) > 1 else 0.0)

    loss.mean_of_pairs = True
    options = {"loss": loss, "data": [(x, 0.5) for x, _ in POINTS], "make": lambda: Neuron(2, "tanh", seed=1)}
    if off < 1e-9:
        weights(**options, backend="python")
    else:
        with pytest.raises(ValueError, match="compiled, the loss of the first batch is"):
            weights(**options, backend="python")


def test_parameters_that_are_not_trained_stay_as_they_are_in_the_program():
    def halves(backend):
        model = MLP(2, [5, 3], activation="tanh", seed=1)
        optimizer = SGD(model.layers[1].parameters(), lr=0.1)
        history = fit(model, POINTS, cross_entropy, optimizer, epochs=6, progress=False, backend=backend)
        return history, [p.data for p in model.parameters()]

    (history, found), (expected, numbers) = halves("python"), halves(None)
    assert history == pytest.approx(expected, rel=1e-12)
    assert found == pytest.approx(numbers, rel=1e-12)
    assert found[:15] == [p.data for p in MLP(2, [5, 3], activation="tanh", seed=1).parameters()][:15]


def test_a_parameter_of_the_loss_is_no_reason_to_lose_its_gradient():
    model, scale = MLP(2, [5, 3], activation="tanh", seed=1), Value(1.0)
    optimizer = SGD([*model.parameters(), scale], lr=0.1)

    def loss(predictions, targets):
        return cross_entropy(predictions, targets) * scale

    fit(model, POINTS, loss, optimizer, epochs=6, progress=False)
    assert scale.data != 1.0
    with pytest.raises(ValueError, match="the optimizer's parameters must be its own"):
        fit(model, POINTS, loss, optimizer, epochs=6, progress=False, backend="python")
    loss.mean_of_pairs = True
    with pytest.raises(TypeError, match="would become a constant of the program"):
        fit(model, POINTS, loss, SGD(model.parameters(), lr=0.1), progress=False, backend="python")


@pytest.mark.parametrize("backend", ["python", "llvm"])
def test_inputs_of_several_lengths_are_several_programs(backend):
    class Mean(Neuron):
        def forward(self, xs):
            return super().forward([sum(xs) / len(xs)])

    data = [([0.1 * i] * (1 + i % 3), 0.5 * i) for i in range(30)]
    results = [weights(loss=mse, data=data, make=lambda: Mean(1, "tanh", seed=1), backend=b) for b in (backend, None)]
    (history, found), (expected, numbers) = results
    assert history == pytest.approx(expected, rel=1e-9)
    assert found == pytest.approx(numbers, rel=1e-9)


def test_the_first_line_says_what_runs(capsys):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    model = MLP(2, [5, 3], activation="tanh", seed=1)
    for backend, words in [(None, "the model trains as it is"), ("python", "a program trains, by python")]:
        fit(model, POINTS, cross_entropy, SGD(model.parameters(), lr=0.1), backend=backend)
        captured = capsys.readouterr()
        assert words in captured.out + captured.err


def test_the_argument_of_old_says_the_new_word():
    with pytest.raises(TypeError, match=r"there is no argument compile; .* backend="):
        weights(compile=True)
    with pytest.raises(TypeError, match="there is no argument verbose"):
        weights(verbose=True)
    with pytest.raises(ValueError, match="backend must be None or one of python, llvm, jax; got 'numba'"):
        weights(backend="numba")


def test_an_item_that_fails_is_named_among_arrays():
    model = Neuron(2, "linear", seed=1)
    data = [(np.array([float(i), 1.0]), 2.0) for i in range(3)] + [(np.array([math.nan, 1.0]), 2.0)]
    with pytest.raises(FloatingPointError) as caught:
        fit(model, data, mse, SGD(model.parameters(), lr=1e-3), batch_size=2, progress=False)
    assert any("Item 3 of the data" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("backend", [None, "python"])
@pytest.mark.parametrize("bad", [(math.nan, 1.0), (1.0, math.nan), (1.0, None)])
def test_an_item_that_fails_is_named(bad, backend):
    model = Neuron(1, "linear", seed=1)
    data = [(float(i), 2.0) for i in range(6)]
    data[4] = bad
    optimizer = SGD(model.parameters(), lr=1e-3, momentum=0.5)
    with pytest.raises((TypeError, ValueError, ArithmeticError)) as caught:
        fit(model, data, mse, optimizer, batch_size=2, epochs=3, seed=1, backend=backend, progress=False)
    assert any("Item 4 of the data" in note for note in caught.value.__notes__)


def test_of_a_training_that_diverges_no_item_is_named():
    model = Neuron(1, "linear", seed=1)
    with pytest.raises(ArithmeticError) as caught:
        fit(model, [(1e3, 2.0), (2e3, 1.0)], mse, SGD(model.parameters(), lr=1e3), epochs=99, progress=False)
    assert not any("Item" in note for note in getattr(caught.value, "__notes__", []))


# The state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda ps: SGD(ps, lr=0.01, momentum=0.9, nesterov=True),
        lambda ps: Adam(ps, lr=lambda step: 0.1 / (1 + step)),
        lambda ps: AdamW(ps, lr=0.1, clip_norm=0.5),
    ],
)
def test_a_training_that_is_saved_and_resumed_goes_on_bit_for_bit(make):
    def train(parameters, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (parameters[0] * 3.0 - parameters[1] - 1.0) ** 2 + (parameters[1] ** 2 - 0.3) ** 2
            loss.backward()
            optimizer.step()

    straight = [Value(0.5), Value(-0.7)]
    train(straight, make(straight), 20)
    first = [Value(0.5), Value(-0.7)]
    optimizer = make(first)
    train(first, optimizer, 7)
    numbers, state = json.loads(json.dumps([[p.data for p in first], optimizer.state_dict()]))
    train(first, optimizer, 1)  # what was saved does not change with it
    second = [Value(x) for x in numbers]
    resumed = make(second)
    resumed.load_state_dict(state)
    train(second, resumed, 13)
    assert [p.data for p in second] == [p.data for p in straight]
    assert resumed.steps == 20


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"optimizer": "SGD"}, ValueError, "the state is of SGD, this is Adam"),
        ({"steps": -1}, ValueError, "steps: expected a whole number from 0 up, got -1"),
        ({"steps": True}, ValueError, "steps: expected a whole number"),
        ({"memories": []}, ValueError, "memories: expected 2, one a parameter, got 0"),
        ({"memories": [[1.0, 2.0], [1.0]]}, ValueError, r"memories\[1\]: expected a list of 2 numbers, got \[1.0\]"),
        ({"memories": [[1.0, 2.0], [1.0, float("nan")]]}, ValueError, "expected a number that is finite, got nan"),
        ({"more": 1}, TypeError, "expected what state_dict"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, error, message):
    parameters = [Value(0.5), Value(-0.7)]
    optimizer = Adam(parameters)
    (parameters[0] * parameters[1]).backward()
    optimizer.step()
    before = optimizer.state_dict()
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(before | change)
    assert optimizer.state_dict() == before
