"""The gradient of a network by one backward pass, beside one forward pass per parameter, over the number of parameters.

    python tests/benchmarks/gradient_cost.py

prints the table of docs/backpropagation.md, in Markdown; it takes three minutes. A unit is the time in which the same
network runs on plain Values. For each size all ways take turns, and the medians of the rounds are compared.
"""

import statistics
import time

from tqdm import tqdm

from micrograd_plus.machinery.digits import NOTHING
from micrograd_plus.nn import MLP, Module

WIDTHS = [2, 4, 8, 16, 32, 64]
INPUTS = [0.5, -0.25]


def run(model: Module) -> None:
    model(INPUTS)


def reverse(model: Module) -> None:
    model(INPUTS).backward()


def forward(model: Module) -> None:
    for parameter in model.parameters():
        parameter.tangent = 1.0
        model(INPUTS)
        parameter.tangent = NOTHING


def seconds(way, model: Module) -> float:
    start = time.perf_counter()
    way(model)
    return time.perf_counter() - start


def main() -> None:
    print("| p | one run, µs | reverse ÷ run | forward ÷ run | forward ÷ reverse |\n|---|---|---|---|---|")
    for width in tqdm(WIDTHS, leave=False):
        model = MLP(2, [width, width, 1], "tanh", seed=1)
        p = len(model.parameters())
        times: dict = {run: [], reverse: [], forward: []}
        for _ in range(max(3, 1000 // p)):
            for way in times:
                times[way] += [seconds(way, model) for _ in range(1 if way is forward else 9)]
        one, back, ahead = [statistics.median(times[way]) for way in (run, reverse, forward)]
        tqdm.write(f"| {p} | {one * 1e6:.0f} | {back / one:.2f} | {ahead / one:.0f} | {ahead / back:.0f} |")


if __name__ == "__main__":
    main()
