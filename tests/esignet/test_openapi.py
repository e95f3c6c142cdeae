"""What the provider's OpenAPI document says may be asked, schemathesis asks: never a 5xx, wherever it gets."""

import asyncio
from collections.abc import Mapping

import httpx
import schemathesis

from esignet_wire import API, MOTHER, RelyingParty, Wire
from janani.esignet.authenticate import Authenticate
from janani.esignet.authorization import AuthorizationRequest
from janani.esignet.clients import Registration
from janani.esignet.consent import AuthCode
from janani.esignet.incoming import Enveloped
from janani.esignet.otp import SendOtp
from janani.esignet.pushed import Reference
from schemas import ask_everything, with_bodies

TOKEN = (
    "grant_type",
    "code",
    "redirect_uri",
    "client_id",
    "client_assertion_type",
    "client_assertion",
    "code_verifier",
)
PAR = ("client_id", "scope", "response_type", "redirect_uri", "claims", "max_age", "client_assertion", "dpop_jkt")
BODIES = {
    "par-oauth-details": Enveloped[Reference],
    "oauth-details": Enveloped[AuthorizationRequest],
    "send-otp": Enveloped[SendOtp],
    "authenticate": Enveloped[Authenticate],
    "auth-code": Enveloped[AuthCode],
    "client": Enveloped[Registration],
    "{client_id}": Enveloped[Registration],
    "oauth/par": PAR,
    "token": TOKEN,
}


async def test_whatever_the_document_allows_is_answered(wire: Wire, rp: RelyingParty, http: httpx.AsyncClient) -> None:
    """CSRF token, bearer token, time and transaction are put right, so that calls get past the doors."""
    document = with_bodies((await http.get("/openapi/openapi.json")).json(), BODIES)
    assert len(document["paths"]) > 20
    await wire.oauth_details(scope="openid profile")
    await wire.send_otp(MOTHER)
    url = str(http.base_url).rstrip("/")
    cookie = f"XSRF-TOKEN={wire.csrf}"
    bound = wire.headers() | {"cookie": cookie, "authorization": f"Bearer {rp.bearer}"}

    def dress(case: schemathesis.Case) -> Mapping[str, str]:
        if isinstance(case.body, dict) and "requestTime" in case.body:
            case.body["requestTime"] = wire.now()
            inside = case.body.get("request")
            if isinstance(inside, dict) and "transactionId" in inside:
                inside["transactionId"] = wire.details["transactionId"]
        return bound

    fell = await asyncio.to_thread(ask_everything, document, url, dress, examples=8)
    assert fell == []
    assert (await http.get(f"{API}/csrf/token")).status_code == 200  # it still stands
