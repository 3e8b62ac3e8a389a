"""An SVG file as a tree of plain elements, read so that no file can do more than be refused."""

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from xml.parsers import expat

from raster.errors import InputError

MOST_BYTES = 16_000_000
MOST_ELEMENTS = 100_000
DEEPEST = 256
_SVG = "http://www.w3.org/2000/svg"


@dataclass(frozen=True)
class Element:
    """An element: its name ("" of another namespace than SVG's), its attributes without a namespace, where it is."""

    name: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


def read(source: str | bytes | PathLike[str]) -> tuple[bytes, str, bool]:
    """The bytes of a picture, what to call it, and whether they are UTF-8 whatever they say (they were a ``str``).

    A ``str`` that begins with "<" is the picture itself, any other the path of a file.
    """
    decoded = isinstance(source, str) and source.lstrip("\ufeff \t\r\n").startswith("<")
    if isinstance(source, str) and decoded:
        data, name = source.lstrip("\ufeff \t\r\n").encode("utf-8", "replace"), "svg"
    elif isinstance(source, bytes):
        data, name = source, "svg"
    else:
        path = Path(source)
        name = path.name
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except (OSError, ValueError) as error:  # a ValueError: a path with a null byte
            why = getattr(error, "strerror", None) or error
            shown = " ".join(str(path)[:200].split())
            raise InputError(f"cannot read a picture: {why}", shown, "give an .svg file, or its text") from None
    if len(data) > MOST_BYTES:
        raise InputError("a picture too large", name, f"at most {MOST_BYTES} bytes")
    return data, name, decoded


def parse(data: bytes, name: str, decoded: bool) -> Element:
    """The root of the tree.

    A DOCTYPE that names a public document type is common and read over: nothing is fetched. One that declares
    anything in the file itself (entities, with which a small file can grow without end) is refused.
    """
    parser = expat.ParserCreate("utf-8" if decoded else None, " ")
    roots: list[Element] = []
    open_: list[Element] = []
    count = 0

    def place() -> str:
        return f"{name}, line {parser.CurrentLineNumber}"

    def declared(_: str, __: str | None, ___: str | None, internal: int) -> None:
        if internal:
            raise InputError("a DOCTYPE with declarations of its own", place(), "take it out: it is never needed")

    def skipped(entity: str, _: int) -> None:
        raise InputError(f"an unknown entity &{entity};", place(), "write the character itself")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS:
            raise InputError("too many elements for a sketch", place(), f"at most {MOST_ELEMENTS}")
        if len(open_) >= DEEPEST:
            raise InputError("elements nested too deeply", place(), f"at most {DEEPEST} levels")
        space, _, local = tag.rpartition(" ")
        plain = {key: value for key, value in attributes.items() if " " not in key}
        element = Element(local if space in ("", _SVG) else "", plain, parser.CurrentLineNumber)
        (open_[-1].children if open_ else roots).append(element)
        open_.append(element)

    def end(_: str) -> None:
        open_.pop()

    def text(characters: str) -> None:
        if open_ and open_[-1].name == "style":
            open_[-1].text.append(characters)

    parser.StartDoctypeDeclHandler = declared
    parser.SkippedEntityHandler = skipped
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        told = expat.errors.messages.get(error.code, "not well-formed")
        raise InputError(f"not an SVG picture: {told}", f"{name}, line {error.lineno}", "expected XML") from None
    except (LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("not an SVG picture: an unknown encoding", name, "save it as UTF-8") from None
    if roots[0].name != "svg":
        raise InputError("not an SVG picture: its root is not <svg>", name, "give an SVG file")
    return roots[0]
