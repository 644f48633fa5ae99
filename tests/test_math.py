"""Python's math with `mg` in its place: every name is here, or in the table of docs/accuracy.md."""

import inspect
import itertools
import math
import random
import re
from fractions import Fraction
from math import inf, nan
from pathlib import Path

import pytest

import micrograd_plus as mg
from micrograd_plus.machinery.more import MORE

PAGE = (Path(__file__).parent.parent / "docs" / "accuracy.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Is it `math`?")[2].partition("|---|---|---|\n")[2].partition("\n\n")[0].splitlines()
DIFFERENT = {name for row in TABLE[:-1] for name in re.findall(r"`(\w+)", row.split("|")[1])}
ELSEWHERE = set(re.findall(r"`(\w+)`", TABLE[-1].split("|")[1]))
# Of Python 3.13; older ones lack some of them.
WORDS = (
    "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2 expm1 "
    "fabs factorial floor fma fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm ldexp "
    "lgamma log log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin sinh sqrt sumprod tan "
    "tanh tau trunc ulp"
)
NAMES = WORDS.split()
NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.3, 1.75, -2.0, 30.0, 171.5, 800.0, 1100.0, 1e-300, -1e300, inf, -inf, nan]
TWO = ["atan2", "copysign", "fmod", "hypot", "log", "pow", "remainder"]
LISTS = [[], [1.5], [2.0, -0.5, 4.0], [0.0, 0.0], [1e200, 1e200, -1e200], [inf, 1.0], [nan, 1.0], [3, True, 0.1]]
LISTS += [[3, 2], [1e308, 1e308], [inf, -inf]]
CALLS = {name: [(x,) for x in NUMBERS] for name in NAMES}
CALLS |= {name: list(itertools.product(NUMBERS, repeat=2)) for name in TWO}
CALLS["log"] += [(x,) for x in NUMBERS]
CALLS["hypot"] += [tuple(xs) for xs in LISTS]
CALLS["fma"] = list(itertools.product(NUMBERS[::2], NUMBERS[1::3], NUMBERS[::4]))
CALLS |= {name: [(xs,) for xs in LISTS] for name in ("fsum", "prod")}
CALLS |= {name: [(xs, xs[::-1]) for xs in LISTS] + [([1.0], [1.0, 2.0])] for name in ("dist", "sumprod")}
CALLS["isclose"] = [(x, y) for x in NUMBERS for y in (x, x + 1e-12, 1.0, -inf)]


def outcome(function, *arguments, **options):
    """What the function returns, or the type of what it raises."""
    try:
        return function(*arguments, **options)
    except (ValueError, ArithmeticError) as error:
        return type(error)


def as_the_table_says(name, arguments, found, expected):
    """Whether this is a difference that its row of the table tells."""
    if name not in DIFFERENT:
        return False
    x, y = arguments[0], arguments[-1]
    if name in ("floor", "ceil", "trunc"):
        return found is x if not math.isfinite(x) else type(found) is float and found == expected
    if name == "prod":
        return type(found) is float and found == expected
    if name in ("fmod", "remainder"):
        return found is ZeroDivisionError if y == 0.0 else expected is ValueError and math.isnan(found)
    if name == "fsum" and expected is ValueError:
        return math.isnan(found)
    if name in ("gamma", "lgamma") and expected is not OverflowError:
        return math.isclose(found, expected, rel_tol=1e-14, abs_tol=1e-15)
    return expected is OverflowError and math.isinf(found)


def same(found, expected, digits=0.0):
    if isinstance(expected, tuple):
        return all(same(a, b) for a, b in zip(found, expected, strict=True))
    if isinstance(found, type) or isinstance(expected, type):
        return found is expected
    if type(found) is not type(expected):
        return False
    return math.isclose(found, expected, rel_tol=digits) or (found != found and expected != expected)


def test_the_names_are_those_of_this_python_and_newer():
    assert {name for name in dir(math) if not name.startswith("_")} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_math_is_here_or_in_the_table(name):
    assert hasattr(mg, name) != (name in ELSEWHERE)
    assert name in mg.__all__ or name in ELSEWHERE or name == "pow"  # `import *` leaves Python's own pow alone


def test_the_table_names_nothing_else():
    assert {*ELSEWHERE, *DIFFERENT} <= {*NAMES}


@pytest.mark.parametrize("name", ["e", "inf", "nan", "pi", "tau"])
def test_a_constant_is_that_of_math(name):
    assert same(getattr(mg, name), getattr(math, name))


ROUNDED = {"cbrt": 1e-15, "exp2": 3e-16, "degrees": 3e-16, "radians": 3e-16, "prod": 3e-16, "hypot": 3e-16}


@pytest.mark.parametrize("name", [name for name in CALLS if callable(getattr(mg, name, None)) and hasattr(math, name)])
def test_a_function_does_on_floats_what_that_of_math_does_or_what_the_table_says(name):
    differences = 0
    for arguments in CALLS[name]:
        found, expected = outcome(getattr(mg, name), *arguments), outcome(getattr(math, name), *arguments)
        if not same(found, expected, ROUNDED.get(name, 0.0)):
            assert as_the_table_says(name, arguments, found, expected), f"{name}{arguments}: {found}, {expected}"
            differences += 1
    assert bool(differences) == (name in DIFFERENT)


def test_a_length_has_any_number_of_coordinates():
    for numbers in ([], [3.0], [-3.0], [3.0, 4.0], [2.0, 3.0, 6.0]):
        assert mg.hypot(*numbers) == math.hypot(*numbers)
        assert mg.hypot(*map(mg.Value, numbers)) == math.hypot(*numbers)


def test_the_options_are_those_of_math():
    assert mg.prod([2.0, 3.0], start=4.0) == math.prod([2.0, 3.0], start=4.0)
    close = {"rel_tol": 0.0, "abs_tol": 0.5}
    for y in (1.25, 1.5, 1.75):
        assert mg.isclose(1.0, y, **close) is math.isclose(1.0, y, **close)
    with pytest.raises(ValueError, match="tolerances are 0 or more"):
        mg.isclose(1.0, 1.0, rel_tol=-1.0)


def test_fma_and_sumprod_round_once():
    """As Python 3.13 and 3.12 have them: here beside exact fractions."""
    rng = random.Random(18)
    for _ in range(2000):
        x, y = [rng.gauss(0.0, 1.0) * 10.0 ** rng.uniform(-20, 20) for _ in range(2)]
        z = -x * y * (1.0 + rng.choice((0.0, 1e-16, 1e-8, 2.0)))
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        assert mg.fma(x, y, z) == float(exact)
        assert mg.sumprod([x, z], [y, 1.0]) == float(exact)


LISTED = {"fsum": 1, "prod": 1, "norm": 1, "sumprod": 2, "dist": 2}  # how many sequences they take


@pytest.mark.parametrize("name", sorted({*MORE, "log", "hypot", "gamma", "norm", "polygamma", "xlogy"}))
@pytest.mark.parametrize("wrong", ["a", ["b"], {"c": 1.0}])
def test_what_is_no_number_is_a_type_error_that_says_what_was_expected(name, wrong):
    function = getattr(mg, name)
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    count = LISTED.get(name) or {"hypot": 3, "polygamma": 2, "xlogy": 2}.get(name) or len(required)
    for i in range(count):
        arguments = [wrong if k == i else 1.0 for k in range(count)]
        with pytest.raises(TypeError, match="expected a number, got"):
            function(*([[x] for x in arguments] if name in LISTED else arguments))
