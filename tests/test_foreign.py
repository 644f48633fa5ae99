"""Programs written for others: for micrograd, with the import changed; NumPy's functions; SciPy's solvers."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest

import micrograd_plus as mg
from micrograd_plus import Value, nn


@pytest.fixture
def micrograd():
    """The program that these were written for."""
    pytest.importorskip("micrograd.nn", reason="pip install micrograd==0.1.0")
    import micrograd.engine
    import micrograd.nn

    return micrograd


def losses(make, value):
    """The demo of micrograd's author: a network on two moons, the max-margin loss, a few steps of descent."""
    random.seed(1337)
    model = make()
    points = [[random.gauss(0, 1), random.gauss(0, 1)] for _ in range(12)]
    signs = [1 if x * x + y > 0.5 else -1 for x, y in points]
    found = []
    for k in range(6):
        scores = [model([value(x) for x in point]) for point in points]
        margins = [(1 + -sign * score).relu() for sign, score in zip(signs, scores, strict=True)]
        total = sum(margins) * (1.0 / len(margins)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * p.grad
        found.append(total.data)
    return found


def test_a_seeded_tutorial_comes_out_digit_for_digit(micrograd):
    ours = losses(lambda: nn.MLP(2, [4, 4, 1], init="uniform"), Value)
    others = losses(lambda: micrograd.nn.MLP(2, [4, 4, 1]), micrograd.engine.Value)
    assert ours[0] == others[0]
    assert [f"{loss:.12g}" for loss in ours] == [f"{loss:.12g}" for loss in others]  # micrograd adds in sets' order


def test_uniform_draws_the_numbers_of_micrograd_in_its_order(micrograd):
    random.seed(7)
    ours = [p.data for p in nn.MLP(3, [5, 2], init="uniform").parameters()]
    after = random.random()
    random.seed(7)
    assert ours == [p.data for p in micrograd.nn.MLP(3, [5, 2]).parameters()]
    assert random.random() == after


def test_a_loop_of_ones_own_calls_the_steps_of_the_sweep():
    a, b = Value(2.0), Value(-3.0)
    c = a * b + a
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for child in node._prev:
                visit(child)
            order.append(node)

    visit(c)
    c.grad = 1.0
    for node in reversed(order):
        node._backward()
    assert (a.grad, b.grad) == (-2.0, 2.0)


def test_a_subclass_of_one_line_takes_attributes_and_its_results_do_too():
    class Own(Value):
        pass

    x = Own(3.0)
    x.m = 1.5
    y = x * 2.0 + x
    y.v = 2.5
    y.backward()
    assert (type(y), x.m, y.v, x.grad) == (Own, 1.5, 2.5, 3.0)
    with pytest.raises(AttributeError):
        Value(1.0).m = 0.0


def test_a_node_is_not_made_by_hand():
    with pytest.raises(TypeError, match="positional argument"):
        Value(1.0, (Value(2.0),), "tanh")


def test_in_and_index_compare_numbers_while_sets_tell_nodes_apart():
    a, b = Value(1.0), Value(1.0)
    assert b in [a]
    assert [a, b].index(b) == 0
    assert b not in {a}
    assert not any(b is node for node in [a])


# NumPy's functions over Values ----------------------------------------------------------------------------------------

POINT = [1.5, -2.25, 3.6]
OURS = {"conjugate": lambda x: x, "degrees": mg.degrees, "radians": mg.radians, "rad2deg": mg.degrees}
OURS |= {"deg2rad": mg.radians, "exp2": mg.exp2, "fabs": mg.abs, "rint": mg.rint, "sinc": mg.sinc, "floor": mg.floor}
OURS |= {"exp": mg.exp, "arctan": mg.atan, "square": lambda x: x * x, "expm1": mg.expm1}
TWO = {"fmod": mg.fmod, "hypot": mg.hypot, "arctan2": mg.atan2, "maximum": mg.maximum, "minimum": mg.minimum}


@pytest.mark.parametrize("name", [*OURS, *TWO])
def test_a_function_of_numpy_over_values_gives_its_numbers_and_our_slopes(name):
    theirs, ours, more = getattr(np, name), OURS.get(name) or TWO[name], [1.25] * (name in TWO)
    values = [mg.Value(x) for x in POINT]
    results = theirs(np.array(values), *more)
    assert [y.data if hasattr(y, "data") else y for y in results] == pytest.approx(theirs(np.array(POINT), *more))
    np.sum(results * np.array([1.0, 2.0, 3.0])).backward()
    expected = [k * mg.grad(lambda x: ours(x, *more))(x) for k, x in enumerate(POINT, 1)]
    assert [x.grad for x in values] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("name", "more"), [("var", ()), ("std", ()), ("vdot", (POINT,)), ("mean", ()), ("prod", ())])
def test_a_statistic_of_numpy_over_values_has_the_value_and_the_slopes_of_its_formula(name, more):
    def ours(xs):
        m = mg.mean(xs)
        var = mg.mean([(x - m) ** 2 for x in xs])
        return {"var": var, "std": mg.sqrt(var), "vdot": mg.dot(xs, POINT), "mean": m, "prod": mg.prod(xs)}[name]

    value, slopes = mg.value_and_grad(lambda xs: getattr(np, name)(np.array(xs), *more))(POINT)
    assert value == pytest.approx(getattr(np, name)(POINT, *more), rel=1e-14)
    assert slopes == pytest.approx(mg.grad(ours)(POINT), rel=1e-13)


def test_numpy_s_maximum_and_clip_compare_and_give_a_tie_whole():
    """They never ask the number for a maximum of its own: docs/accuracy.md says so."""
    x, y = Value(1.0), Value(1.0)
    np.maximum(np.array([x]), np.array([y]))[0].backward()
    assert (x.grad, y.grad) == (1.0, 0.0)
    assert mg.grad(mg.maximum, (0, 1))(1.0, 1.0) == (0.5, 0.5)
    assert mg.grad(lambda x: np.clip(np.array([x, x * x, -x]), -1.0, 2.0).sum())(1.5) == 1.0


@pytest.mark.parametrize("name", ["logaddexp", "copysign", "isnan", "isfinite", "heaviside"])
def test_where_numpy_has_no_loop_over_objects_it_says_so(name):
    with pytest.raises(TypeError, match="not supported for the input types"):
        getattr(np, name)(*[np.array([Value(1.0)])] * (1 + (name not in ("isnan", "isfinite"))))


@pytest.mark.parametrize(
    ("refused", "instead"),
    [
        (lambda v: round(v), r"mg\.rint\(v\)"),
        (lambda v: round(v, 1), r"mg\.rint\(v\)"),
        (lambda v: v // 2, r"mg.floor\(v / w\)"),
        (lambda v: 2 // v, r"mg.floor\(v / w\)"),
        (lambda v: divmod(v, 2), r"mg.floor\(v / w\) and v % w"),
        (lambda v: divmod(2, v), r"mg.floor\(v / w\) and v % w"),
        (lambda v: pow(v, 2, 3), r"v \*\* w % modulus"),
        (lambda v: int(v), r"\.data"),
        (lambda v: math.trunc(v), "mg.trunc"),
        (lambda v: math.sin(v), r"mg\.sin\(v\)"),
        (lambda v: np.trunc(np.array([v])), "mg.trunc"),
    ],
)
def test_what_would_lose_the_gradient_is_refused_with_what_to_write(refused, instead):
    for where in (lambda f: f(Value(2.5)), lambda f: mg.derivative(f)(2.5), lambda f: mg.grad(f)(2.5)):
        with pytest.raises(TypeError, match=instead) as caught:
            where(refused)
        assert ".data" in str(caught.value)
        assert "Dual" not in str(caught.value)


# SciPy's solvers ------------------------------------------------------------------------------------------------------

WAYS = [lambda f: f, mg.jit, lambda f: mg.jit(f, "llvm")]


def valley(x):
    """Rosenbrock's, of three numbers."""
    return mg.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["BFGS", "Newton-CG", "trust-exact", "trust-ncg", "SLSQP"])
def test_minimize_takes_gradients_hessians_and_their_products(method, way):
    from scipy.optimize import minimize

    both, second = way(mg.value_and_grad(valley)), way(mg.hessian(valley))
    product = way(lambda x, v: mg.hvp(valley, (x,), (v,)))
    options = [{"hess": second}, {"hessp": product}] if method in ("Newton-CG", "trust-ncg") else [{}]
    for option in [{"hess": second}] if method == "trust-exact" else options:
        found = minimize(both, np.array([-1.2, 1.0, 1.5]), jac=True, method=method, tol=1e-9, **option)
        assert found.x == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_least_squares_and_root_take_functions_and_jacobians_of_arrays(way):
    from scipy.optimize import least_squares, root

    def system(x):
        return [x[0] * x[0] + x[1] * x[1] - 4.0, mg.exp(x[0]) + x[1] - 1.0]

    f, jacobian = way(system), way(mg.jacobian(system))
    start = np.array([1.0, -1.5])
    for found in (least_squares(f, start, jacobian), root(f, start, jac=jacobian)):
        assert np.asarray(system(found.x)) == pytest.approx([0.0, 0.0], abs=1e-7)


@pytest.mark.parametrize("way", WAYS)
def test_solve_ivp_takes_a_field_and_its_jacobian(way):
    from scipy.integrate import solve_ivp

    def field(t, y):
        return [y[1], 5.0 * (1.0 - y[0] ** 2) * y[1] - y[0]]

    f, jacobian = way(field), way(mg.jacobian(field, 1))
    exact = solve_ivp(field, (0.0, 10.0), [2.0, 0.0], method="DOP853", rtol=1e-11, atol=1e-11).y[:, -1]
    stiff = solve_ivp(f, (0.0, 10.0), np.array([2.0, 0.0]), method="Radau", jac=jacobian, rtol=1e-8, atol=1e-10)
    assert stiff.success
    assert stiff.y[:, -1] == pytest.approx(exact, rel=1e-5)
