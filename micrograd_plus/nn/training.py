"""Training: `fit` is the loop around an optimizer. Steps and epochs are counted from 0."""

from __future__ import annotations

import random
import reprlib
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import inf, isfinite
from threading import current_thread, main_thread
from typing import Any

from ..jit import BACKENDS, jit
from ..machinery.trees import tree_map
from ..tape import tape
from ..transforms import value_and_grad
from ..value import Value
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
    compile: bool | str = True,
    progress: bool = True,
) -> list[float]:
    """Train: for each batch of the data, predictions, loss, gradients, and a step of the optimizer.

    `data` is a list of tuples (input, target), as `list(zip(X, y))`; `loss` takes the lists of the predictions and of
    the targets of a batch, and returns the mean over it. Each of the `epochs` goes through all data: in batches of
    `batch_size` (the last may be smaller), shuffled anew by `seed`, a number, a `random.Random`, or None for the module
    `random`; or as one batch, in the given order. With `progress` there is a bar, if tqdm is installed. The result is
    the mean loss of each epoch.

    With `compile`, loss and gradients of a pair are a program, made once by `jit` for each structure of the inputs, and
    a batch is the mean over its pairs: True where it pays (from COMPILED pairs on) and can be done, else the model runs
    as it is; False never; the name of a backend of `jit` always, with its error if it can't be done. It can't be done
    if the model or the loss depend on the numbers otherwise than by `where`, or on more than parameters, input and
    target (random numbers, the other pairs of the batch, what it has kept from earlier calls), or if parameters of the
    optimizer are not the model's. Both ways are compared on some pairs at first, and in a few steps later: ValueError
    if they come to differ by 1e-9.

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
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit: expected an optimizer, as SGD(model.parameters(), lr=0.1), got {optimizer!r}")
    if not callable(model) or not callable(loss):
        raise TypeError(f"fit: expected a model and a loss that can be called, got {model!r} and {loss!r}")
    pairs, epochs, generator = _pairs(data), _positive(epochs, "epochs"), _generator(seed)
    size = len(pairs) if batch_size is None else _positive(batch_size, "batch_size")
    backend = _backend(compile, epochs * len(pairs))
    steps = epochs * -(-len(pairs) // size)
    start, history = optimizer.steps, []
    gradients = _eager(model, loss, optimizer)
    with _interrupts() as interrupts, _bar(steps if progress else 0) as bar:
        for epoch in range(epochs):
            order = generator.sample(pairs, len(pairs)) if size < len(pairs) else pairs
            mean, seen = 0.0, 0
            history.append(mean)
            for i in range(0, len(order), size):
                batch, first = order[i : i + size], optimizer.steps == start
                if first and backend:
                    gradients = _compiled(model, loss, optimizer, (batch, pairs), backend, gradients, compile is True)
                number = _backward(gradients, batch, optimizer, epoch, first)
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

COMPILED = 100  # pairs of input and target, all epochs together, from which on it pays


def _backend(compile: Any, pairs: int) -> str:
    """The backend for the argument `compile` of `fit`; the empty string for none."""
    if isinstance(compile, bool):
        return "python" if compile and pairs >= COMPILED else ""
    if compile not in BACKENDS:
        raise ValueError(f"fit: compile must be True, False, or one of {', '.join(BACKENDS)}; got {compile!r}")
    return str(compile)


def _compiled(
    model: Any, loss: Any, optimizer: Optimizer, data: tuple[Any, Any], backend: str, eager: Gradients, optional: bool
) -> Gradients:
    """As `eager`, but by a program; `eager` itself if that is not possible and `optional`. `data`: a batch, and all."""
    steps, state = 0, random.getstate()
    try:
        compiled = _mean_of_pairs(model, loss, optimizer, backend)
        batch, pairs = data
        _compare(compiled, eager, optimizer, batch[:256])  # a loss may look at more than single pairs
        for shift in (0.0, 0.01):  # or at parameters on its own, which may not show at zero
            _compare(compiled, eager, optimizer, pairs[:: -(-len(pairs) // 8)], shift)
        if random.getstate() != state:
            raise ValueError("fit: the model or the loss draws random numbers, which a program does not")
    except Exception:  # whatever a model says to symbols; what is wrong with it otherwise, it says when it is run
        if not optional:
            raise
        return eager
    finally:
        random.setstate(state)  # what is tried out here is to leave no trace

    def checked(batch: list[Any]) -> tuple[float, Callable[[], None]]:
        nonlocal steps
        if steps.bit_count() == 1 and steps.bit_length() % 2:  # 1, 4, 16, 64, ...: a model may change by other things
            _compare(compiled, eager, optimizer, batch[:8])
        steps += 1
        number, backward = compiled(batch)
        return (number, backward) if isfinite(number) else eager(batch)  # which tells more of what is wrong

    return checked


def _compare(
    compiled: Gradients, eager: Gradients, optimizer: Optimizer, sample: list[Any], shift: float = 0.0
) -> None:
    """ValueError if the two differ, on this sample, and with parameters that are shifted a little."""
    parameters = optimizer.parameters
    before = [(p.data, p.grad) for p in parameters]

    def outcome(gradients: Gradients, batch: list[Any]) -> list[float]:
        number, backward = gradients(batch)
        optimizer.zero_grad()
        backward()
        return [number, *[p.grad for p in parameters]]

    try:
        for i, p in enumerate(parameters):
            p.data += shift * (1.0 + i % 3)
        try:
            expected = outcome(eager, sample)
        except (ValueError, ArithmeticError):
            if shift:
                return  # there is a value here, but not beside
            raise
        found = outcome(compiled, sample)
        parts = [outcome(compiled, [pair]) for pair in sample]
    finally:
        for p, (data, grad) in zip(parameters, before, strict=True):
            p.data, p.grad = data, grad
    tolerance = 1e-9 * max(1.0, *[abs(x) for numbers in (expected, *parts) for x in numbers])
    if all(map(isfinite, expected)) and not all(map(lambda a, b: abs(a - b) <= tolerance, found, expected)):
        raise ValueError(
            f"fit: compiled, a loss is {found[0]!r}, and eager {expected[0]!r}, or gradients differ: model and loss "
            "depend on something else than the parameters and the single pair; compile=False trains them as they are"
        )


def _mean_of_pairs(model: Any, loss: Any, optimizer: Optimizer, backend: str) -> Gradients:
    if not isinstance(model, Module) or not {*optimizer.parameters} <= {*model.parameters()}:
        raise ValueError("fit: to compile, the model must be a Module, and the optimizer's parameters must be its own")
    places = {parameter: i for i, parameter in enumerate(optimizer.parameters)}

    def of_pair(numbers: list[Any], x: Any, target: Any) -> Any:
        bound = model.bind([numbers[places[p]] if p in places else p.data for p in model.parameters()])
        return loss([bound(x)], [target])

    program = jit(value_and_grad(of_pair), backend, reduce="stack" if backend == "python" else "mean")

    def gradients(batch: list[Any]) -> tuple[float, Callable[[], None]]:
        numbers = [parameter.data for parameter in optimizer.parameters]
        value, sums = 0.0, [0.0] * len(numbers)
        for x, target, n in [(x, target, 1) for x, target in batch] if backend == "python" else _columns(batch):
            target = float(target) if type(target) is bool else target  # a flag would be run as it is
            part, gradient = program(numbers, x, target)
            value += float(part) * n
            sums = [total + float(g) * n for total, g in zip(sums, gradient, strict=True)]

        def backward() -> None:
            for parameter, total in zip(optimizer.parameters, sums, strict=True):
                parameter.grad = total / len(batch)

        return value / len(batch), backward

    return gradients


def _columns(batch: list[Any]) -> list[tuple[Any, Any, int]]:
    """A batch in one piece, with an array in the place of each number; in single pairs if these differ in structure."""
    from numpy import array

    pairs = [(_listed(x), _listed(target)) for x, target in batch]
    try:
        x, target = tree_map(lambda *numbers: array(numbers, dtype=float), *pairs)
    except ValueError:
        return [(x, target, 1) for x, target in pairs]
    return [(x, target, len(batch))]


def _listed(x: Any) -> Any:
    """Arrays, wherever they stand, as lists."""
    if isinstance(x, dict):
        return {key: _listed(item) for key, item in x.items()}
    if isinstance(x, list | tuple):
        return type(x)([_listed(item) for item in x])
    return x.tolist() if hasattr(x, "tolist") else x


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


def _bar(steps: int) -> AbstractContextManager[Any]:
    """A progress bar over so many steps; None if there are none, or if tqdm is not installed."""
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]
    except ImportError:
        steps = 0
    return tqdm(total=steps, unit="step") if steps else nullcontext()


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
