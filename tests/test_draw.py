"""The diagrams: what is in them is read from the SVG that comes out, not from what went in."""

import importlib.util
import math
import os
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import graphviz
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import Value, draw_dot
from micrograd_plus.draw import write

SVG = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).parent.parent / "docs"


def lines(group):
    """The lines of text in a part of an SVG."""
    return [text.text.replace("\xa0", " ").strip() for text in group.iter(f"{SVG}text")]


def parts(svg, kind):
    """By name, the nodes or edges of a drawing, as graphviz groups and names them."""
    groups = [group for group in ET.fromstring(svg).iter(f"{SVG}g") if group.get("class") == kind]
    return [(group.find(f"{SVG}title").text, group) for group in groups]


def boxes(graph):
    """The lines of text in each node of a drawing, in the order of the tape, each followed by its constants."""
    nodes = sorted(parts(graph.pipe("svg"), "node"), key=lambda node: [int(n) for n in node[0][1:].split("_")])
    return [lines(group) for _, group in nodes]


def fills(*grads):
    """The colours, as red, green and blue, of boxes with these gradients in one drawing."""
    values = [Value(1.0) for _ in grads]
    for value, grad in zip(values, grads, strict=True):
        value.grad = grad
    groups = [group for _, group in parts(draw_dot(values).pipe("svg"), "node")]
    return [rgb(next(e.get("fill") for e in group.iter() if e.get("fill") not in (None, "none"))) for group in groups]


def rgb(color):
    color = {"white": "#ffffff"}.get(color, color)
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))


def luminance(color):
    """The relative luminance of WCAG 2.1, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance"""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (c / 255 for c in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.fixture
def loss():
    w, x, b, y = Value(2.0, label="w"), Value(1.0, label="x"), Value(0.0, label="b"), Value(5.0, label="y")
    loss = 0.5 * (w * x + b - y) ** 2
    loss.label = "loss"
    loss.backward()
    return loss


@pytest.fixture
def no_dot(monkeypatch, tmp_path_factory):
    """A machine without the program dot."""
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))


@pytest.fixture
def fake_dot(monkeypatch, tmp_path_factory):
    """A machine with a program dot, which draws nothing but its arguments and what it is given."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "dot"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:], sys.stdin.read())\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


# What is drawn --------------------------------------------------------------------------------------------------------


def test_every_number_of_the_readme_example_is_drawn(loss):
    svg = draw_dot(loss).pipe("svg")
    assert {name: lines(group) for name, group in parts(svg, "node")} == {
        "n0": ["w", "data", "2", "grad", "-3"],
        "n1": ["x", "data", "1", "grad", "-6"],
        "n2": ["w * x", "data", "2", "grad", "-3"],
        "n3": ["b", "data", "0", "grad", "-3"],
        "n4": ["· + b", "data", "2", "grad", "-3"],
        "n5": ["y", "data", "5", "grad", "3"],
        "n6": ["· - y", "data", "-3", "grad", "-3"],
        "n7": ["· ** 2", "data", "9", "grad", "0.5"],
        "n7_1": ["2"],
        "n8": ["loss", "= 0.5 * ·", "data", "4.5", "grad", "1"],
        "n8_0": ["0.5"],
    }
    assert {name: lines(group) for name, group in parts(svg, "edge")} == {
        "n0->n2": ["∂ 1"],
        "n1->n2": ["∂ 2"],
        "n2->n4": ["∂ 1"],
        "n3->n4": ["∂ 1"],
        "n4->n6": ["∂ 1"],
        "n5->n6": ["∂ -1"],
        "n6->n7": ["∂ -6"],
        "n7_1->n7": [],
        "n7->n8": ["∂ 0.5"],
        "n8_0->n8": [],
    }


def test_a_tangent_is_drawn_only_where_there_is_one():
    x, w = Value(3.0, tangent=1.0, label="x"), Value(2.0, label="w")
    x_box, w_box, product = boxes(draw_dot(x * w))
    assert x_box == ["x", "data", "3", "grad", "0", "tangent", "1"]
    assert w_box == ["w", "data", "2", "grad", "0"]
    assert product == ["x * w", "data", "6", "grad", "0", "tangent", "2"]
    assert boxes(draw_dot(mg.step(x)))[1] == ["step(x)", "data", "1", "grad", "0", "tangent", "0"]


def test_a_node_used_twice_gets_two_arrows():
    """micrograd keeps operands in a set, so a + a draws one: https://github.com/karpathy/micrograd/blob/master/
    micrograd/engine.py, `self._prev = set(_children)`."""
    a = Value(3.0, label="a")
    edges = parts(draw_dot(a * (a + a)).pipe("svg"), "edge")
    assert sorted((name, *lines(group)) for name, group in edges) == [
        ("n0->n1", "∂ 1"),
        ("n0->n1", "∂ 1"),
        ("n0->n2", "∂ 6"),
        ("n1->n2", "∂ 3"),
    ]


def test_inputs_operations_constants_and_results_differ_in_outline():
    x = Value(3.0, label="x")
    square = x * x
    groups = dict(parts(draw_dot([square * 7.0, square]).pipe("svg"), "node"))
    outlines = {
        lines(group)[0]: [e.tag for e in group if e.tag in (f"{SVG}path", f"{SVG}polygon")] for group in groups.values()
    }
    assert outlines == {
        "x": [f"{SVG}path"],  # round corners
        "x * x": [f"{SVG}polygon"] * 2,  # the second root, though inside the other
        "· * 7": [f"{SVG}polygon"] * 2,
        "7": [],
    }
    assert len([e for e in groups["n0"] if e.tag == f"{SVG}path"]) == 1


def test_an_operation_inside_has_a_single_outline():
    x = Value(3.0, label="x")
    group = dict(parts(draw_dot(-(x * x)).pipe("svg"), "node"))["n1"]
    assert lines(group)[0] == "x * x"
    assert [e.tag for e in group if e.tag != f"{SVG}g"] == [f"{SVG}title", f"{SVG}polygon", *[f"{SVG}text"] * 5]


def test_a_constant_is_drawn_at_each_use_and_has_no_arrowhead():
    x = Value(3.0, label="x")
    svg = draw_dot(x * 2.0 + 2.0).pipe("svg")
    assert [lines(group) for _, group in parts(svg, "node")].count(["2"]) == 2
    heads = {name: [e.tag for e in group].count(f"{SVG}polygon") for name, group in parts(svg, "edge")}
    assert heads == {"n0->n1": 1, "n1_1->n1": 0, "n1->n2": 1, "n2_1->n2": 0}


def test_operations_are_written_as_one_would_write_them():
    x, y = Value(0.25, label="x"), Value(0.5, label="y")
    drawn = {
        "x + y": x + y,
        "x - y": x - y,
        "x * y": x * y,
        "x / 3": x / 3,
        "x % y": x % y,
        "2 ** x": 2**x,
        "-x": -x,
        "abs(x)": abs(x),
        "atan2(x, y)": mg.atan2(x, y),
        "relu(x)": mg.relu(x),
        "leaky_relu(x, 0.01)": mg.leaky_relu(x),
        "gelu(x)": mg.gelu(x),
        "sigmoid(x)": mg.sigmoid(x),
        "softplus(y)": mg.softplus(y),
        "sum([x, y, 1])": mg.sum([x, y, 1.0]),
        "dot([x, 0.3333], [y, ·])": mg.dot([x, 1 / 3], [y, x * y]),
        "softmax([y, x])[0]": mg.softmax([x, y])[1],
    }
    titles = {box[0] for box in boxes(draw_dot(list(drawn.values()))) if len(box) > 1}
    assert titles == {"x", "y", *drawn}


def test_an_operation_of_more_than_40_characters_is_cut():
    x = Value(1.0, label="x" * 36)
    assert boxes(draw_dot(x * 2.0, show=()))[1] == ["x" * 36 + " * 2"]
    assert boxes(draw_dot(x * 23.0, show=()))[1] == ["x" * 36 + " * …"]
    xs = [Value(float(i), label=f"x{i}") for i in range(100)]
    assert boxes(draw_dot(mg.sum(xs), show=()))[-1] == ["sum([x0, x1, x2, x3, x4, x5, x6, x7, x8…"]


def test_numbers_of_nested_levels_are_the_innermost_ones():
    """Inside two transforms, numbers are Values of Values, and an outer variable is a constant to the inner one."""
    seen = {}

    def inner(x, w):
        y = w * x * x
        seen["graph"] = draw_dot(y)
        return y

    def outer(w):
        w.label = "w"
        return mg.grad(lambda x: inner(x, w))(5.0 * w)

    assert mg.grad(outer)(3.0) == 2 * 2 * 5 * 3.0  # inner' = 2·w·x at x = 5w is 10·w², and 20·w differentiates it
    assert [*boxes(seen["graph"])] == [
        ["data", "15", "grad", "0"],
        ["w * ·", "data", "45", "grad", "0"],
        ["w = 3"],
        ["· * ·", "data", "675", "grad", "0"],
    ]
    edges = {name: lines(group) for name, group in parts(seen["graph"].pipe("svg"), "edge")}
    assert edges == {"n1_0->n1": [], "n0->n1": ["∂ 3"], "n1->n2": ["∂ 15"], "n0->n2": ["∂ 45"]}


def test_an_outer_value_without_a_label_is_drawn_as_its_number():
    graphs = []
    w = Value(3.0)
    mg.grad(lambda x: graphs.append(draw_dot(w * x, number=repr)) or w * x)(2.0)
    assert boxes(graphs[0]) == [["data", "2.0", "grad", "0.0"], ["· * ·", "data", "6.0", "grad", "0.0"], ["3.0"]]


def test_16_doublings_are_17_boxes():
    """MyGrad's drawing has no visited set: https://github.com/rsokl/MyGrad, computational_graph/graph.py"""
    x = Value(1.0, label="x")
    for _ in range(16):
        x = x + x
    svg = draw_dot(x).pipe("svg")
    assert len(parts(svg, "node")) == 17
    assert len(parts(svg, "edge")) == 32
    assert lines(parts(svg, "node")[-1][1]) == ["· + ·", "data", "6.554e+04", "grad", "0"]


# Labels ---------------------------------------------------------------------------------------------------------------

# graphviz reads markup in labels like HTML, \N and \n in all labels, and {a|b} in those of records:
# https://graphviz.org/docs/attr-types/escString/, https://graphviz.org/doc/info/shapes.html
AWKWARD = [
    '<b>&"{}|',
    "<B>bold</B>",
    "&amp;",
    "&#65;",
    "&lt;",
    r"\N",
    r"\G\E\T\H\L",
    r"a\nb\lc\rd",
    "\\",
    "\\\\",
    "ends in \\",
    "梯度",
    "∂L/∂w₁",
    "e\u0301",
    "👩\u200d👩\u200d👧",
    "{a|b}",
    "<f0> port",
    "%s %(x)d {} {0} {x}",
    '"',
    "''",
    "a -> b; }",
    "<!-- no comment -->",
    "]]>",
    "</TD></TR></TABLE>>",
    'charset="latin1"',
    "0",
    "none",
    "x" * 300,
]


def test_labels_draw_as_themselves():
    drawn = {box[0] for box in boxes(draw_dot([Value(1.0, label=label) for label in AWKWARD], show=()))}
    assert drawn == set(AWKWARD)


@pytest.mark.parametrize("label", AWKWARD[:-1])
def test_labels_draw_as_themselves_inside_an_operation_and_as_a_constant(label):
    graphs = []
    w = Value(3.0, label=label)
    mg.grad(lambda x: graphs.append(draw_dot(w * x, show=())) or w * x)(2.0)
    assert boxes(graphs[0]) == [["·"], [f"{label} * ·"], [f"{label} = 3"]]


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1), min_size=1, max_size=30)
)
@settings(max_examples=10)
def test_any_label_of_visible_characters_draws_as_itself(labels):
    assert boxes(draw_dot([Value(1.0, label=label) for label in labels], show=())) == [[label] for label in labels]


def test_lines_of_a_label_are_lines_of_the_drawing():
    assert boxes(draw_dot(Value(1.0, label="two\nlines\r\nor three"), show=())) == [["two", "lines", "or three"]]


@pytest.mark.parametrize("label", [" ", "\n", "\t", "\u2028", "\u00a0", "   \n "])
def test_a_blank_label_is_a_blank_title(label):
    box = boxes(draw_dot(Value(1.0, label=label)))[0]
    assert set(box[:-4]) == {""}
    assert box[-4:] == ["data", "1", "grad", "0"]


def test_characters_that_a_picture_cannot_hold_are_written_as_in_python():
    """XML 1.0 has no place for control characters (https://www.w3.org/TR/xml/#charsets), nor UTF-8 for surrogates."""
    box = boxes(draw_dot(Value(1.0, label="\0 \x1b[31m \x7f \x85x \ud800 \uffff"), show=()))[0]
    assert box == ["\\x00 \\x1b[31m \\x7f", "x \\ud800 \\uffff"]  # \x85 is the end of a line


def test_a_tab_in_a_label_becomes_blanks():
    assert boxes(draw_dot(Value(1.0, label="a\tb"), show=())) == [["a   b"]]


# Colours --------------------------------------------------------------------------------------------------------------


def test_positive_gradients_are_blue_and_negative_ones_orange():
    for size in (2.0, 0.5):
        positive, negative = fills(size, -size)
        assert positive[2] > positive[1] > positive[0]
        assert negative[0] > negative[1] > negative[2]


def test_larger_gradients_are_darker_and_equal_ones_equally_dark_in_grey():
    values = [luminance(color) for color in fills(0.0, 0.01, -0.01, 0.1, -0.1, 1.0, -1.0)]
    assert values[0] == 1.0
    assert values[0] > values[1] > values[3] > values[5]
    assert values[0] > values[2] > values[4] > values[6]
    for a, b in ((1, 2), (3, 4), (5, 6)):
        assert values[a] == pytest.approx(values[b], abs=0.03)


def test_dark_text_is_legible_on_every_colour():
    """Contrast at least 7, WCAG 2.1 level AAA, of black, and 4.5, level AA, of the #444444 of the words."""
    for color in fills(1.0, -1.0, math.nan, math.inf, -math.inf):
        assert (luminance(color) + 0.05) / 0.05 > 7.0
        assert (luminance(color) + 0.05) / (luminance(rgb("#444444")) + 0.05) > 4.5


def test_infinite_gradients_have_the_full_colour_and_do_not_pale_the_others():
    plus, minus, one, less = fills(math.inf, -math.inf, 1.0, -0.25)
    assert plus == one == fills(1.0)[0]
    assert minus == fills(-1.0)[0]
    assert less == fills(1.0, -0.25)[1] != minus


def test_a_gradient_of_nan_is_grey():
    red, green, blue = fills(math.nan, 1.0)[0]
    assert red == green == blue < 255


def test_all_gradients_nan_infinite_or_zero_have_colours():
    nan, inf, zero = fills(math.nan, math.inf, 0.0)
    assert inf == fills(1.0)[0]
    assert zero == (255, 255, 255) != nan
    assert fills(math.nan, math.inf) == [nan, inf]


def test_the_largest_and_smallest_doubles_have_colours():
    large, small = fills(-sys.float_info.max, 5e-324)
    assert large == fills(-1.0)[0]
    assert small == (255, 255, 255)
    assert fills(5e-324) == fills(1.0)


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("show", "box", "edge"),
    [
        ((), ["y", "= x * x"], []),
        (["data"], ["y", "= x * x", "data", "9"], []),
        ("grad", ["y", "= x * x", "grad", "1"], []),
        ({"partials", "tangent"}, ["y", "= x * x", "tangent", "6"], ["∂ 3"]),
    ],
)
def test_show_chooses_the_numbers(show, box, edge):
    x = Value(3.0, tangent=1.0, label="x")
    y = x * x
    y.label = "y"
    y.backward()
    svg = draw_dot(y, show=show).pipe("svg")
    assert lines(parts(svg, "node")[1][1]) == box
    assert [lines(group) for _, group in parts(svg, "edge")] == [edge, edge]


def test_without_gradients_there_are_no_colours(loss):
    assert draw_dot(loss, show=["data"]).source.count('fillcolor="#ffffff"') == 9
    assert draw_dot(loss).source.count('fillcolor="#ffffff"') == 0


def test_an_input_without_label_and_numbers_is_a_dot():
    assert boxes(draw_dot(Value(3.0), show=[])) == [["·"]]
    assert boxes(draw_dot(Value(3.0), show=["data"])) == [["data", "3"]]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("{:.2f}", "0.33"),
        (repr, "0.3333333333333333"),
        (lambda x: 7, "7"),
        (lambda x: r"<\N>", r"<\N>"),
        ("{}{{", "0.3333333333333333{"),
    ],
)
def test_number_writes_the_numbers(number, text):
    x = Value(1 / 3, label="x")
    x.grad = 1 / 3
    svg = draw_dot(x * (1 / 3), number=number).pipe("svg")
    assert lines(parts(svg, "node")[0][1]) == ["x", "data", text, "grad", text]
    assert ["n1_1", text] in [[name, *lines(group)] for name, group in parts(svg, "node")]
    assert ["n0->n1", f"∂ {text}"] in [[name, *lines(group)] for name, group in parts(svg, "edge")]


def test_number_may_write_nothing():
    x = Value(3.0, label="x")
    assert boxes(draw_dot(x * 2.0, number=lambda x: "")) == [
        ["x", "data", "", "grad", ""],
        ["x *", "data", "", "grad", ""],
        [""],
    ]


@pytest.mark.parametrize(("rankdir", "axis", "sign"), [("LR", 0, 1), ("RL", 0, -1), ("TB", 1, 1), ("BT", 1, -1)])
def test_rankdir_is_where_the_arrows_lead(rankdir, axis, sign):
    x = Value(3.0, label="x")
    first, second = parts(draw_dot(-x, rankdir=rankdir).pipe("svg"), "node")
    ends = [next(group.iter(f"{SVG}text")) for _, group in (first, second)]
    along = [float(end.get("xy"[axis])) for end in ends]
    assert (along[1] - along[0]) * sign > 0.0


def test_the_first_operand_is_uppermost():
    x, y = Value(3.0, label="x"), Value(2.0, label="y")
    for first, second in ((x, y), (y, x)):
        nodes = parts(draw_dot([second, first / second]).pipe("svg"), "node")
        heights = {lines(group)[0]: float(next(group.iter(f"{SVG}text")).get("y")) for _, group in nodes}
        assert heights[first.label] < heights[second.label]


def test_format_is_that_of_render_and_pipe(loss):
    assert draw_dot(loss, format="png").pipe().startswith(b"\x89PNG")
    assert draw_dot(loss, "pdf").pipe().startswith(b"%PDF")
    assert draw_dot(loss).pipe("png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("root", "what"),
    [
        (3.0, "got 3.0 (float)"),
        (None, "got None (NoneType)"),
        ("x", "got 'x' (str)"),
        ([], "got [] (list)"),
        ((Value(1.0), 2), "got 2 (int)"),
        (Value, "(type)"),
    ],
)
def test_a_root_that_is_no_value_is_a_type_error(root, what):
    with pytest.raises(TypeError, match="draw_dot: expected a Value or a list of Values, got ") as error:
        draw_dot(root)
    assert str(error.value).endswith(what)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"rankdir": "lr"}, ValueError, "draw_dot: rankdir must be LR, TB, RL or BT, got 'lr'"),
        ({"show": "colour"}, ValueError, "draw_dot: show takes data, grad, tangent, partials; got 'colour'"),
        (
            {"show": ["data", "gard"]},
            ValueError,
            "draw_dot: show takes data, grad, tangent, partials; got ['data', 'gard']",
        ),
        (
            {"number": ".3f"},
            TypeError,
            "draw_dot: number must be a function or a format string like '{:.4g}', got '.3f'",
        ),
        ({"number": 3}, TypeError, "draw_dot: number must be a function or a format string like '{:.4g}', got 3"),
        ({"format": "docx"}, ValueError, "unknown format: 'docx'"),
    ],
)
def test_a_wrong_option_is_an_error_that_says_so(loss, options, kind, message):
    with pytest.raises(kind) as error:
        draw_dot(loss, **options)
    assert str(error.value).startswith(message)


def test_too_many_nodes_are_an_error_that_says_how_many_there_are(loss):
    with pytest.raises(ValueError, match="max_nodes") as error:
        draw_dot(loss, max_nodes=10)
    assert str(error.value) == (
        "draw_dot: 11 nodes are more than max_nodes=10: pass max_nodes=11 to draw them all, "
        "or draw a part, from a Value inside the expression"
    )
    assert len(boxes(draw_dot(loss, max_nodes=11))) == 11


def test_a_graph_too_large_to_draw_is_refused_before_it_is_drawn():
    x = Value(1.0)
    for _ in range(100_000):
        x = -x
    with pytest.raises(ValueError, match="draw_dot: 100001 nodes are more than max_nodes=1000: pass max_nodes=100001"):
        draw_dot(x)


# The engines ----------------------------------------------------------------------------------------------------------


def test_importing_the_package_does_not_import_graphviz():
    program = "import sys, micrograd_plus; print([m for m in sys.modules if 'graphviz' in m or m == 'html'])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def test_dot_draws_if_it_is_there(loss, fake_dot, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: pytest.fail("looked for pygraphviz"))
    graph = draw_dot(loss)
    assert graph.pipe("png") == f"['-Kdot', '-Tpng'] {graph.source}\n".encode()
    assert graph.pipe(encoding="utf-8") == f"['-Kdot', '-Tsvg'] {graph.source}\n"
    assert graph.pipe(engine="neato").startswith(b"['-Kneato', '-Tsvg']")
    assert graph._repr_mimebundle_() == {"image/svg+xml": f"['-Kdot', '-Tsvg'] {graph.source}\n"}
    path = graph.render(outfile=tmp_path / "x.pdf", cleanup=True)
    assert Path(path).read_bytes() == f"['-Kdot', '-Tpdf'] {graph.source}\n".encode()


def test_pygraphviz_draws_if_dot_is_not_there(loss, no_dot, tmp_path, capfd):
    graph = draw_dot(loss)
    for ending, start in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        assert graph.pipe(ending).startswith(start)
    assert graph.pipe(encoding="utf-8") == graph.pipe().decode()
    assert graph.pipe(engine="neato") != graph.pipe()
    assert graph._repr_mimebundle_() == {"image/svg+xml": graph.pipe().decode()}
    assert Path(graph.render(outfile=tmp_path / "x.svg")).read_bytes() == graph.pipe()
    assert capfd.readouterr() == ("", "")  # the library in pygraphviz may warn of the fonts of the machine


def test_a_file_that_happens_to_be_named_pygraphviz_is_not_run(loss, no_dot, monkeypatch, tmp_path):
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    assert draw_dot(loss).pipe().startswith(b"<?xml")


def test_without_dot_and_pygraphviz_the_error_says_how_to_get_one(loss, no_dot, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    graph = draw_dot(loss)
    for draw in (graph.pipe, graph._repr_mimebundle_, lambda: graph.render(tmp_path / "x")):
        with pytest.raises(graphviz.ExecutableNotFound) as error:
            draw()
        assert isinstance(error.value, RuntimeError)
        assert error.value.__cause__ is None  # one message, and not first that of a file that was not found
        assert str(error.value) == (
            "to draw, install the program graphviz (apt install graphviz, brew install graphviz, ...), "
            "or pip install pygraphviz, which has it inside; .source works without them"
        )
    assert graph.source.startswith("digraph {")
    assert os.listdir(tmp_path) == []


def test_what_pygraphviz_cannot_draw_is_an_error_in_its_words(loss, no_dot):
    graph = draw_dot(loss)
    graph.body.append("->")
    with pytest.raises(RuntimeError, match=r"^pygraphviz cannot draw this as svg: Error: .*syntax error"):
        graph.pipe()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("sys.exit(7)", "exit status 7"),
        ("sys.exit('Warning: one\\nError: two\\nError: three')", "Error: two"),
        ("sys.exit('Traceback\\n  line 1\\nOSError: no library')", "OSError: no library"),
    ],
)
def test_a_failure_of_pygraphviz_is_an_error_with_the_reason(loss, no_dot, monkeypatch, tmp_path, program, reason):
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nimport sys\n{program}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(RuntimeError) as error:
        draw_dot(loss).pipe()
    assert str(error.value) == f"pygraphviz cannot draw this as svg: {reason}"


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "path", "files"),
    [
        ({}, "Digraph.gv.svg", ["Digraph.gv", "Digraph.gv.svg"]),
        ({"filename": "x"}, "x.svg", ["x", "x.svg"]),
        ({"filename": "x", "cleanup": True}, "x.svg", ["x.svg"]),
        ({"filename": "x.gv", "format": "png"}, "x.gv.png", ["x.gv", "x.gv.png"]),
        ({"filename": "x", "directory": "a/b"}, "a/b/x.svg", ["a/b/x", "a/b/x.svg"]),
        ({"outfile": "new/x.PNG"}, "new/x.PNG", ["new/x.PNG", "new/x.gv"]),
        ({"outfile": Path("x.pdf"), "cleanup": True}, "x.pdf", ["x.pdf"]),
        ({"outfile": "x", "filename": "y"}, "x", ["x", "y"]),
    ],
)
def test_render_writes_the_files_that_graphviz_writes(loss, monkeypatch, tmp_path, options, path, files):
    """https://graphviz.readthedocs.io/en/stable/api.html#graphviz.Digraph.render"""
    monkeypatch.chdir(tmp_path)
    graph = draw_dot(loss)
    assert graph.render(**options) == path
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()) == files
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "x": b"<?xml"}
    assert Path(path).read_bytes().startswith(starts[path.lower().rpartition(".")[2]])
    for source in set(files) - {path}:
        assert Path(source).read_text(encoding="utf-8") == graph.source


def test_render_and_view_can_show_the_file(loss, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(graphviz, "view", lambda path, quiet: seen.append((path, quiet)))
    path = draw_dot(loss).render(tmp_path / "x", view=True)
    draw_dot(loss).view(tmp_path / "y", quiet_view=True)
    assert seen == [(path, False), (str(tmp_path / "y.svg"), True)]


def test_a_failed_drawing_leaves_the_old_file_as_it_was(loss, tmp_path):
    path = tmp_path / "x.svg"
    path.write_text("old")
    graph = draw_dot(loss)
    graph.body.append("->")
    with pytest.raises((RuntimeError, graphviz.CalledProcessError)):
        graph.render(outfile=path, quiet=True)
    assert os.listdir(tmp_path) == ["x.svg"]
    assert path.read_text() == "old"


def test_a_file_that_cannot_be_written_is_an_error_with_its_path(loss, tmp_path):
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(IsADirectoryError) as error:
        draw_dot(loss).render(outfile=tmp_path / "folder.svg", cleanup=True)
    assert error.value.filename == str(tmp_path / "folder.svg")
    with pytest.raises(FileNotFoundError) as error:
        write(tmp_path / "missing" / "x.svg", b"")
    assert error.value.filename == str(tmp_path / "missing" / "x.svg")
    assert os.listdir(tmp_path) == ["folder.svg"]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(monkeypatch, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(source, target):
        assert Path(source).read_bytes() == b"new"
        assert Path(source).parent == tmp_path  # a rename across file systems would not be atomic
        raise OSError(28, "No space left on device", source)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        write(path, b"new")
    assert error.value.filename == str(path)
    assert os.listdir(tmp_path) == ["x"]
    assert path.read_bytes() == b"old"


def test_a_written_file_has_the_usual_permissions_and_replaces_the_target_of_a_link(tmp_path):
    path, link, usual = tmp_path / "x", tmp_path / "link", tmp_path / "usual"
    usual.write_bytes(b"")
    link.symlink_to(path)
    for content in (b"new", b"newer"):
        write(link, content)
        assert path.read_bytes() == content
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_a_pipe_or_device_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(pipe, b"new")
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


# The pictures of the docs ---------------------------------------------------------------------------------------------

spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
make_pictures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_pictures)


@pytest.mark.parametrize("name", make_pictures.PICTURES)
def test_the_pictures_of_the_docs_are_what_the_code_draws(name):
    """The sources are equal; in the pictures, of which fonts shift the lines a little, the texts are."""
    graph = make_pictures.PICTURES[name]()
    assert (DOCS / "images" / f"{name}.gv").read_text(encoding="utf-8") == graph.source
    committed, drawn = (DOCS / "images" / f"{name}.svg").read_bytes(), graph.pipe("svg")
    for kind in ("node", "edge"):
        assert [(title, lines(group)) for title, group in parts(committed, kind)] == [
            (title, lines(group)) for title, group in parts(drawn, kind)
        ]


@pytest.mark.parametrize("name", make_pictures.PLOTS)
def test_the_plots_of_the_docs_say_what_the_code_draws(name):
    """The texts are equal; the lines depend by a fraction of a point on the version of matplotlib and on the fonts."""
    committed, drawn = (DOCS / "images" / f"{name}.svg").read_bytes(), make_pictures.PLOTS[name]()
    texts = re.findall(rb">([^<\n]+)</text>", committed)
    assert texts == re.findall(rb">([^<\n]+)</text>", drawn)
    assert b"one-sided" in texts
    assert committed.count(b"<path") == drawn.count(b"<path")


def test_every_picture_in_the_docs_is_one_that_is_made_there():
    names = {path.stem for path in (DOCS / "images").iterdir()}
    assert names == {*make_pictures.PICTURES, *make_pictures.PLOTS}


def test_the_script_writes_the_pictures_and_their_sources(tmp_path):
    make_pictures.main(tmp_path)
    names = [path.name for path in (DOCS / "images").iterdir()]
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    for name in names:
        if name.endswith(".gv"):
            assert (tmp_path / name).read_bytes() == (DOCS / "images" / name).read_bytes()


@pytest.mark.parametrize("number", ["{x}", "{:d}", "{"])
def test_a_format_that_cannot_write_a_number_is_named(loss, number):
    with pytest.raises(ValueError, match=rf"draw_dot: number={re.escape(repr(number))} cannot write "):
        draw_dot(loss, number=number)
