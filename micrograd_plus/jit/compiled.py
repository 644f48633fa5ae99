"""jit: a function is called with symbols, once for each structure of its arguments, and then its program runs."""

from __future__ import annotations

import gc
import sys
from _thread import allocate_lock

from ..batch import batched, reduced
from ..functions import is_real, number, real
from ..machinery import structures
from ..machinery.running import running
from ..machinery.trees import array, tree_flatten, tree_leaves, tree_unflatten
from ..transforms import settle
from .trace import Trace, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
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
        self._latest: tuple[Any, Any] = None, None  # what arguments the program takes that ran last, and that program
        self._lock, self._warned = allocate_lock(), False

    @property
    def source(self) -> str:
        """The text of the latest program; it is what runs."""
        program = self._latest[1]
        return program.source if program else f"# {self.__name__} has no program before its first call"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if running.depth:  # what it would be recorded by is around it
            if not (running.recording or running.mapping):
                self._tell("inside of a transform it runs as Values; jit(grad(f)) is compiled, grad(jit(f)) is not")
            return self.__wrapped__(*args, **kwargs)
        shapes, program = self._latest
        if shapes and not kwargs and (leaves := structures.taken(args, shapes)) is not None:
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
        static = {i % len(args): args[i] for i in self.static_argnums if -len(args) <= i < len(args)}
        args = tuple([None if i in static else x for i, x in enumerate(args)])
        if self._vmap:
            args = tuple(batched(self._vmap[0], self._vmap[1], args, _Column)[0])
        leaves, structure = tree_flatten((args, dict(sorted(kwargs.items()))) if kwargs else (args,))
        leaves = [x if type(x) is float else _leaf(x) for x in leaves]
        try:
            key = structures.key(structure), *map(structures.constant, static.values())
        except TypeError as error:
            raise _NoProgram(str(error)) from None
        program = self._programs.get(key)
        if program is None:
            program = self._new(key, leaves, structure, static)
        with self._lock:  # the least recently used program is the first to go
            self._programs[key] = self._programs.pop(key, program)
        if type(program) is _NoProgram:
            raise program
        if program is not self._latest[1]:
            is_simple = not (static or kwargs or self._vmap)
            self._latest = structures.flat(structure[2][0]) if is_simple else None, program
        return program, leaves

    def _new(self, key: Any, leaves: list[Any], structure: Any, static: dict[int, Any]) -> Any:
        with_collector = gc.isenabled()
        gc.disable()  # it would visit all symbols again and again, and find none to free
        program: Any
        try:
            program = self._made(leaves, structure, static)
        except (ValueError, ArithmeticError, RecursionError) as error:
            program = _NoProgram(f"while it was recorded, {type(error).__name__}: {error}")
        except ModuleNotFoundError as error:
            missing, extra = str(error.name).partition(".")[0], BACKENDS[self.backend]
            raise ImportError(
                f"jit: the {self.backend} backend needs {missing}: "
                f"pip install {missing}, or in a clone pip install -e '.[{extra}]'"
            ) from error
        finally:
            if with_collector:
                gc.enable()
        with self._lock:
            while len(self._programs) >= PROGRAMS:
                self._programs.pop(next(iter(self._programs)))
        return program

    def _made(self, leaves: list[Any], structure: Any, static: dict[int, Any]) -> Any:
        from importlib import import_module

        printer = import_module(f"{__package__}.{self.backend}")
        trace = Trace(exact=self.backend == "python")
        inputs = [trace.input(name) for name in _names(self.__wrapped__, structure)]
        given, *options = tree_unflatten(structure, inputs)
        args = [static.get(i, x) for i, x in enumerate(given)]
        outputs, result = record(trace, self._vmap[0] if self._vmap else self.__wrapped__, args, *options)
        after = tree_leaves([*given, *options])
        if len(after) != len(inputs) or any(x is not y for x, y in zip(after, inputs, strict=True)):
            raise TypeError(f"jit: {self.__name__} changes its arguments, which a program does not: return what is new")
        if not self._vmap:
            return printer.Program(inputs, outputs, result, self.__name__)
        reduce: list[str] = []
        tree = tree_unflatten(result, outputs)
        reduced(tree, self._vmap[2], lambda y, how: reduce.extend([how] * len(tree_leaves(y))))
        mapped = [type(x) is _Column for x in leaves]
        return _OverBatch(printer.Batched(inputs, outputs, mapped, reduce), result)


class _OverBatch:
    """The program of a vmap."""

    def __init__(self, run: Any, structure: Any) -> None:
        self.run, self.structure, self.source = run, structure, run.source

    def __call__(self, leaves: list[Any]) -> Any:
        arrays = [x if type(x) is float else x.array for x in leaves if type(x) is float or not x.place]
        n = next(len(x.array) for x in leaves if type(x) is not float)
        return tree_unflatten(self.structure, self.run(arrays, n), _samples_first)


class _Column:
    """A number of each sample, in an array that is mapped over: the first one, or another place."""

    operate = None  # a leaf of a tree, as all that has this

    def __init__(self, array: Any, place: int) -> None:
        if array.dtype.kind not in "fiub" and not place:
            for x in array.ravel().tolist():
                _leaf(x)
        self.array, self.place = array if array.dtype.kind == "f" or place else array.astype(float), place


class _NoProgram(Exception):
    """There is no program for a call; `quiet` if that is as it should be, as for Values."""

    def __init__(self, reason: str, *, quiet: bool = False) -> None:
        super().__init__(reason)
        self.quiet = quiet


def record(trace: Trace, f: Function, args: Any, kwargs: Any = None) -> tuple[list[Any], Any]:
    """The numbers in the result of `f`, symbols and floats, and its structure; the trace is then done."""
    name = f"the result of {getattr(f, '__name__', repr(f))}"
    running.depth, running.recording = running.depth + 1, True
    try:
        leaves, structure = tree_flatten(f(*args, **(kwargs or {})), name)
        outputs = [trace.number(number(settle(y), name), name) for y in leaves]
    finally:
        running.depth, running.recording = running.depth - 1, False
        trace.close()
    if trace.refused:
        raise trace.refused
    trace.lines = needed(outputs)  # what is recorded and not needed, as the slopes of a power by its exponent, may go
    return outputs, structure


# Arguments ------------------------------------------------------------------------------------------------------------


def _leaf(x: Any) -> Any:
    """A number as a float; no program, if it is a Value or the like, or complex."""
    if type(x) is _Column:
        return x
    if hasattr(x, "operate"):
        raise _NoProgram(f"{x!r} is among its arguments", quiet=True)
    if not is_real(x):
        raise _NoProgram(f"{x!r} is complex", quiet=True)
    return real(x, "jit")


def _names(f: Function, structure: Any) -> list[str]:
    """A name for each number of the arguments of `f`: that of the argument, and the place in it."""
    import inspect

    try:
        known = [*inspect.signature(f).parameters]
    except (TypeError, ValueError):
        known = []
    found = [(known[step] if type(step) is int and step < len(known) else step, part)
             for arguments in structure[2] for step, part in structures.parts(arguments)]  # fmt: skip
    return [name for step, part in found for name in structures.names(part, f"x{step}" if type(step) is int else step)]


def _samples_first(shape: tuple[int, ...], items: list[Any]) -> Any:
    """An array of results; but the axis of the samples, if there is one, comes first."""
    made = array(shape, items)
    return made if made.shape == shape else made.transpose(-1, *range(len(shape)))
