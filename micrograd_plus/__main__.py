"""The command line: for an expression and its inputs, the tape, the derivatives, and the picture.

    micrograd-plus "0.5 * (w*x + b - y)**2" w=2 x=1 b=0 y=5 --draw graph.svg

Python parses the expression but never runs it: `evaluate` walks over what the parser found, and knows numbers, names,
arithmetic and the functions of `rules.py`, nothing else. It works with numbers of any kind: with Values for the tape
and the gradients, inside `derivative` for forward mode, and with floats for the numerical check.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import inspect
import json
import keyword
import math
import operator
import os
import re
import subprocess
import sys
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn, TextIO

from . import __version__, draw
from .explore import explain, explore
from .rules import FUNCTIONS, RULES
from .series import derivatives
from .tape import operands, tape
from .testing import ridders
from .testing.examination import command, is_meant
from .transforms import derivative
from .value import Value

LENGTH, DEPTH, ORDER = 2000, 100, 10  # the most characters and levels of an expression, and its highest derivative
PAIRS = 10_000  # of numbers in the lists of SHARES, the most for derivatives beyond the second
SHARES = "logsumexp", "softmax", "log_softmax"
CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf, "nan": math.nan}
OPERATORS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Mod: "mod", ast.Pow: "pow"}
COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    **{ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge},
    **{ast.Eq: operator.eq, ast.NotEq: operator.ne},
}
NUMBER = "a number"
LIST = "a list, as in sum([x, y]) or softmax([x, y])[0]"
COMPARISON = "a comparison, as in where(x > 0, x, -x)"
ALIASES = {"max": "maximum", "min": "minimum", "ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}
INSTEAD: dict[type, str] = {  # of what one may well try
    ast.BitXor: "^ is not an operation here; a power is written **",
    ast.FloorDiv: "// is not an operation here; write floor(x / y)",
    ast.IfExp: "if ... else is not allowed; write where(x > 0, x, -x)",
    ast.Call: "only a function can be called, with arguments in order; a product is written with *, as in 2 * (x + 1)",
    ast.Tuple: "a comma does not belong here; a number is written with a point, as in 2.5",
    ast.Subscript: "an index is a whole number from 0 up, as in softmax([x, y])[0]",
}
SIGNS = str.maketrans("−–×·⋅∙÷", "--****/")  # as they are printed in books
HINTS = {  # of what Python cannot read, and people write
    r"\|": "the absolute value of x is written abs(x)",
    r"!(?!=)": "there is no factorial here",
    r"[²³⁴-⁹⁰¹ⁿ]": "a power is written **, as in x**2",
    r"[√∛]": "a root is written sqrt(x) or cbrt(x)",
    r"[≤≥≠]": "comparisons are written <, <=, >, >=, ==, !=",
    r"[½⅓⅔¼¾⅛]": "a fraction is written 1/2",
    r"\b({functions})\s+[\w.]+": r"a function is called with parentheses, as in \1(x)",
    r"(?<![\w.])\d[\d.]*\s*[^\W\d_]\w*|[\w.)]\s+[\w(]|\)\s*[\w(]": "a product is written with *, as in 2 * x",
    r"(?<![<>=!])=(?!=)": "an input gets its number after the expression, as in x=2",
}


class InputError(ValueError):
    """What was typed has no answer; the message is the one line that is printed."""


# The expression -------------------------------------------------------------------------------------------------------


def parse(text: str) -> ast.expr:
    """The expression as a tree, in which `col_offset` counts the characters of `text`; InputError if it is none."""
    if len(text) > LENGTH:
        raise InputError(f"the expression has {len(text)} characters; {LENGTH} are the most")
    if "#" in text:
        raise InputError(f"column {text.index('#') + 1}: a comment is not allowed")
    line = re.sub(r"\s", " ", text).rstrip().translate(SIGNS)
    start = len(line) - len(line.lstrip())
    deep = InputError(f"the expression is nested more than {DEPTH} levels deep; write a long sum as sum([x, y, z])")
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd spellings
            tree = ast.parse(line[start:], mode="eval").body
    except SyntaxError as error:
        column = start + (error.offset or len(line) - start + 1)
        raise InputError(f"column {column}: {error.msg}{_hint(line)}") from None
    except ValueError:
        raise InputError("the expression has characters that are not text") from None
    except (RecursionError, MemoryError):
        raise deep from None
    level: list[ast.AST] = [tree]
    for _ in range(DEPTH):
        for node in level:
            if isinstance(node, ast.expr):  # the parser counts bytes
                node.col_offset = start + len(line[start:].encode()[: node.col_offset].decode())
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise deep
    return tree


def _hint(line: str) -> str:
    """What to write instead of the first thing in an expression that many write and Python cannot read."""
    names = "|".join(sorted(FUNCTIONS, key=len, reverse=True))
    for pattern, hint in HINTS.items():
        if match := re.search(pattern.replace("{functions}", names), line):
            return f"; {match.expand(hint)}"
    return ""


def evaluate(node: ast.expr, numbers: dict[str, Any], kind: str = NUMBER) -> Any:
    """What the expression is where its names are these numbers; InputError if it is not of that kind."""
    value = _value(node, numbers)
    found = LIST if isinstance(value, list) else COMPARISON if isinstance(value, bool) else NUMBER
    if found != kind:
        _refuse(node, f"expected {kind}, got {found}")
    return value


def _value(node: ast.expr, numbers: dict[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _applied(node, float, value)
        case ast.Name(id=name) if name in numbers or name in CONSTANTS:
            return numbers[name] if name in numbers else CONSTANTS[name]
        case ast.Name(id=name) if name in FUNCTIONS:
            _refuse(node, f"{name} is a function; write {name}(...)")
        case ast.Name(id=name):
            _refuse(node, f"{name!r} has no value; add {name}=NUMBER" + _similar(name, (*numbers, *CONSTANTS)))
        case ast.UnaryOp(op=ast.UAdd(), operand=x):
            return evaluate(x, numbers)
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return _called(node, "neg", [x], numbers)
        case ast.BinOp(left=x, op=op, right=y) if type(op) in OPERATORS:
            return _called(node, OPERATORS[type(op)], [x, y], numbers)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name not in numbers:
            return _called(node, name, args, numbers)
        case ast.Compare(left=x, ops=ops, comparators=rest) if all(type(op) in COMPARISONS for op in ops):
            values = [evaluate(x, numbers) for x in (x, *rest)]
            return all(COMPARISONS[type(op)](*pair) for op, *pair in zip(ops, values, values[1:], strict=False))
        case ast.List(elts=items):
            return [evaluate(item, numbers) for item in items]
        case ast.Subscript(value=items, slice=ast.Constant(value=int() as index)) if not isinstance(index, bool):
            values = evaluate(items, numbers, LIST)
            if index >= len(values):
                _refuse(node, f"there is no index {index} in a list of {len(values)}")
            return values[index]
    not_allowed = f"{_source(node)} is not allowed; there are numbers, names, + - * / % ** and functions"
    _refuse(node, INSTEAD.get(type(getattr(node, "op", node)), not_allowed))


def _called(node: ast.expr, name: str, args: list[ast.expr], numbers: dict[str, Any]) -> Any:
    if name not in FUNCTIONS:
        _refuse(node, f"there is no function {name!r}" + _similar(name, FUNCTIONS))
    kinds, least = _parameters(name)
    if not least <= len(args) <= len(kinds):
        wanted = " or ".join(map(str, range(least, len(kinds) + 1)))
        base = "; to the base b it is log(x) / log(b)" if name == "log" and len(args) == 2 else ""
        _refuse(node, f"{name} takes {wanted} argument{'' if wanted == '1' else 's'}, got {len(args)}{base}")
    return _applied(node, FUNCTIONS[name], *[evaluate(x, numbers, kind) for x, kind in zip(args, kinds, strict=False)])


def _parameters(name: str) -> tuple[list[str], int]:
    """The kinds of the function's arguments, and how many it takes at least."""
    if name not in RULES:
        return ([COMPARISON, NUMBER, NUMBER], 3) if name == "where" else ([LIST], 1)
    if lists := RULES[name].sequences:
        return [LIST] * lists, lists
    parameters = inspect.signature(RULES[name].partials).parameters.values()
    return [NUMBER] * len(parameters), sum(p.default is p.empty for p in parameters)


def _applied(node: ast.expr, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (ValueError, ArithmeticError) as error:
        message = str(error)  # that of a Value says which operation it was
        _refuse(node, message if ": " in message else f"{_source(node)}: {message}")


def _refuse(node: ast.expr, message: str) -> NoReturn:
    raise InputError(f"column {node.col_offset + 1}: {message}") from None


def _source(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "..."


def _similar(name: str, names: Iterable[str]) -> str:
    close = [ALIASES[name]] if name in ALIASES else difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def bindings(words: list[str]) -> dict[str, float]:
    """The inputs, from words like "x=2" or "x=pi/2"; InputError if a word is not like that.

    >>> bindings(["w=2", "x=-1e-3", "y=1/2"])
    {'w': 2.0, 'x': -0.001, 'y': 0.5}
    """
    inputs: dict[str, float] = {}
    for word in words:
        name, equals, number = word.partition("=")
        name = unicodedata.normalize("NFKC", name.strip())  # as the parser does with the names of the expression
        if not equals or not name.isidentifier() or keyword.iskeyword(name):
            raise InputError(f"{word!r} is not a binding; write name=number, as in x=2")
        if name in FUNCTIONS:
            raise InputError(f"{word!r}: {name} is a function; give the input another name")
        if name in inputs:
            raise InputError(f"{word!r}: {name} has a value already, {_digits(inputs[name])}")
        try:
            inputs[name] = float(number)
        except ValueError:
            inputs[name] = _number(word, number)
    return inputs


def _number(word: str, text: str) -> float:
    """The number that is written as an expression without inputs."""
    try:
        if not text.strip():
            raise InputError("the number is missing")
        return float(evaluate(parse(text), {}))
    except InputError as error:
        reason = re.sub(r"^column \d+: |; add .*=NUMBER", "", str(error))
        raise InputError(f"{word!r}: {text!r} is not a number: {reason}") from None


# What is computed -----------------------------------------------------------------------------------------------------


def examine(
    tree: ast.expr, inputs: dict[str, float], forward: str = "", order: int = 0
) -> tuple[Value, dict[str, Any]]:
    """The Value of the expression, and all there is to say about it."""
    values = {name: Value(x, label=name) for name, x in inputs.items()}
    if forward:
        if forward not in inputs:
            raise InputError(f"--forward: there is no input {forward!r}" + _similar(forward, inputs))
        values[forward].tangent = 1.0
    result = evaluate(tree, values)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for name in inputs:
        if name not in used:
            raise InputError(f"{name}={_digits(inputs[name])} is not used in the expression")
    if order and len(inputs) != 1:
        raise InputError(f"--order: there must be one input, this expression has {len(inputs)}")
    root = result if isinstance(result, Value) else Value(result)
    root.backward()
    steps = [node for node in tape(root) if node.rule.name]
    for step, name in draw.numbered(steps, taken=inputs).items():
        step.label = name
    report: dict[str, Any] = {
        "inputs": inputs,
        "tape": [_row(node) | ({"tangent": node.tangent} if forward else {}) for node in (*values.values(), *steps)],
        "value": root.data,
        "derivatives": {name: _slopes(tree, inputs, name, values[name].grad) for name in inputs},
    }
    if order:
        ((name, x),) = inputs.items()
        report["orders"] = _orders(lambda t: evaluate(tree, {name: t}), x, order, root)
    return root, report


def _orders(f: Callable[[Any], Any], x: float, order: int, root: Value) -> list[float]:
    """The derivatives of orders 1 to `order`; InputError if they would take many seconds."""
    pairs = sum(len(operands(node)) ** 2 for node in tape(root) if node.rule.name in SHARES)
    if order > 2 and pairs > PAIRS:  # each number of a softmax has a derivative by each other one
        raise InputError(f"--order {order}: the lists are too long for more than order 2")
    try:
        found: list[float] = derivatives(f, order)(x)
        return found[1:]
    except (ValueError, ArithmeticError) as error:
        raise InputError(f"--order {order}: {error}") from None


def _row(node: Value) -> dict[str, Any]:
    return {
        "name": node.label,
        "operation": node.rule.name or None,
        "operands": [x.label if isinstance(x, Value) else x for x, _ in operands(node)],
        "partials": [partial for _, partial in operands(node)],
        "value": node.data,
        "gradient": node.grad,
    }


def _slopes(tree: ast.expr, inputs: dict[str, float], name: str, gradient: float) -> dict[str, float | None]:
    def f(x: Any) -> Any:
        return evaluate(tree, {**inputs, name: x})

    return {"reverse": gradient, "forward": derivative(f)(inputs[name]), "numerical": numerical(f, inputs[name])}


def numerical(f: Callable[[float], float], x: float) -> float | None:
    """The slope of `f` at `x` by differences, see `testing.ridders`; None where f has no values on both sides.

    >>> numerical(lambda x: x * x, 3.0)
    6.0
    """
    slope, _ = ridders(f, x)
    return None if math.isnan(slope) else slope


# How it is written ----------------------------------------------------------------------------------------------------


def as_text(report: dict[str, Any]) -> str:
    """The report in tables, for people."""
    lines = []
    if rows := report["tape"]:
        steps, local = ["tape"], ["local derivatives"]
        for row in rows:
            names = [x if isinstance(x, str) else repr(x).removesuffix(".0") for x in row["operands"]]
            formula = f" = {draw.formula(RULES[row['operation']], names)}" if row["operation"] else ""
            steps.append(row["name"] + formula)
            slopes: dict[str, str] = {}
            for x, partial in zip(names, row["partials"], strict=True):
                if partial is not None:  # of x * x both slopes are shown
                    slopes[x] = f"{slopes[x]}\xa0+\xa0{_digits(partial)}" if x in slopes else _digits(partial)
            local.append(", ".join(f"d{row['name']}/d{x}\xa0=\xa0{d}" for x, d in slopes.items()))
        heads = [head for head in ("value", "gradient", "tangent") if head in rows[0]]
        lines += [*_table(steps, *[_column(head, [row[head] for row in rows]) for head in heads], local), ""]
    lines += [f"  value = {_digits(report['value'], 12)}"]
    if derivatives := report["derivatives"]:
        modes = [("reverse mode", "reverse", 12), ("forward mode", "forward", 12), ("numerically", "numerical", 10)]
        columns = [_column(head, [slope[key] for slope in derivatives.values()], digits) for head, key, digits in modes]
        lines += ["", *_table(["derivative", *[f"d/d{name}" for name in derivatives]], *columns)]
        for name, slope in derivatives.items():
            exact, seen = slope["reverse"], slope["numerical"]
            if seen is not None and not math.isclose(exact, seen, rel_tol=1e-3, abs_tol=1e-6):
                lines += [f"  d/d{name}: there may be a kink, a jump, or too steep a slope for a numerical check"]
    if orders := report.get("orders"):
        lines += ["", *_table(["order", *map(str, range(1, len(orders) + 1))], _column("derivative", orders, 12))]
    if "explanation" in report:
        lines += ["", *[f"  {line}".rstrip() for line in report["explanation"].splitlines()]]
    return "\n".join(lines)


def as_json(report: dict[str, Any]) -> str:
    """The report for programs: strict JSON, in which "Infinity", "-Infinity" and "NaN" are strings.

    >>> as_json({"value": math.inf})
    '{\\n  "value": "Infinity"\\n}'
    """
    return json.dumps(json.loads(json.dumps(report), parse_constant=str), indent=2)


def _digits(x: float | None, digits: int = 6) -> str:
    return "-" if x is None else format(x + 0.0, f".{digits}g")  # -0.0 + 0.0 is 0.0


def _column(head: str, numbers: list[float | None], digits: int = 6) -> list[str]:
    """The numbers below their head, and their decimal points below each other."""
    texts = [_digits(x, digits) for x in numbers]
    whole = [len(re.split(r"[.e]", text)[0]) for text in texts]
    texts = [" " * (max(whole) - n) + text for text, n in zip(texts, whole, strict=True)]
    width = max(map(len, texts))
    return [text.rjust(len(head)) for text in (head.rjust(width), *[text.ljust(width) for text in texts])]


def _table(*columns: list[str]) -> list[str]:
    """The columns beside each other; what is too long in the last one goes on below."""
    widths = [max(map(len, column)) for column in columns[:-1]]
    lines = []
    for *cells, last in zip(*columns, strict=True):
        first, *rest = textwrap.wrap(last, 36) or [""]
        start = "".join(f"  {cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        lines += [f"{start}  {first}".rstrip(), *[" " * (len(start) + 2) + line for line in rest]]
    return [line.replace("\xa0", " ") for line in lines]


# The program ----------------------------------------------------------------------------------------------------------

EXAMPLES = """examples:
  micrograd-plus "0.5 * (w*x + b - y)**2" w=2 x=1 b=0 y=5 --draw graph.svg
  micrograd-plus "x * sin(y)" x=-1.5 y=2e-3 --forward x --explore page.html
  micrograd-plus "exp(-x**2 / 2) / sqrt(2 * pi)" x=0.5 --order 4 --json

to test an engine of your own, see micrograd-plus check --help:
  micrograd-plus check mine.py:Value
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def _arguments(argv: list[str]) -> argparse.Namespace:
    names = f"functions: {', '.join(sorted(FUNCTIONS))}; constants: {', '.join(CONSTANTS)}"
    parser = _Parser(
        prog="micrograd-plus",
        usage="%(prog)s EXPRESSION [NAME=NUMBER ...] [options]",
        description="The value of an expression, its tape, and its derivatives: by reverse mode, by forward\n"
        "mode, and numerically, from values alone.",
        epilog=EXAMPLES + "\n" + "\n  ".join(textwrap.wrap(names, 88)),
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=90),
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("words", nargs="*", help=argparse.SUPPRESS)
    add("--draw", metavar="FILE", type=str.strip, help="draw the graph; FILE ends in .svg, .png, .pdf or .dot")
    add("--forward", metavar="NAME", default="", help="give this input the tangent 1, and show all tangents")
    add(
        "--order",
        metavar="N",
        type=int,
        choices=range(1, ORDER + 1),
        default=0,
        help=f"show derivatives of orders 1 to N (at most {ORDER}), of an expression with one input",
    )
    add("--explore", metavar="FILE", type=str.strip, help="write a page to step through the graph; FILE ends in .html")
    add("--explain", metavar="NAME", default="", help="say why the gradient of this input, or step, is what it is")
    add("--json", action="store_true", help="print JSON; Infinity, -Infinity and NaN are strings in it, null is none")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    # What begins with a minus sign may be an expression, such as -x: argparse takes it for one if a space comes first.
    return parser.parse_intermixed_args([f" {a}" if re.match("-[^-]", a) and a != "-h" else a for a in argv])


def _draw(root: Value, file: str) -> None:
    form = Path(file).suffix[1:].lower()
    if form not in ("svg", "png", "pdf", "dot"):
        raise InputError(f"--draw {file}: the file must end in .svg, .png, .pdf or .dot")
    try:
        with warnings.catch_warnings(record=True, action="always") as told:
            graph = draw.draw_dot(root)
            draw.write(file, graph.source.encode() if form == "dot" else graph.pipe(form))
        for warning in told:
            _print(f"micrograd-plus: warning: --draw {file}: {warning.message}", sys.stderr)
    except (OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
        reason = str(getattr(error, "strerror", None) or error).replace("; .source works", "; --draw NAME.dot works")
        raise InputError(f"--draw {file}: {reason}") from None


def _explore(root: Value, title: str, file: str) -> None:
    if Path(file).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--explore {file}: the file must end in .html")
    try:
        explore(root, title=title).save(file)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"--explore {file}: {getattr(error, 'strerror', None) or error}") from None


def _explanation(root: Value, name: str) -> str:
    nodes = {node.label: node for node in tape(root)}
    if name not in nodes:
        raise InputError(f"--explain: there is no input or step {name!r}" + _similar(name, nodes))
    return explain(nodes[name], root)


def _print(text: str, stream: TextIO | None) -> None:
    """Print the text, also where the terminal does not know all its characters, or where it is closed."""
    if stream is not None:
        encoding = stream.encoding or "utf-8"
        text = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
        try:
            print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
        except BrokenPipeError:  # who reads has read enough, as `head -1`; what is still in the buffer goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _check(words: list[str]) -> int:
    """Test an engine, see testing/examination.py."""
    try:
        text, status = command(words)
    except ValueError as error:
        raise InputError(str(error)) from None
    _print(text, sys.stdout)
    return status


def main(argv: list[str] | None = None) -> int:
    """Run the command line, and return its exit status: 0; 1 if `check` finds something wrong; 2 after an error, which
    is one line on stderr.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        if is_meant(argv):
            return _check(argv[1:])
        arguments = _arguments(argv)
        expression, *words = arguments.words or [""]
        if not expression.strip():
            raise InputError("an expression is missing; --help shows three examples")
        root, report = examine(parse(expression), bindings(words), arguments.forward, arguments.order)
        report = {"expression": expression.strip(), **report}
        if arguments.explain:
            report["explanation"] = _explanation(root, arguments.explain)
        if not arguments.json:
            _print(as_text(report), sys.stdout)  # first, whatever becomes of the picture
        try:
            if arguments.draw is not None:
                _draw(root, arguments.draw)
                report["drawing"] = arguments.draw
            if arguments.explore is not None:
                _explore(root, report["expression"], arguments.explore)
                report["page"] = arguments.explore
        finally:
            if arguments.json:
                _print(as_json(report), sys.stdout)
        if "drawing" in report and not arguments.json:
            _print(f"\n  The graph is drawn in {arguments.draw}", sys.stdout)
        if "page" in report and not arguments.json:
            _print(f"\n  The page is {arguments.explore}: open it in a browser", sys.stdout)
    except (InputError, OSError) as error:
        _print(f"micrograd-plus: error: {' '.join(str(error).split())[:300]}", sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
