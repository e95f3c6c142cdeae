"""JSON that keeps decimals as they were written: 11.20 stays 11.20 (R4 §datatypes, decimal)."""

import re
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct

from janani.record.problems import FhirProblem

_ID = re.compile(r"^[A-Za-z0-9\-.]{1,64}$")
_LONG = 500
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_orderly = msgspec.json.Encoder(decimal_format="number", order="sorted")


class _Head(Struct, rename="camel"):
    resource_type: Any = None
    id: Any = None


class Sent(Struct):
    """A resource as it came: its JSON without blanks, and the type and id it says it has (None: it says none)."""

    body: bytes
    type: Any
    id: Any


_head = msgspec.json.Decoder(_Head)
_elements = msgspec.json.Decoder(dict[str, Raw])


def encode(value: Any) -> bytes:
    """`value` as JSON."""
    return _encoder.encode(value)


def ordered(value: Any) -> bytes:
    """`value` as JSON, the elements of each object sorted: the same for all that is equal to the last digit."""
    return _orderly.encode(value)


def decode(content: bytes) -> dict[str, Any]:
    """The JSON object in `content`, its numbers with a fraction as Decimal. Raises FhirProblem 400."""
    try:
        value = _decoder.decode(content)
    except msgspec.DecodeError as error:
        raise FhirProblem(400, "structure", "HAPI-0450: Failed to parse request body as JSON resource.") from error
    except (RecursionError, ArithmeticError, ValueError) as error:
        raise FhirProblem(
            400, "structure", "The request body is nested too deep or has a number out of range."
        ) from error
    if not isinstance(value, dict):
        raise FhirProblem(400, "structure", "HAPI-1837: The request body is no JSON object.")
    return value


def elements(content: bytes) -> dict[str, bytes]:
    """The JSON of each element of the object in `content`, which has no blanks; long ones, which hardly come twice, are
    left out."""
    found = _elements.decode(content)
    said = dict(zip(found, _encoder.encode_lines(found.values()).split(b"\n"), strict=False))
    return said if len(content) <= _LONG else {name: one for name, one in said.items() if len(one) <= _LONG}


def unique(values: list[Any]) -> list[Any]:
    """`values`, those that say the same once."""
    if len(values) < 2:
        return values
    return list(dict(zip(_encoder.encode_lines(values).split(b"\n"), values, strict=False)).values())


def value(said: bytes) -> Any:
    """The value of an element's JSON, as `decode` gives it."""
    return _decoder.decode(said)


def sent(content: bytes) -> Sent:
    """The resource in `content`, read no further than its type and id. Raises FhirProblem 400 when it is no object."""
    try:
        head = _head.decode(content)
        # Escapes may hide a reference from who looks for it in the bytes: such JSON is written anew.
        body = encode(decode(content)) if b"\\" in content else msgspec.json.format(content, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        decode(content)
        raise
    return Sent(body, head.resource_type, head.id)


def pretty(content: bytes) -> bytes:
    """`content` with line breaks, for people (`_pretty=true`)."""
    return msgspec.json.format(content, indent=2)


def is_id(text: str) -> bool:
    """Whether `text` has the form of a FHIR id."""
    return bool(_ID.match(text))
