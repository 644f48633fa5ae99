"""A transformer learns how names are spelt, and makes up new ones: .venv/bin/python examples/names.py

It reads a name letter by letter, and at each says what may come next. What large language models are made of is here,
as small as it can be: rows of 16 numbers for letters and for places, attention by 4 heads, an MLP, all in plain Python
over Values. `jit` makes a program of the loss and its gradient. The 1500 names are given names from many languages, in
names.txt. How the loss fell, where the heads look, and what is expected after each letter of one name is drawn:
names.svg in the current directory. It takes the extra `examples`: .venv/bin/pip install -e ".[examples]". With
`--backend python` the programs are lines of Python, and take longer.
"""

import argparse
from math import log
from pathlib import Path
from random import Random
from textwrap import fill
from time import perf_counter

from matplotlib import rc_context  # .venv/bin/pip install -e ".[examples]"
from matplotlib.figure import Figure
from numpy import array

from micrograd_plus import Value, jit, softmax, sqrt, value_and_grad, vmap, where
from micrograd_plus.nn import MLP, Adam, Layer, Module, cross_entropy

NAMES = Path(__file__).with_name("names.txt").read_text(encoding="utf-8").split()
LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # the point stands before a name, and behind it
CONTEXT, WIDTH, HEADS, HIDDEN = 8, 16, 4, 64
STEPS, BATCH, RATE, SEED, HELD_OUT = 800, 16, 0.01, 0, 150
TEMPERATURES, MADE, LONGEST = (0.5, 0.75, 1.0), 16, 12
BACKENDS = "llvm", "python"
PICTURE, SHOWN = "names.svg", "natalia"


# The network ----------------------------------------------------------------------------------------------------------


class Transformer(Module):
    """It takes the numbers of up to `context` letters; for each of these, the logits of what may follow it."""

    def __init__(self, generator, context=CONTEXT, width=WIDTH, heads=HEADS, hidden=HIDDEN):
        self.letters, self.places = [
            [[Value(generator.gauss(0.0, 0.1)) for _ in range(width)] for _ in range(n)]
            for n in (len(LETTERS), context)
        ]
        self.attention = Attention(width, heads, generator)
        self.mlp = MLP(width, [hidden, width], activation="relu", seed=generator)
        self.logits = Layer(width, len(LETTERS), "linear", init=small, seed=generator)

    def forward(self, letters):
        rows = self.rows(letters)
        rows = [plus(row, seen) for row, seen in zip(rows, self.attention(rows), strict=True)]
        rows = [plus(row, self.mlp(normed(row))) for row in rows]
        return [self.logits(normed(row)) for row in rows]

    def rows(self, letters):
        """What stands for each letter: the row of that letter and the row of its place, added."""
        return [
            normed(plus(row_of(self.letters, letter), place))
            for letter, place in zip(letters, self.places, strict=False)
        ]


class Attention(Module):
    """Each place looks at those before it and at itself, and takes something from there.

    A head has a part of each row. What a place asks for, its query, is compared with what each place offers, its key;
    the better they fit, the larger is the share of that place's value in what is taken.
    """

    def __init__(self, width, heads, generator):
        self.query, self.key, self.value, self.mix = [Layer(width, width, "linear", seed=generator) for _ in range(4)]
        self.heads = [slice(i * width // heads, (i + 1) * width // heads) for i in range(heads)]

    def forward(self, rows):
        shares, values = self.shares(rows), [self.value(row) for row in rows]
        taken = [[] for _ in rows]
        for head, of_places in zip(self.heads, shares, strict=True):
            for place, of_place in enumerate(of_places):
                columns = zip(*[value[head] for value in values[: place + 1]], strict=True)
                taken[place] += [dot(of_place, column) for column in columns]
        return [self.mix(row) for row in taken]

    def shares(self, rows):
        """For each head and each place: its attention to all places up to there, which adds up to 1."""
        queries, keys = [self.query(row) for row in rows], [self.key(row) for row in rows]
        shares = []
        for head in self.heads:
            size = head.stop - head.start
            fits = [[dot(q[head], k[head]) / size**0.5 for k in keys[: i + 1]] for i, q in enumerate(queries)]
            shares.append([softmax(of_place) for of_place in fits])
        return shares


def row_of(table, i):
    """Row i of a table, by `where`: in a program i is any number, so that all rows are there to choose from."""
    chosen = [i == k for k in range(len(table))]
    columns = zip(*table, strict=True)
    return [total([where(c, x, 0.0) for c, x in zip(chosen, column, strict=True)]) for column in columns]


def normed(row):
    """The row, made so long that the mean of its squares is 1 (Zhang and Sennrich, 2019)."""
    scale = 1.0 / sqrt(dot(row, row) / len(row) + 1e-5)
    return [x * scale for x in row]


def plus(xs, ys):
    return [x + y for x, y in zip(xs, ys, strict=True)]


def dot(xs, ys):
    return total([x * y for x, y in zip(xs, ys, strict=True)])


def total(xs):
    return sum(xs[1:], xs[0])


def small(generator, inputs, outputs):
    return generator.gauss(0.0, 0.02)  # at first no letter is much likelier than another


# What it learns -------------------------------------------------------------------------------------------------------


def windows(name, context):
    """What is asked about a name: the letters that are seen, those that follow them, and what each of these counts.

    A window is as long as the context. In a shorter name, what is behind its end counts 0. A longer name has further
    windows, each of them one letter on, in which the last letter alone counts, as the others were asked before.
    """
    letters = [0, *map(LETTERS.index, name), 0]
    asked = len(letters) - 1
    letters += [0] * (context - asked)
    counts = [float(i < asked) for i in range(context)]
    last = [0.0] * (context - 1) + [1.0]
    starts = range(max(1, asked - context + 1))
    return [(letters[i:][:context], letters[i + 1 :][:context], last if i else counts) for i in starts]


def loss_of(model):
    """The loss of a window, a function that `jit` can compile: the cross-entropies, as far as they count, added up."""

    def loss(numbers, letters, following, counts):
        logits = model.bind(numbers)(letters)
        return total([count * cross_entropy(z, k) for z, k, count in zip(logits, following, counts, strict=True)])

    return loss


def gradients(parameters, learn, batch):
    """The loss per letter of a batch of windows; its gradients are then in the parameters."""
    numbers, asked = data_of(parameters), sum(sum(counts) for _, _, counts in batch)
    loss, slopes = learn(numbers, *[array(part) for part in zip(*batch, strict=True)])
    for parameter, slope in zip(parameters, slopes, strict=True):
        parameter.grad = slope / asked
    return loss / asked


def data_of(parameters):
    return [parameter.data for parameter in parameters]


def mean_loss(answer, numbers, data):
    """The loss per letter, without its gradients."""
    losses = asked = 0.0
    for letters, following, counts in data:
        for logits, letter, count in zip(answer(numbers, letters), following, counts, strict=True):
            losses, asked = losses + count * cross_entropy(logits, letter), asked + count
    return losses / asked


def train(parameters, learn, answer, data, held_out, steps, generator):
    """The loss of each step, and by step that of the names held out, ten times. Ctrl-C ends it."""
    optimizer = Adam(parameters, lr=lambda step: RATE * (1.0 - step / steps))
    some, order, losses, others = max(1, steps // 10), [], [], {}
    print("\n step    loss   of those held out")
    try:
        for step in range(steps + 1):
            if step % some == 0 or step == steps:
                others[step] = mean_loss(answer, data_of(parameters), held_out)
                recent = losses[-some:] or [mean_loss(answer, data_of(parameters), data[:BATCH])]
                print(f"{step:5}  {sum(recent) / len(recent):.4f}   {others[step]:17.4f}", flush=True)
            if step < steps:
                order += generator.sample(data, len(data)) if len(order) < BATCH else []
                batch, order = order[:BATCH], order[BATCH:]
                losses.append(gradients(parameters, learn, batch))
                optimizer.step()
    except KeyboardInterrupt:
        print(f"Interrupted in step {optimizer.steps}")
    return losses, others


# What comes of it -----------------------------------------------------------------------------------------------------


def main(steps=STEPS, backend="llvm", seed=SEED, picture=PICTURE, names=NAMES, held_out=HELD_OUT, shown=SHOWN, **sizes):
    generator = Random(seed)
    model = Transformer(generator, **sizes)
    parameters = model.parameters()
    context, names = len(model.places), generator.sample(names, len(names))
    others, data = [
        [window for name in part for window in windows(name, context)] for part in (names[:held_out], names[held_out:])
    ]
    print(f"{len(parameters)} parameters, {len(names) - held_out} names to learn from, {held_out} held out")

    learn = jit(vmap(value_and_grad(loss_of(model)), in_axes=(None, 0, 0, 0), reduce="sum"), backend)
    answer = jit(lambda numbers, letters: model.bind(numbers)(letters))
    start = perf_counter()
    gradients(parameters, learn, data[:BATCH])
    answer(data_of(parameters), data[0][0])
    print(f"The programs of the loss with its gradient, and of the logits, were made in {perf_counter() - start:.1f} s")
    start = perf_counter()
    losses, curve = train(parameters, learn, answer, data, others, steps, generator)
    seconds = perf_counter() - start
    if not losses:
        return model, losses, []
    eager = eager_seconds(model, data[0]) * BATCH * len(losses)
    print(f"{len(losses)} steps took {seconds:.0f} s. Without jit they would take {eager / 60.0:.0f} min,")
    print(f"extrapolated from 3 of their {BATCH * len(losses)} gradients.")

    new = []
    for temperature in TEMPERATURES:
        made = [invent(answer, data_of(parameters), context, temperature, generator) for _ in range(MADE)]
        new += [name for name in made if name not in names]
        print(f"\n{MADE} names at temperature {temperature} (* is in the list):")
        print(fill(" ".join([name + "*" * (name in names) for name in made]), 100))
    draw(model, losses, curve, shown, picture)
    print(f"\nHow the loss fell, where the heads look, and what is expected is drawn in {picture}")
    return model, losses, new


def eager_seconds(model, window):
    """How long the loss of one window and its gradient take without `jit`: the shortest of three times."""
    numbers, times = data_of(model.parameters()), []
    for _ in range(3):
        start = perf_counter()
        value_and_grad(loss_of(model))(numbers, *window)
        times.append(perf_counter() - start)
    return min(times)


def invent(answer, numbers, context, temperature, generator):
    """A name, letter by letter. Each is drawn from those expected: at a low temperature, nearly always a likely one."""
    letters = [0]
    while len(letters) <= LONGEST:
        seen = letters[-context:]
        logits = answer(numbers, seen + [0] * (context - len(seen)))[len(seen) - 1]
        [letter] = generator.choices(range(len(LETTERS)), softmax([z / temperature for z in logits]))
        if letter == 0:
            break
        letters.append(letter)
    return "".join([LETTERS[letter] for letter in letters[1:]])


def draw(model, losses, curve, shown, picture):
    network = model.bind(model.state_dict())
    seen = f".{shown}"[: len(model.places)]
    letters = [LETTERS.index(letter) for letter in seen]
    attention, chances = network.attention.shares(network.rows(letters)), [softmax(z) for z in network(letters)]
    font = {"font.family": "sans-serif", "font.size": 14, "svg.fonttype": "none", "svg.hashsalt": "names"}
    with rc_context(font):
        figure = Figure((12.0, 7.0), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.0, 1.9])
        top, bottom = right.subfigures(2, 1, height_ratios=[1.0, 1.5])

        axes = left.subplots()
        axes.plot(range(len(losses)), losses, color="#a6cfe6", linewidth=1.0, label="of each step")
        axes.plot(list(curve), list(curve.values()), "o-", color="#000000", linewidth=2.5, label="of names held out")
        axes.axhline(log(len(LETTERS)), color="#d55e00", linewidth=1.5, linestyle="--", label="all letters alike")
        axes.set(title="The loss per letter", xlabel="step")
        axes.legend(frameon=False, loc="upper right", bbox_to_anchor=(1.0, 0.95))
        axes.spines[["top", "right"]].set_visible(False)

        top.suptitle("Where each letter (a row) looks: at itself and at those before it")
        heads = zip(top.subplots(1, len(attention), squeeze=False)[0], attention, strict=True)
        for i, (axes, of_places) in enumerate(heads, start=1):
            rows = [[*of_place, *[0.0] * (len(seen) - len(of_place))] for of_place in of_places]
            axes.imshow(rows, cmap="Blues", vmin=0.0, vmax=1.0)
            axes.set(xticks=range(len(seen)), yticks=range(len(seen)), xticklabels=seen, yticklabels=seen)
            axes.set_title(f"head {i}", fontsize=13)

        axes, edge = bottom.subplots(), {"markeredgecolor": "#e69f00", "markeredgewidth": 2.5}
        shades = axes.imshow(chances, cmap="Blues", vmin=0.0, vmax=0.5, aspect="auto")
        bottom.colorbar(shades, pad=0.01, extend="max")
        for place, letter in enumerate(f"{shown}."[: len(seen)]):
            axes.plot([LETTERS.index(letter)], [place], "s", color="none", markersize=16, **edge)
        axes.set(title="What is expected next, with what probability", xticks=range(len(LETTERS)), xticklabels=LETTERS)
        axes.set(yticks=range(len(seen)), yticklabels=[seen[: place + 1] for place in range(len(seen))])
        figure.savefig(picture, metadata={"Date": None, "Creator": None})


def whole_number(text):
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text!r}")
    return int(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--steps", type=whole_number, default=STEPS, help=f"how long it learns; {STEPS} if not given")
    parser.add_argument("--backend", choices=BACKENDS, default="llvm", help="what the programs are run by")
    options = parser.parse_args()
    main(options.steps, options.backend)
