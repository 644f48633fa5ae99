"""Random expressions for hypothesis: what to test derivatives on, and everything that is made of derivatives.

    @given(st.data())
    def test_the_gradient_is_right(data):
        f = data.draw(expressions())
        check_grads(f, data.draw(points(f)))

An expression is a list of operations on its variables and on earlier results, so it shares what it computes, and one
that fails shrinks by losing operations. It is drawn together with a point at which it has a value; other points are
drawn anywhere and moved towards that one until they have a value too, so nothing drawn is ever thrown away.

    @given(st.data())
    def test_my_loss(data):
        model = data.draw(networks(outputs=1))
        x = data.draw(points(model))
        check_grads(lambda p: my_loss(model.bind(p)(x)), (model.state_dict(),))

A network is a small `MLP`, for those who write losses, activations and optimizers.
"""

from __future__ import annotations

import inspect
import keyword
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from types import SimpleNamespace
from typing import Any

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    raise ImportError(
        "testing.strategies: it needs hypothesis: pip install hypothesis, or in a clone pip install -e '.[test]'"
    ) from error

from ..machinery.operations import OWN
from ..nn import MLP, Neuron
from ..rules import FUNCTIONS, RULES, Rule
from ..value import Value, bottom

__all__ = ["Expression", "expressions", "networks", "points", "values"]

CONSTANTS = [2.0, -1.0, 0.5, 3.0]
MARGIN = 0.01  # how far from jumps and kinks a point is that is away from them
SMOOTH = ("linear", "tanh", "sigmoid", "softplus", "silu", "sin")  # not gelu: it takes no complex numbers
NEAR, FAR = 30.0, 1e6  # the largest value and slope of an operation, if the expression is smooth, and if it is not


@dataclass(frozen=True, repr=False)
class Expression:
    """A function of numbers of any kind: floats, Values of any level, complex numbers, those of mpmath and SymPy.

    `variables` are the names of its arguments. Each of its `lines` is an operation and its operands: a float, or the
    number of a node. Nodes are the variables and then the results of the lines; the last one is the result of all.
    `point` is a point of its domain, away from jumps and kinks if the expression is `smooth`. It prints as a line of
    Python, for a program with `import micrograd_plus as mg`. Calling it raises a TypeError if the number of arguments
    is wrong, and what the operations raise.

    >>> f = Expression(("x",), (("mul", (0, 2.0)), ("sin", (1,)), ("add", (2, 1))), (0.5,))
    >>> f
    lambda x: mg.sin((t1 := x * 2.0)) + t1
    >>> f.operations, f(0.5)
    (('mul', 'sin', 'add'), 1.8414709848078965)
    """

    variables: tuple[str, ...]
    lines: tuple[tuple[str, tuple[int | float, ...]], ...]
    point: tuple[float, ...]
    smooth: bool = True

    def __post_init__(self) -> None:
        if not self.variables or len(self.point) != len(self.variables):
            raise ValueError(f"Expression: expected a number of the point for each variable, got {self.point!r}")
        for i, (name, operands) in enumerate(self.lines, start=len(self.variables)):
            if name not in RULES or not all(0 <= x < i for x in _references(operands)):
                raise ValueError(
                    f"Expression: line {name!r} of {operands!r} is no operation on the {i} nodes before it"
                )

    def __call__(self, *numbers: Any) -> Any:
        return self.nodes(*numbers)[-1]

    def nodes(self, *numbers: Any) -> list[Any]:
        """The numbers of all nodes, where the variables are these."""
        if len(numbers) != len(self.variables):
            raise TypeError(f"{self!r}: expected {len(self.variables)} numbers, got {len(numbers)}")
        nodes, kind = list(numbers), _kind(numbers)
        for name, operands in self.lines:
            operation = _operation(RULES[name], len(operands), kind)
            nodes.append(operation(*_numbers_of(operands, nodes)))
        return nodes

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of its operations, in the order in which they run."""
        return tuple(name for name, _ in self.lines)

    @property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Signature([inspect.Parameter(name, kind) for name in self.variables])

    def __str__(self) -> str:
        uses = [x for _, operands in self.lines for x in _references(operands)]
        spare = iter(name for i in range(1, 10**9) if (name := f"t{i}") not in self.variables)
        names = dict(enumerate(self.variables))

        def text(x: int | float, inside: Rule | None) -> str:
            if not isinstance(x, int):
                return repr(x)
            if x in names:
                return names[x]
            rule, operands = RULES[self.lines[x - len(self.variables)][0]], self.lines[x - len(self.variables)][1]
            written = _written(rule, [text(operand, rule) for operand in operands])
            if uses.count(x) > 1:
                names[x] = next(spare)
                return f"({names[x]} := {written})"
            bare = inside is None or "(" in inside.notation or "(" in rule.notation or rule.name == "neg"
            return written if bare else f"({written})"

        return text(len(self.variables) + len(self.lines) - 1, None)

    def __repr__(self) -> str:
        return f"lambda {', '.join(self.variables)}: {self}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # hypothesis would show the fields


def _references(operands: Iterable[int | float]) -> list[int]:
    """The operands that are nodes, without the constants (2 would equal 2.0)."""
    return [x for x in operands if isinstance(x, int)]


def _numbers_of(operands: Iterable[int | float], nodes: Sequence[Any]) -> list[Any]:
    return [nodes[x] if isinstance(x, int) else x for x in operands]


def _written(rule: Rule, operands: list[str]) -> str:
    """The operation as a program writes it; one of somebody's own is a call, whatever its template."""
    if rule.name in OWN:
        given = ", ".join(operands)
        return f"{rule.name}([{given}])" if rule.sequences else f"{rule.name}({given})"
    return rule.text(operands) if "(" not in rule.notation else f"mg.{rule.text(operands)}"


# Over every kind of number --------------------------------------------------------------------------------------------


def _kind(numbers: Iterable[Any]) -> Any:
    """What the numbers are computed with: None for floats and Values, `complex`, a context of mpmath, or SymPy."""
    for x in numbers:
        if isinstance(x, complex):
            return complex
        if hasattr(x, "context"):
            if not isinstance(x, x.context.mpf):
                raise TypeError(
                    f"an Expression takes mpmath's real numbers alone, got {x!r}; it takes Python's complex"
                )
            return x.context
        if hasattr(x, "free_symbols"):
            return sys.modules["sympy"]
    return None


@cache
def _operation(rule: Rule, count: int, kind: Any) -> Callable[..., Any]:
    """The operation on so many operands: as it is written, for floats and Values, else its template over `kind`."""
    names = [f"x{i}" for i in range(count)]
    table: dict[str, Any] = {"mg": SimpleNamespace(**FUNCTIONS)} | {name: FUNCTIONS[name] for name in OWN}
    text = _written(rule, names)
    if kind is not None:
        table = dict(FUNCTIONS) if kind is complex else _mathematics(kind)
        if kind is not complex and f"{rule.name}(" in rule.template and rule.name not in table:
            raise TypeError(f"{rule.name} is known over floats alone: there is none over the numbers of {kind!r}")
        known = kind is not complex and rule.name in table and not rule.sequences
        text = f"{rule.name}({', '.join(names)})" if known else rule.program(names)
    return eval(f"lambda {', '.join(names)}: {text}", table)  # type: ignore[no-any-return]


def _mathematics(m: Any) -> dict[str, Any]:
    """The operations by their textbook formulas, over the functions of SymPy or of a context of mpmath."""
    same = "exp log sqrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh erf erfc floor sign"
    table = {name: getattr(m, name) for name in same.split()} | {
        "pow": lambda x, y: x**y,
        "mod": lambda x, y: x - y * m.floor(x / y),
        "abs": abs,
        "reciprocal": lambda x: 1 / x,
        "times": lambda x, y: x * y,
        "log2": lambda x: m.log(x) / m.log(2),
        "log10": lambda x: m.log(x) / m.log(10),
        "cbrt": lambda x: m.sign(x) * abs(x) ** (1 / (m.sign(x) ** 2 * 3)),
        "hypot": lambda x, y: m.sqrt(x * x + y * y),
        "gaussian": lambda x, y: m.exp(y * x * x),
        "ndtr": lambda x: m.erfc(-x / m.sqrt(2)) / 2,
        "sigmoid": lambda x: 1 / (1 + m.exp(-x)),
        "gamma": m.gamma,
        "lgamma": lambda x: m.log(abs(m.gamma(x))),
        "log_ndtr": lambda x: m.log(m.erfc(-x / m.sqrt(2)) / 2),
        "sinc": lambda x: m.sinc(m.pi * x),
        "xlogy": lambda x, y: x * m.log(y),
        "logit": lambda x: m.log(x / (1 - x)),
        "norm": lambda xs: m.sqrt(sum(x * x for x in xs)),
        "sum": sum,
        "dot": lambda xs, ys: sum(x * y for x, y in zip(xs, ys, strict=True)),
        "logsumexp": lambda xs: m.log(sum(map(m.exp, xs))),
        "softmax": lambda xs: [m.exp(x) / sum(map(m.exp, xs)) for x in xs],
        "log_softmax": lambda xs: [x - m.log(sum(map(m.exp, xs))) for x in xs],
    }
    if hasattr(m, "Heaviside"):
        return table | {
            "polygamma": lambda n, x: m.polygamma(int(n), x),
            "ceil": m.ceiling,
            "step": lambda x: m.Heaviside(x, 0),
            "maximum": m.Max,
            "minimum": m.Min,
            "expm1": lambda x: m.exp(x) - 1,
            "log1p": lambda x: m.log(1 + x),
            "softplus": lambda x: m.log(1 + m.exp(x)),
        }
    table["polygamma"] = lambda n, x: m.psi(int(n), x)
    own = {"ceil": m.ceil, "maximum": max, "minimum": min, "expm1": m.expm1, "log1p": m.log1p, "ndtr": m.ncdf}
    return table | own | {"step": lambda x: m.mpf(x > 0), "cbrt": lambda x: m.sign(x) * m.cbrt(abs(x))}


# Where an expression has a value --------------------------------------------------------------------------------------


def _is_clear(name: str, operands: list[float]) -> bool:
    """Whether the operands are away from where the operation has a jump, a kink, or the cut of its angle."""
    x, y = (*operands, 0.0)[:2]
    if name in ("abs", "sign", "step", "relu", "leaky_relu", "elu", "reciprocal", "cbrt"):
        return abs(x) > MARGIN
    if name in ("floor", "ceil"):
        return abs(x - round(x)) > MARGIN
    if name == "mod":
        return abs(y) > MARGIN and abs(x / y - round(x / y)) > MARGIN
    if name in ("maximum", "minimum"):
        return abs(x - y) > MARGIN
    if name == "pow":
        return x > MARGIN
    if name in ("hypot", "norm"):
        return math.hypot(*operands) > MARGIN
    if name in ("gamma", "lgamma"):
        return x > MARGIN or abs(x - round(x)) > MARGIN
    if name == "polygamma":
        return y > MARGIN or abs(y - round(y)) > MARGIN
    if name == "xlogy":
        return y > MARGIN
    if name == "atan2":
        return abs(x) > MARGIN or y > MARGIN
    return True


def _result(name: str, operands: list[float], smooth: bool) -> float | None:
    """What the operation gives; None where it has no value, or a large one, or a large slope, or is not as smooth."""
    try:
        value, slopes = _operation(RULES[name], len(operands), None)(*operands), RULES[name].partials(*operands)[1:]
        if name == "polygamma":
            slopes = slopes[1:]  # it has none with respect to its order
    except (ValueError, ArithmeticError):
        return None
    if isinstance(value, complex) or (smooth and not _is_clear(name, operands)):
        return None
    limit = NEAR if smooth else FAR
    return float(value) if all(abs(number) <= limit for number in (value, *slopes)) else None


def _is_within(expression: Expression, numbers: Sequence[float]) -> bool:
    nodes: list[float] = list(numbers)
    for name, operands in expression.lines:
        value = _result(name, _numbers_of(operands, nodes), expression.smooth)
        if value is None:
            return False
        nodes.append(value)
    return True


# Strategies -----------------------------------------------------------------------------------------------------------

_numbers = st.floats(-3.0, 3.0)


def expressions(
    operations: Iterable[str] | None = None,
    variables: Iterable[str] = ("x", "y", "z"),
    max_size: int = 16,
    smooth: bool = True,
) -> st.SearchStrategy[Expression]:
    """Random `Expression` objects of at most `max_size` operations, by name some of `operations`, by default of all.

    They have up to as many variables as `variables` names, and constants. If `smooth`, their points are away from jumps
    and kinks, and values and slopes there are no larger than 30, else than a million. Some have no operation: they are
    a variable alone. ValueError if there is no such operation or none, if variables are not different names, one at
    least, or if max_size is not a whole number from 1 to 64.

    >>> from hypothesis import find
    >>> find(expressions(["mul", "sin"], ["x"]), lambda f: len(f.operations) > 1)
    lambda x: mg.sin(mg.sin(x))
    """
    if isinstance(operations, str) or isinstance(variables, str):
        raise ValueError(f"expressions: operations and variables are lists of names, got {operations!r}, {variables!r}")
    names, variables = list(RULES if operations is None else operations), tuple(variables)
    if unknown := [name for name in names if name not in RULES]:
        raise ValueError(f"expressions: there is no operation {unknown[0]!r}; there are {', '.join(RULES)}")
    if not names:
        raise ValueError("expressions: operations must name one at least")
    proper = all(str.isidentifier(v) and not keyword.iskeyword(v) and v != "mg" for v in variables)
    if not variables or not proper or len(set(variables)) < len(variables):
        raise ValueError(f"expressions: variables must be different names, one at least, and not mg, got {variables!r}")
    if type(max_size) is not int or not 1 <= max_size <= 64:
        raise ValueError(f"expressions: max_size must be a whole number from 1 to 64, got {max_size!r}")
    return _expressions(names, variables, max_size, smooth)


@st.composite
def _expressions(
    draw: st.DrawFn, names: list[str], variables: tuple[str, ...], max_size: int, smooth: bool
) -> Expression:
    inputs = [draw(_numbers) for _ in range(draw(st.integers(1, len(variables))))]
    nodes: list[float] = list(inputs)
    lines: list[tuple[str, tuple[int | float, ...]]] = []
    waiting = list(range(len(inputs)))  # the nodes that nothing has used yet, the last of them first
    # Hypothesis likes short lists: this one has a least length, and shrinks to lines without a name, which are none.
    for name, *choices in draw(st.lists(_lines(names), min_size=max_size // 2, max_size=max_size)):
        if not name:
            continue
        for shift, spare in product((0, 1, 9), (None, 1.5, -1.5, 0.5)):  # if it has no value there, it may elsewhere
            operands = _operands([(choice + shift) % 16 for choice in choices], len(nodes), waiting)
            if name == "polygamma":  # its order is a whole number
                operands[0] = float(choices[0] % 4)
            here, first = list(nodes), operands[-1 if name == "polygamma" else 0]
            if spare is not None:
                if not isinstance(first, int) or first >= len(inputs) or first not in waiting:
                    continue  # only a variable on which nothing depends yet can still have another number
                here[first] = spare
            value = _result(name, _numbers_of(operands, here), smooth)
            if value is not None and _references(operands):
                waiting = [len(nodes), *[node for node in waiting if node not in _references(operands)]]
                lines.append((name, tuple(operands)))
                nodes = [*here, value]
                break
    return _pruned(Expression(tuple(variables[: len(inputs)]), tuple(lines), tuple(nodes[: len(inputs)]), smooth))


def _operands(choices: list[int], count: int, waiting: list[int]) -> list[int | float]:
    """The operands that these choices mean: nodes that wait, of 8 in 16; any nodes; constants."""
    operands: list[int | float] = []
    for choice in choices:
        left = [node for node in waiting if node not in _references(operands)] or range(count)
        if choice < 12:
            operands.append(left[choice % len(left)] if choice < 8 else choice % count)
        else:
            operands.append(CONSTANTS[choice - 12])
    return operands


@st.composite
def _lines(draw: st.DrawFn, names: list[str]) -> tuple[Any, ...]:
    """An operation, or "" for none, and for each operand a number that chooses it."""
    name = draw(st.sampled_from(["", *names]))
    if not name:
        return ("",)
    choices, sequences = st.integers(0, 15), RULES[name].sequences
    count = draw(st.integers(1, 4)) if sequences else RULES[name].partials.__code__.co_argcount
    return (name, *[draw(choices) for _ in range(count * max(sequences, 1))])


def _pruned(expression: Expression) -> Expression:
    """The expression without the lines and variables on which its result does not depend."""
    first = len(expression.variables)
    needed = {first + len(expression.lines) - 1}
    for i in range(len(expression.lines) - 1, -1, -1):
        if first + i in needed:
            needed.update(_references(expression.lines[i][1]))
    number = {node: i for i, node in enumerate(sorted(needed))}
    lines = [line for i, line in enumerate(expression.lines) if first + i in needed]
    return Expression(
        tuple(name for i, name in enumerate(expression.variables) if i in needed),
        tuple((name, tuple(number[x] if isinstance(x, int) else x for x in operands)) for name, operands in lines),
        tuple(x for i, x in enumerate(expression.point) if i in needed),
        expression.smooth,
    )


@st.composite
def points(draw: st.DrawFn, of: Expression | MLP) -> tuple[float, ...]:
    """Points of the domain of an expression or a network: a tuple with a number for each variable or input.

    Those of an expression are such as `expressions` says. TypeError if `of` is neither.

    >>> from hypothesis import find
    >>> f = Expression(("x",), (("log", (0,)),), (2.0,))
    >>> find(points(f), lambda point: point[0] < 1.0)
    (0.5,)
    """
    if isinstance(of, MLP):
        return draw(st.tuples(*[_numbers for _ in of.layers[0].neurons[0].weights]))
    if not isinstance(of, Expression):
        raise TypeError(f"points: expected what was drawn from expressions() or networks(), got {of!r}")
    there = draw(st.tuples(*[_numbers for _ in of.variables]))
    for share in (1.0, 0.5, 0.25, 0.125):
        point = tuple(a + share * (b - a) for a, b in zip(of.point, there, strict=True))
        if _is_within(of, point):
            return point
    return of.point


def values(numbers: st.SearchStrategy[float] = _numbers) -> st.SearchStrategy[Value]:
    """Values that are inputs, with such numbers, with a tangent or without one.

    >>> from hypothesis import find
    >>> find(values(), lambda v: v.data > 1.0)
    Value(data=2.0, grad=0.0)
    """
    return st.builds(Value, numbers) | st.builds(lambda x, tangent: Value(x, tangent=tangent), numbers, _numbers)


def networks(
    inputs: int | None = None,
    outputs: int | None = None,
    activations: Iterable[str | Callable[[Any], Any]] = SMOOTH,
    max_layers: int = 3,
    max_width: int = 4,
) -> st.SearchStrategy[MLP]:
    """Random networks: an `MLP` of 1 to 3 inputs and 1 to `max_layers` layers of up to `max_width` neurons each.

    `inputs` and `outputs` fix how many there are. The activation of the hidden layers is one of `activations`, which
    are names or functions, by default some without kinks; that of the last layer is one of them or "linear". Weights
    and biases are from -2 to 2, with two decimals. A network prints as a line of Python that makes one like it.
    ValueError if a number given is no whole number from 1 up, or an activation unknown, or if there is none.

    >>> from hypothesis import find
    >>> find(networks(inputs=1, outputs=1, activations=["tanh"]), lambda model: model(1.0) < model(-1.0))
    MLP(1, [1], 'tanh', 'tanh').bind([*map(Value, [-0.01, 0.0])])
    """
    names = activations if isinstance(activations, str) else list(activations)
    if isinstance(names, str) or not names:
        raise ValueError(f"networks: activations is a list of names or functions, one at least, got {activations!r}")
    for activation in names:
        Neuron(1, activation, seed=0)
    for name, n in {"inputs": inputs, "outputs": outputs, "max_layers": max_layers, "max_width": max_width}.items():
        if n is not None and (type(n) is not int or n < 1):
            raise ValueError(f"networks: {name} must be a whole number from 1 up, got {n!r}")
    return _networks(inputs, outputs, names, max_layers, max_width)


@st.composite
def _networks(
    draw: st.DrawFn, inputs: int | None, outputs: int | None, activations: list[Any], max_layers: int, max_width: int
) -> MLP:
    inputs = inputs or draw(st.integers(1, 3))
    # Hypothesis lowers a number, and leaves out one part of what follows: so a network can lose any neuron, which has
    # weights for the widest layer that may feed it, and any layer, the last one too, whose activation is like the rest.
    weight = st.integers(-200, 200).map(lambda k: k / 100.0)
    neuron = st.tuples(*[weight] * (max(inputs, max_width) + 1))
    layer, last = _several(neuron, 1, max_width), _several(neuron, outputs or 1, outputs or max_width)
    drawn = [*draw(_several(layer, 0, max_layers - 1)), draw(last)]
    activation = draw(st.sampled_from(activations))
    output = draw(st.sampled_from([activation, "linear", *activations]))
    model = _Network(inputs, [len(numbers) for numbers in drawn], activation, output, seed=0)
    for made, numbers in zip(model.layers, drawn, strict=True):
        for one, (bias, *weights) in zip(made.neurons, numbers, strict=True):
            one.bias.data = bias
            for parameter, number in zip(one.weights, weights, strict=False):
                parameter.data = number
    return model


@st.composite
def _several(draw: st.DrawFn, parts: st.SearchStrategy[Any], least: int, most: int) -> list[Any]:
    return [draw(parts) for _ in range(draw(st.integers(least, most)))]


class _Network(MLP):
    def __repr__(self) -> str:
        neurons = [neuron for layer in self.layers for neuron in layer.neurons]
        numbers = [bottom(x) for neuron in neurons for x in (*neuron.weights, neuron.bias)]
        return f"{super().__repr__()}.bind([*map(Value, {numbers})])"
