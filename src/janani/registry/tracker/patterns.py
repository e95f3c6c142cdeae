"""Text patterns of generated attributes: `"ANC"+SEQUENTIAL(########)` (reference §3.11). Pure."""

import math
import re
import secrets
import string
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Literal, cast

from msgspec import Struct

Method = Literal["TEXT", "RANDOM", "SEQUENTIAL", "CURRENT_DATE", "ORG_UNIT_CODE"]
_SEGMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(RANDOM|SEQUENTIAL|CURRENT_DATE|ORG_UNIT_CODE)\(([^()]*)\))\s*(\+|$)')
_CLASSES = {"#": "[0-9]", "X": "[A-Z]", "x": "[a-z]", "*": "[0-9A-Za-z]"}
_ALPHABETS = {
    "#": string.digits,
    "X": string.ascii_uppercase,
    "x": string.ascii_lowercase,
    "*": string.ascii_letters + string.digits,
}
_DATE_PARTS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "ww": "%V", "HH": "%H", "mm": "%M", "ss": "%S"}


class PatternFault(Exception):
    """The pattern can't be read, or a value it needs was not given. Its text says which."""


class Segment(Struct, frozen=True):
    """A piece of a pattern: `argument` is the literal text or the format."""

    method: Method
    argument: str


@lru_cache(maxsize=256)
def parse(pattern: str) -> tuple[Segment, ...]:
    """The segments of `pattern`. Raises PatternFault unless exactly one is generated."""
    segments: list[Segment] = []
    place, joined = 0, True
    while joined:
        found = _SEGMENT.match(pattern, place)
        if found is None:
            raise PatternFault("The pattern cannot be read.")
        text, method, argument, joint = found.groups()
        segments.append(Segment(cast(Method, method or "TEXT"), argument if method else text))
        place, joined = found.end(), joint == "+"
    if sum(segment.method in ("RANDOM", "SEQUENTIAL") for segment in segments) != 1:
        raise PatternFault("The pattern needs exactly one RANDOM or SEQUENTIAL segment.")
    return tuple(segments)


def required(pattern: str) -> tuple[list[str], list[str]]:
    """The values a caller must give, and those the server fills by itself."""
    methods = [segment.method for segment in parse(pattern) if segment.method != "TEXT"]
    return (
        [method for method in methods if method == "ORG_UNIT_CODE"],
        [method for method in methods if method != "ORG_UNIT_CODE"],
    )


class Frame(Struct, frozen=True):
    """A pattern with everything filled in but its generated segment."""

    before: str
    generated: Segment
    after: str

    @property
    def key(self) -> str:
        """The counter that numbers of this frame are drawn from."""
        return f"{self.before}{self.generated.method}({self.generated.argument}){self.after}"

    @property
    def capacity(self) -> int:
        """How many values there are."""
        if self.generated.method == "SEQUENTIAL":
            return int(10 ** len(self.generated.argument)) - 1
        sizes = (len(_ALPHABETS.get(letter, "?")) for letter in self.generated.argument)
        return math.prod(sizes)

    def numbered(self, number: int) -> str:
        """The value with this number."""
        return f"{self.before}{number:0{len(self.generated.argument)}d}{self.after}"

    def random(self) -> str:
        """A value nobody can guess."""
        chosen = (secrets.choice(_ALPHABETS[letter]) for letter in self.generated.argument)
        return f"{self.before}{''.join(chosen)}{self.after}"


def frame(pattern: str, given: Mapping[str, str], now: datetime) -> Frame:
    """`pattern` on the day of `now` (in the server's zone). Raises PatternFault when a value is not given."""
    before, after = "", ""
    generated: Segment | None = None
    for segment in parse(pattern):
        if segment.method in ("RANDOM", "SEQUENTIAL"):
            generated = segment
        elif generated is None:
            before += _filled(segment, given, now)
        else:
            after += _filled(segment, given, now)
    if generated is None:
        raise PatternFault("The pattern needs exactly one RANDOM or SEQUENTIAL segment.")
    return Frame(before, generated, after)


def _filled(segment: Segment, given: Mapping[str, str], now: datetime) -> str:
    if segment.method == "TEXT":
        return segment.argument
    if segment.method == "CURRENT_DATE":
        return now.strftime(_strftime(segment.argument))
    value = given.get(segment.method)
    if not value:
        raise PatternFault(f"Missing required value: {segment.method}")
    return _shortened(value, segment.argument)


def _shortened(value: str, form: str) -> str:
    """The part of `value` that `form` asks for: dots from the start, or from the end before `$`."""
    width = form.count(".")
    if len(value) < width or (form.startswith("^") and form.endswith("$") and len(value) != width):
        raise PatternFault("The given value is too short or too long for the pattern.")
    if not width:
        return value
    return value[-width:] if form.endswith("$") else value[:width]


def _strftime(form: str) -> str:
    return re.sub("|".join(_DATE_PARTS), lambda found: _DATE_PARTS[found.group()], form)


def matches(pattern: str, value: str) -> bool:
    """Whether `value` could have come from `pattern`; a pattern that can't be read matches nothing."""
    try:
        return bool(_expression(pattern).fullmatch(value))
    except PatternFault:
        return False


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_piece(segment) for segment in parse(pattern)))


def _piece(segment: Segment) -> str:
    if segment.method in ("RANDOM", "SEQUENTIAL"):
        return "".join(_CLASSES.get(letter, re.escape(letter)) for letter in segment.argument)
    if segment.method == "CURRENT_DATE":
        return re.sub(r"[A-Za-z]", "[0-9]", segment.argument)
    if segment.method == "ORG_UNIT_CODE":
        return ".{%d}" % segment.argument.count(".") if "." in segment.argument else ".*"  # noqa: UP031
    return re.escape(segment.argument)
