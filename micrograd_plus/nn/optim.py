"""Optimizers: how the parameters follow their gradients downhill. Names, defaults and updates are PyTorch's.

An optimizer takes Values, and at each `step` moves their `data` against their `grad`. Steps are counted from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import hypot, inf, isfinite, sqrt
from typing import Any

from ..functions import real
from ..machinery.digits import NOTHING
from ..machinery.operators import sound
from ..value import Value

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm"]

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
        numbers = [
            p.data if type(p.data) is float else real(p.data, f"{_name(self.parameters, i)}.data")
            for i, p in enumerate(self.parameters)
            if not isinstance(p.data, Value) or sound(p)
        ]
        updates = [
            self.update(number, gradient, lr, *memory)
            for number, gradient, memory in zip(numbers, gradients, self._memories, strict=True)
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

    def state_dict(self) -> dict[str, Any]:
        """What it has counted and kept so far, as numbers that JSON can hold: with that a training goes on.

        Parameters, `lr` and the other options are not in it: the former are the model's, the latter are said again.

        >>> import json
        >>> from micrograd_plus.optim import Adam
        >>> w, loss = Value(3.0), lambda w: w * w
        >>> optimizer = Adam([w])
        >>> loss(w).backward()
        >>> optimizer.step()
        >>> kept = json.dumps([w.data, optimizer.state_dict()])
        >>> number, state = json.loads(kept)
        >>> again = Adam([Value(number)])
        >>> again.load_state_dict(state)
        >>> again.steps, again.state_dict() == optimizer.state_dict()
        (1, True)
        """
        memories = [list(memory) for memory in self._memories]
        return {"optimizer": type(self).__name__, "steps": self.steps, "memories": memories}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the optimizer was whose `state_dict` this is.

        ValueError, and nothing is changed, if that was another kind of optimizer, or had not as many parameters;
        TypeError if it is no such state.
        """
        if not isinstance(state, dict) or state.keys() != {"optimizer", "steps", "memories"}:
            raise TypeError(f"load_state_dict: expected what state_dict() gave, got {state!r}")
        if state["optimizer"] != type(self).__name__:
            raise ValueError(f"load_state_dict: the state is of {state['optimizer']}, this is {type(self).__name__}")
        steps, memories = state["steps"], state["memories"]
        if type(steps) is not int or steps < 0:
            raise ValueError(f"load_state_dict: steps: expected a whole number from 0 up, got {steps!r}")
        if not isinstance(memories, list) or len(memories) != len(self.parameters):
            found = len(memories) if isinstance(memories, list) else repr(memories)
            raise ValueError(
                f"load_state_dict: memories: expected {len(self.parameters)}, one a parameter, got {found}"
            )
        kept = []
        for i, memory in enumerate(memories):
            if not isinstance(memory, list | tuple) or len(memory) != self.memory:
                expected = f"{self.memory} number{'s' * (self.memory != 1)}"
                raise ValueError(f"load_state_dict: memories[{i}]: expected a list of {expected}, got {memory!r}")
            kept.append(tuple([_number(x, f"load_state_dict: memories[{i}]", FINITE) for x in memory]))
        self.steps, self._memories = steps, kept

    def zero_grad(self) -> None:
        """Set all gradients to zero, as is due before each backward pass: gradients add up."""
        for parameter in self.parameters:
            parameter.grad = NOTHING


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


# What they are given --------------------------------------------------------------------------------------------------

NOT_NEGATIVE = "from 0 up", lambda x: 0.0 <= x < inf
BELOW_1 = "from 0 up, and below 1", lambda x: 0.0 <= x < 1.0
FINITE = "that is finite", isfinite
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
        if parameter.left is not None or parameter.level:
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
