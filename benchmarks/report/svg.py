"""A figure's SVG as an element of a page: what draws, and nothing else that a file of that name may hold."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.core.errors import tell_once
from benchmarks.report.grid import id_of

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
#: What the suite's figures are made of; a file with anything else was not written by it.
ELEMENTS = {"svg", "g", "defs", "style", "path", "use", "clipPath", "rect", "image", "text", "tspan", "circle"}
ELEMENTS |= {"symbol", "linearGradient", "stop", "polygon", "polyline", "line", "ellipse", "title"}
LARGEST = 32 * 2**20  # bytes


def inline(path: Path) -> str:
    """The figure, its ids made its own, for several stand in one page; "" of none, or of a file that is no figure."""
    if not path.is_file():
        return ""
    try:
        return _drawn(path)
    except (ValueError, ElementTree.ParseError, OSError) as error:
        tell_once(f"{path} is left out of the page, for it is no figure that the suite wrote: {error}")
        return ""


def _drawn(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MB")
    text = path.read_text()
    if "<!ENTITY" in text:
        raise ValueError("it defines entities")
    root = ElementTree.fromstring(text)
    for node in root.findall(f"{{{SVG}}}metadata"):
        root.remove(node)
    prefix = id_of(path.stem)
    for node in root.iter():
        if node.tag not in {f"{{{SVG}}}{name}" for name in ELEMENTS}:
            raise ValueError(f"it holds {str(node.tag).split('}')[-1]}")
        for name, value in node.attrib.items():
            node.set(name, _own(name.split("}")[-1], value, prefix))
        node.text = _own("text", node.text, prefix) if node.text else None
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    # Written anew from what was read: comments and the like, which a page may read otherwise, are gone.
    return ElementTree.tostring(root, encoding="unicode")


def _own(name: str, value: str, prefix: str) -> str:
    """The value of an attribute with its ids made the figure's own. Raises ValueError for one that leads elsewhere."""
    inside = value.startswith(("#", "data:image/png;base64,"))
    if name.lower().startswith("on") or (name == "href" and not inside):
        raise ValueError(f"it holds {name}={value[:40]!r}")
    if re.search(r"url\((?!#)|@import|javascript:|\\", value, re.IGNORECASE):
        raise ValueError(f"its {name} leads elsewhere")
    if name == "id":
        return f"{prefix}-{value}"
    value = re.sub(r"url\(#", f"url(#{prefix}-", value)
    return f"#{prefix}-{value[1:]}" if name == "href" and value.startswith("#") else value
