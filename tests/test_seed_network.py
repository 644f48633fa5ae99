"""A network of two layers written in NumPy, with its backward pass by hand, and the same network built of Values.

The backward pass by hand begins with a2 - y, "the error of the output". The mean squared error, which is what such
programs often print beside it, has another gradient, 2 (a2 - y) a2 (1 - a2); a2 - y is that of the binary cross-entropy
of the sigmoid a2: Bishop, "Pattern recognition and machine learning", 2006, equation 4.91.
"""

import numpy as np
import pytest

from micrograd_plus import sigmoid
from micrograd_plus.nn import MLP, SGD, binary_cross_entropy, fit, mse

POINTS, HIDDEN, RATE = 100, 4, 0.1


def logistic(z):
    return 1.0 / (1.0 + np.exp(-z))


def start():
    """The data, a row for each point, and the parameters at first."""
    generator = np.random.default_rng(42)
    x = generator.normal(size=(POINTS, 2))
    y = (x[:, :1] + x[:, 1:] > 0.0).astype(float)
    w1, w2 = generator.normal(size=(2, HIDDEN)) * 0.01, generator.normal(size=(HIDDEN, 1)) * 0.01
    return x, y, (w1, np.zeros((1, HIDDEN)), w2, np.zeros((1, 1)))


def by_hand(epochs, *, squared=False):
    """The parameters after descent in NumPy, and the mean squared error before each step.

    The gradient is that of the cross-entropy, or with `squared` that of the mean squared error.
    """
    x, y, (w1, b1, w2, b2) = start()
    errors = []
    for _ in range(epochs):
        a1 = logistic(x @ w1 + b1)
        a2 = logistic(a1 @ w2 + b2)
        errors.append(np.mean((a2 - y) ** 2))
        dz2 = (a2 - y) / POINTS
        if squared:
            dz2 = 2.0 * dz2 * a2 * (1.0 - a2)
        dz1 = dz2 @ w2.T * a1 * (1.0 - a1)
        w1, b1 = w1 - RATE * x.T @ dz1, b1 - RATE * dz1.sum(axis=0, keepdims=True)
        w2, b2 = w2 - RATE * a1.T @ dz2, b2 - RATE * dz2.sum(axis=0, keepdims=True)
    return numbers(w1, b1, w2, b2), errors


def numbers(w1, b1, w2, b2):
    """The parameters in the order of those of an MLP: neuron by neuron, the weights and then the bias."""
    return np.concatenate([np.vstack([w1, b1]).T.ravel(), np.vstack([w2, b2]).T.ravel()])


def of_values(epochs, loss):
    """The same parameters after the same descent, of the given loss of logits, built of Values."""
    x, y, parameters = start()
    model = MLP(2, [HIDDEN, 1], "sigmoid", "linear")
    names = [name for name, _ in model.named_parameters()]
    model.load_state_dict(dict(zip(names, numbers(*parameters).tolist(), strict=True)))
    data = list(zip(x.tolist(), y.ravel().tolist(), strict=True))
    history = fit(model, data, loss, SGD(model.parameters(), lr=RATE), epochs, progress=False)
    return np.array([p.data for p in model.parameters()]), history


def squared_error(logits, targets):
    return mse([sigmoid(z) for z in logits], targets)


def test_weights_of_values_by_cross_entropy_are_those_of_the_backward_pass_by_hand(request):
    epochs = 1000 if request.config.getoption("--whole") else 60
    weights, errors = by_hand(epochs)
    ours, history = of_values(epochs, binary_cross_entropy)
    print(f"\n{epochs} epochs: largest difference of a weight {np.max(np.abs(ours - weights)):.1e}")
    assert ours == pytest.approx(weights, rel=0.0, abs=1e-9)
    assert len(history) == len(errors) == epochs
    assert history[-1] < history[0] == pytest.approx(np.log(2.0), abs=1e-2)  # it is not the error that is printed


def test_by_the_squared_error_the_weights_soon_are_others():
    weights, _ = by_hand(5)
    ours, history = of_values(5, squared_error)
    assert np.max(np.abs(ours - weights)) > 1e-3
    right, errors = by_hand(5, squared=True)
    assert ours == pytest.approx(right, rel=0.0, abs=1e-12)
    assert history == pytest.approx(errors, rel=1e-12)
