"""OpenAPI documents that say what is asked and answered where handlers read and write the bytes themselves.

A part's table names an operation by method and path (`POST /v1/esignet/oauth/v2/token`) and says its body, what it
needs beside it, and its answers; `described` lays the table over the document that Litestar makes of the routes.
Nothing of this is looked at when a request comes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import OpenAPI
from msgspec import Struct

JSON, FORM, HTML = "application/json", "application/x-www-form-urlencoded", "text/html"
_REF = "#/components/schemas/{name}"


class Answer(Struct, frozen=True):
    """One answer: what it means, its body's type (None: no body) and media type, its headers with their meaning."""

    about: str
    kind: Any = None
    media: str = JSON
    headers: Mapping[str, str] = {}


class Operation(Struct, frozen=True):
    """What the document says of one operation.

    Args:
        answers: by HTTP status; several of one status differ in media type.
        body: the type of the request's body, None where there is none; `media` its media type.
        needs: headers and cookies it can't go without: name → (`header` or `cookie`, meaning).
        security: the name of a security scheme of the part.
    """

    answers: Mapping[int, tuple[Answer, ...]]
    body: Any = None
    media: str = JSON
    optional_body: bool = False
    needs: Mapping[str, tuple[str, str]] = {}
    security: str = ""


class Described(Struct, frozen=True):
    """What a part's document says.

    Args:
        operations: by method and path.
        required: the members a type can't go without, where the handler (which has a code for each that is missing)
            says so and the type doesn't: name of the type → names on the wire.
        security: the part's security schemes (OpenAPI 3.1).
    """

    operations: Mapping[str, Operation]
    required: Mapping[str, tuple[str, ...]] = {}
    security: Mapping[str, Mapping[str, str]] = {}


@dataclass
class DescribedConfig(OpenAPIConfig):
    """Litestar's configuration, for a document with the table laid over it."""

    table: Described = field(default_factory=lambda: Described({}))

    def to_openapi_schema(self) -> OpenAPI:
        """The document without its routes, which Litestar adds."""
        made = super().to_openapi_schema()
        return _Document(**{one.name: getattr(made, one.name) for one in fields(made)}, table=self.table)


@dataclass
class _Document(OpenAPI):
    table: Described = field(default_factory=lambda: Described({}))

    @property
    def _exclude_fields(self) -> set[str]:
        return {"table"}

    def to_schema(self) -> dict[str, Any]:
        return described(super().to_schema(), self.table)


def described(document: dict[str, Any], table: Described) -> dict[str, Any]:
    """`document` as the table has it. Operations that the document has not (of another generation) are passed over."""
    kinds = list(_kinds(table))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    for name, needed in table.required.items():
        components[name]["required"] = sorted({*components[name].get("required", ()), *needed})
    found = iter(schemas)
    for place, operation in table.operations.items():
        method, _, path = place.partition(" ")
        written = _written(operation, found)
        if path in document["paths"] and method.lower() in document["paths"][path]:
            _lay_over(document["paths"][path][method.lower()], written)
    kept = document.setdefault("components", {})
    kept["schemas"] = kept.get("schemas", {}) | components
    if table.security:
        kept["securitySchemes"] = {name: dict(scheme) for name, scheme in table.security.items()}
    return document


def _kinds(table: Described) -> Iterator[Any]:
    """The types of the table, in the order in which `_written` takes their schemas."""
    for operation in table.operations.values():
        if operation.body is not None:
            yield operation.body
        for answers in operation.answers.values():
            yield from (answer.kind for answer in answers if answer.kind is not None)


def _written(operation: Operation, schemas: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The operation in the words of OpenAPI."""
    written: dict[str, Any] = {}
    if operation.body is not None:
        content = {operation.media: {"schema": next(schemas)}}
        written["requestBody"] = {"required": not operation.optional_body, "content": content}
    written["parameters"] = [
        {"name": name, "in": place, "required": True, "description": about, "schema": {"type": "string"}}
        for name, (place, about) in operation.needs.items()
    ]
    written["responses"] = {str(status): _answered(answers, schemas) for status, answers in operation.answers.items()}
    if operation.security:
        written["security"] = [{operation.security: []}]
    return written


def _answered(answers: tuple[Answer, ...], schemas: Iterator[dict[str, Any]]) -> dict[str, Any]:
    written: dict[str, Any] = {"description": " Or: ".join(answer.about for answer in answers)}
    content = {answer.media: {"schema": next(schemas)} for answer in answers if answer.kind is not None}
    headers = {name: about for answer in answers for name, about in answer.headers.items()}
    if content:
        written["content"] = content
    if headers:
        written["headers"] = {
            name: {"description": about, "schema": {"type": "string"}} for name, about in headers.items()
        }
    return written


def _lay_over(operation: dict[str, Any], written: dict[str, Any]) -> None:
    """The table's answers are all there are: Litestar's own errors never reach the wire."""
    parameters = [*operation.get("parameters", ()), *written.pop("parameters")]
    operation.update(written)
    if parameters:
        operation["parameters"] = parameters
