"""What all derivatives up to the n-th cost, of exp(sin x) · tanh(x²): python tests/benchmarks/all_derivatives.py

Series, nesting, recurrences written by hand for this very function, and jax.experimental.jet (eager, 64 bits). All take
turns, and a time is the median of the rounds. The tables of docs/series.md come from here.
"""

import math
import statistics
import time

import mpmath

import micrograd_plus as mg

X = 0.7


def f(x):
    return mg.exp(mg.sin(x)) * mg.tanh(x * x)


def by_hand(n, x=X):
    """The n + 1 coefficients, by the recurrences of Griewank and Walther, table 13.2."""
    s, c, e, u, t, w, y = [math.sin(x)], [math.cos(x)], [math.exp(math.sin(x))], [x * x], [math.tanh(x * x)], [], []
    w.append(1.0 - t[0] * t[0])
    for k in range(1, n + 1):
        u.append(2.0 * x if k == 1 else 1.0 if k == 2 else 0.0)
        s.append(c[k - 1] / k)
        c.append(-s[k - 1] / k)
        e.append(sum(j * s[j] * e[k - j] for j in range(1, k + 1)) / k)
        t.append(sum(j * u[j] * w[k - j] for j in range(1, min(k, 2) + 1)) / k)
        w.append(-sum(t[j] * t[k - j] for j in range(k + 1)))
    return y + [sum(e[j] * t[k - j] for j in range(k + 1)) for k in range(n + 1)]


def by_nesting(n):
    """The n-th derivative alone."""
    g = f
    for _ in range(n):
        g = mg.derivative(g)
    return g(X)


def by_jet():
    """A function of n; None where JAX is not there."""
    try:
        import jax
        from jax.experimental.jet import jet
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)

    def run(n):
        out, terms = jet(
            lambda x: jax.numpy.exp(jax.numpy.sin(x)) * jax.numpy.tanh(x * x), (X,), ([1.0] + [0.0] * (n - 1),)
        )
        return [float(out), *[float(term) / math.factorial(k) for k, term in enumerate(terms, start=1)]]

    return run


def main():
    ways = {"series": lambda n: mg.taylor(f, X, n), "by hand": by_hand, "nested": by_nesting}
    if run := by_jet():
        ways["jet, eager"] = run
    mpmath.mp.dps = 60
    truth = mpmath.taylor(lambda x: mpmath.exp(mpmath.sin(x)) * mpmath.tanh(x * x), mpmath.mpf(X), 40)
    print("| n |", " | ".join(f"{way}, ms" for way in ways), "| series, error | by hand, error |")
    for n in (1, 2, 3, 4, 5, 6, 7, 9, 12, 20, 40):
        times = {way: [] for way in ways}
        rounds = 21 if n < 7 else 7
        for i in range(rounds):
            for way, function in ways.items():
                if (
                    (way == "nested" and n > 7)
                    or (i > 2 and n > 5 and way == "nested")
                    or (way.startswith("jet") and n > 20)
                ):
                    continue
                start = time.perf_counter()
                function(n)
                times[way].append(time.perf_counter() - start)
        cells = [f"{statistics.median(t[1:]) * 1e3:.2g}" if t else "–" for t in times.values()]
        errors = [
            max(
                abs(c - t) / max(map(abs, truth[max(k - 1, 0) : k + 2]))
                for k, (c, t) in enumerate(zip(found, truth, strict=False))
            )
            for found in (mg.taylor(f, X, n), by_hand(n))
        ]
        print(f"| {n} |", " | ".join([*cells, *[f"{float(error):.0e}" for error in errors]]), "|", flush=True)


if __name__ == "__main__":
    main()
