"""A network reads handwritten digits: .venv/bin/python examples/digits.py

The data are real: 1797 digits, written by 13 people, scanned, and shrunk to 8 by 8 shades of grey (Alpaydin and Kaynak,
"Optical recognition of handwritten digits", UCI Machine Learning Repository, 1998); scikit-learn brings them. An MLP
learns from 1437 of them, and is then asked about the 360 others. What it takes for what, and those that it misreads,
are drawn: digits.svg in the current directory. It takes the extra `examples`: .venv/bin/pip install -e ".[examples]"
"""

from matplotlib import rc_context  # .venv/bin/pip install -e ".[examples]"
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.datasets import load_digits  # .venv/bin/pip install -e ".[examples]"
from sklearn.model_selection import train_test_split

from micrograd_plus import jit, softmax
from micrograd_plus.nn import MLP, Adam, cross_entropy, fit

EPOCHS, BATCH, RATE, SEED = 20, 32, 0.005, 0
PICTURE, ROWS, COLUMNS = "digits.svg", 3, 4


def digits(seed):
    """The digits to learn from, and those held out. Each is its 64 shades, 0 for paper, 1 for ink, and its number."""
    images, numbers = load_digits(return_X_y=True)
    parts = train_test_split(images / 16.0, numbers, test_size=360, stratify=numbers, random_state=seed)
    x, x_out, y, y_out = [part.tolist() for part in parts]
    return list(zip(x, y, strict=True)), list(zip(x_out, y_out, strict=True))


def main(epochs=EPOCHS, seed=SEED, picture=PICTURE):
    data, held_out = digits(seed)
    model = MLP(64, [32, 10], activation="relu", seed=seed)
    optimizer = Adam(model.parameters(), lr=RATE)
    print(f"{model!r}: {len(model.parameters())} parameters")

    before = plain(model)
    losses = fit(model, data, cross_entropy, optimizer, epochs, BATCH, seed, backend="llvm")
    network = plain(model)

    print(f"epoch    loss   right of the {len(data)} digits   right of {len(held_out)} held out")
    for epoch, one in ((0, before), (len(losses), network)):
        loss = cross_entropy([one(x) for x, _ in data], [number for _, number in data])
        print(f"{epoch:5}  {loss:.4f}   {accuracy(one, data):24.1%}   {accuracy(one, held_out):20.1%}")
    table = confusion(network, held_out)
    print("\nAnswers for those held out:" + "".join(f"{number:5}" for number in range(10)))
    for number, row in enumerate(table):
        print(f"{sum(row):22} are {number}" + "".join(f"{count:5}" for count in row))

    draw(network, table, held_out, picture)
    print(f"\nWhat it takes for what, and those that it misreads, are drawn in {picture}")
    return model, losses


def plain(model):
    """The same network over the numbers of this moment, without gradients, as a program: that is faster."""
    return jit(model.bind(model.state_dict()))


def answer(network, x):
    """The digit with the largest of the ten logits."""
    logits = network(x)
    return logits.index(max(logits))


def accuracy(network, data):
    return sum(answer(network, x) == number for x, number in data) / len(data)


def confusion(network, data):
    """How often each digit, a row, is taken for each, a column."""
    table = [[0] * 10 for _ in range(10)]
    for x, number in data:
        table[number][answer(network, x)] += 1
    return table


def draw(network, table, held_out, picture):
    misread = []
    for x, number in held_out:
        found = answer(network, x)
        if found != number:
            misread.append((softmax(network(x))[found], number, found, x))
    misread.sort(reverse=True)  # those of which it is surest come first
    font = {"font.family": "sans-serif", "font.size": 15, "svg.fonttype": "none", "svg.hashsalt": "digits"}
    with rc_context(font):
        figure = Figure((12.0, 5.4), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.0, 1.1])

        axes = left.subplots()
        axes.set(title="What it takes for what", xlabel="the answer", ylabel="the digit", aspect="equal")
        axes.set(xlim=(-0.5, 9.5), ylim=(9.5, -0.5), xticks=range(10), yticks=range(10))
        for number, row in enumerate(table):
            for found, count in enumerate(row):
                if count:
                    colour = "#cce3f0" if found == number else "#e69f00"
                    axes.add_patch(Rectangle((found - 0.5, number - 0.5), 1.0, 1.0, color=colour))
                    axes.text(found, number, count, ha="center", va="center_baseline")

        right.suptitle(
            f"{len(misread)} of {len(held_out)} misread" + (", the surest first" if len(misread) > 1 else "")
        )
        images = right.subplots(ROWS, COLUMNS).ravel()
        for axes in images:
            axes.set_axis_off()
        for axes, (chance, number, found, x) in zip(images, misread, strict=False):
            axes.imshow([x[i : i + 8] for i in range(0, 64, 8)], cmap="Greys", vmin=0.0, vmax=1.0)
            axes.set_title(f"{number} as {found}: {chance:.0%}", fontsize=13)
        figure.savefig(picture, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
