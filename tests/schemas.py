"""schemathesis against a running server: whatever an OpenAPI document says may be asked, never a 5xx answers."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
Dress = Callable[[schemathesis.Case], Mapping[str, str]]


def with_bodies(document: dict[str, Any], bodies: Mapping[str, Any]) -> dict[str, Any]:
    """`document` with the request bodies that handlers read themselves: by end of path, a type or names of a form."""
    for path, operations in document["paths"].items():
        found = next((body for end, body in bodies.items() if path.endswith(end)), None)
        for method in {"post", "put", "patch"} & set(operations) if found is not None else ():
            if isinstance(found, tuple):
                texts = {name: {"type": "string"} for name in found}
                content = {FORM: {"schema": {"type": "object", "properties": texts}}}
            else:
                (schema,), components = msgspec.json.schema_components(
                    [found], ref_template="#/components/schemas/{name}"
                )
                document.setdefault("components", {}).setdefault("schemas", {}).update(components)
                content = {JSON: {"schema": schema}}
            operations[method]["requestBody"] = {"required": True, "content": content}
    return document


def ask_everything(
    document: dict[str, Any],
    url: str,
    dress: Dress,
    *,
    examples: int,
    meant: Callable[[requests.Response], bool] = lambda _answer: False,
) -> list[str]:
    """Asks each operation `examples` times; which ones answered 5xx, with what was asked.

    `dress` may change a case before it is sent, and gives its headers; `meant` says which 5xx are right.
    """
    schema = schemathesis.openapi.from_dict(document)
    fell: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: schemathesis.Case) -> None:
            headers = dress(case)
            answer = case.call(base_url=url, headers=dict(headers), timeout=20, allow_redirects=False)
            if answer.status_code >= 500 and not meant(answer):
                fell.append(f"{case.method} {case.path}: {answer.status_code} for {case.body!r:.300}")

        ask()
    return fell
