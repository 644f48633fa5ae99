"""jit: a function is called with symbols, once for each structure of its arguments, and then its program runs."""

from __future__ import annotations

import gc
import sys
import warnings
from _thread import allocate_lock
from importlib import import_module
from itertools import count
from math import prod

from ..batch import mapped_arguments, of_one_length, reduced
from ..functions import is_real, number, real
from ..transforms import _array, _live, _running, tree_leaves, tree_map
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
    """`f`, compiled: a function of the same arguments and results, numbers or lists, tuples, dicts and arrays of them.

    It calls f once for each structure of the arguments, to write down a program; the arguments of the numbers
    `static_argnums` are no numbers to it, but a part of the structure, as a loop count is. Numbers that f takes from
    elsewhere are constants of the program. Where an argument is a Value, or while a transform runs, it calls f itself;
    where f has no program, too, with a warning. `source` is the text of the latest program, `reason` says why the
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
    if f is None:
        return lambda f: Compiled(f, backend, static_argnums)
    return Compiled(f, backend, static_argnums)


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
        self._programs: dict[Any, Any] = {}
        self._latest: Any = None
        self._lock = allocate_lock()
        self._warned = False
        self._vmap: Any = getattr(f, "vmap", None)

    @property
    def source(self) -> str:
        """The text of the latest program; it is what runs."""
        return self._latest.source if self._latest else f"# {self.__name__} has no program before its first call"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _running.depth:  # what it would be recorded by is around it
            return self.__wrapped__(*args, **kwargs)
        try:
            key, leaves = self._door(args, kwargs)
        except _NoProgram as reason:
            return self._itself(args, kwargs, str(reason), quiet=reason.quiet)
        program = self._programs.get(key) or self._new(key, leaves, args, kwargs)
        if len(self._programs) > 1:
            with self._lock:  # the least recently used program is the first to go
                self._programs[key] = self._programs.pop(key, program)
        if isinstance(program, _NoProgram):
            return self._itself(args, kwargs, str(program), quiet=False)
        self.reason = ""
        try:
            return program(leaves)
        except (ValueError, ArithmeticError):
            return self.__wrapped__(*args, **kwargs)  # which raises the same, or tells 0 · ∞ = 0

    def _itself(self, args: Any, kwargs: Any, reason: str, *, quiet: bool) -> Any:
        self.reason = reason
        result = self.__wrapped__(*args, **kwargs)
        if not quiet and not self._warned:
            self._warned = True
            warnings.warn(f"jit: {self.__name__} is not compiled: {reason}", RuntimeWarning, stacklevel=3)
        return result

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
        if self.backend != "llvm":
            raise ValueError(f'jit: only the backend "llvm" has buffers, not {self.backend!r}')
        try:
            key, leaves = self._door(args, kwargs)
            program = self._programs.get(key) or self._new(key, leaves, args, kwargs)
        except _NoProgram as reason:
            program = reason
        if not hasattr(program, "buffer"):
            raise ValueError(f"jit: {self.__name__} has no program over flat arrays for these arguments: {program}")
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

    def _door(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
        """What these arguments have in common with all others of the same program; and the numbers in them."""
        key: list[Any] = []
        leaves: list[Any] = []
        static = self._static(args)
        if self._vmap:
            args = self._mapped(args)
        for i, x in enumerate(args):
            if i in static:
                try:
                    hash(x)
                except TypeError:
                    raise TypeError(f"jit: argument {i} of {self.__name__} is static, and not hashable: {x!r}") from None
                key += (_Static, type(x), x)
            else:
                _flatten(x, key, leaves)
        if kwargs:
            key.append(_Static)
            _flatten(dict(sorted(kwargs.items())), key, leaves)
        return tuple(key), leaves

    def _static(self, args: tuple[Any, ...]) -> set[int]:
        return {i % len(args) for i in self.static_argnums if -len(args) <= i < len(args)}

    # Programs ----------------------------------------------------------------------------------------------------------

    def _new(self, key: Any, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with_collector = gc.isenabled()
        gc.disable()  # it would visit all symbols again and again, and find none to free
        try:
            program = self._made(leaves, args, kwargs)
            self._latest = program
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

    def _made(self, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        printer = import_module(f"{__package__}.{self.backend}")
        names = _argument_names(self.__wrapped__, len(args))
        trace, static = Trace(exact=self.backend == "python"), self._static(args)
        inputs: list[Symbol] = []
        args = tuple(self._mapped(args)) if self._vmap else args
        symbols = [x if i in static else _inputs(trace, x, names[i], inputs) for i, x in enumerate(args)]
        options = {name: _inputs(trace, kwargs[name], name, inputs) for name in sorted(kwargs)}
        result = record(trace, self._vmap[0] if self._vmap else self.__wrapped__, symbols, options)
        changed = [x for i, x in enumerate(symbols) if i not in static]
        after = tree_leaves([*changed, options])
        if len(after) != len(inputs) or any(x is not y for x, y in zip(after, inputs, strict=True)):
            raise TypeError(f"jit: {self.__name__} changes its arguments, which a program does not: return what is new")
        if not self._vmap:
            return printer.Program(inputs, result, self.__name__)
        outputs, reduce = tree_leaves(result), list[str]()
        reduced(result, self._vmap[2], lambda y, how: reduce.extend([how] * len(tree_leaves(y))))
        sizes = [0 if type(x) is float else prod(x.shape[1:]) for x in leaves]
        mapped = [size > 0 for size in sizes for _ in range(max(size, 1))]
        return _OverBatch(printer.Batched(inputs, outputs, mapped, reduce), filler(result, _samples_first))

    def _mapped(self, args: tuple[Any, ...]) -> list[Any]:
        """The arguments of a vmap, those that are mapped over marked."""
        f, in_axes, _ = self._vmap
        lengths = set()

        def mark(x: Any, _: str) -> _Samples:
            lengths.add(len(x))
            return _Samples(x)

        marked = mapped_arguments(f, in_axes, args, mark)
        of_one_length(lengths)
        return marked


class _Samples:
    """An array that is mapped over."""

    def __init__(self, array: Any) -> None:
        if array.dtype.kind not in "fiub":
            for x in array.ravel().tolist():
                _leaf(x)
        self.array = array if array.dtype.kind == "f" else array.astype(float)


class _OverBatch:
    """The program of a vmap."""

    def __init__(self, run: Any, fill: Function) -> None:
        self.run, self.fill, self.source = run, fill, run.source

    def __call__(self, leaves: list[Any]) -> Any:
        return self.fill(self.run(leaves, next(len(x) for x in leaves if type(x) is not float)))


def _samples_first(shape: tuple[int, ...], items: list[Any]) -> Any:
    """An array of results as `_array` makes it, but with the axis of the samples, if there is one, in front."""
    array = _array(shape, items)
    return array if array.shape == shape else array.transpose(-1, *range(len(shape)))


class _Static:
    """What begins a part of a key that is no structure."""


class _NoProgram(Exception):
    """There is no program for a call; `quiet` if that is as it should be, as for Values."""

    def __init__(self, reason: str, *, quiet: bool = False) -> None:
        super().__init__(reason)
        self.quiet = quiet


def record(trace: Trace, f: Function, args: Any, kwargs: Any) -> Any:
    """The result of `f` for these arguments, with symbols and floats in it; the trace is then done."""
    name = f"the result of {getattr(f, '__name__', repr(f))}"

    def settled(y: Any) -> Any:
        while isinstance(y, Value) and y.level not in _live:
            y = y.data
        return trace.number(number(y, name), name)

    _running.depth, _running.recording = _running.depth + 1, True
    try:
        result = tree_map(settled, f(*args, **kwargs))
    finally:
        _running.depth, _running.recording = _running.depth - 1, False
        trace.running = False
    if trace.refused:
        raise trace.refused
    return result


def _flatten(x: Any, key: list[Any], leaves: list[float]) -> None:
    """Add to `key` what the structure is, and to `leaves` the numbers in it."""
    kind = type(x)
    if kind is list or kind is tuple:
        key += (kind, len(x))
        kinds = set(map(type, x))
        if any(map(_is_tree, kinds)):
            for item in x:
                _flatten(item, key, leaves)
        else:
            leaves += x if kinds == {float} else map(_leaf, x)
    elif kind is dict:
        key += (kind, len(x))
        for name, item in x.items():
            key += (type(name), name)
            _flatten(item, key, leaves)
    elif _is_tree(kind) and x.shape != ():
        key += (kind, x.shape)
        leaves += x.ravel().tolist() if x.dtype == float else map(_leaf, x.ravel().tolist())
    elif kind is _Samples:
        key += (kind, x.array.shape[1:])
        leaves.append(x.array)
    else:
        key.append(0)
        leaves.append(x if kind is float else _leaf(x))


def _leaf(x: Any) -> float:
    """A number as a float; no program, if it is a Value or the like, or no number at all."""
    if hasattr(x, "operate"):
        raise _NoProgram(f"{x!r} is among its arguments", quiet=True)
    if not is_real(x):
        raise _NoProgram(f"{x!r} is no real number; if it never changes, name its argument in static_argnums")
    return real(x, "jit")


def _is_tree(kind: type) -> bool:
    """Whether what is of this kind may be a structure of numbers."""
    return kind in (list, tuple, dict) or (hasattr(kind, "tolist") and hasattr(kind, "__len__"))


def _inputs(trace: Trace, x: Any, name: str, inputs: list[Symbol]) -> Any:
    """The structure of an argument, with symbols in it, which are named by their place, and added to `inputs`."""
    if isinstance(x, dict):
        return {key: _inputs(trace, item, f"{name}_{key}", inputs) for key, item in x.items()}
    if isinstance(x, list | tuple):
        stem = f"{name}{'_' * name[-1:].isdigit()}"
        return type(x)([_inputs(trace, item, f"{stem}{i}", inputs) for i, item in enumerate(x)])
    shape = x.array.shape[1:] if type(x) is _Samples else getattr(x, "shape", ())
    if shape:
        import numpy

        array = numpy.empty(prod(shape), dtype=object)
        array[:] = _inputs(trace, [0.0] * prod(shape), name, inputs)
        return array.reshape(shape)
    inputs.append(trace.input(name))
    return inputs[-1]


def _argument_names(f: Function, n: int) -> list[str]:
    import inspect

    try:
        kinds = inspect.signature(f).parameters.values()
        names = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        names = []
    return [names[i] if i < len(names) else f"x{i}" for i in range(n)]


def filler(tree: Any, array: Function = _array) -> Function:
    """The function from a sequence of as many numbers to the structure of `tree`.

    >>> filler({"w": [0.0, 0.0], "b": (0.0,)})([1.0, 2.0, 3.0])
    {'w': [1.0, 2.0], 'b': (3.0,)}
    """
    keys: list[Any] = []
    text = _fill_text(tree, keys, count())
    return eval(f"lambda y: {text}", {"keys": keys, "array": array})


def _fill_text(x: Any, keys: list[Any], places: Iterator[int]) -> str:
    if isinstance(x, dict):
        texts = []
        for key, item in x.items():
            keys.append(key)
            texts.append(f"keys[{len(keys) - 1}]: {_fill_text(item, keys, places)}")
        return f"{{{', '.join(texts)}}}"
    if isinstance(x, list | tuple):
        if x and not any(map(_is_tree, map(type, x))):
            numbers = [next(places) for _ in x]
            text = f"*y[{numbers[0]}:{numbers[-1] + 1}]"
        else:
            text = ", ".join([_fill_text(item, keys, places) for item in x])
        return f"[{text}]" if isinstance(x, list) else f"({text}{',' * bool(x)})"
    if _is_tree(type(x)) and x.shape != ():
        return f"array({x.shape}, [{', '.join([f'y[{next(places)}]' for _ in range(x.size)])}])"
    return f"y[{next(places)}]"
