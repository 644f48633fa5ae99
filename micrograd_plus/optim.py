"""Optimizers: how the parameters follow their gradients downhill. Names, defaults and updates are PyTorch's.

An optimizer takes Values, and at each `step` moves their `data` against their `grad`. `fit` is the loop around it:
predictions, loss, gradients, step. Steps and epochs are counted from 0.
"""

from __future__ import annotations

import random
import reprlib
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import hypot, inf, isfinite, sqrt
from threading import current_thread, main_thread
from typing import Any

from .functions import real
from .jit import BACKENDS, jit
from .nn import Module, _generator, _positive
from .tape import ZERO, tape
from .transforms import tree_map, value_and_grad
from .value import Value

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm", "fit"]

Rate = float | Callable[[int], float]


class Optimizer:
    """What all optimizers share; what derives from it says in `update` what a step makes of one parameter.

    `parameters` are Values that were not computed from others; `lr`, the learning rate, is a number, or a function from
    the number of the step to one. With `clip_norm`, a step uses the gradients as `clip_grad_norm` would scale them, but
    leaves `grad` as it is. `steps` is the number of steps done. TypeError or ValueError if a parameter is no Value, was
    computed, or is there twice, if there is none, or if a number is out of range.

    >>> class SignDescent(Optimizer):
    ...     def update(self, number, gradient, lr):
    ...         return (number - lr if gradient > 0.0 else number + lr,)
    >>> w = Value(3.0)
    >>> optimizer = SignDescent([w], lr=lambda step: 0.5 ** (step + 1))
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).backward()
    ...     optimizer.step()
    >>> w.data, optimizer.steps
    (2.25, 2)
    """

    memory = 0  # how many numbers an optimizer keeps for each parameter; they start from 0

    def __init__(self, parameters: Iterable[Value], lr: Rate, *, clip_norm: float | None = None) -> None:
        self.parameters = _parameters(parameters)
        self.lr: Rate = lr if callable(lr) else _number(lr, "lr", NOT_NEGATIVE)
        self.clip_norm = None if clip_norm is None else _number(clip_norm, "clip_norm", POSITIVE)
        self.steps = 0
        self._memories = [(0.0,) * self.memory] * len(self.parameters)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.parameters)} parameters, lr={self.lr!r})"

    def update(self, number: float, gradient: float, lr: float, *memory: float) -> tuple[float, ...]:
        """The parameter's new number, and what is to be kept for it until the next step."""
        raise NotImplementedError(f"{type(self).__name__} has no method `update` that says what a step does")

    def step(self) -> None:
        """Move all parameters once.

        If a gradient is nan or infinite, or a number would become so, FloatingPointError, and nothing is changed; also
        TypeError or ValueError, if `lr` is a function and returns no number from 0 up.
        """
        lr = self.lr(self.steps) if callable(self.lr) else self.lr
        lr = _number(lr, f"lr at step {self.steps}", NOT_NEGATIVE)
        gradients = _gradients(self.parameters, f"step {self.steps}")
        if self.clip_norm is not None:
            _, gradients = _clipped(gradients, self.clip_norm)
        updates = [
            self.update(parameter.data, gradient, lr, *memory)
            for parameter, gradient, memory in zip(self.parameters, gradients, self._memories, strict=True)
        ]
        for i, update in enumerate(updates):
            if not all(map(isfinite, update)):
                raise FloatingPointError(
                    f"step {self.steps}: {_name(self.parameters, i)} = {self.parameters[i].data!r} with the gradient "
                    f"{gradients[i]!r} and lr = {lr!r} would become too large for a float; nothing was changed"
                )
        self._memories = [update[1:] for update in updates]
        for parameter, update in zip(self.parameters, updates, strict=True):
            parameter.data = update[0]
        self.steps += 1

    def zero_grad(self) -> None:
        """Set all gradients to zero, as is due before each backward pass: gradients add up."""
        for parameter in self.parameters:
            parameter.grad = ZERO


class SGD(Optimizer):
    """Gradient descent: stochastic, if each step sees another batch of the data.

    With `momentum` a step goes along the sum of all gradients so far, the earlier ones less by this factor for each
    step since (Polyak, "Some methods of speeding up the convergence of iteration methods", 1964); with `nesterov`, to
    where the next one would begin (Nesterov, 1983, as in Sutskever, Martens, Dahl and Hinton, "On the importance of
    initialization and momentum in deep learning", 2013). `weight_decay` times the parameter is added to its gradient.
    The other arguments, and what is raised, are those of `Optimizer`; ValueError for `nesterov` without momentum.

    >>> w = Value(3.0)
    >>> optimizer = SGD([w], lr=0.25)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w.data
    1.5
    """

    memory = 1

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: Rate,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(parameters, lr, clip_norm=clip_norm)
        self.momentum = _number(momentum, "momentum", BELOW_1)
        self.nesterov = nesterov
        self.weight_decay = _number(weight_decay, "weight_decay", NOT_NEGATIVE)
        if nesterov and not self.momentum:
            raise ValueError("nesterov: this is a kind of momentum, so give momentum= too, as 0.9")

    def update(self, number: float, gradient: float, lr: float, *memory: float) -> tuple[float, ...]:
        gradient += self.weight_decay * number
        velocity = self.momentum * memory[0] + gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return number - lr * direction, velocity


class Adam(Optimizer):
    """Descent along the mean of the gradients so far, in units of the root of the mean of their squares.

    Both means forget: `betas` are what they keep of themselves at each step, and as they start from 0 they are too
    small at first, which is corrected. `eps` is added to the root, `weight_decay` times the parameter to its gradient.
    The other arguments, and what is raised, are those of `Optimizer`. Kingma and Ba, "Adam: a method for stochastic
    optimization", 2015.

    >>> w = Value(3.0)
    >>> optimizer = Adam([w], lr=0.25)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6)
    2.75
    """

    memory = 2

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: Rate = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(parameters, lr, clip_norm=clip_norm)
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"betas: expected a pair of numbers, as (0.9, 0.999), got {betas!r}")
        self.betas = _number(betas[0], "betas[0]", BELOW_1), _number(betas[1], "betas[1]", BELOW_1)
        self.eps = _number(eps, "eps", POSITIVE)  # at 0, a parameter without a gradient would move by 0 / 0
        self.weight_decay = _number(weight_decay, "weight_decay", NOT_NEGATIVE)

    def update(self, number: float, gradient: float, lr: float, *memory: float) -> tuple[float, ...]:
        return self._moved(number, gradient + self.weight_decay * number, lr, *memory)

    def _moved(self, number: float, gradient: float, lr: float, mean: float, square: float) -> tuple[float, ...]:
        beta1, beta2 = self.betas
        mean = beta1 * mean + (1.0 - beta1) * gradient
        square = beta2 * square + (1.0 - beta2) * gradient * gradient
        correct_mean = mean / (1.0 - beta1 ** (self.steps + 1))
        correct_square = square / (1.0 - beta2 ** (self.steps + 1))
        return number - lr * correct_mean / (sqrt(correct_square) + self.eps), mean, square


class AdamW(Adam):
    """Adam, but the parameters decay by themselves, by lr * weight_decay at each step, and not by way of the gradient.

    The arguments, and what is raised, are those of `Adam`. Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019.

    >>> w = Value(3.0)
    >>> optimizer = AdamW([w], lr=0.25, weight_decay=0.5)
    >>> optimizer.step()
    >>> w.data
    2.625
    """

    def __init__(
        self, parameters: Iterable[Value], lr: Rate = 1e-3, *, weight_decay: float = 0.01, **options: Any
    ) -> None:
        super().__init__(parameters, lr, weight_decay=weight_decay, **options)

    def update(self, number: float, gradient: float, lr: float, *memory: float) -> tuple[float, ...]:
        return self._moved(number * (1.0 - lr * self.weight_decay), gradient, lr, *memory)


def clip_grad_norm(parameters: Iterable[Value], max_norm: float) -> float:
    """Shorten the gradient of all parameters together, where it is longer than `max_norm`; return how long it was.

    As PyTorch's `clip_grad_norm_` it multiplies each gradient by max_norm / (norm + 1e-6), if that is below 1.
    FloatingPointError, and nothing is changed, if a gradient is nan or infinite; what else is raised is as for
    `Optimizer`. Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.

    >>> a, b = Value(3.0), Value(4.0)
    >>> (a * a + b * b).backward()
    >>> clip_grad_norm([a, b], max_norm=1.0)
    10.0
    >>> round(a.grad, 6), round(b.grad, 6)
    (0.6, 0.8)
    """
    parameters = _parameters(parameters)
    max_norm = _number(max_norm, "max_norm", POSITIVE)
    norm, gradients = _clipped(_gradients(parameters, "clip_grad_norm"), max_norm)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return norm


# Training -------------------------------------------------------------------------------------------------------------


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

    >>> from micrograd_plus.losses import mse
    >>> from micrograd_plus.nn import Neuron
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
        if not isinstance(value, Value) or value.x is None:
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


# What they are given --------------------------------------------------------------------------------------------------

NOT_NEGATIVE = "from 0 up", lambda x: 0.0 <= x < inf
BELOW_1 = "from 0 up, and below 1", lambda x: 0.0 <= x < 1.0
POSITIVE = "above 0", lambda x: x > 0.0


def _number(x: Any, name: str, kind: tuple[str, Callable[[float], bool]]) -> float:
    number, (text, accepts) = real(x, name), kind
    if not accepts(number):
        raise ValueError(f"{name}: expected a number {text}, got {x!r}")
    return number


def _parameters(parameters: Any) -> list[Value]:
    if not hasattr(parameters, "__iter__"):
        raise TypeError(f"parameters: expected a list of Values, as model.parameters(), got {parameters!r}")
    found: list[Value] = list(parameters)
    if not found:
        raise ValueError("parameters: the list is empty")
    seen = set()
    for i, parameter in enumerate(found):
        if not isinstance(parameter, Value):
            raise TypeError(f"parameters[{i}]: expected a Value, got {parameter!r} ({type(parameter).__name__})")
        if parameter.x is not None or parameter.level:
            raise ValueError(
                f"parameters[{i}]: {parameter!r} was computed, or is an input of a transform; "
                "expected a Value as Value(0.5) makes it"
            )
        if parameter in seen:
            raise ValueError(f"parameters[{i}]: {parameter!r} is in the list twice")
        seen.add(parameter)
    return found


def _name(parameters: list[Value], i: int) -> str:
    return parameters[i].label or f"parameters[{i}]"


def _gradients(parameters: list[Value], where: str) -> list[float]:
    gradients = [parameter.grad for parameter in parameters]
    for i, gradient in enumerate(gradients):
        if not isfinite(gradient):
            raise FloatingPointError(
                f"{where}: the gradient of {_name(parameters, i)} is {gradient!r}; nothing was changed"
            )
    return gradients


def _clipped(gradients: list[float], max_norm: float) -> tuple[float, list[float]]:
    """The length of the gradient, and the gradient made no longer than `max_norm`."""
    norm = hypot(*gradients)  # of squares and a root, the squares would overflow
    if norm == inf:
        raise FloatingPointError("the norm of the gradients is too large for a float; nothing was changed")
    scale = min(1.0, max_norm / (norm + 1e-6))
    return norm, [gradient * scale for gradient in gradients]


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
