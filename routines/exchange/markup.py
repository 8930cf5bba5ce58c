"""XML of strangers as a small tree with line numbers: no document types, no entities, nothing deep or endless."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml.common import DefusedXmlException
from defusedxml.sax import parseString

from routines.errors import RoutineError

DEEPEST, MOST_ELEMENTS = 8, 5000
"""A workout is four deep and has some hundred elements; what passes these is no workout."""


@dataclass(slots=True)
class Element:
    """One element: its name as written, its attributes, the line of its start, and what is in it."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def child(self, name: str) -> Element | None:
        """The first child of this name."""
        return next((child for child in self.children if child.name == name), None)

    def is_same(self, other: Element) -> bool:
        """Whether both say the same, wherever they stand."""
        return (
            (self.name, self.attributes, self.text.strip()) == (other.name, other.attributes, other.text.strip())
            and len(self.children) == len(other.children)
            and all(mine.is_same(its) for mine, its in zip(self.children, other.children, strict=True))
        )


class _Tree(ContentHandler):
    """Builds the tree; the parser's locator says the lines."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.roots: list[Element] = []
        self.count = 0
        self._open: list[tuple[Element, list[str]]] = []
        self._locator: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - the name that SAX calls
        self._locator = locator

    @property
    def line(self) -> int:
        """The line that the parser is at, from 1."""
        return (self._locator.getLineNumber() if self._locator is not None else None) or 1

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the name that SAX calls
        self.count += 1
        if len(self._open) >= DEEPEST or self.count > MOST_ELEMENTS:
            what = "is nested too deeply." if len(self._open) >= DEEPEST else f"has over {MOST_ELEMENTS} elements."
            raise RoutineError(what, path=self.path, line=self.line, fix="Is it the right file?")
        element = Element(name, dict(attrs.items()), self.line)
        (self._open[-1][0].children if self._open else self.roots).append(element)
        self._open.append((element, []))

    def endElement(self, name: str) -> None:  # noqa: N802 - the name that SAX calls
        element, pieces = self._open.pop()
        element.text = "".join(pieces)

    def characters(self, content: str) -> None:
        self._open[-1][1].append(content)


def parse_markup(raw: bytes, path: Path) -> Element:
    """The root of an XML file. Raises RoutineError with the line."""
    tree = _Tree(path)
    try:
        parseString(raw, tree, forbid_dtd=True)
    except DefusedXmlException as problem:
        what = "declares a document type or entities, which no workout needs."
        raise RoutineError(what, path=path, line=tree.line, fix="Take that declaration out.") from problem
    except SAXParseException as problem:
        what = f"is not valid XML: {problem.getMessage()}."
        raise RoutineError(what, path=path, line=problem.getLineNumber() or 1) from problem
    except (SAXException, ValueError, LookupError) as problem:  # encodings that the parser does not know
        raise RoutineError(
            "is not XML that can be read.", path=path, line=tree.line, fix="Save it as UTF-8."
        ) from problem
    return tree.roots[0]
