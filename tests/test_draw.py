"""The diagrams: what is in them is read from the SVG that comes out, not from what went in."""

import graphlib
import html
import importlib.util
import itertools
import math
import os
import re
import stat
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import partial
from importlib import metadata
from pathlib import Path

import graphviz
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd_plus as mg
from micrograd_plus import Value, draw_dot
from micrograd_plus.draw import engines, partial_formulas, write
from micrograd_plus.draw.fit import width
from micrograd_plus.nn import MLP, Layer, Module, Neuron
from micrograd_plus.rules import FUNCTIONS, RULES
from micrograd_plus.tape import tape

SVG = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).parent.parent / "docs"


def works(engine, format="svg"):
    """Whether this machine has that engine, and all that it needs."""
    try:
        return bool(engines.picture("digraph {}", ["-Kdot", f"-T{format}"], format, engine))
    except RuntimeError:
        return False


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


def machine(monkeypatch, folder, **programs):
    """A machine with these engines and no others: each a program in Python, or None for one that is the real one."""
    monkeypatch.delenv("MICROGRAD_PLUS_ENGINE", raising=False)
    commands = {}
    for name, text in programs.items():
        program = folder / name
        program.write_text(f"#!{sys.executable}\nimport sys\n{text}\n")
        program.chmod(0o755)
        commands[name.replace("_", "-")] = [str(program)]
    for name in engines.ENGINES:
        monkeypatch.setitem(engines.ENGINES, name, partial(commands.get, name, []))


SAY = "print('<?xml', sys.argv[1:], sys.stdin.read(), '</svg>')"  # a picture of its arguments and what it is given
BROKEN = {
    "a status": ("sys.exit(7)", "ended with status 7"),
    "a message": ("sys.exit('Warning: one\\nError: two\\nError: three')", "says Error: two"),
    "a traceback": ("sys.exit('Traceback\\n  line 1\\nOSError: no library')", "says OSError: no library"),
    "a crash": ("import os; os.abort()", "ended with status -6"),
    "garbage": ("print('garbage')", "printed something else: 'garbage\\\\n'"),
    "half a picture": ("print('<?xml <svg><g>')", "printed something else: '<?xml <svg><g>\\\\n'"),
    "nothing": ("pass", "printed something else: ''"),
}


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


def test_all_names_may_be_given():
    x = Value(3.0, label="x")
    y = x * 2.0
    assert [box[:2] for box in boxes(draw_dot(y, names={x: "a", y: "b"}))] == [["a", "data"], ["b", "= a * 2"], ["2"]]


def test_a_tangent_is_drawn_only_where_there_is_one():
    x, w = Value(3.0, tangent=1.0, label="x"), Value(2.0, label="w")
    x_box, w_box, product = boxes(draw_dot(x * w))
    assert x_box == ["x", "data", "3", "grad", "0", "tangent", "1"]
    assert w_box == ["w", "data", "2", "grad", "0"]
    assert product == ["x * w", "data", "6", "grad", "0", "tangent", "2"]
    assert boxes(draw_dot(mg.step(x)))[1] == ["step(x)", "data", "1", "grad", "0"]


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
    if works(None, "pdf"):
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
        ({"scale": "log10"}, ValueError, "draw_dot: scale must be linear or log, got 'log10'"),
        ({"show": "colour"}, ValueError, "draw_dot: show takes data, grad, tangent, partials, formulas; got 'colour'"),
        (
            {"show": ["data", "gard"]},
            ValueError,
            "draw_dot: show takes data, grad, tangent, partials, formulas; got ['data', 'gard']",
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
        "or draw a part, from a Value inside the expression, or one sample, or a network folded, as by fold='Layer'"
    )
    assert len(boxes(draw_dot(loss, max_nodes=11))) == 11


def test_a_graph_too_large_to_draw_is_refused_before_it_is_drawn():
    x = Value(1.0)
    for _ in range(100_000):
        x = -x
    with pytest.raises(ValueError, match="draw_dot: 100001 nodes are more than max_nodes=2000: pass max_nodes=100001"):
        draw_dot(x)


def test_two_thousand_nodes_are_drawn_and_one_more_is_refused():
    leaves = [Value(1.0) for _ in range(2001)]
    assert draw_dot(leaves[:-1]).source.count("label=") >= 2000
    with pytest.raises(ValueError, match="2001 nodes are more than max_nodes=2000"):
        draw_dot(leaves)


# Modules in frames ----------------------------------------------------------------------------------------------------


def cells(label):
    """The texts of a label in graphviz's likeness of HTML."""
    texts = re.findall(r"<TD[^>]*>(.*?)</TD>", label) or [label]
    return [html.unescape(re.sub("<[^>]*>", "", text)).replace("\xa0", " ").strip() for text in texts]


def read(graph):
    """The nodes of a drawing, name: (titles of the frames around it, texts); its arrows (tail, port, head, label)."""
    nodes, arrows, around = {}, [], []
    for line in graph.source.splitlines()[2:-1]:
        attributes = (re.search(r"label=<(.*)>( \w+=.*)?\]$", line) or [None, ""])[1]
        if "subgraph" in line:
            around.append("")
        elif line.strip() == "}":
            around.pop()
        elif around and line.strip().startswith("graph"):
            around[-1] = cells(re.search(r"label=<(.*)> labeljust", line)[1])[0]
        elif arrow := re.match(r"\s*(\w+)(?::(\w+))? -> (\w+)", line):
            arrows.append((*arrow.groups(), cells(attributes)[0].removeprefix("∂ ")))
        elif node := re.match(r"\s*(n\d+(?:_\d+)?) ", line):
            assert node[1] not in nodes
            nodes[node[1]] = tuple(around), cells(attributes)
    return nodes, arrows


def framed(*args, **options):
    """By the titles of the frames around them, the titles of the nodes."""
    found = {}
    for around, texts in read(draw_dot(*args, **options))[0].values():
        found.setdefault(around, []).append(texts[0])
    return {around: sorted(titles) for around, titles in found.items()}


class Line(Module):
    def __init__(self, slope=2.0, offset=1.0):
        self.slope, self.offset = Value(slope), Value(offset)

    def forward(self, x):
        return self.slope * x + self.offset


class Identity(Module):
    def forward(self, x):
        return x


def mlp(samples=1):
    """A network with its loss over some samples, after a backward pass."""
    model = MLP(2, [3, 1], activation="tanh", seed=3)
    xs = [[Value(0.5 - i, label="x0"), Value(0.7 * i - 1.0, label="x1")] for i in range(samples)]
    loss = mg.sum([(model(x) - 1.0) ** 2 for x in xs])
    loss.label = "loss"
    loss.backward()
    return loss


def test_a_frame_holds_what_was_made_in_the_module_and_its_parameters():
    x = Value(3.0, label="x")
    loss = (mg.sin(Line()(-x)) - 1.0) ** 2
    assert framed(loss, groups="Line") == {
        (): ["-x", "1", "2", "sin(·)", "x", "· ** 2", "· - 1"],
        ("Line",): ["offset", "slope", "slope * ·", "· + offset"],
    }


def test_a_layer_frames_its_neurons_and_labels_lose_the_names_of_the_frames():
    found = framed(mlp(), groups=["Neuron", "Layer"], show=())
    first = ["bias", "bias + ·", "tanh(·)", "weights.0", "weights.0 * x0", "weights.1", "weights.1 * x1", "· + ·"]
    last = ["bias", "bias + ·", *[f"weights.{i}{end}" for i in range(3) for end in ("", " * ·")], "· + ·", "· + ·"]
    assert found == {
        (): ["1", "2", "loss = sum([·])", "x0", "x1", "· ** 2", "· - 1"],
        ("layers.0 Layer", "neurons.0 Neuron"): first,
        ("layers.0 Layer", "neurons.1 Neuron"): first,
        ("layers.0 Layer", "neurons.2 Neuron"): first,
        ("layers.1 Layer", "neurons.0 Neuron"): last,
    }


@pytest.mark.parametrize(
    ("groups", "frames"),
    [
        ("MLP", {("MLP",)}),
        ("layers.1", {("layers.1 Layer",)}),
        ("layers.0.neurons.2", {("layers.0.neurons.2 Neuron",)}),
        (("layers.1", "MLP"), {("MLP",), ("MLP", "layers.1 Layer")}),
        (
            ["Layer", "layers.0.neurons.1"],
            {("layers.0 Layer",), ("layers.0 Layer", "neurons.1 Neuron"), ("layers.1 Layer",)},
        ),
        (
            True,
            {
                *[("MLP", "layers.0 Layer", f"neurons.{i} Neuron") for i in range(3)],
                ("MLP", "layers.1 Layer", "neurons.0 Neuron"),
            },
        ),
        ((), set()),
        (False, set()),
        (iter(["MLP"]), {("MLP",)}),
    ],
)
def test_groups_are_kinds_or_names(groups, frames):
    assert framed(mlp(), groups=groups).keys() - {()} == frames


@pytest.mark.parametrize("option", ["groups", "fold"])
def test_an_unknown_module_is_an_error_that_says_which_there_are(option):
    there = "Layer, MLP, Neuron, layers.0, "
    there += "layers.0.neurons.0, layers.0.neurons.1, layers.0.neurons.2, layers.1, layers.1.neurons.0"
    for name in ("neuron", "layers.2", "", 3, MLP):
        with pytest.raises(ValueError, match="modules of this graph") as error:
            draw_dot(mlp(), **{option: ["MLP", name]})
        assert str(error.value) == f"draw_dot: {option}={name!r}, but the modules of this graph are {there}"
    with pytest.raises(
        ValueError, match=r"Layer, MLP, Neuron, layers\.0, layers\.0\.neurons\.0, .*, layers\.0\.neurons\.7, \.\.\.$"
    ):
        draw_dot(MLP(1, [16, 16, 1])(Value(1.0)), **{option: "x"})
    for neurons, end in ((8, r"layers\.0\.neurons\.7$"), (9, r"layers\.0\.neurons\.7, \.\.\.$")):  # 12 names, 13 names
        with pytest.raises(ValueError, match=end):
            draw_dot(MLP(1, [neurons])(Value(1.0)), **{option: "x"})
    with pytest.raises(ValueError, match="='Layer', but nothing in this graph was made by a module"):
        draw_dot(Value(1.0) * 2.0, **{option: "Layer"})
    x = Value(1.0)
    assert draw_dot(-x, **{option: True}).source == draw_dot(-x).source


def test_a_penalty_on_parameters_stands_outside_with_their_full_names():
    layer = Layer(1, 2, "tanh")
    loss = mg.sum(layer(Value(1.0, label="x"))) + 0.1 * mg.sum([p * p for p in layer.parameters()])
    found = framed(loss, groups="Neuron")
    assert {"neurons.0.weights.0 * neurons.0.weights…", "neurons.1.bias * neurons.1.bias", "0.1 * ·"} <= {*found[()]}
    assert found["neurons.1 Neuron",] == ["bias", "bias + ·", "tanh(·)", "weights.0", "weights.0 * x"]


def test_all_calls_of_a_module_are_in_one_frame():
    line = Line()
    first, second = line(Value(1.0)), line(Value(2.0))
    found = framed(first * second, groups="Line")
    assert sorted(found) == [(), ("Line",)]
    assert len(found["Line",]) == 6
    assert len(found[()]) == 3


def test_in_a_recurrence_what_is_made_between_the_calls_is_outside():
    """The second call depends on parameters by way of the first one's result, and so does what is made between them."""
    line = Line()
    between = mg.sin(line(Value(1.0, label="x")))
    between.label = "between"
    found = framed(mg.cos(line(between)), groups="Line")
    assert found[()] == ["between = sin(·)", "cos(·)", "x"]
    assert found["Line",] == ["offset", "slope", "slope * between", "slope * x", "· + offset", "· + offset"]


def test_two_models_of_one_kind_and_name_have_a_frame_each():
    x = Value(1.0, label="x")
    graph = draw_dot(Line(2.0)(x) - Line(5.0)(x), groups="Line")
    found = read(graph)
    assert graph.source.count("subgraph") == 2
    assert [around for around, texts in found[0].values() if texts[0] == "slope"] == [("Line",)] * 2


class Encoder(Module):
    def __init__(self, weight):
        self.weight, self.bias = weight, Value(0.5)

    def forward(self, x):
        return mg.tanh(self.weight * x + self.bias)


class Autoencoder(Module):
    def __init__(self):
        self.encoder = Encoder(Value(2.0))
        self.decoder = Encoder(self.encoder.weight)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def test_a_parameter_of_two_modules_is_in_the_frame_of_neither_but_in_that_around_both():
    """Tied weights, as in Vincent et al., "Extracting and composing robust features", 2008."""
    inner = ["bias", "tanh(·)", "· + bias"]
    found = framed(Autoencoder()(Value(1.0, label="x")), groups=True)
    assert found == {
        (): ["x"],
        ("Autoencoder",): ["encoder.weight"],
        ("Autoencoder", "encoder Encoder"): [*inner[:2], "weight * x", inner[2]],
        ("Autoencoder", "decoder Encoder"): sorted([*inner, "encoder.weight * ·"]),
    }
    assert "weight" in framed(Autoencoder()(Value(1.0)), groups="encoder")["encoder Encoder",]


def test_a_module_that_hands_on_what_it_is_given_frames_nothing():
    line = Line()
    y = Identity()(line(Value(1.0)))
    assert framed(y, groups=True).keys() == {(), ("Line",)}
    assert framed(Identity()(line.slope) * 2.0, groups=True).keys() == {()}


def test_a_module_without_parameters_frames_its_results_alone():
    class Swish(Module):
        def forward(self, x):
            return x * mg.sigmoid(x)

    class Net(Module):
        def __init__(self):
            self.line, self.activation = Line(), Swish()

        def forward(self, x):
            return self.activation(self.line(x))

    x = Value(1.0, label="x")
    assert framed(Swish()(x) + 1.0, groups="Swish") == {(): ["1", "x", "· + 1"], ("Swish",): ["sigmoid(x)", "x * ·"]}
    found = framed(-Net()(x), groups=True)
    assert found["Net", "Swish"] == ["sigmoid(·)", "· * ·"]
    assert found[()] == ["-·", "x"]


def test_a_module_called_inside_another_of_which_it_is_no_part_is_framed_there():
    helper = Line()

    class Outer(Module):
        def __init__(self):
            self.a, self.b, self.c = Value(1.0), Value(2.0), Value(3.0)

        def forward(self, x):
            return mg.relu(helper(self.a * x)) * 2.0 + self.b + self.c

    found = framed(Outer()(Value(1.0, label="x")), groups=True)
    assert found["Outer",] == ["2", "a", "a * x", "b", "c", "relu(·)", "· * 2", "· + b", "· + c"]
    assert found["Outer", "Line"] == ["offset", "slope", "slope * ·", "· + offset"]


def test_a_network_bound_to_results_frames_these_as_its_parameters():
    theta = Value(3.0, label="theta")
    y = Line().bind([2.0 * theta, theta + 1.0])(Value(1.0, label="x"))
    found = framed(y, groups="Line")
    assert found == {(): ["theta", "x"], ("Line",): ["1", "2", "2 * theta", "theta + 1", "· * x", "· + ·"]}


def test_parameters_that_are_constants_of_a_transform_still_tell_what_was_made_inside():
    """In a derivative with respect to the input, the ordinary Values of a network are constants."""
    graphs = []
    line = Line()
    mg.grad(lambda x: graphs.append(draw_dot(-line(x * x), groups="Line")) or x)(2.0)
    found = {}
    for around, texts in read(graphs[0])[0].values():
        found.setdefault(around, []).append(texts[0])
    assert found["Line",] == ["slope * ·", "slope = 2", "· + offset", "offset = 1"]


def test_names_of_modules_draw_as_themselves():
    odd = type("<u>", (Line,), {})

    class Dictionary(Module):
        def __init__(self):
            self.parts = {label: odd() for label in AWKWARD[:12] if label}

        def forward(self, x):
            return mg.sum([part(x) for part in self.parts.values()])

    Dictionary.__name__ = '<i>&"'
    graph = draw_dot(Dictionary()(Value(1.0)), groups=True)
    titles = [" ".join(lines(group)) for _, group in parts(graph.pipe("svg"), "cluster")]
    assert sorted(titles) == sorted(['<i>&"', *[f"parts.{label} <u>" for label in AWKWARD[:12]]])
    folded = boxes(draw_dot(Dictionary()(Value(1.0)), groups='<i>&"', fold="<u>"))
    assert sorted(box[0] for box in folded if "<u>, 2 parameters" in box) == sorted(
        [f"parts.{label}" for label in AWKWARD[:12]]
    )


# Folded modules -------------------------------------------------------------------------------------------------------


def check_folded(root, **options):
    """There is no cycle; and where arrows carry derivatives, each gradient is what flows back along them."""
    nodes, arrows = read(draw_dot(root, number=repr, **options))
    sorter = graphlib.TopologicalSorter()
    for tail, _, head, _ in arrows:
        sorter.add(head, tail)
    sorter.prepare()
    grads = {}
    for name, (_, texts) in nodes.items():
        if texts[-4:-1:2] == ["data", "grad"]:
            grads[name, None] = float(texts[-1])
        elif "grad" in texts:  # several results, of which each has a label, data and grad
            numbers = texts[texts.index("grad") + 1 :]
            grads |= {(name, f"p{i}"): float(grad) for i, grad in enumerate(numbers[2::3])}
    flows = {}
    for tail, port, head, label in arrows:
        if (tail, port) in grads:
            share = float(label) * grads[head, None] if (head, None) in grads else math.nan
            flows[tail, port] = flows.get((tail, port), 0.0) + share
            assert bool(label) is ((head, None) in grads)
    assert [grads[key] for key in grads if key not in flows] == [1.0]  # the root
    for key, flow in flows.items():
        assert math.isnan(flow) or flow == pytest.approx(grads[key], rel=1e-12, abs=1e-300)
    return nodes, arrows


def test_a_folded_module_is_one_node_with_its_derivatives():
    x, y = Value(0.5, label="x"), Value(-0.25, tangent=1.0, label="y")
    neuron = Neuron(2, "tanh", seed=1)
    neuron.load_state_dict({"weights.0": 2.0, "weights.1": 3.0, "bias": 0.25})
    result = neuron([x, y])
    result.label = "result"
    result.backward()
    svg = draw_dot(result, fold="Neuron", number=repr).pipe("svg")
    assert result.data == math.tanh(0.5)
    nodes = {name: lines(group) for name, group in parts(svg, "node")}
    assert (nodes["n0"][0], nodes["n1"][0]) == ("x", "y")
    texts = nodes["n2"]
    slope = 1.0 - math.tanh(0.5) ** 2
    assert texts[:7] == ["Neuron", "3 parameters", "result", "data", repr(math.tanh(0.5)), "grad", "1.0"]
    assert texts[7] == "tangent"
    assert float(texts[8]) == pytest.approx(3.0 * slope, rel=1e-15)
    edges = {title: float(lines(group)[0].removeprefix("∂ ")) for title, group in parts(svg, "edge")}
    assert edges == {
        "n0->n2": pytest.approx(2.0 * slope, rel=1e-15),
        "n1->n2": pytest.approx(3.0 * slope, rel=1e-15),
    }


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"fold": "Neuron"}, 4),
        ({"fold": "Layer"}, 2),
        ({"fold": "MLP"}, 1),
        ({"fold": True}, 1),
        ({"fold": ["Neuron", "layers.1"]}, 4),
        ({"fold": "layers.0.neurons.1"}, 1),
        ({"fold": "Neuron", "groups": True}, 4),
        ({"fold": "Layer", "groups": True}, 2),
    ],
)
def test_a_batch_through_a_folded_network_has_a_node_for_each_call(samples, options, count):
    nodes, arrows = check_folded(mlp(samples), max_nodes=50 * samples, **options)
    folded = [texts for _, texts in nodes.values() if "parameter" in texts[1 % len(texts)]]
    assert len(folded) == count * samples
    heads = [head for _, _, head, _ in arrows]
    assert len(heads) == len({(tail, port, head) for tail, port, head, _ in arrows}) or "layers.0.neurons.1" in str(
        options
    )


def test_what_is_folded_stands_in_the_frames_around_it():
    found = framed(mlp(), groups=True, fold="Neuron")
    assert found["MLP", "layers.0 Layer"] == ["neurons.0", "neurons.1", "neurons.2"]
    assert found["MLP", "layers.1 Layer"] == ["neurons.0"]
    assert framed(mlp(), groups="Neuron", fold="Layer").keys() == {()}


def test_several_results_of_a_folded_module_have_a_row_and_a_colour_each():
    nodes, arrows = read(draw_dot(mlp(), fold="layers.0", number="{:.3f}"))
    _, texts = next(texts for texts in nodes.values() if texts[1][0] == "layers.0")
    rows = ["·", "-0.366", "3.162", "·", "-0.354", "-2.192", "·", "0.797", "1.563"]
    assert texts == ["layers.0", "Layer, 9 parameters", "", "data", "grad", *rows]
    name = next(name for name, node in nodes.items() if node[1] is texts)
    assert sorted(port for tail, port, _, _ in arrows if tail == name) == ["p0", "p1", "p2"]
    assert [label for _, _, head, label in arrows if head == name] == ["", ""]
    source = draw_dot(mlp(), fold="layers.0").source
    fill = re.findall(r'BGCOLOR="(#\w+)"', source)
    assert fill[0] == fill[1] != fill[3] == fill[4] != fill[6] == fill[7]
    assert [rgb(color)[0] < rgb(color)[2] for color in fill[::3]] == [True, False, True]


@pytest.mark.parametrize(("rankdir", "axis"), [("LR", 1), ("RL", 1), ("TB", 0), ("BT", 0)])
def test_arrows_leave_a_folded_module_where_their_numbers_stand(rankdir, axis):
    svg = draw_dot(mlp(), fold="layers.0", rankdir=rankdir).pipe("svg")
    name, group = next((name, group) for name, group in parts(svg, "node") if "layers.0" in lines(group))
    middles = {}
    for text in group.iter(f"{SVG}text"):
        along = float(text.get("x")) + float(text.get("textLength")) / 2 if axis == 0 else float(text.get("y"))
        middles[text.text.strip()] = along
    numbers = [middles[number] for number in ("-0.3661", "-0.3541", "0.7967")]
    assert numbers == sorted(numbers)
    starts = []
    for title, edge in parts(svg, "edge"):
        if title.startswith(f"{name}:"):
            starts.append([float(n) for n in re.findall(r"-?\d+\.?\d*", edge.find(f"{SVG}path").get("d"))[:2]][axis])
    assert len(starts) == 3
    for i, start in enumerate(starts):
        assert min(range(3), key=lambda k: abs(numbers[k] - start)) == i  # none of the others is nearer


def test_samples_that_are_plain_numbers_are_calls_of_their_own():
    layer = Layer(2, 2, "tanh", seed=1)
    xs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    loss = mg.sum([y for x in xs for y in layer(x)])
    loss.backward()
    nodes, _ = check_folded(loss, fold="Layer")
    assert [texts.count("·") for _, texts in nodes.values() if texts[0] == "Layer"] == [2, 2, 2, 2]


def test_calls_with_equal_numbers_are_nodes_of_their_own():
    layer = Layer(1, 2, "tanh", seed=1)
    x = Value(0.5, label="x")
    loss = mg.sum([*layer(x), *layer(x), *layer(0.5), *layer(0.5)])
    loss.backward()
    nodes, _ = check_folded(loss, fold="Layer")
    assert [texts.count("·") for _, texts in nodes.values() if texts[0] == "Layer"] == [2, 2, 2, 2]


def test_a_recurrence_of_a_folded_module_is_a_chain():
    cell = Neuron(2, "tanh", seed=1)
    h = Value(0.1, label="h")
    for _ in range(4):
        h = cell([0.5, h])
    h.backward()
    nodes, arrows = check_folded(h, fold="Neuron")
    assert len(nodes) == 5
    assert len(arrows) == 4


def test_a_parameter_that_is_also_used_outside_of_its_folded_module_is_drawn():
    layer = Layer(2, 2, "tanh", seed=1)
    x = [Value(0.5, label="x0"), Value(-0.5, label="x1")]
    weights = [p for p in layer.parameters() if p.data]
    loss = mg.sum(layer(x)) + mg.sum([0.1 * p * p for p in weights])
    loss.backward()
    for fold, count in (("Neuron", 2), ("Layer", 1)):
        nodes, _ = check_folded(loss, fold=fold)
        titles = [texts[0] for _, texts in nodes.values()]
        assert len([title for title in titles if re.fullmatch(r"neurons\.\d\.weights\.\d", title)]) == 4
        assert not any("bias" in title for title in titles)
        assert len([texts for _, texts in nodes.values() if "parameters" in texts[1 % len(texts)]]) == count


def test_a_parameter_that_is_a_root_is_drawn_though_its_module_is_folded():
    line = Line()
    nodes, arrows = read(draw_dot([line(Value(1.0, label="x")), line.slope], fold="Line"))
    assert sorted(texts[0] for _, texts in nodes.values()) == ["Line", "slope", "x"]
    assert len(arrows) == 2


def test_a_parameter_of_two_folded_modules_is_drawn_between_them():
    y = Autoencoder()(Value(1.0, label="x"))
    y.backward()
    nodes, _ = check_folded(y, fold="Encoder")
    assert [texts[0] for _, texts in nodes.values()] == ["encoder.weight", "x", "encoder", "decoder"]
    nodes, _ = check_folded(y, fold="encoder")
    assert {"encoder.weight", "encoder", "decoder.bias"} <= {texts[0] for _, texts in nodes.values()}
    assert [texts[0] for _, texts in check_folded(y, fold="Autoencoder")[0].values()] == ["x", "Autoencoder"]


def test_what_a_module_has_stored_and_is_used_outside_is_drawn_as_a_result():
    class Storing(Module):
        def __init__(self):
            self.line = Line()
            self._seen = []

        def forward(self, x):
            self._seen.append(self.line.slope * x)
            return mg.sin(self._seen[-1]) + self._seen[-1]

    module = Storing()
    y = module(Value(1.0, label="x"))
    loss = y * y + module._seen[0]
    loss.backward()
    nodes, arrows = check_folded(loss, fold="Storing")
    assert [texts[0] for _, texts in nodes.values()] == ["x", "Storing", "Storing", "· * ·", "· + ·"]
    assert ("n1", None, "n2") in [arrow[:3] for arrow in arrows]


def test_a_parameter_that_was_made_of_an_earlier_result_makes_no_cycle():
    """Fast weights: Schmidhuber, "Learning to control fast-weight memories", 1992."""

    class Fast(Module):
        def __init__(self):
            self.bias, self.weights = Value(0.25), []

        def forward(self, x):
            y = mg.sum([self.bias, *[weight * x for weight in self.weights]])
            self.weights.append(mg.sin(y))
            return y

    fast = Fast()
    x = Value(1.0, label="x")
    loss = fast(x) * fast(x) * fast(x)
    loss.backward()
    nodes, _ = check_folded(loss, fold="Fast")
    titles = [texts[0] for _, texts in nodes.values()]
    assert (titles.count("Fast"), titles.count("sin(·)")) == (3, 0)


def test_a_network_bound_to_results_is_folded_without_these():
    theta = Value(3.0, label="theta")
    y = Line().bind([2.0 * theta, mg.sin(theta)])(Value(1.5, label="x"))
    y.backward()
    nodes, arrows = check_folded(y, fold="Line")
    assert [texts[0] for _, texts in nodes.values()] == ["theta", "2.0 * theta", "2.0", "x", "sin(theta)", "Line"]
    assert [label for _, _, head, label in arrows if head == "n4"] == ["1.5", "6.0", "1.0"]


def test_derivatives_of_a_folded_module_are_numbers_also_inside_of_a_transform():
    graphs = []
    line = Line()

    def inner(x):
        y = line(x * x) * line(x)
        graphs.append(draw_dot(y, fold="Line", number=repr))
        return y

    mg.grad(mg.grad(inner))(3.0)
    nodes, arrows = read(graphs[0])
    assert [texts[0] for _, texts in nodes.values()] == ["data", "· * ·", "Line", "Line", "· * ·"]
    assert sorted(label for _, _, head, label in arrows if "Line" in nodes[head][1]) == ["2.0", "2.0"]


def test_a_folded_layer_of_which_all_parameters_are_constants_is_one_node():
    graphs = []
    layer = Layer(1, 3, "tanh", seed=1)

    def inner(x):
        y = mg.sum(layer(x * x))
        graphs.append(draw_dot(y, fold="Layer"))
        return y

    mg.grad(inner)(3.0)
    assert [texts[0] for _, texts in read(graphs[0])[0].values()] == ["data", "· * ·", "Layer", "sum([·, ·, ·])"]


def test_roots_are_drawn_and_outlined_twice_also_inside_of_what_is_folded():
    layer = Layer(1, 2, "tanh", seed=1)
    x = Value(1.0, label="x")
    first, second = layer(x)
    source = draw_dot([first, second], fold="Layer").source
    assert [source.count(f"peripheries={n}") for n in (1, 2)] == [1, 1]
    assert draw_dot([-first, second], fold="Layer").source.count("peripheries=2") == 2
    nodes, arrows = read(draw_dot([first.left, first], fold="Neuron"))
    assert [texts[0] for _, texts in nodes.values()] == ["x", "neurons.0", "neurons.0"]
    assert [arrow[:3] for arrow in arrows] == [("n0", None, "n1"), ("n1", None, "n2")]


def test_a_way_that_does_not_count_cannot_make_the_derivative_nan():
    class Root(Module):
        def __init__(self):
            self.zero, self.one = Value(0.0), Value(1.0)

        def forward(self, x):
            return self.zero * mg.sqrt(x * self.one) + x

    y = Root()(Value(0.0, label="x"))
    with pytest.warns(RuntimeWarning, match=r"^0 · ∞ in the derivative of sqrt"):
        y.backward()
    _, arrows = check_folded(y, fold="Root")
    assert arrows == [("n0", None, "n1", "1.0")]


def test_a_network_too_large_to_draw_is_drawn_folded():
    model = MLP(2, [16, 16, 1], seed=1)
    xs = [[Value(float(i), label="x0"), Value(1.0, label="x1")] for i in range(4)]
    loss = mg.sum([model(x) for x in xs])
    loss.backward()
    with pytest.raises(ValueError, match="draw_dot: 2906 nodes are more than max_nodes=100"):
        draw_dot(loss, max_nodes=100)
    nodes, _ = check_folded(loss, fold="Layer", max_nodes=21)
    assert len(nodes) == 4 * 5 + 1
    with pytest.raises(ValueError, match="draw_dot: 21 nodes are more than max_nodes=20: pass max_nodes=21 "):
        draw_dot(loss, fold="Layer", max_nodes=20)


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_however_modules_are_called_folding_them_keeps_the_chain_rule_and_makes_no_cycle(random, calls):
    """Modules in modules, with shared parameters, that store, hand on, and are called on each other's results."""

    class Some(Module):
        def __init__(self, parameters, parts):
            self.parameters_, self.parts = parameters, parts
            self._stored = []

        def forward(self, *xs):
            values = [*xs, *self.parameters_, *self._stored[:1]]
            for part in self.parts:
                values.append(part(random.choice(values), random.choice(values)))
            for _ in range(random.randrange(3)):
                values.append(random.choice([mg.sin, mg.tanh])(random.choice(values)))
                values.append(random.choice(values) * random.choice(values))
            self._stored.append(random.choice(values))
            result = values[-1] if random.random() < 0.7 else random.choice(values)
            return [result, values[-1], values[-1] + 1.0] if random.random() < 0.3 else result

        def __call__(self, *xs):
            result = super().__call__(*xs)
            return mg.sum(result) if isinstance(result, list) else result

    parameters = [Value(random.uniform(-1, 1)) for _ in range(4)]
    modules = []
    for _ in range(3):
        parts = random.sample(modules, random.randrange(len(modules) + 1))
        modules.append(Some(random.sample(parameters, random.randrange(4)), parts))
        modules[-1].__class__ = type(f"Some{len(modules)}", (Some,), {})
    values = [Value(1.0, label="x"), Value(2.0, label="y")]
    for _ in range(calls):
        values.append(random.choice(modules)(random.choice(values), random.choice(values)))
        values.append(mg.sin(random.choice([*values, *parameters])))
    loss = mg.sum(values)
    loss.backward()
    kinds = {type(module).__name__ for node in tape(loss) for module, _ in node.rule.calls}
    for fold in [*kinds, [*kinds]]:
        nodes, _ = check_folded(loss, fold=fold, groups=random.sample(sorted(kinds), random.randrange(len(kinds) + 1)))
        assert len(nodes) <= len(read(draw_dot(loss))[0])


# Colours by orders of magnitude ---------------------------------------------------------------------------------------


def logarithmic(*grads):
    """The colours, from the source, of boxes with these gradients in one drawing with scale="log"."""
    values = [Value(1.0) for _ in grads]
    for value, grad in zip(values, grads, strict=True):
        value.grad = grad
    return [rgb(color) for color in re.findall(r'fillcolor="(#\w+)"', draw_dot(values, scale="log").source)]


def test_on_a_log_scale_each_order_of_magnitude_has_its_shade():
    grads = [10.0**-i for i in range(13)]
    for sign in (1.0, -1.0):
        dark = [luminance(color) for color in logarithmic(*[sign * grad for grad in grads])]
        assert dark == sorted(set(dark))
        steps = [
            b - a
            for a, b in itertools.pairwise(
                [color[0 if sign > 0 else 2] for color in logarithmic(*[sign * g for g in grads])]
            )
        ]
        assert max(steps) - min(steps) <= 1
    assert logarithmic(1.0, 1e-12)[0] == fills(1.0)[0]
    assert logarithmic(-1.0, 1e-12)[0] == fills(-1.0)[0]


def test_on_a_log_scale_the_smallest_gradient_is_almost_white_and_zero_is_white():
    plus, minus, zero, one = logarithmic(1e-3, -1e-3, 0.0, 1.0)
    assert zero == (255, 255, 255)
    assert 240 <= min(plus) < 245
    assert 235 <= min(minus) < 245
    assert one == fills(1.0)[0]
    assert logarithmic(1e-3, 1e-3) == fills(1.0, 1.0)


def test_on_a_log_scale_what_is_below_1e_16_of_the_largest_is_as_pale_as_that():
    largest, least, less, middle = logarithmic(1e10, 1e-6, 1e-300, 100.0)
    assert least == less == logarithmic(1.0, 1e-3)[1]
    assert middle == logarithmic(1.0, 1e-4, 1e-8)[1]
    assert largest == fills(1.0)[0]
    assert logarithmic(sys.float_info.max, 5e-324) == [largest, least]


def test_on_a_log_scale_nan_is_grey_and_infinite_gradients_do_not_pale_the_others():
    assert logarithmic(math.nan, math.inf, 1.0, 1e-3) == [
        fills(math.nan)[0],
        fills(1.0)[0],
        *logarithmic(1.0, 1e-3),
    ]
    assert logarithmic(math.inf, 0.0, -math.inf) == [fills(1.0)[0], (255, 255, 255), fills(-1.0)[0]]


# Names and formulas ---------------------------------------------------------------------------------------------------


def test_numbers_without_a_label_are_called_v1_v2_in_the_order_of_the_tape():
    x, y = Value(3.0), Value(2.0, label="v1")
    z = x * y + 1.0
    w = -z
    w.label = "w"
    assert [box[0] for box in boxes(draw_dot(w, names=True, show=()))] == [
        "v2",
        "v1",
        "v3",
        "v4",
        "1",
        "w",
    ]
    assert {line for box in boxes(draw_dot(w, names=True, show=())) for line in box} >= {
        "= v2 * v1",
        "= v3 + 1",
        "= -v4",
    }
    assert (x.label, z.label) == ("", "")


def test_a_folded_drawing_has_the_names_of_the_whole_one():
    root = mlp()
    texts = [texts for _, texts in read(draw_dot(root, names=True, fold="Neuron"))[0].values()]
    folded = {texts[2] for texts in texts if len(texts) > 2 and "parameters" in texts[1]}
    whole = {texts[0].split(" = ")[0] for _, texts in read(draw_dot(root, names=True))[0].values()}
    assert len(folded) == 4
    assert folded <= {name for name in whole if name.startswith("v")}


def test_formulas_stand_on_the_arrows_beside_their_numbers():
    x, y = Value(3.0, label="x"), Value(2.0, label="y")
    edges = parts(draw_dot(mg.sin(x * y) ** 2 + x, show="formulas", names=True).pipe("svg"), "edge")
    assert sorted((name, *lines(group)) for name, group in edges) == [
        ("n0->n2", "∂ y = 2"),
        ("n0->n5", "∂ 1"),
        ("n1->n2", "∂ x = 3"),
        ("n2->n3", f"∂ cos(v1) = {math.cos(6.0):.4g}"),
        ("n3->n4", f"∂ 2 * v2 = {2.0 * math.sin(6.0):.4g}"),
        ("n4->n5", "∂ 1"),
        ("n4_1->n4",),
    ]


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_formula_of_a_partial_derivative_is_its_number(name):
    rule = RULES[name]
    point = {"x": 2.0 if name == "polygamma" else 0.75, "y": 0.625}
    operands = [Value(number, label=label) for label, number in point.items()]
    if "{y}" not in rule.template and not rule.sequences:
        del operands[1]
    try:
        result = mg.value.operate(rule, tuple(operands))
    except ValueError:
        operands = [Value(1.75, label="x")]  # acosh
        point["x"] = 1.75
        result = mg.value.operate(rule, tuple(operands))
    for text, (_, slope) in zip(partial_formulas(result, [*point]), mg.tape.operands(result), strict=True):
        names = FUNCTIONS | {"abs": mg.abs, "pow": mg.pow, "nan": math.nan, **point}
        assert eval(text, names) == pytest.approx(slope, rel=1e-5, nan_ok=True)


def test_formulas_are_those_of_the_numbers_of_then_and_cut_where_they_are_long():
    x = Value(3.0, label="x" * 50)
    y = mg.log(x)
    x.data = -1.0  # as a step of an optimizer may do
    assert [lines(group) for _, group in parts(draw_dot(y, show="formulas").pipe("svg"), "edge")] == [["∂ 0.3333"]]
    ((_, edge),) = parts(draw_dot(mg.sin(x), show="formulas").pipe("svg"), "edge")
    assert lines(edge) == [f"∂ cos({'x' * 35}… = 0.5403"]


# What may be drawn ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gathered", [list, tuple, set, iter, lambda xs: np.array(xs), lambda xs: np.array([xs, xs]), lambda xs: {"a": xs}]
)
def test_roots_may_be_gathered_in_whatever_holds_them(gathered):
    x = Value(3.0, label="x")
    graph = draw_dot(gathered([x * x, -x]))
    assert sorted(box[0] for box in boxes(graph)) == ["-x", "x", "x * x"]


def test_an_array_of_plain_numbers_is_refused_in_one_line():
    with pytest.raises(TypeError) as error:
        draw_dot(np.zeros((30, 30)))
    assert str(error.value) == "draw_dot: expected a Value or a list of Values, got np.float64(0.0) (float64)" or (
        "\n" not in str(error.value)
    )


@pytest.mark.parametrize("inner", [lambda x: x, lambda x: x * 2.0])
def test_inside_jit_there_is_nothing_to_draw_and_the_error_says_why(inner):
    def f(x):
        draw_dot(inner(x))
        return x

    for function in (f, mg.grad(f)):
        with pytest.raises(
            TypeError, match="draw_dot: inside jit the numbers are not known yet; call the function without"
        ):
            mg.jit(function)(2.0)


def test_a_limit_of_none_is_no_limit():
    x = Value(1.0)
    for _ in range(3000):
        x = -x
    with pytest.raises(ValueError, match="draw_dot: 3001 nodes are more than max_nodes=2000: pass max_nodes=3001"):
        draw_dot(x)
    assert draw_dot(x, max_nodes=None).source.count("->") == 3000


def test_a_long_label_is_cut():
    x = Value(1.0, label="y" * 3000)
    assert boxes(draw_dot(x, show=())) == [["y" * 299 + "…"]]
    assert boxes(draw_dot(Value(1.0), show="data", number=lambda x: "1" * 3000)) == [["data", "1" * 299 + "…"]]


def test_marks_that_turn_the_order_of_writing_are_shown_as_what_they_are():
    """https://trojansource.codes: U+202E would show the rest of the formula backwards."""
    marks = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    box = boxes(draw_dot(Value(1.0, label=f"a{marks}b"), show=()))
    assert box == [["a" + "".join(f"\\u{ord(mark):04x}" for mark in marks) + "b"]]


@pytest.mark.parametrize("engine", ["graphviz-pure", "dot", "pygraphviz"])
def test_every_text_of_a_picture_keeps_to_its_box_in_any_font(engine):
    """Each says how long it is, and that is within the outline; checked in a browser that has but DejaVu."""
    if not works(engine):
        pytest.skip(f"{engine} is not installed, or lacks a library")
    for label in ("neuron 7", "WWWWWWWWWW", "iiiiiiiiiiii", "梯度梯度梯度", "∂L/∂w₁", "e\u0301", "ЩЩЩЩЩЩ", "<&>\"'"):
        x = Value(-1.25e-7, label=label)
        for _, group in parts(draw_dot([x * 2.0, -x], engine=engine).pipe("svg"), "node"):
            outline = next((e for e in group if e.tag in (f"{SVG}path", f"{SVG}polygon")), None)
            numbers = (
                [float(n) for n in re.findall(r"-?\d+\.?\d*", outline.get("d") or outline.get("points"))]
                if (outline is not None)
                else [-math.inf, 0.0, math.inf]
            )
            row_ends = {}
            for text in group.iter(f"{SVG}text"):
                start, width, row = float(text.get("x")), float(text.get("textLength")), text.get("y")
                assert text.get("lengthAdjust") == "spacingAndGlyphs"
                if text.get("text-anchor") == "start":
                    assert min(numbers[::2]) <= start
                    assert start + width <= max(numbers[::2]) + 0.5
                    assert start >= row_ends.get(row, -math.inf) - 0.5  # nor does it run into the one before
                    row_ends[row] = start + width


def test_a_text_of_helvetica_is_as_long_as_its_letters():
    assert width("Wim i") == pytest.approx(0.944 + 0.222 + 0.833 + 0.278 + 0.222)  # from Adobe's metrics
    assert width("Wim i", bold=True) == pytest.approx(0.944 + 0.278 + 0.889 + 0.278 + 0.278)
    assert width("e\u0301") == width("e")
    assert width("\u00a0·…∂") == pytest.approx(0.278 + 0.278 + 1.0 + 0.494)


def test_a_png_too_large_to_be_read_says_so(loss, monkeypatch):
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 193, 32766)
    monkeypatch.setattr(engines, "picture", lambda *_: header)
    with pytest.warns(UserWarning, match="this PNG is 193 x 32766 pixels, .* draw it as SVG") as told:
        draw_dot(loss).pipe("png")
    assert told[0].filename == __file__


# The engines ----------------------------------------------------------------------------------------------------------


def test_importing_the_package_does_not_import_graphviz():
    program = "import sys, micrograd_plus; print([m for m in sys.modules if 'graphviz' in m or m == 'html'])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("name", ["graphviz-pure", "dot", "pygraphviz"])
def test_each_engine_that_is_installed_draws(loss, name, monkeypatch, capfd):
    if not works(name):
        pytest.skip(f"{name} is not installed, or lacks a library")
    graph = draw_dot(loss, engine=name)
    svg = graph.pipe()
    assert sorted(lines(group)[0] for _, group in parts(svg, "node")) == sorted(box[0] for box in boxes(draw_dot(loss)))
    assert graph.pipe("png").startswith(b"\x89PNG")
    assert graph.pipe(encoding="utf-8") == svg.decode()
    assert graph.pipe(engine="neato") != svg
    assert graph._repr_mimebundle_() == {"image/svg+xml": svg.decode()}
    monkeypatch.setenv("MICROGRAD_PLUS_ENGINE", name)
    assert draw_dot(loss).pipe() == svg
    assert capfd.readouterr() == ("", "")  # an engine may warn of fonts, which is not the user's matter


def test_graphviz_pure_is_found_by_its_package_or_on_the_path(monkeypatch, tmp_path):
    program = tmp_path / "graphviz-pure"
    program.touch()

    def installed(*files):
        monkeypatch.setattr(engines.metadata, "files", lambda name: [metadata.PackagePath(file) for file in files])
        monkeypatch.setattr(metadata.PackagePath, "locate", lambda self: self, raising=False)

    installed(tmp_path / "graphviz_pure.py", program)
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    assert engines.ENGINES["graphviz-pure"]() == [str(program)]
    installed(tmp_path / "moved-away" / "graphviz-pure")
    assert engines.ENGINES["graphviz-pure"]() == []
    monkeypatch.setattr(engines.shutil, "which", lambda name: str(program) if name == "graphviz-pure" else None)
    assert engines.ENGINES["graphviz-pure"]() == [str(program)]


def test_pygraphviz_is_an_engine_where_it_is_installed(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", {"pygraphviz": "a module"}.get)
    assert engines.ENGINES["pygraphviz"]()[0] == sys.executable
    monkeypatch.setattr(engines, "find_spec", {}.get)
    assert engines.ENGINES["pygraphviz"]() == []


def test_an_engine_may_take_a_minute(loss, monkeypatch):
    told = []
    monkeypatch.setattr(engines, "_output", lambda command, given, timeout: told.append(timeout) or b"<?xml </svg>")
    draw_dot(loss).pipe("svg")
    draw_dot(loss, timeout=3.0).pipe("svg")
    assert told == [60.0, 3.0]


def test_an_engine_is_given_the_arguments_of_dot_and_the_source(loss, monkeypatch, tmp_path):
    machine(monkeypatch, tmp_path, dot=SAY)
    graph = draw_dot(loss)
    assert graph.pipe(encoding="utf-8") == f"<?xml ['-Kdot', '-Tsvg'] {graph.source} </svg>\n"
    assert graph.pipe("svg", "cairo", "gd", 2, engine="neato").startswith(b"<?xml ['-Kneato', '-Tsvg:cairo:gd', '-n2']")


@pytest.mark.parametrize("fault", BROKEN)
def test_an_engine_that_fails_gives_way_to_the_next(loss, monkeypatch, tmp_path, fault):
    machine(monkeypatch, tmp_path, graphviz_pure=BROKEN[fault][0], dot=BROKEN[fault][0], pygraphviz=SAY)
    assert draw_dot(loss).pipe().startswith(b"<?xml ['-Kdot', '-Tsvg']")


@pytest.mark.parametrize("fault", BROKEN)
def test_where_all_engines_fail_one_line_says_why_and_what_to_install(loss, monkeypatch, tmp_path, fault):
    program, reason = BROKEN[fault]
    machine(monkeypatch, tmp_path, graphviz_pure=program, pygraphviz=program)
    with pytest.raises(RuntimeError) as error:
        draw_dot(loss).pipe()
    assert str(error.value) == (
        f"this cannot be drawn as svg: graphviz-pure {reason}; pygraphviz {reason}; "
        "or install the program graphviz (apt install graphviz, brew install graphviz, ...)"
    )


def test_an_engine_that_hangs_gives_way_to_the_next_or_is_an_error(loss, monkeypatch, tmp_path):
    hang = "import subprocess; subprocess.run([sys.executable, '-c', 'import time; time.sleep(100)'])"
    machine(monkeypatch, tmp_path, dot=hang, pygraphviz=SAY)
    assert draw_dot(loss, timeout=0.5).pipe().startswith(b"<?xml")
    monkeypatch.setenv("MICROGRAD_PLUS_TIMEOUT", "0.5")
    with pytest.raises(RuntimeError, match=r"dot took longer than 0\.5 s \(timeout= or MICROGRAD_PLUS_TIMEOUT"):
        draw_dot(loss, engine="dot").pipe()
    monkeypatch.delenv("MICROGRAD_PLUS_TIMEOUT")
    clock = iter([0.0, 60.1])  # when it starts, and when it is waited for
    monkeypatch.setattr(engines, "monotonic", lambda: next(clock))
    with pytest.raises(RuntimeError, match=r"dot took longer than 60 s"):
        draw_dot(loss, engine="dot").pipe()
    monkeypatch.setenv("MICROGRAD_PLUS_TIMEOUT", "soon")
    with pytest.raises(ValueError, match="MICROGRAD_PLUS_TIMEOUT='soon' is no number of seconds"):
        draw_dot(loss).pipe()


def test_an_engine_that_prints_without_end_is_stopped(loss, monkeypatch, tmp_path):
    for stream in ("stdout", "stderr"):
        machine(monkeypatch, tmp_path, dot=f"while True: sys.{stream}.write('y' * 65536)", pygraphviz=SAY)
        monkeypatch.setattr(engines, "LARGEST", 10_000_000)
        assert draw_dot(loss, timeout=5.0).pipe().startswith(b"<?xml")


@pytest.mark.skipif(os.name == "nt", reason="Windows knows programs by their endings")
@pytest.mark.parametrize("kind", ["folder", "text", "no permission"])
def test_what_is_called_dot_and_is_no_program_is_passed_over(loss, monkeypatch, tmp_path, kind):
    dot = tmp_path / "dot"
    if kind == "folder":
        dot.mkdir()
    else:
        dot.write_text("what is this?")
        dot.chmod(0o755 if kind == "text" else 0o644)
    monkeypatch.setenv("PATH", str(tmp_path))
    real = engines.ENGINES["dot"]
    machine(monkeypatch, tmp_path, pygraphviz=SAY)
    monkeypatch.setitem(engines.ENGINES, "dot", real)
    assert draw_dot(loss).pipe().startswith(b"<?xml")


def test_without_any_engine_the_error_says_how_to_get_one(loss, monkeypatch, tmp_path):
    machine(monkeypatch, tmp_path)
    graph = draw_dot(loss)
    for draw in (graph.pipe, graph._repr_mimebundle_, lambda: graph.render(tmp_path / "x")):
        with pytest.raises(graphviz.ExecutableNotFound) as error:
            draw()
        assert isinstance(error.value, RuntimeError)
        assert error.value.__cause__ is None  # one message, and not first that of a file that was not found
        assert str(error.value) == (
            "to draw, pip install graphviz-pure, or install the program graphviz "
            "(apt install graphviz, brew install graphviz, ...); .source works without them"
        )
    assert graph.source.startswith("digraph {")
    assert os.listdir(tmp_path) == []


def test_what_only_some_engines_draw_is_drawn_or_the_error_says_what_to_install(loss, monkeypatch):
    monkeypatch.delenv("MICROGRAD_PLUS_ENGINE", raising=False)
    if works("dot", "pdf") or works("pygraphviz", "pdf"):
        assert draw_dot(loss).pipe("pdf").startswith(b"%PDF")
    if not works("graphviz-pure"):
        pytest.skip("graphviz-pure is not installed")
    for name in ("dot", "pygraphviz"):
        monkeypatch.setitem(engines.ENGINES, name, lambda: [])
    with pytest.raises(RuntimeError) as error:
        draw_dot(loss).pipe("pdf")
    assert str(error.value) == (
        'this cannot be drawn as pdf: graphviz-pure says Format: "pdf" not recognized; or install the program graphviz '
        "(apt install graphviz, brew install graphviz, ...), or pip install pygraphviz"
    )


def test_the_engine_that_is_chosen_is_the_only_one(loss, monkeypatch, tmp_path):
    machine(monkeypatch, tmp_path, graphviz_pure="sys.exit(7)", pygraphviz=SAY)
    with pytest.raises(RuntimeError, match="this cannot be drawn as svg: graphviz-pure ended with status 7"):
        draw_dot(loss, engine="graphviz-pure").pipe()
    with pytest.raises(RuntimeError, match="the engine dot is not installed: install the program graphviz"):
        draw_dot(loss, engine="dot").pipe()
    with pytest.raises(ValueError, match="draw_dot: engine must be graphviz-pure, dot, pygraphviz, got 'neato'"):
        draw_dot(loss, engine="neato")
    monkeypatch.setenv("MICROGRAD_PLUS_ENGINE", "neato")
    with pytest.raises(ValueError, match="there is no engine 'neato': the engines are graphviz-pure, dot, pygraphviz"):
        draw_dot(loss).pipe()


def test_a_file_that_happens_to_be_named_pygraphviz_is_not_run(loss, monkeypatch, tmp_path):
    if not works("pygraphviz"):
        pytest.skip("pygraphviz is not installed, or lacks a library")
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    assert draw_dot(loss, engine="pygraphviz").pipe().startswith(b"<?xml")


def test_what_cannot_be_drawn_is_an_error_in_the_words_of_the_engine(loss):
    graph = draw_dot(loss)
    graph.body.append("->")
    with pytest.raises(RuntimeError, match=r"^this cannot be drawn as svg: \S+ says Error: .*syntax error"):
        graph.pipe()


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
        ({"outfile": Path("x.jpg"), "cleanup": True}, "x.jpg", ["x.jpg"]),
        ({"outfile": "x", "filename": "y"}, "x", ["x", "y"]),
    ],
)
def test_render_writes_the_files_that_graphviz_writes(loss, monkeypatch, tmp_path, options, path, files):
    """https://graphviz.readthedocs.io/en/stable/api.html#graphviz.Digraph.render"""
    monkeypatch.chdir(tmp_path)
    graph = draw_dot(loss)
    assert graph.render(**options) == path
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()) == files
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "jpg": b"\xff\xd8", "x": b"<?xml"}
    assert Path(path).read_bytes().startswith(starts[path.lower().rpartition(".")[2]])
    for source in set(files) - {path}:
        assert Path(source).read_text(encoding="utf-8") == graph.source


def test_a_file_that_is_there_may_be_refused(loss, tmp_path):
    """https://graphviz.readthedocs.io/en/stable/api.html#graphviz.Digraph.render"""
    path = tmp_path / "x.svg"
    assert draw_dot(loss).render(path, raise_if_result_exists=True, cleanup=True) == str(path)
    with pytest.raises(graphviz.FileExistsError, match="output file exists: "):
        draw_dot(loss).render(path, raise_if_result_exists=True)
    assert os.listdir(tmp_path) == ["x.svg"]
    with pytest.raises(ValueError, match="overwrite_source cannot be combined with raise_if_result_exists"):
        draw_dot(loss).render(path, raise_if_result_exists=True, overwrite_source=True)


def test_the_picture_takes_the_place_of_its_source_only_if_that_is_asked_for(loss, tmp_path):
    path = tmp_path / "x.gv"
    with pytest.raises(ValueError, match="must be different from the source file"):
        draw_dot(loss).render(path, outfile=path, format="svg")
    assert os.listdir(tmp_path) == []
    assert draw_dot(loss).render(path, outfile=path, format="svg", overwrite_source=True) == str(path)
    assert path.read_bytes().startswith(b"<?xml")


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
    """By the engine that drew them they are the same to the last byte; other engines write the same texts."""
    graph = make_pictures.PICTURES[name]()
    assert (DOCS / "images" / f"{name}.gv").read_text(encoding="utf-8") == graph.source
    committed, drawn = (DOCS / "images" / f"{name}.svg").read_bytes(), graph.pipe("svg")
    for kind in ("node", "edge"):
        assert sorted((title, lines(group)) for title, group in parts(committed, kind)) == sorted(
            (title, lines(group)) for title, group in parts(drawn, kind)
        )
    if works("graphviz-pure") and metadata.version("graphviz-pure") == make_pictures.VERSION:
        graph.program = "graphviz-pure"
        assert graph.pipe("svg") == committed


@pytest.mark.parametrize("name", make_pictures.PLOTS)
def test_the_plots_of_the_docs_say_what_the_code_draws(name):
    """The texts are equal; the lines depend by a fraction of a point on the version of matplotlib and on the fonts."""
    committed, drawn = (DOCS / "images" / f"{name}.svg").read_bytes(), make_pictures.PLOTS[name]()
    texts = re.findall(rb">([^<\n]+)</text>", committed)
    assert texts == re.findall(rb">([^<\n]+)</text>", drawn)
    said = {"step-size": b"one-sided", "gradient-cost": b"reverse mode, once for all"}
    said["series-cost"] = b"by hand"
    assert said[name] in texts
    assert committed.count(b"<path") == drawn.count(b"<path")


def test_every_picture_in_the_docs_is_one_that_is_made_there():
    names = {path.stem for path in (DOCS / "images").iterdir() if path.is_file()}
    assert names == {*make_pictures.PICTURES, *make_pictures.PLOTS}


def test_the_script_writes_the_pictures_and_their_sources(tmp_path):
    make_pictures.main(tmp_path)
    names = [path.name for path in (DOCS / "images").iterdir() if path.is_file()]
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    for name in names:
        if name.endswith(".gv"):
            assert (tmp_path / name).read_bytes() == (DOCS / "images" / name).read_bytes()


@pytest.mark.parametrize("number", ["{x}", "{:d}", "{"])
def test_a_format_that_cannot_write_a_number_is_named(loss, number):
    with pytest.raises(ValueError, match=rf"draw_dot: number={re.escape(repr(number))} cannot write "):
        draw_dot(loss, number=number)


@pytest.mark.parametrize("given", [iter, lambda xs: (x for x in xs), tuple, lambda xs: {"xs": xs}])
def test_what_a_folded_module_is_given_may_be_in_an_iterator_a_tuple_or_a_dict(given):
    class Total(Module):
        def __init__(self):
            self.weight = Value(2.0)

        def forward(self, xs):
            return {"total": self.weight * mg.sum(xs["xs"] if isinstance(xs, dict) else xs)}

    x = Value(3.0, label="x")
    y = Total()(given([x * 1.0]))["total"]
    y.backward()
    nodes, _ = check_folded(y, fold="Total")
    assert [texts[0] for _, texts in nodes.values()] == ["x", "x * 1.0", "1.0", "Total"]


def test_a_list_that_is_changed_after_the_call_still_says_what_was_given():
    cell, buffer = Neuron(1, "tanh", seed=1), [Value(0.5, label="h")]
    for _ in range(3):
        buffer[0] = cell(buffer)
    buffer[0].backward()
    nodes, _ = check_folded(buffer[0], fold="Neuron")
    assert [texts[0] for _, texts in nodes.values()] == ["h", "Neuron", "Neuron", "Neuron"]


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("PNG", b"\x89PNG")])
def test_a_picture_named_by_its_ending_is_the_picture_and_not_its_source(tmp_path, loss, ending, start):
    path = tmp_path / f"graph.{ending}"
    assert draw_dot(loss).render(path) == str(path)
    assert path.read_bytes().startswith(start)
    assert draw_dot(loss).render(f"new.{ending}", directory=tmp_path, cleanup=True) == str(tmp_path / f"new.{ending}")
    assert {*os.listdir(tmp_path)} == {f"graph.{ending}", "graph.gv", f"new.{ending}"}


def test_a_file_that_is_written_anew_keeps_its_permissions(tmp_path):
    path = tmp_path / "private.json"
    path.write_bytes(b"old")
    path.chmod(0o600)
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
