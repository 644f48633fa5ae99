"""A network tells three kinds of iris apart: .venv/bin/python examples/iris.py

The data are real: 150 flowers, measured by Edgar Anderson, published by Ronald Fisher in 1936. A small MLP learns from
100 of them, and is then asked about the 50 others. Two pictures are drawn in the current directory: iris.svg, what it
answers and how the loss fell; and iris-neuron.svg, one of its neurons at work on the flower that it got most wrong. It
takes the extra `examples`: .venv/bin/pip install -e ".[examples]"
"""

from matplotlib import rc_context  # .venv/bin/pip install -e ".[examples]"
from matplotlib.figure import Figure
from sklearn.datasets import load_iris  # .venv/bin/pip install -e ".[examples]"
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from micrograd_plus import Value, draw_dot, softmax
from micrograd_plus.nn import MLP, Adam, cross_entropy, fit

EPOCHS, BATCH, RATE, SEED = 40, 10, 0.02, 0
PICTURE, NEURON = "iris.svg", "iris-neuron.svg"
FEATURES = ["sepal length", "sepal width", "petal length", "petal width"]
KINDS, MARKERS, COLOURS = ["setosa", "versicolor", "virginica"], "os^", ["#0072b2", "#e69f00", "#009e73"]


def flowers(seed):
    """The flowers to learn from, those held out, and the scale of their features.

    A flower is its four features, in standard deviations from the mean of those to learn from, and its kind's number.
    """
    iris = load_iris()
    x, x_out, y, y_out = train_test_split(iris.data, iris.target, test_size=50, stratify=iris.target, random_state=seed)
    scale = StandardScaler().fit(x)
    data, held_out = [
        list(zip(scale.transform(lengths).tolist(), kinds.tolist(), strict=True))
        for lengths, kinds in ((x, y), (x_out, y_out))
    ]
    return data, held_out, scale


def main(epochs=EPOCHS, seed=SEED, picture=PICTURE, neuron_picture=NEURON):
    data, held_out, scale = flowers(seed)
    model = MLP(4, [8, 3], activation="tanh", seed=seed)
    optimizer = Adam(model.parameters(), lr=RATE)
    print(f"{model!r}: {len(model.parameters())} parameters")

    before = plain(model)
    losses = fit(model, data, cross_entropy, optimizer, epochs, BATCH, seed, backend="llvm")
    network = plain(model)

    print(f"epoch    loss   right of the {len(data)} flowers   right of {len(held_out)} held out")
    for epoch, one in ((0, before), (len(losses), network)):
        loss = cross_entropy([one(x) for x, _ in data], [kind for _, kind in data])
        print(f"{epoch:5}  {loss:.4f}   {accuracy(one, data):24.1%}   {accuracy(one, held_out):20.1%}")
    print("\nAnswers for those held out:" + "".join(f"{name:>12}" for name in KINDS))
    for kind, name in enumerate(KINDS):
        answers = [answer(network, x) for x, of in held_out if of == kind]
        print(f"{len(answers):13} are {name:10}" + "".join(f"{answers.count(k):12}" for k in range(3)))

    draw(network, data, held_out, scale, losses, picture)
    print(f"\nWhat it answers, and how the loss fell, is drawn in {picture}")
    draw_neuron(model, held_out, neuron_picture)
    return model, losses


def plain(model):
    """The same network over the numbers of this moment, without gradients, which is faster."""
    return model.bind(model.state_dict())


def answer(network, x):
    """The kind with the largest of the three logits."""
    logits = network(x)
    return logits.index(max(logits))


def accuracy(network, data):
    return sum(answer(network, x) == kind for x, kind in data) / len(data)


def draw(network, data, held_out, scale, losses, picture):
    lengths, widths = [0.6 + 0.1 * i for i in range(68)], [-0.1 + 0.05 * i for i in range(58)]
    petals = [scale.transform([[0.0, 0.0, length, width] for length in lengths])[:, 2:].tolist() for width in widths]
    chances = [[softmax(network([0.0, 0.0, *petal])) for petal in row] for row in petals]  # of average sepals
    font = {"font.family": "sans-serif", "font.size": 15, "svg.fonttype": "none", "svg.hashsalt": "iris"}
    with rc_context(font):
        figure = Figure((12.0, 5.0), layout="constrained")
        plane, curve = figure.subplots(1, 2, width_ratios=[1.9, 1.0])

        for kind, colour in enumerate(COLOURS):
            lead = [[p[kind] - max(p[:kind] + p[kind + 1 :]) for p in row] for row in chances]
            tints = [(colour, 0.12), (colour, 0.25), (colour, 0.4)]
            plane.contourf(lengths, widths, lead, [0.0, 0.5, 0.9, 1.0], colors=tints)
            plane.contour(lengths, widths, lead, [0.0], colors="#000000", linewidths=1.5)
        edge = {"markeredgecolor": "#000000"}
        for pairs, size in ((data, 5), (held_out, 9)):
            for x, kind in pairs:
                petal, found = scale.inverse_transform([x])[0][2:], answer(network, x)
                plane.plot(*petal, MARKERS[kind], color=COLOURS[found], markersize=size, **edge)
                if found != kind:
                    plane.plot(*petal, "o", color="none", markersize=size + 11, markeredgewidth=2, **edge)
        for x, y, name in ((0.8, 0.75, "● setosa"), (2.4, 1.75, "■ versicolor"), (5.6, 2.62, "▲ virginica")):
            plane.text(x, y, name)
        for size, width, name in ((5, 1, "learnt from"), (9, 1, "held out"), (18, 2, "wrong")):
            plane.plot([], [], "o", color="none", markersize=size, markeredgewidth=width, label=name, **edge)
        plane.legend(loc="lower right", frameon=False, fontsize=13)
        plane.set(title="What the network answers", xlabel="petal length in cm", ylabel="petal width in cm")

        curve.plot(range(1, len(losses) + 1), losses, color="#000000", linewidth=2.5)
        curve.set(title="The loss: cross-entropy", xlabel="epoch", ylim=(0.0, None))
        curve.spines[["top", "right"]].set_visible(False)
        figure.savefig(picture, metadata={"Date": None, "Creator": None})


def draw_neuron(model, held_out, picture):
    """Draw the neuron with the largest gradient, at work on the flower with the largest loss."""
    network = plain(model)
    x, kind = max(held_out, key=lambda flower: cross_entropy(network(flower[0]), flower[1]))
    hidden, output = model.layers
    # Each neuron gets inputs of its own: so the gradients of these, too, are those by way of this neuron alone.
    results = [neuron([Value(z, label=name) for z, name in zip(x, FEATURES, strict=True)]) for neuron in hidden.neurons]
    model.zero_grad()
    cross_entropy(output(results), kind).backward()
    k = max(range(len(results)), key=lambda k: abs(results[k].grad))
    results[k].label = f"neuron {k}"
    for name, parameter in hidden.neurons[k].named_parameters():
        parameter.label = name  # "bias" for "layers.0.neurons.7.bias"
    draw_dot(results[k]).render(outfile=picture, cleanup=True)
    chances = [f"{p:.1%} {name}" for p, name in zip(softmax(network(x)), KINDS, strict=True)]
    print(f"Of those held out it is most wrong about a {KINDS[kind]}: {', '.join(chances)}.")
    print(f"Its neuron {k} at work on that one is drawn in {picture}")


if __name__ == "__main__":
    main()
