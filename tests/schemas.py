"""schemathesis against a running server: what an OpenAPI document says may be asked is answered as it says."""

from collections.abc import Callable, Mapping
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

AS_SAID = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
Dress = Callable[[schemathesis.Case], Mapping[str, str]]


def ask_everything(
    document: dict[str, Any],
    url: str,
    dress: Dress,
    *,
    examples: int,
    meant: Callable[[requests.Response], bool] = lambda _answer: False,
) -> list[str]:
    """Asks each operation `examples` times; which ones answered 5xx, or otherwise than the document says.

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
            answer = case.call(base_url=url, headers=dict(headers), timeout=60, allow_redirects=False)
            if answer.status_code >= 500 and not meant(answer):
                fell.append(f"{case.method} {case.path}: {answer.status_code} for {case.body!r:.300}")
            try:
                case.validate_response(answer, checks=AS_SAID)
            except FailureGroup as failures:
                wrong = "; ".join(f"{one.title}: {one.message:.300}" for one in failures.exceptions)
                fell.append(f"{case.method} {case.path}: {wrong}")

        ask()
    return fell
