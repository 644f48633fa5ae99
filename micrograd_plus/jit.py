"""A program that runs fast: what a function does to its numbers, written down once and printed in straight lines.

`jit(f)` calls f with symbols, and prints what led to the results, by the templates of the rules: as a Python function
over plain floats, the same over arrays (arrays.py), or as the code of a small machine (interpreter.py). As `grad(f)`
and `hessian(f)` are functions like any other, their programs are had in the same way. What no result depends on is
never reached, and what would be computed twice is computed once.

A branch is what `where` chooses. Over floats the other side is left out: `where(x > 0, sqrt(x), 0.0)` becomes
`sqrt(x) if x > 0.0 else 0.0`, and the gradient through it likewise, so that neither asks for the root of -1.
"""

from __future__ import annotations

import builtins
import gc
from itertools import compress, count
from math import inf, nan

from .functions import KERNELS, number
from .machinery.trees import array as _array
from .machinery.trees import tree_fill, tree_leaves, tree_map
from .symbols import Foreign, Symbol, Trace
from .transforms import _live
from .value import Value, bottom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .functions import Function
    from .printing import Printer

BACKENDS = "python", "numpy", "numba", "jax"
REDUCTIONS = "stack", "sum", "mean"
PROGRAMS = 64  # how many programs a function keeps, one for each structure of its arguments


class jit:
    """`f`, compiled: a function of the same arguments and results, numbers or lists, tuples, dicts and arrays of them.

    It calls f once for each structure of the arguments, to write down a program. Numbers that f takes from elsewhere
    are constants of the program. Where an argument is a Value, as in `grad(jit(f))`, or no number, it calls f itself.
    `source` is the text of the latest program. TypeError, with the line, if f branches on a number or asks for it; else
    it raises what f raises.

    The `backend` is one of

    - "python": a function over floats. A NumPy array is a structure of numbers.
    - "numpy", "numba", "jax": what raises in `math` is nan or infinite here. An array in the place of a number is a
      batch of numbers. Arrays broadcast; one program is for all batches. `reduce` says what becomes of the results, of
      which there is one for each element of the batch: "stack" is an array of them, "sum" and "mean" add them up; or it
      is a structure like that of f's result, or of an outer part of it, `("mean", "sum")` for `value_and_grad`.

    >>> from micrograd_plus import grad
    >>> slopes = jit(grad(lambda w, x: (w * x - 1.0) ** 2, argnums=(0, 1)))
    >>> slopes(2.0, 3.0)
    (30.0, 20.0)
    >>> print(slopes.source)
    def program(w, x):
        t1 = 2.0 * (w * x - 1.0)
        return t1 * x, t1 * w
    """

    def __init__(self, f: Function, backend: str = "python", *, reduce: Any = "stack") -> None:
        if not callable(f):
            raise TypeError(f"jit: expected a function, got {f!r}")
        if backend not in BACKENDS:
            raise ValueError(f"jit: the backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
        for name in _names(reduce):
            if name not in REDUCTIONS:
                raise ValueError(f"jit: reduce must be one of {', '.join(REDUCTIONS)}, or a structure; got {name!r}")
        self.__wrapped__, self.backend, self.reduce = f, backend, reduce
        self._over_floats = backend == "python"
        self.__name__ = getattr(f, "__name__", repr(f))
        self.__doc__ = getattr(f, "__doc__", None)
        self._programs: dict[Any, _Program] = {}
        self._latest: _Program | None = None

    @property
    def source(self) -> str:
        """The text of the latest program; it is what runs."""
        return self._latest.source() if self._latest else f"# {self.__name__} has no program before its first call"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            args = (*args, _Options(kwargs))
        structure = _structure(args, not self._over_floats)
        if structure is None:  # something else than a number is among them
            return self._eager(args)
        program = self._programs.get(structure)
        if program is None:
            while len(self._programs) >= PROGRAMS:
                self._programs.pop(next(iter(self._programs)), None)
            try:
                program = self._latest = self._programs[structure] = self._made(args)
            except Foreign as reason:
                return self._eager(args, reason)
        try:
            result = program.run(*args)
            if program.lost and program.lost(result):  # 0 · ∞ perhaps
                if program.careful is None:
                    program.careful = self._made(args, careful=True)
                result = program.careful.run(*args)
        except (Foreign, ValueError, ArithmeticError) as reason:
            return self._eager(args, reason)
        return program.fill(result) if program.fill else result

    def buffer(self, *args: Any, **kwargs: Any) -> Any:
        """The program for arguments like these over two flat arrays: all that is left of a call is the computation.

        The result `run` has two arrays, `run.inputs`, with the numbers of the arguments in the order of `tree_leaves`,
        and `run.outputs`, which `run()` computes from them. ValueError if the backend is not "numba".

        >>> run = jit(lambda x: [x[0] * x[1], x[0] + x[1]], "numba").buffer([2.0, 3.0])
        >>> run.inputs[:] = [5.0, 7.0]
        >>> run()
        >>> run.outputs.tolist()
        [35.0, 12.0]
        """
        if self.backend != "numba":
            raise ValueError(f'jit: only the backend "numba" has buffers, not {self.backend!r}')
        numbers = tree_leaves([*args, kwargs])
        try:
            run = self._made((*args, _Options(kwargs)) if kwargs else args, careful=True).machine.buffer()
        except Foreign as error:
            raise ValueError(f"jit: there is no program of {self.__name__} for these arguments") from error
        if len(numbers) != len(run.inputs):
            raise ValueError("jit: a buffer is for single numbers, not for arrays of them")
        run.inputs[:] = numbers
        return run

    def __get__(self, owner: Any, kind: Any = None) -> jit:
        if owner is None:
            return self
        name = self.__name__
        raise TypeError(f"jit: {name} is a method; compile that of one object, as in self.{name} = jit(self.{name})")

    def __repr__(self) -> str:
        return f"jit({self.__name__})"

    def __reduce__(self) -> Any:  # a pickle or a copy makes programs of its own
        from functools import partial

        return partial(jit, reduce=self.reduce), (self.__wrapped__, self.backend)

    def _eager(self, args: Any, reason: BaseException | None = None) -> Any:
        if reason and not self._over_floats and any(getattr(x, "shape", ()) for x in _leaves(args)(args)):
            raise ValueError(f"jit: {self.__name__} cannot be run over these arrays: {reason}") from reason
        if args and type(args[-1]) is _Options:
            return self.__wrapped__(*args[:-1], **args[-1])
        return self.__wrapped__(*args)

    def _settled(self, y: Any, trace: Trace) -> Any:
        if isinstance(y, Value) and y.level in _live and y.level:
            raise Foreign("its result is a number of a transform around it")
        y = number(bottom(y), f"the result of {self.__name__}")
        if isinstance(y, Symbol):
            trace.check(y)
        return y

    def _made(self, args: tuple[Any, ...], careful: bool = False) -> _Program:
        from .printing import Printer

        trace = Trace(exact=self._over_floats, careful=careful or self.backend == "jax")
        printer = Printer(over_floats=self._over_floats)
        names = _argument_names(self.__wrapped__, len(args))
        if args and type(args[-1]) is _Options:
            names[-1] = "options"
        names = [printer.name(name) for name in names]
        inputs = [printer.inputs(trace, x, name) for x, name in zip(args, names, strict=True)]
        if args and type(args[-1]) is _Options:
            inputs[-1] = _Options(inputs[-1])
        with_collector = gc.isenabled()
        gc.disable()  # it would visit all symbols again and again, and find none to free
        try:
            try:
                result = tree_map(lambda y: self._settled(y, trace), self._eager(inputs))
            except (ValueError, ArithmeticError, RecursionError) as error:
                raise Foreign(error) from error  # with numbers, f tells more of it, if it raises at all
            except TypeError as error:
                if any(getattr(x, "shape", ()) for x in _leaves(args)(args)):
                    error.add_note(_HINTS[self._over_floats])
                raise
            trace.running = False
            if trace.refused:
                raise trace.refused
            if trace.compared and not trace.careful:
                return self._made(args, careful=True)
            if self._over_floats:
                return _over_floats(self.__name__, trace, printer, names, result)
            return _over_arrays(self.__name__, self.backend, trace, printer, args, result, self.reduce)
        except ModuleNotFoundError as error:
            extra = "jax" if self.backend == "jax" else "fast"
            name = f"jit: the {self.backend} backend needs {error.name}"
            raise ImportError(f"{name}: pip install micrograd-plus[{extra}], in a clone -e .[{extra}]") from error
        finally:
            trace.running = False
            if with_collector:
                gc.enable()


_HINTS = (
    "jit: with this backend an array is a batch of one number; for several numbers, write a list of them.",
    'jit: an array is many numbers here; if it is a batch of one number, write jit(f, backend="numpy").',
)


class _Options(dict):  # type: ignore[type-arg]
    """Keyword arguments, as a last argument."""


class _Program:
    """What runs, its text, and what is to be done with its result.

    `lost` tells whether a number in the result was lost to 0 · ∞ (the `careful` program is then to be run), and `fill`
    makes of a list of results the structure that is expected.
    """

    __slots__ = ("careful", "fill", "lost", "machine", "run", "source")

    def __init__(self, run: Function, source: Callable[[], str], lost: Function | None, fill: Function | None) -> None:
        self.run, self.source, self.lost, self.fill = run, source, lost, fill
        self.careful: _Program | None = None
        self.machine: Any = None


def _structure(x: Any, batches: bool) -> Any:
    """What two arguments have in common if the same program is for both; None if there is no program for such."""
    kind = type(x)
    if kind in (float, int):
        return kind
    if kind in (list, tuple):
        kinds = set(map(type, x))
        if kinds <= {float, int}:
            return kind, len(x), int in kinds  # not which of them: one program is for all
        parts = [_structure(part, batches) for part in x]
        return None if None in parts else (kind, *parts)
    if kind in (dict, _Options):
        parts = [_structure(part, batches) for part in x.values()]
        return None if None in parts else (kind, *x, *parts)
    if getattr(getattr(x, "dtype", None), "kind", "") in "fiub" and hasattr(x, "tolist"):
        return ("batch" if x.shape else float) if batches else (kind, x.shape)
    return None


def _argument_names(f: Function, n: int) -> list[str]:
    import inspect

    try:
        kinds = inspect.signature(f).parameters.values()
        names = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        names = []
    return [names[i] if i < len(names) else f"x{i}" for i in range(n)]


# Programs -------------------------------------------------------------------------------------------------------------


def _over_floats(name: str, trace: Trace, printer: Printer, names: list[str], result: Any) -> _Program:
    fill = None
    if not _is_plain(result):
        fill = _fill(result)
        result = tree_leaves(result)
    texts = printer.program(names, result)
    trace.symbols.clear()  # they refer to each other, and take more room than what follows
    namespace = dict(KERNELS, abs=builtins.abs, inf=inf, nan=nan, array=_array)
    program = _compiled(texts, name, namespace)
    return _Program(program, lambda: "\n\n".join(texts), _lost(result) if trace.plain else None, fill)


def _over_arrays(
    name: str, backend: str, trace: Trace, printer: Printer, args: Any, result: Any, reduce: Any
) -> _Program:
    outputs, reductions, leaves = tree_leaves(result), _reductions(reduce, result), _leaves(args)
    machine: Any
    if backend == "numba":
        from .interpreter import compiled
        from .printing import in_order

        symbols = in_order([y for y in outputs if isinstance(y, Symbol)])
        machine = compiled(symbols, printer.leaves, outputs, reductions)
        source = lambda: machine.source  # noqa: E731
    else:
        from . import arrays
        from .matrices import Matrices

        batches = [bool(getattr(x, "shape", ())) for x in leaves(args)]
        plan = Matrices(outputs, reductions, compress(printer.leaves, batches), printer.name("count"))
        arguments = printer.leaves if plan.count is None else [*printer.leaves, plan.count]
        texts = printer.program([str(x.operands[0]) for x in arguments], plan.results)
        made = arrays.numpy_program if backend == "numpy" else arrays.jax_program
        machine = made(lambda namespace: _compiled(texts, name, namespace), batches, plan)
        plan.trace.symbols.clear()
        source = lambda: "\n\n".join(texts)  # noqa: E731
    trace.symbols.clear()
    program = _Program(lambda *args: machine(leaves(args)), source, _has_nan if trace.plain else None, _fill(result))
    program.machine = machine
    return program


def _compiled(texts: list[str], name: str, namespace: dict[str, Any]) -> Any:
    for text in texts:
        exec(compile(text, f"<jit of {name}>", "exec"), namespace)
    return namespace["program"]


def _lost(result: Any) -> Any:
    """A function that tells whether there is a nan in a result of this structure."""
    total = " + ".join(_sums(result, "y")) or "0.0"
    return eval(f"lambda y: not {total} <= inf", {"inf": inf})


def _sums(x: Any, text: str) -> list[str]:
    if isinstance(x, dict):
        return [term for key, item in x.items() for term in _sums(item, f"{text}[{key!r}]")]
    if isinstance(x, list | tuple):
        if not any(isinstance(item, dict | list | tuple) or hasattr(item, "shape") for item in x):
            return [f"sum({text})"]
        return [term for i, item in enumerate(x) for term in _sums(item, f"{text}[{i}]")]
    return [f"{text}.sum()" if hasattr(x, "shape") and x.shape != () else text]


def _has_nan(results: list[Any]) -> bool:
    import numpy

    with numpy.errstate(all="ignore"):  # ∞ - ∞
        total = sum(results)
        return not (total if type(total) is float else float(total.sum())) <= inf


# Structures -----------------------------------------------------------------------------------------------------------


def _names(reduce: Any) -> Iterator[Any]:
    if isinstance(reduce, list | tuple | dict):
        for part in reduce.values() if isinstance(reduce, dict) else reduce:
            yield from _names(part)
    else:
        yield reduce


def _reductions(reduce: Any, result: Any) -> list[str]:
    """What is to become of each number of the result."""
    if isinstance(reduce, str):
        return [reduce] * len(tree_leaves(result))
    found: list[str] = []
    try:
        if isinstance(result, dict):
            parts = [(reduce[key], part) for key, part in result.items()]
        else:
            parts = list(zip(reduce, result, strict=True))
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"jit: reduce is not of the structure of the result: {reduce!r}") from None
    for how, part in parts:
        found += _reductions(how, part)
    return found


def _is_leaf(x: Any) -> bool:
    return not isinstance(x, dict | list | tuple)


def _leaves(args: Any) -> Any:
    """The function that takes arguments of this structure apart, into a list of numbers and arrays."""
    return eval(f"lambda y: [{', '.join(_parts(args, 'y'))}]")


def _parts(x: Any, text: str) -> list[str]:
    if _is_leaf(x):
        return [text]
    items = list(x.values() if isinstance(x, dict) else x)
    if isinstance(x, dict):
        text = f"[*{text}.values()]"
    if items and all(map(_is_leaf, items)):
        return [f"*{text}"]
    return [part for i, item in enumerate(items) for part in _parts(item, f"{text}[{i}]")]


def _is_plain(x: Any, depth: int = 50) -> bool:
    """Whether Python can write a structure down."""
    if isinstance(x, dict) and not all(type(key) in (str, int, float, bool) for key in x):
        return False
    items = x.values() if isinstance(x, dict) else x if isinstance(x, list | tuple) else ()
    return depth > 0 and all(_is_plain(item, depth - 1) for item in items)


def _fill(result: Any) -> Any:
    """The function from a list of results to the structure of this one."""
    if _is_plain(result):
        return eval(f"lambda y: {_shaped(result, count())}", {"array": _array})
    structure = tree_map(lambda _: 0.0, result)
    return lambda leaves: tree_fill(structure, leaves)


def _shaped(x: Any, places: Iterator[int]) -> str:
    if hasattr(x, "shape") and x.shape != ():
        return f"array({x.shape}, [{', '.join([f'y[{next(places)}]' for _ in range(x.size)])}])"
    if _is_leaf(x):
        return f"y[{next(places)}]"
    if isinstance(x, dict):
        return f"{{{', '.join([f'{key!r}: {_shaped(item, places)}' for key, item in x.items()])}}}"
    if x and all(map(_is_leaf, x)) and not any(hasattr(item, "shape") for item in x):
        numbers = [next(places) for _ in x]
        text = f"y[{numbers[0]}:{numbers[-1] + 1}]"
        return text if isinstance(x, list) else f"({text.join(['*', ','])})"
    parts = ", ".join([_shaped(item, places) for item in x])
    return f"[{parts}]" if isinstance(x, list) else f"({parts}{',' * (len(x) == 1)})"
