"""What the provider's OpenAPI document says may be asked, schemathesis asks, and is answered as the document says."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import schemathesis

from esignet_wire import API, MOTHER, RelyingParty, Wire
from janani.esignet import shapes
from janani.esignet.app import create_app
from janani.esignet.described import table
from janani.esignet.shapes import Answered
from janani.settings import Esignet, Settings
from schemas import ask_everything


async def test_whatever_the_document_allows_is_answered(wire: Wire, rp: RelyingParty, http: httpx.AsyncClient) -> None:
    """CSRF token, bearer token, time and transaction are put right, so that calls get past the doors."""
    document = (await http.get("/openapi/openapi.json")).json()
    assert len(document["paths"]) > 20
    await wire.oauth_details(scope="openid profile")
    await wire.send_otp(MOTHER)
    url = str(http.base_url).rstrip("/")
    cookie = f"XSRF-TOKEN={wire.csrf}"
    bound = wire.headers() | {"cookie": cookie, "authorization": f"Bearer {rp.bearer}"}

    def dress(case: schemathesis.Case) -> Mapping[str, str]:
        if isinstance(case.body, dict) and "requestTime" in case.body:
            case.body["requestTime"] = wire.now()
            inside = case.body["request"]
            if "transactionId" in inside:
                inside["transactionId"] = wire.details["transactionId"]
        return bound

    fell = await asyncio.to_thread(ask_everything, document, url, dress, examples=5)
    assert fell == []
    assert (await http.get(f"{API}/csrf/token")).status_code == 200  # it still stands


def test_every_operation_of_both_generations_is_described() -> None:
    for generation in ("main", "1.6.1"):
        settings = Settings(esignet=Esignet(generation=generation))
        paths = create_app(settings).openapi_schema.to_schema()["paths"]
        routes = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
        assert routes <= set(table(old=generation == "1.6.1").operations)


async def test_what_succeeds_has_the_shape_that_the_document_says(
    wire: Wire, rp: RelyingParty, http: httpx.AsyncClient
) -> None:
    def shaped(answer: httpx.Response, kind: Any) -> None:
        envelope = msgspec.json.decode(answer.content, type=Answered[kind], strict=True)
        assert envelope.response is not None, answer.text

    csrf = await http.get(f"{API}/csrf/token")
    msgspec.json.decode(csrf.content, type=shapes.CsrfToken)
    for version, kind in (("", shapes.DetailsV1), ("v2/", shapes.Details), ("v3/", shapes.Details)):
        shaped(await wire.oauth_details(version, claims={"userinfo": {"name": None}}), kind)
    shaped(await wire.send_otp(), shapes.OtpSent)
    shaped(await wire.authenticate(), shapes.Authenticated)
    details = await http.get(f"{API}/authorization/claim-details", headers=wire.headers())
    shaped(details, shapes.ClaimDetails)
    agreed = await wire.auth_code("name")
    shaped(agreed, shapes.Code)
    pushed = await rp.push()
    msgspec.json.decode(pushed.content, type=shapes.Pushed)
    tokens = await rp.redeem(agreed.json()["response"]["code"])
    msgspec.json.decode(tokens.content, type=shapes.Tokens)
    other = RelyingParty(http, rp.bearer, "another")
    shaped(await other.manage(other.registration()), shapes.ClientStatus)
