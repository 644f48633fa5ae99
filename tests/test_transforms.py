"""The transforms as functions of functions: structures in and out, arguments, errors, pullbacks."""

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest

import micrograd_plus as mg
from micrograd_plus import Value, derivative, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

# One number -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x", [3, True, 3.0, np.float64(3.0), np.float32(3.0), np.int64(3), np.array(3.0), Fraction(3)], ids=repr
)
def test_numbers_of_all_kinds_are_inputs_and_floats_come_out(x):
    number = float(x)
    results = [
        derivative(lambda x: x * x)(x),
        grad(lambda x: x * x)(x),
        *jvp(lambda x: x * x, (x,), (1,)),
        *jvp(lambda x: x, (x,), (x,)),
        *vjp(lambda x: x * x, x)[1](1),
        *vjp(lambda x: x, x)[1](x),
        jacobian(lambda x: x * x)(x),
        hessian(lambda x: x * x)(x),
        hvp(lambda x: x * x, (x,), (x,)),
        *value_and_grad(lambda x: x)(x),
        derivative(lambda x: x)(x),
    ]
    assert [type(result) for result in results] == [float] * len(results)
    twice, square = 2.0 * number, number * number
    assert results == [twice, twice, square, twice, number, number, twice, number, twice, 2.0, twice, number, 1.0, 1.0]


def test_derivative_gives_every_order_from_zero_up():
    def f(x):
        return x**4

    assert [derivative(f, n)(2.0) for n in range(7)] == [16.0, 32.0, 48.0, 48.0, 24.0, 0.0, 0.0]
    assert derivative(f, n=2)(2) == derivative(derivative(f))(2) == 48.0


@pytest.mark.parametrize("n", [-1, 1.0, True, "2", None])
def test_an_order_that_is_no_whole_number_is_refused_before_anything_runs(n):
    with pytest.raises(ValueError, match=f"derivative: n must be a whole number from 0 up, got {n!r}"):
        derivative(lambda x: x, n)


def test_a_program_runs_again_when_a_transform_is_over_or_has_failed():
    calls = []

    def f(x):
        calls.append(x)
        return x * x

    program = mg.jit(f)
    assert program(2.0) == 4.0
    with pytest.warns(RuntimeWarning, match="f is not compiled: inside of a transform"):
        assert grad(lambda x: program(x) * x)(2.0) == 12.0
    with pytest.raises(ZeroDivisionError):
        derivative(lambda x: x / 0.0)(1.0)
    assert len(calls) == 2  # to be compiled, and inside grad, which looks at the operations
    assert program(3.0) == 9.0
    assert len(calls) == 2


def test_the_result_of_a_constant_function_is_its_number_and_its_derivative_zero():
    for constant in (5, 5.0, np.float64(5.0), Fraction(5)):
        number = float(constant)
        for f in (lambda *x, c=constant: c, lambda *x, c=constant: x[0] * 0.0 + c):
            assert value_and_grad(f)(2.0) == (number, 0.0)
            assert jvp(f, (2.0,), (1.0,)) == (number, 0.0)
            assert derivative(f)(2.0) == derivative(f, 3)(2.0) == 0.0
            assert grad(grad(f))(2.0) == hessian(f)(2.0) == hvp(f, (2.0,), (1.0,)) == 0.0
        assert value_and_grad(lambda x, c=constant: c)([2.0, 1.0]) == (number, [0.0, 0.0])
    assert jacobian(lambda x: [1.0, 2.0])([1.0, 2.0, 3.0]) == [[0.0] * 3] * 2
    assert hessian(lambda x: 5.0)([1.0, 2.0]) == [[0.0, 0.0], [0.0, 0.0]]


# Structures -----------------------------------------------------------------------------------------------------------


def test_gradients_come_in_the_structure_of_the_argument():
    def f(p):
        return p["w"][0][1] * p["x"] + p["t"][0] ** 2 + p["w"][1][0] * 0.5

    p = {"w": [[1.0, 2.0], (3.0,)], "x": 5, "t": (4.0, []), "empty": {}, "unused": ({"deep": 1.0},)}
    expected = {
        "w": [[0.0, 5.0], (0.5,)],
        "x": 2.0,
        "t": (8.0, []),
        "empty": {},
        "unused": ({"deep": 0.0},),
    }
    gradient = grad(f)(p)
    assert gradient == expected
    assert list(gradient) == list(p)
    assert [type(item) for item in gradient["w"]] == [list, tuple]
    assert vjp(f, p)[1](1.0) == (expected,)
    ones = {"w": [[1.0, 1.0], (1.0,)], "x": 1.0, "t": (1.0, []), "empty": {}, "unused": ({"deep": 1.0},)}
    assert jvp(f, (p,), (ones,)) == (27.5, 15.5)


def test_results_come_in_the_structure_that_the_function_returns():
    def f(x):
        return {"both": (x * 2, [x * x, []]), "constant": 7}

    assert jvp(f, (3.0,), (1.0,)) == (
        {"both": (6.0, [9.0, []]), "constant": 7.0},
        {"both": (2.0, [6.0, []]), "constant": 0},
    )
    value, pullback = vjp(f, 3.0)
    assert value == f(3.0)
    assert pullback({"constant": 100.0, "both": (1.0, [10.0, []])}) == (62.0,)
    assert jacobian(f)(3.0) == {"both": (2.0, [6.0, []]), "constant": 0.0}


def test_functions_of_no_numbers_at_all_have_empty_derivatives():
    assert grad(lambda x: 1.0)([]) == []
    assert grad(lambda x, y: y, argnums=(0, 1))({}, 2.0) == ({}, 1.0)
    assert jacobian(lambda x: [1.0, 2.0])([]) == [[], []]
    assert jacobian(lambda x: [])([1.0, 2.0]) == []
    assert hessian(lambda x: 1.0)([]) == []
    assert hvp(lambda x: 1.0, ([],), ([],)) == []
    assert jvp(lambda: 3.0, (), ()) == (3.0, 0.0)
    assert vjp(lambda: [3.0])[1]([1.0]) == ()
    for shape in ((0,), (0, 3)):
        gradient = grad(lambda x: 1.0)(np.zeros(shape))
        assert (gradient.shape, gradient.dtype) == (shape, float)
        assert jacobian(lambda x: x)(np.zeros(shape)).size == 0


def test_numpy_arrays_of_floats_go_in_and_come_out():
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    b = np.array([10.0, 100.0])

    def f(a, b):
        return np.sum(np.tanh(a) @ b)

    value, gradients = value_and_grad(f, argnums=(0, 1))(a, b)
    assert value == pytest.approx(np.sum(np.tanh(a) @ b), rel=1e-15)
    assert [g.dtype for g in gradients] == [float, float]
    np.testing.assert_allclose(gradients[0], (1 - np.tanh(a) ** 2) * b, rtol=1e-13)
    np.testing.assert_allclose(gradients[1], np.tanh(a).sum(axis=0), rtol=1e-15)
    value, tangent = jvp(lambda a: a @ b, (a,), (np.ones((2, 2)),))
    assert (value.tolist(), tangent.tolist()) == ([210.0, 430.0], [110.0, 110.0])
    assert (value.dtype, tangent.dtype) == (float, float)
    value, pullback = vjp(lambda a: a @ b, a)
    assert pullback(np.array([1.0, 2.0]))[0].tolist() == [[10.0, 100.0], [20.0, 200.0]]
    assert hvp(lambda b: np.sum(b**3.0), (b,), (np.array([1.0, 2.0]),)).tolist() == [60.0, 1200.0]
    assert grad(lambda d: np.sum(d["a"]) * d["s"])({"a": a, "s": 2})["a"].tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert a.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_arrays_of_whole_numbers_and_bools_and_in_any_memory_order_are_arrays_of_numbers():
    for a in (np.arange(6).reshape(2, 3), np.arange(6.0).reshape(3, 2).T, np.eye(2, 3, dtype=bool)):
        gradient = grad(lambda a: np.sum(a * a))(a)
        assert (gradient.dtype, gradient.tolist()) == (float, (2.0 * a).tolist())


def test_the_jacobian_of_arrays_is_one_array_and_the_hessian_too():
    m, x = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([7.0, 8.0])
    for matrix in (m, m.T):
        x = np.arange(1.0, matrix.shape[1] + 1.0)
        result = jacobian(lambda x, matrix=matrix: matrix @ x)(x)
        assert (result.dtype, result.tolist()) == (float, matrix.tolist())
    assert jacobian(lambda x: x * x)(np.array([3.0])).tolist() == [[6.0]]
    to_m = jacobian(lambda m: m @ np.array([7.0, 8.0]))(m)
    assert to_m.shape == (3, 3, 2)
    np.testing.assert_array_equal(to_m, np.einsum("ik,j->ikj", np.eye(3), [7.0, 8.0]))
    second = hessian(lambda x: np.sum(x) ** 3.0)(x)
    assert (second.dtype, second.tolist()) == (float, [[6.0 * x.sum()] * len(x)] * len(x))
    third = jacobian(hessian(np.prod))(np.ones(3))
    assert (third.dtype, third.shape, third.sum(axis=(1, 2)).tolist()) == (float, (3, 3, 3), [2.0, 2.0, 2.0])


def test_the_gradient_of_an_array_inside_of_another_transform_is_an_array_too():
    def f(x):
        return np.sum(grad(lambda y: np.sum(y**3.0))(x) * np.array([1.0, 10.0]))

    assert grad(f)(np.array([1.0, 2.0])).tolist() == [6.0, 120.0]


def test_a_function_may_change_the_structures_it_is_given():
    def f(x):
        x.reverse()
        x[0] = x[0] * 3.0
        x.append(1.0)
        return x[0]

    x = [1.0, 2.0]
    assert grad(f)(x) == [0.0, 3.0]
    assert jacobian(f)(x) == [0.0, 3.0]
    assert jvp(f, (x,), ([1.0, 10.0],)) == (6.0, 30.0)
    assert hvp(f, (x,), ([1.0, 10.0],)) == [0.0, 0.0]
    assert x == [1.0, 2.0]
    results = []

    def kept(x):
        results[:] = [x, x]
        return results

    _, pullback = vjp(kept, 2.0)
    results.clear()
    assert pullback([1.0, 1.0]) == (2.0,)
    assert grad(lambda p: p.pop("w") * 2.0)({"w": 1.0, "b": 2.0}) == {"w": 2.0, "b": 0.0}


# Arguments ------------------------------------------------------------------------------------------------------------


def test_argnums_choose_the_arguments():
    def f(x, y, z):
        return x * y**2 * z**3

    assert grad(f)(2.0, 3.0, 1.0) == 9.0
    assert grad(f, 2)(2.0, 3.0, 1.0) == grad(f, argnums=-1)(2.0, 3.0, 1.0) == 54.0
    assert grad(f, -3)(2.0, 3.0, 1.0) == 9.0
    assert grad(f, (2, 0))(2.0, 3.0, 1.0) == (54.0, 9.0)
    assert grad(f, (-2,))(2.0, 3.0, 1.0) == (12.0,)
    assert grad(f, ())(2.0, 3.0, 1.0) == ()
    assert value_and_grad(f, (0, 1))(2, 3, 1) == (18.0, (9.0, 12.0))
    assert jacobian(lambda x, y: [x * y, x + y], (0, 1))(2.0, 3.0) == [(3.0, 2.0), (1.0, 1.0)]
    assert hessian(f, (0, 1))(2.0, 3.0, 1.0) == ((0.0, 6.0), (6.0, 4.0))
    assert hvp(lambda x, y: x * y**2, (2.0, 3.0), (1.0, 10.0)) == (60.0, 46.0)


@pytest.mark.parametrize("argnums", [2, -3, (0, 2), True, 1.0, "x", [2], (0, 0), (1, -1), None])
@pytest.mark.parametrize("transform", [grad, value_and_grad, jacobian, hessian])
def test_an_argument_that_is_not_there_is_named(transform, argnums):
    with pytest.raises(ValueError, match=r"argnums: .*area"):
        transform(named("area"), argnums)(1.0, 2.0)


def named(name):
    def f(x, y):
        return x * y

    f.__name__ = name
    return f


def test_other_arguments_may_be_anything_and_keywords_are_passed_on():
    def f(x, mode, *, scale, table=None):
        return x * scale[mode] * (table or {"k": 1.0})["k"]

    assert grad(f)(2.0, "fast", scale={"fast": 3.0}) == 3.0
    assert value_and_grad(f)(2.0, "fast", scale={"fast": 3}, table={"k": 0.5}) == (3.0, 1.5)
    assert jacobian(f)(2.0, "fast", scale={"fast": 3.0}) == 3.0
    assert hessian(f)(2.0, "fast", scale={"fast": 3.0}) == 0.0


def test_any_callable_can_be_differentiated():
    class Square:
        def __call__(self, x):
            return x * x

        def triple(self, x):
            return x * 3.0

    partial = functools.partial(named("f"), y=5.0)
    for f, slope in ((Square(), 4.0), (Square().triple, 3.0), (partial, 5.0), (mg.exp, math.exp(2.0))):
        assert derivative(f)(2.0) == grad(f)(2.0) == jacobian(f)(2.0) == slope
    with pytest.raises(TypeError, match=r"the result of functools\.partial\(.*\): expected a (real )?number"):
        grad(functools.partial(lambda x: None))(1.0)


def test_a_function_without_its_argument_raises_what_python_raises():
    with pytest.raises(TypeError, match="argument"):
        derivative(lambda x: x)()
    with pytest.raises(TypeError, match="argument"):
        grad(lambda x, y: x)(1.0)
    with pytest.raises(ValueError, match="0 positional arguments"):
        grad(lambda: 1.0)()


# What cannot be differentiated ----------------------------------------------------------------------------------------

NO_NUMBERS = [None, "3", b"3", 1j, np.complex64(1j), np.array("3"), {1.0}, object, range(2)]


@pytest.mark.parametrize("result", NO_NUMBERS, ids=repr)
def test_a_function_that_returns_no_number_and_no_structure_of_numbers_is_refused_by_name(result):
    def faulty(x):
        return result

    calls = [
        lambda: derivative(faulty)(1.0),
        lambda: grad(faulty)(1.0),
        lambda: value_and_grad(faulty)(1.0),
        lambda: jvp(faulty, (1.0,), (1.0,)),
        lambda: vjp(faulty, 1.0),
        lambda: jacobian(faulty)(1.0),
        lambda: hessian(faulty)(1.0),
        lambda: hvp(faulty, (1.0,), (1.0,)),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"the result of faulty.*: (expected a (real )?number, got|a \w+ where)"):
            call()


@pytest.mark.parametrize("result", [[1.0], (), {"a": 1.0}, np.ones(1)], ids=repr)
def test_a_structure_is_no_result_where_one_number_is_needed(result):
    def faulty(x):
        return result

    for transform in (derivative, grad, value_and_grad, hessian):
        with pytest.raises(TypeError, match=r"the result of faulty.*: expected a (real )?number, got"):
            transform(faulty)(1.0)
    with pytest.raises(TypeError, match="jacobian"):
        grad(faulty)(1.0)


@pytest.mark.parametrize("argument", ["text", None, 1j, {1.0}, [1.0, 1j], np.array([1j]), np.array(["a"])], ids=repr)
def test_an_argument_that_is_no_number_and_no_structure_of_numbers_is_refused(argument):
    for call in (
        lambda: grad(lambda x: 1.0)(argument),
        lambda: vjp(lambda x: 1.0, argument),
        lambda: jvp(lambda x: 1.0, (argument,), (argument,)),
        lambda: jacobian(lambda x: 1.0)(argument),
    ):
        with pytest.raises(TypeError, match=r"argument|primal"):
            call()


def test_derivative_takes_one_number_and_no_structure():
    with pytest.raises(TypeError, match=r"derivative: the argument: expected a (real )?number, got \[1\.0\]"):
        derivative(lambda x: x)([1.0])


@pytest.mark.parametrize(
    ("primals", "tangents"),
    [
        ((1.0,), ()),
        ((1.0,), (1.0, 2.0)),
        (([1.0, 2.0],), ([1.0],)),
        (([1.0],), ((1.0,),)),
        (([1.0],), (1.0,)),
        (({"a": 1.0},), ({"b": 1.0},)),
        ((np.ones(2),), ([1.0, 1.0],)),
        (([1.0, 1.0],), (np.ones(2),)),
        ((np.ones((2, 3)),), (np.ones((2, 2)),)),
        ((np.ones((2, 3)),), (np.ones(2),)),
    ],
    ids=repr,
)
def test_tangents_and_cotangents_of_another_structure_are_refused(primals, tangents):
    def total(*numbers):
        return 1.0

    for transform in (jvp, hvp):
        with pytest.raises(ValueError, match=r"jvp: primals and tangents differ in (structure|shape)"):
            transform(total, primals, tangents)
    _, pullback = vjp(lambda *numbers: numbers, *primals)
    with pytest.raises(ValueError, match=r"vjp: value and cotangents differ in (structure|shape)"):
        pullback(tangents)


@pytest.mark.parametrize("tangent", ["a", None, 1j, np.ones(1)], ids=repr)
def test_tangents_and_cotangents_that_are_no_numbers_are_refused(tangent):
    with pytest.raises(TypeError, match=r"jvp: a tangent: expected a (real )?number"):
        jvp(lambda x: x, (1.0,), (tangent,))
    with pytest.raises(TypeError, match=r"vjp: a cotangent: expected a (real )?number"):
        vjp(lambda x: x * x, 1.0)[1](tangent)


@pytest.mark.parametrize("tangent", [[1.0], (), {"a": 1.0}], ids=repr)
def test_a_container_in_the_place_of_a_number_is_another_structure(tangent):
    with pytest.raises(ValueError, match="jvp: primals and tangents differ in structure"):
        jvp(lambda x: x, (1.0,), (tangent,))
    with pytest.raises(ValueError, match="vjp: value and cotangents differ in structure"):
        vjp(lambda x: x * x, 1.0)[1](tangent)


def test_an_error_of_the_function_is_passed_on_as_it_is():
    def faulty(x):
        raise KeyError("mine")

    for call in (lambda: grad(faulty)(1.0), lambda: derivative(faulty)(1.0), lambda: jacobian(faulty)([1.0])):
        with pytest.raises(KeyError, match="mine"):
            call()


# Jacobians in both directions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 2, 3, 5])
@pytest.mark.parametrize("inputs", [1, 3, 4])
def test_a_jacobian_is_right_whichever_way_it_is_made(inputs, outputs):
    """Of yᵢ = sin(i) · Σ j·xⱼ²: a wide and a tall matrix alike, and the function is called once in reverse mode."""
    calls = []

    def f(x):
        calls.append(1)
        return [math.sin(i) * mg.sum([j * a * a for j, a in enumerate(x)]) for i in range(outputs)]

    x = [0.5 + j for j in range(inputs)]
    expected = [[math.sin(i) * j * 2.0 * x[j] for j in range(inputs)] for i in range(outputs)]
    rows = jacobian(f)(x)
    assert [type(row) for row in rows] == [list] * outputs
    assert [number for row in rows for number in row] == pytest.approx([n for row in expected for n in row], rel=1e-15)
    assert len(calls) == (1 if outputs <= inputs else 1 + inputs)


def test_a_jacobian_of_structures_nests_the_structure_of_the_argument_in_that_of_the_result():
    def f(p, q):
        return {"sum": p["a"] + p["b"][0], "list": [p["a"] * q, 2.0, p["b"][0]]}

    def g(p, q):
        return (f(p, q)["list"][0],)

    p = {"a": 3.0, "b": (5.0,)}
    assert jacobian(f)(p, 2.0) == {
        "sum": {"a": 1.0, "b": (1.0,)},
        "list": [{"a": 2.0, "b": (0.0,)}, {"a": 0.0, "b": (0.0,)}, {"a": 0.0, "b": (1.0,)}],
    }
    assert jacobian(g, argnums=(0, 1))(p, 2.0) == (({"a": 2.0, "b": (0.0,)}, 3.0),)
    assert hessian(lambda p: p["a"] ** 2 * p["b"][0])(p) == {
        "a": {"a": 10.0, "b": (6.0,)},
        "b": ({"a": 6.0, "b": (0.0,)},),
    }


# Values as arguments and around ---------------------------------------------------------------------------------------


def test_values_that_a_function_closes_over_are_constants_whose_gradients_are_left_alone():
    w = Value(3.0, label="w")
    w.grad = 5.0
    slope = grad(lambda x: w * x * x)(2.0)
    assert (slope.data, w.grad) == (12.0, 5.0)
    slope.backward()
    assert w.grad == 5.0 + 4.0
    value, tangent = jvp(lambda x: w * x, (2.0,), (1.0,))
    assert (value.data, tangent.data) == (6.0, 3.0)
    assert hessian(lambda x: w * x[0] * x[1])([1.0, 2.0]) == [[0.0, 3.0], [3.0, 0.0]]
    assert jacobian(lambda x: [w * x, x * x])(2.0) == [3.0, 4.0]
    assert w.grad == 9.0


def test_a_result_that_is_a_value_of_the_ground_level_is_a_constant():
    w = Value(3.0)
    value, gradient = value_and_grad(lambda x: w)(2.0)
    assert value is w
    assert (gradient, derivative(lambda x: w)(2.0), w.grad) == (0.0, 0.0, 0.0)
    assert jvp(lambda x: [w, x], (2.0,), (1.0,)) == ([w, 2.0], [0.0, 1.0])
    assert vjp(lambda x: [w, x], 2.0)[1]([1.0, 10.0]) == (10.0,)


def test_gradients_with_respect_to_values_are_values_that_can_be_differentiated_on():
    x = Value(2.0, tangent=1.0)
    for D in (derivative, grad, jacobian):
        x.grad = 0.0
        slope = D(lambda y: y**3)(x)
        assert (slope.data, slope.tangent, x.grad) == (12.0, 12.0, 0.0)
        slope.backward()
        assert x.grad == 12.0
    p = [Value(1.0), Value(2.0)]
    gradient = grad(lambda p: p[0] * p[1] ** 2)(p)
    assert [g.data for g in gradient] == [4.0, 4.0]
    gradient[1].backward()
    assert [v.grad for v in p] == [4.0, 2.0]
    array = np.array([Value(1.0), Value(2.0)])
    assert [g.data for g in grad(lambda a: np.sum(a * a))(array)] == [2.0, 4.0]


def test_tangents_and_cotangents_may_be_values():
    t = Value(3.0)
    _, tangent = jvp(lambda x: x * x, (2.0,), (t,))
    (gradient,) = vjp(lambda x: x * x, 2.0)[1](t)
    assert (tangent.data, gradient.data) == (12.0, 12.0)
    (tangent + gradient).backward()
    assert t.grad == 8.0
    zero = Value(0.0)
    _, tangent = jvp(mg.sin, (0.5,), (zero,))
    tangent.backward()
    assert zero.grad == math.cos(0.5)


# Pullbacks ------------------------------------------------------------------------------------------------------------


def test_a_pullback_may_be_called_again_and_forgets_the_call_before():
    _, pullback = vjp(lambda x, y: [x * y, mg.exp(x)], 0.0, 3.0)
    assert [pullback(c) for c in ([1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [0.0, 0.0])] == [
        (3.0, 0.0),
        (1.0, 0.0),
        (3.0, 0.0),
        (7.0, 0.0),
        (0.0, 0.0),
    ]


@pytest.mark.parametrize("f", [lambda x, p: x * p, lambda x, p: p * x, lambda x, p: mg.dot([x, 1.0], [p, 4.0])])
def test_a_pullback_keeps_the_numbers_of_its_call_though_a_parameter_changes_later(f):
    p = Value(2.0)
    _, pullback = vjp(lambda x: f(x, p), 3.0)
    p.data = 5.0
    (slope,) = pullback(1.0)
    assert slope.data == 2.0
    slope.backward()
    assert p.grad == 1.0


def test_a_pullback_refuses_without_harm():
    _, pullback = vjp(lambda x: [x * x, x], 3.0)
    assert pullback([1.0, 1.0]) == (7.0,)
    with pytest.raises(TypeError):
        pullback([1.0, "a"])
    with pytest.raises(ValueError, match="differ in structure"):
        pullback([1.0])
    assert pullback([1.0, 0.0]) == (6.0,)


def test_the_same_number_may_be_returned_and_passed_several_times():
    assert vjp(lambda x: [x, x, [x]], 3.0)[1]([1.0, 10.0, [100.0]]) == (111.0,)
    assert vjp(lambda x: (y := x * x, y, x), 3.0)[1]((1.0, 10.0, 100.0)) == (166.0,)
    one = [1.0, 2.0]
    assert grad(lambda x, y: x[0] * y[1], (0, 1))(one, one) == ([2.0, 0.0], [0.0, 1.0])


def test_a_pullback_called_from_many_threads_gives_each_its_own_gradient():
    def f(x):
        y = mg.tanh(x[0]) * x[1]
        for _ in range(50):
            y = y * 0.9 + mg.sin(y)
        return [y, x[0]]

    _, pullback = vjp(f, [0.3, 0.7])
    seeds = [[float(i % 7), float(i % 5)] for i in range(200)]
    alone = [pullback(seed) for seed in seeds]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(pullback, seeds)) == alone


# Agreement ------------------------------------------------------------------------------------------------------------


def test_every_transform_of_one_function_tells_the_same():
    """Rosenbrock's valley, whose derivatives are known: (1 - x)² + 100 (y - x²)²."""

    def f(p):
        x, y = p
        return (1.0 - x) ** 2 + 100.0 * (y - x * x) ** 2

    p, v = [-1.0, 2.0], [3.0, -0.5]
    gradient, rows = [-2.0 * 2.0 + 400.0, 200.0], [[2.0 - 400.0 * 2.0 + 1200.0, 400.0], [400.0, 200.0]]
    product = [rows[0][0] * 3.0 - 200.0, 1200.0 - 100.0]
    assert f(p) == 104.0
    assert grad(f)(p) == jacobian(f)(p) == gradient
    assert value_and_grad(f)(p) == (104.0, gradient)
    assert jvp(f, (p,), (v,)) == (104.0, 3.0 * gradient[0] - 0.5 * gradient[1])
    assert vjp(f, p)[1](2.0) == ([2.0 * g for g in gradient],)
    assert hessian(f)(p) == jacobian(grad(f))(p) == rows
    assert hvp(f, (p,), (v,)) == jvp(grad(f), (p,), (v,))[1] == product
    assert grad(lambda p: jvp(f, (p,), (v,))[1])(p) == product
    assert grad(lambda p: mg.dot(grad(f)(p), v))(p) == product
    assert [derivative(lambda t, i=i: grad(f)([p[0] + 3.0 * t, p[1] - 0.5 * t])[i])(0.0) for i in (0, 1)] == product


@pytest.mark.parametrize("transform", [jvp, mg.hvp])
def test_primals_without_a_tuple_are_refused_with_an_example(transform):
    with pytest.raises(TypeError, match=r"have one item per argument, as in \(2\.0,\), got 2\.0, 1\.0"):
        transform(lambda x: x * x, 2.0, 1.0)


@pytest.mark.parametrize("transform", [jvp, mg.hvp])
@pytest.mark.parametrize(("primals", "tangents"), [((2.0,), 1.0), (2.0, (1.0,))])
def test_a_direction_or_a_point_alone_without_its_tuple_is_refused_too(transform, primals, tangents):
    with pytest.raises(TypeError, match=r"have one item per argument, as in \(2\.0,\), got "):
        transform(lambda x: x * x, primals, tangents)


def test_how_many_arguments_there_were_is_said():
    for arguments, count in (((1.0,), "1 positional argument,"), ((1.0, 2.0), "2 positional arguments,")):
        with pytest.raises(ValueError, match=f"was called with {count} there is no number 2"):
            grad(lambda *x: x[0], 2)(*arguments)


def test_an_array_of_one_result_has_a_jacobian_with_respect_to_a_list():
    slopes = jacobian(lambda x: np.array([x[0] * x[1]]))([2.0, 5.0])
    assert [slope.tolist() for slope in slopes] == [[5.0], [2.0]]


@pytest.mark.parametrize("transform", [derivative, grad, value_and_grad, jacobian, hessian, mg.vmap])
def test_a_number_in_the_place_of_a_function_is_refused_when_the_transform_is_made(transform):
    y = Value(3.0) * 2.0
    with pytest.raises(TypeError, match=r"expected a function, got .*6\.0.*; of a Value, call backward\(\), and read"):
        transform(y)
    with pytest.raises(TypeError, match=r"expected a function, got 6\.0$"):
        transform(6.0)
