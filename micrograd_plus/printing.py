"""Symbols printed as a program: a line for each number that is used more than once, and the result.

What is used once stands where it is used, as long as the line stays short enough to be read. The operations are written
by the templates of their rules. Names are those of the arguments, and labels; other numbers are t1, t2, ..., and those
that the chain rule made d1, d2, ...
"""

from __future__ import annotations

import re
from heapq import heapify, heappop, heappush
from keyword import iskeyword
from textwrap import wrap

from .functions import KERNELS
from .machinery.trees import tree_fill, tree_leaves
from .rules import RULES, Rule
from .symbols import Symbol, Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    # Cases in which something is needed: conditions, each with the side that is taken
    Needs = frozenset[frozenset[Any]]

WIDTH = 100  # a line that would be longer is divided, by names for parts of it
PART = 5000  # lines: a longer program is divided into functions, as Python needs a lot of memory to compile a long one

# How strongly an operation binds its operands; a name or a call is 9.
BINDS = {"where": 0, "or": 1, "and": 2, "<": 3, "<=": 3, ">": 3, ">=": 3, "==": 3, "!=": 3, "add": 5, "sub": 5}
BINDS |= {"mul": 6, "truediv": 6, "neg": 7}

# What never raises over floats: it does no harm to compute it where it is not needed.
CALM = {"", "where", "or", "and", "<", "<=", ">", ">=", "==", "!=", "item", "add", "sub", "mul", "neg", "abs", "sign"}
CALM |= {"step", "maximum", "minimum", "relu", "reciprocal", "times", "sigmoid", "softplus", "tanh", "atan", "erf"}

# These have several results, of which "item" takes one.
SEVERAL = {name for name, rule in RULES.items() if rule.template.endswith("[0]")}

# Of matrices.py; what the first ones give always has a name, as it is used row by row.
MATRICES = {"products", "chained_products", "sums", "chained_sums", "stack", "column", "total"}
NAMED = {"products", "chained_products", "sums", "chained_sums"}


class Printer:
    """The names of a program, and the lines of its beginning, which take its arguments apart.

    `over_floats` says that a condition is one bool, so that the side which is not chosen can be left out; over arrays
    there are many. `leaves` are the symbols of the arguments, in order.
    """

    def __init__(self, *, over_floats: bool = True) -> None:
        self.over_floats = over_floats
        self.header: list[str] = []
        self.leaves: list[Symbol] = []
        self.inline = {""} if over_floats else {"", "list", "item"}  # what never has a name of its own
        taken = [*KERNELS, *MATRICES, "array", "float", "map", "inf", "nan", "program"]
        self.names = dict.fromkeys(taken, 1)  # how often each was wished

    def name(self, wish: str) -> str:
        """`wish` as a name that is not taken."""
        name = re.sub(r"\W", "_", wish, flags=re.ASCII)[:40]
        name = name if name.isidentifier() and not iskeyword(name) and not name.startswith("__") else f"_{name}"
        free = name
        while count := self.names.get(free, 0):
            self.names[free] = count + 1
            free = f"{name}_{count}"
        self.names[free] = 1
        return free

    def inputs(self, trace: Trace, x: Any, name: str) -> Any:
        """The structure of an argument, with symbols in it that the program has by lines of its header."""
        if isinstance(x, dict):
            names = [self.name(f"{name}_{key}") for key in x]
            self._unpacked(names, f"{name}.values()")
            items = [self.inputs(trace, item, child) for item, child in zip(x.values(), names, strict=True)]
            return dict(zip(x, items, strict=True))
        if isinstance(x, list | tuple):
            names = [self.name(f"{name}{'_' * name[-1].isdigit()}{i}") for i in range(len(x))]
            if any(type(item) is int for item in x) and {float, int} >= {type(item) for item in x}:
                self._unpacked(names, f"map(float, {name})")
                return type(x)([self._input(trace, child) for child in names])
            self._unpacked(names, name)
            return type(x)([self.inputs(trace, item, child) for item, child in zip(x, names, strict=True)])
        if type(x) is float or not self.over_floats:
            return self._input(trace, name)
        if type(x) is int or x.shape == ():
            self.header.append(f"{name} = float({name})")
            return self._input(trace, name)
        names = [self.name(f"{name}{'_' * name[-1].isdigit()}{i}") for i in range(x.size)]
        self._unpacked(names, f"{name}.ravel().astype(float).tolist()")
        return tree_fill(x, [self._input(trace, child) for child in names])

    def _input(self, trace: Trace, name: str) -> Symbol:
        self.leaves.append(trace.input(name))
        return self.leaves[-1]

    def _unpacked(self, names: list[str], source: str) -> None:
        if names and self.over_floats:  # over arrays, the program is given all numbers in a row
            self.header.append(f"{_tuple(names)} = {source}")

    def program(self, names: list[str], result: Any) -> list[str]:
        """The texts of the functions of which the last, `program`, takes arguments of these names to this result."""
        outputs = [y for y in tree_leaves(result) if type(y) is Symbol]
        order = in_order(outputs)
        needs: dict[Symbol, Needs] = {}
        if self.over_floats and any(symbol.operation == "where" for symbol in order):
            order, needs = _with_needs(order, outputs)
        lines: list[tuple[str, str, bool]] = []  # a name, what it stands for, and whether the chain rule made it
        counts = {"t": 0, "d": 0}
        for symbol in order:
            written, binds = self._written(symbol)
            raises = bool(needs) and (symbol.operation not in CALM or any(_raises(x) for x in symbol.operands))
            is_named = symbol.uses > 1 or len(written) > WIDTH - 30 or symbol.operation in NAMED
            if is_named and symbol.operation not in self.inline:
                if raises and needs[symbol] != ALWAYS:
                    nothing = "0.0" if symbol.operation not in SEVERAL else f"[0.0] * {len(symbol.operands)}"
                    written = f"{written if binds else f'({written})'} if {_cases(needs[symbol], needs)} else {nothing}"
                kind = "d" if symbol.by_chain else "t"
                counts[kind] += not symbol.label
                name = self.name(symbol.label or f"{kind}{counts[kind]}")
                lines.append((name, written, symbol.by_chain))
                written, binds, raises = name, 9, False
            symbol.text = written, binds, raises
        returned = _structured(result)
        if isinstance(result, tuple) and len(result) > 1 and len(returned) < WIDTH - 10:
            returned = returned[1:-1]
        first = next((i for i, (*_, by_chain) in enumerate(lines) if by_chain), 0)
        statements = [(name, f"{name} = {text}") for name, text, _ in lines]
        if first and all(by_chain for *_, by_chain in lines[first:]):  # values first, then derivatives: reverse mode
            statements.insert(first, ("", "# derivatives, by the chain rule"))
        return self._functions(names, statements, returned)

    def _functions(self, names: list[str], statements: list[tuple[str, str]], returned: str) -> list[str]:
        """The program as one function or, if it is long, with its lines in several others."""
        if len(statements) <= PART:
            return [_function("program", names, self.header + [line for _, line in statements], returned)]
        texts, calls = [], []
        known = set(names) | _words(line.partition(" = ")[0] for line in self.header)
        parts = [statements[i : i + PART] for i in range(0, len(statements), PART)]
        words = [_words(line for _, line in part) for part in parts]
        last_use = {word: i for i, ws in enumerate([*words, _words([returned])]) for word in ws}
        for i, part in enumerate(parts):
            name, arguments = self.name(f"part{i + 1}"), sorted(words[i] & known)
            results = [result for result, _ in part if last_use.get(result, i) > i]
            texts.append(_function(name, arguments, [line for _, line in part], f"[{', '.join(results)}]"))
            calls.append(f"{_tuple(results)} = {name}({', '.join(arguments)})")
            known.update(results)
        return [*texts, _function("program", names, self.header + calls, returned)]

    def _written(self, symbol: Symbol) -> tuple[str, int]:
        """An operation as text, and how strongly it binds."""
        operation, operands = symbol.operation, symbol.operands
        if not operation:
            return operands[0], 9
        if operation in RULES:
            return _of_rule(RULES[operation], operands)
        if operation == "list":
            return f"[{', '.join(map(_text, operands))}]", 9
        if operation in MATRICES:
            return f"{operation}({', '.join(map(_text, operands))})", 9
        if operation == "item":
            return f"{_text(operands[0], 9)}[{operands[1]}]", 9
        if operation == "where" and self.over_floats:
            condition, x, y = operands
            return f"{_text(x, 1)} if {_text(condition, 1)} else {_text(y)}", 0
        if operation == "where":
            return f"where({', '.join(map(_text, operands))})", 9
        if operation in ("and", "or") and not self.over_floats:
            return f"{_text(operands[0], 9)} {'&' if operation == 'and' else '|'} {_text(operands[1], 9)}", 4
        binds = BINDS[operation]
        return f"{_text(operands[0], binds + 1)} {operation} {_text(operands[1], binds + 1)}", binds


def in_order(outputs: list[Symbol]) -> list[Symbol]:
    """The symbols that the outputs depend on, each after its operands; its `uses` says how often each is used.

    >>> x = Trace().symbol("", ("x",))
    >>> [symbol.operation for symbol in in_order([(x * x).sin(), x])]
    ['', 'mul', 'sin']
    """
    found: list[Symbol] = []
    stack: list[Symbol] = []
    for y in outputs:
        if not y.uses:
            stack.append(y)
        y.uses += 1
    times = {name: max(1, rule.template.count("{x}"), rule.template.count("{y}")) for name, rule in RULES.items()}
    while stack:
        symbol = stack.pop()
        found.append(symbol)
        for x in symbol.operands:
            if type(x) is Symbol:
                if not x.uses:
                    stack.append(x)
                x.uses += times.get(symbol.operation, 1)
    found.sort(key=lambda symbol: symbol.index)
    return found


def _of_rule(rule: Rule, operands: tuple[Any, ...]) -> tuple[str, int]:
    name, template, x, y = rule.name, rule.template, operands[0], operands[-1]
    if name == "pow" and type(y) is float and y in (2.0, 3.0, 4.0):
        return f"{_text(x, 9)}**{y}", 8  # the same number, sooner; `math.pow` raises other errors
    if name in BINDS:
        binds = BINDS[name]
        return template.format(x=_text(x, binds), y=_text(y, binds + 1)), binds
    if rule.sequences:
        return rule.program([_text(x) for x in operands]).removesuffix("[0]"), 9
    if template.startswith(f"{name}("):
        return rule.program([_text(operand) for operand in operands]), 9
    if template.partition("(")[0].isidentifier() and template.count("(") == 1:  # a call
        return template.format(x=_text(x), y=_text(y)), 9
    return template.format(x=_text(x, 9), y=_text(y, 9)), 0


def _raises(x: Any) -> bool:
    return type(x) is Symbol and x.text[2]


def _text(x: Any, binds: int = 0) -> str:
    """A number as the operand of what binds so strongly."""
    if type(x) is not Symbol:
        return f"({x!r})" if binds > 4 and repr(x).startswith("-") else repr(x)
    written, own, _ = x.text
    return f"({written})" if own < binds else written


# What is needed when --------------------------------------------------------------------------------------------------

ALWAYS: Needs = frozenset([frozenset()])


def _with_needs(order: list[Symbol], outputs: list[Symbol]) -> tuple[list[Symbol], dict[Symbol, Needs]]:
    """An order in which conditions stand before what is needed only if they hold, and what is needed when."""
    needs = dict.fromkeys(outputs, ALWAYS)
    for symbol in reversed(order):  # users first: they were made later
        need = needs[symbol]
        for i, x in enumerate(symbol.operands):
            if type(x) is Symbol:
                here = _on_side(need, symbol, i)
                there = needs.get(x)
                needs[x] = here if there is None else there if there is ALWAYS else _either(there, here)
    users: dict[Symbol, list[tuple[Symbol, bool]]] = {symbol: [] for symbol in order}
    operands, conditions = {}, {}  # how many of each a symbol waits for
    for symbol in order:
        before = {x for x in symbol.operands if type(x) is Symbol}
        guards = {condition for case in needs[symbol] for condition, _ in case} - before
        operands[symbol], conditions[symbol] = len(before), len(guards)
        for x in before:
            users[x].append((symbol, True))
        for x in guards:
            users[x].append((symbol, False))
    ready = [
        (conditions[symbol] > 0, symbol.operation not in CALM, symbol.index, symbol)
        for symbol in order
        if not operands[symbol]
    ]
    heapify(ready)
    found = dict[Symbol, None]()
    while ready:
        waits, _, _, symbol = heappop(ready)
        if symbol in found:
            continue
        if waits:  # a condition depends on what it guards: that is computed in any case
            needs[symbol] = ALWAYS
        found[symbol] = None
        for user, is_operand in users[symbol]:
            counts = operands if is_operand else conditions
            counts[user] -= 1
            if not operands[user]:
                heappush(ready, (conditions[user] > 0, user.operation not in CALM, user.index, user))
    return list(found), needs


def _on_side(need: Needs, symbol: Symbol, i: int) -> Needs:
    """When operand number `i` of a symbol is needed, if the symbol is needed in these cases."""
    if i == 0 or symbol.operation not in ("where", "and", "or"):
        return need
    side = i == 1 if symbol.operation == "where" else symbol.operation == "and"
    condition = symbol.operands[0]
    parts = _parts(condition, side)
    cases = [case | parts for case in need if not any((c, not s) in case for c, s in parts)]
    return _either(frozenset(cases), frozenset())


def _parts(condition: Symbol, side: bool) -> frozenset[tuple[Symbol, bool]]:
    """What has to hold, if a condition has to: of "a and b", both; for "not (a or b)", neither."""
    found, stack = set(), [condition]
    while stack:
        c = stack.pop()
        if c.operation == ("and" if side else "or"):
            stack += c.operands
        else:
            found.add((c, side))
    return frozenset(found) if len(found) <= 4 else frozenset([(condition, side)])


def _either(a: Needs, b: Needs) -> Needs:
    """Where one of both is needed; where this becomes too much to say, always."""
    cases = [case for case in a | b if not any(other < case for other in a | b)]
    return frozenset(cases) if len(cases) <= 8 and all(len(case) <= 6 for case in cases) else ALWAYS


def _cases(cases: Needs, needs: dict[Symbol, Needs]) -> str:
    """The condition for one of these cases; a condition that is itself needed only in some cases comes after these."""

    def depth(part: tuple[Symbol, bool]) -> tuple[int, int]:
        return min(map(len, needs[part[0]]), default=0), part[0].index

    texts = [
        " and ".join([_text(c, 3) if side else f"not {_text(c, 9)}" for c, side in sorted(case, key=depth)])
        for case in sorted(cases, key=lambda case: (len(case), sorted(c.index for c, _ in case)))
    ]
    return " or ".join(texts) or "False"


# Lines ----------------------------------------------------------------------------------------------------------------


def _structured(x: Any) -> str:
    """The result, as Python writes it."""
    if isinstance(x, dict):
        return f"{{{', '.join([f'{key!r}: '.replace(' ', GLUE) + _structured(item) for key, item in x.items()])}}}"
    if isinstance(x, list | tuple):
        parts = ", ".join([_structured(item) for item in x])
        return f"[{parts}]" if isinstance(x, list) else f"({parts}{',' * (len(x) == 1)})"
    if hasattr(x, "shape") and x.shape != ():
        return f"array({x.shape}, [{', '.join([_text(item) for item in x.ravel().tolist()])}])"
    return _text(x)


def _tuple(names: list[str]) -> str:
    return f"({', '.join(names)},)" if len(names) < 2 else ", ".join(names)


def _function(name: str, arguments: list[str], lines: list[str], returned: str) -> str:
    body = [_wrapped(f"    {line}") for line in [*lines, f"return{GLUE}{returned}"]]
    return "\n".join([_wrapped(f"def {name}({', '.join(arguments)}):"), *body])


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}


GLUE = "\0"  # a space at which a line is not to be divided


def _wrapped(line: str) -> str:
    """A line, or if it is long, several."""
    if len(line) <= WIDTH:
        return line.replace(GLUE, " ")
    target, sign, rest = line.partition(" = ")
    if sign and "," in target:
        line = f"    ({target.strip(' ()')}){GLUE}={GLUE}{rest}"  # not to be divided here
    elif sign:
        line = f"{target}{GLUE}={GLUE}({rest})"
    text = line.strip()
    indent = " " * (len(line) - len(text))
    lines = wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace(GLUE, " ")
