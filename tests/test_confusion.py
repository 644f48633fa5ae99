"""Perturbation confusion: derivatives inside of derivatives, each of which must see its own variable alone.

Every test is named for what is confused, and says where it was first reported. "Siskind and Pearlmutter 2005" is
"Perturbation confusion and referential transparency: correct functional implementation of forward-mode AD" (IFL 2005);
"2008" is "Nesting forward-mode AD in a functional framework" (Higher-Order and Symbolic Computation 21). Numbers with a
repository are its issues on GitHub.
"""

import math
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import micrograd_plus as mg
from micrograd_plus import Value, derivative, grad, hessian, jacobian, jvp, vjp


def near(number):
    return pytest.approx(number, rel=1e-14, abs=0.0)


def by_jvp(f):
    return lambda x: jvp(f, (x,), (1.0,))[1]


def by_vjp(f):
    return lambda x: vjp(f, x)[1](1.0)[0]


MODES = [derivative, grad, by_jvp, by_vjp, jacobian]
every_mode = pytest.mark.parametrize("D", MODES, ids=lambda D: D.__name__)
every_two_modes = pytest.mark.parametrize(
    ("D", "E"), [pytest.param(D, E, id=f"{D.__name__}-{E.__name__}") for D in MODES for E in MODES]
)


@every_two_modes
def test_the_inner_derivative_takes_the_outer_variable_for_its_own(D, E):
    """d/dx x · (d/dy (x + y) at 1) is 1, and confused 2. Siskind and Pearlmutter 2005; JuliaDiff/ForwardDiff.jl 83."""
    assert D(lambda x: x * E(lambda y: x + y)(1.0))(1.0) == 1.0


@every_two_modes
def test_the_inner_derivative_drops_the_outer_variable(D, E):
    """d/dx x · (d/dy x·y at 2) is 2x. Siskind and Pearlmutter 2008; HIPS/autograd 4, where it was 0; ReverseDiff 45."""
    assert D(lambda x: x * E(lambda y: x * y)(2.0))(1.0) == 2.0
    assert D(lambda x: x * E(lambda y: x * y)(1.0))(4.0) == 8.0


@every_two_modes
def test_the_outer_variable_is_also_the_point_of_the_inner_derivative(D, E):
    """d/dx of (d/dy y·(x - y) at y = x), which is d/dx (x - 2x) = -1, and confused 0. pytorch/pytorch 32576."""
    assert D(lambda x: E(lambda y: y * (x - y))(x))(1.0) == -1.0


@every_two_modes
def test_the_inner_function_returns_the_outer_variable_alone(D, E):
    """d/dx of x + (d/dy x at 1) is 1. JuliaDiff/ForwardDiff.jl 389 and 320, where it could not be told."""
    assert D(lambda x: x + E(lambda y: x)(1.0))(1.0) == 1.0
    assert D(lambda x: E(lambda y: x)(x))(1.0) == 0.0


@every_mode
def test_three_levels_are_taken_for_two(D):
    """d/dx d/dy d/dz of x³y²z² + xyz, each at variables outside of it or at a number. JuliaDiff/ForwardDiff.jl 807."""

    def outer(x):
        def middle(y):
            return D(lambda z: x**3 * y**2 * z**2 + x * y * z)(x + y)

        return D(middle)(x)

    # d/dz: 2x³y²(x + y) + xy = 2x⁴y² + 2x³y³ + xy; d/dy at y = x: 4x⁵ + 6x⁵ + x; d/dx: 50x⁴ + 1
    assert D(outer)(2.0) == 50.0 * 2.0**4 + 1.0
    assert D(lambda x: x * D(lambda y: y * D(lambda z: x * y * z)(1.0))(x))(2.0) == 6.0 * 2.0**2  # x · d/dy xy² = 2x³


@every_mode
def test_a_function_that_differentiates_itself_meets_its_own_perturbation(D):
    """One function object at every level: f₀ = x³, fₙ = x · fₙ₋₁′ = 3ⁿx³. See JuliaDiff/ForwardDiff.jl 313."""
    depth = 0

    def f(x):
        nonlocal depth
        depth -= 1
        return x * D(f)(x) if depth >= 0 else x**3

    depth = 3
    assert D(f)(2.0) == 27.0 * 3.0 * 2.0**2


@every_mode
def test_a_recursion_closes_over_the_variables_of_all_its_callers(D):
    """f₀ = x, fₙ(x) = d/dy of x·fₙ₋₁(y)·y at y = x, so that f₁ = 2x², f₂ = 6x³, f₃ = 24x⁴."""

    def f(x, n):
        return D(lambda y: x * f(y, n - 1) * y)(x) if n else x

    assert [D(lambda x, n=n: f(x, n))(1.5) for n in (1, 2, 3)] == [4.0 * 1.5, 18.0 * 1.5**2, 96.0 * 1.5**3]


@every_mode
def test_a_callable_object_that_differentiates_another_of_its_class_shares_its_tag(D):
    """The derivative of x · (d/dy (x + y) at 1), from objects of one class. JuliaDiff/ForwardDiff.jl 313: 1, not 2."""

    class Confuse:
        def __init__(self, outer, x):
            self.outer, self.x = outer, x

        def __call__(self, y):
            return y * D(Confuse(False, y))(1.0) if self.outer else self.x + y

    assert D(Confuse(True, 0.0))(1.0) == 1.0


@every_mode
def test_a_captured_variable_that_the_inner_function_rebinds_keeps_the_inner_perturbation(D):
    """The variable x comes back as x·y with y = 1, a number at the inner level. JuliaDiff/ForwardDiff.jl 443: 1, not 2.

    The same with a plain number, YingboMa/ForwardDiff2.jl 37: 2, not 4.
    """

    def outer(x):
        def inner(y):
            nonlocal x
            x = x * y
            return x

        D(inner)(1.0)
        return D(inner)(1.0)

    assert D(outer)(1.0) == 1.0
    assert outer(2.0) == 2.0
    assert D(lambda x: D(outer)(x) * x)(3.0) == 1.0


@every_two_modes
def test_an_inner_variable_kept_by_the_outer_function_is_taken_for_the_outer_variable(D, E):
    """What was kept stands for its number, here x and sin(x) themselves; JAX has an error, UnexpectedTracerError."""
    kept = []

    def inner(y):
        kept[:] = [y, mg.sin(y)]
        return y * y

    def outer(x):
        slope = E(inner)(x)
        return slope * kept[0] + kept[1]  # 2x · x + sin(x)

    assert D(outer)(3.0) == near(12.0 + math.cos(3.0))


@every_two_modes
def test_a_variable_kept_from_an_earlier_transform_is_taken_for_that_of_a_later_one(D, E):
    """To the later transform the kept variable is a constant, at its number, 3, at every order; also if returned."""
    kept = []
    D(lambda y: kept.append(y) or y * y)(3.0)
    assert E(lambda x: x * x * kept[0])(2.0) == 12.0
    assert E(lambda x: E(lambda y: x * y * kept[0])(1.0) * x)(2.0) == 12.0
    assert E(lambda x: kept[0])(2.0) == 0.0
    assert E(lambda x: x * kept[0])(kept[0]) == 3.0


def test_a_kept_variable_would_take_the_gradients_of_ordinary_values():
    """A weight times a variable kept from a transform is no ordinary Value: an error, not a gradient of zero."""
    kept, w = [], Value(2.0, label="w")
    grad(lambda y: kept.append(y) or y * y)(3.0)
    with pytest.raises(TypeError, match="transform"):
        (w * kept[0]).backward()
    assert w.grad == 0.0
    (w * kept[0].data).backward()
    assert w.grad == 3.0


def test_a_derivative_of_a_higher_order_function_is_used_twice():
    """The derivative at 0 of the shift s(u)(f)(x) = f(x + u) is differentiation itself, and may be iterated.

    One tag for both uses makes the second derivative 0. The cure is eta-expansion: the derivative is taken anew for
    each argument of the function that comes out, and a function as a result is refused. Manzyuk, Pearlmutter, Radul,
    Rush and Siskind, "Perturbation confusion in forward automatic differentiation of higher-order functions" (Journal
    of Functional Programming 29, 2019; arXiv 1211.4892).
    """

    def s(u):
        return lambda f: lambda x: f(x + u)

    for D in MODES:

        def differentiate(f, D=D):
            return lambda x: D(lambda u: s(u)(f)(x))(0.0)

        h = differentiate(differentiate(mg.exp))
        assert h(1.0) == math.exp(1.0)
        assert differentiate(differentiate(differentiate(mg.sin)))(0.5) == -math.cos(0.5)
        with pytest.raises(TypeError, match=r"expected a (real )?number, got <function"):
            D(s)(0.0)


@every_mode
def test_a_pullback_is_called_at_a_deeper_level_than_it_was_made(D):
    """The pullback of x·y² at y = x, with the cotangent c·x: 2x³c, whose derivative to c is 2x³, and then to x 6x²."""

    def outer(x):
        _, pullback = vjp(lambda y: x * y * y, x)
        return D(lambda c: pullback(c * x)[0])(1.0)

    assert D(outer)(3.0) == 54.0


@every_mode
def test_a_gradient_of_several_numbers_within_a_jacobian_confuses_its_arguments(D):
    """The derivatives to u of the derivative to p of u₀²u₁²p², all mixed. JuliaDiff/ForwardDiff.jl 423."""

    def slope(u):
        return D(lambda p: u[0] ** 2 * u[1] ** 2 * p**2)(4.0)

    assert grad(slope)([2.0, 3.0]) == [288.0, 192.0]
    assert hessian(slope)([2.0, 3.0]) == [[144.0, 192.0], [192.0, 64.0]]


@every_mode
def test_a_transform_inside_the_loss_disturbs_the_weights_of_an_ordinary_network(D):
    """A network of ordinary Values is differentiated to its input, in a loss that is differentiated to its weights.

    Solving differential equations with networks does this (Lagaris, Likas and Fotiadis, IEEE Transactions on Neural
    Networks 9, 1998); pytorch/pytorch 47870 is a report of wrong gradients. With u = w·tanh(v·x), the loss is
    (u′(x) + u(x))², and u′ = w·v·(1 - tanh²(v·x)).
    """
    v, w, x = Value(0.7, label="v"), Value(-1.3, label="w"), 0.4

    def u(x):
        return w * mg.tanh(v * x)

    slope = D(u)(x)
    assert v.grad == w.grad == 0.0
    ((slope + u(x)) ** 2).backward()

    t = math.tanh(0.7 * x)
    bell = 1.0 - t * t
    residual = -1.3 * (0.7 * bell + t)
    to_v = -1.3 * (bell - 2.0 * 0.7 * t * bell * x + bell * x)
    assert v.grad == near(2.0 * residual * to_v)
    assert w.grad == near(2.0 * residual * residual / -1.3)


@every_mode
def test_tangents_of_ordinary_values_leak_into_a_transform(D):
    """An ordinary Value with a tangent is a constant inside of a transform, whose result then has a tangent by it."""
    x = Value(0.5, tangent=1.0)
    assert D(lambda y: y * y)(0.25) == 0.5
    slope = D(lambda y: mg.sin(x * y))(2.0)  # x cos(2x), and its derivative
    assert slope.data == 0.5 * math.cos(1.0)
    assert slope.tangent == near(math.cos(1.0) - math.sin(1.0))


def test_threads_confuse_their_levels_or_the_gradients_of_a_shared_network():
    """Many threads differentiate functions of shared ordinary Values, nested, and get what one alone gets.

    Tags or caches shared between threads give wrong numbers: JuliaDiff/ForwardDiff.jl 573, JuliaDiff/ReverseDiff.jl 18.
    """
    v, w = Value(0.7, label="v"), Value(-1.3, label="w")

    def work(i):
        x = i / 64.0
        D, E = MODES[i % 5], MODES[i // 5 % 5]
        curved = D(lambda a: a * E(lambda b: w * mg.sin(a * b * v))(a))(x)
        return [curved.data, *grad(lambda p: mg.tanh(p[0] * v) * p[1] * w)([x, 2.0])]

    alone = [work(i) for i in range(1, 101)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            together = list(threads.map(work, range(1, 101)))
    finally:
        sys.setswitchinterval(interval)
    assert together == alone
    assert (v.grad, w.grad, v.tangent, w.tangent) == (0.0, 0.0, 0.0, 0.0)


def test_a_variable_that_outlived_its_transform_is_a_number_to_a_later_one_beside_it():
    """Not only inside of the transform that kept it: JAX calls this a leaked tracer, and refuses it."""
    for D in MODES:
        kept = []
        D(lambda y, kept=kept: kept.append(y) or y * y)(5.0)
        assert type(D(lambda x, kept=kept: kept[0] * x)(2.0)) is float
        assert D(lambda x, kept=kept: kept[0] * x)(2.0) == 5.0
        assert D(lambda x, kept=kept: kept[0])(2.0) == 0.0
        assert type(mg.vjp(lambda x, kept=kept: kept[0], 2.0)[0]) is float


def test_a_transform_that_failed_leaves_no_level_behind():
    from micrograd_plus import transforms

    before = set(transforms._live)
    with pytest.raises(ZeroDivisionError):
        mg.grad(lambda x: mg.derivative(lambda y: x / (y - y))(1.0))(1.0)
    assert transforms._live == before == {0}


def test_a_variable_kept_from_two_levels_down_stands_for_what_it_was_made_from():
    for D in MODES:
        kept = []

        def outer(x, D=D, kept=kept):
            D(lambda y: D(lambda z: kept.append(z) or z)(y))(x)
            return kept[-1] * x  # z stands for y, which stands for x

        assert D(outer)(3.0) == 6.0
