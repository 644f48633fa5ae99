"""Reverse mode per graph node, in time and memory: micrograd, a class of tuples, and micrograd_plus, side by side.

    pip install -e ".[bench]" && python tests/benchmarks/reverse_mode.py

prints the tables of docs/performance.md, in Markdown; it takes about three minutes. All classes run the same programs
in one process, interleaved, and the medians of the rounds are compared: machines are noisy, ratios less so.
"""

import gc
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import micrograd.engine

import micrograd_plus
from micrograd_plus.tape import tape

ROUNDS = 11


class TupleValue:
    """The popular design of 2026: operands and local derivatives as tuples, and a set of visited nodes."""

    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, TupleValue) else TupleValue(other)
        return TupleValue(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, TupleValue) else TupleValue(other)
        return TupleValue(self.data * other.data, (self, other), (other.data, self.data))

    def relu(self):
        return TupleValue(max(0, self.data), (self,), (float(self.data > 0),))

    def backward(self):
        order, visited = [], set()

        def visit(node):
            if node not in visited:
                visited.add(node)
                for child in node._children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1
        for node in reversed(order):
            for child, local_grad in zip(node._children, node._local_grads, strict=True):
                child.grad += local_grad * node.grad


CLASSES = {"micrograd": micrograd.engine.Value, "tuples": TupleValue, "micrograd_plus": micrograd_plus.Value}


def network(value: Callable[[float], Any], samples: int) -> Any:
    """The sum of a 2-16-16-1 network of scalar neurons over that many samples."""
    draw = random.Random(0)
    sizes = [2, 16, 16, 1]
    layers = [
        [([value(draw.uniform(-1, 1)) for _ in range(n)], value(0.0)) for _ in range(m)] for n, m in pairwise(sizes)
    ]
    total = value(0.0)
    for _ in range(samples):
        x: list[Any] = [draw.gauss(0, 1), draw.gauss(0, 1)]
        for layer in layers:
            outputs = []
            for weights, bias in layer:
                activation = bias
                for weight, number in zip(weights, x, strict=True):
                    activation = activation + weight * number
                outputs.append(activation if layer is layers[-1] else activation.relu())
            x = outputs
        total = total + x[0]
    return total


def chain(value: Callable[[float], Any], length: int) -> Any:
    """x, then x · a + b, again and again."""
    a, b, x = value(0.999), value(0.001), value(1.0)
    for _ in range(length // 2):
        x = x * a + b
    return x


def seconds(build: Callable[[], Any], steps: int = 1) -> float:
    """The time to build and to go back, from a clean heap; between steps, as in training, the graph before is freed."""
    gc.collect()
    start = time.perf_counter()
    for _ in range(steps):
        root = build()
        root.backward()
    return time.perf_counter() - start


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<60}\r", end="", file=sys.stderr, flush=True)


def per_node(
    program: Callable[..., Any], size: int, classes: list[str], collector: bool, steps: int = 1
) -> dict[str, float]:
    """Microseconds per graph node of the program at that size, for each class: medians of interleaved rounds."""
    nodes = len(tape(program(micrograd_plus.Value, size)))
    times: dict[str, list[float]] = {name: [] for name in classes}
    for i in range(ROUNDS):
        _progress(f"{program.__name__} {size}: round {i + 1} of {ROUNDS}")
        for name in classes:
            gc.enable() if collector else gc.disable()
            times[name].append(seconds(lambda name=name: program(CLASSES[name], size), steps))
            gc.enable()
    _progress("")
    return {name: statistics.median(t) / nodes / steps * 1e6 for name, t in times.items()}


def bytes_per_node(name: str, size: int) -> tuple[float, float, float]:
    """Live after building, live after going back, and at the peak, per graph node of the network."""
    nodes = len(tape(network(micrograd_plus.Value, size)))
    gc.collect()
    tracemalloc.start()
    root = network(CLASSES[name], size)
    built, _ = tracemalloc.get_traced_memory()
    root.backward()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return built / nodes, after / nodes, peak / nodes


def garbage(name: str) -> int:
    """How many objects of a dropped graph only the cyclic collector can free."""
    gc.collect()
    gc.disable()
    root = network(CLASSES[name], 10)
    root.backward()
    del root
    found = gc.collect()
    gc.enable()
    return found


def forward_peak(length: int) -> int:
    """The peak of memory in bytes of a derivative by forward mode alone through a loop of that length."""

    def loop(x):
        for _ in range(length):
            x = x * 0.999 + 0.001
        return x

    tracemalloc.start()
    micrograd_plus.derivative(loop)(1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def main() -> None:
    sys.setrecursionlimit(10**6)  # micrograd and the tuples recurse as deep as the graph
    names = list(CLASSES)
    print("| program | collector | micrograd µs/node | tuples µs/node | micrograd_plus µs/node | ratio | ratio |")
    print("|---|---|---|---|---|---|---|")
    for title, program, size, steps in [
        ("network, 10 samples", network, 10, 1),
        ("the same, 20 times", network, 10, 20),
        ("network, 100 samples", network, 100, 1),
        ("chain of 60,000", chain, 60_000, 1),
    ]:
        for collector in (True, False):
            t = per_node(program, size, names, collector, steps)
            ours = t["micrograd_plus"]
            row = [title, "on" if collector else "off", *[f"{t[name]:.2f}" for name in names]]
            print(f"| {' | '.join(row)} | {t['micrograd'] / ours:.1f} | {t['tuples'] / ours:.1f} |", flush=True)

    print("\n| samples | 10 | 30 | 100 | 300 |\n|---|---|---|---|---|")
    for collector in (True, False):
        t = [per_node(network, n, ["micrograd_plus"], collector)["micrograd_plus"] for n in (10, 30, 100, 300)]
        print(f"| collector {'on' if collector else 'off'}, ns/node | {' | '.join(f'{x * 1000:.0f}' for x in t)} |")

    print("\n| bytes per node | live, built | live, after backward | peak | left to the collector |")
    print("|---|---|---|---|---|")
    for name in names:
        built, after, peak = bytes_per_node(name, 100)
        print(f"| {name} | {built:.0f} | {after:.0f} | {peak:.0f} | {garbage(name)} objects |")

    print("\n| loop of | 1,000 | 10,000 | 100,000 |\n|---|---|---|---|")
    forward_peak(10)
    print(f"| peak of forward mode, bytes | {' | '.join(str(forward_peak(n)) for n in (1000, 10_000, 100_000))} |")


if __name__ == "__main__":
    main()
