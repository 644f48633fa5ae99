"""What kind of mistake a wrong gradient is, if the numbers show it: a factor, a transposed matrix, one wrong entry."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ..machinery.trees import tree_leaves, tree_map
from .judging import PUSHED, Claim, branches, length, paths, slope_of, unit

MOST, SOME = 400, 50  # of more numbers than the first, something like the second are looked at one by one
NEAR = 1e-5  # how near to each other two numbers are that are called the same
BECAUSE = {
    -1.0: ": the sign is wrong",
    2.0: ": the 2 of a square, or a gradient that is added twice",
    0.5: ": is the 2 of a square missing?",
    0.0: ", at this point: is a term missing, or does no gradient arrive?",
}


def diagnosis(claim: Claim, names: list[str], method: str, culprit: int) -> str:
    """One line that says how the gradient is wrong; the empty string if the numbers do not tell."""
    places: Any = range(len(names))
    if len(names) > MOST:
        places = sorted({*range(0, len(names), len(names) // SOME), culprit})
    found, right = _claimed(claim, places), {i: _slope(claim, i, method) for i in places}
    least = NEAR * max(map(abs, right.values()))

    def same(x: float, y: float) -> bool:
        return abs(x - y) <= NEAR * max(abs(x), abs(y)) + 1e-2 * least

    if not all(map(math.isfinite, (*found.values(), *right.values()))):
        return ""
    wrong = [i for i in places if not same(found[i], right[i])]
    if len(names) <= MOST and wrong:
        groups = _groups(claim.args, names)
        for name, start, shape in groups:
            n, m = (*shape, 0, 0)[:2]
            if (
                len(shape) == 2
                and n == m > 1
                and all(same(found[start + i * n + j], right[start + j * n + i]) for i in range(n) for j in range(n))
                and any(start <= i < start + n * n for i in wrong)
            ):
                return f"the gradient of {name} is transposed"
        for k, (one, start, shape) in enumerate(groups):
            for two, begin, other in groups[k + 1 :]:
                pairs = [(start + i, begin + i) for i in range(math.prod(shape))] if shape == other else []
                swapped = all(same(found[i], right[j]) and same(found[j], right[i]) for i, j in pairs)
                if swapped and any(i in wrong for i, _ in pairs):
                    return f"the gradients of {one} and {two} are swapped"
    those, seen = ", ".join([names[i] for i in wrong]), "looked at " if len(names) > MOST else ""
    alone = f"{those} alone of {len(places)} numbers {seen}{'is' if len(wrong) == 1 else 'are'} wrong"
    ratios = [found[i] / right[i] for i in wrong if abs(right[i]) > least]
    if ratios and len(ratios) == len(wrong) and all(abs(r - ratios[0]) <= NEAR * max(1.0, abs(r)) for r in ratios):
        factor, because = _factor(ratios[0], claim)
        if len(wrong) > 1:
            return f"each of the {len(wrong)} numbers that are wrong is {factor} times what it should be{because}"
        if because:
            what = f"{factor} times what it should be"
            return f"{alone}: {what}" if len(places) > 3 else f"that of {those} is {what}{because}"
    return alone if 0 < len(wrong) <= 3 < len(places) else ""


def _claimed(claim: Claim, places: Any) -> dict[int, float]:
    ones = tree_map(lambda x: 1.0, claim.args)
    ((mode, products),) = [*claim.slopes(claim.args, ones, claim.cotangents).items()][-1:]
    if mode not in PUSHED:
        return {i: products[i] for i in places}
    return {i: math.fsum(claim.slopes(claim.args, unit(claim.args, i), claim.cotangents)[mode]) for i in places}


def _slope(claim: Claim, i: int, method: str) -> float:
    step = length(tree_leaves(claim.args)[i])
    alone = replace(claim, tangents=unit(claim.args, i, step))
    return slope_of(alone, method) / step


def _groups(args: Any, names: list[str]) -> list[tuple[str, int, tuple[int, ...]]]:
    """The arrays and the single numbers in the arguments: name, number of the first leaf, shape."""
    groups, start = [], 0

    def walk(tree: Any) -> None:
        nonlocal start
        if parts := branches(tree):
            for item in parts[1]:
                walk(item)
        elif ways := paths("", tree):
            shape = getattr(tree, "shape", ())
            name = names[start][: -len(ways[0]) or None]
            groups.append((name, start, shape))
            start += math.prod(shape)

    walk(args)
    return groups


def _factor(ratio: float, claim: Claim) -> tuple[str, str]:
    """How to write the factor, and what it may come from."""
    if because := next((text for known, text in BECAUSE.items() if abs(ratio - known) <= NEAR), ""):
        return f"{round(ratio, 1) + 0.0:g}", because
    sizes: set[int] = set()

    def walk(tree: Any) -> None:
        if parts := branches(tree):
            sizes.add(len(parts[1]))
            for item in parts[1]:
                walk(item)
        else:
            sizes.update((*getattr(tree, "shape", ()), math.prod(getattr(tree, "shape", ()))))

    walk([claim.args, claim.cotangents])
    for m in sizes - {0, 1}:
        if abs(ratio * m - 1.0) <= NEAR:
            return f"1/{m}", f": a mean over {m} is taken twice, or should be a sum"
        if abs(ratio / m - 1.0) <= NEAR:
            return f"{m}", f": it lacks the 1/{m} of a mean"
    simple = Fraction(ratio).limit_denominator(100)
    return (str(simple) if abs(float(simple) - ratio) <= NEAR else f"{ratio:.6g}"), ""
