"""What it costs to compile scalars, and from which width of a network on arrays are faster than scalars.

    pip install -e ".[bench]" && python tests/benchmarks/scaling.py

prints the tables of docs/scaling.md, in Markdown; it takes five minutes, most of which XLA compiles. Each figure is
from a process of its own, which is given up after a minute.
"""

import random
import statistics
import subprocess
import sys

import numpy as np
from compiled import XS, YS, digits, elsewhere, flat, layers, network, network_over_arrays, print_table, seconds
from tqdm import tqdm

import micrograd_plus as mg

LENGTHS = [100, 1000, 10_000]
WIDTHS = [2, 8, 32, 64]
BACKENDS = ["python", "llvm", "jax"]
PATIENCE = 60  # seconds for each figure: XLA would take many minutes over some programs


def chain(n):
    """A function of n operations, each of which needs the one before."""

    def f(x):
        for _ in range(n // 2):
            x = mg.sin(x) * 1.01
        return x

    return f, 0.5


def terms(n):
    """A function of n operations, the most of which need nothing of each other, and of n / 5 numbers."""

    def f(x):
        total = 0.0
        for a, b in zip(x[::2], x[1::2], strict=True):
            total = total + (a - b) ** 2 * mg.cos(a) * b * (a + b) * a * b
        return total

    return f, [0.5] * (n // 5)


def started(backend):
    """Everything is imported, and the machinery has started."""
    mg.jit(lambda x: x + 1.0, backend=backend)(2.0)


def compile_time(program, n, backend):
    """The time of the first call."""
    started(backend)
    f, argument = {"chain": chain, "terms": terms}[program](int(n))
    return seconds(lambda: mg.jit(f, backend=backend)(argument))


def train(way, width):
    """Loss and gradient of a 2-width-width-1 network over 1000 samples: the first call, the median of 51, the loss."""
    import jax
    import jax.numpy as jnp

    widths = int(width), int(width), 1
    draw = random.Random(1)
    n = 3 * widths[0] + widths[0] * (widths[0] + 1) + widths[0] + 1
    p = [draw.gauss(0.0, widths[0] ** -0.5) for _ in range(n)]
    if way == "arrays":
        jax.config.update("jax_enable_x64", True)
        program = jax.jit(jax.value_and_grad(network_over_arrays(jax.nn.relu)))
        arguments = [tuple(map(jnp.array, pair)) for pair in layers(p, widths)], jnp.array(XS), jnp.array(YS)
        jax.block_until_ready(arguments)
    else:
        started(way)
        loss = mg.value_and_grad(lambda p, x, y: network(p, x, y, mg.relu, widths))
        program = mg.jit(mg.vmap(loss, in_axes=(None, 0, 0), reduce="mean"), backend=way)
        arguments = p, np.array(XS), np.array(YS)

    def run():
        return jax.block_until_ready(program(*arguments))

    first = seconds(run)
    return n, first, statistics.median([seconds(run) for _ in range(51)]), float(flat(run())[0])


def patiently(*words):
    """What this file prints with these words; None if it takes too long."""
    try:
        return elsewhere(*words, file=__file__, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return None


def main():
    rows = []
    for program in tqdm(["chain", "terms"], leave=False):
        for backend in tqdm(BACKENDS, leave=False):
            found = [patiently("compile_time", program, n, backend) for n in LENGTHS]
            rows.append([f"{program}, {backend}", *[f"> {PATIENCE}" if x is None else digits(x) for x in found]])
    print_table("first call, s", [f"{n:,} operations" for n in LENGTHS], rows)

    ways, found = ["llvm", "jax", "arrays"], {}
    for width in tqdm(WIDTHS, leave=False):
        of_width = {way: patiently("train", way, width) for way in ways}
        losses = [result[3] for result in of_width.values() if result]
        if not np.allclose(losses, losses[-1], rtol=1e-9):
            raise ValueError(f"the losses differ: {losses}")
        found |= {(way, width): result for way, result in of_width.items()}
        ways = [way for way in ways if of_width[way]]  # what took too long takes no less for a wider network
    titles = {"llvm": "scalars, llvm", "jax": "scalars, jax", "arrays": "arrays, JAX"}
    parameters = ["parameters", *[f"{found['arrays', width][0]:,}" for width in WIDTHS]]
    for title, what, unit in [("width: first call, s", 1, 1.0), ("width: a call, ms", 2, 1e3)]:
        rows = [parameters]
        for way, name in titles.items():
            results = [found.get((way, width)) for width in WIDTHS]
            rows.append([name, *[digits(result[what] * unit) if result else f"> {PATIENCE} s" for result in results]])
        print_table(title, [str(width) for width in WIDTHS], rows)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        import json

        task, *words = sys.argv[1:]
        print(json.dumps({"compile_time": compile_time, "train": train}[task](*words)))
