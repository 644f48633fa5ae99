"""What a notebook shows; and the tour, which is run anew and shows today what it showed when it was saved."""

import os
import re
import subprocess
import sys
import warnings
from base64 import b64decode
from pathlib import Path
from xml.etree import ElementTree

import pytest

import micrograd_plus as mg
from micrograd_plus import Value, nn
from micrograd_plus.draw import engines


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def cells(html):
    """The rows of the table, which is well-formed."""
    table = ElementTree.fromstring(re.match(r"<table>.*?</table>", html, re.DOTALL)[0])
    return [[cell.text or "" for cell in row] for row in table.iter("tr")]


def picture(html):
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    return found and "".join(ElementTree.fromstring(b64decode(found[1])).itertext())


def test_a_value_shows_its_numbers_and_the_graph_that_led_to_it():
    x = Value(3.0, tangent=1.0, label="x")
    y = mg.sin(x) * x
    y.label = "<y> & co"
    y.backward()
    html = y._repr_html_()
    assert cells(html) == [["label", "data", "tangent", "grad"], ["<y> & co", repr(y.data), repr(y.tangent), "1.0"]]
    assert "sin(x)" in picture(html).replace("\N{NO-BREAK SPACE}", " ")
    assert cells(x._repr_html_()) == [["label", "data", "tangent", "grad"], ["x", "3.0", "1.0", repr(x.grad)]]
    assert picture(x._repr_html_()) is None, "an input has no graph"


def test_a_large_graph_is_not_drawn_and_not_walked():
    x = y = Value(1.0)
    for _ in range(300_000):
        y = y + x
    assert picture(y._repr_html_()) is None
    assert cells(y._repr_html_())[1] == ["300001.0", "0.0"]


def test_up_to_24_values_are_drawn_and_no_more():
    y = Value(0.5)
    for _ in range(23):
        y = mg.sin(y)
    assert picture(y._repr_html_()) is not None
    assert picture(mg.sin(y)._repr_html_()) is None


@pytest.mark.parametrize("failure", ["none", "broken", "unknown"])
def test_without_an_engine_the_numbers_are_shown_alone(failure, monkeypatch):
    if failure == "unknown":
        monkeypatch.setenv("MICROGRAD_PLUS_ENGINE", "pencil")
    else:
        found = {"none": [], "broken": ["/no/such/program"]}[failure]
        monkeypatch.setattr(engines, "ENGINES", {name: lambda: found for name in engines.ENGINES})
    y = Value(3.0) * 2.0
    assert cells(y._repr_html_()) == [["data", "grad"], ["6.0", "0.0"]]
    assert picture(y._repr_html_()) is None


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.0, 5e-324])
def test_any_number_is_shown(number):
    assert cells((Value(1.0) * number)._repr_html_())[1][0] == repr(number)


def test_any_label_is_shown():
    y = Value(1.0) + 1.0
    y.label = "\0<script>\ud800\u202e" + "x" * 1000
    html = y._repr_html_()
    assert "<script" not in html
    assert len(cells(html)[1][0]) == 300
    html.encode()


def test_a_value_of_a_transform_and_of_a_program_is_shown():
    shown = []

    def f(x):
        shown.append((x * x)._repr_html_())
        return x * x

    mg.grad(mg.grad(f))(3.0)
    mg.jit(mg.grad(f))(3.0)
    assert len(shown) == 2
    assert cells(shown[0])[1] == ["9.0", "0.0"]


def test_a_network_shows_its_layers():
    model = nn.MLP(2, [4, 1], activation="tanh", seed=1)
    rows = cells(model._repr_html_())
    assert rows[0] == ["layer", "module", "parameters"]
    assert rows[1:] == [
        ["layers.0", "Layer(2, 4, 'tanh')", "12"],
        ["layers.1", "Layer(4, 1, 'linear')", "5"],
        ["", "MLP(2, [4, 1], 'tanh', 'linear')", "17"],
    ]
    assert cells(model.bind([0.0] * 17)._repr_html_()) == rows


def test_a_report_shows_a_table_and_its_plot_a_picture_by_itself():
    model = nn.MLP(2, [4, 1], activation="tanh", seed=1)
    model([1.0, -1.0]).backward()
    report = nn.gradient_report(model)
    rows = cells(report._repr_html_())
    assert [row[0] for row in rows] == ["layer", "layers.0", "layers.1"]
    assert float(rows[1][2]) == pytest.approx(report[0].mean, rel=0.01)
    assert report.plot()._repr_png_().startswith(b"\x89PNG")


PASTED = """
>>> from micrograd_plus import Value
>>> x = Value(3.0)
>>> def square(x):
...     return x * x
...
>>> (square(x) * 2.0).backward()
>>> x.grad
the page's number

>>> for step in range(2):
...     print(f"step {step}")
step 7
...
>>> x.data
"""


CODE = "x = '>>> 1'; x\nfor step in range(2):\n  print(f'step {step}')\n3.0"


@pytest.mark.parametrize(
    ("text", "first"), [(PASTED, "12.0"), (CODE, "'>>> 1'")], ids=["with its output", "code alone"]
)
def test_an_example_is_pasted_as_it_stands_and_shows_its_own_results(text, first, tmp_path):
    pytest.importorskip("IPython", reason="pip install ipython")
    ipython = [sys.executable, "-m", "IPython", "--ext", "micrograd_plus.explore.play", "--colors=NoColor"]
    env = os.environ | {"IPYTHONDIR": str(tmp_path)}
    run = subprocess.run([*ipython, "-c", text], capture_output=True, text=True, check=True, env=env)
    shown = [re.sub(r"^Out\[\d+\]: ", "", line) for line in run.stdout.splitlines() if line]
    assert shown == [first, "step 0", "step 1", "3.0"]


# The tour ------------------------------------------------------------------------------------------------------------

NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")


@pytest.fixture(scope="module")
def tour():
    """The code cells of the tour, as saved and as run anew."""
    nbformat = pytest.importorskip("nbformat", reason="pip install nbformat nbclient ipykernel")
    sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))
    import make_tour

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the machinery of notebooks warns of is not ours
        saved, anew = nbformat.read(make_tour.TOUR, as_version=4), make_tour.executed()
    pairs = zip(saved.cells, anew.cells, strict=True)
    return [(cell, again) for cell, again in pairs if cell.cell_type == "code"]


def shown(cell):
    """What a cell shows, by kind: its texts, and of its pictures that they are some."""
    found = {}
    for output in cell.outputs:
        data = {output.name: output.text} if output.output_type == "stream" else output.data
        for kind, text in data.items():
            if kind.startswith("image/"):
                assert text.lstrip().startswith(("<?xml", "iVBOR")), "this is no picture"
                text = "a picture"
            found[kind] = found.get(kind, "") + re.sub(r'src="[^"]*"', "", text)
    return found


def test_the_tour_shows_today_what_it_showed_when_it_was_saved(tour):
    for saved, anew in tour:
        if "live" in saved.metadata.get("tags", []):
            continue
        before, now = shown(saved), shown(anew)
        texts = [{kind: NUMBER.sub("#", text) for kind, text in x.items()} for x in (before, now)]
        assert texts[0] == texts[1], f"{saved.source}\nrun python docs/make_tour.py"
        for kind, text in before.items():
            numbers = [[float(x) for x in NUMBER.findall(t)] for t in (text, now[kind])]
            assert numbers[0] == pytest.approx(numbers[1], rel=1e-6, abs=1e-12), saved.source


def test_the_tour_shows_its_plots_and_drawings_in_place(tour):
    kinds = [kind for _, anew in tour for kind in shown(anew)]
    assert kinds.count("image/png") == 2
    assert kinds.count("image/svg+xml") == 1
    assert "stderr" not in kinds


def test_the_network_of_the_tour_learns(tour):
    (text,) = [shown(anew)["stdout"] for _, anew in tour if "should be" in shown(anew).get("stdout", "")]
    pairs = [[float(x) for x in NUMBER.findall(line)[2:]] for line in text.splitlines()]
    assert len(pairs) == 4
    for target, answer in pairs:
        assert abs(target - answer) < 0.25


def test_the_tour_has_a_live_page(tour):
    (cell,) = [anew for _, anew in tour if "live" in anew.metadata.get("tags", [])]
    assert "<iframe" in shown(cell)["text/html"]
