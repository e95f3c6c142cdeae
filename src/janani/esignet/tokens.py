"""The token endpoint: a code, once, for id_token and access token (reference §5), and userinfo (reference §6)."""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Response, get, post

from janani.esignet import assertion
from janani.esignet.envelope import base64url, sha3
from janani.esignet.incoming import Http
from janani.esignet.people import claims_of, pairwise_subject
from janani.esignet.problems import TokenRefused, UserinfoRefused
from janani.esignet.provider import SQL, Idp, Provider, Row
from janani.esignet.vocabulary import ASSERTION_TYPE
from janani.kernel.jose import sign

_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


def at_hash(access_token: str) -> str:
    """The first half of the token's SHA-256, base64url (OpenID Connect Core §3.1.3.6)."""
    return base64url(hashlib.sha256(access_token.encode()).digest()[:16])


def pkce_holds(challenge: str | None, verifier: str | None) -> bool:
    """Whether the verifier is the one the challenge (S256) was made from; without a challenge none is needed."""
    if not challenge:
        return True
    if not re.fullmatch(r"[A-Za-z0-9\-._~]{43,128}", verifier or ""):
        return False
    return hmac.compare_digest(base64url(hashlib.sha256((verifier or "").encode()).digest()), challenge)


@post(["/v1/esignet/oauth/v2/token", "/v1/esignet/oauth/token"], status_code=200)
async def token(request: Http, idp: Idp) -> Response[dict[str, Any]]:
    """Redeems a code. A refused call does not spend it; of two good ones at once, one gets tokens."""
    form = _form(await request.body())
    row = await _waiting(idp, form)
    audiences = (idp.issuer, idp.issuer + request.scope["path"])
    await _authenticate_client(idp, row, form.get("client_assertion", ""), audiences)
    access_token, answer, userinfo = issue(idp, row, idp.now())
    async with idp.pool.acquire() as connection, connection.transaction():
        if await SQL.redeem_code(connection, code_hash=row["code_hash"]) is None:
            raise TokenRefused("invalid_grant")
        await SQL.add_access_token(
            connection,
            token_hash=sha3(access_token),
            transaction_number=row["transaction_number"],
            client_id=row["client_id"],
            person_id=row["person_id"],
            userinfo=userinfo,
            expires_at=idp.now() + timedelta(seconds=row["lifetime_seconds"]),
        )
    await idp.note("tokens_given", "ok", **_surrogates(row))
    return Response(answer, headers=_NO_STORE)


def _form(body: bytes) -> dict[str, str]:
    """The form's fields. Raises TokenRefused for a field sent twice, and for the wrong grant or assertion type."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
    except ValueError as error:
        raise TokenRefused("invalid_request") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRefused("invalid_request")
    if form.get("grant_type") != "authorization_code":
        raise TokenRefused("unsupported_grant_type")
    if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
        raise TokenRefused("invalid_client")
    return form


async def _waiting(idp: Provider, form: dict[str, str]) -> Row:
    """The code's row, its client, redirect URI and PKCE verifier checked. Raises TokenRefused."""
    row = await SQL.code_waiting(idp.pool, code_hash=sha3(form.get("code", "")), now=idp.now())
    if row is None:
        raise TokenRefused("invalid_grant")
    asked = msgspec.json.decode(row["request"])
    if row["client_status"] != "ACTIVE" or form.get("client_id", row["client_id"]) != row["client_id"]:
        raise TokenRefused("invalid_client_id")
    if form.get("redirect_uri") != asked["redirectUri"]:
        raise TokenRefused("invalid_redirect_uri")
    if not pkce_holds(asked.get("codeChallenge"), form.get("code_verifier")):
        await idp.note("tokens_given", "pkce_failed", **_surrogates(row))
        raise TokenRefused("invalid_grant")
    return row


async def _authenticate_client(idp: Provider, row: Row, signed: str, audiences: tuple[str, ...]) -> None:
    """Checks the client's assertion and spends its jti. Raises TokenRefused `invalid_client`."""
    now, client_id = idp.now(), row["client_id"]
    try:
        claims = assertion.checked(
            signed, msgspec.json.decode(row["public_key"]), client_id=client_id, audiences=audiences, now=now
        )
    except TokenRefused:
        await idp.note("tokens_given", "invalid_client", **_surrogates(row))
        raise
    lapses = now + timedelta(seconds=min(max(claims["exp"] - now.timestamp(), 0) + 60, 86_400 * 365))
    fresh = await SQL.use_once(
        idp.pool, kind="jti", client_id=client_id, value=sha3(claims["jti"]), expires_at=lapses, now=now
    )
    if not fresh:
        await idp.note("tokens_given", "jti_replayed", **_surrogates(row))
        raise TokenRefused("invalid_client")


def issue(idp: Provider, row: Row, now: datetime) -> tuple[str, dict[str, Any], str]:
    """The access token, the answer of the token endpoint, and the signed userinfo for later."""
    asked, client_id, seconds = msgspec.json.decode(row["request"]), row["client_id"], row["lifetime_seconds"]
    subject = pairwise_subject(idp.pairwise_key, row["relying_party_id"], row["individual_id"])
    issued = int(now.timestamp())
    base = {"iss": idp.issuer, "sub": subject, "aud": client_id, "iat": issued, "exp": issued + seconds}
    scope = {"scope": " ".join(row["permitted_scopes"])} if row["permitted_scopes"] else {}
    # The code's number makes tokens of one second differ.
    unique = {"azp": client_id, "client_id": client_id, "jti": sha3(row["code_hash"])}
    access_token = sign(base | unique | scope, idp.key)
    id_token = sign(
        base
        | {"auth_time": int(row["authenticated_at"].timestamp()), "acr": row["acr"], "at_hash": at_hash(access_token)}
        | ({"nonce": asked["nonce"]} if asked.get("nonce") else {}),
        idp.key,
    )
    claims = claims_of(
        msgspec.json.decode(row["identity"]),
        row["typed_id"],
        row["accepted_claims"],
        (asked.get("claims") or {}).get("userinfo") or {},
        (asked.get("claimsLocales") or "").split(),
    )
    userinfo = sign(claims | {"sub": subject, "iss": idp.issuer, "aud": client_id}, idp.key)
    answer = {"id_token": id_token, "token_type": "Bearer", "access_token": access_token, "expires_in": seconds}
    return access_token, answer, userinfo


@get("/v1/esignet/oidc/userinfo")
async def userinfo(request: Http, idp: Idp) -> Response[bytes]:
    """The claims agreed to, as a signed JWT; the same bytes at every call."""
    values = request.headers.getall("authorization", [])
    if len(values) > 1:
        raise UserinfoRefused(400, "invalid_request")
    if not _takes_jwt(request.headers.get("accept", "*/*")):
        raise UserinfoRefused(406, "Not Acceptable")
    scheme, _, access_token = (values[0] if values else "").partition(" ")
    found = None
    if scheme.lower() == "bearer" and access_token.strip():
        found = await SQL.userinfo_of(idp.pool, token_hash=sha3(access_token.strip()), now=idp.now())
    if found is None:
        raise UserinfoRefused(401, "invalid_token")
    await idp.note("userinfo_given", "ok", **_surrogates(found))
    return Response(found["userinfo"].encode(), media_type="application/jwt", headers=_NO_STORE)


def _takes_jwt(accept: str) -> bool:
    return any(kind.split(";")[0].strip() in ("*/*", "application/*", "application/jwt") for kind in accept.split(","))


def _surrogates(row: Row) -> dict[str, Any]:
    return {"transaction": row["transaction_number"], "client": row["client_id"], "person": row["person_id"]}
