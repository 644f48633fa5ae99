"""jit: a function is called with symbols, once for each structure of its arguments, and then its program runs."""

from __future__ import annotations

import gc
import sys
from _thread import allocate_lock
from itertools import count, islice
from math import inf, nan, prod

from ..batch import mapped_arguments, of_one_length, reduced
from ..functions import is_real, number, real
from ..machinery.running import running
from ..machinery.trees import ARRAY, NODES, NUMBER, Static, _node_of, array, tree_flatten, tree_leaves, tree_unflatten
from ..transforms import _live
from ..value import Value
from .trace import Symbol, Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..functions import Function

BACKENDS = {"python": "", "llvm": "fast", "jax": "jax"}  # by name, the extra that brings what it needs
PROGRAMS = 64  # how many programs a function keeps, one for each structure of its arguments


def jit(f: Function | None = None, backend: str = "python", *, static_argnums: int | tuple[int, ...] = ()) -> Any:
    """`f`, compiled: a function of the same arguments and results, trees of numbers as those of the transforms.

    It calls f once for each structure of the arguments, to write down a program; the arguments of the numbers
    `static_argnums` are no numbers to it, but a part of the structure, as a loop count is. Numbers that f takes from
    elsewhere are constants of the program. Where an argument is a Value it calls f itself; so it does, with a warning,
    inside of a transform, and where f has no program. `source` is the text of the latest program, `reason` says why the
    latest call had none. As a decorator it is `@jit` or `@jit(backend="llvm")`.

    The `backend` is "python", straight lines of floats; "llvm", machine code by llvmlite; or "jax", the same program
    under jax.jit. In the latter two, what raises in `math` is nan or infinite. An array is a structure of numbers; a
    function over a batch is `jit(vmap(f), "llvm")`.

    TypeError, with the line, if f branches on a number or asks for it, meets a Value that is no argument, or changes
    its arguments; ValueError if there is no such backend. Else it raises what f raises.

    >>> from micrograd_plus import grad
    >>> slopes = jit(grad(lambda w, x: (w * x - 1.0) ** 2, argnums=(0, 1)))
    >>> slopes(2.0, 3.0)
    (30.0, 20.0)
    >>> print(slopes.source)
    def program(w, x):
        t1 = 2.0 * (w * x - 1.0)
        return t1 * x, t1 * w
    """
    return Compiled(f, backend, static_argnums) if f is not None else lambda f: Compiled(f, backend, static_argnums)


class Compiled:
    """What `jit` returns: a function with its programs."""

    def __init__(self, f: Function, backend: str, static_argnums: int | tuple[int, ...]) -> None:
        if not callable(f):
            raise TypeError(f"jit: expected a function, got {f!r}")
        if backend in ("numpy", "numba"):
            raise ValueError(f'jit: there is no backend {backend!r}; "llvm" is fast, and vmap(f) is f over a batch')
        if backend not in BACKENDS:
            raise ValueError(f"jit: the backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
        static = static_argnums if isinstance(static_argnums, tuple) else (static_argnums,)
        if not all(type(i) is int for i in static):
            raise TypeError(f"jit: static_argnums must be a number or a tuple of numbers, got {static_argnums!r}")
        self.__wrapped__, self.backend, self.static_argnums = f, backend, static
        self.__name__ = getattr(f, "__name__", repr(f))
        self.__qualname__ = getattr(f, "__qualname__", self.__name__)
        self.__module__ = getattr(f, "__module__", __name__)
        self.__doc__ = getattr(f, "__doc__", None)
        self.reason = ""
        self._vmap: Any = getattr(f, "vmap", None)
        self._programs: dict[Any, Any] = {}
        self._quick: tuple[Function, Any] = (lambda args: None), None  # what the call before has gone through
        self._latest: Any = None
        self._lock, self._warned = allocate_lock(), False

    @property
    def source(self) -> str:
        """The text of the latest program; it is what runs."""
        return self._latest.source if self._latest else f"# {self.__name__} has no program before its first call"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if running.depth:  # what it would be recorded by is around it
            if not (running.recording or running.mapping):
                self._tell("inside of a transform it runs as Values; jit(grad(f)) is compiled, grad(jit(f)) is not")
            return self.__wrapped__(*args, **kwargs)
        take, program = self._quick
        if not kwargs and (leaves := take(args)) is not None:
            try:
                result, self.reason = program(leaves), ""
                return result
            except Exception:  # whatever it is, below it is told
                pass
        try:
            program, leaves = self._program(args, kwargs)
        except _NoProgram as reason:
            result = self.__wrapped__(*args, **kwargs)
            self._tell(str(reason), reason.quiet)
            return result
        self.reason = ""
        try:
            return program(leaves)
        except (ValueError, ArithmeticError):
            return self.__wrapped__(*args, **kwargs)  # which raises the same, or tells 0 · ∞ = 0

    def _tell(self, reason: str, quiet: bool = False) -> None:
        """Keep why this call has no program; the first one is told, if it is not as it should be."""
        self.reason = reason
        if not quiet and not self._warned:
            import warnings

            self._warned = True
            warnings.warn(f"jit: {self.__name__} is not compiled: {reason}", RuntimeWarning, stacklevel=3)

    def buffer(self, *args: Any, **kwargs: Any) -> Any:
        """The program for arguments like these over two flat arrays: all that is left of a call is the computation.

        The result `run` has two arrays, `run.inputs`, with the numbers of the arguments in the order of `tree_leaves`,
        and `run.outputs`, which `run()` computes from them. ValueError if the backend is not "llvm", or there is no
        program.

        >>> run = jit(lambda x: [x[0] * x[1], x[0] + x[1]], "llvm").buffer([2.0, 3.0])
        >>> run.inputs[:] = [5.0, 7.0]
        >>> run()
        >>> run.outputs.tolist()
        [35.0, 12.0]
        """
        if self.backend != "llvm" or self._vmap:
            raise ValueError('jit: only the backend "llvm" has buffers, and not over a batch')
        try:
            program, leaves = self._program(args, kwargs)
        except _NoProgram as reason:
            raise ValueError(f"jit: {self.__name__} has no program for these arguments: {reason}") from None
        return program.buffer(leaves)

    def __get__(self, owner: Any, kind: Any = None) -> Compiled:
        if owner is None:
            return self
        name = self.__name__
        raise TypeError(f"jit: {name} is a method; compile that of one object, as in self.{name} = jit(self.{name})")

    def __repr__(self) -> str:
        return f"jit({self.__name__})"

    def __reduce__(self) -> Any:
        found: Any = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is self:  # a function that is decorated is pickled by its name, as any function
            return self.__qualname__
        return Compiled, (self.__wrapped__, self.backend, self.static_argnums)  # and makes programs of its own

    # The door: arguments become a key and numbers ------------------------------------------------------------------

    def _program(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The program for these arguments, and the numbers in them, or arrays that are mapped over."""
        static = {i % len(args) for i in self.static_argnums if -len(args) <= i < len(args)}
        if static:
            args = tuple([_Fixed(x) if i in static else x for i, x in enumerate(args)])
        if self._vmap:
            args = self._mapped(args)
        leaves, structure = tree_flatten((args, dict(sorted(kwargs.items()))) if kwargs else (args,))
        if not {float}.issuperset(map(type, leaves)):
            leaves = [x if type(x) is float else _leaf(x) for x in leaves]
        key = _key(structure)
        if self._vmap:
            key = key, *[x.shape[1:] for x in leaves if type(x) is not float]
        program = self._programs.get(key)
        if program is None:
            program = self._new(key, leaves, structure)
        if len(self._programs) > 1:
            with self._lock:  # the least recently used program is the first to go
                self._programs[key] = self._programs.pop(key, program)
        if type(program) is _NoProgram:
            raise program
        if program is not self._quick[1]:
            self._quick = _taker(structure), program
        return program, leaves

    def _mapped(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        lengths = set()

        def samples(x: Any, _: str) -> _Samples:
            lengths.add(len(x))
            return _Samples(x)

        marked = mapped_arguments(self._vmap[0], self._vmap[1], args, samples)
        of_one_length(lengths)
        return tuple(marked)

    # Programs ---------------------------------------------------------------------------------------------------------

    def _new(self, key: Any, leaves: list[Any], structure: Any) -> Any:
        with_collector = gc.isenabled()
        gc.disable()  # it would visit all symbols again and again, and find none to free
        program: Any
        try:
            program = self._latest = self._made(leaves, structure)
        except (ValueError, ArithmeticError, RecursionError) as error:
            program = _NoProgram(f"while it was recorded, {type(error).__name__}: {error}")
        except ModuleNotFoundError as error:
            extra = BACKENDS[self.backend]
            name = f"jit: the {self.backend} backend needs {error.name}"
            raise ImportError(f"{name}: pip install micrograd-plus[{extra}], in a clone -e .[{extra}]") from error
        finally:
            if with_collector:
                gc.enable()
        with self._lock:
            while len(self._programs) >= PROGRAMS:
                self._programs.pop(next(iter(self._programs)))
            self._programs[key] = program
        return program

    def _made(self, leaves: list[Any], structure: Any) -> Any:
        from importlib import import_module

        printer = import_module(f"{__package__}.{self.backend}")
        trace = Trace(exact=self.backend == "python")
        inputs: list[Symbol] = []
        symbols = []
        for x, name in zip(leaves, _names(self.__wrapped__, structure), strict=True):
            if type(x) is float:
                inputs.append(trace.input(name))
                symbols.append(inputs[-1])
            else:
                new = [trace.input(f"{name}{i}" if x.shape[1:] else name) for i in range(prod(x.shape[1:]))]
                inputs += new
                symbols.append(array(x.shape[1:], new) if x.shape[1:] else new[0])
        given, *options = tree_unflatten(structure, symbols)
        args = [x.it if type(x) is _Fixed else x for x in given]
        outputs, result = record(trace, self._vmap[0] if self._vmap else self.__wrapped__, args, *options)
        after = tree_leaves([*given, *options])
        if len(after) != len(inputs) or any(x is not y for x, y in zip(after, inputs, strict=True)):
            raise TypeError(f"jit: {self.__name__} changes its arguments, which a program does not: return what is new")
        if not self._vmap:
            return printer.Program(inputs, outputs, result, self.__name__)
        reduce: list[str] = []
        tree = tree_unflatten(result, outputs)
        reduced(tree, self._vmap[2], lambda y, how: reduce.extend([how] * len(tree_leaves(y))))
        mapped = [type(x) is not float for x in leaves for _ in range(1 if type(x) is float else prod(x.shape[1:]))]
        return _OverBatch(printer.Batched(inputs, outputs, mapped, reduce), filler(result, _samples_first))


class _OverBatch:
    """The program of a vmap."""

    def __init__(self, run: Any, fill: Function) -> None:
        self.run, self.fill, self.source = run, fill, run.source

    def __call__(self, leaves: list[Any]) -> Any:
        return self.fill(self.run(leaves, next(len(x) for x in leaves if type(x) is not float)))


class _NoProgram(Exception):
    """There is no program for a call; `quiet` if that is as it should be, as for Values."""

    def __init__(self, reason: str, *, quiet: bool = False) -> None:
        super().__init__(reason)
        self.quiet = quiet


class _Samples:
    """An array that is mapped over; a leaf of its tree, as all that has `operate`."""

    operate = None

    def __init__(self, array: Any) -> None:
        if array.dtype.kind not in "fiub":
            for x in array.ravel().tolist():
                _leaf(x)
        self.array = array if array.dtype.kind == "f" else array.astype(float)


class _Fixed:
    """A static argument, whatever it is."""

    def __init__(self, it: Any) -> None:
        self.it = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Fixed) and type(self.it) is type(other.it) and bool(self.it == other.it)

    def __hash__(self) -> int:
        return hash(self.it)


def record(trace: Trace, f: Function, args: Any, kwargs: Any = None) -> tuple[list[Any], Any]:
    """The numbers in the result of `f`, symbols and floats, and its structure; the trace is then done."""
    name = f"the result of {getattr(f, '__name__', repr(f))}"
    running.depth, running.recording = running.depth + 1, True
    outputs = []
    try:
        leaves, structure = tree_flatten(f(*args, **(kwargs or {})), name)
        for y in leaves:
            while isinstance(y, Value) and y.level not in _live:
                y = y.data
            outputs.append(trace.number(number(y, name), name))
    finally:
        running.depth, running.recording = running.depth - 1, False
        trace.close()
    if trace.refused:
        raise trace.refused
    return outputs, structure


def _leaf(x: Any) -> Any:
    """A number as a float; no program, if it is a Value or the like, or complex."""
    if type(x) is _Samples:
        return x.array
    if hasattr(x, "operate"):
        raise _NoProgram(f"{x!r} is among its arguments", quiet=True)
    if not is_real(x):
        raise _NoProgram(f"{x!r} is complex", quiet=True)
    return real(x, "jit")


def _key(structure: Any) -> Any:
    """What is the same for two structures if the same program is for both."""
    if structure is NUMBER:
        return 0
    if type(structure) is Static:
        try:
            hash(structure.it)
        except TypeError:
            raise _NoProgram(f"{structure.it!r} is no number, and has no hash by which to know it again") from None
        return type(structure.it), structure.it
    kind, rest, parts = structure
    if isinstance(rest, list):  # of a dict: 1, True and 1.0 are different
        rest = tuple([(type(key), key) for key in rest])
    elif hasattr(rest, "__dataclass_fields__"):
        rest = None
    return kind, rest, parts if type(parts) is int else tuple(map(_key, parts))


def _taker(structure: Any) -> Function:
    """As `tree_flatten` for arguments of this structure, lists, tuples and numbers, but fast; None for all others."""
    checks: list[str] = []

    def parts(structure: Any, text: str) -> str:
        if structure is NUMBER:
            return text
        kind, _, items = structure if type(structure) is tuple else (None, None, 0)
        if kind is not list and kind is not tuple:
            checks.append("False")
            return ""
        n = items if type(items) is int else len(items)
        checks.append(f"type({text}) is {kind.__name__} and len({text}) == {n}")
        if type(items) is int:
            return f"*{text}"
        return ", ".join([parts(item, f"{text}[{i}]") for i, item in enumerate(items)])

    items = structure[2] if type(structure[2]) is list else [NUMBER]
    taken = parts(items[0], "args")
    if len(items) > 1 or "False" in checks:
        return lambda args: None
    return eval(f"lambda args: [{taken}] if {' and '.join(checks)} else None")  # type: ignore[no-any-return]


# Names, and results ---------------------------------------------------------------------------------------------------


def _names(f: Function, structure: Any) -> list[str]:
    """A name for each number of the arguments of `f`: that of the argument, and the place in it."""
    import inspect

    try:
        kinds = inspect.signature(f).parameters.values()
        names = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        names = []
    _, _, (arguments, *options) = (*structure[:2], structure[2]) if type(structure[2]) is list else (0, 0, [structure])
    parts = arguments[2] if type(arguments[2]) is list else [NUMBER] * arguments[2]
    found: list[str] = []
    for i, part in enumerate(parts):
        _name_parts(part, names[i] if i < len(names) else f"x{i}", found)
    for option in options:
        for name, part in zip(option[1], option[2] if type(option[2]) is list else [NUMBER] * option[2], strict=True):
            _name_parts(part, name, found)
    return found


def _name_parts(structure: Any, name: str, found: list[str]) -> None:
    if structure is NUMBER:
        found.append(name)
    elif type(structure) is not Static:
        _, rest, parts = structure
        parts = parts if type(parts) is list else [NUMBER] * parts
        stem = "_" * name[-1:].isdigit()
        keys = [f"_{key}" for key in rest] if isinstance(rest, list) else [f"{stem}{i}" for i in range(len(parts))]
        for key, part in zip(keys, parts, strict=True):
            _name_parts(part, f"{name}{key}", found)


def filler(structure: Any, array: Function = array, texts: Iterator[str] | None = None) -> Function:
    """The function from a sequence `y` of numbers to the tree of that structure: `tree_unflatten`, but fast.

    Its numbers are those of y in their order, or what `texts` say.

    >>> filler(tree_flatten({"w": [0.0, 0.0], "b": (0.0,)})[1])([1.0, 2.0, 3.0])
    {'w': [1.0, 2.0], 'b': (3.0,)}
    """
    words: dict[str, Any] = {"inf": inf, "nan": nan}
    text = _filling(structure, words, texts or (f"y[{i}]" for i in count()), array)
    return eval(f"lambda y: {text}", words)  # type: ignore[no-any-return]


def _filling(structure: Any, words: dict[str, Any], texts: Iterator[str], array: Function) -> str:
    def word(x: Any) -> str:
        words[f"w{len(words)}"] = x
        return f"w{len(words) - 1}"

    if structure is NUMBER:
        return next(texts)
    if type(structure) is Static:
        return word(structure.it)
    kind, rest, parts = structure
    if type(parts) is int:
        numbers = [*islice(texts, parts)]
        start = int(numbers[0][2:-1]) if parts and numbers[0].startswith("y[") else 0
        are_in_order = parts > 0 and numbers == [f"y[{i}]" for i in range(start, start + parts)]
        text = f"*y[{start}:{start + parts}]" if are_in_order else ", ".join(numbers)
    else:
        text = ", ".join([_filling(part, words, texts, array) for part in parts])
    if kind is list:
        return f"[{text}]"
    if kind is tuple:
        return f"({text}{',' * bool(text)})"
    build = array if kind is ARRAY else (NODES.get(kind) or _node_of(kind))[1]
    return f"{word(build)}({word(rest)}, [{text}])"


def _samples_first(shape: tuple[int, ...], items: list[Any]) -> Any:
    """An array of results; but the axis of the samples, if there is one, comes first."""
    made = array(shape, items)
    return made if made.shape == shape else made.transpose(-1, *range(len(shape)))
