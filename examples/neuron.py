"""A neuron learns: .venv/bin/python examples/neuron.py

One neuron with two inputs learns the logical "or" from its four cases, by gradient descent written out. The graph of
its loss in one of the cases is drawn: neuron.svg in the current directory.
"""

from micrograd_plus import Value, draw_dot, mean, sigmoid, softplus

CASES = [((0.0, 0.0), 0.0), ((0.0, 1.0), 1.0), ((1.0, 0.0), 1.0), ((1.0, 1.0), 1.0)]
RATE, STEPS = 1.0, 200


def main():
    w1, w2, b = Value(0.5, label="w1"), Value(-0.5, label="w2"), Value(0.0, label="b")
    parameters = [w1, w2, b]

    def activation(x):
        return w1 * x[0] + w2 * x[1] + b

    def loss(x, target):
        """The cross-entropy of sigmoid(z): its -log if the target is 1, the -log of the rest to 1 if it is 0."""
        z = activation(x)
        return softplus(-z) if target else softplus(z)

    for step in range(STEPS + 1):
        total = mean([loss(x, target) for x, target in CASES])
        for p in parameters:
            p.grad = 0.0  # gradients add up: each step starts afresh
        total.backward()
        if step % 40 == 0:
            print(f"step {step:3}   loss {total:.4f}   " + "   ".join(f"{p.label} = {p:.3f}" for p in parameters))
        if step == STEPS:
            break
        for p in parameters:
            p.data -= RATE * p.grad

    print()
    for x, target in CASES:
        print(f"{x[0]:.0f} or {x[1]:.0f}: {sigmoid(activation(x)):.3f}   (should be {target:.0f})")

    for p in parameters:
        p.grad = 0.0
    one = loss((1.0, 0.0), 1.0)
    one.label = "L"
    one.backward()
    print(f"\nThe graph of the loss at (1, 0) is drawn in {draw_dot(one).render(outfile='neuron.svg', cleanup=True)}")


if __name__ == "__main__":
    main()
