"""Correct programs in which much cancels, with planted faults: what a check of gradients must pass, and what not.

Each has f, its gradient by hand, a supply of arguments, and wrong gradients. `python tests/cancelling.py 10000` counts
the false alarms and the faults that are missed, over so many random checks of each program.
"""

import sys
from random import Random

import numpy as np

from micrograd_plus.testing import check_derivative


def normal(random, *shape):
    return np.array([random.gauss(0.0, 1.0) for _ in range(int(np.prod(shape)))]).reshape(shape)


def scaled(random, *shape):
    """Random numbers of a random size, around a random mean."""
    return normal(random, *shape) * 10.0 ** random.uniform(-3, 3) + random.choice((0.0, 1.0, 1e3)) * random.gauss(0, 1)


def shares(x):
    weights = np.exp(x - x.real.max())
    return weights / weights.sum()


def normed(x, eps=1e-5):
    x = x - x.mean(axis=0)
    return x / np.sqrt((x * x).mean(axis=0) + eps)


def normed_back(x, dout, eps=1e-5):
    """The backward pass of `normed`, as in every course."""
    centred = x - x.mean(axis=0)
    inverse = 1.0 / np.sqrt((centred**2).mean(axis=0) + eps)
    unit = centred * inverse
    return inverse * (dout - dout.mean(axis=0) - unit * (dout * unit).mean(axis=0))


C = normal(Random(1), 6)
CASES = {}  # name: f, df, arguments of a Random, the arguments whose true gradient is not just zero
W, R = normal(Random(2), 3, 2), normal(Random(3), 5, 2)


def case(name, arguments):
    def remember(pair):
        CASES[name] = (*pair(), arguments)
        return pair

    return remember


@case("centre", lambda random: (scaled(random, 6),))
def centre():
    return lambda x: (x - x.mean()).sum(), lambda x: np.zeros_like(x)


@case("centre at 0", lambda random: (np.zeros(6),))
def centre_at_0():
    return lambda x: (x - x.mean()).sum(), lambda x: np.zeros_like(x)


@case("weights that cancel", lambda random: (random.choice((0.0, 1.0)) * random.gauss(0.0, 1e3),))
def weights():
    return lambda x: 0.1 * x + 0.2 * x - 0.3 * x, lambda x: 0.0


@case("binomial", lambda random: (random.gauss(0.0, 10.0 ** random.uniform(-3, 4)),))
def binomial():
    return lambda x: (x + 1.0) ** 2 - x * x - 2.0 * x - 1.0, lambda x: 0.0


@case("layer norm", lambda random: (random.choice((0.0, 1.0, 1.0, 1.0)) * scaled(random, 6),))
def layer_norm():
    return lambda x: (C * normed(x)).sum(), lambda x: normed_back(x, C)


@case("layer norm, summed", lambda random: (random.choice((0.0, 1.0, 1.0, 1.0)) * scaled(random, 6),))
def layer_norm_summed():
    return lambda x: normed(x).sum(), lambda x: normed_back(x, np.ones(6))


@case("bias before batch norm", lambda random: (normal(random, 5, 3), random.choice((0.0, 1.0)) * scaled(random, 2)))
def batch_norm():
    def f(x, b):
        return (R * normed(x @ W + b)).sum()

    def df(x, b):
        dz = normed_back(x @ W + b, R)
        return dz @ W.T, dz.sum(axis=0)

    return f, df


@case("cross-entropy with a common shift", lambda random: (normal(random, 4), random.gauss(0.0, 10.0)))
def cross_entropy():
    def f(x, shift):
        z = x + shift
        return np.log(np.exp(z - z.real.max()).sum()) + z.real.max() - z[1]

    def df(x, shift):
        slope = shares(x + shift) - np.eye(4)[1]
        return slope, slope.sum()

    return f, df


@case("variance by E[x²] - E[x]²", lambda random: (scaled(random, 6),))
def variance():
    return lambda x: (x * x).mean() - x.mean() ** 2, lambda x: 2.0 * (x - x.mean()) / len(x)


@case("a determinant that is 0", lambda random: (normal(random, 3), normal(random, 3)))
def determinant():
    a = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 10.0]])

    def f(u, v):  # two rows that are one: 0 for all u, and v has no say
        return np.linalg.det(np.stack([u, u, v])) + (a[0] * v).sum()

    return f, lambda u, v: (np.zeros_like(u), a[0])


@case("a rotation keeps the norm", lambda random: (normal(random, 2), random.uniform(-4.0, 4.0)))
def rotation():
    def f(x, angle):
        c, s = np.cos(angle), np.sin(angle)
        y = np.stack([c * x[0] - s * x[1], s * x[0] + c * x[1]])
        return (y * y).sum()

    return f, lambda x, angle: (2.0 * x, 0.0)


@case("sin² + cos²", lambda random: (random.uniform(-100.0, 100.0), random.gauss(0.0, 3.0)))
def circle():
    return lambda x, y: np.sin(x) ** 2 + np.cos(x) ** 2 + y * y, lambda x, y: (0.0, 2.0 * y)


@case("log of exp", lambda random: (scaled(random, 4) % 300.0,))
def log_of_exp():
    return lambda x: (np.log(np.exp(x)) - x).sum() + (x * x).sum(), lambda x: 2.0 * x


@case("an offset that is taken away", lambda random: (normal(random, 4), 10.0 ** random.uniform(0.0, 9.0)))
def offset():
    return lambda x, shift: (np.sin(x) + shift - shift).sum(), lambda x, shift: (np.cos(x), 0.0)


def wrong(name, gradient, random):
    """The gradient with faults, by name: those that make a difference."""
    parts = gradient if isinstance(gradient, tuple) else (gradient,)
    parts = [np.asarray(part, dtype=float) for part in parts]
    size = max(float(np.abs(part).max()) for part in parts)

    def every(change):
        changed = [change(part) for part in parts]
        changed = [float(part) if part.shape == () else part for part in changed]
        return tuple(changed) if isinstance(gradient, tuple) else changed[0]

    def forgotten(part):  # a term that is left out, of one number alone
        part = part.copy()
        part.flat[0] += 0.1 * size if size > 1e-3 else 1.0
        return part

    faults = {"a forgotten term": lambda: every(forgotten)}
    if size > 1e-3:
        faults |= {
            "sign": lambda: every(lambda part: -part),
            "1.001": lambda: every(lambda part: 1.001 * part),
            "/m": lambda: every(lambda part: part / 6.0),
            "reversed": lambda: every(lambda part: part[::-1] if part.shape else 2.0 * part),
        }
    return {fault: make() for fault, make in faults.items()}


def trial(name, seed, faults=True):
    """False alarms and missed faults of one random check."""
    f, df, arguments = CASES[name]
    args = arguments(Random(repr((name, seed))))
    alarms, missed = [], []
    try:
        check_derivative(f, df, args, seed=seed)
    except (AssertionError, TypeError) as error:
        alarms.append(f"{name}, seed {seed}: {error}")
    if faults:
        for fault, gradient in wrong(name, df(*args), Random(seed)).items():
            try:
                check_derivative(f, lambda *args, gradient=gradient: gradient, args, seed=seed)
            except AssertionError:
                continue
            if str(gradient) != str(df(*args)):
                missed.append(f"{name}, seed {seed}: {fault}")
    return alarms, missed


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for name in CASES if len(sys.argv) < 3 else sys.argv[2:]:
        alarms, missed, planted = [], [], 0
        for seed in range(count):
            found, lost = trial(name, seed, faults=seed % 20 == 0)
            alarms += found
            missed += lost
            planted += 5 * (seed % 20 == 0)
        print(f"{name:36} {count} checks, {len(alarms)} false alarms; of some {planted} faults {len(missed)} missed")
        for text in [*alarms[:2], *missed[:3]]:
            print("   ", text.replace("\n", "\n    "))


if __name__ == "__main__":
    main()
