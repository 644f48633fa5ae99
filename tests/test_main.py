"""The command line: what it computes, prints and draws, and that every mistake is answered by one line."""

import contextlib
import doctest
import importlib.metadata
import io
import json
import math
import operator
import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import mpmath
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import micrograd_plus
from micrograd_plus import draw
from micrograd_plus.__main__ import CONSTANTS, DEPTH, LENGTH, ORDER, bindings, evaluate, main, numerical, parse
from micrograd_plus.rules import FUNCTIONS, RULES

README = ["0.5 * (w*x + b - y)**2", "w=2", "x=1", "b=0", "y=5"]
README_TEXT = """\
  tape           value  gradient  local derivatives
  w                2        -3
  x                1        -6
  b                0        -3
  y                5         3
  v1 = w * x       2        -3    dv1/dw = 1, dv1/dx = 2
  v2 = v1 + b      2        -3    dv2/dv1 = 1, dv2/db = 1
  v3 = v2 - y     -3        -3    dv3/dv2 = 1, dv3/dy = -1
  v4 = v3 ** 2     9         0.5  dv4/dv3 = -6
  v5 = 0.5 * v4    4.5       1    dv5/dv4 = 0.5

  value = 4.5

  derivative  reverse mode  forward mode  numerically
  d/dw                  -3            -3           -3
  d/dx                  -6            -6           -6
  d/db                  -3            -3           -3
  d/dy                   3             3            3
"""


class Picture:
    """What stands for a drawing where the drawing is not the matter."""

    source = "digraph {}"

    def __init__(self, root):
        pass

    def pipe(self, format):
        return b"a picture"


def needs_pdf():
    """Skip where no engine draws PDF: graphviz-pure cannot, and dot and pygraphviz need libraries of the system."""
    try:
        draw.draw_dot(micrograd_plus.Value(1.0)).pipe("pdf")
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def output(capsys):
    """A function that runs the command line, which must succeed, and returns what it prints."""

    def run(*argv):
        status = main(list(argv))
        out, err = capsys.readouterr()
        assert (status, err) == (0, "")
        return out

    return run


@pytest.fixture
def report(output):
    """A function that returns what the command line prints with --json, which must be strict JSON."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return lambda *argv: json.loads(output(*argv, "--json"), parse_constant=refuse)


@pytest.fixture
def error(capsys):
    """A function that runs the command line, which must fail, and returns its one line without the beginning."""

    def run(*argv):
        status = main(list(argv))
        out, err = capsys.readouterr()
        assert (status, out) == (2, "")
        return one_line(err)

    return run


@pytest.fixture
def undrawn(capsys):
    """A function that runs the command line, which must print its tables, and fail to draw; it returns why."""

    def run(*argv):
        status = main(list(argv))
        out, err = capsys.readouterr()
        assert main(list(argv[: argv.index("--draw" if "--draw" in argv else "--explore")])) == 0
        assert (status, out) == (2, capsys.readouterr().out)
        return one_line(err)

    return run


def one_line(err):
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1
    assert err.startswith("micrograd-plus: error: ")
    return err.removeprefix("micrograd-plus: error: ").removesuffix("\n")


# What it prints -------------------------------------------------------------------------------------------------------


def test_the_example_of_the_readme_prints_its_tape_its_value_and_its_derivatives(output):
    assert output(*README) == README_TEXT


def test_forward_adds_the_tangents_to_the_tape(output):
    table, *_ = output("-x / y", "x=-2", "y=4", "--forward", "x").split("\n\n")
    assert table.splitlines() == [
        "  tape         value  gradient  tangent  local derivatives",
        "  x             -2      -0.25      1",
        "  y              4      -0.125     0",
        "  v1 = -x        2       0.25     -1     dv1/dx = -1",
        "  v2 = v1 / y    0.5     1        -0.25  dv2/dv1 = 0.25, dv2/dy = -0.125",
    ]


def test_decimal_points_stand_below_each_other(output):
    _, _, table = output("x * y", "x=1e-5", "y=-123456").split("\n\n")
    assert table.splitlines() == [
        "  derivative  reverse mode  forward mode  numerically",
        "  d/dx         -123456       -123456      -123456",
        "  d/dy               1e-05         1e-05        1e-05",
    ]


def test_many_local_derivatives_go_on_below_in_a_narrow_column(output):
    table, *_ = output("sum([a, b, c, d])", "a=1", "b=2", "c=3", "d=4").split("\n\n")
    assert table.splitlines()[-2:] == [
        "  v1 = sum([a, b, c, d])     10         1  dv1/da = 1, dv1/db = 1, dv1/dc = 1,",
        "                                           dv1/dd = 1",
    ]


def test_a_line_of_local_derivatives_has_36_characters_at_most(output):
    assert "  dv1/dabcd = 111111, dv1/da = 1111.11\n" in output("abcd * a", "a=111111", "abcd=1111.11")
    assert "  dv1/dabcde = 111111,\n" in output("abcde * a", "a=111111", "abcde=1111.11")


def test_the_tape_has_six_digits_derivatives_twelve_and_the_numerical_ones_ten(output):
    tape, _, derivatives = output("2 * x / 3", "x=1").split("\n\n")
    assert tape.splitlines()[-1].split()[-5:] == ["0.666667", "1", "dv2/dv1", "=", "0.333333"]
    assert derivatives.split()[-3:] == ["0.666666666667", "0.666666666667", "0.6666666667"]


def test_json_says_all_that_the_text_says(report):
    assert report("w * x + 2", "w=2", "x=-1", "--forward", "x") == {
        "expression": "w * x + 2",
        "inputs": {"w": 2.0, "x": -1.0},
        "tape": [
            {"name": "w", "operation": None, "operands": [], "partials": []}
            | {"value": 2.0, "gradient": -1.0, "tangent": 0.0},
            {"name": "x", "operation": None, "operands": [], "partials": []}
            | {"value": -1.0, "gradient": 2.0, "tangent": 1.0},
            {"name": "v1", "operation": "mul", "operands": ["w", "x"], "partials": [-1.0, 2.0]}
            | {"value": -2.0, "gradient": 1.0, "tangent": 2.0},
            {"name": "v2", "operation": "add", "operands": ["v1", 2.0], "partials": [1.0, None]}
            | {"value": 0.0, "gradient": 1.0, "tangent": 2.0},
        ],
        "value": 0.0,
        "derivatives": {
            "w": {"reverse": -1.0, "forward": -1.0, "numerical": -1.0},
            "x": {"reverse": 2.0, "forward": 2.0, "numerical": 2.0},
        },
    }


def test_json_has_infinity_and_nan_as_strings(report):
    assert [report(text)["value"] for text in ("inf", "-inf", "nan")] == ["Infinity", "-Infinity", "NaN"]
    sqrt = report("sqrt(x)", "x=0", "--order", "2")
    assert sqrt["derivatives"]["x"] == {"reverse": "Infinity", "forward": "Infinity", "numerical": None}
    assert sqrt["orders"] == ["Infinity", "-Infinity"]


def test_a_derivative_that_cannot_be_checked_has_a_dash(output):
    assert output("sqrt(x)", "x=0").splitlines()[-1].split() == ["d/dx", "inf", "inf", "-"]


def test_minus_zero_is_printed_as_zero(output):
    assert output("-x", "x=0").splitlines()[1:3] == [
        "  x            0        -1",
        "  v1 = -x      0         1  dv1/dx = -1",
    ]


@pytest.mark.parametrize(
    ("text", "f"),
    [
        ("exp(-x**2 / 2) / sqrt(2 * pi)", lambda x: mpmath.exp(-(x**2) / 2) / mpmath.sqrt(2 * mpmath.pi)),
        ("tanh(x) * log(x)", lambda x: mpmath.tanh(x) * mpmath.log(x)),
    ],
)
def test_order_gives_the_higher_derivatives(text, f, report):
    found = report(text, "x=0.75", "--order", "6")["orders"]
    with mpmath.workdps(50):
        assert found == pytest.approx([float(mpmath.diff(f, mpmath.mpf(0.75), n)) for n in range(1, 7)], rel=1e-11)


def test_order_adds_a_table(output):
    assert output("x**3", "x=2", "--order", "4").split("\n\n")[-1].splitlines() == [
        "  order  derivative",
        "  1              12",
        "  2              12",
        "  3               6",
        "  4               0",
    ]


def test_a_constant_has_a_value_and_no_derivatives(output, report):
    assert output("2 + 3 * 4") == "  value = 14\n"
    assert report("tau - 2*pi")["derivatives"] == {}


def test_an_input_alone_is_an_expression(report):
    found = report("x", "x=7")
    assert (found["value"], found["derivatives"]["x"]["reverse"]) == (7.0, 1.0)
    assert len(found["tape"]) == 1


def test_an_input_without_influence_has_derivative_zero(report):
    found = report("where(x > 0, 2, y)", "x=1", "y=3")
    zero = {"reverse": 0.0, "forward": 0.0, "numerical": 0.0}
    assert (found["value"], found["derivatives"]) == (2.0, {"x": zero, "y": zero})


def test_names_of_results_avoid_those_of_inputs(report):
    rows = report("v1 * v3 + v1", "v1=2", "v3=5")["tape"]
    assert [row["name"] for row in rows] == ["v1", "v3", "v2", "v4"]
    assert rows[-1]["operands"] == ["v2", "v1"]


def test_version_and_help_exit_with_status_zero(capsys):
    for option, beginning in [("--version", f"micrograd-plus {micrograd_plus.__version__}\n"), ("-h", "usage: ")]:
        with pytest.raises(SystemExit, match=r"^0$"):
            main([option])
        out, err = capsys.readouterr()
        assert (out.startswith(beginning), err) == (True, "")


def test_the_three_examples_of_the_help_run(capsys, output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(draw, "draw_dot", Picture)
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    examples = [line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith('  micrograd-plus "')]
    assert len(examples) == 3
    for arguments in examples:
        assert output(*shlex.split(arguments))


def test_the_help_names_all_functions_and_constants_and_is_not_wider_than_a_terminal(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    names = text[text.index("functions: ") :].replace(",", " ").replace(";", " ").split()
    assert {*FUNCTIONS, *CONSTANTS} == set(names) - {"functions:", "constants:"}
    assert max(map(len, text.splitlines())) <= 90


@pytest.mark.parametrize(
    ("expression", "binding", "value"),
    [
        ("x − 1", "x=−1", -2.0),
        ("2 × x · x ÷ 3", "x=3", 6.0),
        ("π*x", "x=1/2", math.pi / 2),
        ("π*x", "π=2", 2.0),
        ("cos(x)", "x=pi", -1.0),
        ("x", "x=-2*sqrt(4)", -4.0),
    ],
)
def test_signs_as_in_books_and_numbers_as_expressions_work(expression, binding, value, report):
    given = [binding] if "x" in binding else [binding, "x=1"]
    assert report(expression, *given)["value"] == value


def test_the_page_and_the_explanation(tmp_path, output, report):
    page = tmp_path / "page.html"
    text = output(*README, "--explore", str(page), "--explain", "w")
    assert text.startswith(README_TEXT)
    assert "\n  w = 2, an input\n  ∂v5/∂w = -3\n" in text
    assert text.endswith(f"\n  The page is {page}: open it in a browser\n")
    html = page.read_text(encoding="utf-8")
    assert "<title>0.5 * (w*x + b - y)**2</title>" in html
    assert '"name":"v5"' in html
    told = report(*README, "--explore", str(page), "--explain", "v3")
    assert told["page"] == str(page)
    assert told["explanation"].startswith("v3 = -3, made by v2 - y\n∂v3/∂v2 = 1\n∂v3/∂y = -1\n∂v5/∂v3 = -3\n")


@pytest.mark.parametrize("file", ["page.htmx", "nowhere/page.html"])
def test_a_page_that_cannot_be_written_is_an_error_of_one_line_after_the_table(file, tmp_path, undrawn, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert undrawn(*README, "--explore", file).startswith(f"--explore {file}: ")
    assert not list(tmp_path.iterdir())


def test_a_page_that_cannot_be_made_says_why(undrawn, monkeypatch):
    def fail(*args, **options):
        raise ValueError("there is no such page")

    monkeypatch.setattr("micrograd_plus.__main__.explore", fail)
    assert undrawn(*README, "--explore", "page.html") == "--explore page.html: there is no such page"


def test_a_terminal_that_does_not_know_a_character_gets_an_escape(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["µ * 2", "µ=1"]) == 0
    assert b"v1 = \\u03bc * 2" in stream.buffer.getvalue()


def test_a_full_disk_is_an_error_of_one_line(capsys, monkeypatch):
    class Full(io.StringIO):
        encoding = None

        def write(self, text):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full())
        assert main(["x", "x=1"]) == 2
    assert one_line(capsys.readouterr().err) == "[Errno 28] No space left on device"


# The expression -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "f"),
    [
        ("-x**2", lambda x, y: -(x**2)),
        ("2**x**y", lambda x, y: 2 ** (x**y)),
        ("x - y - 1", lambda x, y: x - y - 1),
        ("x / y / 2", lambda x, y: x / y / 2),
        ("x - (y - 1)", lambda x, y: x - (y - 1)),
        ("+x * -y", lambda x, y: -x * y),
        ("x % y + (-x) % y", lambda x, y: x % y + (-x) % y),
        ("1_000 * x + 0x10 - .5e1", lambda x, y: 1000 * x + 16 - 5),
        ("1/2 * x", lambda x, y: 0.5 * x),
        ("  x +\n\ty", lambda x, y: x + y),
        ("e**x * pi", lambda x, y: math.e**x * math.pi),
        ("hypot(x, y) + atan2(y, x)", lambda x, y: math.hypot(x, y) + math.atan2(y, x)),
        ("sum([x, y, 1]) * mean([x, y])", lambda x, y: (x + y + 1) * (x + y) / 2),
        ("dot([x, 1], [y, x])", lambda x, y: x * y + x),
        ("logsumexp([x, y])", lambda x, y: math.log(math.exp(x) + math.exp(y))),
        ("softmax([x, y])[1]", lambda x, y: math.exp(y) / (math.exp(x) + math.exp(y))),
        ("sum(softmax([x, y]))", lambda x, y: 1.0),
        ("leaky_relu(-x) + leaky_relu(-x, 0.5)", lambda x, y: -0.51 * x),
        ("where(x < y, x, y)", lambda x, y: x),
        ("where(x > y, x, y)", lambda x, y: y),
        ("where(1 <= 1 < x, 2*x, y)", lambda x, y: 2 * x),
        ("where(1 < 1 < x, 2*x, y)", lambda x, y: y),
        ("where(x >= y, x, where(x == 1.25, y, 0))", lambda x, y: y),
        ("where(1 >= 1, x, y)", lambda x, y: x),
        ("where(x != x, x, 3)", lambda x, y: 3.0),
    ],
)
def test_an_expression_is_what_it_is_in_python(text, f, report):
    used = [word for word in ("x=1.25", "y=2") if re.search(rf"\b{word[0]}\b", text)]
    found = report(text, *used)
    assert found["value"] == pytest.approx(f(1.25, 2.0), rel=1e-15)
    for slopes in found["derivatives"].values():
        assert slopes["forward"] == pytest.approx(slopes["reverse"], rel=1e-14, abs=1e-15)
        assert slopes["numerical"] == pytest.approx(slopes["reverse"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_library_can_be_called(name, report):
    template = RULES[name].template if name in RULES else "[{x}]" * (name == "mean")
    if "[{" in template:
        arguments = "[x], [0.25]" if "{y}" in template else "[x, 0.25]"
    else:
        arguments = "x < 2, x, 0.25" if name == "where" else "x, 0.25" if "{y}" in template else "x"
    x = 1.5 if name == "acosh" else 1.0 if name == "polygamma" else 0.5
    call = f"{name}({arguments})" + "[0]" * name.endswith("softmax")
    assert report(call, f"x={x}")["value"] == eval(call, dict(FUNCTIONS), {"x": x})


def test_a_binding_hides_a_constant(report):
    assert report("e * pi", "e=2", "pi=3")["value"] == 6.0


def test_a_name_can_be_in_any_script_and_spelling(report):
    assert report("µ * ﬁ", "μ=2", "fi=3")["value"] == 6.0  # micro sign and mu, ligature and letters: Python's NFKC


def test_bindings_may_be_negative_in_scientific_notation_or_infinite():
    assert bindings(["a=-2", "b=-1.5e-3", " c = +.5 ", "d=-inf"]) == {"a": -2, "b": -0.0015, "c": 0.5, "d": -math.inf}


def test_options_may_stand_anywhere(output):
    text = output("x - y", "x=-2", "y=1e1", "--forward", "x")
    assert output("--forward", "x", "x - y", "x=-2", "y=1e1") == text
    assert output("x - y", "x=-2", "--forward=x", "y=1e1") == text


def test_an_expression_may_begin_with_a_minus_sign(report):
    assert [report("-x", "x=3")["value"], report("-2*x", "x=3")["value"]] == [-3.0, -6.0]


def test_nesting_is_bounded_and_long_sums_have_another_way(report, error):
    deep = f"nested more than {DEPTH} levels deep; write a long sum as sum([x, y, z])"
    assert report("x" + " + 1" * (DEPTH - 2), "x=1")["value"] == DEPTH - 1
    assert report("(" + "-" * (DEPTH - 2) + "x)", "x=1", "--order", "2")["orders"] == [1.0, 0.0]
    assert report(f"sum([{'x,' * 500}])", "x=1")["value"] == 500.0
    long_sum, in_a_call = "1" + "+1" * (LENGTH // 2 - 1), "sin(" * (DEPTH - 1) + "x" + ")" * (DEPTH - 1)
    unread = "sum([x for x in " + "+" * DEPTH + "x])"
    for text in ("x" + " + 1" * (DEPTH - 1), long_sum, in_a_call, unread):
        assert error(text, "x=1").endswith(deep)
    assert error("(" * 1000 + "x" + ")" * 999, "x=1") == "column 201: too many nested parentheses"


def test_length_is_bounded(output, error):
    assert output("x" + " " * 1999, "x=1")
    assert error("x" + " " * 2000) == "the expression has 2001 characters; 2000 are the most"


def test_what_is_quoted_has_sixty_characters_at_most(error):
    assert error(repr("a" * 58)).startswith(f"column 1: {'a' * 58!r} is not allowed")
    assert error(repr("a" * 59)).startswith(f"column 1: '{'a' * 56}... is not allowed")


@pytest.mark.parametrize("exhausted", [RecursionError, MemoryError])
def test_a_parser_that_gives_up_is_an_error_of_one_line(exhausted, error, monkeypatch):
    def give_up(*args, **kwargs):
        raise exhausted

    monkeypatch.setattr("ast.parse", give_up)
    assert error("x", "x=1").startswith("the expression is nested more than")


# Mistakes -------------------------------------------------------------------------------------------------------------

NOT_ALLOWED = "is not allowed; there are numbers, names, + - * / % ** and functions"
ONLY_CALL = "only a function can be called, with arguments in order; a product is written with *, as in 2 * (x + 1)"
LIST = "a list, as in sum([x, y]) or softmax([x, y])[0]"
PRODUCT = "a product is written with *, as in 2 * x"
COMPARISON = "a comparison, as in where(x > 0, x, -x)"


def reason(function, *numbers):
    """What Python says, which differs from version to version."""
    with pytest.raises((ValueError, ArithmeticError)) as info:
        function(*numbers)
    return str(info.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an expression is missing; --help shows three examples"),
        (" ", "an expression is missing; --help shows three examples"),
        ("x +", "column 4: invalid syntax"),
        ("  x +* 2", "column 6: invalid syntax"),
        ("((x)", "column 1: '(' was never closed"),
        ("2x", f"column 1: invalid decimal literal; {PRODUCT}"),
        ("1.5x + 1", f"column 3: invalid decimal literal; {PRODUCT}"),
        ("x y", f"column 3: invalid syntax; {PRODUCT}"),
        ("2 (x + 1) x", f"column 11: invalid syntax; {PRODUCT}"),
        ("sin x", "column 5: invalid syntax; a function is called with parentheses, as in sin(x)"),
        ("1 + log2 x", "column 10: invalid syntax; a function is called with parentheses, as in log2(x)"),
        ("|x|", "column 1: invalid syntax; the absolute value of x is written abs(x)"),
        ("x!", "column 2: invalid syntax; there is no factorial here"),
        ("x != ", "column 5: invalid syntax"),
        ("x²", "column 2: invalid character '²' (U+00B2); a power is written **, as in x**2"),
        ("2 + √x", "column 5: invalid character '√' (U+221A); a root is written sqrt(x) or cbrt(x)"),
        (
            "where(x ≥ 0, x, 0)",
            "column 9: invalid character '≥' (U+2265); comparisons are written <, <=, >, >=, ==, !=",
        ),
        ("½x", "column 1: invalid character '½' (U+00BD); a fraction is written 1/2"),
        ("x = 2", "column 3: invalid syntax; an input gets its number after the expression, as in x=2"),
        ("2,5 * x", "column 1: a comma does not belong here; a number is written with a point, as in 2.5"),
        ("log(x, 10)", "column 1: log takes 1 argument, got 2; to the base b it is log(x) / log(b)"),
        ("x # 1", "column 3: a comment is not allowed"),
        ("\ud800", "the expression has characters that are not text"),
        ("x + zz", "column 5: 'zz' has no value; add zz=NUMBER"),
        ("éa + x*zz", "column 1: 'éa' has no value; add éa=NUMBER"),
        (" \t zz", "column 4: 'zz' has no value; add zz=NUMBER"),
        ("xx + 1", "column 1: 'xx' has no value; add xx=NUMBER; did you mean x?"),
        ("1 + sine(x)", "column 5: there is no function 'sine'; did you mean sin?"),
        ("print(x)", "column 1: there is no function 'print'"),
        ("__import__('os').system('ls')", f"column 1: {ONLY_CALL}"),
        ("2*sin", "column 3: sin is a function; write sin(...)"),
        ("x.data", f"column 1: x.data {NOT_ALLOWED}"),
        ("x[0]", f"column 1: expected {LIST}, got a number"),
        ("softmax([x, 1])[2]", "column 1: there is no index 2 in a list of 2"),
        ("softmax([x, 1])[-1]", "column 1: an index is a whole number from 0 up, as in softmax([x, y])[0]"),
        ("softmax([x, 1])", f"column 1: expected a number, got {LIST}"),
        ("lambda: x", f"column 1: lambda: x {NOT_ALLOWED}"),
        ("x + 'text'", f"column 5: 'text' {NOT_ALLOWED}"),
        ("x * 3j", f"column 5: 3j {NOT_ALLOWED}"),
        ("x + True", f"column 5: True {NOT_ALLOWED}"),
        ("x @ x", f"column 1: x @ x {NOT_ALLOWED}"),
        ("~x", f"column 1: ~x {NOT_ALLOWED}"),
        ("x and x", f"column 1: x and x {NOT_ALLOWED}"),
        ("(x := 1)", f"column 2: (x := 1) {NOT_ALLOWED}"),
        ("sum([*x])", f"column 6: *x {NOT_ALLOWED}"),
        ("x**{" + "1, " * 30 + "}", f"column 4: {{{'1, ' * 18}1,... {NOT_ALLOWED}"),
        ("x ^ 2", "column 1: ^ is not an operation here; a power is written **"),
        ("x // 2", "column 1: // is not an operation here; write floor(x / y)"),
        ("1if x > 0else 2", "column 1: if ... else is not allowed; write where(x > 0, x, -x)"),  # the parser warns
        ("x if x > 0 else 1", "column 1: if ... else is not allowed; write where(x > 0, x, -x)"),
        ("2(x + 1)", f"column 1: {ONLY_CALL}"),
        ("x(2)", f"column 1: {ONLY_CALL}"),
        ("sin(x=x)", f"column 1: {ONLY_CALL}"),
        ("sin()", "column 1: sin takes 1 argument, got 0"),
        ("hypot(x)", "column 1: hypot takes 2 arguments, got 1"),
        ("elu(x, 1, 2)", "column 1: elu takes 1 or 2 arguments, got 3"),
        ("x > 0", f"column 1: expected a number, got {COMPARISON}"),
        ("where(x, 1, 2)", f"column 7: expected {COMPARISON}, got a number"),
        ("where(x in x, 1, 2)", f"column 7: x in x {NOT_ALLOWED}"),
        ("sum(x)", f"column 5: expected {LIST}, got a number"),
        ("[x]", f"column 1: expected a number, got {LIST}"),
        ("0**-1**x", f"column 1: 0.0 ** (-1.0): {reason(math.pow, 0.0, -1.0)}"),
        ("1 + x/0", f"column 5: x / 0.0 at x = 1.0: {reason(operator.truediv, 1.0, 0.0)}"),
        ("1 / 0", f"column 1: 1 / 0: {reason(operator.truediv, 1.0, 0.0)}"),
        ("2*log(x - 5)", f"column 3: log(-4.0): {reason(math.log, -4.0)}"),
        ("where(x > 5, log(x - 1), 0)", f"column 14: log(0.0): {reason(math.log, 0.0)}"),
        ("dot([x], [1, 2])", "column 1: dot: the sequences have different lengths, 1 and 2"),
        ("1" + "0" * 400, f"column 1: 1{'0' * 56}...: {reason(float, 10**400)}"),
    ],
)
def test_a_mistake_in_the_expression_is_named_with_its_column(text, message, error):
    assert error(text, "x=1") == message


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["x"], "column 1: 'x' has no value; add x=NUMBER"),
        (["é*x + zz", "é=1", "x=1"], "column 7: 'zz' has no value; add zz=NUMBER"),
        (["x", "x"], "'x' is not a binding; write name=number, as in x=2"),
        (["x", "x", "=", "2"], "'x' is not a binding; write name=number, as in x=2"),
        (["x", "x.y=2"], "'x.y=2' is not a binding; write name=number, as in x=2"),
        (["x", "if=2"], "'if=2' is not a binding; write name=number, as in x=2"),
        (["x", "x\n\u2028y=2"], "'x\\n\\u2028y=2' is not a binding"),
        (["x", "x=abc"], "'x=abc': 'abc' is not a number"),
        (["x", "x=1+"], "'x=1+': '1+' is not a number: invalid syntax"),
        (["x", "x="], "'x=': '' is not a number: the number is missing"),
        (["x", "x=y"], "'x=y': 'y' is not a number: 'y' has no value"),
        (["x", "x=1,5"], "'x=1,5': '1,5' is not a number: a comma does not belong here"),
        (["x", "x=[1]"], "'x=[1]': '[1]' is not a number: expected a number, got a list"),
        (["x", "x=1/0"], "'x=1/0': '1/0' is not a number: 1 / 0: "),
        (["x", "x=1", "--explain", "y"], "--explain: there is no input or step 'y'"),
        (["x", "x="], "'x=': '' is not a number"),
        (["x", "x=1", "x=2"], "'x=2': x has a value already, 1"),
        (["x", "exp=1"], "'exp=1': exp is a function; give the input another name"),
        (["x", "x=1", "y=2.50"], "y=2.5 is not used in the expression"),
        (["x", "x=1", "--forward", "y"], "--forward: there is no input 'y'"),
        (["alpha", "alpha=1", "--forward", "alfa"], "--forward: there is no input 'alfa'; did you mean alpha?"),
        (["x*y", "x=1", "y=1", "--order", "2"], "--order: there must be one input, this expression has 2"),
        (["pi", "--order", "2"], "--order: there must be one input, this expression has 0"),
        (["x", "x=1", "--order", "two"], "argument --order: invalid int value: 'two'"),
        (["x", "x=1", "--order", str(ORDER + 1)], "argument --order: invalid choice: "),
        (["x", "x=1", "--order", "11"], "argument --order: invalid choice: "),
        (["x", "x=1", "--order", "0"], "argument --order: invalid choice: "),
        (["x", "x=1", "--bogus"], "unrecognized arguments: --bogus"),
        (["x", "x=1", "--jso"], "unrecognized arguments: --jso"),
        (["x", "x=1", "--draw"], "argument --draw: expected one argument"),
        ([], "an expression is missing; --help shows three examples"),
    ],
)
def test_a_mistake_in_the_arguments_is_named(argv, message, error):
    assert error(*argv).startswith(message)


PIECES = [*FUNCTIONS, *CONSTANTS, *"xy+-*/%()[],.<>=#0129 '\\\n", "**", "//", "1e308", "1e-320", "([", "])", "])[1]"]
PIECES += ["x", "y", "x, y", "([x, y])", "(x, y)", "(x)", "where(x<y,", "lambda", "if", "else", "for", "not", "--"]
FORMS = ["({} + {})", "({} - {})", "({} * {})", "({} / {})", "({} ** {})", "({} % {})", "where({} < {}, {}, {})"]
FORMS += [f"{name}({{}})" for name in FUNCTIONS] + [f"{name}({{}}, {{}})" for name in FUNCTIONS]
FORMS += [f"{name}([{{}}, {{}}])" for name in FUNCTIONS] + ["softmax([{}, {}])[1]", "dot([{}, {}], [{}, {}])"]
LEAVES = st.sampled_from(["x", "y", "0", "1", "-2", "0.5", "1e308", "-5e-324", "710", "inf", "nan"])
GRAMMATICAL = st.recursive(LEAVES, lambda part: st.builds(str.format, st.sampled_from(FORMS), *[part] * 4))
TEXT = st.text() | st.lists(st.sampled_from(PIECES)).map("".join) | GRAMMATICAL
WORDS = ["x=1", "y=-2.5", "x=0", "y=inf", "x=1e200", "--json", "--order=2", "--forward=x"]


@given(TEXT, st.lists(st.sampled_from(WORDS) | st.text()))
@example("x=1", [])
@example("a\0b", [])
def test_no_text_gives_a_traceback(text, words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([text, *words])
        except SystemExit as end:  # --help and --version
            status = end.code
    assert status in (0, 2)
    if status == 2:
        one_line(err.getvalue())
    assert bool(out.getvalue()) == (status == 0)


# The numerical check --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [1e-12, 1e-6, 0.001, 0.1, 1.0, -2.5, 10.0, 1e4])
@pytest.mark.parametrize(
    ("text", "slope"),
    [
        ("sin(x)", mpmath.cos),
        ("atan(x)", lambda x: 1 / (1 + x * x)),
        ("x**3 - x", lambda x: 3 * x**2 - 1),
        ("1e300 * x", lambda x: 1e300),
    ],
)
def test_the_numerical_check_has_nine_digits_where_the_function_is_smooth(text, slope, x):
    tree = parse(text)
    found = numerical(lambda t: evaluate(tree, {"x": t}), x)
    assert found == pytest.approx(float(slope(mpmath.mpf(x))), rel=1e-9)


def test_the_numerical_check_takes_a_step_that_is_not_lost_in_rounding():
    assert numerical(lambda x: evaluate(parse("exp(x)"), {"x": x}), 1e-6) == pytest.approx(math.exp(1e-6), rel=1e-9)


def test_the_numerical_check_takes_a_step_that_stays_in_the_domain():
    assert numerical(lambda x: evaluate(parse("log(x)"), {"x": x}), 1e-10) == pytest.approx(1e10, rel=1e-9)


@pytest.mark.parametrize(("text", "x"), [("sqrt(x)", 0.0), ("acos(x)", 1.0), ("x", math.inf), ("x", math.nan)])
def test_there_is_no_numerical_check_where_neighbours_leave_the_domain(text, x):
    assert numerical(lambda t: evaluate(parse(text), {"x": t}), x) is None


# The picture ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "beginning"), [("svg", b"<?xml"), ("PNG", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_picture_has_the_format_of_its_ending(ending, beginning, output, tmp_path):
    if ending == "pdf":
        needs_pdf()
    file = tmp_path / f"graph.{ending}"
    assert output(*README, "--draw", str(file)) == README_TEXT + f"\n  The graph is drawn in {file}\n"
    assert file.read_bytes().startswith(beginning)
    assert list(tmp_path.iterdir()) == [file]


def test_the_picture_names_the_results_as_the_tape_does(report, tmp_path):
    file = tmp_path / "graph.dot"
    assert report(*README, "--forward", "w", "--draw", str(file))["drawing"] == str(file)
    source = file.read_text(encoding="utf-8")
    assert all(f"<B>{name}</B>" in source for name in ("w", "x", "b", "y", "v1", "v2", "v3", "v4", "v5"))
    assert "tangent" in source


def test_a_dot_file_needs_no_engine_and_its_name_may_begin_with_a_minus_sign(output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(draw, "draw_dot", Picture)
    output("x", "x=1", "--draw", "-x.dot")
    assert Path("-x.dot").read_text() == Picture.source


def test_a_constant_can_be_drawn(output, tmp_path):
    output("2 + 3", "--draw", str(tmp_path / "graph.dot"))
    assert "5" in (tmp_path / "graph.dot").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("graph.gif", "the file must end in .svg, .png, .pdf or .dot"),
        ("graph", "the file must end in .svg, .png, .pdf or .dot"),
        ("missing/graph.svg", "No such file or directory"),
        ("graph.txt/graph.svg", "Not a directory"),
        ("directory.svg", "Is a directory"),
        ("a\0b.svg", reason(os.lstat, "a\0b.svg")),
    ],
)
def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(file, message, undrawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(draw, "draw_dot", Picture)
    (tmp_path / "graph.txt").touch()
    (tmp_path / "directory.svg").mkdir()
    shown = file.replace("\0", "\\x00")  # a message does not carry control characters to the terminal
    assert undrawn("x", "x=1", "--draw", file) == f"--draw {shown}: {message}"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["directory.svg", "graph.txt"]


def test_a_picture_that_cannot_be_drawn_leaves_the_old_one_alone(undrawn, tmp_path, monkeypatch):
    def fail(root):
        raise RuntimeError("no engine is installed:\ninstall one")

    monkeypatch.setattr(draw, "draw_dot", fail)
    file = tmp_path / "graph.svg"
    file.write_text("old")
    assert undrawn("x", "x=1", "--draw", str(file)) == f"--draw {file}: no engine is installed: install one"
    assert file.read_text() == "old"


def test_the_table_is_printed_before_the_picture_is_drawn(capsys, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(draw, "draw_dot", lambda root: seen.append(capsys.readouterr().out) or Picture(root))
    assert main([*README, "--draw", str(tmp_path / "graph.svg")]) == 0
    assert seen == [README_TEXT]


def test_json_is_one_object_whatever_becomes_of_the_picture(capsys, tmp_path):
    assert main([*README, "--json", "--draw", str(tmp_path / "graph.gif")]) == 2
    out, err = capsys.readouterr()
    assert "drawing" not in json.loads(out)
    assert "the file must end in" in one_line(err)


@pytest.mark.parametrize("program", ["exit 7", "echo garbage", "kill -11 $$", "sleep 100"])
def test_an_engine_that_fails_is_one_line_and_leaves_no_file(program, undrawn, tmp_path, monkeypatch):
    dot = tmp_path / "bin" / "dot"
    dot.parent.mkdir()
    dot.write_text(f"#!/bin/sh\n{program}\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(dot.parent), prepend=os.pathsep)
    monkeypatch.setenv("MICROGRAD_PLUS_ENGINE", "dot")
    monkeypatch.setenv("MICROGRAD_PLUS_TIMEOUT", "0.5")
    file = tmp_path / "graph.svg"
    assert undrawn(*README, "--draw", str(file)).startswith(f"--draw {file}: this cannot be drawn as svg: dot ")
    assert not file.exists()


def test_a_picture_too_small_to_be_read_is_drawn_with_a_warning(capsys, tmp_path, monkeypatch):
    class Large(Picture):
        def pipe(self, format):
            warnings.warn("too small", stacklevel=1)
            return b"a picture"

    monkeypatch.setattr(draw, "draw_dot", Large)
    file = tmp_path / "graph.png"
    assert main(["x", "x=1", "--draw", str(file)]) == 0
    assert capsys.readouterr().err == f"micrograd-plus: warning: --draw {file}: too small\n"
    assert file.read_bytes() == b"a picture"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a closed pipe is another error on Windows")
def test_a_reader_that_has_read_enough_is_no_error_and_the_picture_is_drawn(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    file = tmp_path / "graph.dot"
    command = [sys.executable, "-m", "micrograd_plus", *README, "--draw", str(file)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert file.exists()


def test_a_mistake_leaves_no_file_behind(error, tmp_path):
    for text in ("x +", "log(-x)", "y"):
        error(text, "x=1", "--draw", str(tmp_path / "graph.svg"))
    assert list(tmp_path.iterdir()) == []


# The program ----------------------------------------------------------------------------------------------------------


def run(*argv):
    return subprocess.run([sys.executable, "-m", "micrograd_plus", *argv], capture_output=True, text=True, check=False)


def test_the_module_runs_as_a_program():
    done = run(*README)
    assert (done.returncode, done.stdout, done.stderr) == (0, README_TEXT, "")


def test_the_program_ends_with_status_two_after_a_mistake():
    done = run("x +")
    assert (done.returncode, done.stdout, one_line(done.stderr)) == (2, "", "column 4: invalid syntax")


def test_the_module_takes_its_arguments_from_the_command_line(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["micrograd-plus", *README])
    source = Path(main.__code__.co_filename).read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^0$"):
        exec(
            compile(source, main.__code__.co_filename, "exec"),
            {"__name__": "__main__", "__package__": "micrograd_plus"},
        )
    assert capsys.readouterr().out == README_TEXT


def test_the_console_script_is_main():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="micrograd-plus")
    assert script.load() is main


def test_two_slopes_with_respect_to_one_operand_are_shown_as_their_sum(capsys):
    assert main(["x**x", "x=2"]) == 0
    assert "dv1/dx = 4 + 2.77259\n" in capsys.readouterr().out


def test_a_slope_that_the_numerical_check_does_not_confirm_gets_a_line(capsys):
    assert main(["relu(x) + sin(y)", "x=0", "y=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "  d/dx: there may be a kink, a jump, or too steep a slope for a numerical check"
    assert not any(line.startswith("  d/dy:") for line in lines)


@pytest.mark.parametrize(
    ("text", "noted"),  # the numerical slope is halfway between both sides, the exact one that on the left
    [("x + 0.0019*relu(x)", 0), ("x + 0.0022*relu(x)", 1), ("1.8e-6*relu(x)", 0), ("2.2e-6*relu(x)", 1)],
)
def test_a_kink_is_noted_from_a_thousandth_of_the_slope_on_and_from_a_millionth(text, noted, output):
    assert output(text, "x=0").count("d/dx: there may be a kink") == noted


@pytest.mark.parametrize(("typed", "meant"), [("max(x, 1)", "maximum"), ("ln(x)", "log"), ("arctan(x)", "atan")])
def test_a_function_by_another_name_is_recognised(typed, meant, capsys):
    assert main([typed, "x=2"]) == 2
    assert capsys.readouterr().err.endswith(f"did you mean {meant}?\n")


def test_a_truth_value_is_no_index(capsys):
    assert main(["softmax([x, 1])[True]", "x=2"]) == 2
    assert "an index is a whole number" in capsys.readouterr().err


def test_a_closed_output_is_no_traceback(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["2 * x", "x=2"]) == 0
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["2 * x"]) == 2


def test_a_message_does_not_steer_the_terminal(capsys):
    assert main(["2 * x", "x=2", "--draw", "a\x1b[31m.txt"]) == 2
    assert "--draw a\\x1b[31m.txt:" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["x**x**x**x", "logsumexp([x, 2*x, 3*x, 4*x, 5*x])", "tanh(" * 90 + "x" + ")" * 90])
def test_high_orders_of_what_took_minutes_by_nesting(text, report):
    assert len(report(text, "x=1.1", "--order", "10")["orders"]) == 10


def test_ten_thousand_pairs_in_a_list_are_not_too_many_for_high_orders(report, error):
    long, one = f"softmax([{'x, ' * 99}x])[0]", " + logsumexp([x])"
    assert report(long, "x=0.5", "--order", "3")["orders"] == pytest.approx([0.0] * 3, abs=1e-12)
    assert error(long + one, "x=0.5", "--order", "3") == "--order 3: the lists are too long for more than order 2"


def test_the_examples_in_the_docstrings_run():
    assert doctest.testmod(micrograd_plus.__main__).failed == 0  # which --doctest-modules leaves out
