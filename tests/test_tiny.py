"""examples/tiny.py equals the library on random programs: gradients by both modes, second derivatives by all mixes."""

import importlib.util
import random
from pathlib import Path

import pytest

import micrograd_plus as mg

PATH = Path(__file__).parent.parent / "examples" / "tiny.py"
spec = importlib.util.spec_from_file_location("tiny", PATH)
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)


def program(seed, library):
    """A random program of two numbers, in the functions of that library."""

    def f(x, y):
        draw = random.Random(seed)
        numbers = [x, y]
        for _ in range(draw.randrange(2, 12)):
            a, b = draw.choice(numbers), draw.choice([*numbers, draw.uniform(-2.0, 2.0)])
            match draw.randrange(8):
                case 0:
                    numbers.append(a + b)
                case 1:
                    numbers.append(b - a)
                case 2:
                    numbers.append(a * b)
                case 3:
                    numbers.append(a / (b * b + 1.0))
                case 4:
                    numbers.append(library.sin(a))
                case 5:
                    numbers.append(library.cos(-a))
                case 6:
                    numbers.append(library.tanh(a))
                case 7:
                    numbers.append(library.exp(library.sin(a)))
        return numbers[-1] * numbers[-2] + 0.5 * x

    return f


def close(a, b):
    return a == pytest.approx(b, rel=1e-9, abs=1e-9)


def first(library, f):
    """df/dx by forward mode, and by reverse mode."""
    return [lambda x, y: library.derivative(lambda t: f(t, y))(x), lambda x, y: gradient(library, f)(x, y)[0]]


def gradient(library, f):
    return library.grad(f, (0, 1)) if library is mg else library.grad(f)


@pytest.mark.parametrize("hundred", range(10))
def test_tiny_equals_the_library_on_1000_random_programs(hundred):
    for seed in range(100 * hundred, 100 * hundred + 100):
        draw = random.Random(-1 - seed)
        compare(program(seed, mg), program(seed, tiny), draw.uniform(-1.5, 1.5), draw.uniform(-1.5, 1.5))


def compare(ours, its, x, y):
    expected = [*mg.grad(ours, (0, 1))(x, y)]
    assert close(gradient(tiny, its)(x, y), expected)
    assert close([slope(x, y) for slope in first(tiny, its)], [expected[0]] * 2)
    second = mg.derivative(lambda t: ours(t, y), 2)(x)
    assert close([d(x, y) for slope in first(tiny, its) for d in first(tiny, slope)], [second] * 4)


def test_tiny_does_not_confuse_perturbations():
    """Siskind and Pearlmutter, 2005: d/dx of x · d/dy (x + y) is 1, and not 2."""
    assert tiny.derivative(lambda x: x * tiny.derivative(lambda y: x + y)(1.0))(1.0) == 1.0
    assert tiny.grad(lambda x: x * tiny.grad(lambda y: x + y)(1.0)[0])(1.0) == [1.0]


def test_tiny_is_tiny():
    assert len(PATH.read_text(encoding="utf-8").splitlines()) <= 100
