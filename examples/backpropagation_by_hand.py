"""Backpropagation by hand, beside the library: .venv/bin/python examples/backpropagation_by_hand.py

Two neurons, one behind the other, each with a relu: what they say to x, and how far that is from y; then the chain rule
line by line, from the end to the beginning; then one step of learning. Each line is worked out from its formula with
plain numbers, and stands beside what the library says. The graph is drawn: backpropagation_by_hand.svg in the current
directory.
"""

import re
from math import isclose

from micrograd_plus import Value, draw_dot, relu

NUMBERS = {"x": 1.0, "y": 5.0, "w1": 2.0, "b1": 0.0, "w2": 3.0, "b2": 1.0}
RATE, BUMP = 0.01, 0.001
PICTURE = "backpropagation_by_hand.svg"

# What one does on paper. Each line needs only numbers that stand above it; dL_dw1 is ∂L/∂w1.
FORWARD = {
    "z1": "w1 * x + b1",
    "a1": "relu(z1)",
    "z2": "w2 * a1 + b2",
    "ŷ": "relu(z2)",
    "L": "0.5 * (ŷ - y) ** 2",
}
BACKWARD = {
    "dL_dŷ": "ŷ - y",
    "dL_dz2": "dL_dŷ * slope(z2)",
    "dL_dw2": "dL_dz2 * a1",
    "dL_db2": "dL_dz2 * 1",
    "dL_da1": "dL_dz2 * w2",
    "dL_dz1": "dL_da1 * slope(z1)",
    "dL_dw1": "dL_dz1 * x",
    "dL_db1": "dL_dz1 * 1",
}
PAPER = {"relu": lambda z: max(z, 0.0), "slope": lambda z: 1.0 if z > 0.0 else 0.0}


def by_hand(formulas, numbers):
    """`numbers`, and after them those that come out of the formulas."""
    numbers = dict(numbers)
    for name, formula in formulas.items():
        numbers[name] = eval(formula, PAPER, numbers) + 0.0  # -0.0 + 0.0 is 0.0
    return numbers


def by_library(x, y, w1, b1, w2, b2):
    """The same by the library: all numbers, the gradients among them, and L, of which the graph can be drawn."""
    w1, b1, w2, b2 = Value(w1, label="w1"), Value(b1, label="b1"), Value(w2, label="w2"), Value(b2, label="b2")
    z1 = w1 * x + b1
    a1 = relu(z1)
    z2 = w2 * a1 + b2
    y_hat = relu(z2)
    L = 0.5 * (y_hat - y) ** 2
    z1.label, a1.label, z2.label, y_hat.label, L.label = "z1", "a1", "z2", "ŷ", "L"
    L.backward()
    values = [w1, b1, w2, b2, z1, a1, z2, y_hat, L]
    return {v.label: v.data for v in values} | {f"dL_d{v.label}": v.grad for v in values}, L


def show(formulas, hand, library):
    """Each formula, the same with numbers in it, what it comes to, and what the library says."""

    def fill(name):
        if name[0] not in hand and "(" not in name[0]:
            return name[0]  # relu
        number = eval(name[0], PAPER, hand)
        return f"({number:g})" if number < 0.0 else f"{number:g}"

    for name, formula in formulas.items():
        filled = re.sub(r"slope\(\w+\)|[^\W\d]\w*", fill, formula)
        verdict = "✓" if isclose(hand[name], library[name]) else "✗ they differ"
        row = [written(text) for text in (name, formula, filled, f"{hand[name]:g}", f"{library[name]:g}", verdict)]
        print("{:6} = {:18} = {:14} = {:<10} {:<8} {}".format(*row))


def written(formula):
    """As people write it, not as Python does."""
    for python, sign in ("dL_d", "∂L/∂"), ("slope", "relu′"), (" ** 2", "²"), ("0.5 ", "½ "), ("*", "·"), ("-", "−"):
        formula = formula.replace(python, sign)
    return formula


def main(numbers=NUMBERS, rate=RATE, picture=PICTURE):
    hand = by_hand(FORWARD | BACKWARD, numbers)
    library, L = by_library(**numbers)
    print(f"{'Forward':30}{'in numbers':17}{'by hand':11}library")
    show(FORWARD, hand, library)
    print("\nBackward")
    show(BACKWARD, hand, library)

    bumped = by_hand(FORWARD, numbers | {"w1": numbers["w1"] + BUMP})["L"]
    rise = (bumped - hand["L"]) / BUMP
    print(f"\nIs it true? With w1 larger by {BUMP}, L is {bumped:.7f}: larger by {rise:.4f} · {BUMP}")

    print(f"\nLearning, by w ← w − α ∂L/∂w with α = {rate:g}")
    learnt = dict(numbers)
    for name in ("w1", "b1", "w2", "b2"):
        learnt[name] = numbers[name] - rate * hand[f"dL_d{name}"]
        print(written(f"{name} ← {numbers[name]:g} - {rate:g} * {hand[f'dL_d{name}']:g} = {learnt[name]:g}"))
    after = by_hand(FORWARD, learnt)["L"]
    print(f"L was {hand['L']:g}; now it is {after:.4f}")

    print(f"\nThe graph is drawn in {draw_dot(L).render(outfile=picture, cleanup=True)}")
    return hand, library, after


if __name__ == "__main__":
    main()
