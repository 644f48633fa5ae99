"""The functions that Python's math does not have, beside 50 digits where one formula ends and the next begins."""

import math
from math import inf, nan

import pytest
from mpmath import mp, mpc, mpf

import micrograd_plus as mg

LIMIT = 9e-16  # four units in the last place, at most
# The points at which special.py goes from one formula to another, and their neighbours
BOUNDS = [0.1, 0.5, 1.0, 1.35, 1.5, 2.0, 2.5, 3.0, 3.5, 12.0]
BESIDE = [math.nextafter(x, towards) for x in BOUNDS for towards in (0.0, inf)]
RIGHT = [*BOUNDS, *BESIDE, 1e-9, 0.03, 0.3, 0.7, 1.2, 1.7, 2.2, 2.7, 3.2, 5.5, 11.9, 12.1, 40.0, 171.0]
LEFT = [-0.1, -0.25, -0.3, -0.5, -0.75, -1.4, -2.6, -9.3]


def near(found, true):
    return abs(mpf(found) - true) <= LIMIT * abs(true) if math.isfinite(found) else found == float(true)


@pytest.mark.parametrize("x", RIGHT)
def test_gamma_and_its_logarithm(x):
    with mp.workdps(50):
        assert near(mg.gamma(x), mp.gamma(x))
        true = mp.loggamma(x).real
        assert near(mg.lgamma(x), true) or abs(mg.lgamma(x) - true) < 1e-24


@pytest.mark.parametrize("n", [0.0, 1.0, 2.0, 3.0, 7.0, 20.0, 100.0])
def test_polygamma(n):
    with mp.workdps(50):
        for x in RIGHT:
            assert near(mg.polygamma(n, x), mp.psi(int(n), x)), x
        for x in LEFT if n < 20.0 else []:  # the reflection is a difference, of which digits are lost near a zero
            true = mp.psi(int(n), x)
            assert abs(mg.polygamma(n, x) - true) <= 1e-13 * max(abs(true), 1), x


def test_polygamma_at_the_ends_and_where_there_is_none():
    assert mg.polygamma(0.0, inf) == inf
    assert mg.polygamma(1.0, inf) == 0.0
    for n, x in ((nan, 1.0), (1.0, nan), (0.0, -inf), (0.0, nan)):
        assert math.isnan(mg.polygamma(n, x))
    for n in (-1.0, 101.0, 0.5):
        with pytest.raises(ValueError, match="the order must be a whole number from 0 to 100"):
            mg.polygamma(n, 1.0)
    for x in (0.0, -0.0, -1.0, -2.0):
        with pytest.raises(ValueError, match="math domain error"):
            mg.polygamma(1.0, x)
    assert mg.polygamma(2.0, 1e-200) == -inf


@pytest.mark.parametrize("x", [-1e8, -1e3, -37.5, -10.5, -10.0, -9.9, -5.0, -0.5, -1e-9, 0.0, 1e-9, 0.5, 5.0, 9.0])
def test_log_ndtr_and_its_slope(x):
    with mp.workdps(50):
        area = mp.erfc(-mpf(x) / mp.sqrt(2)) / 2
        assert near(mg.log_ndtr(x), mp.log(area))
        assert near(mg.derivative(mg.log_ndtr)(x), mp.npdf(x) / area)


@pytest.mark.parametrize(
    "x", [0.0, 1e-300, 1e-21, 1e-9, 0.2, 0.5, 0.51, 0.9, 1.1, 1.49, 1.51, 2.3, -0.4, -0.7, 7.7, 1e5 + 0.3]
)
def test_sinc_over_reals_and_complex_numbers(x):
    with mp.workdps(50):
        assert near(mg.sinc(x), mp.sincpi(x))
        for z in (complex(x, 0.3), complex(x, 1e-9), complex(x, 0.0)) if abs(x) < 10.0 else ():
            true = mp.sincpi(mpc(z))
            assert abs(mpc(mg.sinc(z)) - true) <= 1e-14 * max(abs(true), mpf(1) / max(abs(z), 1))
    assert mg.sinc(0j) == 1.0


def test_the_slope_of_a_length_whatever_its_size():
    for scale in (1.0, 1e-300, 1e300):
        slopes = mg.grad(mg.norm)([2.0 * scale, -1.0 * scale, 2.0 * scale])
        assert slopes == pytest.approx([2 / 3, -1 / 3, 2 / 3], rel=LIMIT)
        slopes = mg.grad(mg.norm)([1.0 * scale, -4.0 * scale, 8.0 * scale])
        assert slopes == pytest.approx([1 / 9, -4 / 9, 8 / 9], rel=LIMIT)
