"""Gradients that vanish, and some that do not: .venv/bin/python examples/vanishing_gradients.py

Five networks of twelve layers, which differ in the activation and in the size of their initial weights. For each, the
gradients of a loss over a few random samples, layer by layer, as a table; and all in one picture. Then twelve neurons
in a row, whose graph shows why. The pictures are vanishing_gradients.svg and vanishing_chain.svg in the current
directory. It takes the extra `examples`: .venv/bin/pip install -e ".[examples]"
"""

from random import Random

from matplotlib import rc_context  # is it missing? .venv/bin/pip install -e ".[examples]"
from matplotlib.figure import Figure

from micrograd_plus import Value, draw_dot
from micrograd_plus.nn import MLP, Neuron, glorot, gradient_report, he, mse

LAYERS, WIDTH, SAMPLES, SEED = 12, 16, 8, 1
PICTURE, CHAIN = "vanishing_gradients.svg", "vanishing_chain.svg"


def small(generator, inputs, outputs):
    return 0.01 * generator.gauss(0.0, 1.0)


def twice_he(generator, inputs, outputs):
    return 2.0 * he(generator, inputs, outputs)


# The activation and what makes the weights; for the picture the colour, the marker, and where the name stands.
NETWORKS = {
    "relu, twice the weights of He": ("relu", twice_he, "#a8497f", "^", (1.0, 1.5e4)),
    "relu, weights of He": ("relu", he, "#0072b2", "s", (1.0, 1.5)),
    "tanh, weights of Glorot": ("tanh", glorot, "#00664b", "o", (1.0, 6e-5)),
    "sigmoid, weights of Glorot": ("sigmoid", glorot, "#000000", "v", (1.0, 2e-12)),
    "sigmoid, weights of 0.01 · N(0, 1)": ("sigmoid", small, "#c04e00", "D", (5.4, 1e-18)),
}


def main(layers=LAYERS, width=WIDTH, samples=SAMPLES, seed=SEED, picture=PICTURE, chain_picture=CHAIN):
    reports = {}
    for name, (activation, init, *_) in NETWORKS.items():
        model = network(activation, init, layers, width, samples, seed)
        reports[name] = gradient_report(model)
        print(f"{name}\n{reports[name]}")
        weights = [weight for neuron in model.layers[0].neurons for weight in neuron.weights]
        same = sum(weight.data - weight.grad == weight.data for weight in weights)
        print(f"A step at rate 1 leaves {same} of the {len(weights)} weights of the first layer exactly as they are.\n")
    draw(reports, picture)
    print(f"The five networks are drawn in {picture}\n")
    return reports, chain(layers, chain_picture)


def network(activation, init, layers, width, samples, seed):
    """A network after a backward pass, from how far it is from random targets at random inputs."""
    generator = Random(seed)
    model = MLP(width, [width] * layers, activation, activation, init=init, seed=generator)
    points = [[generator.gauss(0.0, 1.0) for _ in range(width)] for _ in range(2 * samples)]
    mse([model(x) for x in points[:samples]], points[samples:]).backward()
    return model


def chain(layers, picture):
    """Neurons in a row, and the derivative of what the last one says with respect to what the first one is given."""
    x = y = Value(0.5, label="x")
    for _ in range(layers):
        neuron = Neuron(1, "sigmoid")
        neuron.load_state_dict({"weights.0": 1.0, "bias": -0.5})  # this takes sigmoid at 0, where it is steepest
        y = neuron(y)
    y.backward()
    print(f"The slope of sigmoid is at most 1/4, and (1/4)**{layers} = {0.25**layers:.2e}.")
    print(f"{layers} neurons in a row, of weight 1, each sigmoid where it is steepest: ∂y/∂x = {x.grad:.2e}.")
    print(f"With weights of 0.01 it is at most 0.01**{layers} times that, {0.25**layers * 0.01**layers:.2e}.")
    graph = draw_dot(y, fold="Neuron", scale="log", show=("grad", "partials"), number=short)
    graph.strict = True  # what is said now is said of an arrow that is there: it leads back, to a second row
    graph.edge(f"n{layers // 2}", f"n{layers // 2 + 1}", constraint="false")
    print(f"Their graph is drawn in {graph.render(outfile=picture, cleanup=True)}")
    return x.grad


def short(number):
    return f"{number:.2g}" if abs(number) > 0.01 else f"{number:.0e}"


def draw(reports, picture):
    font = {"font.family": "sans-serif", "font.size": 15, "svg.fonttype": "none", "svg.hashsalt": "lines"}
    with rc_context(font):
        figure = Figure((9.6, 5.8), layout="constrained")
        axes = figure.subplots()
        for name, report in reports.items():
            _, _, colour, marker, (x, y) = NETWORKS[name]
            layers = range(1, len(report) + 1)
            axes.plot(layers, [row.mean for row in report], color=colour, marker=marker, markersize=7, linewidth=2.5)
            axes.text(x, y, name, color=colour)
        axes.set(yscale="log", ylabel="mean |grad| of a layer", xticks=layers)
        axes.set_xlabel("layer: 1 is the first, the farthest from the loss")
        axes.grid(axis="y", color="#dddddd")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(picture, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
