"""Draw the pictures of the README and of these pages anew: python docs/make_pictures.py

Beside each picture, NAME.svg, stands its source in graphviz's language, NAME.gv. The same code always gives the same
source, whereas the picture depends, by a fraction of a point here and there, on the version of graphviz and on the
fonts of the machine: so it is the source that the tests compare with what the code draws today.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from micrograd_plus import Value, draw_dot, relu, sin
from micrograd_plus.draw import write

IMAGES = Path(__file__).parent / "images"


def readme() -> Any:
    w, x, b, y = Value(2.0, label="w"), Value(1.0, label="x"), Value(0.0, label="b"), Value(5.0, label="y")
    loss = 0.5 * (w * x + b - y) ** 2
    loss.label = "loss"
    loss.backward()
    return draw_dot(loss)


# Of chain-rule.md


def two_paths() -> Any:
    t = Value(1.0, tangent=1.0, label="t")
    x, y = t**2, sin(t)
    f = x**2 + y**2
    x.label, y.label, f.label = "x", "y", "f"
    f.backward()
    return draw_dot(f)


def why_order() -> Any:
    a = Value(1.0, label="a")
    b = a + a
    c = b + b
    b.label, c.label = "b", "c"
    c.backward()
    return draw_dot(c)


def neuron() -> Any:
    w, b = Value(2.0, tangent=1.0, label="w"), Value(1.0, label="b")
    c = w * 3.0
    a = c + b
    d = a - 5.0
    J = 0.5 * d**2
    c.label, a.label, d.label, J.label = "c", "a", "d", "J"
    J.backward()
    return draw_dot(J)


def two_layers() -> Any:
    w1, b1 = Value(2.0, label="w1"), Value(0.0, label="b1")
    w2, b2 = Value(3.0, label="w2"), Value(1.0, label="b2")
    z1 = w1 * 1.0 + b1
    a1 = relu(z1)
    z2 = w2 * a1 + b2
    a2 = relu(z2)
    J = 0.5 * (a2 - 5.0) ** 2
    z1.label, a1.label, z2.label, a2.label, J.label = "z1", "a1", "z2", "a2", "J"
    J.backward()
    return draw_dot(J)


PICTURES: dict[str, Callable[[], Any]] = {
    "readme": readme,
    "two-paths": two_paths,
    "why-order": why_order,
    "neuron": neuron,
    "two-layers": two_layers,
}


def main(folder: Path = IMAGES) -> None:
    for name, picture in PICTURES.items():
        graph = picture()
        write(folder / f"{name}.svg", graph.pipe("svg"))
        write(folder / f"{name}.gv", graph.source.encode())


if __name__ == "__main__":
    main()
