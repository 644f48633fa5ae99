"""Random expressions: what they are, what they run on, and that wrong rules do not hide from them."""

import copy
import inspect
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import mpmath
import pytest
import sympy
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.machinery import fast
from micrograd_plus.nn import MLP
from micrograd_plus.rules import RULES
from micrograd_plus.testing import check_grads
from micrograd_plus.testing.strategies import Expression, expressions, networks, points, values

QUICK = settings(
    max_examples=1000, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)

# What an expression is ------------------------------------------------------------------------------------------------


def one(name, count=None):
    """The expression of one operation on so many variables, by default as many as it takes, or three."""
    count = count or RULES[name].partials.__code__.co_argcount or 4
    return Expression(tuple("wxyz"[:count]), ((name, tuple(range(count))),), tuple([0.5] * count))


@cache
def drawn(name):
    """Some expression of this operation alone."""
    first = settings(QUICK, phases=[Phase.generate])
    return find(expressions([name], ["x", "y"], max_size=3), lambda f: f.operations, settings=first)


@given(st.data())
def test_what_is_printed_can_be_pasted_and_gives_the_same_numbers_and_gradients(data):
    f = data.draw(expressions(smooth=data.draw(st.booleans())))
    point = data.draw(points(f))
    pasted = eval(repr(f), {"mg": mg})
    assert repr(pasted(*point)) == repr(f(*point))
    every = tuple(range(len(point)))
    assert mg.value_and_grad(pasted, every)(*point) == mg.value_and_grad(f, every)(*point)


@given(st.data())
def test_an_expression_has_only_the_variables_operations_and_size_that_it_was_asked_for(data):
    f = data.draw(expressions(["mul", "sin", "relu"], ["a", "b"], max_size=5))
    assert set(f.operations) <= {"mul", "sin", "relu"}
    assert len(f.operations) <= 5
    assert set(f.variables) <= {"a", "b"}
    assert list(inspect.signature(f).parameters) == list(f.variables)
    assert all(name in str(f) for name in f.variables)
    assert len(data.draw(points(f))) == len(f.point) == len(f.variables)


@pytest.mark.parametrize("smooth", [True, False])
def test_values_and_slopes_stay_within_their_limits_and_smooth_points_away_from_kinks(smooth):
    @given(st.data())
    def check(data):
        f = data.draw(expressions(smooth=smooth))
        point = data.draw(points(f))
        nodes = f.nodes(*point)
        limit = 30.0 if smooth else 1e6
        for (name, operands), value in zip(f.lines, nodes[len(point) :], strict=True):
            x = [nodes[x] if isinstance(x, int) else x for x in operands]
            slopes = zip(operands, RULES[name].partials(*x)[1:], strict=True)
            # of polygamma by its order, which is a constant, there is no slope
            assert all(abs(number) <= limit for number in (value, *[d for of, d in slopes if isinstance(of, int)]))
            if smooth and name in ("abs", "sign", "step", "relu", "leaky_relu"):
                assert abs(x[0]) > 0.01
            if smooth and name in ("maximum", "minimum"):
                assert abs(x[0] - x[1]) > 0.01
            if smooth and name in ("floor", "ceil"):
                assert abs(x[0] - round(x[0])) > 0.01

    check()


@pytest.mark.parametrize(("smooth", "limit"), [(True, 30.0), (False, 1e6)])
def test_the_largest_value_is_drawn_and_none_above_it(smooth, limit):
    f = Expression(("x",), (("mul", (0, limit)),), (0.5,), smooth)
    assert find(points(f), lambda point: abs(point[0]) == 1.0, settings=QUICK)
    with pytest.raises(NoSuchExample):
        find(points(f), lambda point: abs(point[0]) > 1.0, settings=QUICK)


@pytest.mark.parametrize(
    ("line", "is_too_near"),
    [
        (("mod", (0, 0.5)), lambda x: abs(2.0 * x - round(2.0 * x)) < 0.01),
        (("hypot", (0, 0.0)), lambda x: abs(x) < 0.01),
        (("norm", (0, 0.0, 0.0)), lambda x: abs(x) < 0.01),
        (("polygamma", (1.0, 0)), lambda x: 0.2 < x < 0.4),  # where the value is below 30, and the slope is not
    ],
)
def test_points_are_away_from_jumps_kinks_and_steep_slopes(line, is_too_near):
    f = Expression(("x",), (line,), (0.75,))
    assert find(points(f), lambda point: point[0] > 2.6, settings=QUICK)
    with pytest.raises(NoSuchExample):
        find(points(f), lambda point: is_too_near(point[0]), settings=QUICK)


@pytest.mark.parametrize("name", RULES)
def test_every_operation_can_be_drawn_alone_and_away_from_kinks(name):
    f = drawn(name)
    assert set(f.operations) == {name}
    check_grads(f, f.point, order=1)


def test_expressions_are_of_some_size_and_share_what_they_compute():
    sizes, shared = [], []

    @settings(max_examples=100, derandomize=True, database=None)
    @given(expressions())
    def collect(f):
        sizes.append(len(f.operations))
        shared.append(":=" in repr(f))

    collect()
    assert sum(sizes) / len(sizes) > 3.0
    assert max(sizes) >= 10
    assert sum(shared) > 20


def test_an_expression_is_printed_as_one_would_write_it():
    f = Expression(("x", "t1"), (("neg", (0,)), ("pow", (2, 2.0)), ("sub", (3, -1.0)), ("mod", (4, 1))), (0.5, 2.0))
    assert repr(f) == "lambda x, t1: (((-x) ** 2.0) - (-1.0)) % t1"
    shared = Expression(("t1",), (("mul", (0, 0)), ("dot", (1, 0, 1, 2.0)), ("softmax", (2, 1))), (0.5,))
    assert str(shared) == "mg.softmax([mg.dot([(t2 := t1 * t1), t1], [t2, 2.0]), t2])[0]"
    assert str(Expression(("x",), (), (0.5,))) == "x"
    constants = Expression(("w", "x", "y"), (("mul", (0, 2.0)), ("add", (2, 3))), (0.5, 0.5, 0.5))
    assert str(constants) == "y + (w * 2.0)"  # the number 2.0 is not the node 2


def test_an_expression_is_shown_as_its_program_by_hypothesis_also_inside_of_a_tuple():
    @settings(database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])
    @given(st.tuples(expressions(["sin"], ["x"]), st.none()))
    def fail(case):
        assert not case[0].operations

    with pytest.raises(AssertionError) as caught:
        fail()
    assert any("case=(lambda x: mg.sin(x), None)" in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((("x",), (), ()), "a number of the point for each variable"),
        (((), (), ()), "a number of the point for each variable"),
        ((("x",), (("sni", (0,)),), (0.5,)), "line 'sni' of \\(0,\\) is no operation on the 1 nodes before it"),
        ((("x",), (("mul", (1, 0)),), (0.5,)), "is no operation on the 1 nodes before it"),
        ((("x",), (("mul", (-1, 0)),), (0.5,)), "is no operation on the 1 nodes before it"),
    ],
)
def test_an_expression_that_makes_no_sense_is_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        Expression(*parts)


def test_points_are_those_of_what_has_been_drawn():
    with pytest.raises(TypeError, match=r"expected what was drawn from expressions\(\) or networks\(\), got <function"):
        find(points(lambda x: x), lambda point: True)


@pytest.mark.parametrize("name", ["acosh", "log", "atanh"])
def test_hard_operations_are_drawn_too_and_not_only_their_variables(name):
    empty = []

    @settings(max_examples=50, derandomize=True, database=None)
    @given(expressions([name]))
    def count(f):
        empty.append(not f.operations)

    count()
    assert sum(empty) < 0.25 * len(empty)


def test_mpmath_s_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="mpmath's real numbers alone"):
        one("abs")(mpmath.mpc(1.0, 1e-30))


def test_a_wrong_number_of_arguments_is_an_error_that_names_the_expression():
    with pytest.raises(TypeError, match=r"lambda w, x: w \* x: expected 2 numbers, got 1"):
        one("mul")(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operations": ["sin", "sni"]}, "there is no operation 'sni'; there are add, "),
        ({"operations": []}, "operations must name one at least"),
        ({"variables": []}, "variables must be different names, one at least, and not mg"),
        ({"variables": ["x", "x"]}, "variables must be different names, one at least, and not mg"),
        ({"variables": ["lambda"]}, "variables must be different names, one at least, and not mg"),
        ({"variables": ["mg"]}, "variables must be different names, one at least, and not mg"),
        ({"max_size": 0}, "max_size must be a whole number from 1 to 64, got 0"),
        ({"max_size": 65}, "max_size must be a whole number from 1 to 64, got 65"),
        ({"max_size": 2.5}, "max_size must be a whole number from 1 to 64, got 2.5"),
        ({"operations": "sin"}, "operations and variables are lists of names, got 'sin'"),
        ({"variables": "xy"}, "operations and variables are lists of names"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        find(expressions(**arguments), lambda f: True)


def test_expressions_of_the_largest_size_can_be_printed_and_parsed():
    @settings(max_examples=10, derandomize=True, database=None, suppress_health_check=list(HealthCheck), deadline=None)
    @given(expressions(["sin", "tanh", "sub"], max_size=64))
    def check(f):
        assert eval(repr(f), {"mg": mg})(*f.point) == f(*f.point)

    check()


def test_expressions_can_be_compared_hashed_copied_and_pickled():
    f = one("mul")
    assert f == replace(f) == copy.deepcopy(f) == pickle.loads(pickle.dumps(f))
    assert len({f, one("mul"), one("add")}) == 2


# Values ---------------------------------------------------------------------------------------------------------------


def test_values_are_inputs_with_and_without_tangents():
    assert find(values(), lambda v: v.tangent > 1.0).tangent == 2.0
    assert find(values(st.floats(5.0, 6.0)), lambda v: True).data == 5.0

    @given(values(), values())
    def check(v, w):
        assert type(v) is Value
        product = v * w
        product.backward()
        assert product.tangent == v.grad * v.tangent + w.grad * w.tangent

    check()


# Networks -------------------------------------------------------------------------------------------------------------


def test_a_network_is_as_small_and_as_shaped_as_it_was_asked_for():
    shapes = []

    @given(networks(inputs=3, outputs=2, activations=["relu", mg.sin], max_layers=2, max_width=3))
    def check(model):
        layers = [len(layer.neurons) for layer in model.layers]
        assert [len(layer.neurons[0].weights) for layer in model.layers] == [3, *layers[:-1]]
        assert layers[-1] == 2
        assert all(width <= 3 for width in layers)
        activations = [neuron.activation for layer in model.layers for neuron in layer.neurons]
        assert {f.__name__ for f in activations} <= {"relu", "sin", "linear"}
        assert {f.__name__ for f in activations[:-2]} <= {"relu", "sin"}
        assert all(-2.0 <= p.data <= 2.0 and p.data == round(p.data, 2) for p in model.parameters())
        assert [p.label for p in model.parameters()] == [name for name, _ in model.named_parameters()]
        shapes.append(tuple(layers))

    check()
    assert set(shapes) == {(2,), (1, 2), (2, 2), (3, 2)}


def test_networks_are_of_many_shapes_and_their_numbers_are_not_all_alike():
    shapes, different = set(), []

    @settings(max_examples=100)  # with 50 it came to 20 shapes once, beside other tests
    @given(st.data())
    def collect(data):
        model = data.draw(networks())
        assert len(data.draw(points(model))) == len(model.layers[0].neurons[0].weights) <= 3
        shapes.add(repr(MLP.__repr__(model)))
        numbers = [p.data for p in model.parameters()]
        different.append(len(set(numbers)) / len(numbers))

    collect()
    assert len(shapes) > 20
    assert sum(different) / len(different) > 0.7


@given(st.data())
def test_what_is_printed_of_a_network_can_be_pasted_and_gives_the_same_numbers_and_gradients(data):
    model = data.draw(networks(activations=["tanh", "silu", mg.sin]))
    pasted = eval(repr(model), {"MLP": MLP, "Value": Value, "sin": mg.sin})
    point = data.draw(points(model))
    for network in (model, pasted):
        y = network(point)
        mg.sum(y if isinstance(y, list) else [y]).backward()
    assert pasted.state_dict() == model.state_dict()
    assert [p.grad for p in pasted.parameters()] == [p.grad for p in model.parameters()]
    assert repr(model.bind([p.data for p in model.parameters()])) == repr(model)


def test_a_network_is_shown_as_that_line_by_hypothesis():
    @settings(database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])
    @given(networks(inputs=1, activations=["tanh"]))
    def fail(model):
        assert len(model.layers) < 2

    with pytest.raises(AssertionError) as caught:
        fail()
    line = "model=MLP(1, [1, 1], 'tanh', 'tanh').bind([*map(Value, [0.0, 0.0, 0.0, 0.0])])"
    assert any(line in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activations": ["tahn"]}, "activation: there is no 'tahn'"),
        ({"activations": "tanh"}, "networks: activations is a list of names or functions, one at least, got 'tanh'"),
        ({"activations": []}, "networks: activations is a list of names or functions, one at least"),
        ({"inputs": 0}, "networks: inputs must be a whole number from 1 up, got 0"),
        ({"outputs": 1.5}, "networks: outputs must be a whole number from 1 up, got 1.5"),
        ({"max_layers": 0}, "networks: max_layers must be a whole number from 1 up, got 0"),
        ({"max_width": True}, "networks: max_width must be a whole number from 1 up, got True"),
    ],
)
def test_networks_that_cannot_be_drawn_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        networks(**arguments)


def total(y):
    """The sum of the outputs, each with another weight."""
    return mg.dot(y, [1.0, -2.0, 0.5, 1.5][: len(y)]) if isinstance(y, list) else y


@pytest.mark.parametrize("order", [1, 2])
def test_the_derivatives_of_networks_with_respect_to_their_parameters_pass_the_check(order, request):
    @settings(max_examples=request.config.getoption("--examples") or (40, 5)[order - 1])
    @given(st.data())
    def check(data):
        model = data.draw(networks(max_layers=4 - order))
        point = data.draw(points(model))
        check_grads(lambda p: total(model.bind(p)(point)), (model.state_dict(),), order=order)

    check()


@given(st.data())
def test_gradients_times_tangents_of_a_network_add_up_to_the_tangent_of_its_output(data):
    model = data.draw(networks(activations=["tanh", "relu", "gelu", "elu"]))
    number = st.floats(-3.0, 3.0)
    inputs = [Value(x, tangent=data.draw(number)) for x in data.draw(points(model))]
    for parameter in model.parameters():
        parameter.tangent = data.draw(number)
    y = total(model(inputs))
    y.backward()
    terms = [v.grad * v.tangent for v in (*model.parameters(), *inputs)]
    assert y.tangent == pytest.approx(sum(terms), rel=1e-12, abs=1e-12 * sum(map(abs, terms)) + 1e-300)


@given(st.data())
def test_gradients_over_bind_are_those_of_a_backward_pass_and_states_go_round(data):
    model, other = data.draw(networks(activations=["tanh", "relu"])), data.draw(networks())
    point = data.draw(points(model))
    total(model(point)).backward()
    slopes = mg.grad(lambda p: total(model.bind(p)(point)))(model.state_dict())
    assert slopes == {name: p.grad for name, p in model.named_parameters()}
    copied = copy.deepcopy(model)
    for parameter in copied.parameters():
        parameter.data = 9.0
    copied.load_state_dict(model.state_dict())
    assert total(copied(point)).data == total(model(point)).data
    before = other.state_dict()
    if before.keys() != model.state_dict().keys():
        with pytest.raises(ValueError, match="parameters given"):
            other.load_state_dict(model.state_dict())
        assert other.state_dict() == before


def forgetful(x):
    """An activation that leaves the graph where its argument is large."""
    return mg.tanh(x.data if isinstance(x, Value) and x > 0.5 else x)


def test_a_wrong_activation_is_found_and_shrinks_to_one_neuron_with_one_input():
    found = []

    @settings(derandomize=True, database=None)
    @given(st.data())
    def test_my_network(data):
        model = data.draw(networks(outputs=1, activations=[forgetful], max_layers=2))
        found.append(model)
        point = data.draw(points(model))
        check_grads(lambda p: model.bind(p)(point), (model.state_dict(),), order=1, modes=["rev"])

    with pytest.raises(AssertionError, match="check_grads"):
        test_my_network()
    assert len(found[-1].parameters()) == 2, found[-1]


# Numbers of other kinds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_over_mpmath_an_operation_has_fifty_digits_of_the_number_that_floats_have(name):
    f = drawn(name)
    context = mpmath.mp.clone()
    context.dps = 50
    exact = f(*map(context.mpf, f.point))
    assert float(exact) == pytest.approx(f(*f.point), rel=1e-14, abs=1e-15)
    context.dps = 70
    assert abs(f(*map(context.mpf, f.point)) - exact) <= abs(exact) * context.mpf("1e-48")


@pytest.mark.parametrize("name", RULES)
def test_over_sympy_an_operation_has_the_value_and_the_gradient_that_the_rule_has(name):
    f = drawn(name)
    symbols = [sympy.Symbol(variable, real=True) for variable in f.variables]
    formula = f(*symbols)
    here = dict(zip(symbols, f.point, strict=True))
    assert float(sympy.N(formula.subs(here), 30)) == pytest.approx(f(*f.point), rel=1e-13, abs=1e-15)
    for symbol, slope in zip(symbols, mg.grad(lambda p: f(*p))(list(f.point)), strict=True):
        if name not in ("mod", "floor", "ceil"):  # which it cannot differentiate
            assert float(sympy.N(formula.diff(symbol).subs(here), 30)) == pytest.approx(slope, rel=1e-13, abs=1e-14)


@given(st.data())
def test_over_complex_numbers_an_expression_tells_its_slope(data):
    refusing = {"erf", "erfc", "ndtr", "gelu", "log_ndtr", "gamma", "lgamma", "polygamma"}
    f = data.draw(expressions([name for name in RULES if name not in refusing], ["x"]))
    (x,) = data.draw(points(f))
    slope = mg.derivative(f)(x)
    if f.operations:
        check_grads(f, (x,), order=1)
        assert (f(complex(x, 1e-200)) + 0j).imag / 1e-200 == pytest.approx(slope, rel=1e-9, abs=1e-9)


def test_over_values_of_any_level_an_expression_has_all_its_derivatives():
    f = Expression(("x",), (("mul", (0, 0)), ("sin", (1,))), (0.5,))
    assert mg.derivative(f, 3)(0.0) == 0.0
    assert mg.derivative(f, 2)(0.0) == 2.0
    assert mg.hessian(lambda p: f(*p))([0.0]) == [[2.0]]


# Wrong rules ----------------------------------------------------------------------------------------------------------

FAULTS = {
    "sign": lambda x, d: [-d[0], *d[1:]],
    "factor": lambda x, d: [1.001 * d[0], *d[1:]],
    "swapped": lambda x, d: [*d[1::-1], *d[2:]],
    "branch": lambda x, d: [mg.where(x[0] > 0.4, d[0] + 0.5, d[0]), *d[1:]],
}
FLAT = ("sign", "step", "floor", "ceil")  # slopes of zero, which no sign and no factor makes wrong
SAME = ("add", "sum", "polygamma")  # slopes that are the same, however swapped, or one that is nan


def is_wrong(name, fault):
    if fault == "swapped":
        return name not in SAME and (RULES[name].sequences > 0 or RULES[name].partials.__code__.co_argcount == 2)
    return fault == "branch" or name not in FLAT


@pytest.fixture
def plant(monkeypatch):
    """Make a rule wrong, everywhere."""

    def plant(name, fault):
        right, parameters = RULES[name].partials, ["*x", "x", "x, y"][RULES[name].partials.__code__.co_argcount]
        first = int(name == "polygamma")  # its order is a whole number

        def wrong(*x):
            value, *slopes = right(*x)
            return value, *slopes[:first], *FAULTS[fault](x[first:], slopes[first:])

        monkeypatch.setattr(
            RULES[name], "partials", eval(f"lambda {parameters}: wrong({parameters})", {"wrong": wrong})
        )
        if name in fast.INLINE:  # these are written from the right rule
            operators = fast.operators(RULES[name], fast.texts(RULES[name], inline=False))
            monkeypatch.setitem(fast.TWO, name, operators)
            for method, function in zip([f"__{name}__", f"__r{name}__"], operators, strict=True):
                monkeypatch.setattr(Value, method, function)

    return plant


PLANTED = [(name, [fault for fault in FAULTS if is_wrong(name, fault)]) for name in RULES]


def pytest_generate_tests(metafunc):
    """Every sixth rule, taking turns with the faults; with the option --examples, every rule has every fault."""
    if "fault" in metafunc.fixturenames:
        every = metafunc.config.getoption("--examples")
        some = [(name, [faults[i % len(faults)]]) for i, (name, faults) in enumerate(PLANTED[::6])]
        turns = PLANTED if every else some
        metafunc.parametrize(("name", "fault"), [(name, fault) for name, faults in turns for fault in faults])


def test_a_wrong_rule_is_found_and_shrinks_to_three_operations_at_most(name, fault, plant, request):
    """Among all operations with the option --examples; else among a few, which takes a third of the time."""
    plant(name, fault)
    operations = None if request.config.getoption("--examples") else [name, "add", "mul", "sigmoid"]
    found = []

    @settings(max_examples=1000, derandomize=True, database=None)
    @given(st.data())
    def test_derivatives(data):
        f = data.draw(expressions(operations, max_size=8))
        found.append(f)
        check_grads(f, data.draw(points(f)), order=1)

    with pytest.raises(AssertionError, match="check_grads"):
        test_derivatives()
    assert len(found[-1].operations) <= 3, found[-1]  # the last one that is tried is the smallest that fails


def test_a_long_run_tells_how_many_programs_it_tried_and_what_failed(plant):
    run = [sys.executable, Path(__file__).parent / "soak.py", "--minutes", "0.005", "--workers", "1", "--seed", "7"]
    result = subprocess.run(run, capture_output=True, text=True)
    assert re.fullmatch(r"\d{3,} programs tried with seed 7, 0 of 9 properties failed\n", result.stdout), result
    assert "failures" in result.stderr
    sys.path.insert(0, str(Path(__file__).parent))
    import soak

    plant("sin", "factor")
    tried, failure = soak.try_out("test_the_derivatives_of_order_1_and_2_pass_the_check", 7)
    assert tried > 10
    assert "check_grads: the derivative of" in failure
    assert "mg.sin(" in failure
