"""`check_engine`: test the scalar engine that you wrote, from Python or from the command line.

    micrograd-plus check mine.py:Value
    micrograd-plus check mine.py:Value --stage 4

engines.py finds out what the engine offers, abilities.py has what it should be able to do.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from .abilities import MUST, Because, in_order
from .engines import LACKS, Engine, Missing, Wrong, told

STAGES = max(row.stage for row in in_order())
RIGHT, WRONG, ABSENT, UNKNOWN = "✓", "✗", "–", "?"
STUMBLES = "backward is called without arguments, and must run to its end: the error says what it lacks."


class Row(NamedTuple):
    """An ability of the engine: `mark` says whether it is right; if not, a program, what came out, and what should."""

    stage: int
    ability: str
    mark: str
    program: str = ""
    got: str = ""
    should: str = ""
    why: str = ""

    @property
    def failure(self) -> str:
        where = f"{self.program}: " if self.program else ""
        return f"{where}{self.got}{f', should be {self.should}' if self.should else ''}"


def check_engine(value: Any, *, stage: int | None = None, examples: int = 200, **names: Any) -> None:
    """Test the scalar engine whose class is `value`: every operation, shared Values, both modes, and random programs.

    It finds methods and functions by their usual names; `names` gives other ones, as `grad="gradient"`, or functions in
    their place, as `exp=lambda v: v.exp()` or `make=lambda x: Value(data=x)`. What the engine does not offer is no
    fault, unless `stage` asks for all abilities up to that stage of docs/build-your-own.md. There are so many
    `examples` of random programs. AssertionError with the smallest program for each ability that is wrong, what came
    out and what should, and why that often happens; TypeError if `value` makes no Values. It needs hypothesis.

    >>> from micrograd_plus import Value
    >>> check_engine(Value)
    >>> class Forgetful(Value):
    ...     def backward(self):
    ...         pass
    >>> check_engine(Forgetful, stage=3)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    AssertionError: check_engine: 2 abilities of Forgetful are wrong
      gradient of +: x + y at x = 3, y = -2: gradient of x 0.0, should be 1.0
        No gradient arrives: backward begins by giving the result the gradient 1.
    ...
    """
    __tracebackhide__ = True
    rows = examined(Engine(value, examples, **names), stage)
    wrong = [row for row in rows if row.mark == WRONG]
    if wrong:
        name = getattr(value, "__name__", repr(value))
        lines = [line for row in wrong for line in (f"  {row.ability}: {row.failure}", f"    {row.why}")]
        count = "1 ability" if len(wrong) == 1 else f"{len(wrong)} abilities"
        raise AssertionError(
            "\n".join([f"check_engine: {count} of {name} {'is' if len(wrong) == 1 else 'are'} wrong", *lines])
        )


def examined(engine: Engine, stage: int | None = None) -> list[Row]:
    """A row for each ability, up to that stage; ValueError if there is no such stage."""
    if stage is not None and (type(stage) is not int or not 1 <= stage <= STAGES):
        raise ValueError(f"check_engine: stage must be a whole number from 1 to {STAGES}, got {stage!r}")
    rows: list[Row] = []
    broken: set[str] = set()  # operations that are wrong, or not there
    for stage_of, title, why, check, needs in in_order():
        if stage is not None and stage_of > stage:
            break
        marks = {row.ability: row.mark for row in rows}
        not_right = [need for need in needs if marks[need] != RIGHT]
        row = Row(stage_of, title, RIGHT)
        try:
            if not_right:
                absent = stage is None and marks[not_right[0]] == ABSENT
                row = Row(stage_of, title, ABSENT if absent else UNKNOWN, got=f"first: {not_right[0]}")
            else:
                check(engine, broken)
        except Missing as missing:
            must = stage is not None and (stage_of != 8 or title[: title.find("(")] in (*MUST, title))
            must = must or title == "values of + and *"
            mark = WRONG if must else ABSENT
            row = Row(stage_of, title, mark, got=str(missing), why="It is not there yet." if must else "")
        except Wrong as wrong:
            stumbles = wrong.what.startswith(tuple([f"backward raises {error.__name__}" for error in LACKS]))
            why = wrong.why if isinstance(wrong, Because) else STUMBLES if stumbles else why
            row = Row(stage_of, title, WRONG, wrong.program, wrong.what, wrong.should, why)
        except RecursionError as error:
            row = Row(stage_of, title, WRONG, title, f"raises {told(error)}", why=why)
        except Exception as error:  # whatever somebody's engine does
            row = Row(stage_of, title, WRONG, title, f"raises {told(error)}", why=why)
        rows.append(row)
        if row.mark in (WRONG, ABSENT):
            broken |= _symbols(title)
    return rows


def _symbols(title: str) -> set[str]:
    """The operations that a row is about."""
    if title.endswith("(x)"):
        return {title[:-3]}
    about = {"gradient of negation": "-x", "powers": "**"} | {f"gradient of {s}": s for s in "+-*/"}
    return {about[title]} if title in about else set()


# The command line -----------------------------------------------------------------------------------------------------


def load(place: str) -> Any:
    """The class named by `path/to/engine.py:Value` or `package.module:Value`; ValueError if there is none."""
    path, colon, name = place.rpartition(":")
    if not colon or not path or not name.isidentifier():
        raise ValueError(f"check {place}: expected a file and a class, as in mine.py:Value")
    is_file = path.endswith(".py") or "/" in path
    if is_file and not Path(path).is_file():
        raise ValueError(f"check {place}: there is no file {path}")
    try:
        if is_file:
            stem = Path(path).stem
            spec = importlib.util.spec_from_file_location(f"_{stem}" if stem in sys.modules else stem, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[module.__name__] = module
            sys.path.append(str(Path(path).resolve().parent))  # last: its neighbours hide no module of Python's
            spec.loader.exec_module(module)
        else:
            sys.path.insert(0, "")
            module = importlib.import_module(path)
    except (Exception, SystemExit) as error:
        raise ValueError(f"check {place}: importing it raises {told(error)}") from None
    if not hasattr(module, name):
        raise ValueError(f"check {place}: {path} has no {name}")
    return getattr(module, name)


def as_table(place: str, rows: list[Row], stage: int | None) -> str:
    """The rows for people: what is wrong with its program and the reason, what is not offered in one line."""
    lines = [place, ""]
    width = max(len(row.ability) for row in rows)
    shown = [row for row in rows if row.mark != ABSENT]
    for row in shown:
        start = f"  {row.stage:2}  {row.mark}  {row.ability}"
        lines.append(start if row.mark != UNKNOWN else f"{start:<{width + 9}}  ({row.got})")
        if row.mark == WRONG:
            lines += ["         " + line for line in textwrap.wrap(row.failure, 88)]
            lines += ["         " + line for line in textwrap.wrap(row.why, 88)]
    if absent := [row.ability for row in rows if row.mark == ABSENT]:
        lines += ["", *textwrap.wrap(f"not offered: {', '.join(absent)}", 96, initial_indent="  ",
                                     subsequent_indent="    ")]  # fmt: skip
    wrong = sum(row.mark == WRONG for row in rows)
    if wrong:
        lines += ["", f"  {wrong} of {len(shown)} wrong"]
    else:
        last = (
            ""
            if stage is None
            else f"; stage {stage} of {STAGES} is done"
            if stage < STAGES
            else "; all stages are done"
        )
        lines += ["", f"  all {len(shown)} right{last}"]
    return "\n".join(lines)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"check: {message}")


def is_meant(words: list[str]) -> bool:
    """Whether the words of the command line ask for this, and are no expression in a variable of that name."""
    return words[:1] == ["check"] and not any(word.replace(" ", "").startswith("check=") for word in words)


def command(words: list[str]) -> tuple[str, int]:
    """What `micrograd-plus check ...` prints, and its exit status: 1 if something is wrong. Bad input: ValueError."""
    parser = _Parser(
        prog="micrograd-plus check",
        description="Test a scalar engine: every operation, shared Values, both modes, and random programs.",
        epilog="examples:\n  micrograd-plus check mine.py:Value\n"
        "  micrograd-plus check micrograd.engine:Value --stage 6",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("place", metavar="FILE:CLASS", help="where the class of your Values is")
    parser.add_argument(
        "--stage", type=int, metavar="N", help=f"ask for stages 1 to N of {STAGES} alone, but for all of it"
    )
    options = parser.parse_args(words)
    if importlib.util.find_spec("hypothesis") is None:
        raise ValueError("check: it needs hypothesis: pip install hypothesis, or in a clone pip install -e '.[test]'")
    try:
        rows = examined(Engine(load(options.place)), options.stage)
    except TypeError as error:
        raise ValueError(str(error)) from None
    return as_table(options.place, rows, options.stage), int(any(row.mark == WRONG for row in rows))
