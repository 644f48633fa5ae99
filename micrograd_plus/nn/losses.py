"""Losses: one number that says how far predictions are from what they should be.

Each takes a prediction and its target, or a list (or an array) of predictions, a batch, and as many targets, and is the
mean over all of them. `logits` are what a network says before it is squeezed into probabilities: sigmoid(logit) is one
between 0 and 1, softmax(logits) are several with the sum 1. Losses take logits because from these they stay exact
where a probability would be rounded to 0 or to 1.
"""

from __future__ import annotations

from math import inf, nan
from reprlib import repr as short
from typing import Any

from ..functions import where
from ..machinery.digits import logsumexp, mean
from ..rules import relu, softplus

__all__ = ["binary_cross_entropy", "cross_entropy", "hinge", "huber", "mae", "mse"]


def mse(predictions: Any, targets: Any) -> Any:
    """The mean squared error. ValueError if there is no prediction, or not one target for each.

    >>> mse([1.0, 4.0], [2.0, 2.0])
    2.5
    """
    errors = [p - t for p, t in _pairs("mse", predictions, targets)]
    return _mean([e * e for e in errors])


def mae(predictions: Any, targets: Any) -> Any:
    """The mean absolute error, which far outliers move less than `mse`; raises as it does.

    >>> mae([1.0, 4.0], [2.0, 2.0])
    1.5
    """
    return _mean([abs(p - t) for p, t in _pairs("mae", predictions, targets)])


def huber(predictions: Any, targets: Any, delta: float = 1.0) -> Any:
    """Half the squared error where it is at most `delta`, and beyond a straight line of the slope `delta`.

    ValueError as of `mse`, or if delta is not above 0. Huber, "Robust estimation of a location parameter", 1964.

    >>> huber([1.0, 4.0], [2.0, 2.0])
    1.0
    """
    if not delta > 0.0:
        raise ValueError(f"huber: delta must be above 0, got {delta!r}")
    errors = [abs(p - t) for p, t in _pairs("huber", predictions, targets)]
    return _mean([where(e <= delta, 0.5 * e * e, delta * (e - 0.5 * delta)) for e in errors])


def hinge(scores: Any, targets: Any) -> Any:
    """The mean of how much each score, times its target 1 or -1, falls short of 1: the loss of largest margins.

    ValueError as of `mse`, or if a target is neither 1 nor -1; of 0 and 1, 2 * t - 1 makes these. Cortes and Vapnik,
    "Support-vector networks", 1995.

    >>> hinge([0.25, 3.0], [1, -1])
    2.375
    """
    pairs = _pairs("hinge", scores, targets)
    for _, t in pairs:
        if not hasattr(t, "operate") and t not in (-1, 1):
            raise ValueError(f"hinge: a target must be 1 or -1, got {t!r}; of 0 and 1, 2 * t - 1 makes these")
    return _mean([where((t == 1) | (t == -1), relu(1.0 - t * score), nan) for score, t in pairs])


def binary_cross_entropy(logits: Any, targets: Any) -> Any:
    """The mean of -t log(p) - (1 - t) log(1 - p), where p is sigmoid(logit) and the target t is between 0 and 1.

    The sigmoid is in here: the network's output is to be linear. ValueError as of `mse`, or if a target is not between
    0 and 1.

    >>> binary_cross_entropy([0.0, 1e4], [1, 1])
    0.34657359027997264
    """
    pairs = _pairs("binary_cross_entropy", logits, targets)
    for _, t in pairs:
        if not hasattr(t, "operate") and not 0.0 <= t <= 1.0:
            raise ValueError(f"binary_cross_entropy: a target must be between 0 and 1, got {t!r}")
    return _mean([_negative_log_likelihood(z, t) for z, t in pairs])


def _negative_log_likelihood(z: Any, t: Any) -> Any:
    if not hasattr(t, "operate") and t in (0, 1):
        return softplus(-z if t else z)  # -log(sigmoid(z)) is softplus(-z)
    return where((t >= 0.0) & (t <= 1.0), t * softplus(-z) + (1.0 - t) * softplus(z), nan)


def cross_entropy(logits: Any, classes: Any) -> Any:
    """The mean of -log(p), where p is what softmax(logits) gives the class that is right, a number from 0.

    The softmax is in here: the network's output is to be linear. `logits` is a list with one number for each class, or
    a batch of such lists, with one class for each. ValueError if there are fewer than two logits, not one class for
    each list, or no such class.

    >>> cross_entropy([0.0, 0.0], 1)
    0.6931471805599453
    >>> cross_entropy([[1e4, 0.0], [0.0, 1e4]], [0, 0])
    5000.0
    """
    rows, right = _plain(logits), _plain(classes)
    if not isinstance(right, list) and not (isinstance(rows, list) and any(isinstance(_plain(x), list) for x in rows)):
        rows, right = [rows], [right]
    if not isinstance(rows, list) or not isinstance(right, list) or not rows or len(rows) != len(right):
        raise ValueError(
            f"cross_entropy: expected a class for each list of logits, got {short(right)} for {short(rows)}"
        )
    return _mean([_cross_entropy(_plain(row), k) for row, k in zip(rows, right, strict=True)])


def _cross_entropy(row: Any, k: Any) -> Any:
    """-log(softmax(row)[k]): how far the others are ahead of number k."""
    if not isinstance(row, list) or len(row) < 2:
        raise ValueError(f"cross_entropy: expected two logits or more, got {short(row)} (or binary_cross_entropy)")
    if hasattr(k, "operate"):  # not known yet, as a program is being made: of no class, the loss will be nan
        right = nan
        for i, x in enumerate(row):
            right = where(k == i, x, right)
        return softplus(logsumexp([where(k == i, -inf, x - right) for i, x in enumerate(row)]))
    if isinstance(k, bool) or not hasattr(k, "__index__") or not 0 <= k < len(row):
        raise ValueError(f"cross_entropy: a class is a whole number, 0 to {len(row) - 1} for these logits; got {k!r}")
    return softplus(logsumexp([x - row[k] for i, x in enumerate(row) if i != k]))


def _mean(losses: list[Any]) -> Any:
    return mean(losses) if len(losses) > 1 else losses[0]  # of one, the graph shows the loss itself


def _pairs(name: str, predictions: Any, targets: Any) -> list[tuple[Any, Any]]:
    """Each number of the predictions with its target."""
    ps, ts = _plain(predictions), _plain(targets)
    if not isinstance(ps, list) and not isinstance(ts, list):
        return [(ps, ts)]
    if not isinstance(ps, list) or not isinstance(ts, list) or not ps:
        raise ValueError(f"{name}: expected one target for each prediction, got {short(ts)} for {short(ps)}")
    if len(ps) != len(ts):
        raise ValueError(f"{name}: expected one target for each prediction, got {len(ts)} for {len(ps)}")
    return [pair for p, t in zip(ps, ts, strict=True) for pair in _pairs(name, p, t)]


def _plain(x: Any) -> Any:
    """Arrays, tuples and iterators as lists."""
    if hasattr(x, "tolist"):
        return x.tolist()
    return list(x) if isinstance(x, tuple) or hasattr(x, "__next__") else x


for _loss in (mse, mae, huber, hinge, binary_cross_entropy, cross_entropy):
    vars(_loss)["mean_of_pairs"] = True  # what `fit` asks before it compiles
