"""Takes the pictures of explore.md anew, in Chromium, by Selenium: python docs/make_screenshots.py

A browser that is on this machine is used, and its driver: on Debian, `apt install chromium chromium-driver`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import micrograd_plus as mg
from micrograd_plus import Value
from micrograd_plus.nn import MLP

IMAGES = Path(__file__).parent / "images" / "explore"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = "--headless=new --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
FLAGS += " --disable-sync --disable-extensions --hide-scrollbars --window-size=1280,800"


def chromium(profile: str | os.PathLike[str]) -> Any:
    """A browser without a window, under Selenium's control; LookupError, which says what to install, if there is none.

    `profile` is an empty folder for what it keeps while it runs.
    """
    from selenium import webdriver

    browser, driver = next(filter(None, map(shutil.which, BROWSERS)), None), shutil.which("chromedriver")
    if not browser or not driver:
        raise LookupError("there is no Chromium with its driver here: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}", *["--no-sandbox"] * (os.geteuid() == 0)]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def readme() -> Any:
    w, x, b, y = [Value(z, label=name) for z, name in ((2.0, "w"), (1.0, "x"), (0.0, "b"), (5.0, "y"))]
    return mg.explore(0.5 * (w * x + b - y) ** 2)


def network() -> Any:
    inputs = [Value(1.0, label="x1"), Value(-0.5, label="x2")]
    L = (MLP(2, [3, 1], seed=1)(inputs) - Value(1.0, label="y")) ** 2
    L.label = "L"
    return mg.explore(L, title="A network with one hidden layer, and its loss", fold="Neuron")


# name: the page, the width and height of the window, whether it is dark, and what is done on the page.
PICTURES = {
    "page": (readme, 1280, 720, False, "explore.goto(12)"),
    "card": (readme, 1280, 860, False, "explore.set('w', 3); open(0)"),
    "network": (
        network,
        1280,
        800,
        True,
        "document.getElementById('modes').open = false; document.getElementById('learn').open = true;"
        "for (let i = 0; i < 8; i++) document.getElementById('descend').click();"
        "document.getElementById('learn').scrollIntoView()",
    ),
}


def main(folder: Path = IMAGES) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        browser = chromium(work)
        for name, (page, width, height, dark, script) in PICTURES.items():
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            browser.get(Path(page().save(Path(work, f"{name}.html"))).as_uri())
            browser.execute_script(script)
            browser.save_screenshot(str(folder / f"{name}.png"))
        browser.quit()


if __name__ == "__main__":
    main()
