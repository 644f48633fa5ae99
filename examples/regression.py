"""Nonlinear regression: 27 problems with certified answers, by SciPy's solvers and our Jacobians.

The sets are those of NIST's Statistical Reference Datasets (nonlinear regression, www.itl.nist.gov/div898/strd); their
numbers stand in nist.json. Each model is a formula in one sample; vmap makes of it and of its gradient functions of all
samples, arrays in and arrays out, which is what scipy.optimize takes. Of two solvers the smaller sum of squares wins;
then Newton's method, by the exact Hessian, finds the last digits. What is printed are the digits of the worst parameter
that agree with the certified ones, of which there are 11.

    python examples/regression.py
"""

import json
import warnings
from math import log10, pi
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

import micrograd_plus as mg


def peaks(b, x):
    first, second = -(((x - b[3]) / b[4]) ** 2), -(((x - b[6]) / b[7]) ** 2)
    return b[0] * mg.exp(-b[1] * x) + b[2] * mg.exp(first) + b[5] * mg.exp(second)


def decays(b, x):
    return b[0] * mg.exp(-b[1] * x) + b[2] * mg.exp(-b[3] * x) + b[4] * mg.exp(-b[5] * x)


def cubics(b, x):
    return (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) / (1 + x * (b[4] + x * (b[5] + x * b[6])))


def seasons(b, x):
    waves = [(12, b[1], b[2]), (b[3], b[4], b[5]), (b[6], b[7], b[8])]
    return b[0] + sum(a * mg.cos(2 * pi * x / t) + c * mg.sin(2 * pi * x / t) for t, a, c in waves)


MODELS = {
    "Misra1a": lambda b, x: -b[0] * mg.expm1(-b[1] * x),
    "Chwirut2": lambda b, x: mg.exp(-b[0] * x) / (b[1] + b[2] * x),
    "Chwirut1": lambda b, x: mg.exp(-b[0] * x) / (b[1] + b[2] * x),
    "Lanczos3": decays,
    "Gauss1": peaks,
    "Gauss2": peaks,
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2),
    "Kirby2": lambda b, x: (b[0] + x * (b[1] + x * b[2])) / (1 + x * (b[3] + x * b[4])),
    "Hahn1": cubics,
    "Nelson": lambda b, x: b[0] - b[1] * x[0] * mg.exp(-b[2] * x[1]),  # of log y
    "MGH17": lambda b, x: b[0] + b[1] * mg.exp(-x * b[3]) + b[2] * mg.exp(-x * b[4]),
    "Lanczos1": decays,
    "Lanczos2": decays,
    "Gauss3": peaks,
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x / (1 + b[1] * x),
    "Roszman1": lambda b, x: b[0] - b[1] * x - mg.atan(b[2] / (x - b[3])) / pi,
    "ENSO": seasons,
    "MGH09": lambda b, x: b[0] * x * (x + b[1]) / (x * (x + b[2]) + b[3]),
    "Thurber": cubics,
    "BoxBOD": lambda b, x: -b[0] * mg.expm1(-b[1] * x),
    "Rat42": lambda b, x: b[0] / (1 + mg.exp(b[1] - b[2] * x)),
    "MGH10": lambda b, x: b[0] * mg.exp(b[1] / (x + b[2])),
    "Eckerle4": lambda b, x: b[0] / b[1] * mg.exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Rat43": lambda b, x: b[0] / (1 + mg.exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1 / b[2]),
}
SETS = json.loads((Path(__file__).parent / "nist.json").read_text(encoding="utf-8"))


def fitted(name, start):
    """The parameters with the smallest sum of squares that was found from there, and the name of the solver."""
    model, y = MODELS[name], np.array(SETS[name]["y"])
    x = np.array(SETS[name]["x"])
    y = np.log(y) if name == "Nelson" else y
    values = mg.vmap(model, in_axes=(None, 0))
    slopes = mg.vmap(mg.grad(model), in_axes=(None, 0))
    found = []
    for method in ("lm", "trf"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of numbers too large, on the way
                result = least_squares(
                    lambda b: values(list(b), x) - y,
                    start,
                    lambda b: np.stack(np.broadcast_arrays(*slopes(list(b), x)), axis=1),
                    method=method,
                    x_scale="jac",
                    xtol=1e-15,
                    ftol=1e-15,
                    gtol=1e-15,
                    max_nfev=5000,
                )
        except ValueError:  # a step went to where the model has no finite number
            continue
        found.append((result.cost, method, result.x))
    if not found:
        return np.full(len(start), np.inf), "none"
    _, method, parameters = min(found, key=lambda one: one[0])
    return newton(model, x, y, parameters), method


def newton(model, x, y, b):
    """A few steps of Newton's method, by the exact second derivatives, while the gradient of the sum shrinks."""
    values, slopes, curvatures = [mg.vmap(f, in_axes=(None, 0)) for f in (model, mg.grad(model), mg.hessian(model))]

    def system(b):
        b = list(b)
        rest, n = values(b, x) - y, len(y)
        jacobian = np.stack([np.broadcast_to(slope, n) for slope in slopes(b, x)], axis=1)
        second = np.array([[rest @ np.broadcast_to(c, n) for c in row] for row in curvatures(b, x)])
        scale = 1.0 / np.linalg.norm(jacobian, axis=0)  # parameters of any size: columns of length 1
        return scale, scale * (jacobian.T @ rest), np.outer(scale, scale) * (jacobian.T @ jacobian + second)

    scale, gradient, matrix = system(b)
    for _ in range(10):
        nearer = b - scale * np.linalg.solve(matrix, gradient)
        scale, smaller, matrix = system(nearer)
        if not np.linalg.norm(smaller) < np.linalg.norm(gradient):
            break
        b, gradient = nearer, smaller
    return b


def digits(parameters, certified):
    """How many digits of the worst parameter are right, at most 11: so many are certified."""
    worst = max(abs(p - c) / abs(c) for p, c in zip(parameters, certified, strict=True))
    return 11.0 if worst < 1e-11 else max(0.0, -log10(worst))


def main():
    """Fit all, and say how well; return the digits by set and start."""
    table = {}
    print(f"{'set':10} {'difficulty':10} {'parameters':>10}   digits from start 1    from start 2")
    for name, numbers in SETS.items():
        row = []
        for start in numbers["starts"]:
            parameters, method = fitted(name, start)
            row.append((digits(parameters, numbers["certified"]), method))
        table[name] = row
        cells = "".join([f"{count:13.1f} ({method})" for count, method in row])
        print(f"{name:10} {numbers['level']:10} {len(numbers['certified']):10}   {cells}", flush=True)
    failed = [
        f"{name} from start {i}" for name, row in table.items() for i, (count, _) in enumerate(row, 1) if count < 6
    ]
    print("fewer than 6 digits:", ", ".join(failed) or "none")
    return table


if __name__ == "__main__":
    main()
