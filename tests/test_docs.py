"""Every Python block of the README and of the docs runs, and prints what it says it prints."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_run(page, monkeypatch, tmp_path):
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)  # what a block writes, it writes here
    names = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        if ">>>" in block[1]:
            test = doctest.DocTestParser().get_doctest(block[1], names, f"{page.name}:{line}", str(page), line)
            runner.run(test, clear_globs=False)
            names = test.globs
        else:
            exec(compile("\n" * line + block[1], str(page), "exec"), names)
    assert runner.summarize(verbose=False).failed == 0


def test_the_operation_that_contributing_adds_is_all_that_it_takes():
    (block,) = BLOCK.findall((ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    program = f"{block}\nimport micrograd_plus as mg; print(mg.derivative(cubed, n=3)(2.0))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout == "6.0\n"


def test_the_table_of_operations_is_what_the_rules_say_today():
    sys.path.insert(0, str(ROOT / "docs"))
    import make_tables

    assert make_tables.PAGE.read_text(encoding="utf-8") == make_tables.page()


def test_what_type_checkers_are_told_is_what_the_rules_say_today():
    sys.path.insert(0, str(ROOT / "docs"))
    import make_types

    assert make_types.STUB.read_text(encoding="utf-8") == make_types.stub(), "run python docs/make_types.py"
