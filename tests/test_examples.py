"""Every example runs, reaches what it says it reaches, and leaves its picture."""

import math
import re
import runpy
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, make_moons
from sklearn.model_selection import train_test_split

from micrograd_plus import draw_dot, jit, value_and_grad, vmap
from micrograd_plus.nn import MLP

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_a_neuron_learns_the_logical_or(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "neuron.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    losses = [float(line.split()[3]) for line in lines if line.startswith("step")]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1
    for line in lines:
        if " or " in line and ": " in line:
            answer, target = float(line.split()[3]), float(line[-2])
            assert abs(answer - target) < 0.25
    picture = (tmp_path / "neuron.svg").read_text(encoding="utf-8")
    assert picture.count("<svg") == 1
    assert ">∂ 0" in picture.replace("\N{NO-BREAK SPACE}", "").replace("&#160;", "")  # w2 is multiplied by 0 there


def svg(path):
    """The text of a picture, all of which is there."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return "\n".join(root.itertext())


def exact_loss(x, y, w1, b1, w2, b2):
    a1 = max(w1 * x + b1, Fraction(0))
    a2 = max(w2 * a1 + b2, Fraction(0))
    return (a2 - y) ** 2 / 2


@pytest.mark.parametrize(
    "numbers",
    [
        {"x": 1.0, "y": 5.0, "w1": 2.0, "b1": 0.0, "w2": 3.0, "b2": 1.0},
        {"x": -1.5, "y": 0.25, "w1": -2.0, "b1": 0.5, "w2": 0.75, "b2": -1.0},
        {"x": -1.5, "y": 0.25, "w1": 2.0, "b1": 0.5, "w2": 0.75, "b2": 1.0},  # nothing passes the first relu
        {"x": 1.0, "y": 0.25, "w1": 2.0, "b1": 0.5, "w2": -0.75, "b2": 1.0},  # nor the second
    ],
)
def test_backpropagation_by_hand_and_by_the_library_are_what_exact_fractions_say(numbers, tmp_path, capsys):
    picture = tmp_path / "graph.svg"
    example = runpy.run_path(str(EXAMPLES / "backpropagation_by_hand.py"))
    hand, library, after = example["main"](numbers, rate=1 / 64, picture=picture)

    exact = {name: Fraction(number) for name, number in numbers.items()}
    assert hand["L"] == library["L"] == exact_loss(**exact)
    h, learnt = Fraction(1, 1024), dict(exact)
    for name in ("w1", "b1", "w2", "b2"):
        above, below = [exact_loss(**exact | {name: exact[name] + step}) for step in (h, -h)]
        slope = (above - below) / (2 * h)  # exact, since L is a parabola in each of its parameters
        assert hand[f"dL_d{name}"] == library[f"dL_d{name}"] == slope
        learnt[name] -= slope / 64
    assert after == exact_loss(**learnt) <= exact_loss(**exact)

    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith("✓")]
    assert [line.split()[0] for line in lines[:5]] == ["z1", "a1", "z2", "ŷ", "L"]
    assert len(lines) == 5 + 8
    for line in lines:
        _, _, in_numbers, results = line.split(" = ")
        for sign, python in ("½", "0.5"), ("²", "**2"), ("·", "*"), ("−", "-"):
            in_numbers, results = in_numbers.replace(sign, python), results.replace(sign, python)
        by_hand, by_library = [float(result) for result in results.split()[:2]]
        assert eval(in_numbers, {"relu": lambda z: max(z, 0.0)}) == pytest.approx(by_hand, rel=1e-5) == by_library
    assert "L" in svg(picture)


def test_the_graph_of_backpropagation_by_hand_is_the_one_in_the_docs():
    example = runpy.run_path(str(EXAMPLES / "backpropagation_by_hand.py"))
    _, L = example["by_library"](**example["NUMBERS"])
    assert draw_dot(L).source == (EXAMPLES.parent / "docs/images/two-layers.gv").read_text(encoding="utf-8")


def test_backpropagation_by_hand_tells_when_the_library_says_something_else(capsys):
    example = runpy.run_path(str(EXAMPLES / "backpropagation_by_hand.py"))
    example["show"]({"dL_dw2": "dL_dz2 * a1"}, {"dL_dz2": 2.0, "a1": 2.0, "dL_dw2": 4.0}, {"dL_dw2": 4.5})
    line = " ".join(capsys.readouterr().out.split())
    assert line == "∂L/∂w2 = ∂L/∂z2 · a1 = 2 · 2 = 4 4.5 ✗ they differ"


@pytest.fixture
def whole(request):
    if not request.config.getoption("--whole"):
        pytest.skip("the whole run takes longer: --whole")


def answers(model, inputs):
    """What an MLP with tanh answers to each of the inputs, by matrices."""
    for layer in model.layers:
        weights = np.array([[weight.data for weight in neuron.weights] for neuron in layer.neurons])
        inputs = inputs @ weights.T + [neuron.bias.data for neuron in layer.neurons]
        if layer is not model.layers[-1]:
            inputs = np.tanh(inputs)
    return inputs


def check_moons(model, losses, epochs, out):
    """The last row of the table is what matrices say of that model; the share of the 200 points that are right."""
    points, classes = make_moons(200, noise=0.1, random_state=1)
    new_points, new_classes = make_moons(1000, noise=0.1, random_state=2)
    logits, new_logits = answers(model, points)[:, 0], answers(model, new_points)[:, 0]
    right, new_right = np.mean((logits > 0.0) == classes), np.mean((new_logits > 0.0) == new_classes)
    loss = np.mean(np.where(classes == 1, np.log1p(np.exp(-logits)), np.log1p(np.exp(logits))))
    assert len(losses) == epochs
    assert out.splitlines()[-2].split() == [str(epochs), f"{loss:.4f}", f"{right:.1%}", f"{new_right:.1%}"]
    return right


def test_a_network_learns_the_moons(tmp_path, capsys):
    picture = tmp_path / "two.svg"
    model, losses = runpy.run_path(str(EXAMPLES / "moons.py"))["main"](epochs=3, picture=picture)
    out, bar = capsys.readouterr()
    right = check_moons(model, losses, 3, out)
    assert "10/10" in bar
    assert "20/20" in bar
    assert right > 0.8
    assert losses[-1] < 0.8 * losses[0]
    rows = [line.split() for line in out.splitlines()[2:-1]]
    assert [row[0] for row in rows] == ["0", "1", "3"]
    assert float(rows[0][1]) > float(rows[1][1]) > float(rows[2][1])
    text = svg(picture)
    assert "after 1 epoch" in text
    assert "after 3 epochs" in text


def test_the_moons_are_found(tmp_path, capsys, whole):
    picture = tmp_path / "two.svg"
    model, losses = runpy.run_path(str(EXAMPLES / "moons.py"))["main"](picture=picture)
    assert check_moons(model, losses, 60, capsys.readouterr().out) >= 0.98
    assert picture.stat().st_size < 150_000


def test_the_line_in_the_picture_of_the_moons_is_where_the_answer_changes(tmp_path):
    def network(x):
        return x[0] - 0.5

    example, picture = runpy.run_path(str(EXAMPLES / "moons.py")), tmp_path / "line.svg"
    example["draw"]({0: network, 1: network, 2: network}, example["moons"](20, 1), [2.0, 1.0], picture)
    text = picture.read_text(encoding="utf-8")
    dashed = max(re.findall(r'd="([^"]*)"[^>]*?stroke-dasharray[^>]*?stroke-width: 2.5', text), key=len)
    line = np.array(re.findall(r"[ML] (\S+) (\S+)", dashed), dtype=float)
    assert len(line) > 10
    assert np.ptp(line[:, 0]) < 0.01  # from bottom to top
    assert np.ptp(line[:, 1]) > 100.0


def check_iris(model, out):
    """The printed answers are what matrices say of that model; the answers for all flowers, and which are held out."""
    iris = load_iris()
    learnt, held_out = train_test_split(range(150), test_size=50, stratify=iris.target, random_state=0)
    x = (iris.data - iris.data[learnt].mean(axis=0)) / iris.data[learnt].std(axis=0)
    logits = answers(model, x)
    found = logits.argmax(axis=1)
    right = found == iris.target
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[range(150), iris.target]
    rows = [line.split() for line in out.splitlines()]
    assert [f"{losses[learnt].mean():.4f}", f"{right[learnt].mean():.1%}", f"{right[held_out].mean():.1%}"] == rows[3][
        1:
    ]
    for kind, row in enumerate(rows[6:9]):
        of_kind = found[[i for i in held_out if iris.target[i] == kind]]
        assert row == [f"{len(of_kind)}", "are", iris.target_names[kind], *[f"{sum(of_kind == k)}" for k in range(3)]]
    return found, right, held_out


def test_a_network_learns_the_irises(tmp_path, capsys):
    pictures = {"picture": tmp_path / "flowers.svg", "neuron_picture": tmp_path / "neuron.svg"}
    model, losses = runpy.run_path(str(EXAMPLES / "iris.py"))["main"](epochs=5, **pictures)
    out, bar = capsys.readouterr()
    found, right, _ = check_iris(model, out)
    assert "50/50" in bar  # steps: those held out are in none of the ten batches of ten
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 * losses[0]
    assert right.mean() > 0.8

    assert "virginica" in svg(pictures["picture"])
    text = pictures["picture"].read_text(encoding="utf-8")
    for kind, colour in enumerate(["#0072b2", "#e69f00", "#009e73"]):  # a flower has the colour of the answer
        assert len(re.findall(f"<use [^>]*fill: {colour}; stroke: #000000", text)) == sum(found == kind)
    rings = re.findall("<use [^>]*fill-opacity: 0; stroke: #000000; stroke-width: 2", text)
    assert len(rings) == sum(~right) + 1  # and one in the legend


def test_the_drawn_neuron_shows_the_gradients_that_flow_through_it(tmp_path):
    pictures = {"picture": tmp_path / "flowers.svg", "neuron_picture": tmp_path / "neuron.svg"}
    runpy.run_path(str(EXAMPLES / "iris.py"))["main"](epochs=2, **pictures)
    text = svg(pictures["neuron_picture"]).replace("\N{NO-BREAK SPACE}", " ")
    numbers = {
        name: (float(data), float(grad))
        for name, data, grad in re.findall(r"^([a-z][\w. ]*)\s+data\s+(\S+)\s+grad\s+(\S+)$", text, re.MULTILINE)
    }
    assert len(numbers) == 9
    _, slope = numbers["bias"]
    for i, name in enumerate(["sepal length", "sepal width", "petal length", "petal width"]):
        (weight, weight_grad), (x, x_grad) = numbers[f"weights.{i}"], numbers[name]
        assert weight_grad == pytest.approx(slope * x, rel=2e-3)
        assert x_grad == pytest.approx(slope * weight, rel=2e-3)


def test_the_irises_are_told_apart(tmp_path, capsys, whole):
    pictures = {"picture": tmp_path / "flowers.svg", "neuron_picture": tmp_path / "neuron.svg"}
    model, losses = runpy.run_path(str(EXAMPLES / "iris.py"))["main"](**pictures)
    _, right, held_out = check_iris(model, capsys.readouterr().out)
    assert right[held_out].mean() >= 0.95
    assert losses[-1] < 0.1 * losses[0]
    assert pictures["picture"].stat().st_size < 150_000


def test_a_network_learns_the_digits(tmp_path, capsys):
    picture = tmp_path / "read.svg"
    model, losses = runpy.run_path(str(EXAMPLES / "digits.py"))["main"](epochs=2, picture=picture)
    out, bar = capsys.readouterr()
    found, right, held_out = check_digits(model, out)
    assert "90/90" in bar  # steps: 1437 digits are 45 batches, the last of them of 29
    assert losses[1] < 0.6 * losses[0]
    assert right[held_out].mean() > 0.8

    text = svg(picture)
    wrong = [i for i in held_out if not right[i]]
    assert f"{len(wrong)} of 360 misread, the surest first" in text
    target = load_digits().target
    shown = re.findall(r"(\d) as (\d): (\d+)%", text)
    assert len(shown) == min(12, len(wrong))
    assert {(int(digit), int(answer)) for digit, answer, _ in shown} <= {(target[i], found[i]) for i in wrong}
    chances = [int(chance) for _, _, chance in shown]
    assert chances == sorted(chances, reverse=True)


def check_digits(model, out):
    """The printed answers are what matrices say of that model; the answers for all digits, and which are held out."""
    images, target = load_digits(return_X_y=True)
    learnt, held_out = train_test_split(range(1797), test_size=360, stratify=target, random_state=0)
    logits = images / 16.0
    for layer in model.layers:
        weights = np.array([[weight.data for weight in neuron.weights] for neuron in layer.neurons])
        logits = logits @ weights.T + [neuron.bias.data for neuron in layer.neurons]
        if layer is model.layers[0]:
            logits = np.maximum(logits, 0.0)
    found = logits.argmax(axis=1)
    right = found == target
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[range(1797), target]
    rows = [line.split() for line in out.splitlines()]
    shown = [f"{losses[learnt].mean():.4f}", f"{right[learnt].mean():.1%}", f"{right[held_out].mean():.1%}"]
    assert rows[3][1:] == shown
    for digit, row in enumerate(rows[6:16]):
        of_digit = found[[i for i in held_out if target[i] == digit]]
        assert row == [f"{len(of_digit)}", "are", f"{digit}", *[f"{sum(of_digit == k)}" for k in range(10)]]
    return found, right, held_out


def test_the_picture_of_the_digits_shows_a_colour_for_right_and_one_for_wrong(tmp_path):
    example, picture = runpy.run_path(str(EXAMPLES / "digits.py")), tmp_path / "read.svg"

    def network(x):  # takes each image for the digit that is its first number, and the 3 for a 5
        return [10.0 * (k == (5.0 if x[0] == 3.0 else x[0])) for k in range(10)]

    for digits, wrong, title in ((range(10), 1, "1 of 10 misread"), ([0, 1, 2], 0, "0 of 3 misread")):
        held_out = [([float(digit), *[0.5] * 63], digit) for digit in digits]
        table = example["confusion"](network, held_out)
        assert sum(map(sum, table)) == len(held_out)
        assert table[3][3] == 0
        example["draw"](network, table, held_out, picture)
        text = picture.read_text(encoding="utf-8")
        assert text.count("fill: #e69f00") == wrong
        assert text.count("fill: #cce3f0") == len(held_out) - wrong
        assert title in svg(picture)


def test_the_digits_are_read(tmp_path, capsys, whole):
    picture = tmp_path / "read.svg"
    model, losses = runpy.run_path(str(EXAMPLES / "digits.py"))["main"](picture=picture)
    _, right, held_out = check_digits(model, capsys.readouterr().out)
    assert len(losses) == 20
    assert right[held_out].mean() >= 0.95
    assert picture.stat().st_size < 150_000


SMALL = {"context": 4, "width": 4, "heads": 2, "hidden": 5}


def transformer(numbers, letters):
    """What the transformer of that state answers to letters, by matrices of real or complex numbers."""

    def matrix(name, rows, columns):
        return np.array([[numbers[name.format(i, k)] for k in range(columns)] for i in range(rows)])

    def layer(x, name, width):
        weights = matrix(f"{name}.neurons.{{}}.weights.{{}}", width, x.shape[1])
        return x @ weights.T + np.array([numbers[f"{name}.neurons.{i}.bias"] for i in range(width)])

    def normed(x):
        return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5)

    x = normed(matrix("letters.{}.{}", 27, 4)[letters] + matrix("places.{}.{}", 4, 4)[: len(letters)])
    query, key, value = [layer(x, f"attention.{name}", 4).reshape(-1, 2, 2) for name in ("query", "key", "value")]
    seen = np.tril(np.ones((len(letters), len(letters))))
    shares = np.exp(np.einsum("ihk,jhk->hij", query, key) / np.sqrt(2.0)) * seen
    shares = shares / shares.sum(axis=2, keepdims=True)
    x = x + layer(np.einsum("hij,jhk->ihk", shares, value).reshape(-1, 4), "attention.mix", 4)
    hidden = layer(normed(x), "mlp.layers.0", 5)
    x = x + layer(np.where(hidden.real > 0.0, hidden, 0.0), "mlp.layers.1", 4)
    return layer(normed(x), "logits", 27), shares


def transformer_loss(numbers, letters, following, counts):
    logits, _ = transformer(numbers, letters)
    return np.sum(counts * (np.log(np.exp(logits).sum(axis=1)) - logits[range(len(letters)), following]))


def test_the_loss_of_a_transformer_and_its_gradient_are_what_matrices_say():
    example = runpy.run_path(str(EXAMPLES / "names.py"))
    model = example["Transformer"](Random(2), **SMALL)
    state, generator = model.state_dict(), Random(3)
    state = {name: number + generator.gauss(0.0, 0.5) for name, number in state.items()}
    loss = example["loss_of"](model)
    compiled = jit(value_and_grad(loss))
    for name in ("bo", "olga"):
        for window in example["windows"](name, 4):
            expected = [transformer_loss(state | {name: state[name] + 1e-30j}, *window).imag / 1e-30 for name in state]
            for run in (value_and_grad(loss), compiled):
                value, gradient = run(list(state.values()), *window)
                assert value == pytest.approx(transformer_loss(state, *window), rel=1e-12)
                assert gradient == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_drawn_attention_is_that_of_matrices():
    example = runpy.run_path(str(EXAMPLES / "names.py"))
    model = example["Transformer"](Random(2), **SMALL)
    network = model.bind(list(model.state_dict().values()))
    letters = [0, 14, 12, 7]
    _, expected = transformer(model.state_dict(), letters)
    shares = network.attention.shares(network.rows(letters))
    for head, of_places in zip(expected, shares, strict=True):
        for place, of_place in enumerate(of_places):
            assert of_place == pytest.approx(head[place, : place + 1], rel=1e-12)


def test_a_later_letter_changes_nothing_that_is_expected_before_it():
    model = runpy.run_path(str(EXAMPLES / "names.py"))["Transformer"](Random(2), **SMALL)
    network = model.bind(list(model.state_dict().values()))
    first, second = network([0, 14, 12, 7]), network([0, 14, 1, 0])
    assert first[:2] == second[:2]
    assert all(a != b for a, b in zip(first[2:], second[2:], strict=True))
    assert network([0, 14]) == first[:2]


@pytest.mark.parametrize("name", ["al", "ana", "anna", "annaba", "annabella"])
def test_each_letter_of_a_name_is_asked_once_after_those_before_it(name):
    windows = runpy.run_path(str(EXAMPLES / "names.py"))["windows"](name, 4)
    asked = []
    for letters, following, counts in windows:
        assert len(letters) == len(following) == len(counts) == 4
        for place in range(4):
            assert counts[place] in (0.0, 1.0)
            if counts[place]:
                asked.append((letters[: place + 1], following[place]))
    numbers = [0, *[ord(letter) - ord("a") + 1 for letter in name], 0]
    assert asked == [(numbers[max(0, end - 4) : end], numbers[end]) for end in range(1, len(numbers))]


def test_the_list_of_names_is_in_order():
    names = (EXAMPLES / "names.txt").read_text(encoding="utf-8").split("\n")
    assert names.pop() == ""
    assert len(names) == 1500
    assert names == sorted(set(names))
    assert all(re.fullmatch("[a-z]{3,10}", name) for name in names)
    assert "natalia" not in names  # the picture shows what is expected in a name that is new to it


def test_a_transformer_learns_names(tmp_path, capsys):
    example, picture = runpy.run_path(str(EXAMPLES / "names.py")), tmp_path / "heads.svg"
    names = ["ana", "anna", "hana", "hanna", "nana"] * 10
    model, losses, new = example["main"](steps=60, picture=picture, names=names, held_out=10, shown="hannah", **SMALL)
    assert len(losses) == 60
    assert losses[0] == pytest.approx(math.log(27), abs=0.1)
    assert sum(losses[-6:]) / 6 < 0.5 * losses[0]
    assert set("".join(new)) <= set("abcdefghijklmnopqrstuvwxyz")
    assert not set(new) & set(names)

    out = capsys.readouterr().out
    assert out.startswith(f"{len(model.parameters())} parameters, 40 names to learn from, 10 held out\n")
    rows = [line.split() for line in out.splitlines() if re.fullmatch(r" +\d+  \d\.\d{4}   +\d\.\d{4}", line)]
    assert [int(row[0]) for row in rows] == list(range(0, 61, 6))
    for row, start in zip(rows[1:], range(0, 60, 6), strict=True):
        assert float(row[1]) == pytest.approx(sum(losses[start : start + 6]) / 6, abs=5e-5)
    assert float(rows[0][2]) == pytest.approx(math.log(27), abs=0.1)
    assert float(rows[-1][2]) < 0.5 * float(rows[0][2])
    assert "min,\nextrapolated from 3 of their 960 gradients." in out  # 60 batches of 16
    lines = re.findall(r"^16 names at temperature (\S+) .*\n(.*(?:\n[a-z].*)*)", out, re.MULTILINE)
    assert [temperature for temperature, _ in lines] == ["0.5", "0.75", "1.0"]
    for _, line in lines:
        for name in line.split():
            assert name.endswith("*") == (name.strip("*") in names)
            assert name.endswith("*") or name in new
    text = svg(picture)
    assert "all letters alike" in text
    assert re.findall(r"^\s*\.(\w*)$", text, re.MULTILINE).count("han") == 1  # as long as the context


def test_a_letter_that_does_not_count_has_no_share_in_the_mean_loss():
    example = runpy.run_path(str(EXAMPLES / "names.py"))
    model = example["Transformer"](Random(2), **SMALL)
    data = [window for name in ("al", "anna") for window in example["windows"](name, 4)]
    state = model.state_dict()
    asked = 3 + 5  # and a point behind each
    expected = sum(transformer_loss(state, *window) for window in data) / asked
    numbers = list(state.values())

    def answer(numbers, letters):
        return model.bind(numbers)(letters)

    assert example["mean_loss"](answer, numbers, data) == pytest.approx(expected, rel=1e-12)
    for backend in ("python", "llvm"):
        learn = jit(vmap(value_and_grad(example["loss_of"](model)), in_axes=(None, 0, 0, 0), reduce="sum"), backend)
        assert example["gradients"](model.parameters(), learn, data) == pytest.approx(expected, rel=1e-12)
        for name, parameter in model.named_parameters()[::10]:
            slope = sum(transformer_loss(state | {name: state[name] + 1e-30j}, *window).imag for window in data) / 1e-30
            assert parameter.grad == pytest.approx(slope / asked, rel=1e-9, abs=1e-12)


def test_names_held_out_are_not_learnt_from(tmp_path):
    example = runpy.run_path(str(EXAMPLES / "names.py"))
    gradients, mean_loss, learnt, asked = example["gradients"], example["mean_loss"], [], []

    def learning(parameters, learn, batch):
        learnt.extend(batch)
        return gradients(parameters, learn, batch)

    def asking(answer, numbers, data):
        asked.append(data)
        return mean_loss(answer, numbers, data)

    example["main"].__globals__.update(gradients=learning, mean_loss=asking)
    names = [letter + "na" for letter in "bcdfghjklmnprstv"]
    example["main"](steps=2, picture=tmp_path / "heads.svg", names=names, held_out=4, **SMALL)
    assert asked[-1] == asked[0]
    held_out, learnt = [{tuple(letters) for letters, _, _ in data} for data in (asked[0], learnt)]
    assert len(held_out) == 4
    assert len(learnt) == 12
    assert held_out.isdisjoint(learnt)


def test_a_name_ends_at_the_point_and_is_no_longer_than_it_may_be():
    invent = runpy.run_path(str(EXAMPLES / "names.py"))["invent"]
    seen = []

    def answer(numbers, letters):  # after k letters, letter k + 1 is certain, and after four the end
        seen.append(letters)
        return [[100.0 * (i == (letter + 1) % 5) for i in range(27)] for letter in letters]

    assert invent(answer, [], 3, 1.0, Random(1)) == "abcd"
    assert seen == [[0, 0, 0], [0, 1, 0], [0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert len(invent(lambda numbers, letters: [[0.0, 100.0, *[0.0] * 25]] * 3, [], 3, 1.0, Random(1))) == 12


def test_a_temperature_makes_likely_letters_likelier_or_less_so():
    invent = runpy.run_path(str(EXAMPLES / "names.py"))["invent"]
    chances = [0.5, 0.25, 0.25]

    def answer(numbers, letters):  # a point, an a, or a b, and then the end
        logits = [math.log(chance) for chance in chances] if letters == [0] else [0.0, -1e9, -1e9]
        return [[*logits, *[-1e9] * 24]]

    generator = Random(1)
    for temperature, expected in ((1.0, 0.5), (0.5, 2 / 3), (2.0, 1 / (1 + math.sqrt(2)))):
        empty = sum(invent(answer, [], 1, temperature, generator) == "" for _ in range(4000)) / 4000
        assert empty == pytest.approx(expected, abs=0.04)  # five standard deviations


def test_ctrl_c_ends_the_learning_of_names_and_shows_what_was_learnt(tmp_path, capsys):
    example = runpy.run_path(str(EXAMPLES / "names.py"))
    gradients, calls = example["gradients"], []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 5:  # the first makes the program
            raise KeyboardInterrupt
        return gradients(*arguments)

    example["main"].__globals__["gradients"] = interrupted
    _, losses, _ = example["main"](picture=tmp_path / "heads.svg", names=["ana", "anna"] * 10, held_out=5, **SMALL)
    assert len(losses) == 3
    assert "Interrupted in step 3\n3 steps took" in capsys.readouterr().out
    assert "all letters alike" in svg(tmp_path / "heads.svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "argument --steps: expected a whole number from 1 up, got '0'"),
        (["--steps", "many"], "argument --steps: expected a whole number from 1 up, got 'many'"),
        (["--backend", "cuda"], "argument --backend: invalid choice: 'cuda' (choose from"),
        (["natalia"], "unrecognized arguments: natalia"),
    ],
)
def test_what_names_cannot_be_asked_is_told_in_a_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["names.py", *arguments])
    with pytest.raises(SystemExit):
        runpy.run_path(str(EXAMPLES / "names.py"), run_name="__main__")
    assert message in capsys.readouterr().err


def test_a_transformer_makes_up_names(tmp_path, capsys, whole):
    picture = tmp_path / "heads.svg"
    _, losses, new = runpy.run_path(str(EXAMPLES / "names.py"))["main"](picture=picture)
    rows = re.findall(r"^ +\d+  \d\.\d{4}   +(\d\.\d{4})$", capsys.readouterr().out, re.MULTILINE)
    assert losses[0] == pytest.approx(math.log(27), abs=0.1)
    assert sum(losses[-80:]) / 80 < 2.4
    assert float(rows[-1]) < 2.5
    assert len(new) > 30
    assert picture.stat().st_size < 150_000


def test_the_gallery_shows_the_pictures_that_the_examples_leave():
    docs = EXAMPLES.parent / "docs"
    shown = re.findall(r"\(images/gallery/([^)]+)\)", (docs / "gallery.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.name for path in (docs / "images" / "gallery").iterdir())


def test_a_network_approaches_the_solution_of_a_differential_equation(tmp_path, capsys):
    picture = tmp_path / "curves.svg"
    losses, error = runpy.run_path(str(EXAMPLES / "differential_equation.py"))["main"](steps=60, picture=picture)
    assert len(losses) == 60
    assert losses[-1] < 0.05 * losses[0]
    assert error < 0.25  # exp(-x) is between 0.13 and 1
    out = capsys.readouterr().out
    rows = [[float(number) for number in line.split()] for line in out.splitlines() if line[:2] in ("0.", "1.", "2.")]
    assert [row[0] for row in rows] == [i / 4 for i in range(9)]
    for x, u, solution, _, minus_u in rows:
        assert solution == pytest.approx(math.exp(-x), abs=5e-5)
        assert abs(u - solution) < error + 1e-4
        assert minus_u == -u
    assert f"is {error:.1e}." in out
    assert "u′(x)" in svg(picture)


def test_the_gradient_of_a_loss_with_a_derivative_in_it_is_right_by_either_way():
    loss = runpy.run_path(str(EXAMPLES / "differential_equation.py"))["loss"]
    u = MLP(1, [8, 1], activation="tanh", seed=5)
    weights = np.array([w.data for w in u.parameters()])

    def formula(weights):
        """The loss with u' written out."""
        a, b, c, d = weights[0:16:2], weights[1:16:2], weights[16:24], weights[24]
        x = np.linspace(0.0, 2.0, 16)
        bent = np.tanh(np.outer(x, a) + b)
        residuals = (1.0 - bent**2) @ (a * c) + bent @ c + d
        return (residuals**2).mean() + (np.tanh(b) @ c + d - 1.0) ** 2

    steps = 1e-30j * np.eye(25)
    expected = [formula(weights + step).imag / 1e-30 for step in steps]
    value, gradient = value_and_grad(lambda numbers: loss(u.bind(numbers)))(u.state_dict())
    total = loss(u)
    total.backward()
    assert value == pytest.approx(formula(weights), rel=1e-13)
    assert total.data == value
    assert list(gradient.values()) == pytest.approx(expected, rel=1e-11, abs=1e-14)
    assert [w.grad for w in u.parameters()] == pytest.approx(expected, rel=1e-11, abs=1e-14)


def test_a_network_solves_a_differential_equation(tmp_path, whole):
    example = runpy.run_path(str(EXAMPLES / "differential_equation.py"))
    losses, error = example["main"](picture=tmp_path / "curves.svg")
    assert error < 3e-3
    assert losses[-1] < 1e-4
    assert (tmp_path / "curves.svg").stat().st_size < 150_000


def test_gradients_vanish_through_small_sigmoids_and_stay_with_tanh_and_relu(tmp_path, capsys):
    pictures = {"picture": tmp_path / "vanishing.svg", "chain_picture": tmp_path / "chain.svg"}
    reports, slope = runpy.run_path(str(EXAMPLES / "vanishing_gradients.py"))["main"](width=8, samples=3, **pictures)
    exploded, relu, tanh, sigmoid, small = reports.values()
    for report in reports.values():
        assert len(report) == 12
    for report in (relu, tanh):
        assert max(row.mean for row in report) < 100.0 * min(row.mean for row in report)
    assert small[0].mean < 1e-18 * small[-1].mean
    for report in (sigmoid, small):
        for row, following in pairwise(report):
            assert row.mean < 0.6 * following.mean
    assert exploded[0].mean > 1e4 * relu[0].mean
    assert slope == 0.25**12

    out = capsys.readouterr().out
    for name, report in reports.items():
        assert f"{name}\n{report}\n" in out
        assert name in svg(pictures["picture"])
    counts = [int(line.split()[6]) for line in out.splitlines() if line.startswith("A step")]
    assert counts[2:] == [0, 0, 64]
    assert "(1/4)**12 = 5.96e-08" in out
    assert "0.01**12 times that, 5.96e-32" in out

    chain = pictures["chain_picture"].read_text(encoding="utf-8")
    assert chain.count('class="node"') == 13
    assert chain.count('class="edge"') == chain.count("∂ 0.25") == 12
    fills = re.findall(r'fill="(#[0-9a-f]{6})" stroke="#555555"', chain)
    assert len(set(fills)) == 13
    assert fills == sorted(fills, reverse=True)  # each a little darker than the one before


def test_gradients_of_any_smallness_are_what_matrices_say():
    example = runpy.run_path(str(EXAMPLES / "vanishing_gradients.py"))
    model = example["network"]("sigmoid", example["small"], layers=12, width=4, samples=2, seed=3)
    generator = Random(3)
    MLP(4, [4] * 12, "sigmoid", "sigmoid", init=example["small"], seed=generator)  # takes its weights from there
    inputs, targets = np.array([generator.gauss(0.0, 1.0) for _ in range(16)]).reshape(2, 2, 4)
    weights = [np.array([[w.data for w in neuron.weights] for neuron in layer.neurons]) for layer in model.layers]
    outputs = [inputs]
    for matrix in weights:
        outputs.append(1.0 / (1.0 + np.exp(-outputs[-1] @ matrix.T)))
    error = 2.0 * (outputs[-1] - targets) / targets.size
    for layer, matrix, before, after in reversed(list(zip(model.layers, weights, outputs, outputs[1:], strict=False))):
        error = error * after * (1.0 - after)
        gradient = np.array([[w.grad for w in neuron.weights] for neuron in layer.neurons])
        np.testing.assert_allclose(gradient, error.T @ before, rtol=1e-11)
        np.testing.assert_allclose([neuron.bias.grad for neuron in layer.neurons], error.sum(axis=0), rtol=1e-11)
        error = error @ matrix
    assert 0.0 < np.abs(gradient).max() < 1e-24


def test_regressions_come_out_as_certified():
    """At least 10 digits of every parameter, from both starting points: 11 are certified."""
    example = runpy.run_path(str(EXAMPLES / "regression.py"))
    assert len(example["SETS"]) == len(example["MODELS"]) == 27
    for name in ("Misra1a", "Lanczos3", "MGH17", "MGH10", "ENSO", "Thurber", "Nelson", "Bennett5"):
        for start in example["SETS"][name]["starts"]:
            parameters, method = example["fitted"](name, start)
            assert method in ("lm", "trf")
            assert example["digits"](parameters, example["SETS"][name]["certified"]) > 10.0, name


@pytest.mark.parametrize("wrong", [1e-3, 1e-9])
def test_digits_are_those_of_the_worst_parameter(wrong):
    digits = runpy.run_path(str(EXAMPLES / "regression.py"))["digits"]
    assert digits([1.0, 2.0 * (1.0 + wrong)], [1.0, 2.0]) == pytest.approx(-math.log10(wrong))
    assert digits([1.0, 2.0], [1.0, 2.0]) == 11.0


def test_every_example_is_tested():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == [
        "backpropagation_by_hand.py",
        "differential_equation.py",
        "digits.py",
        "iris.py",
        "moons.py",
        "names.py",
        "neuron.py",
        "regression.py",
        "tiny.py",
        "vanishing_gradients.py",
    ]
