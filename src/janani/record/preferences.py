"""What a request says about itself in headers and bodies: versions, preferences, formats. Pure."""

import base64
import binascii
import re
from decimal import Decimal
from typing import Any

import msgspec

from janani.record.problems import FhirProblem

_ETAG = re.compile(r'^(?:W/)?"?([0-9]{1,9})"?$')
_PARTS = re.compile("[;,]")
_patches = msgspec.json.Decoder(list[Any], float_hook=Decimal)
_FORMATS = {"json", "application/json", "application/fhir+json", "text/json", "html/json"}


def version_of(etag: Any) -> int | None:
    """The version an If-Match names, W/"3" → 3. Raises FhirProblem 400 on another form."""
    if etag is None:
        return None
    found = _ETAG.match(etag.strip()) if isinstance(etag, str) else None
    if found is None:
        raise FhirProblem(400, "invalid", "If-Match must be a weak ETag with a version number")
    return int(found[1])


def number(text: str, name: str, *, most: int) -> int:
    """A count or offset of a query string, `most` at most. Raises FhirProblem 400."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise FhirProblem(400, "invalid", f"HAPI-0472: {name} must be a number")
    return min(int(text), most)


def version(text: str, name: str) -> int:
    """The version of `name` that a URL says. Raises FhirProblem 404 on what no version can be."""
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise FhirProblem(404, "not-found", f"HAPI-2001: Resource {name} has no such version")
    return int(text)


def preference(prefer: str | None) -> str:
    """The `return` preference: minimal, representation (default) or OperationOutcome (§http 3.1.0.5, RFC 7240)."""
    for part in _PARTS.split(prefer or ""):
        name, _, value = (text.strip() for text in part.partition("="))
        value = value.strip('"')
        if name.lower() == "return" and value in ("minimal", "representation", "OperationOutcome"):
            return value
    return "representation"


def require_json(format_parameter: str | None, accept: str | None) -> None:
    """Raises FhirProblem 406 when the caller wants something other than JSON."""
    wanted = format_parameter.replace(" ", "+") if format_parameter else None
    if wanted is not None and wanted.partition(";")[0] not in _FORMATS:
        raise FhirProblem(406, "not-supported", "Only JSON is supported: _format=json")
    if wanted is None and accept:
        kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
        if not any("json" in kind or kind in ("*/*", "application/*", "text/html") for kind in kinds):
            raise FhirProblem(406, "not-supported", "Only JSON is supported: Accept: application/fhir+json")


def json_patch(resource: Any) -> list[Any]:
    """The JSON Patch in a bundle's Binary. Raises FhirProblem 400 on a FHIRPath Patch or anything else."""
    binary = resource if isinstance(resource, dict) and resource.get("resourceType") == "Binary" else {}
    if "json-patch" in str(binary.get("contentType")):
        try:
            return patch_operations(base64.b64decode(str(binary.get("data", "")), validate=True))
        except binascii.Error as error:
            raise FhirProblem(400, "invalid", "Binary.data is not base64") from error
    raise FhirProblem(400, "not-supported", "Only JSON Patch in a Binary is supported; FHIRPath Patch is not")


def patch_operations(content: bytes) -> list[Any]:
    """The operations of a JSON Patch document. Raises FhirProblem 400."""
    try:
        return _patches.decode(content)
    except msgspec.DecodeError as error:
        raise FhirProblem(400, "structure", "HAPI-1270: The body is no JSON Patch document") from error
