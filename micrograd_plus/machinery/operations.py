"""Operations: what a rule is made into. A class Rule, the texts of an operation, and the decorator `rule`."""

from __future__ import annotations

from ..functions import KERNELS, OVER_NUMBERS, is_complex, over_numbers, real, where
from . import digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..functions import Function


class Rule:
    """An operation: its name, its template, and `partials`, from the operands' numbers to the value and the slopes.

    `notation` is how people write it, `numpy` what NumPy calls it; it takes so many `sequences` of numbers, 0 if it
    takes one number or two. What only some Values have is kept with their rule, so that the others need no room for it:
    a `label`, and the `calls` of modules of a network whose result a Value is.

    >>> RULES["dot"].sequences, RULES["sin"].sequences
    (2, 0)
    """

    __slots__ = ("calls", "label", "name", "notation", "numpy", "partials", "sequences", "template")

    def __init__(self, name: str, template: str, partials: Function, *, numpy: str = "", notation: str = "") -> None:
        self.name, self.template, self.partials = name, template, partials
        self.numpy, self.notation = numpy, notation or template
        self.sequences = template.count("[{x}]") + template.count("[{y}]")
        self.label = ""
        self.calls: tuple[Any, ...] = ()

    def marked(self, label: str, calls: tuple[Any, ...]) -> Rule:
        """The same rule, for a Value of that label that is the result of these calls, the innermost one first."""
        rule = object.__new__(Rule)
        rule.name, rule.template, rule.partials = self.name, self.template, self.partials
        rule.notation, rule.numpy, rule.sequences = self.notation, self.numpy, self.sequences
        rule.label, rule.calls = label, calls
        return rule

    def text(self, operands: list[str]) -> str:
        """The operation as people write it, with these texts as its operands.

        >>> RULES["mul"].text(["w", "-2"]), RULES["silu"].text(["x"]), RULES["dot"].text(["a", "b", "c", "d"])
        ('w * (-2)', 'silu(x)', 'dot([a, b], [c, d])')
        """
        if "(" not in self.notation:
            return _fill(self.notation, [f"({text})" if text.startswith("-") else text for text in operands])
        if f"{self.name}(" not in self.notation:  # a formula of other operations
            return f"{self.name}({', '.join(operands)})"
        return self.program(operands)

    def symbol(self) -> str:
        """The operation's sign, or its name if it has none.

        >>> RULES["mul"].symbol(), RULES["pow"].symbol(), RULES["sin"].symbol()
        ('*', '**', 'sin')
        """
        return self.name if "(" in self.notation else _fill(self.notation, ["", ""]).strip()

    def program(self, operands: list[str]) -> str:
        """The operation as a program computes it, in the syntax that Python and JavaScript share.

        >>> RULES["silu"].program(["x"])
        'x * sigmoid(x)'
        """
        if self.sequences:
            n = len(operands) // self.sequences  # all operands, or half of them and half
            operands = [", ".join(operands[:n]), ", ".join(operands[n:])]
        return _fill(self.template, operands)


def _fill(template: str, operands: list[str]) -> str:
    return template.format(*operands, x=operands[0], y=operands[-1]) if operands else template


RULES: dict[str, Rule] = {}
FUNCTIONS: dict[str, Function] = {"where": where, "mean": digits.mean}  # what `import micrograd_plus as mg` offers
MORE: dict[str, Function] = {}  # and what it offers besides: functions made of these, in more.py
OWN: dict[str, tuple[Function, Function | None]] = {}  # of rules that are not the library's: over floats, over complex
RESERVED = {"array", "float", "inf", "item", "list", "map", "nan", "program"}  # they mean something in programs


def rule(
    template: str = "",
    doc: str = "",
    numpy: str = "",
    notation: str = "",
    *,
    over_floats: Function | None = None,
    over_complex: Function | None = None,
) -> Callable[[Function], Function]:
    """Make the decorated function the rule of an operation, and put the operation's function in its place.

    A rule takes numbers of any kind, and returns a tuple: the value of the operation, and its partial derivative for
    each operand, written in functions of this library. The value is a call of the operation itself, by its name. What
    that is over floats is said by `over_floats`, a function such as math.lgamma, or else by a `template` of other
    operations, "{x} * {x} * {x}" (operands are {x} and {y}, or {0}, {1}, {2}, ...; those of a rule of *x are [{x}]).
    `over_complex` is the function over complex numbers, for derivatives by the complex step.

    `doc` is the docstring of the function, or a sentence and an example of which one is made, as below; `notation` is a
    template as people write it, and `numpy` the name in NumPy, if these are others. A name can be defined again: the
    new rule replaces the old one. The operation is a function, and no method: there is no x.cubed().

    ValueError if the name is one of the library's, or if neither template nor `over_floats` says what the operation is;
    TypeError, here or when the operation runs, if the rule does not return a value and a partial for each operand.

    >>> @rule("{x} * {x} * {x}", "The cube of x: cubed(2.0) is 8.0")
    ... def cubed(x):
    ...     return cubed(x), 3.0 * x * x
    >>> from micrograd_plus import derivative, derivatives
    >>> derivative(cubed)(2.0), derivatives(cubed, 3)(2.0)
    (12.0, [8.0, 12.0, 12.0, 6.0])
    """
    if not isinstance(template, str):
        raise TypeError(f"rule: expected a template, got {template!r}; write @rule(...) with parentheses")

    def register(partials: Function) -> Function:
        name, code = partials.__name__, partials.__code__
        is_own = partials.__module__ != "micrograd_plus.rules"
        if is_own and (not name.isidentifier() or name in RESERVED or (name in {*FUNCTIONS, *KERNELS, *MORE} - {*OWN})):
            raise ValueError(f"rule: {name} is a name of the library: give your operation another one")
        parameters = [*code.co_varnames[: code.co_argcount]] or ["*x"]
        text = template or f"{name}({', '.join(_places(parameters))})"
        made = Rule(
            name, text, _checked(name, partials, parameters) if is_own else partials, numpy=numpy, notation=notation
        )
        try:
            made.text(parameters), made.program(parameters)
        except (LookupError, ValueError, AttributeError) as error:
            places = ", ".join(_places(parameters))
            raise ValueError(
                f"rule: the operands of {name} are {places}, which {text!r} does not fit: {error}"
            ) from None
        function: Function | None = None if is_own else OVER_NUMBERS.get(name)
        if function is None:
            if over_floats is None and f"{name}(" in text:
                raise ValueError(
                    f"rule: say what {name} is over floats, by over_floats= or by a template of other operations"
                )
            kernels: Any = over_floats, over_complex
            if over_floats is None:  # made of other operations: its template is its value
                value = f"lambda {', '.join(parameters)}: {made.program(parameters)}"
                kernels = eval(value, dict(KERNELS)), eval(value, FUNCTIONS | {"__builtins__": {}})
                if unknown := [word for word in kernels[0].__code__.co_names if word not in KERNELS]:
                    raise ValueError(f"rule: the template of {name} is written in operations, and {unknown[0]} is none")
            function = _function(name, parameters, partials.__defaults__, kernels, is_own)
        function.__doc__ = _docstring(doc) or partials.__doc__
        function.__module__, function.__qualname__ = partials.__module__, partials.__qualname__
        RULES[name], FUNCTIONS[name] = made, function
        return function

    return register


def _places(parameters: list[str]) -> list[str]:
    """The operands in the template of an operation that is written as a call."""
    if parameters == ["*x"]:
        return ["[{x}]"]
    return ["{x}", "{y}"][: len(parameters)] if len(parameters) < 3 else [f"{{{i}}}" for i in range(len(parameters))]


def _function(
    name: str,
    parameters: list[str],
    defaults: tuple[Any, ...] | None,
    kernels: tuple[Function, Function | None],
    is_own: bool,
) -> Function:
    """The function of an operation over all kinds of numbers, from the `kernels` over floats and complex numbers."""
    over_floats, over_complex = kernels
    pack: Any = None
    if parameters == ["*x"]:
        pack = tuple
    elif defaults or len(parameters) > 2:
        pack = eval(f"lambda {', '.join(parameters)}: ({', '.join(parameters)},)")
        pack.__defaults__ = defaults
    if not is_own:
        return over_numbers(name, over_floats, over_complex, arity=len(parameters), pack=pack)

    def kernel(*x: float) -> float:
        return real(over_floats(*x), name)

    # That of today, also for those who have kept the function of an earlier rule of that name:
    latest = lambda *x: OWN[name][0](*x)  # noqa: E731
    latest_complex = (lambda *x: OWN[name][1](*x)) if over_complex else None  # type: ignore[misc]
    function = over_numbers(name, latest, latest_complex, arity=len(parameters), pack=pack)
    OWN[name], KERNELS[name] = (kernel, over_complex), kernel
    return function


def _checked(name: str, partials: Function, parameters: list[str]) -> Function:
    """The same rule, which raises a TypeError if it does not return a value and a partial for each operand."""
    from dis import get_instructions

    def complain(found: str, n: int) -> TypeError:
        slopes = f"{n} partial derivative{'s' * (n != 1)}, one for each operand"
        return TypeError(f"the rule of {name}: expected a tuple of the value and {slopes}, got {found}")

    def check(results: Any, *operands: Any) -> tuple[Any, ...]:
        if not isinstance(results, tuple) or len(results) != len(operands) + 1:
            raise complain(repr(results), len(operands))
        known = [type(x) is float or hasattr(x, "operate") or is_complex(x) for x in results]
        return tuple([x if ok else real(x, f"the rule of {name}") for x, ok in zip(results, known, strict=True)])

    last: Any = None
    for instruction in get_instructions(partials):  # how many numbers it returns can often be seen before it runs
        is_tuple = last and last.opname == "BUILD_TUPLE" and instruction.opname == "RETURN_VALUE"
        if is_tuple and last.arg != len(parameters) + 1 and parameters != ["*x"]:
            raise complain(f"{last.arg} numbers", len(parameters))
        last = instruction
    given = ", ".join(parameters)
    checked = eval(f"lambda {given}: check(partials({given}), {given})", {"check": check, "partials": partials})
    checked.__name__, checked.__defaults__, checked.__wrapped__ = name, partials.__defaults__, partials
    return checked  # type: ignore[no-any-return]


def _docstring(doc: str) -> str:
    """Of a sentence and an example, as in "The sine of x: sin(0.0) is 0.0"; any other text as it is."""
    text, _, example = doc.rpartition(": ")
    call, _, result = example.partition(" is ")
    return f"{text}.\n\n    >>> {call}\n    {result}\n    " if text and result else doc
