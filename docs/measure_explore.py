"""Measures the pages of explore.md: python docs/measure_explore.py

Of chains of y = sin(y + w), with a new input w each time: how large the page is, and how long the thread of the page
works, which other programs on the machine hardly change: to open it, and, after a slider has moved, to compute all
numbers, to write and show them, and the same when the layout is asked for at once. Medians of five.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from make_screenshots import chromium

import micrograd_plus as mg
from micrograd_plus import Value

MOVE = """
const slider = document.querySelector("#sliders input");
slider.value = arguments[0];
slider.dispatchEvent(new Event("input"));
if (arguments[1]) document.body.getBoundingClientRect();
"""


def chain(steps: int) -> Value:
    y = Value(0.3, label="x")
    for i in range(steps // 6):  # an input, a sum and a sine, and three arrows
        y = mg.sin(y + Value(0.01 * i, label=f"w{i}"))
    return y


def worked(browser: Any, *does: Any) -> list[float]:
    """For each, the milliseconds that the page's thread works while it is done."""
    found = []
    for do in does:
        before = ticks(browser)
        do()
        found.append(1000.0 * (ticks(browser) - before))
    return found


def ticks(browser: Any) -> float:
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        browser = chromium(work)
        browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        heads = "numbers", "steps", "kB", "written in, s", "opens, ms", "computes, ms", "shows, ms", "lays out, ms"
        print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
        for steps in (100, 1000, 2000, 10000):
            y = chain(steps)
            begin = time.perf_counter()
            page = mg.explore(y, max_nodes=None)
            written = time.perf_counter() - begin
            url = Path(page.save(Path(work, "page.html"))).as_uri()
            rows = []
            for i in range(5):
                browser.get("about:blank")

                def move(laid_out: bool, x: float = 0.3 + 0.01 * i) -> None:
                    browser.execute_script(MOVE, x + 0.005 * laid_out, laid_out)

                def compute() -> None:
                    browser.execute_script("for (let i = 0; i < 100; i++) compute();")

                rows.append(
                    worked(
                        browser, lambda page=url: browser.get(page), compute, lambda: move(False), lambda: move(True)
                    )
                )
            opens, numbers, texts, layout = map(median, zip(*rows, strict=True))
            row = [len(page.names), browser.execute_script("return explore.steps")]
            row += [f"{len(page.html.encode()) / 1000:.0f}", f"{written:.1f}", f"{opens:.0f}"]
            row += [f"{numbers / 100:.2f}", f"{texts:.0f}", f"{layout:.0f}"]
            print("|", " | ".join(map(str, row)), "|", flush=True)
        browser.quit()


if __name__ == "__main__":
    main()
