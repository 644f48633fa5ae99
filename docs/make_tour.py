"""Runs examples/tour.ipynb anew, and saves it with what it shows.

python docs/make_tour.py
"""

import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TOUR = Path(__file__).parent.parent / "examples" / "tour.ipynb"


def executed() -> nbformat.NotebookNode:
    """The notebook, run from above in a fresh interpreter and an empty folder."""
    notebook = nbformat.read(TOUR, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}, record_timing=False).execute()
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        for output in cell.get("outputs", []):
            if "text/plain" in output.get("data", {}):  # no address, which is another one each time
                output.data["text/plain"] = re.sub(r" at 0x\w+", "", output.data["text/plain"])
    notebook.metadata.language_info = {"name": "python"}  # not the version of this machine
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), TOUR)
