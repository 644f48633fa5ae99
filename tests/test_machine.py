"""Everything at once, on one pool of Values: what a user may do to them, in any order, beside a naive model.

The model knows nothing of rules, tapes and levels. Of each Value it keeps a record: its numbers, its operands, and its
partial derivatives, which mpmath takes from the operation at 50 digits at the moment when it runs. A gradient comes by
recursion from a record to those that were made from it, up to the root. After every step, all Values of the pool must
be exactly as the model has them; what a step computed anew is compared first, up to rounding errors.
"""

import copy
import functools
import html
import math
import operator
import pickle
import re
import sys
import warnings
from collections import Counter
from dataclasses import dataclass

import mpmath
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

import micrograd_plus as mg
from micrograd_plus import Value, derivative, draw_dot, grad, hessian, jvp, value_and_grad, vjp
from micrograd_plus.draw import formula
from micrograd_plus.machinery.digits import NOTHING
from micrograd_plus.tape import operands, tape

mp = mpmath.mp.clone()
mp.dps = 50


def softmax(*x):
    return mp.exp(x[0]) / mp.fsum(map(mp.exp, x))


UNARY = {name: getattr(mp, name) for name in ("exp", "expm1", "log", "sqrt", "sin", "tanh", "atan")}
UNARY |= {"neg": operator.neg, "abs": abs, "relu": lambda x: max(x, mp.zero), "sigmoid": lambda x: 1 / (1 + mp.exp(-x))}
SLOPES_AT_0 = {mp.sqrt: math.inf, UNARY["relu"]: 0.0}  # where there is none: a choice
SIGNS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}
BINARY = {name: getattr(operator, name) for name in SIGNS} | {"maximum": max, "minimum": min, "hypot": mp.hypot}
SEQUENCES = {
    "sum": lambda *x: mp.fsum(x),
    "dot": lambda *x: mp.fdot(x[: len(x) // 2], x[len(x) // 2 :]),
    "logsumexp": lambda *x: mp.log(mp.fsum(map(mp.exp, x))),
    "softmax": softmax,
    "log_softmax": lambda *x: mp.log(softmax(*x)),
}

OPERATIONS = UNARY | BINARY | SEQUENCES


def over_sequences(name, *xs):
    """The operation as a user writes it."""
    half = len(xs) // 2
    result = mg.dot(xs[:half], xs[half:]) if name == "dot" else getattr(mg, name)(xs)
    return result[0] if isinstance(result, list) else result


# What a user may differentiate, and how: the derivative of a formula, of some order in t and in v, times a seed s. All
# derivatives of the formulas depend on all variables; the last formula has none, as log refuses its operand.
FORMULAS = [
    "sin(t * v * w)",
    "tanh(t * v + w) * exp(w * t)",
    "exp(t * v) / (1 + w * w * t * t)",
    "log(-exp(t * v * w))",
]
TRANSFORMS = {
    "derivative": ((1, 0), lambda f, t, v, s: derivative(lambda t: f(t, v))(t) * s),
    "grad": ((0, 1), lambda f, t, v, s: s * grad(f, argnums=1)(t, v)),
    "value_and_grad": ((0, 0), lambda f, t, v, s: s * value_and_grad(f)(t, v)[0]),
    "jvp": ((1, 0), lambda f, t, v, s: jvp(lambda t: f(t, v), (t,), (s,))[1]),
    "vjp, pulled twice": ((0, 1), lambda f, t, v, s: [pull(x) for pull in [vjp(f, t, v)[1]] for x in (5.0, s)][1][1]),
    "derivative of grad": ((2, 0), lambda f, t, v, s: s * derivative(grad(lambda t: f(t, v)))(t)),
    "derivative in grad": ((1, 1), lambda f, t, v, s: s * grad(lambda v: derivative(lambda t: f(t, v))(t))(v)),
    "hessian": ((1, 1), lambda f, t, v, s: hessian(lambda p: f(p["t"], p["v"]))({"t": t, "v": v})["t"]["v"] * s),
}
COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}
REFUSED = [
    lambda value: setattr(value, "label", 3),
    lambda value: value.backward("1.0"),
    lambda value: value * 1j,
    lambda value: draw_dot(value, max_nodes=0),
    float,
]

# The model ------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Record:
    """What the model knows of a Value."""

    value: Value
    data: float
    tangent: float | None = None
    grad: float = 0.0
    label: str = ""
    name: str = ""  # of its operation; the empty string also for what a transform made
    operands: tuple = ()  # records and constants
    partials: tuple = ()
    size: float = 0.0  # of what may cancel in the data and the partials

    def edges(self):
        """The operands that are records, each with the partial and the size that its rounding error is a part of."""
        pairs = zip(self.operands, self.partials, strict=True)
        return [(x, (partial, abs(partial) + self.size)) for x, partial in pairs if isinstance(x, Record)]


class OutOfRange(Exception):
    """A number is so large, so small or so steep that the tolerances here do not hold."""


def in_range(*numbers, least=1e-25, most=1e6):
    if not all(x == 0.0 or least < abs(x) < most for x in numbers):
        raise OutOfRange
    return numbers


def exact(function, *numbers):
    """ValueError or ZeroDivisionError if there is no real number."""
    result = mp.convert(function(*numbers))
    if not (isinstance(result, mp.mpf) and mp.isfinite(result)):
        raise ValueError(result)
    return result


def slope(function, numbers, *orders):
    try:
        result = exact(lambda *x: mp.diff(function, x, orders), *numbers)
    except (ValueError, ArithmeticError):
        raise OutOfRange from None
    return in_range(float(result) if abs(result) > 1e-60 else 0.0)[0]  # for 0, mp.diff may give its step's square


def of_operation(function, operands):
    """The number, and the partial derivatives with respect to the operands that are records."""
    numbers = in_range(*[mp.mpf(getattr(x, "data", x)) for x in operands])
    (result,) = in_range(exact(function, *numbers))
    if numbers == (0.0,) and function in SLOPES_AT_0:
        return result, (SLOPES_AT_0[function],)
    units = [[int(i == j) for j in range(len(numbers))] for i in range(len(numbers))]
    pairs = zip(operands, units, strict=True)
    return result, tuple(slope(function, numbers, *unit) if isinstance(x, Record) else 0.0 for x, unit in pairs)


def of_transform(text, orders, operands):
    function = eval(f"lambda t, v, w: {text}", {name: getattr(mp, name) for name in ("exp", "log", "sin", "tanh")})
    *point, seed = in_range(*[mp.mpf(getattr(x, "data", x)) for x in operands], most=20.0)
    exact(function, *point)
    (m, n), at = orders, functools.partial(slope, function, point)
    factors = at(m, n, 0), at(m + 1, n, 0), at(m, n + 1, 0), at(m, n, 1)
    result, *partials = in_range(*[float(seed * factor) for factor in factors])
    return result, (*partials, factors[0])


def chained(*links):
    """The sum of numbers times partials, each with its size: a zero passes nothing on, not even to infinity."""
    terms = [a * b for (a, _), (b, _) in links if a and b]
    sizes = [a * b for (_, a), (_, b) in links if a and b]
    return sum(terms, 0.0), sum(sizes, 0.0)


def near(actual, expected, size):
    return actual == expected or not size < math.inf or abs(actual - expected) <= 1e-9 * size + 1e-30


def written(name, texts):
    """The operation as a drawing writes it."""
    if name in SIGNS:
        return f" {SIGNS[name]} ".join(f"({text})" if text.startswith("-") else text for text in texts)
    return f"-{texts[0]}" if name == "neg" else f"{name}({', '.join(texts)})"


# Both, side by side ---------------------------------------------------------------------------------------------------


class Pool(RuleBasedStateMachine):
    values, results = both = Bundle("values"), Bundle("results")  # all, and those from which the graphs grow
    numbers = st.sampled_from([0.0, 1.0, 2, -1.0, 0.5, -3.0]) | st.floats(-3.0, 3.0, width=16)
    constants = st.sampled_from([1.0, 2, -1.0, 0.5, -3.0])
    operands = values | results | st.just(0.0) | constants
    labels = st.sampled_from(["", "w", "x", "<b>&"])

    def __init__(self):
        super().__init__()
        self.records, self.kept = [], []

    @invariant()
    def every_value_is_as_the_model_has_it(self):
        for x in self.records:
            tangent = 0.0 if x.tangent is None else x.tangent
            seen = x.value.data, x.value.grad, x.value.tangent, x.value.label
            assert repr(seen) == repr((x.data, x.grad, tangent, x.label))

    def add(self, value, data, **known):
        self.records.append(Record(value, data, **known))
        return self.records[-1]

    def reached(self, root):
        """The records that the root was made from, and itself, in the order in which they were made."""
        found = {root}
        for record in reversed(self.records):
            if record in found:
                found.update(x for x, _ in record.edges())
        return [record for record in self.records if record in found]

    # Building ---------------------------------------------------------------------------------------------------------

    @rule(target=values, data=numbers, tangent=numbers, label=labels)
    def leaf(self, data, tangent, label):
        moving = {"tangent": float(tangent)} if tangent else {}  # a tangent of 0 is none
        return self.add(Value(data, tangent=tangent, label=label), float(data), **moving, label=label)

    def build(self, run, model, operands, name=""):
        """Let `run` make a Value of the operands and `model` a number and the partials; they agree, or both refuse."""
        values = [getattr(x, "value", x) for x in operands]
        try:
            data, partials = model(operands)
        except OutOfRange:
            return multiple()
        except (ValueError, ArithmeticError):
            with pytest.raises((ValueError, ArithmeticError)):
                run(*values)
            return multiple()
        value = run(*values)
        size = 0.0 if name else 1.0 + max(map(abs, (data, *partials)))
        assert type(value) is Value
        assert near(value.data, float(data), abs(float(data)) + size)
        record = self.add(value, value.data, name=name, operands=operands, partials=partials, size=size)
        moving = [(x.tangent, link) for x, link in record.edges() if x.tangent is not None]
        assert near(value.tangent, *chained(*[((tangent, abs(tangent)), link) for tangent, link in moving]))
        record.tangent = value.tangent if value.tangent is not NOTHING else None
        return record

    def operate(self, name, *operands):
        base = name.removeprefix("i")  # iadd, imul: in place
        run = getattr(operator, name, None) or getattr(mg, base)
        if name in SEQUENCES:
            run = functools.partial(over_sequences, name)
        return self.build(run, functools.partial(of_operation, OPERATIONS[base]), operands, base)

    @initialize(targets=both, data=numbers)
    def twice_a_leaf(self, data):
        x = self.add(Value(data), float(data))
        return self.operate("add", x, x)

    @rule(targets=both, name=st.sampled_from(sorted(UNARY)), x=results)
    def unary(self, name, x):
        return self.operate(name, x)

    @rule(targets=both, name=st.sampled_from([*BINARY, "iadd", "imul"]), x=results, y=operands, swapped=st.booleans())
    def binary(self, name, x, y, swapped):
        return self.operate(name, *((y, x) if swapped else (x, y)))

    @rule(targets=both, name=st.sampled_from(sorted(SEQUENCES)), x=results, more=st.lists(operands, max_size=3))
    def sequence(self, name, x, more):
        return self.operate(name, x, *more, *([*more, x] if name == "dot" else []))

    @rule(targets=both, tangent=numbers, product=st.sampled_from(["x * 0", "0 * x", "dot"]))
    def steep_after_zero_and_zero_after_steep(self, tangent, product):
        def times_0(x):
            zeros = {"x * 0": ("mul", x, 0.0), "0 * x": ("mul", 0.0, x), "dot": ("dot", x, 0.0, 0.0, 0.0)}
            return self.operate(*zeros[product])

        flat, steep = times_0(self.leaf(0.0, tangent, "")), self.operate("sqrt", self.leaf(0.0, tangent, ""))
        return multiple(self.operate("sqrt", flat), times_0(steep))

    @rule(
        targets=both,
        name=st.sampled_from(sorted(TRANSFORMS)),
        text=st.sampled_from(FORMULAS),
        v=values,
        others=st.tuples(*[values | constants] * 3),
    )
    def transform(self, name, text, v, others):
        orders, run = TRANSFORMS[name]
        function = eval(f"lambda t, v, w: {text}", dict(vars(mg)))

        def of_values(t, v, w, s):
            def f(t, v):
                self.kept = [x for x in (t, v) if isinstance(x, Value) and x.level]
                return function(t, v, w)

            return run(f, t, v, s)

        t, w, s = others
        return self.build(of_values, functools.partial(of_transform, text, orders), (t, v, w, s))

    @rule(target=values, x=values, how=st.sampled_from(sorted(COPIES)))
    def duplicate(self, x, how):
        if x.value.left is not None:
            with pytest.raises(TypeError, match="was computed"):
                COPIES[how](x.value)
            return multiple()
        return self.add(COPIES[how](x.value), float(x.data), tangent=x.tangent, grad=x.grad, label=x.label)

    # Using ------------------------------------------------------------------------------------------------------------

    @rule(root=results | values, seed=numbers, within=st.booleans(), times=st.integers(1, 2), data=st.none() | numbers)
    def backward(self, root, seed, within, times, data):
        """Perhaps within a transform, or after the data of all have changed, or twice."""
        if data is not None:
            self.change_all_it_was_made_of(root, "data", data)
        for _ in range(times):
            if within:
                derivative(lambda t: root.value.backward(seed) or t)(1.0)
            else:
                root.value.backward(seed)
            self.compare_gradients(root, seed)

    def teardown(self):
        """In the end, if all went well, a sweep from every result, long after the data have changed."""
        if sys.exc_info()[0] is None:
            for root in [x for x in self.records if x.operands]:
                self.backward(root, seed=1.0, within=False, times=1, data=1.75)
            self.every_value_is_as_the_model_has_it()

    def compare_gradients(self, root, seed):
        reached = self.reached(root)

        @functools.cache
        def arriving(record):
            links = [(arriving(user), link) for user in reached for x, link in user.edges() if x is record]
            return (float(seed), abs(seed)) if record is root else chained(*links)

        for x in reached:
            gradient, size = arriving(x)
            if not x.operands:  # gradients add up in the leaves
                gradient, size = gradient + x.grad, size + abs(x.grad)
            assert near(x.value.grad, gradient, size), (x.value, gradient)
            x.grad = x.value.grad

    @rule(x=values, name=st.sampled_from(["data", "grad", "tangent"]), number=numbers)
    def change_all_it_was_made_of(self, x, name, number):
        for y in self.reached(x):
            setattr(y.value, name, number)
            setattr(y, name, number)

    @rule(x=values, label=labels)
    def name(self, x, label):
        x.value.label = x.label = label

    @rule(root=results)
    def look(self, root):
        """Drawings, walks, and what is refused change nothing."""
        for refused in REFUSED:
            with pytest.raises((TypeError, ValueError)):
                refused(root.value)
        for value in self.kept:
            with pytest.raises(TypeError, match="inside of a transform"):
                (value * root.value).backward()
        reached = self.reached(root)
        source = draw_dot(root.value, number="{!r}").source
        boxes = [line for line in source.splitlines() if "<TABLE" in line]
        drawn = Counter(tuple(re.findall("<B>(.*?)</B>|  (.*?)</TD>", line)) for line in boxes)
        expected = Counter()
        for x in reached:
            numbers = [repr(number) for number in (x.data, x.grad, x.tangent) if number is not None]
            expected[tuple([(html.escape(x.label), "")] * bool(x.label) + [("", text) for text in numbers])] += 1
        assert drawn >= expected
        assert drawn == expected or any(x.operands and not x.name for x in reached)  # a transform makes more Values
        count = len(boxes) + source.count("shape=plaintext")
        assert draw_dot(root.value, number="{!r}", max_nodes=count).source == source
        with pytest.raises(ValueError, match=f"draw_dot: {count} nodes"):
            draw_dot(root.value, max_nodes=count - 1)

        order = [id(node) for node in tape(root.value)]
        places = [order.index(id(x.value)) for x in reached]
        assert len(set(order)) == len(order) == len(boxes)
        for x, place in zip(reached, places, strict=True):
            seen = [operand for operand, partial in operands(x.value) if partial is not None]
            assert all(order.index(id(operand)) < place for operand in seen)
            if x.name:
                assert [id(operand) for operand in seen] == [id(y.value) for y, _ in x.edges()]
            if x.name and x.name not in SEQUENCES:
                texts = [(y.label or "·") if isinstance(y, Record) else repr(float(y)) for y in x.operands]
                assert formula(x.value.rule, texts) == written(x.name, texts)


def test_a_pool_of_values_is_at_every_moment_as_a_naive_model_has_it():
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # a zero may meet infinity, on purpose
        run_state_machine_as_test(Pool, settings=settings(stateful_step_count=30))
