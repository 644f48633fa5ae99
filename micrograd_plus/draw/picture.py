"""A drawing as a `graphviz.Digraph`, made into a picture by one of our engines, and written whole or not at all."""

from __future__ import annotations

import os
import struct
import warnings
from typing import Any

import graphviz  # type: ignore[import-untyped]

from . import engines
from .files import write

# Endings of pictures: a file name that ends so is that of the picture, and not of its source.
PICTURES = ("svg", "png", "pdf", "jpg", "jpeg", "jpe", "gif", "bmp", "tif", "tiff", "webp", "ps", "eps", "svgz", "ico")
LONGEST = 32_000  # pixels: about there `dot` begins to shrink a picture, and programs that show pictures give up


class Digraph(graphviz.Digraph):  # type: ignore[misc]
    """What `draw_dot` returns. `program` is the engine of ours that shall draw it, `timeout` how long it may take."""

    program: str | None = None
    timeout: float | None = None

    def pipe(
        self,
        format: str | None = None,
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = False,
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> Any:
        """The picture as bytes, or as text in that encoding; `engine` is a layout, as "neato".

        https://graphviz.readthedocs.io/en/stable/api.html#graphviz.Digraph.pipe
        """
        format, layout = (format or self.format).lower(), (engine or self.engine).lower()
        for what, value, known in (("format", format, graphviz.FORMATS), ("engine", layout, graphviz.ENGINES)):
            if value not in known:
                raise ValueError(f"unknown {what}: {value!r} (must be one of {', '.join(sorted(known))})")
        arguments = [f"-K{layout}", "-T" + ":".join(filter(None, (format, renderer, formatter)))]
        arguments += [f"-n{neato_no_op:d}"] if neato_no_op else []
        picture = engines.picture(self.source, arguments, format, self.program, self.timeout)
        if format == "png":
            width, height = struct.unpack(">II", picture[16:24])
            if max(width, height) >= LONGEST:
                message = f"this PNG is {width} x {height} pixels, too large to be shown or too small to be read"
                warnings.warn(f"{message}: draw it as SVG, which can be enlarged", stacklevel=2)
        return picture.decode(encoding) if encoding else picture

    def render(
        self,
        filename: Any = None,
        directory: Any = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = False,
        quiet_view: bool = False,
        *,
        outfile: Any = None,
        engine: str | None = None,
        raise_if_result_exists: bool = False,
        overwrite_source: bool = False,
    ) -> str:
        """Write the picture, and its source unless `cleanup`; return the picture's path.

        https://graphviz.readthedocs.io/en/stable/api.html#graphviz.Digraph.render, but a `filename` that ends as
        pictures do, as "graph.png", is the picture's.
        """
        if raise_if_result_exists and overwrite_source:
            raise ValueError("overwrite_source cannot be combined with raise_if_result_exists")
        folder = self.directory if directory is None else directory
        ending = os.path.splitext(filename or "")[1][1:].lower()
        if outfile is None and ending in PICTURES and format in (None, ending):
            filename, outfile = None, os.path.join(folder, filename)
        elif outfile is not None and directory is None:
            outfile = os.path.join(folder, outfile)
        stem, ending = os.path.splitext(outfile or "")
        format = format or ending[1:].lower() or self.format
        if filename is not None or outfile is None:
            source = os.path.join(folder, filename or self.filename)
        else:
            source = f"{stem}.gv"
        suffix = ".".join(filter(None, (formatter, renderer, format)))
        path = os.fspath(outfile or f"{source}.{suffix}")
        same = os.path.realpath(path) == os.path.realpath(source)
        if same and not overwrite_source:
            raise ValueError(f"outfile {path!r} must be different from the source file (or pass overwrite_source=True)")
        if raise_if_result_exists and os.path.exists(path):
            raise graphviz.FileExistsError(f"output file exists: {path!r}")
        picture = self.pipe(format, renderer, formatter, neato_no_op, engine=engine)
        for file, content in [(path, picture)] + [(source, self.source.encode())] * (not cleanup and not same):
            os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
            write(file, content)
        if view or quiet_view:
            graphviz.view(path, quiet=quiet_view)
        return path
