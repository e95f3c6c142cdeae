"""The DHIS2 client asks and understands as the Web API says (dhis2.md)."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from janani.clients.dhis2 import Dhis2Client, Dhis2Error

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer, **options: Any) -> Dhis2Client:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Dhis2Client(http, "http://registry", **options)


def always(status: int, body: Any, **headers: str) -> Answer:
    return lambda request: httpx.Response(status, json=body, headers=headers)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"basic": ("u", "p")}, "Basic " + base64.b64encode(b"u:p").decode()),
        ({"api_token": "d2pat_x"}, "ApiToken d2pat_x"),
        ({"bearer": "y"}, "Bearer y"),
    ],
)
async def test_it_logs_in_in_three_ways(options: Any, expected: str) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"trackedEntity": "KGY0UKmRqqh"})

    await client(answer, **options).tracked_entity("KGY0UKmRqqh")
    assert seen[0].headers["authorization"] == expected
    assert str(seen[0].url) == "http://registry/api/tracker/trackedEntities/KGY0UKmRqqh?fields=%2A"


async def test_a_refusal_carries_the_servers_words() -> None:
    message = {"httpStatusCode": 404, "status": "ERROR", "errorCode": "E1005", "message": "could not be found"}
    with pytest.raises(Dhis2Error) as error:
        await client(always(404, message)).tracked_entity("KGY0UKmRqqh")
    found = error.value
    assert (found.status, found.code, found.text, found.retryable) == (404, "E1005", "could not be found", False)


async def test_reads_are_tried_again_and_imports_are_not() -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        return httpx.Response(503, headers={"retry-after": "7"})

    asked = client(answer, attempts=2)
    with pytest.raises(Dhis2Error) as error:
        await asked.system_info()
    assert (error.value.retryable, error.value.retry_after) == (True, 7)
    with pytest.raises(Dhis2Error):
        await asked.import_tracker({})
    assert calls == ["GET", "GET", "POST"]


async def test_an_import_with_errors_is_a_report_not_an_exception() -> None:
    report = {"status": "ERROR", "validationReport": {"errorReports": [{"errorCode": "E1064", "message": "unique"}]}}
    assert (await client(always(409, report)).import_tracker({}))["status"] == "ERROR"


async def test_a_refused_metadata_import_says_why() -> None:
    errors = [{"objectReports": [{"errorReports": [{"errorCode": "E5002", "message": "Invalid reference"}]}]}]
    report = {"httpStatusCode": 409, "status": "ERROR", "response": {"status": "ERROR", "typeReports": errors}}
    for status in (200, 409):
        with pytest.raises(Dhis2Error, match="E5002 Invalid reference"):
            await client(always(status, report)).import_metadata({})


async def test_lists_are_read_page_by_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        people = [{"trackedEntity": f"{page}-{number}"} for number in range(2 if page < 3 else 1)]
        return httpx.Response(200, json={"trackedEntities": people})

    found = [one async for one in client(answer).tracked_entities({"program": "P", "pageSize": "2"})]
    assert [one["trackedEntity"] for one in found] == ["1-0", "1-1", "2-0", "2-1", "3-0"]


async def test_the_change_feed() -> None:
    page = {
        "changes": [{"cursor": "7", "trackedEntity": "KGY0UKmRqqh", "changedAt": "2026-01-01T00:00:00Z"}],
        "next": "7",
    }
    changes = await client(always(200, page)).changes("6")
    assert (changes.changes[0].tracked_entity, changes.next) == ("KGY0UKmRqqh", "7")


async def test_a_route_gives_what_its_target_answered() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/routes/phn-service/run/Patient/$match"
        assert json.loads(request.content) == {"a": 1}
        return httpx.Response(422, json={"resourceType": "OperationOutcome"})

    answered = await client(answer).run_route("phn-service", {"a": 1}, path="/Patient/$match")
    assert answered.status_code == 422


async def test_no_answer_is_an_error_that_may_pass() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Dhis2Error) as error:
        await client(answer, attempts=1).me()
    assert (error.value.status, error.value.retryable) == (0, True)


@pytest.mark.parametrize(
    ("content", "gone"),
    [
        (b'{"httpStatusCode": 404, "status": "ERROR", "errorCode": "E1005", "message": "not found"}', True),
        (b'{"httpStatusCode": 404, "message": null}', True),
        (b"404 page not found\n", False),
        (b"<!doctype html><title>HTTP Status 404</title>", False),
        (b'{"message": "no Route matched with those values"}', False),
    ],
)
async def test_only_dhis2_itself_says_that_something_is_gone(content: bytes, gone: bool) -> None:
    """A proxy without its server answers 404 as well, and so does a servlet container that is still starting."""
    with pytest.raises(Dhis2Error) as raised:
        await client(lambda request: httpx.Response(404, content=content)).tracked_entity("KGY0UKmRqqh")
    assert (raised.value.status, raised.value.gone) == (404, gone)
