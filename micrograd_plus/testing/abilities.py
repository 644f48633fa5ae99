"""What a scalar engine should be able to do, in the order of docs/build-your-own.md, and why one often is not.

An ability is a row of the table that `micrograd-plus check` prints: programs that run on the engine, beside what they
should give. Each program is the smallest that tells one mistake from others; random programs come last.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..transforms import value_and_grad
from .engines import NAMES, OVER_ONE, Engine, Missing, Wrong, at, is_near, operations, reference, told

ONCE = "One use of it is right, so its slope is; but a Value that is used twice gets two shares: add them up, with +=."
CHAIN = "Alone it is right, as the gradient that arrives is then 1: multiply the slope by it, which is the chain rule."
SLOPES = {  # by operation, the mistake that one makes
    "+": "Both operands get the gradient as it arrives.",
    "*": "The slope of a product by one factor is the other factor.",
    "-": "x - y falls as y grows: the slope by y is -1.",
    "-x": "The slope of -x is -1.",
    "/": "The slope of x / y by y is -x / y²; the slope by x is 1 / y.",
    "**": "The slope of x**n is n · x**(n - 1).",
    "exp": "exp is its own slope: the result, not the operand.",
    "log": "The slope of log x is 1 / x, of the operand, not of the result.",
    "sqrt": "The slope of sqrt x is 1 / (2 · sqrt x).",
    "tanh": "The slope of tanh is 1 - t², where t is the result.",
    "sigmoid": "The slope of the sigmoid is s · (1 - s), where s is the result.",
    "relu": "relu passes the gradient where its operand is above 0, and nothing where it is below.",
    "sin": "The slope of sin is cos.",
    "cos": "The slope of cos is -sin.",
    "abs": "The slope of |x| is the sign of x.",
    "softplus": "The slope of softplus is the sigmoid.",
    "silu": "The slope of x · s(x) is s · (1 + x · (1 - s)), where s is the sigmoid of x.",
    "tan": "The slope of tan is 1 + tan².",
    "sinh": "The slope of sinh is cosh.",
    "cosh": "The slope of cosh is sinh, without a minus.",
    "log1p": "The slope of log(1 + x) is 1 / (1 + x).",
    "expm1": "The slope of exp(x) - 1 is exp(x), which is the result plus 1.",
    "asin": "The slope of asin is 1 / sqrt(1 - x²).",
    "acos": "The slope of acos is -1 / sqrt(1 - x²).",
    "atan": "The slope of atan is 1 / (1 + x²).",
    "erf": "The slope of erf is 2 / sqrt(π) · exp(-x²).",
}
START = "No gradient arrives: backward begins by giving the result the gradient 1."


class Ability(NamedTuple):
    stage: int
    title: str
    why: str
    check: Callable[[Engine, set[str]], Any]  # raises Missing or Wrong; it is told what is known to be broken
    needs: tuple[str, ...] = ()  # titles: if one of these is wrong, this cannot be told


ABILITIES: list[Ability] = []


def ability(stage: int, title: str, why: str, *needs: str) -> Callable[[Any], Any]:
    def remember(check: Any) -> Any:
        ABILITIES.append(Ability(stage, title, why, check, needs))
        return check

    return remember


class Because(Wrong):
    """Wrong, for a reason that the program tells, and not the usual one of its row."""

    def __init__(self, wrong: Wrong, why: str) -> None:
        super().__init__(wrong.program, wrong.what, wrong.should)
        self.why = why


def programs(*texts: str, slopes: bool = True, **point: float) -> Callable[[Engine, set[str]], None]:
    """A check that runs these programs, without those made of operations that are known to be broken."""

    def check(engine: Engine, broken: set[str]) -> None:
        able = [text for text in texts if not operations(text) & broken]
        if not able:
            raise Missing("it needs operations that are not right")
        absent: list[Missing] = []
        for text in able:
            try:
                engine.check(text, slopes, **{name: x for name, x in point.items() if name in _names(text)})
            except Missing as missing:  # the others may be there, and wrong
                absent.append(missing)
        if absent:
            raise absent[0]

    return check


def _names(text: str) -> set[str]:
    return set(compile(text, "", "eval").co_names)


def operation(symbol: str, *texts: str, **point: float) -> Callable[[Engine, set[str]], None]:
    """A check of one operation: alone, with a gradient that arrives, and with an operand that is used again."""

    def check(engine: Engine, broken: set[str]) -> None:
        for text in texts:
            engine.check(text, **{name: x for name, x in point.items() if name in _names(text)})
        numbers = {name: x for name, x in point.items() if name in _names(texts[0])}
        for other, why, text in (("*", CHAIN, f"({texts[0]}) * z"), ("+", ONCE, f"({texts[0]}) + x")):
            if other not in broken:
                try:
                    engine.check(text, **numbers, **({"z": -1.5} if other == "*" else {}))
                except Wrong as wrong:
                    raise Because(wrong, why) from None

    return check


def alone(text: str) -> Callable[[Engine, set[str]], None]:
    """A check of the first operations, where the mistake may be in backward itself."""

    def check(engine: Engine, broken: set[str]) -> None:
        try:
            engine.check(text, **TWO)
        except Wrong as wrong:
            if "gradient of x 0.0" in wrong.what:
                raise Because(wrong, START) from None
            raise

    return check


def reuse(engine: Engine, broken: set[str]) -> None:
    texts = ["x + x", "x * x", "(x * y) + x", "x + (x * y)", "(x + y) * x", "x * (x + y)"]
    programs(*texts, x=0.5, y=-2.0)(engine, broken)


# Stages 1 to 4: one operation, and a chain ----------------------------------------------------------------------------

TWO = {"x": 3.0, "y": -2.0}
ability(1, "values of + and *", "An operation returns a new Value with the result, and changes neither operand.")(
    programs("x + y", "x * y", slopes=False, **TWO)
)
ability(2, "values of -, / and negation", "x - y is x + (-y), and x / y is x times the reciprocal of y.")(
    programs("x - y", "-x", "x / y", slopes=False, **TWO)
)
ability(2, "numbers on the right", "In x + 2 the 2 is no Value: take it as it is, or make one of it.")(
    programs("x + 2.0", "x - 2.0", "x * 2.0", "x / 2.0", "x + 1", slopes=False, **TWO)
)
ability(
    2, "numbers on the left", "2 - x calls x.__rsub__(2), which is not x - 2; sum([x, y]) begins with 0 + x: __radd__."
)(programs("2.0 + x", "2.0 - x", "2.0 * x", "2.0 / x", "1 + x", "sum([x, y])", slopes=False, **TWO))
ability(3, "gradient of +", SLOPES["+"])(alone("x + y"))
ability(3, "gradient of *", SLOPES["*"])(alone("x * y"))


@ability(4, "the chain rule", CHAIN)
def chain(engine: Engine, broken: set[str]) -> None:
    programs("(x * y) * z", "(x + y) * z", "x * (y * z)", "(x * y) * (z + w)", "((x * y) * z) * w",
             x=3.0, y=-2.0, z=0.5, w=-1.5)(engine, broken)  # fmt: skip


# Stages 5 and 6: shared Values ----------------------------------------------------------------------------------------

ability(5, "a Value that is used twice", ONCE)(reuse)
ability(
    6,
    "shared results, in the right order",
    "A Value may pass its gradient on only when all of it has arrived: after everything that it was used for.",
    "a Value that is used twice",
)(programs(
    "(a := x + y) + a", "(a := x * y) * a", "(a := x * y) + a * x", "(a := x * y) * x + a",
    "(b := (a := x * y) * x) * a + b", "(a := x + y) * (b := a * y) + b * x",
    x=3.5, y=-1.25,
))  # fmt: skip
ability(
    6,
    "equal numbers are different Values",
    "Two results with the same number are two Values: compare them by identity, where a visited one is remembered.",
    "shared results, in the right order",
)(programs("(x * y) * z + (x * y) * w", "(x + y) * (x + y)", x=2.0, y=2.0, z=3.0, w=5.0))


@ability(
    6,
    "60 doublings in time",
    "Visit each Value once: along every path, 60 doublings have 2**60 paths.",
    "shared results, in the right order",
)
def doublings(engine: Engine, broken: set[str]) -> None:
    if "+" in broken:
        raise Missing("it needs +")
    for n in (4, 8, 12, *range(14, 28, 2), 60):
        start, x = time.process_time(), engine.make(1.0)
        y = x
        for _ in range(n):
            y = y + y
        _sweep(engine, y, f"{n} times y = y + y")
        if (seconds := time.process_time() - start) > 1.0 and n < 60:
            raise Wrong(f"{n} times y = y + y", f"takes {seconds:.1f} s, and twice as long with each doubling")
        _equal(engine, f"{n} times y = y + y", "gradient of x", engine.grad(x), 2.0**n)


def _sweep(engine: Engine, y: Any, program: str) -> None:
    try:
        engine.backward(y)
    except Missing:
        raise
    except Exception as error:
        raise Wrong(program, f"backward raises {told(error)}") from None


def _equal(engine: Engine, program: str, what: str, found: float, *right: float) -> None:
    if not any(is_near(found, number, engine.tolerance) for number in right):
        raise Wrong(program, f"{what} {found!r}", " or ".join(dict.fromkeys(map(repr, right))))


# Stage 7: all operators -----------------------------------------------------------------------------------------------

ability(7, "gradient of negation", SLOPES["-x"])(operation("-x", "-x", **TWO))
ability(7, "powers", SLOPES["**"])(operation("**", "x ** 2.0", "x ** 3", "x ** -1", "x ** 0.5", x=1.7))
ability(7, "gradient of -", SLOPES["-"])(operation("-", "x - y", **TWO))
ability(7, "gradient of /", SLOPES["/"])(operation("/", "x / y", **TWO))
ability(7, "gradients with numbers on either side", "2 - x falls as x grows, and 2 / x has the slope -2 / x².")(
    programs("x + 2.0", "x - 2.0", "x * 2.0", "x / 2.0", "2.0 + x", "2.0 - x", "2.0 * x", "2.0 / x", x=3.0)
)
ability(7, "powers of negative numbers", "x**3 at -2 has the slope 12: no logarithm of x is needed for it.", "powers")(
    programs("x ** 2", "x ** 3.0", "x ** -2", x=-2.0)
)
ability(7, "powers at 0", "x**0 is 1 and has the slope 0, at 0 as well, where 0 · 0**-1 is no number.", "powers")(
    programs("x ** 0", "x ** 1", "x ** 2.0", "x ** 3", x=0.0)
)

# Stage 8: functions ---------------------------------------------------------------------------------------------------

POINTS = {"log": (0.3, 2.0), "sqrt": (0.3, 2.0), "log1p": (-0.4, 2.0), "relu": (-0.7, 0.7), "abs": (-0.7, 0.7)}
MUST = ("exp", "log", "tanh", "relu")


def _function(name: str) -> None:
    @ability(8, f"{name}(x)", SLOPES[name])
    def check(engine: Engine, broken: set[str]) -> None:
        if name not in engine.functions:
            raise Missing(f"there is neither a method nor a function {name}")
        for x in POINTS.get(name, (-0.7, 0.7)):
            operation(name, f"{name}(x)", x=x)(engine, broken)


for _name in OVER_ONE:
    _function(_name)


@ability(
    8,
    "large and tiny numbers",
    "exp(1000) is too large for a float, while tanh, sigmoid and softplus are not: use exp of -|x| alone.",
)
def extremes(engine: Engine, broken: set[str]) -> None:
    tiny = 1e-300 if engine.tolerance < 1e-6 else 1e-30  # which is 0 with half the digits
    far = {"exp": (-1000.0,), "softplus": (1000.0, -1000.0), "log": (tiny,), "sqrt": (tiny,)}
    far |= dict.fromkeys(("tanh", "sigmoid", "relu", "silu"), (1000.0, -1000.0))
    tested = [(f, x) for f, xs in far.items() for x in xs if f in engine.functions and f not in broken]
    if not tested:
        raise Missing("there is no function that could overflow")
    for f, x in tested:
        engine.check(f"{f}(x)", x=x)


# Stage 9: again and again ---------------------------------------------------------------------------------------------

SHARED = "shared results, in the right order"


@ability(
    9,
    "a second backward",
    "What lies between keeps the gradient of the first sweep: it must start from 0 in each, "
    "or all doubles and triples.",
    SHARED,
)
def twice(engine: Engine, broken: set[str]) -> None:
    run, (x, y) = engine.check("(x * y) * x + y", **TWO), TWO.values()
    engine.swept(run, "(x * y) * x + y, backward twice")
    for name, slope in {"x": 2.0 * x * y, "y": x * x + 1.0}.items():
        found = engine.grad(run.inputs[name])
        _equal(engine, f"(x * y) * x + y{at(TWO)}, backward twice", f"gradient of {name}", found, 2.0 * slope, slope)


@ability(
    9,
    "a second loss over a shared part",
    "The part that both losses share still has the gradient of the first one: start it from 0 in each sweep.",
    SHARED,
)
def second_loss(engine: Engine, broken: set[str]) -> None:
    x, y, c = map(engine.make, (3.0, -2.0, 5.0))
    shared = x * y
    first, second = shared * c, shared * shared
    _sweep(engine, first, "s = x * y; (s * 5).backward()")
    engine.zero(x, y, c)
    program = "s = x * y; (s * 5).backward(); then x.grad = y.grad = 0; (s * s).backward()" + at(TWO)
    _sweep(engine, second, program)
    _equal(engine, program, "gradient of x", engine.grad(x), 24.0)


@ability(9, "one input in several graphs", "Each graph adds its share to x.grad, or starts it anew.", SHARED)
def several(engine: Engine, broken: set[str]) -> None:
    x, y = map(engine.make, (3.0, -2.0))
    _sweep(engine, x * y, "(x * y).backward()")
    _sweep(engine, x * x, "(x * x).backward()")
    _equal(engine, f"(x * y).backward(); (x * x).backward(){at(TWO)}", "gradient of x", engine.grad(x), 4.0, 6.0)


@ability(9, "from 0 again", "After x.grad = 0, or x.zero_grad(), a new graph gives its own gradient.", SHARED)
def from_zero(engine: Engine, broken: set[str]) -> None:
    x, y = map(engine.make, (3.0, -2.0))
    for _ in range(3):
        engine.zero(x, y)
        _sweep(engine, x * y * y, "(x * y * y).backward()")
        program = f"three times x.grad = y.grad = 0; (x * y * y).backward(){at(TWO)}"
        _equal(engine, program, "gradient of x", engine.grad(x), 4.0)
        _equal(engine, program, "x is then", engine.data(x), 3.0)


@ability(
    9,
    "backward changes no number",
    "backward computes gradients; a step along them is the optimizer's.",
    SHARED,
)
def unchanged(engine: Engine, broken: set[str]) -> None:
    x, y = map(engine.make, (3.0, -2.0))
    a = x * y
    b = a * x + a
    _sweep(engine, b, "(a := x * y) * x + a")
    for name, v, number in (("x", x, 3.0), ("y", y, -2.0), ("a", a, -6.0), ("the result", b, -24.0)):
        _equal(engine, f"(a := x * y) * x + a{at(TWO)}", f"after backward, {name} is", engine.data(v), number)


@ability(
    9,
    "the numbers of the moment",
    "The slope belongs to the point at which the operation ran: keep it then, do not read x.data later.",
    SHARED,
)
def moment(engine: Engine, broken: set[str]) -> None:
    if not isinstance(engine.data_name, str):
        raise Missing("the number of a Value cannot be set")
    x = engine.make(3.0)
    y = x * x
    try:
        setattr(x, engine.data_name, type(getattr(x, engine.data_name))(100.0))
    except Exception as error:
        raise Missing(f"the number of a Value cannot be set: {told(error)}") from None
    program = f"y = x * x; x.{engine.data_name} = 100; y.backward() at x = 3"
    _sweep(engine, y, program)
    _equal(engine, program, "gradient of x", engine.grad(x), 6.0)


@ability(9, "Values in sets", "A class with __eq__ and no __hash__ cannot be put into a set; hash by identity.")
def sets(engine: Engine, broken: set[str]) -> None:
    x, y = engine.make(2.0), engine.make(2.0)
    try:
        found = len({x, y, x})
    except TypeError as error:
        raise Wrong("{x, y}", f"raises {told(error)}") from None
    if found != 2:
        raise Wrong("{x, y, x} with x = y = 2", f"{found} items", "2, for they are different Values")


# Stage 10: long chains ------------------------------------------------------------------------------------------------


@ability(
    10,
    "a chain of 10,000 operations",
    "A function that calls itself for each operand goes as deep as the chain is long, where Python ends at 1,000.",
    "a Value that is used twice",
)
def long_chain(engine: Engine, broken: set[str]) -> None:
    if "+" in broken:
        raise Missing("it needs +")
    for n in (100, 1000, 10_000):
        start, x, c = time.process_time(), engine.make(1.0), engine.make(0.5)
        y = x
        for _ in range(n):
            y = y + c
        _sweep(engine, y, f"{n:,} times y = y + c")
        _equal(engine, f"{n:,} times y = y + c", "gradient of c", engine.grad(c), float(n))
        if (seconds := time.process_time() - start) > 2.0 and n == 1000:
            raise Because(
                Wrong(f"{n:,} times y = y + c", f"takes {seconds:.1f} s"),
                "To look for a Value in a list takes longer, the longer the list: remember what was visited in a set.",
            )


# Stage 11: forward mode -----------------------------------------------------------------------------------------------


@ability(
    11,
    "forward mode",
    "The tangent of a result is the sum over its operands of slope times tangent: of both factors in a product.",
)
def forward(engine: Engine, broken: set[str]) -> None:
    texts = ["x + y", "x * y", "x - y", "x / y", "-x", "x * x", "(a := x * y) * a + x", "x * 2.0", "2.0 - x", "2.0 / x"]
    texts += ["x ** 2.0"] + [f"{name}(x)" for name in engine.functions]
    tested = 0
    for text in texts:
        if operations(text) & broken:
            continue
        point = {name: number for name, number in {"x": 0.5, "y": -2.0}.items() if name in _names(text)}
        tangents = {"x": 1.0, "y": 10.0}
        try:
            spare = iter(point)
            run = engine.run(text, lambda x: engine.moving(x, tangents[next(spare)]), **point)  # noqa: B023
            found = engine.tangent(run.result)
        except Missing:
            if text in texts[:2]:
                raise
            continue
        right = sum([slope * tangents[name] for name, slope in reference(text, point)[1].items()])
        given = ", ".join([f"{name}' = {tangents[name]:g}" for name in point])
        _equal(engine, f"{text}{at(point)}, {given}", "tangent", found, right)
        tested += 1
    if not tested:
        raise Missing("it needs + or *")


@ability(
    11,
    "forward = reverse",
    "Both modes use the same slopes: the tangent of the result is the sum of gradient times tangent of the inputs.",
    "forward mode",
)
def both(engine: Engine, broken: set[str]) -> None:
    x, y = engine.moving(0.5, 2.0), engine.moving(-2.0, 3.0)
    z = (x * y + x) * (y * x)
    _sweep(engine, z, "(x * y + x) * (y * x)")
    right = 2.0 * engine.grad(x) + 3.0 * engine.grad(y)
    _equal(engine, "(x * y + x) * (y * x), Σ gradient · tangent", "tangent", engine.tangent(z), right)


# Stage 12: derivatives of derivatives ---------------------------------------------------------------------------------


def _transform(engine: Engine, name: str) -> Callable[..., Any]:
    package = sys.modules.get(engine.module.__name__.partition(".")[0]) if engine.module else None
    for module in (engine.module, package):
        if callable(function := getattr(module, name, None)):
            return function  # type: ignore[no-any-return]
    raise Missing(f"there is no function {name} beside the class")


def _result(engine: Engine, program: str, run: Callable[[], Any], right: float) -> None:
    try:
        found = run()
        found = engine.data(found) if isinstance(found, engine.value) else float(found)
    except Exception as error:
        raise Wrong(program, f"raises {told(error)}") from None
    _equal(engine, program, "it is", found, right)


def _cube(x: Any) -> Any:
    return x * x * x


@ability(
    12, "derivative and grad", "derivative(f) runs f on a Value of tangent 1; grad(f) sweeps back from its result."
)
def transforms(engine: Engine, broken: set[str]) -> None:
    for name in ("derivative", "grad"):
        d = _transform(engine, name)
        _result(engine, f"{name}(lambda x: x * x * x)(2.0)", lambda d=d: d(_cube)(2.0), 12.0)  # type: ignore[misc]
        _result(engine, f"{name}(lambda x: 5.0)(2.0)", lambda d=d: d(lambda x: 5.0)(2.0), 0.0)  # type: ignore[misc]


@ability(
    12,
    "derivatives of derivatives",
    "The slopes must be Values themselves where the operands are: write the rules with the engine's own operations.",
    "derivative and grad",
)
def nested(engine: Engine, broken: set[str]) -> None:
    d, g = _transform(engine, "derivative"), _transform(engine, "grad")
    for text, of in {"derivative(derivative(f))": d(d(_cube)), "grad(grad(f))": g(g(_cube)),
                     "derivative(grad(f))": d(g(_cube)), "grad(derivative(f))": g(d(_cube))}.items():  # fmt: skip
        _result(engine, f"{text}(2.0), f = lambda x: x * x * x", lambda of=of: of(2.0), 12.0)  # type: ignore[misc]
    _result(engine, "the third derivative of x * x * x", lambda: d(d(d(_cube)))(2.0), 6.0)


@ability(
    12,
    "no perturbation confusion",
    "The two tangents are not the same: give each call of a transform a level, "
    "and treat Values of others as constants.",
    "derivative and grad",
)
def confusion(engine: Engine, broken: set[str]) -> None:
    for name in ("derivative", "grad"):
        d = _transform(engine, name)
        program = f"{name}(lambda x: x * {name}(lambda y: x + y)(1.0))(1.0)"
        _result(engine, program, lambda d=d: d(lambda x: x * d(lambda y: x + y)(1.0))(1.0), 1.0)  # type: ignore[misc]


# At the end: random programs ------------------------------------------------------------------------------------------


@ability(8, "random programs", "Each operation is right alone; what they do together is not.", SHARED)
def random_programs(engine: Engine, broken: set[str]) -> None:
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample

    from .strategies import Expression, expressions

    symbols = {name: symbol for symbol, name in NAMES.items() if symbol not in broken and symbol != "**"}
    names = [*symbols, *[name for name in engine.functions if name not in broken]]
    if "add" not in names and "mul" not in names:
        raise Missing("it needs + or *")
    table = {name: _compiled(symbols.get(name, name), engine) for name in names}
    failure: dict[Expression, Wrong] = {}

    def fails(f: Expression) -> bool:
        try:
            _check_expression(engine, f, table)
        except Wrong as wrong:
            failure[f] = wrong
            return True
        except Missing:
            return False
        return False

    quiet = settings(max_examples=engine.examples, derandomize=True, database=None, deadline=None,
                     suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink])  # fmt: skip
    try:
        raise failure[find(expressions(names), fails, settings=quiet)]
    except NoSuchExample:
        return


def _compiled(symbol: str, engine: Engine) -> Callable[..., Any]:
    if symbol in engine.functions:
        return engine.functions[symbol]
    text = "lambda x: -x" if symbol == "-x" else f"lambda x, y: x {symbol} y"
    return eval(text)  # type: ignore[no-any-return]


def _check_expression(engine: Engine, f: Any, table: dict[str, Callable[..., Any]]) -> None:
    value, gradient = value_and_grad(lambda p: f(*p))(list(f.point))
    inputs = [engine.make(x) for x in f.point]
    nodes = list(inputs)
    program = str(f).replace("mg.", "") + at(dict(zip(f.variables, f.point, strict=True)))
    try:
        for name, operands in f.lines:
            # Numbers as operands have a row of their own; here they are Values.
            nodes.append(table[name](*[nodes[x] if isinstance(x, int) else engine.make(x) for x in operands]))
        found = engine.data(nodes[-1])
    except Exception as error:
        raise Wrong(program, f"raises {told(error)}") from None
    _loosely(engine, program, "value", found, value)
    _sweep(engine, nodes[-1], program)
    for name, v, slope in zip(f.variables, inputs, gradient, strict=True):
        _loosely(engine, program, f"gradient of {name}", engine.grad(v), slope)


def _loosely(engine: Engine, program: str, what: str, found: float, right: float) -> None:
    """As `_equal`, but for programs in which much may cancel."""
    if abs(found - right) > 1e3 * engine.tolerance * max(1.0, abs(right)):
        raise Wrong(program, f"{what} {found!r}", repr(right))


def in_order() -> list[Ability]:
    """The abilities by stage."""
    return sorted(ABILITIES, key=lambda row: row.stage)
