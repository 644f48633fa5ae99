"""Random programs by the million: forward mode against reverse mode, and against whatever else there is.

    .venv/bin/python tests/fuzz.py --programs 1000000
    .venv/bin/python tests/fuzz.py --programs 10000 --against python torch jax mpmath --order 2

A program is a list of operations on its inputs and on earlier results, drawn by a plain generator, thousands a second.
Hypothesis, which draws some eighty, comes in when one fails, to shrink it. `AGAINST` holds what programs are compared
with; another backend is another function there. The same --seed draws the same programs.
"""

import argparse
import math
import random
import sys
import time
import traceback

from mpmath import mp
from tqdm import tqdm

import micrograd_plus as mg
from micrograd_plus.rules import RULES
from micrograd_plus.testing.strategies import Expression, _operation, _result

MOST = 12  # operations of a program
OVER_TWO = [name for name, rule in RULES.items() if "{y}" in rule.template and not rule.sequences]
OVER_ONE = [name for name, rule in RULES.items() if "{y}" not in rule.template and not rule.sequences]
OVER_SEQUENCES = [name for name, rule in RULES.items() if rule.sequences]
CHOICES = [*OVER_ONE, *2 * OVER_TWO, *OVER_SEQUENCES]


def program(rng):
    """A random program and a point at which it has a value, away from kinks."""
    count = rng.randint(1, 3)
    point = [rng.uniform(-3.0, 3.0) for _ in range(count)]
    nodes, lines = list(point), []
    for _ in range(rng.randint(1, MOST)):
        name = rng.choice(CHOICES)
        n = 1 if name in OVER_ONE else 2 if name in OVER_TWO else 2 * rng.randint(1, 2)
        # Newer results more often than old ones, so that most of the program matters; a constant now and then.
        places = [max(0, len(nodes) - 1 - int(rng.expovariate(0.5))) for _ in range(n)]
        operands = [place if rng.random() < 0.9 else rng.choice((2.0, -1.0, 0.5, 3.0)) for place in places]
        if not any(type(x) is int for x in operands):
            continue
        value = _result(name, [nodes[x] if type(x) is int else x for x in operands], True)
        if value is not None:
            nodes.append(value)
            lines.append((name, tuple(operands)))
    return Expression(tuple("xyz"[:count]), tuple(lines), tuple(point))


def run(f, numbers):
    """As f(*numbers) for floats and Values, without looking for their kind."""
    nodes = list(numbers)
    for name, operands in f.lines:
        operation = _operation(RULES[name], len(operands), None)
        nodes.append(operation(*[nodes[x] if type(x) is int else x for x in operands]))
    return nodes[-1]


class Differs(Exception):
    pass


def near(what, found, right, share, scale):
    if not abs(found - right) <= share * (abs(right) + scale):
        raise Differs(f"{what}: {found!r}, and not {right!r}")


def gradient(f):
    """Value, gradient and tangent by one run, and the scale of the terms: what was added up, without signs."""
    direction = (1.0, -0.5, 0.25)
    inputs = [mg.Value(x, tangent=v) for x, v in zip(f.point, direction, strict=False)]
    result = run(f, inputs)
    if not isinstance(result, mg.Value):
        return float(result), [0.0] * len(inputs), 0.0, 0.0
    result.backward()
    slopes = [x.grad for x in inputs]
    return result.data, slopes, result.tangent, sum(abs(s * v) for s, v in zip(slopes, direction, strict=False))


def modes(f, order):
    """Forward = reverse: the sum of gradient times tangent over the inputs is the tangent of the result."""
    value, slopes, tangent, scale = gradient(f)
    near("value", value, run(f, f.point), 1e-12, 1e-300)
    total = math.fsum(s * v for s, v in zip(slopes, (1.0, -0.5, 0.25), strict=False))
    # Terms may cancel on the way, in other places than in the sum: of what is large inside, 1e-9 are tolerated.
    near("tangent", tangent, total, 1e-9, max(scale, 1e-3 * largest(f)))
    if order > 1:
        second(f)


def largest(f):
    return max(map(abs, f.nodes(*f.point)))


def second(f):
    """The second derivatives in all mixes of the modes, along a line."""

    def along(t):
        return run(f, [x + v * t for x, v in zip(f.point, (1.0, -0.5, 0.25), strict=False)])

    d, g = mg.derivative, mg.grad
    results = [one(two(along))(0.0) for one in (d, g) for two in (d, g)]
    for result in results[1:]:
        near("second derivative", result, results[0], 1e-6, 1e-2 * max(1.0, largest(f)))


def compiled(backend):
    def check(f, order):
        fast = mg.jit(mg.value_and_grad(lambda p: run(f, p)), backend)
        value, slopes = fast(list(f.point))
        right, gradients = mg.value_and_grad(lambda p: run(f, p))(list(f.point))
        near(f"value by {backend}", value, right, 1e-9, 1e-3 * largest(f))
        for found, slope in zip(slopes, gradients, strict=True):
            near(f"gradient by {backend}", found, slope, 1e-9, max(1e-3 * largest(f), max(map(abs, gradients))))

    return check


def exactly(f, order):
    """Beside mpmath at 50 digits: value, and the slope along a line by differences there."""
    value, slopes, _, _ = gradient(f)
    with mp.workdps(50):
        near("value", value, float(f(*map(mp.mpf, f.point))), 1e-9, 1e-3 * largest(f))
        for i, slope in enumerate(slopes):
            right = mp.diff(lambda x: f(*[x if j == i else mp.mpf(y) for j, y in enumerate(f.point)]), f.point[i])  # noqa: B023
            near("gradient", slope, float(right), 1e-8, 1e-3 * max(largest(f), max(map(abs, slopes))))


def by_torch(f, order):
    """Beside PyTorch's own rules, of the operations that it has as well."""
    import torch

    own = {name: getattr(torch, name, None) or getattr(torch.special, name, None) for name in OVER_ONE}
    own |= {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "truediv": torch.true_divide, "hypot": torch.hypot}
    own |= {"atan2": torch.atan2, "maximum": torch.maximum, "minimum": torch.minimum, "neg": torch.neg}
    if any(own.get(name) is None or not _tensors(operands) for name, operands in f.lines):
        return
    inputs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in f.point]
    nodes = list(inputs)
    for name, operands in f.lines:
        nodes.append(own[name](*[nodes[x] if type(x) is int else torch.tensor(x).double() for x in operands]))
    if nodes[-1].requires_grad:
        nodes[-1].backward()
    value, slopes, _, _ = gradient(f)
    near("value by PyTorch", value, nodes[-1].item(), 1e-9, 1e-3 * largest(f))
    for slope, x in zip(slopes, inputs, strict=True):
        right = 0.0 if x.grad is None else x.grad.item()
        near("gradient by PyTorch", slope, right, 1e-9, 1e-3 * max(largest(f), max(map(abs, slopes))))


def _tensors(operands):
    return len(operands) <= 2


AGAINST = {
    "modes": modes,
    "python": compiled("python"),
    "numba": compiled("numba"),
    "llvm": compiled("llvm"),
    "jax": compiled("jax"),
    "mpmath": exactly,
    "torch": by_torch,
}


def shrunk(f, check, order):
    """The smallest program of the same operations that fails as well, if hypothesis finds one."""
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample

    from micrograd_plus.testing.strategies import expressions

    def fails(g):
        try:
            check(g, order)
        except Differs:
            return True
        return False

    quiet = settings(max_examples=2000, database=None, deadline=None, suppress_health_check=list(HealthCheck),
                     phases=[Phase.generate, Phase.shrink])  # fmt: skip
    try:
        return find(expressions(sorted({name for name, _ in f.lines}), f.variables), fails, settings=quiet)
    except NoSuchExample:
        return f


def fuzz(count, seed, against, order, seconds):
    """How many programs were tried, and those that failed, with what was wrong."""
    rng, failures, start = random.Random(seed), [], time.monotonic()
    bar = tqdm(range(count), disable=not sys.stderr.isatty())
    for tried in bar:
        if seconds and time.monotonic() - start > seconds:
            return tried, failures
        f = program(rng)
        for name in against:
            try:
                AGAINST[name](f, order)
            except Differs as error:
                failures.append((f, name, str(error)))
            except Exception:
                failures.append((f, name, traceback.format_exc(limit=-2)))
        if len(failures) >= 20:
            return tried + 1, failures
    return count, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=100_000, help="how many (default: 100,000)")
    parser.add_argument("--seconds", type=float, default=0.0, help="stop after so many (default: when all are tried)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order", type=int, choices=(1, 2), default=1)
    parser.add_argument("--against", nargs="+", choices=sorted(AGAINST), default=["modes"])
    options = parser.parse_args()
    start = time.monotonic()
    tried, failures = fuzz(options.programs, options.seed, options.against, options.order, options.seconds)
    for f, name, text in failures[:5]:
        print(f"{name}: {f!r} at {f.point}\n    {text}")
        if "Traceback" not in text:
            small = shrunk(f, AGAINST[name], options.order)
            print(f"    smallest: {small!r} at {small.point}")
    rate = tried / (time.monotonic() - start)
    print(f"{tried:,} programs with seed {options.seed} against {', '.join(options.against)}, order {options.order}: "
          f"{len(failures)} failed; {rate:,.0f} a second")  # fmt: skip
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
