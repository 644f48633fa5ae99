"""Graphs: their order, what a sweep leaves in them, large ones, and what they cost in memory."""

import gc
import math
from itertools import pairwise, product

import pytest

import micrograd_plus as mg
from micrograd_plus import Value, derivative, grad, jvp, vjp
from micrograd_plus.tape import operands, tape

# What a tape holds ----------------------------------------------------------------------------------------------------


def test_the_operands_of_a_node_come_with_their_partial_derivatives_and_those_of_constants_with_none():
    x, y = Value(3.0), Value(2.0)
    assert operands(x) == []
    assert operands(x * y) == [(x, 2.0), (y, 3.0)]
    assert operands(x * 2) == [(x, 2.0), (2.0, None)]
    assert operands(2 - x) == [(2.0, None), (x, -1.0)]
    assert operands(-x) == [(x, -1.0)]
    assert operands(mg.sum([x, 5, y])) == [(x, 1.0), (5.0, None), (y, 1.0)]
    assert operands(mg.dot([x, 1.0], [y, y])) == [(x, 2.0), (1.0, None), (y, 3.0), (y, 1.0)]
    assert operands(mg.sum([x])) == [(x, 1.0)]
    assert [operand for operand, _ in operands(x * x)] == [x, x]
    assert all(operand is x for operand, _ in operands(x * x))


def test_one_or_two_operands_stand_left_and_right_themselves_and_more_of_them_in_tuples():
    class Mine(Value):
        pass

    a, b, mine = Value(3.0), Value(4.0), Mine(5.0)
    for node, slots in [
        (-mine, (mine, None, -1.0, None)),
        (mg.sum([a]), (a, None, 1.0, None)),
        (mg.sum([a, b]), (a, b, 1.0, 1.0)),
        (a * b, (a, b, 4.0, 3.0)),
        (a * 4.0, (a, 4.0, 4.0, None)),
        (3.0 * b, (3.0, b, None, 3.0)),
        (mg.sum([a, b, 5.0]), ((a, b, 5.0), (1.0, 1.0, None), None, None)),
    ]:
        assert (node.left, node.right, node.d_left, node.d_right) == slots


def test_a_tape_holds_every_node_once_after_its_operands():
    x, y = Value(3.0), Value(2.0)
    product = x * y
    total = mg.sum([product, x, 7.0, product])
    root = total / product
    order = tape(root)
    assert {id(node) for node in order} == {id(node) for node in (x, y, product, total, root)}
    assert len(order) == 5
    for i, node in enumerate(order):
        for operand, partial in operands(node):
            assert partial is None or any(operand is earlier for earlier in order[:i])


def test_a_tape_of_several_roots_holds_what_they_share_once():
    x = Value(3.0)
    shared = mg.exp(x)
    a, b = shared * 2.0, shared + 1.0
    order = tape(a, b, a)
    assert [[node is n for n in (x, shared, a, b)].index(True) for node in order] == [0, 1, 2, 3]
    assert tape() == []
    assert [node is x for node in tape(x, x)] == [True]


def test_a_constant_makes_no_node():
    x = Value(3.0)
    assert len(tape((2.0 * x + 1) ** 2 / 4.0)) == 5


# What a sweep leaves in a graph ---------------------------------------------------------------------------------------


def test_a_node_used_twice_gets_both_its_gradients():
    """b = a + a; c = b · b: a set of operands loses one of the two edges, and recursion visits b too early."""
    a = Value(3.0)
    b = a + a
    c = b * b
    c.backward()
    assert (c.grad, b.grad, a.grad) == (1.0, 12.0, 24.0)


def test_a_node_is_not_visited_before_all_its_uses():
    """y = (c + d) + c·d with c = a + b, d = a·b: depth-first recursion at once is wrong (karpathy/micrograd 68)."""
    a, b = Value(2.0), Value(3.0)
    c, d = a + b, a * b
    ((c + d) + c * d).backward()
    assert (a.grad, b.grad) == (1.0 + 3.0 + (6.0 + 5.0 * 3.0), 1.0 + 2.0 + (6.0 + 5.0 * 2.0))
    assert (c.grad, d.grad) == (7.0, 6.0)


def test_sixty_doublings_are_sixty_operations():
    x = Value(1.0, tangent=1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert (y.data, y.tangent, x.grad) == (2.0**60, 2.0**60, 2.0**60)
    assert len(tape(y)) == 61
    assert grad(lambda x: mg.sum([x, x, x]))(1.0) == 3.0


def test_leaves_accumulate_and_other_nodes_show_the_latest_sweep():
    """A second backward() that adds to the nodes between is wrong: karpathy/micrograd 53 and 102."""
    x = Value(3.0)
    y = x * x
    z = mg.sum([y, y, x])
    z.backward()
    assert (x.grad, y.grad, z.grad) == (13.0, 2.0, 1.0)
    z.backward()
    assert (x.grad, y.grad, z.grad) == (26.0, 2.0, 1.0)
    y.backward(10.0)
    assert (x.grad, y.grad, z.grad) == (86.0, 10.0, 1.0)
    x.grad = 0.0
    z.backward(-1)
    assert (x.grad, y.grad, z.grad) == (-13.0, -2.0, -1.0)


def test_two_losses_that_share_a_subgraph_add_up_in_the_leaves():
    w = Value(0.5)
    hidden = mg.tanh(w)
    first, second = hidden * 2.0, hidden * hidden
    first.backward()
    assert hidden.grad == 2.0
    second.backward()
    t, slope = math.tanh(0.5), 1.0 / math.cosh(0.5) ** 2
    assert hidden.grad == 2.0 * t
    assert w.grad == pytest.approx(slope * (2.0 + 2.0 * t), rel=1e-15, abs=0.0)


def test_a_leaf_can_be_its_own_output():
    x = Value(3.0)
    x.backward()
    x.backward(0.5)
    assert x.grad == 1.5


def test_data_changed_between_the_operation_and_backward_falsifies_nothing():
    x, y = Value(3.0), Value(2.0)
    products = [x * y, mg.exp(x) - math.exp(3.0), mg.dot([x, y], [y, y])]
    total = mg.sum(products)
    x.data, y.data, products[0].data = 100.0, -100.0, 7.0
    total.backward()
    assert x.grad == pytest.approx(2.0 + math.exp(3.0) + 2.0, rel=1e-15, abs=0.0)
    assert y.grad == 3.0 + 3.0 + 4.0


def test_leaves_with_equal_numbers_are_different_inputs():
    x, y = Value(2.0), Value(2.0)
    (x * x * y).backward()
    assert (x.grad, y.grad) == (8.0, 4.0)
    assert grad(lambda p: p[0] * p[0] * p[1])([2.0, 2.0]) == [8.0, 4.0]
    shared = [2.0] * 2
    assert grad(lambda p: p[0] * 3.0)(shared) == [3.0, 0.0]


def test_a_graph_survives_its_sweep_and_can_grow_afterwards():
    x = Value(2.0)
    y = x * x
    y.backward()
    z = y * x
    x.grad = 0.0
    z.backward()
    assert (x.grad, y.grad) == (12.0, 2.0)


# Zero passes nothing on -----------------------------------------------------------------------------------------------
# A branch that was not taken must not make 0 · inf = nan: jax's FAQ, "gradients contain NaN where using where".


def steep(x):
    """At 0 the number 0, with an infinite slope."""
    return mg.sqrt(x)


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (lambda x: steep(x) * 0.0 + x, 0.0, 1.0),  # a partial of zero after an infinite one
        (lambda x: steep(x * 0.0) + x, 0.0, 1.0),  # and before it
        (lambda x: mg.where(x > 0.0, steep(x), 5.0 * x), 0.0, 5.0),
        (lambda x: mg.maximum(-1.0 - steep(x), x), 0.0, 1.0),
        (lambda x: mg.sum([steep(x) * 0.0, x, x]), 0.0, 2.0),
        (lambda x: mg.dot([steep(x), x, x], [0.0, 1.0, 2.0]), 0.0, 3.0),
        (lambda x: mg.dot([0.0, 1.0], [steep(x), x]), 0.0, 1.0),
        (lambda x: mg.step(steep(x)) + x, 0.0, 1.0),
        (lambda x: steep(mg.floor(x)) + x, 0.0, 1.0),
        (lambda x: mg.hypot(steep(x), 0.0) + x, 0.0, 1.0),
        (lambda x: mg.relu(-steep(x)) * x + x, 0.0, 1.0),
    ],
)
def test_zero_times_an_infinite_slope_is_nothing_in_both_modes(f, x, slope):
    value = Value(x, tangent=1.0)
    y = f(value)
    y.backward()
    assert (y.tangent, value.grad) == (slope, slope)
    assert (derivative(f)(x), grad(f)(x), vjp(f, x)[1](1.0)) == (slope, slope, (slope,))
    assert derivative(lambda t: grad(f)(x) * t)(1.0) == slope
    outer = Value(1.0, tangent=1.0)
    result = grad(lambda v: f(v) * outer)(x)
    result.backward()
    assert (result.data, result.tangent, outer.grad) == (slope, slope, slope)


def test_a_zero_seed_passes_nothing():
    x = Value(0.0, tangent=0.0)
    y = steep(x)
    y.backward(0.0)
    assert (y.tangent, x.grad) == (0.0, 0.0)
    assert jvp(steep, (0.0,), (0.0,)) == (0.0, 0.0)
    assert vjp(steep, 0.0)[1](0.0) == (0.0,)
    y.backward()
    assert x.grad == math.inf


def test_a_nan_is_passed_on():
    x = Value(math.nan, tangent=1.0)
    y = x * x
    y.backward()
    assert math.isnan(y.tangent)
    assert math.isnan(x.grad)


# Large graphs ---------------------------------------------------------------------------------------------------------


def test_a_million_operations_are_built_swept_walked_and_freed_by_reference_counts_alone():
    n = 1_000_000
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        x = Value(0.0)
        y = x
        for _ in range(n):
            y = y + 1.0
        y.backward()
        assert (y.data, x.grad) == (n, 1.0)
        assert sum(1 for _ in tape(y)) == n + 1
        assert repr(y) == "Value(data=1000000.0, grad=1.0)"
        assert len(gc.get_objects()) >= before + n
        del y
        assert len(gc.get_objects()) < before + 100
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_long_chains_of_every_kind_of_node_are_swept_and_freed_without_recursion():
    """Of operations over sequences, whose operands stand in tuples; and of Values of Values, in grad of grad."""
    x = Value(1.0)
    y = x
    for _ in range(50_000):
        y = mg.sum([y, 1.0, x])
    y.backward()
    assert x.grad == 50_001.0
    assert len(tape(y)) == 50_001
    del y

    def power(x):
        y = x
        for _ in range(3_000):
            y = (y * x * 0.999) * 0.5 + 0.5
        return y

    for transform in (lambda f: grad(grad(f)), lambda f: derivative(grad(f)), lambda f: grad(derivative(f))):
        assert transform(power)(1.0) == pytest.approx(derivative(power, 2)(1.0), rel=1e-12)


def network():
    """A little of everything that makes nodes."""
    x = [Value(0.1 * i) for i in range(1, 6)]
    hidden = mg.softmax([mg.tanh(a * b + 1.0) for a in x for b in x])
    loss = mg.logsumexp(hidden) * mg.dot(x, hidden[:5]) / mg.sum(x) ** 2.0
    return x, loss


def test_no_graph_leaves_anything_for_the_collector():
    for run in (
        lambda: network()[1].backward(),
        lambda: tape(network()[1]),
        lambda: grad(lambda x: mg.exp(x) * x)(1.0),
        lambda: grad(derivative(grad(mg.tanh)))(1.0),
        lambda: mg.hessian(lambda x: x[0] * mg.sin(x[1]))([1.0, 2.0]),
        lambda: vjp(lambda x: [x * x, x], 3.0)[1]([1.0, 1.0]),
    ):
        run()
        gc.collect()
        gc.disable()
        try:
            run()
            assert gc.collect() == 0
        finally:
            gc.enable()


def test_a_sum_may_have_a_hundred_thousand_operands():
    x = [Value(float(i), tangent=1.0) for i in range(100_000)]
    total = mg.sum(x)
    total.backward()
    assert (total.data, total.tangent) == (99_999 * 50_000.0, 100_000.0)
    assert {v.grad for v in x} == {1.0}
    assert len(tape(total)) == 100_001
    assert grad(mg.sum)([1.0] * 100_000) == [1.0] * 100_000


@pytest.mark.parametrize("operands", [2, 3, 4, 10])
def test_sequence_operations_of_every_length_have_the_slopes_of_their_formulas(operands):
    numbers = [0.5 - 0.25 * i for i in range(operands)]
    x = [Value(number) for number in numbers]
    mg.dot(x, x).backward()
    assert [v.grad for v in x] == [2.0 * number for number in numbers]
    weights = [math.exp(number) for number in numbers]
    slopes = grad(mg.logsumexp)(numbers)
    assert slopes == pytest.approx([w / sum(weights) for w in weights], rel=1e-15, abs=0.0)
    assert sum(slopes) == pytest.approx(1.0, rel=1e-15)


def test_a_graph_both_deep_and_wide_is_swept_in_order():
    """A hundred rows of a hundred nodes, each the mean of its two neighbours above: the gradients are binomials."""
    row = [Value(1.0) for _ in range(100)]
    leaves = row
    while len(row) > 1:
        row = [(a + b) * 0.5 for a, b in pairwise(row)]
    row[0].backward()
    assert [v.grad for v in leaves] == pytest.approx([math.comb(99, k) / 2**99 for k in range(100)], rel=1e-14, abs=0)
    assert len(tape(row[0])) == 100 + 99 * 100


def kept(D, step, n):
    """How many more objects are alive after `n` steps of a loop that D differentiates than after ten."""
    alive = {}

    def f(x):
        for i in range(n):
            if i == 10:
                alive["early"] = len(gc.get_objects())
            x = step(x)
        alive["late"] = len(gc.get_objects())
        return x

    gc.collect()
    gc.disable()
    try:
        D(f)(0.5)
    finally:
        gc.enable()
    return alive["late"] - alive["early"]


@pytest.mark.parametrize("D", [derivative, lambda f: lambda x: jvp(f, (x,), (1.0,))[1]], ids=["derivative", "jvp"])
def test_forward_mode_alone_keeps_no_past(D):
    def step(x):
        return mg.sin(x) * 1.01 + 0.1

    assert kept(D, step, 1_000) < 100
    assert kept(grad, step, 1_000) > 1_000


def test_reverse_mode_inside_of_forward_mode_keeps_only_its_own_past():
    """derivative of a loop around a gradient: each gradient's graph is freed before the next is made."""
    assert kept(derivative, grad(lambda y: mg.sin(y) * y), 1_000) < 100


@pytest.mark.parametrize("x", [Value(0.0), Value(0.0, tangent=0.0)])
def test_a_zero_tangent_of_one_value_passes_nothing_where_the_other_one_moves(x):
    exponent = Value(0.5, tangent=1.0)
    assert (x**exponent).tangent == 0.0  # the slope in x is infinite, but x does not move
    assert (exponent + mg.sqrt(x)).tangent == 1.0
    assert (mg.sqrt(x) * exponent).tangent == 0.0


def test_in_forward_mode_alone_no_way_to_call_an_operation_records_its_operands():
    made = []

    def f(x):
        y = x * x
        made.extend([x * y, x * 2.0, 2.0 * x, x * 2, 2 * x, -x])
        made.extend([mg.sin(x), x.sin(), mg.hypot(x, 1.0), mg.sum([x, y, x])])
        return y

    assert derivative(f)(3.0) == 6.0
    assert [(y.left, y.right, y.d_left, y.d_right) for y in made] == [(None,) * 4] * 10


def test_a_gradient_that_is_zero_so_far_but_moves_with_an_outer_variable_is_added_to():
    """Of 2x + x·w to x at w = 0: the share that comes first, w, is zero, but its derivative to w is not."""

    def slope(f, inner, outer):
        return outer(lambda w: inner(lambda x: f(x, w))(3.0))(0.0)

    for modes in product((derivative, grad), repeat=2):
        assert slope(lambda x, w: x * 2.0 + x * w, *modes) == slope(lambda x, w: x * w + x * 2.0, *modes) == 1.0
        assert slope(lambda x, w: mg.sum([x * w, x * 2.0, x * w]), *modes) == 2.0


def test_a_share_of_1_is_added_to_that_of_an_outer_variable():
    for inner, outer in product((derivative, grad), repeat=2):
        for f in (lambda x, w: x * w + x, lambda x, w: x + x * w):
            assert outer(lambda w, f=f, inner=inner: inner(lambda x: f(x, w))(3.0) ** 2)(2.0) == 6.0  # (w + 1)²
