"""A network tells two moons apart: .venv/bin/python examples/moons.py

Two hundred points lie on two half circles that reach into each other, and no straight line parts them. An MLP learns
the probability that a point belongs to the lower one. What it answers all over the plane, and how the loss fell, is
drawn: moons.svg in the current directory. It takes the extra `examples`: .venv/bin/pip install -e ".[examples]"
"""

from random import Random

from matplotlib import rc_context  # .venv/bin/pip install -e ".[examples]"
from matplotlib.figure import Figure
from sklearn.datasets import make_moons  # .venv/bin/pip install -e ".[examples]"

from micrograd_plus import sigmoid
from micrograd_plus.nn import MLP, Adam, binary_cross_entropy, fit

EPOCHS, BATCH, RATE, SEED = 60, 20, 0.01, 1
PICTURE = "moons.svg"


def moons(n, seed):
    """Points of the plane, each with its class: 0 for the upper moon, 1 for the lower."""
    points, classes = make_moons(n, noise=0.1, random_state=seed)
    return list(zip(points.tolist(), classes.tolist(), strict=True))


def main(epochs=EPOCHS, seed=SEED, picture=PICTURE):
    data, new = moons(200, seed), moons(1000, seed + 1)
    model = MLP(2, [16, 16, 1], activation="tanh", seed=seed)
    optimizer = Adam(model.parameters(), lr=RATE)
    print(f"{model!r}: {len(model.parameters())} parameters")

    losses, networks, generator = [], {0: plain(model)}, Random(seed)
    early = max(1, epochs // 6)
    for end in (early, epochs):  # with a stop, to see what it knows by then
        if len(losses) < end:
            rest = end - len(losses)
            losses += fit(model, data, binary_cross_entropy, optimizer, rest, BATCH, generator, backend="llvm")
            networks[len(losses)] = plain(model)
        if len(losses) < end:
            break  # by Ctrl-C

    print(f"epoch    loss   right of the {len(data)} points   right of {len(new)} new points")
    for epoch, network in networks.items():
        loss = binary_cross_entropy([network(x) for x, _ in data], [target for _, target in data])
        print(f"{epoch:5}  {loss:.4f}   {accuracy(network, data):23.1%}   {accuracy(network, new):24.1%}")
    draw(networks, data, losses, picture)
    print(f"What it answers, and how the loss fell, is drawn in {picture}")
    return model, losses


def plain(model):
    """The same network over the numbers of this moment, without gradients, which is faster."""
    return model.bind(model.state_dict())


def accuracy(network, data):
    """The share of points whose class it finds: its answer is a logit, above 0 where the lower moon is more likely."""
    return sum((network(x) > 0.0) == target for x, target in data) / len(data)


def draw(networks, data, losses, picture):
    early, last = sorted(networks)[1], max(networks)
    xs, ys = [-1.6 + 0.04 * i for i in range(106)], [-1.1 + 0.04 * i for i in range(69)]
    chances = {epoch: [[sigmoid(networks[epoch]([x, y])) for x in xs] for y in ys] for epoch in (early, last)}
    font = {"font.family": "sans-serif", "font.size": 15, "svg.fonttype": "none", "svg.hashsalt": "moons"}
    with rc_context(font):
        figure = Figure((12.0, 5.0), layout="constrained")
        plane, curve = figure.subplots(1, 2, width_ratios=[1.9, 1.0])

        bands = [0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0]
        tints = ["#f6cf80", "#f9dda6", "#fcebcc", "#fff9f0", "#f0f7fb", "#cce3f0", "#a6cfe6", "#80b8d9"]
        filled = plane.contourf(xs, ys, chances[last], bands, colors=tints)
        figure.colorbar(filled, label="probability of the lower moon", ticks=bands[1:-1], pad=0.01)
        for epoch, style in ((early, "--"), (last, "-")):
            plane.contour(xs, ys, chances[epoch], [0.5], colors="#000000", linewidths=2.5, linestyles=style)
            plane.plot([], [], style, color="#000000", linewidth=2.5, label=f"after {epoch} epochs")
        for target, colour, marker in ((0, "#e69f00", "o"), (1, "#0072b2", "s")):
            points = [x for x, of in data if of == target]
            plane.plot(*zip(*points, strict=True), marker, color=colour, markersize=7, markeredgecolor="#000000")
        plane.set(title="What the network answers", aspect="equal", xticks=[-1, 0, 1, 2], yticks=[-1, 0, 1])
        plane.legend(loc="lower right", frameon=False, fontsize=13, borderaxespad=0.2)

        curve.plot(range(1, last + 1), losses, color="#000000", linewidth=2.5)
        curve.plot([early], losses[early - 1 : early], "o", color="#000000", markersize=9)
        curve.annotate(
            f"after {early} epochs", (early, losses[early - 1]), (8, 8), textcoords="offset points", fontsize=13
        )
        curve.set(title="The loss: cross-entropy", xlabel="epoch", yscale="log")
        curve.yaxis.set_major_formatter("{x:g}")
        curve.spines[["top", "right"]].set_visible(False)
        figure.savefig(picture, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
