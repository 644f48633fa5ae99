"""Runs examples/tour.ipynb anew, and saves it with what it shows.

python docs/make_tour.py
"""

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
    notebook.metadata.language_info = {"name": "python"}  # not the version of this machine
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), TOUR)
