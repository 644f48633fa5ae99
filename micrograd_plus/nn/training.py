"""Training: `fit` is the loop around an optimizer. Steps and epochs are counted from 0."""

from __future__ import annotations

import random
import reprlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from math import inf, isfinite
from threading import current_thread, main_thread
from typing import Any

from ..batch import vmap
from ..functions import real
from ..jit import BACKENDS, jit
from ..machinery.running import running
from ..tape import tape
from ..transforms import value_and_grad
from ..value import Value, bottom
from .modules import Module, _generator, _positive
from .optim import Optimizer, _name

__all__ = ["fit"]


def fit(
    model: Callable[[Any], Any],
    data: Sequence[tuple[Any, Any]],
    loss: Callable[[list[Any], list[Any]], Any],
    optimizer: Optimizer,
    epochs: int = 1,
    batch_size: int | None = None,
    seed: int | random.Random | None = None,
    *,
    backend: str | None = None,
    progress: bool = True,
    **others: Any,
) -> list[float]:
    """Train: for each batch of the data, predictions, loss, gradients, and a step of the optimizer.

    `data` is a list of tuples (input, target), as `list(zip(X, y))`; `loss` takes the lists of the predictions and of
    the targets of a batch, and returns the mean over it. Each of the `epochs` goes through all data: in batches of
    `batch_size` (the last may be smaller), shuffled anew by `seed`, a number, a `random.Random`, or None for the module
    `random`; or as one batch, in the given order. With `progress` there is a bar, if tqdm is installed. The result is
    the mean loss of each epoch.

    It trains as a loop would that one writes oneself. With a `backend` of `jit`, "python", "llvm" or "jax", the loss of
    one pair and its gradients are a program, made once for each structure of the pairs, and a batch is the mean over
    its pairs: for a model that depends on its parameters and its input alone, and keeps nothing. A copy of it is
    recorded: TypeError, with the attribute, if it kept a number of that. The loss must be a mean over pairs, as those
    of this library are; one of your own says so by `loss.mean_of_pairs = True`, TypeError if it does not. The first
    batch is computed both ways: ValueError if loss or gradients differ by 1e-9.

    Ctrl-C ends the training after the step that is running, the result then has the losses so far; a second Ctrl-C
    interrupts at once. FloatingPointError if a loss is nan or infinite, ValueError or ArithmeticError as the model and
    the loss raise them: all tell the step, and the parameter with the largest gradient, and leave the parameters as the
    step before made them. TypeError if the loss is not one Value that was computed, ValueError if an argument is wrong.

    >>> from micrograd_plus.nn import SGD, Neuron, mse
    >>> line = Neuron(1, "linear", seed=1)
    >>> history = fit(line, [(0.0, 1.0), (1.0, 3.0)], mse, SGD(line.parameters(), lr=0.4), epochs=100, progress=False)
    >>> len(history), [round(p.data, 6) for p in line.parameters()]
    (100, [2.0, 1.0])
    """
    if others:
        hint = '; a program trains if backend is given: backend="python", "llvm" or "jax"' * ("compile" in others)
        raise TypeError(f"fit: there is no argument {', '.join(others)}{hint}")
    if backend is not None and backend not in BACKENDS:
        raise ValueError(f"fit: backend must be None or one of {', '.join(BACKENDS)}; got {backend!r}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit: expected an optimizer, as SGD(model.parameters(), lr=0.1), got {optimizer!r}")
    if not callable(model) or not callable(loss):
        raise TypeError(f"fit: expected a model and a loss that can be called, got {model!r} and {loss!r}")
    pairs, epochs, generator = _pairs(data), _positive(epochs, "epochs"), _generator(seed)
    size = len(pairs) if batch_size is None else _positive(batch_size, "batch_size")
    steps = epochs * -(-len(pairs) // size)
    start, history = optimizer.steps, []
    gradients = _eager(model, loss, optimizer)
    with _interrupts() as interrupts, _bar(steps if progress else 0, backend) as bar:
        for epoch in range(epochs):
            order = generator.sample(pairs, len(pairs)) if size < len(pairs) else pairs
            mean, seen = 0.0, 0
            history.append(mean)
            for i in range(0, len(order), size):
                batch, first = order[i : i + size], optimizer.steps == start
                try:
                    if first and backend:
                        gradients = _compiled(model, loss, optimizer, batch, backend)
                    number = _backward(gradients, batch, optimizer, epoch, first)
                except (TypeError, ValueError, ArithmeticError) as error:
                    if item := _culprit(model, loss, batch, pairs, isinstance(error, FloatingPointError)):
                        error.add_note(item)
                    raise
                optimizer.step()
                seen += len(batch)
                mean += (number - mean) * (len(batch) / seen)
                history[-1] = mean
                if bar is not None:
                    bar.set_postfix(epoch=epoch, loss=f"{mean:.4g}", refresh=False)
                    bar.update()
                if interrupts:
                    return history
    return history


def _backward(gradients: Gradients, batch: list[Any], optimizer: Optimizer, epoch: int, first: bool) -> float:
    """The loss of a batch; its gradients are then in the parameters."""
    try:
        number, backward = gradients(batch)
    except (ValueError, ArithmeticError) as error:
        error.add_note(f"This was {_circumstances(optimizer, epoch, first)}")
        raise
    if first or isfinite(number):
        optimizer.zero_grad()
        backward()
    if not isfinite(number):
        largest = f" {_largest(optimizer, 'Here')}" if first else ""
        raise FloatingPointError(f"fit: the loss is {number!r} {_circumstances(optimizer, epoch, first)}{largest}")
    return number


# From a batch to its loss, and to what puts its gradients into the parameters
Gradients = Callable[[list[Any]], tuple[float, Callable[[], None]]]


def _eager(model: Any, loss: Any, optimizer: Optimizer) -> Gradients:
    checked = False

    def gradients(batch: list[Any]) -> tuple[float, Callable[[], None]]:
        nonlocal checked
        value = loss([model(x) for x, _ in batch], [target for _, target in batch])
        if not isinstance(value, Value) or value.left is None:
            raise TypeError(
                f"fit: the loss must be one Value, computed from what the model returns (without .data), got {value!r} "
                f"({type(value).__name__}), which does not depend on the parameters"
            )
        if not checked and set(optimizer.parameters).isdisjoint(tape(value)):
            raise ValueError(
                "fit: the loss depends on none of the optimizer's parameters; was it made for another model?"
            )
        checked = True
        return value.data, value.backward

    return gradients


# Compiled -------------------------------------------------------------------------------------------------------------


def _compiled(model: Any, loss: Any, optimizer: Optimizer, batch: list[Any], backend: str) -> Gradients:
    """As `_eager`, but by a program, which was compared with the model on this batch."""
    if not isinstance(model, Module) or not {*optimizer.parameters} <= {*model.parameters()}:
        raise ValueError("fit: to compile, the model must be a Module, and the optimizer's parameters must be its own")
    if not getattr(getattr(loss, "func", loss), "mean_of_pairs", False):
        name = getattr(loss, "__name__", repr(loss))
        raise TypeError(
            f"fit: a program is made for one pair, and {name} may be more than the mean over pairs; if it is no more, "
            "say so by loss.mean_of_pairs = True, else train without a backend"
        )
    parameters, state = model.parameters(), random.getstate()
    places = {parameter: i for i, parameter in enumerate(optimizer.parameters)}
    copied = deepcopy(model)  # what it keeps, draws or counts while it is tried out leaves no trace

    def bound(numbers: list[Any]) -> Any:
        return copied.bind([numbers[places[p]] if p in places else p.data for p in parameters])

    def of_pair(numbers: list[Any], x: Any, target: Any) -> Any:
        network = bound(numbers)
        result = loss([network(x)], [target])
        if running.recording and (kept := _kept(network, {*map(id, numbers)}, type(model).__name__, set())):
            raise TypeError(f"fit: {kept} keeps a number that the model computes, which a program does not; no backend")
        return result

    def of_batch(numbers: list[Any]) -> Any:
        network = bound(numbers)
        return loss([network(x) for x, _ in batch], [target for _, target in batch])

    of_pairs = jit(vmap(value_and_grad(of_pair), in_axes=(None, 0, 0), reduce="mean"), backend)
    of_one = jit(value_and_grad(of_pair), backend)

    def program(batch: list[Any]) -> tuple[float, list[float]]:
        numbers = [parameter.data for parameter in optimizer.parameters]
        try:
            columns = _columns(batch) if backend != "python" else None
        except ValueError:  # of several structures
            columns = None
        if columns is None:  # one by one
            results = [of_one(numbers, x, target) for x, target in batch]
            gradients = zip(*[gradient for _, gradient in results], strict=True)
            return _mean([value for value, _ in results]), list(map(_mean, gradients))
        value, gradient = of_pairs(numbers, *columns)
        return value, gradient

    expected = value_and_grad(of_batch)([parameter.data for parameter in optimizer.parameters])
    found = program(batch)
    if random.getstate() != state:
        random.setstate(state)
        raise ValueError("fit: the model or the loss draws random numbers, which a program does not; no backend")
    largest = max(1.0, *map(abs, [expected[0], *expected[1]]))
    for a, b in zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True):
        if isfinite(b) and not abs(a - b) <= 1e-9 * largest:
            raise ValueError(
                f"fit: compiled, the loss of the first batch is {found[0]!r}, and {expected[0]!r} if it is not, or "
                "gradients differ: model or loss depend on something else than parameters and pairs; no backend"
            )

    def gradients(batch: list[Any]) -> tuple[float, Callable[[], None]]:
        value, gradient = program(batch)

        def backward() -> None:
            for parameter, slope in zip(optimizer.parameters, gradient, strict=True):
                parameter.grad = slope

        return value, backward

    return gradients


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _columns(items: Sequence[Any]) -> Any:
    """Of trees of one structure, the tree with an array, that begins with the axis of the items, for each number."""
    import numpy

    first = items[0]
    if isinstance(first, list | tuple | dict):
        if any(type(x) is not type(first) or len(x) != len(first) for x in items):
            raise ValueError("of several structures")
        if isinstance(first, dict):
            return {key: _columns([x[key] for x in items]) for key in first}
        return type(first)([_columns(parts) for parts in zip(*items, strict=True)])
    return numpy.array([x if hasattr(x, "shape") else real(x, "fit: a number of a pair") for x in items], float)


def _kept(x: Any, known: set[int], name: str, seen: set[int]) -> str:
    """The name of an attribute in which there is a number of the recording, but for those that are known."""
    if id(x) in seen or id(x) in known:
        return ""
    seen.add(id(x))
    if type(bottom(x)).__name__ in ("Symbol", "Condition"):
        return name
    parts: Any = []
    if isinstance(x, dict):
        parts = [(f"{name}[{key!r}]", item) for key, item in x.items()]
    elif isinstance(x, list | tuple):
        parts = [(f"{name}[{i}]", item) for i, item in enumerate(x)]
    elif hasattr(x, "__dict__") and not isinstance(x, type):
        parts = [(f"{name}.{key}", item) for key, item in vars(x).items()]
    return next((found for part, item in parts if (found := _kept(item, known, part, seen))), "")


def _culprit(model: Any, loss: Any, batch: list[Any], data: list[Any], is_not_finite: bool) -> str:
    """Says which item of the data fails by itself, where others do not; "" if there is none. It leaves no trace."""
    state = random.getstate()
    try:
        model = deepcopy(model)
    except TypeError:  # it keeps a result
        return ""

    def fails(pair: tuple[Any, Any]) -> bool:
        try:
            y = loss([model(pair[0])], [pair[1]])
            return is_not_finite and not isfinite(y.data)
        except (TypeError, ValueError, ArithmeticError):
            return True

    fail = [pair for pair in batch if fails(pair)]
    others = [pair for pair in data if all(pair is not one for one in batch)][:1]
    all_do = all(map(fails, [*batch, *others]))
    random.setstate(state)
    if not fail or all_do:
        return ""
    place = next(i for i, pair in enumerate(data) if pair is fail[0])
    return f"Item {place} of the data, {reprlib.repr(fail[0])}, fails by itself."


# Messages -------------------------------------------------------------------------------------------------------------


def _circumstances(optimizer: Optimizer, epoch: int, first: bool) -> str:
    where = f"at step {optimizer.steps}, in epoch {epoch} (both counted from 0)"
    if first:
        return f"{where}, the first step of this fit: look at the data, and at the initial parameters."
    return f"{where}. {_largest(optimizer, 'In the step before')} Try a smaller lr, or an optimizer with clip_norm=1.0."


def _largest(optimizer: Optimizer, where: str) -> str:
    sizes = [abs(p.grad) if p.grad == p.grad else inf for p in optimizer.parameters]  # nan counts as infinite
    i = sizes.index(max(sizes))
    parameter = optimizer.parameters[i]
    name = _name(optimizer.parameters, i)
    return f"{where}, the largest gradient was that of {name}: {parameter.grad!r}; its number is {parameter.data!r}."


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """A list to which the first Ctrl-C adds something; the second interrupts, as ever. What others handle is theirs."""
    interrupts: list[int] = []
    usual = signal.default_int_handler

    def handler(number: int, _: Any) -> None:
        interrupts.append(number)
        signal.signal(signal.SIGINT, usual)

    ours = current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is usual
    if ours:
        signal.signal(signal.SIGINT, handler)
    try:
        yield interrupts
    finally:
        if ours:
            signal.signal(signal.SIGINT, usual)


def _bar(steps: int, backend: str | None) -> AbstractContextManager[Any]:
    """A progress bar over so many steps; None if there are none, or if tqdm is not installed."""
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]
    except ImportError:
        steps = 0
    if not steps:
        return nullcontext()
    bar = tqdm(total=steps, unit="step")
    bar.write(f"fit: a program trains, by {backend}" if backend else "fit: the model trains as it is", file=sys.stderr)
    return bar  # type: ignore[no-any-return]


def _pairs(data: Any) -> list[tuple[Any, Any]]:
    hint = "fit: data must be a list of tuples (input, target), as list(zip(X, y)) makes it"
    if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        raise ValueError(f"{hint}, got {reprlib.repr(data)} ({type(data).__name__})")
    pairs = list(data)
    if not pairs:
        raise ValueError(f"{hint}, got {reprlib.repr(data)}, which is empty")
    for i, pair in enumerate(pairs):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(f"{hint}; item {i} of this {type(data).__name__} is no such tuple: {reprlib.repr(pair)}")
    return pairs
