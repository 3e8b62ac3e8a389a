"""How an SVG element looks: lengths, colours, style sheets, and which of several styles wins."""

import colorsys
import math
import re
from collections import defaultdict

from PIL import ImageColor

from raster.vector._svg_xml import Element

#: The properties that matter for strokes.
PROPERTIES = frozenset(
    {"clip-path", "color", "display", "fill", "filter", "mask", "opacity", "stroke", "stroke-dasharray"}
    | {"stroke-opacity", "stroke-width", "vector-effect", "visibility"}
)
_UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 9.6 / 2.54, "q": 2.4 / 2.54}
_UNITS |= {"em": 16.0, "rem": 16.0, "ex": 8.0}
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LENGTH = re.compile(rf"({NUMBER})([a-zA-Z]*|%)")
_FUNCTION = re.compile(r"(rgba?|hsla?)\(([^()]*)\)")
#: Characters of a length or a colour; more are none. (Backtracking over long digits takes its time.)
_LONGEST = 200
#: What an element's own style attribute weighs against the selectors * (0), name (1), .class (2) and #id (3).
_OWN, _IMPORTANT = 4, 10

#: Red, green, blue and alpha, in [0, 1].
Colour = tuple[float, float, float, float]
#: Declarations by selector: property to (weight, order, value).
Rules = dict[str, dict[str, tuple[int, int, str]]]


def length(text: str, whole: float = 0.0) -> float | None:
    """A length in user units (96 to the inch), per cent of ``whole``; None if it is none.

    >>> length("1in"), length("50%", 8.0), length("wide")
    (96.0, 4.0, None)
    """
    text = text.strip()
    found = _LENGTH.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    number, unit = float(found[1]), found[2].lower()
    if not math.isfinite(number) or (unit not in _UNITS and unit != "%"):
        return None
    return number * whole / 100 if unit == "%" else number * _UNITS[unit]


def colour(text: str) -> Colour | None:
    """A colour by name, as #rgb, #rgba, #rrggbb or #rrggbbaa, rgb(), rgba(), hsl() or hsla(); None if it is none.

    >>> colour("#f00"), colour("rgb(0 50% 0 / 0.5)"), colour("reddish")
    ((1.0, 0.0, 0.0, 1.0), (0.0, 0.5, 0.0, 0.5), None)
    """
    text = text.strip().lower()
    named = ImageColor.colormap.get(text, text)
    # Pillow puts numbers in the place of a name's hexadecimal digits once somebody has asked for it.
    text = named if isinstance(named, str) else "#" + "".join(f"{part:02x}" for part in named[:3])
    if len(text) > _LONGEST:
        return None
    if text == "transparent":
        return 0.0, 0.0, 0.0, 0.0
    if re.fullmatch(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", text):
        digits = text[1:] if len(text) > 5 else "".join(2 * digit for digit in text[1:])
        red, green, blue, *alpha = (int(digits[i : i + 2], 16) / 255 for i in range(0, len(digits), 2))
        return red, green, blue, alpha[0] if alpha else 1.0
    called = _FUNCTION.fullmatch(text)
    parts = re.split(r"[\s,/]+", called[2].strip()) if called else []
    if called is None or len(parts) not in (3, 4):
        return None
    hue = called[1].startswith("hsl")
    wholes = [360.0, 1.0, 1.0, 1.0] if hue else [255.0, 255.0, 255.0, 1.0]
    read = [length(part.removesuffix("deg"), whole) for part, whole in zip(parts, wholes, strict=False)]
    numbers = [value / whole for value, whole in zip(read, wholes, strict=False) if value is not None]
    if len(numbers) != len(parts):
        return None
    a, b, c, *alpha = (value % 1 if hue and i == 0 else min(max(value, 0.0), 1.0) for i, value in enumerate(numbers))
    red, green, blue = colorsys.hls_to_rgb(a, c, b) if hue else (a, b, c)
    return red, green, blue, alpha[0] if alpha else 1.0


def declarations(text: str) -> dict[str, tuple[str, bool]]:
    """``property: value; ...`` as value and whether it is important, for the properties that matter."""
    found = {}
    for each in text.split(";"):
        name, _, value = each.partition(":")
        name, value = name.strip().lower(), value.strip()
        if name in PROPERTIES and value:
            important = value.lower().endswith("!important")
            found[name] = (value[: -len("!important")].strip() if important else value, important)
    return found


def sheet(text: str) -> tuple[Rules, bool]:
    """The rules of a style sheet by simple selector (*, name, .class, name.class, #id), and if others were left out."""
    pieces = text.split("/*")
    text = pieces[0] + " ".join(each.partition("*/")[2] for each in pieces[1:])
    rules: Rules = defaultdict(dict)
    depth, other = 0, False
    for order, chunk in enumerate(text.split("}")):
        opened = chunk.count("{")
        head, _, body = chunk.partition("{")
        if depth == 0 and opened == 1 and not head.strip().startswith("@"):
            for selector in (each.strip() for each in head.split(",")):
                simple = re.fullmatch(r"\*|#[\w-]+|[\w-]*\.[\w-]+|[\w-]+", selector)
                other |= simple is None
                weight = 3 if "#" in selector else 2 if "." in selector else 0 if selector == "*" else 1
                for name, (value, important) in declarations(body).items() if simple else ():
                    given = (weight + _IMPORTANT * important, order, value)
                    rules[selector][name] = max(given, rules[selector].get(name, given))
        elif opened and not head.strip().startswith("@font-face"):
            other = True
        depth = max(0, depth + opened - 1)
    return rules, other


def styles(element: Element, rules: Rules) -> dict[str, str]:
    """What an element says of itself: its attributes, under the style sheet's rules, under its style attribute."""
    attributes = element.attributes
    found = {name: attributes[name].strip() for name in PROPERTIES & attributes.keys()}
    chosen: dict[str, tuple[int, int, str]] = {}
    if rules:
        classes = attributes.get("class", "").split()
        selectors = ["*", element.name, *(f".{each}" for each in classes), f"#{attributes.get('id', '')}"]
        for selector in [*selectors, *(f"{element.name}.{each}" for each in classes)]:
            for name, given in rules.get(selector, {}).items():
                chosen[name] = max(given, chosen.get(name, given))
    for name, (value, important) in declarations(attributes.get("style", "")).items():
        given = (_OWN + _IMPORTANT * important, 0, value)
        chosen[name] = max(given, chosen.get(name, given))
    return found | {name: value for name, (_, _, value) in chosen.items()}
