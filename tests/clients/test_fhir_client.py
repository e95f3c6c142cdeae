"""The FHIR client against a server that misbehaves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from joserfc.jwk import RSAKey

from janani.clients.fhir import BackendToken, FhirClient, FhirError, Issue, _seconds
from janani.kernel import jose

BASE = "https://record.example/fhir"
NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
KEY = RSAKey.generate_key(2048, auto_kid=True)
Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def test_a_read_is_tried_again_and_a_write_is_not() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(200, json={"id": "1"}) if len(asked) == 2 else httpx.Response(503)

    fhir = FhirClient(client(answer), BASE)
    assert await fhir.read("Patient", "1") == {"id": "1"}
    with pytest.raises(FhirError) as refused:
        await fhir.transaction({"resourceType": "Bundle"})
    assert (asked, refused.value.retryable) == (["GET", "GET", "POST"], True)


@pytest.mark.parametrize(
    ("issues", "gone"), [([], False), ([Issue(code="login")], False), ([Issue(code="not-found")], True)]
)
def test_only_the_server_itself_says_that_something_is_gone(issues: list[Issue], gone: bool) -> None:
    """Not a proxy that misses it, nor who should give an access token and is not there."""
    assert FhirError(404, issues).gone is gone


async def test_a_link_to_another_host_does_not_get_the_token() -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        link = [{"relation": "next", "url": "https://elsewhere.example/fhir?page=2"}] if len(hosts) == 1 else []
        return httpx.Response(200, json={"resourceType": "Bundle", "link": link})

    assert await FhirClient(client(answer), BASE).search("Patient") == []
    assert hosts == ["record.example"] * 2


async def test_an_outcome_is_told_without_what_it_quotes() -> None:
    outcome = {
        "issue": [{"severity": "error", "code": "invalid", "diagnostics": "Perera", "expression": ["Patient.name"]}]
    }
    fhir = FhirClient(client(lambda _: httpx.Response(422, json=outcome)), BASE)
    with pytest.raises(FhirError) as refused:
        await fhir.create({"resourceType": "Patient"})
    assert refused.value.issues[0].expression == ["Patient.name"]
    assert (refused.value.status, refused.value.retryable) == (422, False)
    assert "Perera" not in str(refused.value)


async def test_a_server_that_is_away_may_be_tried_again() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(FhirError) as refused:
        await FhirClient(client(answer), BASE, attempts=1).read("Patient", "1")
    assert (refused.value.status, refused.value.retryable) == (0, True)


async def test_a_backend_token_is_asked_for_once_and_again_near_its_end() -> None:
    moments = [NOW]
    assertions: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("smart-configuration"):
            return httpx.Response(200, json={"token_endpoint": "https://record.example/auth/token"})
        form = dict(httpx.QueryParams(request.content.decode()))
        assertions.append(form["client_assertion"])
        return httpx.Response(200, json={"access_token": f"token-{len(assertions)}", "expires_in": 300})

    token = BackendToken(client(answer), BASE, "janani-sync", KEY, clock=lambda: moments[0])
    assert [await token(), await token()] == ["token-1", "token-1"]
    moments[0] = NOW + timedelta(seconds=271)
    assert await token() == "token-2"
    claims = jose.verify(assertions[0], KEY)
    assert (claims["iss"], claims["sub"], claims["aud"]) == (
        "janani-sync",
        "janani-sync",
        "https://record.example/auth/token",
    )
    assert claims["exp"] - claims["iat"] <= 300
    assert claims["jti"] != jose.verify(assertions[1], KEY)["jti"]


PROXY = b"<html>Welcome to our network</html>"


@pytest.mark.parametrize(
    ("configuration", "granted"),
    [
        (PROXY, b""),
        (b"[]", b""),
        (b"{}", b""),
        (b'{"token_endpoint": 7}', b""),
        (b'{"token_endpoint": "https://[nowhere"}', b""),
        (b'{"token_endpoint": "https://record.example/token"}', PROXY),
        (b'{"token_endpoint": "https://record.example/token"}', b'{"access_token": "\xff"}'),
        (b'{"token_endpoint": "https://record.example/token"}', b"[]"),
        (b'{"token_endpoint": "https://record.example/token"}', b'{"expires_in": 300}'),
        (b'{"token_endpoint": "https://record.example/token"}', b'{"access_token": "t", "expires_in": "soon"}'),
    ],
)
async def test_an_authorization_server_that_answers_something_else_is_a_bad_gateway(
    configuration: bytes, granted: bytes
) -> None:
    """A page in between (a proxy's, a captive portal's) comes with 200."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.path.endswith("smart-configuration")
        return httpx.Response(200, content=configuration if asked else granted)

    with pytest.raises(FhirError) as refused:
        await BackendToken(client(answer), BASE, "janani-sync", KEY)()
    assert refused.value.status == 502


async def test_a_token_without_a_length_of_life_or_with_it_in_quotes_is_taken() -> None:
    for more in ({}, {"expires_in": "300"}, {"expires_in": 1e30}):
        said = {"token_endpoint": "https://record.example/token", "access_token": "t", **more}
        token = BackendToken(client(lambda _, said=said: httpx.Response(200, json=said)), BASE, "janani-sync", KEY)
        assert await token() == "t"


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("7", 7.0),
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(after: str, seconds: float) -> None:
    assert _seconds(after, datetime(2026, 11, 21, 10, tzinfo=UTC)) == seconds
