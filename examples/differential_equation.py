"""A network solves a differential equation: .venv/bin/python examples/differential_equation.py

A network u(x) is trained until u' = -u and u(0) = 1. Nobody tells it a value of the solution, exp(-x); that is only
there to be compared with. The curves are drawn: differential_equation.svg in the current directory. It takes the extra
`examples`: .venv/bin/pip install -e ".[examples]"
"""

from math import cos, exp, pi

from matplotlib import rc_context  # is it missing? .venv/bin/pip install -e ".[examples]"
from matplotlib.figure import Figure
from tqdm import trange

from micrograd_plus import jvp, mean
from micrograd_plus.nn import MLP, Adam

STEPS, RATE, SEED = 2000, 0.1, 1
POINTS = [2.0 * i / 15 for i in range(16)]  # where the equation is asked for
XS = [i / 100 for i in range(201)]  # where the answer is looked at
PICTURE = "differential_equation.svg"


def loss(u):
    """How far the function u is from u' = -u and u(0) = 1."""
    # The loss contains u', so its gradient is made of ∂u'/∂w, for each weight w: a derivative of a derivative.
    # Inner, forward mode: there is one x, and one run of the network gives u(x) and u'(x) together. (u'(x) alone is
    # derivative(u)(x).) To this derivative the weights are constants, and so u'(x), when it comes out, is a Value like
    # any other, which remembers how it was made of them. Outer, reverse mode: there are 25 weights, and one backward
    # pass gives the gradient for all of them. Nothing but jvp knows that there was a derivative inside.
    residuals = []
    for x in POINTS:
        value, slope = jvp(u, (x,), (1.0,))
        residuals.append(slope + value)
    return mean([r * r for r in residuals]) + (u(0.0) - 1.0) ** 2


def main(steps=STEPS, seed=SEED, picture=PICTURE):
    u = MLP(1, [8, 1], activation="tanh", seed=seed)
    before = [u(x).data for x in XS]
    optimizer = Adam(u.parameters(), lr=lambda step: RATE * 0.5 * (1.0 + cos(pi * step / steps)))
    losses = []
    with trange(steps, unit="step") as bar:
        for _ in bar:
            total = loss(u)
            u.zero_grad()
            # The other way, with nothing to set to zero, since transforms keep their gradients to themselves:
            # total, gradient = value_and_grad(lambda weights: loss(u.bind(weights)))(u.state_dict())
            total.backward()
            optimizer.step()
            losses.append(total.data)
            bar.set_postfix(loss=f"{total.data:.1e}", refresh=False)

    solution = u.bind(u.state_dict())  # the same network over plain numbers
    values, slopes = zip(*[jvp(solution, (x,), (1.0,)) for x in XS], strict=True)
    errors = [value - exp(-x) for x, value in zip(XS, values, strict=True)]
    largest = max(map(abs, errors))
    print(f"after {steps} steps the loss is {losses[-1]:.1e}\n")
    print("   x      u(x)   exp(-x)     u'(x)     -u(x)")
    for x, value, slope in list(zip(XS, values, slopes, strict=True))[::25]:
        print(f"{x:.2f}  {value:8.4f}  {exp(-x):8.4f}  {slope:8.4f}  {-value:8.4f}")
    print(f"\nThe largest error of u on [0, 2] is {largest:.1e}. The curves are drawn in {picture}")
    draw(before, values, slopes, errors, picture)
    return losses, largest


def draw(before, values, slopes, errors, picture):
    blue, orange, grey = "#0072b2", "#d55e00", "#555555"
    line = {"arrowstyle": "-", "color": "#777777"}
    font = {"font.family": "sans-serif", "font.size": 15, "svg.fonttype": "none", "svg.hashsalt": "curves"}
    with rc_context(font):
        figure = Figure((12.0, 5.4), layout="constrained")
        axes = figure.subplot_mosaic([["u", "slope"], ["u", "error"]], width_ratios=[1.15, 1.0])
        for part in axes.values():
            part.spines[["top", "right"]].set_visible(False)
            part.set(xlim=(0.0, 2.0), xticks=[0.0, 0.5, 1.0, 1.5, 2.0])

        u = axes["u"]
        u.plot(XS, [exp(-x) for x in XS], color="#bbbbbb", linewidth=8)
        u.plot(XS, values, color=blue, linewidth=2.5)
        u.plot(POINTS, [values[round(100 * x)] for x in POINTS], "o", color=blue, markersize=7, clip_on=False)
        u.plot(XS, before, color=blue, linewidth=1.5, linestyle=(0, (4, 3)))
        u.annotate("the solution, exp(−x)", (0.33, exp(-0.33)), (0.52, 0.85), color=grey, arrowprops=line)
        told = "the network, u(x); at the dots\nu′ = −u is asked of it"
        u.annotate(told, (0.93, values[93]), (0.62, 0.03), color=blue, arrowprops=line)
        u.text(1.98, before[-1], "before training", color=blue, ha="right", va="bottom")
        u.set(title="What it found", xlabel="x")

        slope = axes["slope"]
        slope.plot(XS, [-value for value in values], color=blue, linewidth=8, alpha=0.35)
        slope.plot(XS, slopes, color=orange, linewidth=2.5)
        slope.annotate("−u(x)", (0.3, -values[30]), (0.08, -0.45), color=blue, arrowprops=line)
        slope.annotate("u′(x)", (0.7, slopes[70]), (0.85, -0.8), color=orange, arrowprops=line)
        slope.set(title="The equation: u′ = −u")

        error = axes["error"]
        error.axhline(0.0, color="#999999", linewidth=1)
        error.plot(XS, [1000.0 * e for e in errors], color=blue, linewidth=2.5)
        error.set(title="The error, u(x) − exp(−x), in thousandths", xlabel="x")
        figure.savefig(picture, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
