"""Never silently wrong: what once gave a plausible number and no word, with variants, and the public thread if any."""

import copy
import dataclasses
import fractions
import itertools
import math
import subprocess
import sys
import threading
import warnings
from array import array as buffer
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import micrograd_plus as mg
from micrograd_plus import Value, functions, losses, nn, optim
from micrograd_plus.rules import FUNCTIONS, RULES, rule
from micrograd_plus.testing import check_grads

ROOT = Path(__file__).parent.parent


def slopes(f, x):
    """The derivative of f at x, in each way that there is."""

    def backward():
        v = Value(x)
        f(v).backward()
        return v.grad

    return [
        lambda: mg.grad(f)(x),
        lambda: mg.derivative(f)(x),
        lambda: mg.jvp(f, (x,), (1.0,))[1],
        lambda: mg.vjp(f, x)[1](1.0)[0],
        lambda: mg.jacobian(f)(x),
        backward,
    ]


def same(a, b):
    return a == b or (isnan(a) and isnan(b))


# 0 · ∞ ----------------------------------------------------------------------------------------------------------------

ROOTS = {  # the program, where, the operations of which the one or the other mode may speak
    "sqrt(x)**2": (lambda x: mg.sqrt(x) ** 2, 0.0),  # https://github.com/FluxML/Zygote.jl/issues/1101
    "sqrt(x)**4": (lambda x: mg.sqrt(x) ** 4, 0.0),
    "sqrt(x) * sqrt(x) * sqrt(x)": (lambda x: mg.sqrt(x) * mg.sqrt(x) * mg.sqrt(x), 0.0),
    "cbrt(x)**3": (lambda x: mg.cbrt(x) ** 3, 0.0),
    "(x**0.25)**4": (lambda x: (x**0.25) ** 4, 0.0),
    "cos(acos(x))": (lambda x: mg.cos(mg.acos(x)), 1.0),
    "cosh(acosh(x))": (lambda x: mg.cosh(mg.acosh(x)), 1.0),
    "sqrt(x**2)": (lambda x: mg.sqrt(x**2), 0.0),  # https://github.com/HIPS/autograd/issues/570
    "sqrt(x * x)": (lambda x: mg.sqrt(x * x), 0.0),
    "sqrt(1 - cos(x))": (lambda x: mg.sqrt(1.0 - mg.cos(x)), 0.0),
    "dot(r, r)": (lambda x: mg.dot([mg.sqrt(x)], [mg.sqrt(x)]), 0.0),
}
each_root = pytest.mark.parametrize("name", ROOTS)


@each_root
def test_a_zero_that_meets_infinity_is_told_in_every_mode(name):
    f, x = ROOTS[name]
    for way in slopes(f, x):
        with pytest.warns(RuntimeWarning, match=r"0 · ∞ in the derivative of \w+") as told:
            assert way() == 0.0
        assert len(told) == 1
        assert told[0].filename == __file__


@each_root
def test_a_zero_that_meets_infinity_is_told_inside_of_other_transforms(name):
    f, x = ROOTS[name]
    orders = [
        mg.hessian(f),
        mg.derivative(f, 2),
        mg.grad(mg.grad(f)),
        mg.grad(mg.derivative(f)),
        mg.derivative(mg.grad(f)),
    ]
    for second in orders:
        with pytest.warns(RuntimeWarning, match="0 · ∞") as told:
            second(x)
        assert len(told) == 1
    with pytest.warns(RuntimeWarning, match="0 · ∞") as told:
        mg.hvp(f, (x,), (1.0,))
    assert len(told) == 1


def test_the_second_derivative_of_the_root_of_a_fourth_power_is_not_zero_in_silence():
    for second in (mg.derivative(lambda x: mg.sqrt(x**4), 2), mg.hessian(lambda x: mg.sqrt(x**4))):
        with pytest.warns(RuntimeWarning, match="0 · ∞"):
            assert second(0.0) == 0.0  # the truth is 2


def test_the_warning_names_the_operation_and_its_operand():
    x = Value(0.0, label="distance")
    root = mg.sqrt(x)
    root.label = "r"
    with pytest.warns(RuntimeWarning, match=r"derivative of sqrt \(of 'r', from 'distance'\) was taken as 0"):
        (root**2).backward()
    y = mg.sqrt(Value(0.0, tangent=1.0))
    y.label = "r"
    with pytest.warns(RuntimeWarning, match=r"derivative of pow \(of 'r'\)"):
        y**2


def test_a_zero_cotangent_or_tangent_is_meant_and_one_that_was_computed_is_not():
    _, pullback = mg.vjp(lambda x: [mg.sqrt(x), x], 0.0)
    assert pullback([0.0, 1.0]) == (1.0,)
    assert mg.jvp(lambda x, y: mg.sqrt(x) + y, (0.0, 1.0), (0.0, 1.0))[1] == 1.0
    assert mg.jacobian(lambda p: [mg.sqrt(p[0]), p[1]])([0.0, 1.0]) == [[inf, 0.0], [0.0, 1.0]]
    x = Value(0.0)
    mg.sqrt(x).backward(0.0)
    assert x.grad == 0.0
    with pytest.warns(RuntimeWarning, match="0 · ∞"):
        assert mg.grad(lambda x: mg.sqrt(x) * mg.sin(x))(0.0) == 0.0


def test_the_slopes_of_a_power_that_are_not_chosen_say_nothing():
    """Found by random programs: x**y has a corner at x = 0 and at y = 0, and the slopes of either were computed at all
    points where x, or y, is 0.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for second in (lambda f: mg.derivative(f, 2), lambda f: mg.grad(mg.grad(f)), mg.hessian):
            assert second(lambda t: (2.0 + t) ** (t - t))(0.0) == 0.0
            assert second(lambda t: (t - t) ** (2.0 + t))(0.0) == 0.0


MASKS = {  # choices, masks and gates: that they cut off an infinity is what they are for
    "relu": lambda x: mg.relu(mg.sqrt(x) - 1.0),
    "leaky_relu": lambda x: mg.leaky_relu(mg.sqrt(x) - 1.0, 0.0),
    "maximum": lambda x: mg.maximum(mg.sqrt(x), 1.0),
    "minimum": lambda x: mg.minimum(mg.sqrt(x), -1.0),
    "where": lambda x: mg.where(x > 0.0, mg.sqrt(x), 0.0 * x),
    "mask": lambda x: 0.0 * mg.sqrt(x),
    "mask on the right": lambda x: mg.sqrt(x) * 0,
    "a mask in a dot product": lambda x: mg.dot([mg.sqrt(x), x], [0.0, 1.0]) - x,
    "a gate": lambda x: mg.step(x) * mg.sqrt(x) - 0.0,
    "sign": lambda x: mg.sign(mg.sqrt(x)),
    "floor": lambda x: mg.floor(mg.sqrt(x)),
    "ceil": lambda x: mg.ceil(mg.sqrt(x)),
    "mod": lambda x: mg.mod(2.0, mg.sqrt(x) + 3.0),
    "abs": lambda x: mg.abs(mg.sqrt(x)),
    "a norm": lambda x: mg.hypot(mg.sqrt(x), 0.0),
    "an angle": lambda x: mg.atan2(mg.sqrt(x), mg.sqrt(x)),
    "x**0": lambda x: mg.sqrt(x) ** 0,
}


@pytest.mark.parametrize("name", [name for name in MASKS if name != "a gate"])
def test_what_cuts_on_purpose_cuts_in_silence(name):
    for way in slopes(MASKS[name], 0.0):
        assert way() == 0.0


def test_a_norm_and_a_deviation_at_zero_train_in_silence():
    xs = [Value(1.0), Value(1.0)]
    mean = mg.mean(xs)
    mg.hypot(xs[0] - mean, xs[1] - mean).backward()
    assert [x.grad for x in xs] == [0.0, 0.0]


def test_one_call_tells_once_however_often_it_happens():
    xs = [Value(0.0) for _ in range(20)]
    loss = mg.sum([mg.sqrt(x) ** 2 for x in xs])
    with pytest.warns(RuntimeWarning) as told:
        loss.backward()
    assert len(told) == 1
    with pytest.warns(RuntimeWarning) as told:
        mg.jacobian(lambda p: [mg.sqrt(x) ** 2 for x in p])([0.0] * 5)
    assert len(told) == 1
    with pytest.warns(RuntimeWarning) as told:
        mg.hessian(lambda p: mg.sum([mg.sqrt(x) ** 2 for x in p]))([0.0] * 3)
    assert len(told) == 1


def test_python_shows_the_warning_once_at_the_line_of_the_user(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("""
import micrograd_plus as mg
for _ in range(5):
    mg.grad(lambda x: mg.sqrt(x) ** 2)(0.0)
for start in (0.0, 0.0):
    x = mg.Value(start)
    (mg.sqrt(x) ** 2 + start).backward()
""")
    run = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    told = [line for line in run.stderr.splitlines() if "RuntimeWarning" in line]
    assert [line.partition(": RuntimeWarning")[0] for line in told] == [f"{program}:4", f"{program}:7"]


def test_a_warning_that_is_an_error_leaves_nothing_behind():
    f = mg.grad(lambda x: mg.sqrt(x) ** 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(RuntimeWarning):
                f(0.0)
        with pytest.raises(ValueError, match="sqrt"):
            mg.grad(lambda x: mg.sqrt(x) + mg.sqrt(x - 1.0))(0.0)
        assert f(4.0) == 1.0


def test_a_thread_tells_of_its_own_zeros_alone():
    told = []

    def other():
        told.append(mg.grad(mg.sin)(0.0))

    def f(x):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return mg.sqrt(x) ** 2

    with pytest.warns(RuntimeWarning) as warned:
        mg.grad(f)(0.0)
    assert (len(warned), told) == (1, [1.0])


def test_a_thread_tells_of_its_first_zero_at_once():
    told = []

    def other():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _ = mg.sqrt(Value(0.0, tangent=1.0)) ** 2
            told.extend(str(w.message) for w in caught)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(told) == 1
    assert "0 · ∞ in the derivative of pow" in told[0]


def test_check_grads_speaks_of_it():
    with pytest.warns(RuntimeWarning, match="0 · ∞"), pytest.raises(AssertionError):
        check_grads(lambda x: mg.cbrt(x) ** 3, (0.0,))


# x ** y near x = 0, and the length of a vector ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "mixed"), [(1.0, -inf), (0.5, -inf), (0.25, -inf), (2.0, 0.0), (1.5, 0.0), (3.0, 0.0), (0.0, inf)]
)
def test_mixed_derivatives_of_a_power_at_zero_are_symmetric(y, mixed):
    """https://github.com/coin-or/CppAD/issues/92"""
    f = lambda p: p[0] ** p[1]  # noqa: E731
    for second in (mg.hessian(f), mg.jit(mg.hessian(f), backend="python"), mg.jacobian(mg.jacobian(f))):
        (_, xy), (yx, _) = second([0.0, y])
        assert xy == yx == mixed


@pytest.mark.parametrize(
    ("y", "names", "third"),
    [
        (2.0, "xxy", -inf), (2.0, "xyy", 0.0), (1.0, "xxy", inf), (1.0, "xyy", inf),
        (0.5, "xxy", inf), (0.5, "xyy", inf), (1.5, "xxy", -inf), (1.5, "xyy", 0.0),
        (3.0, "xxy", 0.0), (3.0, "xyy", 0.0), (2.5, "xxy", 0.0), (2.5, "xyy", 0.0),
    ],
)  # fmt: skip
def test_third_mixed_derivatives_of_a_power_at_zero_are_the_same_in_any_order(y, names, third):
    with mpmath.workdps(60):  # the limit, by the derivative beside 0
        x, count = mpmath.mpf(10) ** -40, names.count("x")
        beside = mpmath.diff(lambda a, b: a**b, (x, mpmath.mpf(y)), (count, 3 - count), h=x / 1000)
    for order in set(itertools.permutations(names)):
        for transforms in itertools.product(
            [mg.grad, lambda g, i: lambda *p: mg.jvp(g, p, [i == 0, i == 1])[1]], repeat=3
        ):
            f = lambda x, y: x**y  # noqa: E731
            for name, transform in zip(order, transforms, strict=True):
                f = transform(f, "xy".index(name))
            found = f(0.0, y)
            assert found == third or (isnan(found) and math.isinf(third))
    assert abs(beside) > 1e2 if math.isinf(third) else abs(beside) < 1e-6
    assert math.isinf(third) is False or (beside > 0) == (third > 0)


@pytest.mark.parametrize(
    ("x", "y"), [(1e8, 1.0), (1.0, 1e-8), (1e-8, 1.0), (3.0, 4.0), (-1e6, 1e-3), (1e150, 1.0), (1e-160, 1e-158)]
)
def test_the_second_derivatives_of_a_length_cancel_nothing(x, y):
    with mpmath.workdps(60):
        r = mpmath.hypot(x, y)
        exact = [[y * (y / r**3), -x * (y / r**3)], [-x * (y / r**3), x * (x / r**3)]]
    found = mg.hessian(lambda p: mg.hypot(*p))([x, y])
    for row, wanted in zip(found, exact, strict=True):
        assert row == pytest.approx([float(number) for number in wanted], rel=1e-14, abs=1e-320)
    assert mg.derivative(lambda x: mg.hypot(x, y), 2)(x) == pytest.approx(float(exact[0][0]), rel=1e-14, abs=1e-320)


# Copies (more of them in test_value.py) -------------------------------------------------------------------------------


def test_a_copy_of_an_input_keeps_its_tangent():
    x = Value(3.0, tangent=1.0)
    assert (copy.copy(x) * x).tangent == (copy.deepcopy([x])[0] * x).tangent == 6.0


def test_a_network_that_keeps_a_result_says_which_attribute_has_it():
    class Keeper(nn.Module):
        def __init__(self):
            self.weight = Value(2.0)

        def forward(self, x):
            self.last = [self.weight * x]
            return self.last[0]

    keeper = Keeper()
    copy.deepcopy(keeper)
    keeper(3.0)
    with pytest.raises(TypeError, match=r"Keeper\.last keeps a Value that was computed"):
        copy.deepcopy(keeper)


# Data that are no float -----------------------------------------------------------------------------------------------

SMALL = [np.uint8(200), np.int16(3), np.float16(2.0), np.float32(2.0), np.array(2.0), fractions.Fraction(1, 2)]
NO_FLOATS = [*SMALL, "ab", Value(2.0), Value(2.0) * 1.0, None, 2j, [1.0]]


def parameter(data):
    p = Value(1.0, label="w")
    p.data = data
    return p


@pytest.mark.parametrize("data", NO_FLOATS, ids=repr)
def test_data_that_are_no_float_are_refused_with_what_to_write(data):
    p, q = parameter(data), Value(3.0)
    uses = [
        p.backward,
        lambda: mg.draw_dot(p),
        lambda: mg.grad(lambda x: x * 2.0)(p),
        lambda: mg.jvp(lambda x: x[0] * 2.0, ([p],), ([1.0],)),
        lambda: mg.vjp(lambda x: x * 2.0, p),
        lambda: mg.grad(lambda x: x * p)(3.0),
        lambda: mg.derivative(lambda x: mg.maximum(p, x))(3.0),
    ]
    for use in uses:
        with pytest.raises(TypeError, match=r"w\.data is .*, and no float: write w\.data = "):
            use()
    for side, other in (("left", q), ("right", q), ("left", q * 1.0), ("right", q * 1.0)):
        y = other + other
        setattr(y, side, p)  # as p + q gives, where `data` can be added
        for use in (y.backward, lambda y=y: mg.draw_dot(y)):
            with pytest.raises(TypeError, match=r"w\.data is "):
                use()


@pytest.mark.parametrize("data", SMALL, ids=repr)
def test_optimizers_and_values_make_floats_of_small_numbers(data):
    p = parameter(data)
    p.grad = 0.5
    optim.SGD([p], lr=0.25).step()
    assert (type(p.data), p.data) == (float, float(data) - 0.125)
    assert type(Value(data).data) is float
    neuron = nn.Neuron(1)
    neuron.load_state_dict({"weights.0": data, "bias": data})
    assert {type(v.data) for v in neuron.parameters()} == {float}


def test_a_step_refuses_a_value_as_data_and_changes_nothing():
    p, q = parameter(Value(1.0)), Value(2.0)
    p.grad = q.grad = 1.0
    optimizer = optim.SGD([q, p], lr=0.5)
    with pytest.raises(TypeError, match=r"write w\.data = w\.data - lr \* w\.grad"):
        optimizer.step()
    assert (q.data, optimizer.steps) == (2.0, 0)


# A pullback after its Values have changed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda w, x: (w * x - 1.0) ** 2,
        lambda w, x: mg.sum([w * x, x * w, w]) ** 2,
        lambda w, x: mg.dot([w, w], [x, x]) * w,
        lambda w, x: mg.sin(w * x) / w,
        lambda w, x: mg.maximum(w, x) * w * x,
        lambda w, x: w * 1.0 * x * w,
    ],
)
def test_a_pullback_is_of_the_point_where_its_function_ran(f):
    w = Value(2.0)
    _, pullback = mg.vjp(lambda x: f(w, x), 3.0)
    w.data = 100.0
    assert pullback(1.0)[0].data == pytest.approx(mg.grad(lambda x: f(2.0, x))(3.0), rel=1e-15)
    pullback(1.0)[0].backward()
    wanted = mg.grad(lambda w: mg.grad(lambda x: f(w, x))(3.0))(2.0)
    if f(Value(2.0), 3.0).left is not w:
        assert w.grad == pytest.approx(wanted, rel=1e-15)


def test_a_pullback_at_a_value_is_of_the_number_that_it_had():
    w = Value(2.0)
    _, pullback = mg.vjp(lambda x: mg.sin(w * x) * x, w)
    w.data = 100.0
    assert pullback(1.0)[0].data == pytest.approx(math.sin(4.0) + 2.0 * 2.0 * math.cos(4.0), rel=1e-15)


@pytest.mark.parametrize("wrong", [[1.0], [1.0, 2.0, 3.0], (1.0, 2.0), {"a": 1.0}, 1.0, None, "ab", [[1.0], 2.0]])
def test_a_pullback_of_the_wrong_structure_is_a_value_error(wrong):
    _, pullback = mg.vjp(lambda x: [x * 2.0, 5.0], 3.0)
    with pytest.raises(ValueError, match="differ in structure"):
        pullback(wrong)


# Strange objects ------------------------------------------------------------------------------------------------------


class Tensor:
    """As PyTorch's: its dtype has no kind."""

    dtype = object()
    shape = ()

    def __init__(self, number):
        self.number = number

    def __float__(self):
        if isinstance(self.number, str):
            raise TypeError(self.number)
        return float(self.number)


def test_an_object_whose_dtype_has_no_kind_is_a_number_if_it_is_one():
    assert (Value(3.0) * Tensor(2.0)).data == (Tensor(2.0) * Value(3.0)).data == 6.0
    assert mg.sin(Tensor(1.0)) == math.sin(1.0)
    assert mg.grad(lambda x: x * x)(Tensor(3.0)) == mg.sum([Tensor(4.0), 2.0]) == Value(Tensor(6.0)).data == 6.0
    for use in (lambda x: Value(1.0) + x, mg.sin, Value, lambda x: mg.maximum(1.0, x), mg.grad(lambda x: x * x)):
        with pytest.raises(TypeError, match=r"number"):
            use(Tensor("several numbers"))


def test_an_interval_is_no_number():
    for use in (Value, mg.sin, lambda x: Value(1.0) * x, lambda x: mg.sum([x, 1.0])):
        with pytest.raises(TypeError, match=r"expected a number, got mpi\('1.0', '2.0'\) \(ivmpf\)"):
            use(mpmath.iv.mpf([1, 2]))


@pytest.mark.parametrize("condition", [
    lambda x: ~(x > 0.0), lambda x: ~(x > 2.0), lambda _: 1, lambda _: 0.0, lambda _: None, lambda _: "no",
    lambda _: np.int64(-2),
])  # fmt: skip
def test_a_condition_that_is_no_comparison_is_refused(condition):
    for use in (
        lambda x: mg.where(condition(x), x, 2.0 * x),
        mg.derivative(lambda x: mg.where(condition(x), x, 2.0 * x)),
    ):
        with pytest.raises(
            TypeError, match=r"where: a condition is a comparison, got .*write x <= y in place of ~\(x > y\)"
        ):
            use(1.0)
    assert mg.where(~(np.float64(1.0) > 0.0), 1.0, 2.0) == mg.where(np.bool_(False), 1.0, 2.0) == 2.0


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x > 1.0,
        lambda x: x == x,
        lambda _: True,
        lambda _: np.bool_(False),
        lambda x: np.array([1.0, 0.0]) > 0.5,
    ],
)
def test_a_comparison_has_no_derivative(f):
    for transform in (
        mg.grad,
        mg.value_and_grad,
        mg.derivative,
        mg.jacobian,
        mg.hessian,
        lambda f: lambda x: mg.vjp(f, x),
    ):
        with pytest.raises(TypeError, match="a comparison, which has no derivative"):
            transform(f)(2.0)
    with pytest.raises(TypeError, match="a comparison"):
        mg.jvp(f, (2.0,), (1.0,))


USES = {
    "round": (round, r"round\([vw]\) would lose the gradient"), "round to 1": (lambda v: round(v, 1), "round"),
    "//": (lambda v: v // 2, r"// would lose the gradient: write mg\.floor\(v / w\)"), "2 //": (lambda v: 2 // v, "//"),
    "divmod": (lambda v: divmod(v, 2), r"write mg\.floor\(v / w\) and v % w"),
    "divmod 2": (lambda v: divmod(2, v), "divmod"),
    "pow": (lambda v: pow(v, 2, 3), r"pow\(v, w, modulus\) is for whole numbers"), "trunc": (math.trunc, "trunc"),
    "int": (int, "losing its gradient"), "float": (float, "losing its gradient"),
    "complex": (complex, "losing its gradient"),
}  # fmt: skip


@pytest.mark.parametrize("name", USES)
def test_what_loses_the_gradient_says_so_in_the_terms_of_the_user(name):
    use, text = USES[name]
    for run in (use, mg.grad(use), mg.derivative(use), mg.hessian(use)):
        with pytest.raises(TypeError, match=text) as caught:
            run(Value(2.5, label="w"))
        assert ".data" in str(caught.value)
        assert "Dual" not in str(caught.value)
        assert "locals" not in str(caught.value)


# Overflow -------------------------------------------------------------------------------------------------------------


def test_what_overflows_is_infinite():
    assert mg.exp(1000.0) == mg.cosh(-1000.0) == mg.expm1(1000.0) == mg.pow(10.0, 400.0) == mg.pow(-10.0, 400.0) == inf
    assert mg.sinh(-1000.0) == mg.pow(-10.0, 401.0) == mg.sum([-1e308, -1e308]) == -inf
    assert mg.dot([1e200], [1e200]) == mg.hypot(1.7e308, 1.7e308) == mg.gaussian(1e200, 1.0) == inf
    assert (mg.exp(Value(1000.0)).data, (Value(10.0) ** 400).data, (10.0 ** Value(400.0)).data) == (inf, inf, inf)
    assert losses.mse([1e200, 1.0], [0.0, 0.0]) == inf
    for f in (mg.exp, mg.sinh, lambda x: x**400, lambda x: mg.exp(x) * 2.0):
        assert f(Value(1000.0)).data == inf
        assert [way() for way in slopes(f, 1000.0)] == [inf] * 6
    with pytest.raises(ValueError, match=r"log\(w\) at w = -1\.0"):
        mg.log(Value(-1.0, label="w"))


def test_a_sum_that_is_finite_comes_out_finite():
    big = 1e308
    assert mg.mean([big, big]) == big
    assert mg.mean([-big] * 3) == pytest.approx(-big, rel=1e-15)
    assert (
        mg.sum([big, big, -big])
        == mg.dot([big, big, big], [1.0, 1.0, -1.0])
        == losses.mse([1e154, 1e154], [0.0, 0.0])
        == big
    )
    assert mg.sum([big, big, -big, -big, 1.0]) == 1.0
    assert isnan(mg.sum([inf, -inf]))
    assert isnan(mg.mean([inf, -inf]))
    assert isnan(mg.sum([nan, 1.0]))
    assert mg.value_and_grad(mg.mean)([big, big]) == (big, [0.5, 0.5])
    assert mg.value_and_grad(mg.sum)([big, big, -big]) == (big, [1.0, 1.0, 1.0])
    assert mg.value_and_grad(lambda p: losses.mse(p, [0.0, 0.0]))([1e154, 1e154]) == (big, [1e154, 1e154])


def test_the_slopes_of_a_length_that_overflows_are_those_of_its_direction():
    for mode in (mg.grad, mg.jacobian):
        assert mode(lambda p: mg.hypot(*p))([1.7e308, 1.7e308]) == pytest.approx([math.sqrt(0.5)] * 2, rel=1e-15)
        assert mode(lambda p: mg.hypot(*p))([1.5e308, -1.5e308]) == pytest.approx(
            [math.sqrt(0.5), -math.sqrt(0.5)], rel=1e-15
        )


@pytest.mark.parametrize("logits", [[-inf], [-inf, -inf], [-inf] * 3])
def test_a_mask_that_hides_everything_is_nan(logits):
    for f in (mg.softmax, mg.log_softmax):
        assert all(map(isnan, f(logits)))
        assert all(map(isnan, [x.data for x in f([Value(x) for x in logits])]))
        assert len(logits) == 1 or all(isnan(slope) for row in mg.jacobian(f)(logits) for slope in row)
    assert mg.logsumexp(logits) == -inf
    assert all(map(isnan, mg.grad(mg.logsumexp)(logits)))
    assert mg.softmax([-inf, 0.0]) == [0.0, 1.0]


# Rules ----------------------------------------------------------------------------------------------------------------


def forget(name):
    for names in (RULES, FUNCTIONS, functions.KERNELS, functions.OVER_NUMBERS):
        names.pop(name, None)


def refused(f):
    try:
        for use in (f, mg.grad(f), mg.derivative(f), mg.hessian(f)):
            with pytest.raises(TypeError, match=r"the rule (of )?twisted(: expected| must return)"):
                use(Value(2.0))
    finally:
        forget("twisted")


@pytest.mark.parametrize(
    "returned",
    [lambda x: x, lambda x: (x,), lambda x: (x, x, x), lambda x: (x, None), lambda x: [x, x], lambda x: None],
)
def test_a_rule_that_returns_the_wrong_number_of_partials_is_named(returned):
    @rule("{x} * {x} * {x}", "The cube of x: twisted(2.0) is 8.0")
    def twisted(x):
        return returned(x)

    refused(twisted)


@pytest.mark.parametrize(
    "returned", [lambda x: x, lambda x: (x, x), lambda x: (x, None, x), lambda x: (x, x, None), lambda x: (x, x, x, x)]
)
def test_a_rule_of_two_numbers_that_returns_the_wrong_number_of_partials_is_named(returned):
    @rule("{x} * {x} * {y}", "The product x * x * y: twisted(2.0, 3.0) is 12.0")
    def twisted(x, y):
        return returned(x)

    refused(lambda x: twisted(x, x))


def test_a_rule_that_is_written_once_more_has_the_new_value():
    try:
        for factor in (2.0, 3.0):

            @rule(f"{{x}} * {factor}", "A multiple of x: multiple(0.0) is 0.0")
            def multiple(x):
                return multiple(x), factor  # noqa: B023

            assert mg.value_and_grad(multiple)(5.0) == (5.0 * factor, factor)
            assert multiple(5.0) == 5.0 * factor
    finally:
        forget("multiple")


# Trees ----------------------------------------------------------------------------------------------------------------

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Weights:
    x: Any
    y: Any = 2.0
    name: str = "weights"


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: Any
    y: Any = 2.0


@dataclasses.dataclass
class Late:
    x: Any
    y: Any = dataclasses.field(init=False)

    def __post_init__(self):
        self.y = 3.0


class Shape:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return (self.x, self.y) == (other.x, other.y)

    __hash__ = object.__hash__


mg.register_tree(Shape, lambda shape: ([shape.x, shape.y], None), lambda _, children: Shape(*children))


@pytest.mark.parametrize(
    "kind", [Point, Weights, Frozen, Shape, lambda x, y: Late(x), lambda x, y: Weights(x, y, "other")]
)
def test_a_container_of_a_kind_of_its_own_comes_back_as_it_was(kind):
    at = kind(2.0, 3.0)
    f = lambda p: p.x * p.x * p.y  # noqa: E731
    for slope in (mg.grad(f)(at), mg.vjp(f, at)[1](1.0)[0], mg.jacobian(f)(at)):
        assert type(slope) is type(at)
        assert (slope.x, slope.y, getattr(slope, "name", "")) == (12.0, 4.0, getattr(at, "name", ""))
    assert mg.jvp(f, (at,), (at,)) == (12.0, 36.0)
    rows = mg.hessian(f)(at)
    assert [rows.x.x, rows.x.y, rows.y.x, rows.y.y] == [6.0, 4.0, 4.0, 0.0]
    assert type(mg.jacobian(lambda x: kind(x, x * x))(3.0)) is type(at)


def test_dicts_of_their_own_kind_come_back_as_they_were():
    f = lambda p: p["a"] * p["b"]  # noqa: E731
    ordered = mg.grad(f)(OrderedDict(b=2.0, a=3.0))
    assert ordered == OrderedDict(b=3.0, a=2.0)
    assert type(ordered) is OrderedDict
    default = mg.grad(f)(defaultdict(list, b=2.0, a=3.0))
    assert (default, default.default_factory) == ({"b": 3.0, "a": 2.0}, list)
    assert mg.grad(f)(Counter(a=2, b=3)) == Counter(a=3.0, b=2.0)  # its `update` would add


def test_what_is_no_number_passes_through_as_it_is():
    at = {"w": [2.0, None, True], "act": "relu", "f": math.sin, "type": int}
    slope = mg.grad(lambda p: p["w"][0] ** 2 * p["w"][2] if p["act"] == "relu" else 0.0)(at)
    assert slope == {"w": [4.0, None, 4.0], "act": "relu", "f": math.sin, "type": int}
    value, tangent = mg.jvp(lambda x: {"y": x * x, "name": "square", "none": None}, (3.0,), (1.0,))
    assert (value, tangent) == ({"y": 9.0, "name": "square", "none": None}, {"y": 6.0, "name": "square", "none": None})
    value, pullback = mg.vjp(lambda x: [x * x, "square"], 3.0)
    assert pullback([1.0, "square"]) == (6.0,)
    for nothing in (None, "a", b"a"):
        with pytest.raises(TypeError, match="expected a number"):
            mg.grad(lambda p: 2.0)(nothing)


def test_arrays_without_axes_are_numbers_and_arrays_of_objects_are_trees():
    assert mg.grad(lambda x: x * x)(np.array(3.0)) == 6.0
    assert mg.grad(lambda x: x[0] * x[0])([np.array(3.0)]) == [6.0]
    assert (
        mg.grad(lambda x: x * x)(np.array(3.0, dtype=object))
        == mg.grad(lambda x: np.array(x * x, dtype=object))(3.0)
        == 6.0
    )
    assert mg.grad(lambda x: x[0] * x[1])(np.array([2.0, 3.0], dtype=object)).tolist() == [3.0, 2.0]
    nested = np.empty(2, dtype=object)
    nested[:] = [{"a": 2.0}, [3.0, 4.0]]
    assert mg.grad(lambda x: x[0]["a"] * x[1][1])(nested).tolist() == [{"a": 4.0}, [0.0, 2.0]]
    assert mg.grad(lambda x: x[0] * x[1])(np.array([True, False])).tolist() == [0.0, 1.0]


class Frame:
    """As a table of pandas, by what it has."""

    iloc = None

    def __init__(self, columns):
        self.columns = columns

    def __iter__(self):
        return iter(self.columns)

    def __len__(self):
        return len(self.columns)

    def tolist(self):
        return [*self.columns]


UNORDERED = [
    Frame({0: 5.0, 1: 7.0}),
    {0: 5.0, 1: 7.0},
    {5.0, 7.0},
    frozenset([5.0, 7.0]),
    OrderedDict({0: 5.0, 1: 7.0}),
    "57",
]
each_unordered = pytest.mark.parametrize("xs", UNORDERED, ids=lambda xs: type(xs).__name__)


@each_unordered
def test_labels_and_keys_are_not_taken_for_numbers_in_order(xs):
    model, neuron = nn.MLP(2, [2, 1]), nn.Neuron(2)
    several = [mg.mean, mg.sum, mg.softmax, mg.log_softmax, mg.logsumexp, lambda xs: mg.dot(xs, [1.0, 2.0])]
    for use in [*several, lambda xs: mg.dot([1.0, 2.0], xs), model, neuron, model.layers[0]]:
        way = r"its \.to_numpy\(\)" if isinstance(xs, Frame) else "a list of the numbers"
        with pytest.raises(TypeError, match=rf"expected numbers in order, got an? \w+: pass {way}"):
            use(xs)


class Pair(tuple):
    """A tuple of another kind, of which nobody knows what it is made of."""


@pytest.mark.parametrize(
    "xs",
    [Frame({0: 1.0}), {1.0, 2.0}, range(2), deque([1.0, 2.0]), iter([1.0]), buffer("d", [1.0]), Pair((1.0, 2.0))],
    ids=lambda xs: type(xs).__name__,
)
def test_a_container_that_nobody_can_build_again_is_refused(xs):
    for use in (
        mg.grad(lambda _: 1.0),
        lambda xs: mg.jvp(lambda x: x, (xs,), (xs,)),
        lambda xs: mg.jacobian(lambda _: xs)(1.0),
    ):
        with pytest.raises(TypeError, match=r"register_tree|to_numpy"):
            use(xs)


# More results, more arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("aux", [
    lambda x: x + 1.0, lambda x: {"a": [x, None], "s": "text"}, lambda x: None, lambda x: "text", lambda x: object,
    lambda x: np.array([x, x]), lambda x: [], lambda x: {1, 2}, lambda x: x > 1.0,
])  # fmt: skip
def test_a_function_returns_whatever_it_likes_besides(aux):
    f = lambda x: (x * x, aux(x))  # noqa: E731
    wanted = repr(aux(3.0))
    slope, besides = mg.grad(f, has_aux=True)(3.0)
    assert (slope, repr(besides)) == (6.0, wanted)
    (value, besides), slope = mg.value_and_grad(f, has_aux=True)(3.0)
    assert (value, repr(besides), slope) == (9.0, wanted, 6.0)
    value, pullback, besides = mg.vjp(f, 3.0, has_aux=True)
    assert (value, pullback(1.0), repr(besides)) == (9.0, (6.0,), wanted)
    value, tangent, besides = mg.jvp(f, (3.0,), (1.0,), has_aux=True)
    assert (value, tangent, repr(besides)) == (9.0, 6.0, wanted)


def test_what_comes_besides_keeps_the_derivatives_of_an_outer_transform():
    assert mg.grad(lambda x: mg.grad(lambda y: (x * y * y, x * y), has_aux=True)(x)[1])(3.0) == 6.0
    assert mg.grad(lambda x: mg.jvp(lambda y: (y, [x * y]), (2.0,), (1.0,), has_aux=True)[2][0])(3.0) == 2.0


@pytest.mark.parametrize("f", [lambda x: x, lambda x: (x, x, x), lambda x: (x,), lambda x: {"a": x, "b": x}])
def test_has_aux_wants_a_pair(f):
    for use in (
        mg.grad(f, has_aux=True),
        lambda x: mg.vjp(f, x, has_aux=True),
        lambda x: mg.jvp(f, (x,), (1.0,), has_aux=True),
    ):
        with pytest.raises(TypeError, match="has_aux=True, expected a pair"):
            use(3.0)


@pytest.mark.parametrize(("argnums", "wanted"), [
    ([0, 1], (12.0, 4.0)), ([0], (12.0,)), (np.int64(1), 4.0), ([np.int64(1), 0], (4.0, 12.0)),
    (np.array([0, 1]), (12.0, 4.0)), (-1, 4.0), ([], ()),
])  # fmt: skip
def test_argnums_are_a_number_or_a_list_of_python_or_numpy(argnums, wanted):
    f = lambda x, y: x * x * y  # noqa: E731
    assert (
        mg.grad(f, argnums)(2.0, 3.0)
        == mg.jacobian(f, argnums)(2.0, 3.0)
        == mg.value_and_grad(f, argnums)(2.0, 3.0)[1]
        == wanted
    )


@pytest.mark.parametrize("argnums", [True, 1.0, "0", 2, -3, [0, 0], [0, -2], None])
def test_argnums_that_name_no_argument_are_refused(argnums):
    for transform in (mg.grad, mg.jacobian, mg.hessian, mg.value_and_grad):
        with pytest.raises(ValueError, match="argnums"):
            transform(lambda x, y: x * y, argnums)(2.0, 3.0)


X, Y = np.array([1.0, 2.0, 3.0]), np.array([[0.5, 1.0, 2.0], [3.0, 4.0, 5.0]])
ARRAYS = {
    "two arrays": (lambda x, y: (x * x).sum() * (y * y).sum(), (X, Y), (0, 1)),
    "the second": (lambda x, y: (x * x).sum() * (y * y).sum(), (X, Y), 1),
    "an array and a number": (lambda x, y: (x * x).sum() * y * y, (X, 2.0), [0, 1]),
    "a dict": (lambda p: (p["a"] * p["a"]).sum() * p["b"], ({"a": X, "b": 2.0},), 0),
    "a list": (lambda p: p[0].sum() * p[1] * p[1], ([X, 2.0],), 0),
    "a namedtuple": (lambda p: (p.x * p.x).sum() * p.y, (Point(X, 2.0),), 0),
    "arrays without axes": (lambda x, y: x * x * y, (np.array(2.0), 3.0), (0, 1)),
    "arrays of one number": (lambda x, y: (x * x).sum() * (y * y).sum(), (X[:1], Y[:, :1]), (0, 1)),
}
RESULTS = {
    "a matrix": (lambda x, y: y * x, (X, Y), (0, 1)),
    "a product": (lambda x, y: y @ x, (X, Y), (0, 1)),
    "a dict of arrays": (lambda p, y: {"u": p["a"] * p["b"], "v": y.sum()}, ({"a": X, "b": 2.0}, Y), (0, 1)),
    "a list in a list": (lambda x, y: [x * y, (x.sum(), y)], (X, X), (0, 1)),
}


def pieces(tree):
    jax = pytest.importorskip("jax")
    leaves, structure = jax.tree_util.tree_flatten(tree)
    return [np.asarray(leaf) for leaf in leaves], structure


@pytest.mark.parametrize("name", [*ARRAYS, *RESULTS])
def test_jacobians_and_hessians_of_arrays_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    f, args, argnums = (ARRAYS | RESULTS)[name]
    pairs = [(mg.jacobian, jax.jacobian)] + ([(mg.hessian, jax.hessian), (mg.grad, jax.grad)] if name in ARRAYS else [])
    with jax.enable_x64():
        for ours, theirs in pairs:
            (found, structure), (wanted, wanted_structure) = (
                pieces(ours(f, argnums)(*args)),
                pieces(jax.jit(theirs(f, argnums))(*args)),
            )
            assert structure == wanted_structure
            for a, b in zip(found, wanted, strict=True):
                assert a.shape == b.shape
                assert a == pytest.approx(b, rel=1e-13)
