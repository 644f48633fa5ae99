"""Programs over batches, with matrices: what numbers do alike, they do at once.

A symbol stands for a number, or for a batch of numbers. If x0 and x1 are batches, and all else is not, then

    maximum(b0 + w0 * x0 + w1 * x1, 0.0)
    maximum(b1 + w2 * x0 + w3 * x1, 0.0)

are the rows of the matrix

    maximum(products([[b0, w0, w1], [b1, w2, w3]], stack(1.0, x0, x1)), 0.0)

and what the chain rule takes back through these neurons are the rows of another one. The gradients of all the weights,
summed over the batch, are a product of two matrices, too. Nothing in here knows of networks: weighted sums of the same
batches are such a product, and operations become one if they are the same but for the rows that they are about.
"""

from __future__ import annotations

from collections import Counter

from .printing import in_order
from .symbols import Symbol, Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

ROWS, ENTRIES = 4, 8  # so many rows, or so many entries of a product, are worth a matrix
PRODUCTS = "mul", "times"


class _Program:
    """A program to be written anew: its symbols in order, those that are batches, and what was made of them so far."""

    def __init__(self, outputs: Iterable[Any], batches: Iterable[Symbol]) -> None:
        self.order = in_order([y for y in outputs if type(y) is Symbol])
        self.batches = set(batches)
        for symbol in self.order:
            if any(map(self.is_batch, symbol.operands)):
                self.batches.add(symbol)
        self.trace = Trace(exact=False)
        self.trace.running = False
        self.made: dict[Symbol, Symbol] = {}

    def is_batch(self, x: Any) -> bool:
        return type(x) is Symbol and x in self.batches

    def new(self, x: Any) -> Any:
        """What is in the place of `x` in the new program."""
        return self.made.get(x, x) if type(x) is Symbol else x

    def symbol(self, operation: str, *operands: Any, by_chain: bool = False) -> Symbol:
        return self.trace.symbol(operation, tuple(map(self.new, operands)), by_chain)

    def copy(self, symbol: Symbol) -> Symbol:
        return self.symbol(symbol.operation, *symbol.operands, by_chain=symbol.by_chain)

    def added(self, terms: Iterable[Any]) -> Any:
        total, *rest = terms
        for x in rest:
            total = self.symbol("add", total, x)
        return self.new(total)


# Neurons --------------------------------------------------------------------------------------------------------------


def with_neurons(outputs: Sequence[Any], batches: Iterable[Symbol]) -> tuple[list[Any], list[Symbol]]:
    """The program with b + w0 * x0 + w1 * x1 as one operation, `mul_neuron` of b, w0, w1, 1.0, x0, x1.

    If the products are `times`, it is a `chained_neuron`.
    """
    batches = list(batches)
    program = _Program(outputs, batches)
    found = {symbol: _weighted(program, terms) for symbol, terms in _sums(program).items()}
    sizes: Counter[Any] = Counter()  # how many weights neurons of the same have together
    for symbol, (product, weights, xs, _) in found.items():
        sizes[symbol.by_chain, product, xs] += len(weights)
    for symbol in program.order:
        product, weights, xs, rest = found.get(symbol, ("", (), (), []))
        if sizes[symbol.by_chain, product, xs] >= ENTRIES:
            neuron = program.symbol(f"{product}_neuron", *weights, *xs, by_chain=symbol.by_chain)
            made = program.added([neuron, *rest])
        else:
            made = program.copy(symbol)
        made.label, program.made[symbol] = symbol.label, made
    return list(map(program.new, outputs)), list(map(program.new, batches))


def _sums(program: _Program) -> dict[Symbol, list[Any]]:
    """The terms of each sum that is a batch, but for sums that are nothing but terms of another one."""
    sums: dict[Symbol, list[Any]] = {}
    for symbol in program.order:
        if symbol.operation == "add" and program.is_batch(symbol):
            inner = [type(x) is Symbol and x.uses == 1 and x in sums for x in symbol.operands]
            parts = [sums.pop(x) if y else [x] for x, y in zip(symbol.operands, inner, strict=True)]
            sums[symbol], less = sorted(parts, key=len, reverse=True)
            sums[symbol] += less
    return sums


def _weighted(program: _Program, terms: list[Any]) -> Any:
    """The kind of products that a neuron of these terms has, its weights and what they are for, and other terms."""
    batches = [x for x in terms if program.is_batch(x)]
    product = max(PRODUCTS, key=[x.operation for x in batches].count)
    pairs, rest = [], []
    for x in batches:
        if x.operation == product and sum(map(program.is_batch, x.operands)) == 1:
            pairs.append(sorted(x.operands, key=program.is_batch))
        else:
            rest.append(x)
    if not pairs:
        return product, (), (), terms
    pairs += [[x, 1.0] for x in terms if not program.is_batch(x)]
    return product, *zip(*sorted(pairs, key=lambda pair: _place(pair[1])), strict=True), rest


def _place(x: Any) -> int:
    return x.index if type(x) is Symbol else -1


# Matrices -------------------------------------------------------------------------------------------------------------


class Matrices(_Program):
    """The program of `outputs`, written anew with matrices. `batches` are its arguments that are arrays.

    `reduce` says of each output whether it is to be a "stack", the batch itself, or the "sum" or "mean" of it.
    `results` are those of the new program: numbers and matrices, and then batches. `reductions` says of each what it
    is: a "number", which has no batch, a "sum", a "mean", which is still to be divided by the number of elements, or a
    "stack". `places` says where each output is among the numbers of all results, row by row, and then the batches.
    `count` is the symbol of the number of elements, by that name, or None if no result needs it.
    """

    def __init__(self, outputs: Sequence[Any], reduce: Sequence[str], batches: Iterable[Symbol], count: str) -> None:
        outputs, batches = with_neurons(outputs, batches)
        super().__init__(outputs, batches)
        self.groups: dict[Symbol, list[Symbol]] = {}  # of each symbol, those that are like it
        self.depths: dict[Symbol, int] = {}  # those of a group have the same, and are made of others of less
        self.rows: dict[Any, list[Symbol]] = {}  # of each matrix
        self.entries: dict[Any, tuple[Symbol, int]] = {}  # of matrices of sums: which it is, and the place in it
        self.sizes: dict[Any, int] = {}  # of these matrices
        self.count: Symbol | None = None
        self._compare()
        for symbol in sorted(self.order, key=lambda x: (x.by_chain, self.depths[x], x.index)):
            if symbol not in self.made:
                self._make(symbol)
        self._reduce(outputs, reduce, count)

    def _compare(self) -> None:
        alike: dict[Any, list[Symbol]] = {}
        for symbol in self.order:
            operands = [x for x in symbol.operands if self.is_batch(x)]
            self.depths[symbol] = (
                1 + max([self.depths[x] for x in operands], default=0) if symbol in self.batches else 0
            )
            kinds = [id(self.groups[x]) if self.is_batch(x) else type(x) is Symbol or repr(x) for x in symbol.operands]
            if symbol.operation.endswith("_neuron"):
                kinds = [_place(x) for x in symbol.operands[len(symbol.operands) // 2 :]]
            likeness = (symbol.operation, symbol.by_chain, *kinds) if symbol in self.batches else symbol
            self.groups[symbol] = alike.setdefault(likeness, [])
            self.groups[symbol].append(symbol)

    def _make(self, symbol: Symbol) -> None:
        """Makes a matrix of all that are like this symbol, or if they are few, a number of this one."""
        group, operands = self.groups[symbol], symbol.operands
        product, is_neuron, _ = symbol.operation.partition("_neuron")
        if not is_neuron and len(group) < ROWS:
            made = self.copy(symbol)
            made.label, self.made[symbol] = symbol.label, made
            return
        if is_neuron:
            n = len(operands) // 2
            weights = [self.symbol("list", *x.operands[:n]) for x in group]
            matrix = self._product("products", product, self.symbol("list", *weights), self._stack(operands[n:]))
        else:
            columns = zip(*[x.operands for x in group], strict=True)
            matrix = self.symbol(symbol.operation, *map(self._column, columns), by_chain=symbol.by_chain)
        self.rows[matrix] = [self.symbol("item", matrix, i) for i in range(len(group))]
        for x, row in zip(group, self.rows[matrix], strict=True):
            row.label, self.made[x] = x.label, row

    def _column(self, xs: Sequence[Any]) -> Any:
        """One operand of all rows: itself, if it is the same, or else a matrix."""
        if type(xs[0]) is not Symbol or all(x is xs[0] for x in xs):
            return xs[0]
        return self._stack(xs) if self.is_batch(xs[0]) else self.symbol("column", self.symbol("list", *xs))

    def _stack(self, xs: Iterable[Any]) -> Symbol:
        """The matrix of these rows; all the rows of another matrix stand as itself."""
        xs, parts, i = list(map(self.new, xs)), [], 0
        while i < len(xs):
            is_row = type(xs[i]) is Symbol and xs[i].operation == "item"
            rows = self.rows[xs[i].operands[0]] if is_row else []
            here = xs[i : i + len(rows)]
            if rows and len(here) == len(rows) and all(x is row for x, row in zip(here, rows, strict=True)):
                parts.append(xs[i].operands[0])
                i += len(rows)
            else:
                parts.append(xs[i])
                i += 1
        return parts[0] if len(parts) == 1 and parts[0] in self.rows else self.symbol("stack", *parts)

    def _product(self, name: str, product: str, *operands: Symbol) -> Symbol:
        return self.symbol(f"chained_{name}" if product == "times" else name, *operands)

    # Sums over the batch

    def _reduce(self, outputs: Sequence[Any], reduce: Sequence[str], count: str) -> None:
        terms = [self._terms(y) if how != "stack" else [] for y, how in zip(outputs, reduce, strict=True)]
        totals = self._totals([x for xs in terms for x in xs if self.is_batch(x)])
        results: dict[Any, Any] = {}
        found = []
        for y, how, xs in zip(outputs, reduce, terms, strict=True):
            kind = how if self.is_batch(y) or how == "sum" else "number"
            result, place = self.new(y), 0
            if kind in ("sum", "mean"):
                if self.count is None and not all(map(self.is_batch, xs)):
                    self.count = self.trace.input(count)
                total = self.added([totals[x] if self.is_batch(x) else self.symbol("mul", self.count, x) for x in xs])
                result, place = self.entries.get(total, (total, 0))
            key = kind, result if type(result) is Symbol else repr(result)
            results[key] = result
            found.append((key, place))
        keys = sorted(results, key=lambda key: key[0] == "stack")
        start, starts = 0, {}
        for key in keys:
            starts[key] = start
            start += self.sizes.get(key[1], 1)
        self.results, self.reductions = [results[key] for key in keys], [kind for kind, _ in keys]
        self.places = [starts[key] + place for key, place in found]

    def _terms(self, y: Any) -> list[Any]:
        """The terms of a gradient, as adding them up one by one costs no digits; all else is one."""
        left, found = [y], []
        while left:
            x = left.pop()
            if self.is_batch(x) and x.by_chain and x.operation == "add" and x.uses == 1:
                left += reversed(x.operands)
            else:
                found.append(x)
        return found

    def _totals(self, terms: list[Symbol]) -> dict[Symbol, Symbol]:
        """The sum over the batch of each of these."""
        rows: dict[Any, dict[Any, Symbol]] = {}  # of products, the factor that was made later, with all its partners
        products = {x for x in terms if x.operation in PRODUCTS and all(map(self.is_batch, x.operands))}
        later = {max(x.operands, key=_place) for x in products}
        for x in terms:
            if x in products and x not in later:
                column, row = sorted(x.operands, key=_place)
                rows.setdefault((x.operation, row), {})[column] = x
        for x in terms:
            if x in later or x not in products:
                rows.setdefault(("times" if ("times", x) in rows else "mul", x), {})[1.0] = x
        groups: dict[Any, list[Symbol]] = {}
        for (product, row), columns in rows.items():
            groups.setdefault((product, *sorted(columns, key=_place)), []).append(row)
        totals = {}
        for (product, *columns), group in groups.items():
            if len(group) * len(columns) < ENTRIES or columns == [1.0]:
                totals.update({x: self.symbol("total", x) for row in group for x in rows[product, row].values()})
                continue
            matrix = self._product("sums", product, self._stack(group), self._stack(columns))
            self.sizes[matrix] = len(group) * len(columns)
            for i, row in enumerate(group):
                for j, column in enumerate(columns):
                    entry = totals[rows[product, row][column]] = self.symbol("item", self.symbol("item", matrix, i), j)
                    self.entries[entry] = matrix, i * len(columns) + j
        return totals
