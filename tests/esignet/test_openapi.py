"""What the provider's OpenAPI document says may be asked, schemathesis asks, and is answered as the document says."""

import asyncio
from collections.abc import Mapping

import httpx
import schemathesis

from esignet_wire import API, MOTHER, RelyingParty, Wire
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
