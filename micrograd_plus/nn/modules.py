"""Networks of Values: a neuron, a layer of neurons, layers behind each other. Names and meanings are PyTorch's.

A module's parameters are the Values among its attributes, and in the modules, lists, tuples, dicts and arrays among
these. Each is named by the way to it, as `layers.0.neurons.3.weights.1`, and has this name as its label. Attributes
whose names begin with an underscore are left out.
"""

from __future__ import annotations

import json
import operator
import os
import random
from abc import ABCMeta
from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from difflib import get_close_matches
from inspect import Signature, signature
from io import BytesIO
from math import isfinite, nan, sqrt
from reprlib import repr as short
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from warnings import warn

from ..draw import table, values_in, write
from ..functions import is_real
from ..machinery.digits import NOTHING, refuse_unordered
from ..machinery.trees import tree_map
from ..rules import FUNCTIONS, RULES
from ..value import Value

if TYPE_CHECKING:
    from ..machinery.signatures import Forward, Outputs, P, R, T

__all__ = ["MLP", "GradientReport", "Layer", "LayerGradients", "Module", "Neuron", "glorot", "gradient_report", "he"]
__all__ += ["uniform"]

Initialiser = Callable[[Any, int, int], float]
Self = TypeVar("Self", bound="Module")

FORMAT = "parameters of micrograd_plus"  # the first words of a file of parameters


class _Naming(ABCMeta):
    """What makes a module then labels its parameters; the outermost module does so last."""

    @property
    def __signature__(cls) -> Signature:  # for `help`, which would show that of __call__ here
        own = signature(cls.__init__)  # type: ignore[misc]
        return own.replace(parameters=list(own.parameters.values())[1:])

    def __call__(cls: type[T], *args: Any, **kwargs: Any) -> T:
        module: Any = type.__call__(cls, *args, **kwargs)
        for name, x in vars(module).items():
            for v in values_in(x) if name[0] != "_" else ():
                if v.left is not None and not v.level:
                    raise TypeError(
                        f"{cls.__name__}.{name} holds a Value that was computed, which is no parameter, and would "
                        f"never be trained: compute with numbers first, as self.{name} = Value({v.data!r})"
                    )
        for name, parameter in module.named_parameters():
            parameter.label = name
        return module  # type: ignore[no-any-return]


class Module(metaclass=_Naming):
    """A function with parameters; what derives from it says in `forward` what it makes of its inputs.

    (What overrides `__call__` instead, as programs for micrograd do, works as well, but drawings know nothing of it.)

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(10.0).data, line.state_dict()
    (21.0, {'slope': 2.0, 'offset': 1.0})
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if vars(cls).get("__slots__"):
            raise TypeError(f"{cls.__name__}: parameters are looked for among the attributes, leave __slots__ out")

    def __call__(self: Forward[P, R], *args: P.args, **options: P.kwargs) -> R:
        inputs: Any = args
        inputs = tuple([x[:] if type(x) is list else list(x) if hasattr(x, "__next__") else x for x in inputs])
        result: Any = self.forward(*inputs, **options)
        call = self, (inputs, options)  # for drawings: what was made on the way from these to the result
        for y in (result,) if type(result) is Value else result if type(result) is list else values_in(result):
            if type(y) is Value and y.left is not None:
                calls = y.rule.calls
                if not calls or all(module is not self for module, _ in calls):
                    y.rule = y.rule.marked(y.rule.label, (*calls, call))
        return result  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _repr_html_(self) -> str:
        """A table of the layers with the numbers of their parameters: what a notebook shows."""
        source = vars(self).get("_source", (self,))[0]  # of a network made by `bind`, which has no layers of its own
        rows = [(name, repr(module), len(parameters)) for name, module, parameters in _layers(source)]
        return table(["layer", "module", "parameters"], [*rows, ("", repr(self), len(self.parameters()))])

    # A network that keeps a result, as its last output, cannot be copied or saved with it: its history would be lost.

    def __copy__(self: Self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(vars(self))
        return other

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        _refuse_results(self)
        other = memo[id(self)] = object.__new__(type(self))
        other.__dict__.update(deepcopy(vars(self), memo))
        return other

    def __getstate__(self) -> Any:
        _refuse_results(self)
        return vars(self)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module makes of its inputs; calling the module calls this."""
        raise NotImplementedError(
            f"{type(self).__name__} has no method `forward` that says what it makes of its inputs"
        )

    _source: tuple[Module, dict[Value, Any]]  # of a network made by `bind`: of what, and its numbers

    def named_parameters(self) -> list[tuple[str, Any]]:
        """The parameters with their names; a parameter that has several places is listed once, at the first.

        ValueError if two have the same name.

        >>> [name for name, _ in Layer(1, 2).named_parameters()]
        ['neurons.0.weights.0', 'neurons.0.bias', 'neurons.1.weights.0', 'neurons.1.bias']
        """
        if "_source" in vars(self):
            original, numbers = self._source
            return [(name, numbers.get(parameter, parameter)) for name, parameter in original.named_parameters()]
        found: dict[int, tuple[str, Value]] = {}
        _collect(self, Value, "", found, set())
        names = set()
        for name, _ in found.values():
            if name in names:
                raise ValueError(f"{self!r}: two parameters have the name {name}")
            names.add(name)
        return list(found.values())

    def named_modules(self) -> list[tuple[str, Module]]:
        """This module, named "", and the modules in it, each after the one that it is part of.

        >>> [name for name, _ in MLP(2, [2, 1]).named_modules()]
        ['', 'layers.0', 'layers.0.neurons.0', 'layers.0.neurons.1', 'layers.1', 'layers.1.neurons.0']
        """
        found: dict[int, tuple[str, Module]] = {}
        _collect(self, Module, "", found, set())
        return list(found.values())

    def parameters(self) -> list[Any]:
        """The parameters, in the order of their names in `named_parameters`.

        >>> len(Layer(1, 2).parameters())
        4
        """
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set all gradients to zero, as is due before each backward pass: gradients add up.

        >>> neuron = Neuron(1, "linear")
        >>> neuron(3.0).backward()
        >>> neuron.bias.grad
        1.0
        >>> neuron.zero_grad()
        >>> neuron.bias.grad
        0.0
        """
        for parameter in self.parameters():
            if isinstance(parameter, Value):
                parameter.grad = NOTHING

    def state_dict(self) -> dict[str, float]:
        """The parameters' numbers by name.

        >>> Neuron(1, init=lambda generator, inputs, outputs: 0.5).state_dict()
        {'weights.0': 0.5, 'bias': 0.0}
        """
        return {name: p.data if isinstance(p, Value) else p for name, p in self.named_parameters()}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Set the parameters' numbers to these, by name; ValueError if one is missing, superfluous or no number.

        >>> neuron = Neuron(1)
        >>> neuron.load_state_dict({"weights.0": 3.0, "bias": -1.0})
        >>> neuron([2.0]).data
        5.0
        """
        parameters = self.named_parameters()
        _check_names(self, [name for name, _ in parameters], state)
        numbers = []
        for name, _ in parameters:
            if not is_real(state[name]) or isinstance(state[name], bool):
                raise ValueError(f"{self!r}: {name} must be a number, got {short(state[name])}")
            try:
                numbers.append(float(state[name]))
            except OverflowError:
                raise ValueError(f"{self!r}: {name} is too large for a float") from None
        if not all(isinstance(parameter, Value) for _, parameter in parameters):
            raise ValueError(f"{self!r} was bound to numbers that cannot be changed: bind others")
        for (_, parameter), number in zip(parameters, numbers, strict=True):
            parameter.data = number

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters' numbers to a JSON file.

        ValueError if one is nan or infinite; OSError from the disk.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Neuron(1, seed=1).save(f"{folder}/neuron.json")
        ...     neuron = Neuron(1, seed=2)
        ...     neuron.load(f"{folder}/neuron.json")
        >>> neuron.state_dict() == Neuron(1, seed=1).state_dict()
        True
        """
        state = {name: float(number) for name, number in self.state_dict().items()}
        for name, number in state.items():
            if not isfinite(number):
                raise ValueError(f"save: {name} is {number!r}, which JSON has no word for")
        write(path, json.dumps({"format": FORMAT, "module": repr(self), "parameters": state}, indent=1).encode())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set the parameters' numbers to those in a file that `save` wrote.

        ValueError if it is anything else, or of a network of another shape; a warning if it is of one that is described
        otherwise, as with another activation. OSError from the disk.
        """
        with open(path, "rb") as file:
            content = file.read()
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:  # also of bytes that are no characters
            raise ValueError(f"{os.fspath(path)}: this is not JSON, or not all of it: {error}") from None
        if not isinstance(document, dict) or document.get("format") != FORMAT or "parameters" not in document:
            raise ValueError(f"{os.fspath(path)}: this is JSON, but no file that `save` wrote")
        try:
            saved = document["parameters"]
            for name, x in saved.items() if isinstance(saved, dict) else ():
                if type(x) is float and not isfinite(x):  # Python's JSON has words for these
                    raise ValueError(f"{name} is {x!r}, which is no number to go on from")
            self.load_state_dict(saved)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}, saved from {document.get('module')}: {error}") from None
        if document.get("module") != repr(self):
            warn(f"{os.fspath(path)} was saved from {document.get('module')}, and this is {self!r}", stacklevel=2)
        elif "<lambda>" in repr(self):
            warn(
                f"{os.fspath(path)}: {self!r} may be another <lambda> than was saved; a function has a name",
                stacklevel=2,
            )

    def bind(self: Self, parameters: Sequence[Any] | dict[str, Any]) -> Self:
        """The same network over other numbers, of any kind, which may stand for inputs of a transform.

        `parameters` is a list in the order of `parameters()`, or a dict by name as of `state_dict`; ValueError if it is
        too long or too short, or has other names, or if an attribute is a function with parameters in its closure.

        >>> from micrograd_plus import grad
        >>> neuron = Neuron(2, activation="linear", seed=1)
        >>> grad(lambda p: neuron.bind(p)([5.0, 7.0]))([0.0, 0.0, 0.0])
        [5.0, 7.0, 1.0]
        """
        if "_source" in vars(self):
            return self._source[0].bind(parameters)  # type: ignore[return-value]
        if isinstance(parameters, dict):
            named = self.named_parameters()
            _check_names(self, [name for name, _ in named], parameters)
            numbers = {parameter: parameters[name] for name, parameter in named}
        else:
            mine, parameters = self.parameters(), list(parameters)
            if len(parameters) != len(mine):
                raise ValueError(f"{self!r}: bind expected {len(mine)} parameters, got {len(parameters)}")
            numbers = dict(zip(mine, parameters, strict=True))
        return _bound(self, numbers, {})  # type: ignore[no-any-return]


# The networks ---------------------------------------------------------------------------------------------------------


class Neuron(Module):
    """The weighted sum of its inputs and a bias, `w0 * x0 + w1 * x1 + ... + bias`, through an activation.

    It takes a list of `inputs` numbers, and returns a number. `activation` is the name of a function of one number, as
    "tanh", or "linear" for none, or such a function. `init` makes a weight from a random generator, the number of
    inputs and the number of neurons side by side, `width`; it is such a function, or "uniform" as in micrograd, or "he"
    or "glorot", of which the activation chooses one if you do not. `seed` is a number, a `random.Random`, or None for
    that of the module `random`. ValueError if a number is out of range, an activation unknown, or the inputs too few or
    too many; TypeError if an input is no number.

    >>> neuron = Neuron(2, activation="tanh", seed=1)
    >>> neuron.load_state_dict({"weights.0": 1.0, "weights.1": -1.0, "bias": 0.5})
    >>> neuron([3.0, 3.5])
    Value(data=0.0, grad=0.0)
    """

    def __init__(
        self,
        inputs: int,
        activation: str | Callable[[Any], Any] = "relu",
        *,
        width: int = 1,
        init: str | Initialiser | None = None,
        seed: int | random.Random | None = None,
    ) -> None:
        name, self.activation = _chosen("activation", activation, ACTIVATIONS)
        self._text = f"{inputs}, {_shown(activation)}"
        _, make = _chosen("init", init or ("he" if name in RECTIFIERS else "glorot"), INITIALISERS)
        generator, inputs, width = _generator(seed), _positive(inputs, "inputs"), _positive(width, "width")
        self.weights = [Value(make(generator, inputs, width)) for _ in range(inputs)]
        self.bias = Value(0.0)

    def forward(self, inputs: Any) -> Value:
        inputs = _numbers(inputs, len(self.weights), self)
        total = self.bias
        for weight, x in zip(self.weights, inputs, strict=True):
            total = total + weight * x
        return self.activation(total)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Neuron({self._text})"


class Layer(Module):
    """Neurons side by side, each of which sees all inputs.

    It takes a list of `inputs` numbers and returns a list of `outputs` numbers, or the number itself if it is one. The
    other arguments, and what is raised, are those of `Neuron`.

    >>> len(Layer(2, 3).parameters())
    9
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: str | Callable[[Any], Any] = "relu",
        *,
        init: str | Initialiser | None = None,
        seed: int | random.Random | None = None,
    ) -> None:
        generator, width = _generator(seed), _positive(outputs, "outputs")
        self.neurons = [Neuron(inputs, activation, width=width, init=init, seed=generator) for _ in range(width)]
        self._text = f"{inputs}, {outputs}, {_shown(activation)}"

    def forward(self, inputs: Any) -> Outputs:
        numbers = _numbers(inputs, len(self.neurons[0].weights), self)
        outputs = [neuron(numbers) for neuron in self.neurons]
        return outputs if len(outputs) > 1 else outputs[0]  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"Layer({self._text})"


class MLP(Module):
    """A multi-layer perceptron: layers of the given `widths`, each of which feeds the next.

    It takes a list of `inputs` numbers and returns a list of as many numbers as the last width says, or the number
    itself if it is one. `activation` is that of the hidden layers, `output_activation` that of the last one. The other
    arguments, and what is raised, are those of `Neuron`.

    >>> model = MLP(2, [16, 16, 1], activation="tanh", seed=1)
    >>> len(model.parameters()), model.named_parameters()[-1][0]
    (337, 'layers.2.neurons.0.bias')
    >>> type(model([0.5, -0.5])).__name__
    'Value'
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        activation: str | Callable[[Any], Any] = "relu",
        output_activation: str | Callable[[Any], Any] = "linear",
        *,
        init: str | Initialiser | None = None,
        seed: int | random.Random | None = None,
    ) -> None:
        if not isinstance(widths, list | tuple) or not widths:
            raise ValueError(f"MLP: widths must be a list with the number of neurons of each layer, got {widths!r}")
        _chosen("activation", activation, ACTIVATIONS)  # of one layer alone, nobody else would look at it
        _chosen("output_activation", output_activation, ACTIVATIONS)
        generator, last = _generator(seed), len(widths) - 1
        self.layers = [
            Layer(n, width, output_activation if i == last else activation, init=init, seed=generator)
            for i, (n, width) in enumerate(zip([inputs, *widths], widths, strict=False))
        ]
        self._text = f"{inputs}, {list(widths)}, {_shown(activation)}, {_shown(output_activation)}"

    def forward(self, inputs: Any) -> Outputs:
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"MLP({self._text})"


# Initial weights ------------------------------------------------------------------------------------------------------


def he(generator: Any, inputs: int, outputs: int) -> float:
    """A normal number of variance 2 / inputs: behind relu, which halves it, the size of the signal stays the same.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015. `generator` has the methods of `random.Random`.

    >>> round(he(random.Random(1), 2, 16), 6)
    1.288185
    """
    return float(generator.gauss(0.0, sqrt(2.0 / inputs)))


def glorot(generator: Any, inputs: int, outputs: int) -> float:
    """A uniform number of variance 2 / (inputs + outputs): a compromise between what keeps signals and gradients.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    >>> round(glorot(random.Random(1), 2, 16), 6)
    -0.4222
    """
    bound = sqrt(6.0 / (inputs + outputs))
    return float(generator.uniform(-bound, bound))


def uniform(generator: Any, inputs: int, outputs: int) -> float:
    """A uniform number from -1 to 1, whatever the size of the layer: micrograd's weights, in micrograd's order.

    >>> uniform(random.Random(1), 2, 16) == random.Random(1).uniform(-1, 1)
    True
    """
    return float(generator.uniform(-1.0, 1.0))


def linear(x: Any) -> Any:
    """No activation: `x` itself.

    >>> linear(2.0)
    2.0
    """
    return x


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"linear": linear}
ACTIVATIONS |= {  # all functions of one number, and those of two, like leaky_relu, of which the second has a default
    name: FUNCTIONS[name]
    for name, rule in RULES.items()
    if not rule.sequences and ("{y}" not in rule.template or rule.partials.__defaults__)
}
INITIALISERS = {"he": he, "glorot": glorot, "uniform": uniform}
RECTIFIERS = {"relu", "leaky_relu", "elu", "gelu", "silu", "softplus"}  # for these, the weights of He


def _chosen(what: str, given: Any, named: dict[str, Any]) -> tuple[str, Any]:
    """The function that is `given` by its name or by itself, with its name."""
    if callable(given):
        return getattr(given, "__name__", ""), given
    if not isinstance(given, str) or given not in named:
        near = get_close_matches(str(given).lower(), named)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(named)}"
        raise ValueError(f"{what}: there is no {given!r}; {hint}")
    return given, named[given]


def _shown(activation: Any) -> str:
    """An activation as it is written in a program."""
    return getattr(activation, "__name__", repr(activation)) if callable(activation) else repr(activation)


def _generator(seed: Any) -> Any:
    if seed is None or seed is random or isinstance(seed, random.Random):
        return seed or random
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"seed: expected a whole number, a random.Random or None, got {seed!r}")
    return random.Random(operator.index(seed))


# How gradients fare ---------------------------------------------------------------------------------------------------


class LayerGradients(NamedTuple):
    """A row of a `GradientReport`: the parameters of one layer, and how large their gradients are.

    `zeros` is the share of gradients that are 0, `ratio` the mean gradient in units of the mean weight.

    >>> LayerGradients("layers.0", 3, 0.5, 1.0, 0.25, 0.1).mean
    0.5
    """

    name: str
    parameters: int
    mean: float
    largest: float
    zeros: float
    ratio: float


class GradientReport(list[LayerGradients]):
    """The gradients of each layer: a list of `LayerGradients` that prints as a table.

    >>> print(GradientReport([LayerGradients("layers.0", 3, 0.5, 1.0, 0.25, 0.1)]))
    layer     parameters  mean |grad|  largest |grad|  zeros  |grad| / |weight|
    layers.0           3     5.00e-01        1.00e+00    25%           1.00e-01
    """

    def __str__(self) -> str:
        wide = max([5, *(len(row.name) for row in self)])
        lines = [f"{'layer':{wide}}  parameters  mean |grad|  largest |grad|  zeros  |grad| / |weight|"]
        for name, parameters, mean, largest, zeros, ratio in self:
            lines.append(f"{name:{wide}}  {parameters:10}  {mean:11.2e}  {largest:14.2e}  {zeros:5.0%}  {ratio:17.2e}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The same table, as a notebook shows it."""
        rows = [
            (name, n, f"{m:.2e}", f"{x:.2e}", f"{zeros:.0%}", f"{ratio:.2e}") for name, n, m, x, zeros, ratio in self
        ]
        return table(["layer", "parameters", "mean |grad|", "largest |grad|", "zeros", "|grad| / |weight|"], rows)

    def plot(self) -> Any:
        """The mean and the largest gradient of each layer on a logarithmic scale, as a figure of matplotlib's.

        It shows itself in a notebook. ImportError if matplotlib is missing.
        """
        try:
            from matplotlib.figure import Figure
        except ModuleNotFoundError as error:
            raise ImportError(
                "plot: it needs matplotlib: pip install matplotlib, or in a clone pip install -e '.[examples]'"
            ) from error

        class Picture(Figure):
            def _repr_png_(self) -> bytes:
                """What a notebook shows, also without the line `%matplotlib inline`."""
                self.savefig(file := BytesIO(), format="png")
                return file.getvalue()

        figure = Picture((1.5 + 0.7 * len(self), 3.6), layout="constrained")
        axes = figure.subplots()
        names = [row.name or "model" for row in self]
        axes.plot(names, [row.largest for row in self], "o-", color="#e69f00", label="largest")
        axes.plot(names, [row.mean for row in self], "o-", color="#0072b2", label="mean")
        axes.set(yscale="log" if any(row.largest for row in self) else "linear", ylabel="|grad|")
        axes.tick_params("x", rotation=45)
        axes.legend()
        return figure


def gradient_report(model: Module) -> GradientReport:
    """How large the gradients of each layer are: to be asked after a backward pass.

    A layer is a module that is no neuron, with the parameters that are in no smaller one.

    TypeError if `model` is no Module, ValueError if it was bound to plain numbers.

    >>> model = Layer(1, 2, "linear", init=lambda generator, inputs, outputs: 4.0)
    >>> (model([3.0])[0] ** 2).backward()
    >>> print(gradient_report(model))
    layer  parameters  mean |grad|  largest |grad|  zeros  |grad| / |weight|
                    4     2.40e+01        7.20e+01    50%           1.20e+01
    """
    if not isinstance(model, Module):
        raise TypeError(f"gradient_report: expected a Module, got {model!r}")
    if not all(isinstance(parameter, Value) for parameter in model.parameters()):
        raise ValueError(f"gradient_report: {model!r} was bound to numbers that have no gradients")
    report = GradientReport()
    for layer, _, parameters in _layers(model):
        grads, sizes = [[abs(x) for x in xs] for xs in ([p.grad for p in parameters], [p.data for p in parameters])]
        ratio = sum(grads) / sum(sizes) if sum(sizes) else nan
        largest = max(grads) if sum(grads) == sum(grads) else nan
        row = len(grads), sum(grads) / len(grads), largest, grads.count(0.0) / len(grads), ratio
        report.append(LayerGradients(layer, *row))
    return report


def _layers(model: Module) -> list[tuple[str, Module, list[Any]]]:
    """The modules that are no neurons, with their names and those of their parameters that are in no smaller one."""
    modules = [
        (name, module) for name, module in model.named_modules() if module is model or not isinstance(module, Neuron)
    ]
    owners: dict[int, int] = {}
    for i, (_, module) in enumerate(modules):
        owners |= dict.fromkeys(map(id, module.parameters()), i)  # a smaller module comes later, and takes its own
    parameters = {id(p): p for p in model.parameters()}
    return [
        (name, module, mine)
        for i, (name, module) in enumerate(modules)
        if (mine := [p for key, p in parameters.items() if owners[key] == i])
    ]


# What a module needs --------------------------------------------------------------------------------------------------


def _collect(tree: Any, kind: type, name: str, found: dict[int, tuple[str, Any]], seen: set[int]) -> None:
    """Add all Values or all Modules in a module to `found`, each with the name of its first place."""
    if isinstance(tree, kind) and (not isinstance(tree, Value) or tree.left is None):  # a stored result is no parameter
        found.setdefault(id(tree), (name, tree))
    if isinstance(tree, Module):
        if id(tree) in seen:
            return
        seen.add(id(tree))
        items: Any = [(key, x) for key, x in vars(tree).items() if key[0] != "_"]
    elif isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list | tuple) or _is_array_of_objects(tree):
        items = enumerate(tree)
    else:
        return
    for key, x in items:
        _collect(x, kind, f"{name}.{key}" if name else str(key), found, seen)


def _refuse_results(module: Module) -> None:
    """TypeError, with its name, if an attribute is a Value that was computed."""
    for name, x in vars(module).items():
        if any(v.left is not None and not v.level for v in values_in(x)):
            raise TypeError(
                f"{type(module).__name__}.{name} keeps a Value that was computed, whose history no copy has: "
                f"keep its number, self.{name} = y.data, or delete it before"
            )


def _bound(tree: Any, numbers: dict[Value, Any], copies: dict[int, Any]) -> Any:
    """The same structure, with other numbers in the places of Values."""
    if isinstance(tree, Value):
        return numbers.get(tree, tree)
    if isinstance(tree, Module):
        if id(tree) not in copies:
            module = copies[id(tree)] = object.__new__(type(tree))
            for key, x in vars(tree).items():
                module.__dict__[key] = x if key == "_source" else _bound(x, numbers, copies)
            module.__dict__["_source"] = tree, numbers
        return copies[id(tree)]
    if isinstance(tree, dict | list | tuple):
        keys = list(tree) if isinstance(tree, dict) else range(len(tree))
        items = [_bound(tree[key], numbers, copies) for key in keys]
        if all(item is tree[key] for key, item in zip(keys, items, strict=True)):
            return tree  # there is no parameter in it
        if isinstance(tree, dict):
            result = copy(tree)
            result.update(zip(keys, items, strict=True))
            return result
        return tree._make(items) if hasattr(tree, "_make") else type(tree)(items)  # a namedtuple makes itself
    if isinstance(tree, MethodType):
        return MethodType(tree.__func__, _bound(tree.__self__, numbers, copies))
    if isinstance(tree, FunctionType):
        kept = [cell.cell_contents for cell in tree.__closure__ or ()]
        if any(isinstance(x, Module) or (isinstance(x, Value) and x in numbers) for x in kept):
            raise ValueError(f"bind: {tree.__qualname__} keeps the old parameters in its closure; make it a method")
    return tree_map(lambda x: _bound(x, numbers, copies), tree) if _is_array_of_objects(tree) else tree


def _is_array_of_objects(x: Any) -> bool:
    return getattr(getattr(x, "dtype", None), "kind", "") == "O" and x.shape != ()


def _check_names(module: Module, names: list[str], state: Any) -> None:
    if not isinstance(state, dict):
        raise ValueError(f"{module!r}: expected a dict of numbers by name, got {short(state)}")
    missing, extra = [name for name in names if name not in state], sorted(map(str, state.keys() - set(names)))
    if missing or extra:
        lists = [(missing, "there is no"), (extra, "there is no place for")]
        told = [f"{text} {', '.join(some[:3])}{' ...' * (len(some) > 3)}" for some, text in lists if some]
        raise ValueError(f"{module!r}: among the {len(state)} parameters given, {' and '.join(told)}")


def _numbers(inputs: Any, n: int, module: Module) -> list[Any]:
    """The inputs as a list of n numbers; one number stands for a list of one."""
    if type(inputs) is not list:
        refuse_unordered(inputs, type(module).__name__)
    if hasattr(inputs, "tolist"):
        inputs = inputs.tolist()  # Python's floats are faster than NumPy's
    numbers = inputs if type(inputs) is list else list(inputs) if hasattr(inputs, "__iter__") else [inputs]
    if len(numbers) != n or hasattr(numbers[0], "__len__"):
        several = any(isinstance(x, list | tuple) for x in numbers)
        batch = "; for a batch write [model(x) for x in batch]" if several else ""
        raise ValueError(f"{module!r}: expected {n} numbers, got {len(numbers)}: {short(numbers)}{batch}")
    return numbers


def _positive(n: Any, name: str) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__") or n < 1:
        raise ValueError(f"{name}: expected a whole number from 1 up, got {n!r}")
    return operator.index(n)
