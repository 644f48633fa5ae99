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
from sklearn.datasets import load_iris, make_moons
from sklearn.model_selection import train_test_split

from micrograd_plus import draw_dot, value_and_grad
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
    assert hand["J"] == library["J"] == exact_loss(**exact)
    h, learnt = Fraction(1, 1024), dict(exact)
    for name in ("w1", "b1", "w2", "b2"):
        above, below = [exact_loss(**exact | {name: exact[name] + step}) for step in (h, -h)]
        slope = (above - below) / (2 * h)  # exact, since J is a parabola in each of its parameters
        assert hand[f"dJ_d{name}"] == library[f"dJ_d{name}"] == slope
        learnt[name] -= slope / 64
    assert after == exact_loss(**learnt) <= exact_loss(**exact)

    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith("✓")]
    assert [line.split()[0] for line in lines[:5]] == ["z1", "a1", "z2", "a2", "J"]
    assert len(lines) == 5 + 8
    for line in lines:
        _, _, in_numbers, results = line.split(" = ")
        for sign, python in ("½", "0.5"), ("²", "**2"), ("·", "*"), ("−", "-"):
            in_numbers, results = in_numbers.replace(sign, python), results.replace(sign, python)
        by_hand, by_library = [float(result) for result in results.split()[:2]]
        assert eval(in_numbers, {"relu": lambda z: max(z, 0.0)}) == pytest.approx(by_hand, rel=1e-5) == by_library
    assert "J" in svg(picture)


def test_the_graph_of_backpropagation_by_hand_is_the_one_in_the_docs():
    example = runpy.run_path(str(EXAMPLES / "backpropagation_by_hand.py"))
    _, J = example["by_library"](**example["NUMBERS"])
    assert draw_dot(J).source == (EXAMPLES.parent / "docs/images/two-layers.gv").read_text(encoding="utf-8")


def test_backpropagation_by_hand_tells_when_the_library_says_something_else(capsys):
    example = runpy.run_path(str(EXAMPLES / "backpropagation_by_hand.py"))
    example["show"]({"dJ_dw2": "dJ_dz2 * a1"}, {"dJ_dz2": 2.0, "a1": 2.0, "dJ_dw2": 4.0}, {"dJ_dw2": 4.5})
    line = " ".join(capsys.readouterr().out.split())
    assert line == "∂J/∂w2 = ∂J/∂z2 · a1 = 2 · 2 = 4 4.5 ✗ they differ"


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


def test_every_example_is_tested():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == [
        "backpropagation_by_hand.py",
        "differential_equation.py",
        "iris.py",
        "moons.py",
        "neuron.py",
        "vanishing_gradients.py",
    ]
