"""Programs written for micrograd, with the import changed: what they draw, compute and train."""

import random

import pytest

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
