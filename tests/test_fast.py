"""The flat operators and the flat sweep give the numbers of the readable ones, to the last bit.

The same programs run in two processes, one of them with MICROGRAD_PLUS_PLAIN=1, and all numbers are compared: values,
partials, tangents and gradients, over special floats, over Values of two levels, and in forward mode alone. So are the
warnings: each is an output in its place, with the line that it is shown at.
"""

import itertools
import os
import random
import re
import subprocess
import sys
import warnings
from pathlib import Path

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.rules import RULES
from micrograd_plus.tape import operands, tape

ROOT = Path(__file__).parent.parent
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    3,
    -2,
    1e-308,
    5e-324,
    1e200,
    -1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
]
ORDINARY = [0.7, -1.3, 2.5, 0.2]


def text(x):
    """A number, and what is in it, to the last bit."""
    if isinstance(x, Value):
        return f"{type(x).__name__}{x.level > 0}({text(x.data)}, {text(x.tangent)})"
    return x.hex() if isinstance(x, float) else repr(x)


def described(root):
    for node in tape(root):
        yield f"{node.rule.name} {text(node)} {text(node.grad)} {[(text(x), text(p)) for x, p in operands(node)]}"


def attempts(f, *arguments):
    """The result of f, or its error."""
    try:
        yield from f(*arguments)
    except (ArithmeticError, ValueError) as error:
        yield f"{type(error).__name__}: {error}"


def one_operation(name, numbers, tangents, backward):
    values = [Value(x, tangent=t) if t is not None else x for x, t in zip(numbers, tangents, strict=True)]
    arguments = {0: values, 1: [values], 2: [values, values[::-1]]}[RULES[name].sequences]
    result = getattr(mg, name)(*arguments)
    result = result[0] if isinstance(result, list) else result
    if isinstance(result, float):  # times, of which one factor is 0
        yield text(result)
        return
    result.backward(backward)
    yield from described(result)
    yield from [text(x.grad) for x in values if isinstance(x, Value)]


def operators(x, y):
    yield from (x + y, x - y, x * y, -x, y + x, y * x, y - x)
    yield from attempts(lambda: [x / y])
    yield from attempts(lambda: [y / x])
    yield from attempts(lambda: [x**y])


def programs(seed):
    """A random program with shared nodes and constants, and everything that is known of it."""
    draw = random.Random(seed)

    def f(a, b):
        numbers = [a, b]
        for _ in range(draw.randrange(3, 15)):
            x, y = draw.choice(numbers), draw.choice([*numbers, 2, -0.5])
            operation = draw.choice([*"+-*/", "sin", "tanh", "relu", "maximum", "**2", "neg", "exp", "sum"])
            if operation in "+-*/":
                x, y = draw.choice([(x, y), (y, x)])
                step = {"+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y}
                numbers.append(x / (y * y + 1.0) if operation == "/" else step[operation](x, y))
            elif operation == "maximum":
                numbers.append(mg.maximum(x, y))
            elif operation == "sum":
                numbers.append(mg.sum([x, y, *numbers[:2]]))
            elif operation == "**2":
                numbers.append(mg.tanh(x) ** 2)
            elif operation == "neg":
                numbers.append(-x)
            else:
                numbers.append(getattr(mg, operation)(mg.sin(x)))
        return numbers[-1] * 1.5 + a

    point = [draw.uniform(-2, 2), draw.uniform(-2, 2)]
    state = draw.getstate()

    def again(*x):
        draw.setstate(state)  # the same program at each call
        return f(*x)

    a, b = Value(point[0], tangent=draw.choice([0.0, 1.0])), Value(point[1], tangent=0.5)
    state = draw.getstate()
    result = again(a, b)
    result.backward(2.0)
    result.backward()
    yield from described(result)
    yield text(mg.derivative(lambda x: again(x, point[1]), 2)(point[0]))
    both = mg.value_and_grad(again, argnums=(0, 1))(*point)
    yield repr((both, mg.jvp(again, point, [1.0, -0.5])))
    yield repr(mg.hessian(lambda p: again(*p))(point))
    w = Value(0.25)  # a network's Values inside of a transform, differentiated afterwards
    slope = mg.grad(lambda x: again(x, w * x))(point[0])
    (w * slope * slope).backward()
    yield text(w.grad)


def everything():
    for name, rule in RULES.items():
        arity = 2 if "{y}" in rule.template or rule.sequences else 1
        for numbers in itertools.product(FLOATS + ORDINARY, repeat=arity):
            for tangents in [(1.0, 0.5), (0.0, 2.0), (None, 1.0), (-1.0, None)]:
                if tangents[:arity] != (None,):
                    yield from attempts(one_operation, name, numbers, tangents[:arity], -1.5)
    for x, y in itertools.product(FLOATS, repeat=2):
        for result in operators(Value(x), y):
            yield result if isinstance(result, str) else "; ".join(described(result))
        yield repr(mg.jvp(lambda a, b: [r for r in operators(a, b) if not isinstance(r, str)], (x, y), (1.0, 2.0)))
    for seed in range(100):
        yield from programs(seed)
    unary = [getattr(mg, name) for name, rule in RULES.items() if not ("{y}" in rule.template or rule.sequences)]
    outer = [*unary, lambda r: r * r, lambda r: r**2, lambda r: r**0, lambda r: mg.maximum(r, 0.0), lambda r: 0.0 * r]
    outer += [
        lambda r: mg.hypot(r, r),
        lambda r: mg.sum([r, r, 1.0]) * r,
        lambda r: mg.dot([r], [r]),
        lambda r: r / 3.0,
    ]
    for g, f, x in itertools.product(outer, unary, (0.0, 1.0, -1.0, float("inf"))):  # where zeros meet infinities
        yield from attempts(one_chain, g, f, x)


def one_chain(g, f, number):
    x = Value(number, tangent=1.0, label="x")
    result = g(f(x))
    result.backward()
    yield from described(result)
    yield text(mg.grad(lambda x: g(f(x)))(number))
    yield text(mg.derivative(lambda x: g(f(x)))(number))
    yield text(mg.hessian(lambda x: g(f(x)))(number))


def test_every_number_of_the_flat_engine_is_that_of_the_readable_one_to_the_last_bit():
    outputs = []
    for plain in ("", "1"):
        environment = os.environ | {"MICROGRAD_PLUS_PLAIN": plain, "PYTHONPATH": str(ROOT)}
        run = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, cwd=ROOT)
        assert run.returncode == 0, run.stderr
        outputs.append(run.stdout.splitlines())
    assert "fast" in outputs[0][0]
    assert "fast" not in outputs[1][0]
    assert len(outputs[0]) > 10_000
    assert sum(line.startswith("RuntimeWarning at test_fast.py") for line in outputs[0]) > 100
    for flat, readable in zip(outputs[0][1:], outputs[1][1:], strict=True):
        assert flat == readable


def test_the_text_of_the_operators_is_shown_by_the_command_that_the_module_names():
    command = [sys.executable, "-m", "micrograd_plus.machinery.fast"]
    environment = os.environ | {"MICROGRAD_PLUS_PLAIN": "1", "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert re.findall(r"^# (\w+)", shown, re.MULTILINE) == ["add", "sub", "mul", "truediv"]
    assert shown.count("def flat(x, y):") == shown.count("def flat(y, x):") == 4
    assert "rule.partials" not in shown  # what the rules say, written out


def told(message, category, filename, lineno, *_):
    print(f"{category.__name__} at {Path(filename).name}:{lineno}: {message}")


if __name__ == "__main__":
    warnings.simplefilter("always")
    warnings.showwarning = told
    print(Value.__mul__.__module__, Value.operate.__module__)
    for line in everything():
        print(line)
