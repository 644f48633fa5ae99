"""Writes docs/operations.md: the table of derivatives, read off the rules by running them on Values named x and y.

python docs/make_tables.py
"""

import inspect
from pathlib import Path

from micrograd_plus import Value
from micrograd_plus.draw import expression
from micrograd_plus.machinery.more import MORE
from micrograd_plus.rules import RULES, Rule

PAGE = Path(__file__).parent / "operations.md"
HEAD = """# The operations and their derivatives

Every operation of the library is one rule in `micrograd_plus/rules.py`. `python docs/make_tables.py` makes this table:
it runs each rule on two Values named x and y, and writes down the partial derivatives that come out. Where a rule
chooses by the sign of its operands, the table shows the case x > 0, or x > y.

Call functions as `mg.sin(x)` and methods as `x.sin()`. Where NumPy has another name, the table gives it, and
`np.arcsin` works on arrays of Values. `mean` and `where(condition, x, y)` are made of these operations. The derivatives
use a few that are otherwise seldom needed:

- `reciprocal(x)` is 1 / x, infinite at 0;
- `gaussian(x, y)` is exp(y · x²);
- `ndtr(x)` is the area under the normal distribution up to x;
- `step(x)` is 1 where x > 0, else 0;
- `times(x, y)` is x · y, but 0 if either is 0, even against infinity.

`log(x, base)` is log(x) / log(base), and `hypot` of more than two numbers is their `norm`. `polygamma(n, x)` is the
derivative n + 1 of lgamma at x; it has no slope by n.

| operation | value | ∂/∂x | ∂/∂y | NumPy |
|---|---|---|---|---|
"""


def row(rule: Rule) -> str:
    """A line of the table: the rule at the first point of its domain that comes to hand."""
    for x in (1.5, 0.5, 1.0):
        point = [Value(x, label="x"), Value(0.7, label="y")]
        if "{y}" not in rule.template and not rule.sequences:
            del point[1]
        try:
            _, *partials = rule.partials(*point)
        except ValueError:  # not in the domain
            continue
        names = [p.label for p in point]
        cells = [rule.program(names), *[expression(partial) for partial in partials]]
        return (
            f"| {rule.name} | {' | '.join(f'`{c}`' for c in cells)} |{'' if len(cells) > 2 else '  |'} {rule.numpy} |"
        )
    raise ValueError(f"{rule.name}: none of the points is in its domain")


TAIL = """
## Functions made of these

What else `math`, NumPy and SciPy have is made of the operations (`micrograd_plus/machinery/more.py`), and so has their
derivatives. `fsum`, `sumprod`, `fabs` and `expit` are other names of `sum`, `dot`, `abs` and `sigmoid`.

| function | what it is |
|---|---|
"""


def line(name: str) -> str:
    """A line of the second table: how the function is called, and the first sentence of what it says of itself."""
    parameters = inspect.signature(MORE[name]).parameters.values()
    called = ", ".join([p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters])
    sentence = str(MORE[name].__doc__).partition(".\n")[0]
    return f"| `{name}({called})` | {sentence.replace('**', '^').rstrip('.')} |"


def page() -> str:
    """The whole page."""
    made = [line(name) for name, function in MORE.items() if function.__name__ == name]
    return HEAD + "\n".join(row(rule) for rule in RULES.values()) + "\n" + TAIL + "\n".join(made) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
