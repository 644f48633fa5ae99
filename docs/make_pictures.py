"""Draw the pictures of these pages anew: python docs/make_pictures.py

Beside each picture of a graph, NAME.svg, stands its source in graphviz's language, NAME.gv. The pictures are drawn by
graphviz-pure, which draws the same on every machine: the tests compare both with what the code draws today. The plots
are drawn by matplotlib, and have no such source.

With --examples it runs the examples instead, which leave the pictures of gallery.md: that takes a few minutes.
"""

import io
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from micrograd_plus import Value, draw_dot, relu, sin
from micrograd_plus.draw import write
from micrograd_plus.losses import mse
from micrograd_plus.nn import MLP
from micrograd_plus.testing import central_difference, complex_step, forward_difference, ridders

VERSION = "0.2.2"  # of graphviz-pure, that drew the pictures: another may draw them a little differently
IMAGES = Path(__file__).parent / "images"
EXAMPLES = Path(__file__).parent.parent / "examples"


# Of chain-rule.md


def two_paths() -> Any:
    t = Value(1.0, tangent=1.0, label="t")
    x, y = t**2, sin(t)
    f = x**2 + y**2
    x.label, y.label, f.label = "x", "y", "f"
    f.backward()
    return draw_dot(f)


def why_order() -> Any:
    a = Value(1.0, label="a")
    b = a + a
    c = b + b
    b.label, c.label = "b", "c"
    c.backward()
    return draw_dot(c)


def neuron() -> Any:
    w, b = Value(2.0, tangent=1.0, label="w"), Value(1.0, label="b")
    c = w * 3.0
    y_hat = c + b
    d = y_hat - 5.0
    L = 0.5 * d**2
    c.label, y_hat.label, d.label, L.label = "c", "ŷ", "d", "L"
    L.backward()
    return draw_dot(L)


def two_layers() -> Any:
    w1, b1 = Value(2.0, label="w1"), Value(0.0, label="b1")
    w2, b2 = Value(3.0, label="w2"), Value(1.0, label="b2")
    z1 = w1 * 1.0 + b1
    a1 = relu(z1)
    z2 = w2 * a1 + b2
    y_hat = relu(z2)
    L = 0.5 * (y_hat - 5.0) ** 2
    z1.label, a1.label, z2.label, y_hat.label, L.label = "z1", "a1", "z2", "ŷ", "L"
    L.backward()
    return draw_dot(L)


# Of backpropagation.md


def mlp(**options: Any) -> Any:
    model = MLP(2, [3, 1], activation="tanh", seed=1)
    y_hat = model([Value(0.5, label="x0"), Value(-1.0, label="x1")])
    L = mse(y_hat, 1.0)
    y_hat.label, L.label = "ŷ", "L"
    L.backward()
    return draw_dot(L, **options)


def gradient_cost() -> bytes:
    """The table of measured times on that page, as a plot."""
    page = (Path(__file__).parent / "backpropagation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| \d+ \| ([\d.]+) \| ([\d.]+) \|", page, re.MULTILINE)
    p, reverse, forward = zip(*[map(float, row) for row in rows], strict=True)

    def draw(axes: Any) -> None:
        axes.plot(p, forward, "o-", color="#d55e00", linewidth=2.0)
        axes.plot(p, reverse, "o-", color="#0072b2", linewidth=2.0)
        axes.text(250, 900, "forward mode,\nonce for each parameter", color="#b04e00", ha="right")
        axes.text(250, 2.2, "reverse mode, once for all", color="#0072b2", ha="center")
        axes.set(xscale="log", yscale="log", ylim=(0.8, 2e4))
        axes.set(xlabel="number of parameters", ylabel="time of the gradient, in runs")

    return plot(draw, (7.0, 4.2), "gradient-cost")


# Of testing.md


def step_size() -> bytes:
    """Error against step size for four ways to the slope of 1 / (1 + x²) at 1.5: the largest for 24 steps about that
    size, because what rounding does jumps up and down from one step to the next.
    """

    def f(x: Any) -> Any:
        return 1.0 / (1.0 + x * x)

    exact = Fraction(-48, 169)  # -2x / (1 + x²)²

    def errors(slope: Callable[[float], float], steps: list[float]) -> list[float]:
        near = [10.0 ** (i / 96.0) for i in range(-12, 12)]
        return [max(float(abs(Fraction(slope(h * nearly)) / exact - 1)) for nearly in near) for h in steps]

    steps = [10.0 ** (-i / 4.0) for i in range(65)]
    large = [h for h in steps if h > 2e-15]  # with less, Ridders finds nothing
    lines = [
        (steps, errors(lambda h: complex_step(f, 1.5, h), steps), "#000000", "-", 4.5),
        (steps, errors(lambda h: forward_difference(f, 1.5, h), steps), "#d55e00", "-", 2.0),
        (steps, errors(lambda h: central_difference(f, 1.5, h), steps), "#56b4e9", (0, (4, 1.5)), 2.0),
        (large, errors(lambda h: ridders(f, 1.5, h)[0], large), "#00664b", (0, (1, 1)), 2.2),
        (large, [ridders(f, 1.5, h)[1] / float(-exact) for h in large], "#00664b", "-", 0.8),
    ]
    labels = [
        (1.2e-5, 3e-3, "one-sided", "#b04e00"),
        (7e-9, 1e-11, "central", "#1f6fa5"),
        (7e-4, 4e-10, "central and\ncomplex step", "#000000"),
        (7e-4, 1.2e-16, "extrapolated\nfrom this step", "#00664b"),
        (1.5e-10, 2e-4, "what extrapolating\nputs its error at", "#00664b"),
        (2e-16, 2e-15, "complex step,\nand so on to 1e-307", "#000000"),
        (1e-13, 3.0, "too small: digits are lost", "#555555"),
        (1.2e-6, 3.0, "too large: the curve bends", "#555555"),
    ]

    def draw(axes: Any) -> None:
        for xs, ys, colour, style, width in lines:
            axes.plot(xs, ys, color=colour, linestyle=style, linewidth=width)
        for x, y, text, colour in labels:
            axes.text(x, y, text, color=colour)
        axes.set(xscale="log", yscale="log", xlim=(1e-16, 2.0), ylim=(1e-17, 40.0))
        axes.set(xlabel="step", ylabel="relative error")

    return plot(draw, (7.0, 5.0), "step-size")


# Of series.md


def series_cost() -> bytes:
    """The table of times on that page."""
    page = (Path(__file__).parent / "series.md").read_text(encoding="utf-8")
    table = page.partition("| n | series |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()[2:]]
    ways = [
        ("series", "#0072b2", "-"),
        ("by hand", "#555555", ":"),
        ("nested", "#d55e00", "-"),
        ("JAX's jet", "#009e73", "--"),
    ]

    def draw(axes: Any) -> None:
        for column, (name, colour, line) in enumerate(ways, start=1):
            points = [(int(row[0]), float(row[column])) for row in rows if row[column] != "–"]
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=colour, linestyle=line, marker="o", markersize=4, linewidth=2)
            axes.text(xs[-1] * 1.06, ys[-1], name, color=colour, va="center")
        axes.set(xscale="log", yscale="log", xlim=(0.95, 75.0), xticks=[1, 2, 3, 5, 7, 12, 20, 40])
        axes.set(xticklabels=["1", "2", "3", "5", "7", "12", "20", "40"], xlabel="order", ylabel="milliseconds")
        axes.minorticks_off()

    return plot(draw, (7.0, 4.4), "series-cost")


def plot(draw: Callable[[Any], None], size: tuple[float, float], name: str) -> bytes:
    """What `draw` makes of empty axes, as an SVG file, which is the same every time."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": "sans-serif", "font.size": 12, "svg.fonttype": "none", "svg.hashsalt": name}):
        figure = Figure(size, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", metadata={"Date": None, "Creator": None})
    return picture.getvalue()


PICTURES: dict[str, Callable[[], Any]] = {
    "two-paths": two_paths,
    "why-order": why_order,
    "neuron": neuron,
    "two-layers": two_layers,
    "mlp": lambda: mlp(groups=["Layer", "Neuron"]),
    "mlp-folded": lambda: mlp(groups="Layer", fold="Neuron"),
}

PLOTS: dict[str, Callable[[], bytes]] = {"gradient-cost": gradient_cost, "step-size": step_size}
PLOTS["series-cost"] = series_cost


def main(folder: Path = IMAGES) -> None:
    for name, picture in PICTURES.items():
        graph = picture()
        graph.program = "graphviz-pure"
        write(folder / f"{name}.svg", graph.pipe("svg"))
        write(folder / f"{name}.gv", graph.source.encode())
    for name, plot in PLOTS.items():
        write(folder / f"{name}.svg", plot())


def gallery(folder: Path = IMAGES / "gallery") -> None:
    folder.mkdir(exist_ok=True)
    for example in sorted(EXAMPLES.resolve().glob("*.py")):
        print(f"\n{example.name}\n", flush=True)
        subprocess.run([sys.executable, example], cwd=folder, check=True)


if __name__ == "__main__":
    gallery() if "--examples" in sys.argv[1:] else main()
