"""Losses: values and gradients at 50 digits, also far out and at ties, and what is refused."""

import math
import random
import re

import mpmath
import numpy as np
import pytest

import micrograd_plus as mg
from micrograd_plus import Value, grad, hessian, value_and_grad
from micrograd_plus.nn import MLP, binary_cross_entropy, cross_entropy, hinge, huber, mae, mse
from micrograd_plus.tape import tape
from micrograd_plus.testing import check_grads

mp = mpmath.mp.clone()
mp.dps = 50
EPS = 2.0**-53
generator = random.Random(6)


def near(number, exact, units, scale=None):
    """Whether the number is within so many units of rounding of the exact one, as shares of it or of `scale`."""
    return abs(number - exact) <= units * EPS * abs(exact if scale is None else scale) + mp.mpf("1e-320")


# At 50 digits ---------------------------------------------------------------------------------------------------------

# For a prediction and its target: the loss; its slope; and the sum of the sizes of the terms of which the slope is one.


def exact_mse(p, t):
    return (p - t) ** 2, 2 * (p - t), 2 * abs(p - t)


def exact_mae(p, t):
    return abs(p - t), mp.sign(p - t), 1


def exact_huber(delta):
    """As torch.nn.HuberLoss has it, docs.pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html."""

    def exact(p, t):
        e, d = p - t, mp.mpf(delta)
        if abs(e) < d:
            return e * e / 2, e, abs(e)
        return d * (abs(e) - d / 2), d * mp.sign(e), d

    return exact


def exact_hinge(s, t):
    return max(mp.zero, 1 - t * s), (-t if t * s < 1 else mp.zero), 1


def exact_binary_cross_entropy(z, t):
    less, more = mp.log1p(mp.exp(-z)), mp.log1p(mp.exp(z))  # -log(p), -log(1 - p)
    p, q = 1 / (1 + mp.exp(-z)), 1 / (1 + mp.exp(z))
    return t * less + (1 - t) * more, (1 - t) * p - t * q, (1 - t) * p + t * q


FAR = [0.0, -0.0, 1.0, -1.0, 40.0, -40.0, 700.0, -745.0, 1e4, -1e4, 1e-9, -1e-300, 0.1, math.nextafter(1.0, 2.0)]
REALS = FAR + [generator.gauss(0.0, 3.0) for _ in range(20)] + [generator.gauss(0.0, 100.0) for _ in range(10)]
SHARES = [0, 1, 0.0, 1.0, 0.5, 0.1, 1e-9, 1.0 - EPS, *[generator.random() for _ in range(5)]]
NUMBER_LOSSES = {
    "mse": (mse, exact_mse, REALS),
    "mae": (mae, exact_mae, REALS),
    "huber": (huber, exact_huber(1.0), REALS),
    "huber 0.3": (lambda p, t: huber(p, t, delta=0.3), exact_huber(0.3), REALS),
    "huber 1e3": (lambda p, t: huber(p, t, 1e3), exact_huber(1e3), REALS),
    "hinge": (hinge, exact_hinge, [1, -1, 1.0, -1.0]),
    "binary_cross_entropy": (binary_cross_entropy, exact_binary_cross_entropy, SHARES),
}


@pytest.mark.parametrize("name", NUMBER_LOSSES)
def test_of_one_number_value_and_slope_are_exact_to_a_few_units_in_the_last_place(name):
    loss, exact, targets = NUMBER_LOSSES[name]
    for p in REALS:
        for t in targets:
            v = Value(p)
            y = loss(v, t)
            y.backward()
            value, slope, scale = exact(mp.mpf(p), mp.mpf(t))
            assert near(y.data, value, 12), (p, t, y.data, value)
            assert near(v.grad, slope, 12, scale), (p, t, v.grad, slope)
            assert loss(p, t) == y.data
            assert grad(loss)(p, t) == v.grad


@pytest.mark.parametrize("name", NUMBER_LOSSES)
def test_of_a_batch_it_is_the_mean(name):
    loss, exact, targets = NUMBER_LOSSES[name]
    generator = random.Random(name)
    for n in (1, 2, 5, 7):
        ps, ts = generator.choices(REALS, k=n), generator.choices(targets, k=n)
        value, slopes = value_and_grad(loss)(ps, ts)
        expected = [exact(mp.mpf(p), mp.mpf(t)) for p, t in zip(ps, ts, strict=True)]
        assert near(value, mp.fsum(e[0] for e in expected) / n, 16)
        assert all(near(slope, e[1] / n, 16, e[2] / n) for slope, e in zip(slopes, expected, strict=True))
        assert loss(ps, ts) == loss(tuple(ps), np.array(ts)) == loss(np.array(ps), tuple(ts)) == value
        if n == 2:
            assert loss([[ps[0]], [ps[1]]], [[ts[0]], [ts[1]]]) == value  # one output each
            assert loss(np.array([ps, ps]), np.array([ts, ts])) == pytest.approx(value, rel=1e-15)


ROWS = [
    [0.0, 0.0],
    [1e4, -1e4],
    [1e4, 0.0, -1e4],
    [1e4, 1e4, 0.0],
    [-1e4, -1e4, -1e4 + 1.0],
    [40.0, 0.0, -40.0],
    [700.5, 0.25],
    [1e300, -1e300],
    [0.1, 0.2, 0.3, 0.4],
    *[[generator.gauss(0.0, 3.0) for _ in range(n)] for n in (2, 3, 5)],
    *[[generator.gauss(0.0, 100.0) for _ in range(n)] for n in (2, 3, 5)],
]


def exact_cross_entropy(row, k):
    row = [mp.mpf(x) for x in row]
    distances = [x - row[k] for i, x in enumerate(row) if i != k]
    top = max(0, *distances)
    value = top + mp.log(mp.fsum([mp.exp(-top), *[mp.exp(d - top) for d in distances]]))
    if top == 0:
        value = mp.log1p(mp.fsum(map(mp.exp, distances)))
    top = max(row)
    total = mp.fsum(mp.exp(x - top) for x in row)
    slopes = [mp.exp(x - top) / total for x in row]
    slopes[k] = -mp.fsum(p for i, p in enumerate(slopes) if i != k)  # p - 1, of which nothing is left to subtract
    return value, slopes


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(f"{x:.5g}" for x in row))
def test_cross_entropy_is_exact_up_to_the_rounding_of_the_distances_between_the_logits(row):
    """The logits' distances d are rounded by up to d · EPS, and that is what it adds to the logarithm of a slope."""
    for k in range(len(row)):
        logits = [Value(x) for x in row]
        y = cross_entropy(logits, k)
        y.backward()
        value, slopes = exact_cross_entropy(row, k)
        units = 16.0 + 3.0 * min(max(row) - min(row), 750.0)
        assert near(y.data, value, units), (k, y.data, value)
        for v, slope in zip(logits, slopes, strict=True):
            assert near(v.grad, slope, units), (k, v.grad, slope)
        assert cross_entropy(row, k) == y.data
        assert cross_entropy(np.array(row), np.int64(k)) == y.data


def test_cross_entropy_of_a_batch_is_the_mean():
    rows, classes = [[0.5, -1.0, 2.0], [3.0, 0.25, -0.5], [-40.0, 1e4, 0.0], [1.0, 1.0, 1.0]], [1, 0, 2, 2]
    value, slopes = value_and_grad(cross_entropy)(rows, classes)
    expected = [exact_cross_entropy(row, k) for row, k in zip(rows, classes, strict=True)]
    assert near(value, mp.fsum(e[0] for e in expected) / 4, 20)
    for row, (_, exact) in zip(slopes, expected, strict=True):
        assert row == pytest.approx([float(slope / 4) for slope in exact], rel=1e-14, abs=1e-300)
    assert cross_entropy(np.array(rows), np.array(classes)) == cross_entropy(tuple(map(tuple, rows)), (1, 0, 2, 2))
    assert cross_entropy(rows, classes) == value
    assert cross_entropy(rows[:1], [1]) == cross_entropy(rows[0], 1)


# Kinks and ties -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "p", "t", "value", "slope"),
    [
        (mae, 2.0, 2.0, 0.0, 0.0),  # abs: 0 at 0
        (huber, 2.0, 2.0, 0.0, 0.0),
        (huber, 3.0, 2.0, 0.5, 1.0),  # where the parabola meets the line, both say the same
        (huber, 1.0, 2.0, 0.5, -1.0),
        (hinge, 1.0, 1, 0.0, 0.0),  # relu: 0 at 0
        (hinge, -1.0, -1, 0.0, 0.0),
        (binary_cross_entropy, 0.0, 1, math.log(2.0), -0.5),
        (binary_cross_entropy, 0.0, 0.5, math.log(2.0), 0.0),
    ],
)
def test_at_kinks_and_ties_the_slope_is_the_documented_one(loss, p, t, value, slope):
    assert value_and_grad(loss)(p, t) == (value, slope)


def test_cross_entropy_at_ties_and_at_infinity():
    assert grad(cross_entropy)([5.0, 5.0, 5.0, 5.0], 2) == pytest.approx([0.25, 0.25, -0.75, 0.25], rel=1e-15)
    assert grad(cross_entropy)([1e4, 1e4], 0) == [-0.5, 0.5]
    assert value_and_grad(cross_entropy)([math.inf, 0.0], 0) == (0.0, [0.0, 0.0])
    assert cross_entropy([-math.inf, 0.0], 0) == math.inf


def test_infinite_logits_have_the_limits():
    assert binary_cross_entropy(math.inf, 1) == binary_cross_entropy(-math.inf, 0) == 0.0
    assert binary_cross_entropy(-math.inf, 1) == binary_cross_entropy(math.inf, 0.5) == math.inf
    assert value_and_grad(huber)(math.inf, 0.0) == (math.inf, 1.0)
    assert value_and_grad(hinge)(-math.inf, 1) == (math.inf, -1.0)
    assert huber(1e200, 0.0) == 1e200  # the square that is not taken would be infinite


@pytest.mark.parametrize("loss", [mse, mae, huber, hinge, binary_cross_entropy])
def test_a_prediction_that_is_nan_makes_the_loss_nan_and_never_zero(loss):
    assert math.isnan(loss(math.nan, 1))
    assert math.isnan(loss([0.5, math.nan, 0.5], [1, 1, 1]))
    assert math.isnan(cross_entropy([0.0, math.nan], 0))
    assert math.isnan(cross_entropy([0.0, math.nan], 1))


# As functions among others --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (mse, [1.0, -1.0]),
        (mae, [1.0, -1.0]),
        (huber, [1.0, -4.0]),
        (hinge, [1, -1]),
        (binary_cross_entropy, [1, 0]),
        (binary_cross_entropy, [0.25, 0.75]),
        (cross_entropy, 1),
    ],
)
def test_second_derivatives_in_both_modes(loss, target):
    check_grads(lambda p: loss(p, target), ([0.3, 0.6],), order=2)


def test_the_curvature_of_a_huber_loss_ends_at_delta():
    assert [hessian(lambda p: huber(p, 0.0, 2.0))(x) for x in (1.0, -1.9, 2.0, 2.1, -5.0)] == [1.0, 1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("loss", [mse, mae, huber, binary_cross_entropy])
def test_targets_may_be_values_and_get_their_gradients(loss):
    p, t = Value(0.75), Value(0.25)
    loss([p], [t]).backward()
    check_grads(loss, (0.75, 0.25), order=1)
    assert [p.grad, t.grad] == pytest.approx(list(grad(loss, (0, 1))(0.75, 0.25)), rel=1e-15)
    assert t.grad != 0.0


@pytest.mark.parametrize("t", [0.0, 1.0])
def test_a_target_at_an_end_may_be_a_value(t):
    assert binary_cross_entropy([0.75], [Value(t)]).data == binary_cross_entropy([0.75], [t])
    assert grad(binary_cross_entropy, 1)(0.75, t) == pytest.approx(-0.75, rel=1e-15)  # softplus(-z) - softplus(z)


def test_outputs_of_networks_are_predictions_as_they_come():
    X, model = [[0.5, -1.0], [1.0, 2.0], [-0.5, 0.25]], MLP(2, [3, 1], "tanh", seed=1)
    predictions = [model(x) for x in X]
    expected = [(prediction.data - t) ** 2 for prediction, t in zip(predictions, [1, 0, 1], strict=True)]
    assert mse(predictions, [1, 0, 1]).data == pytest.approx(sum(expected) / 3, rel=1e-15)
    assert mse(np.array(predictions), np.array([1, 0, 1])) == mse(predictions, [1, 0, 1])
    classifier = MLP(2, [4, 3], seed=1)
    loss = cross_entropy([classifier(x) for x in X], [2, 0, 1])
    loss.backward()
    last = [neuron.bias.grad for neuron in classifier.layers[1].neurons]
    assert sum(last) == pytest.approx(0.0, abs=1e-15)  # probabilities less one for the right class
    assert max(map(abs, last)) > 0.01


def test_of_one_sample_the_graph_shows_nothing_but_the_loss():
    assert [node.rule.name for node in tape(mse(Value(3.0), 1.0))] == ["", "sub", "mul"]
    assert [node.rule.name for node in tape(mae([Value(3.0)], [1.0]))] == ["", "sub", "abs"]
    assert [node.rule.name for node in tape(binary_cross_entropy(Value(3.0), 0))] == ["", "softplus"]
    assert {node.rule.name for node in tape(mse([Value(3.0), Value(4.0)], [1.0, 2.0]))} >= {"sum", "truediv"}


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [mse, mae, huber, hinge, binary_cross_entropy])
@pytest.mark.parametrize(
    ("predictions", "targets"),
    [
        ([1.0, 2.0], [1]),
        ([1.0], [1, 1]),
        ([], []),
        ([1.0], []),
        (np.ones(0), np.ones(0)),
        (1.0, [1]),
        ([1.0], 1),
        ([1.0, 2.0], 1),
        ([[1.0, 1.0]], [1]),
        ([[1.0, 1.0]], [[1]]),
        ([[1.0], [1.0]], [1, 1]),
        ([[]], [[]]),
        (np.ones((3, 1)), np.ones(3)),
    ],
    ids=repr,
)
def test_every_prediction_needs_a_target_and_there_must_be_one(loss, predictions, targets):
    """PyTorch broadcasts the shapes (n, 1) and (n,), and warns by now: github.com/pytorch/pytorch/pull/18349."""
    with pytest.raises(ValueError, match=f"{loss.__name__}: expected one target for each prediction"):
        loss(predictions, targets)


@pytest.mark.parametrize("t", [0, 2, -0.5, 1.0000001, math.nan, math.inf, None, "1"])
def test_a_target_of_hinge_is_1_or_minus_1(t):
    for predictions, targets in [(0.5, t), ([0.5, 0.5], [1, t])]:
        with pytest.raises(ValueError, match=f"hinge: a target must be 1 or -1, got {t!r}"):
            hinge(predictions, targets)


@pytest.mark.parametrize("t", [-1, 2, -1e-9, 1.0000001, math.nan, math.inf, -math.inf])
def test_a_target_of_binary_cross_entropy_is_between_0_and_1(t):
    for predictions, targets in [(0.5, t), ([0.5, 0.5], [1, t])]:
        with pytest.raises(ValueError, match=f"binary_cross_entropy: a target must be between 0 and 1, got {t!r}"):
            binary_cross_entropy(predictions, targets)


@pytest.mark.parametrize(
    ("logits", "classes"),
    [
        ([0.0, 1.0], 2),
        ([0.0, 1.0], -1),
        ([0.0, 1.0], 1.0),
        ([0.0, 1.0], math.nan),
        ([0.0, 1.0], True),
        ([0.0, 1.0], None),
        ([0.0, 1.0], "1"),
        ([0.0, 1.0], [0.0, 1.0]),  # probabilities
        ([[0.0, 1.0], [1.0, 0.0]], [0, 2]),
        ([[0.0, 1.0], [1.0]], [0, 1]),
        ([0.0, 1.0], [0, 1]),
        ([0.0], 0),
        ([], 0),
        (0.5, 0),
    ],
    ids=repr,
)
def test_there_must_be_the_class_that_is_right(logits, classes):
    with pytest.raises(ValueError, match="cross_entropy: "):
        cross_entropy(logits, classes)


def test_the_classes_that_there_are_are_named():
    with pytest.raises(ValueError, match="a class is a whole number, 0 to 2 for these logits; got 3"):
        cross_entropy([0.0, 1.0, 2.0], 3)


@pytest.mark.parametrize(
    ("logits", "classes"),
    [
        ([[0.0, 1.0], [1.0, 0.0]], [0]),
        ([[0.0, 1.0]], [0, 1]),
        ([], []),
        (0.5, [0]),
        (np.ones((3, 2)), np.ones(2, dtype=int)),
    ],
    ids=repr,
)
def test_every_list_of_logits_needs_a_class(logits, classes):
    with pytest.raises(ValueError, match="cross_entropy: expected a class for each list of logits"):
        cross_entropy(logits, classes)


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan])
def test_delta_is_above_0(delta):
    with pytest.raises(ValueError, match=re.escape(f"huber: delta must be above 0, got {delta!r}")):
        huber(1.0, 2.0, delta=delta)


@pytest.mark.parametrize("loss", [mse, mae, huber, hinge, binary_cross_entropy])
@pytest.mark.parametrize("prediction", ["0.5", None])
def test_a_prediction_that_is_no_number_is_an_error(loss, prediction):
    with pytest.raises(TypeError):
        loss(prediction, 1)


def test_a_large_batch_of_the_wrong_length_is_not_repeated_in_the_message():
    for loss in (mse, cross_entropy):
        with pytest.raises(ValueError, match=r"expected (one|a)") as caught:
            loss([Value(1.0)] * 2000, [1] * 1999)
        assert len(str(caught.value)) < 500


def test_a_mean_of_many_is_rounded_once():
    assert mae([0.1] * 10, [0.0] * 10) == mg.mean([0.1] * 10) == 0.1


@pytest.mark.parametrize("loss", [mse, mae, huber, binary_cross_entropy])
def test_predictions_and_targets_may_come_from_iterators(loss):
    predictions, targets = [0.25, -2.0, 3.0], [1.0, 0.0, 1.0]
    assert loss(iter(predictions), map(float, targets)) == loss(predictions, targets)
