"""oauth-details, versions 1 to 3: begins a sign-in and tells the page what it is about (reference §4.1)."""

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, post

from janani.esignet.audit import of_client
from janani.esignet.authorization import AuthorizationRequest, Requested, field_faults, redirect_allowed, resolve
from janani.esignet.clients import WEBHOOK
from janani.esignet.envelope import details_hash, sha3, success
from janani.esignet.incoming import Http, csrf_guard, read
from janani.esignet.problems import Refused
from janani.esignet.provider import SQL, STEPS, Idp, Provider, Row
from janani.esignet.vocabulary import CHANNELS, FACTOR_OF_ACR
from janani.kernel import ids
from janani.kernel.http import Sent
from janani.settings import Esignet

RESEND_SECONDS = 60
NONCE_SECONDS = 86_400


def configs(options: Esignet, additional_config: Any, issuer: str) -> dict[str, Any]:
    """The settings of the page (reference §4.9). `otp.expire-in-secs` is our addition."""
    return {
        "resend.otp.delay.secs": min(RESEND_SECONDS, options.otp_seconds),
        "otp.expire-in-secs": options.otp_seconds,
        "send.otp.channels": ",".join(CHANNELS),
        "captcha.sitekey": "",
        "captcha.enable": "",
        "auth.txnid.length": "10",
        "preauth-screen-timeout-in-secs": options.transaction_seconds,
        "consent.screen.timeout-in-secs": options.transaction_seconds,
        "consent.screen.timeout-buffer-in-secs": 5,
        "otp.length": options.otp_length,
        "login-id.options": [],
        "error.banner.close-timer": 10,
        "clientAdditionalConfig": additional_config,
    } | ({"issuer": issuer} if options.generation == "main" else {})


@post("/v1/esignet/authorization/oauth-details", status_code=200, guards=[csrf_guard])
async def oauth_details_v1(request: Http, idp: Idp) -> Response[bytes]:
    """Version 1: no PKCE, the client's name as a text."""
    return await _begin(request, idp, 1)


@post("/v1/esignet/authorization/v2/oauth-details", status_code=200, guards=[csrf_guard])
async def oauth_details_v2(request: Http, idp: Idp) -> Response[bytes]:
    """Version 2: PKCE, the client's name by language."""
    return await _begin(request, idp, 2)


@post("/v1/esignet/authorization/v3/oauth-details", status_code=200, guards=[csrf_guard])
async def oauth_details_v3(request: Http, idp: Idp) -> Response[bytes]:
    """Version 3: also takes an id_token_hint, which is for a sign-up client; there is none here."""
    return await _begin(request, idp, 3)


async def _begin(request: Http, idp: Provider, version: int) -> Response[bytes]:
    asked = await read(request, AuthorizationRequest, lambda it: field_faults(it, version), idp.now())
    if idp.old and asked.dpop_jkt is not msgspec.UNSET:
        raise Refused("unknown_error")
    return await begin(request, idp, asked, version, pushed=False)


async def begin(
    request: Http, idp: Provider, asked: AuthorizationRequest, version: int, *, pushed: bool
) -> Response[bytes]:
    """Starts a transaction for a request whose fields are checked. A pushed one has spent its nonce already."""
    client = await SQL.active_client(idp.pool, client_id=asked.client_id)
    if client is None:
        raise Refused("invalid_client_id")
    of_client(request, client["client_id"])
    requested, config = accepted(idp, asked, client, pushed=pushed)
    config = {name: value for name, value in config.items() if name != WEBHOOK} if config else config
    return await _start(idp, asked, client, requested, config, version, nonce=None if pushed else asked.nonce)


def accepted(
    idp: Provider, asked: AuthorizationRequest, client: Row, *, pushed: bool
) -> tuple[Requested, dict[str, Any] | None]:
    """What `asked` comes to, and its client's additionalConfig (None: it has none).

    Raises Refused: `invalid_id_token_hint`, `invalid_request` (it had to be pushed), `invalid_redirect_uri`,
    those of `resolve`, `use_pkce`.
    """
    if asked.id_token_hint:
        raise Refused("invalid_id_token_hint")
    config = msgspec.json.decode(client["additional_config"]) if client["additional_config"] else None
    if (config or {}).get("require_pushed_authorization_requests") and not pushed:
        raise Refused("invalid_request", reason="not pushed")
    if not redirect_allowed(
        asked.redirect_uri or "", client["redirect_uris"], wildcards=idp.options.wildcard_redirects
    ):
        raise Refused("invalid_redirect_uri")
    requested = resolve(asked, client["user_claims"], client["acrs"])
    if (config or {}).get("require_pkce") and not asked.code_challenge:
        raise Refused("use_pkce")
    return requested, config


async def spend_nonce(idp: Provider, asked: AuthorizationRequest) -> None:
    """Raises Refused `invalid_request` for a nonce this client sent before, within a day."""
    if not asked.nonce:
        return
    now = idp.now()
    fresh = await SQL.use_once(
        idp.pool,
        kind="nonce",
        client_id=asked.client_id,
        value=sha3(asked.nonce),
        expires_at=now + timedelta(seconds=NONCE_SECONDS),
        now=now,
    )
    if not fresh:
        raise Refused("invalid_request", reason="nonce used before")


async def _start(
    idp: Provider,
    asked: AuthorizationRequest,
    client: Row,
    requested: Requested,
    config: Any,
    version: int,
    *,
    nonce: str | None,
) -> Response[bytes]:
    """Stores the transaction with the hash of exactly the bytes that the page is sent, and spends the nonce."""
    transaction_id, name = sha3(ids.token()), msgspec.json.decode(client["name"])
    answer: dict[str, Any] = {
        "transactionId": transaction_id,
        "logoUrl": client["logo_uri"],
        "authFactors": [[{"type": FACTOR_OF_ACR[acr], "count": 0, "subTypes": None}] for acr in requested.acrs],
        "authorizeScopes": requested.authorize_scopes,
        "essentialClaims": requested.essential,
        "voluntaryClaims": requested.voluntary,
        "configs": configs(idp.options, config, idp.issuer),
        "redirectUri": asked.redirect_uri,
        "clientName": name["@none"] if version == 1 else name,
    }
    if version > 1:
        answer["credentialScopes"] = []
    body = msgspec.json.encode(answer)
    now = idp.now()
    number = await STEPS.begin_sign_in(
        idp.pool,
        id=transaction_id,
        client_id=asked.client_id,
        request=msgspec.json.encode(asked).decode(),
        essential=requested.essential,
        voluntary=requested.voluntary,
        scopes=requested.authorize_scopes,
        details_hash=details_hash(body),
        expires_at=now + timedelta(seconds=idp.options.transaction_seconds),
        nonce=sha3(nonce) if nonce else None,
        nonce_lapses=now + timedelta(seconds=NONCE_SECONDS),
        now=now,
    )
    if number is None:
        raise Refused("invalid_request", reason="nonce used before")
    return Sent(success(msgspec.Raw(body), now))
