"""The token endpoint: a code, once, for id_token and access token (reference §5)."""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from joserfc import jwe
from joserfc.jwk import RSAKey
from litestar import Response, post

from janani.esignet.audit import about
from janani.esignet.envelope import base64url, sha3
from janani.esignet.form import check_assertion_fields, read_form, shown_key, unspent, used_before
from janani.esignet.incoming import Http
from janani.esignet.people import claims_of, pairwise_subject
from janani.esignet.problems import TokenRefused
from janani.esignet.provider import SQL, STEPS, Idp, Provider, Row
from janani.esignet.vocabulary import ENCRYPTION
from janani.kernel.http import Sent
from janani.kernel.jose import sign

NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


def at_hash(access_token: str) -> str:
    """The first half of the token's SHA-256, base64url (OpenID Connect Core §3.1.3.6)."""
    return base64url(hashlib.sha256(access_token.encode()).digest()[:16])


def pkce_holds(challenge: str | None, verifier: str | None) -> bool:
    """Whether the verifier is the one the challenge (S256) was made from; without a challenge there may be none.

    eSignet, 1.6.1 too, ignores a verifier without a challenge. But its client did send a challenge, so somebody took
    it out of the request (RFC 9700 §2.1.1, §4.8.2): refused, whichever release is imitated.
    """
    if not challenge:
        return not verifier
    if not re.fullmatch(r"[A-Za-z0-9\-._~]{43,128}", verifier or ""):
        return False
    return hmac.compare_digest(base64url(hashlib.sha256((verifier or "").encode()).digest()), challenge)


@post(["/v1/esignet/oauth/v2/token", "/v1/esignet/oauth/token"], status_code=200)
async def token(request: Http, idp: Idp) -> Response[bytes]:
    """Redeems a code. A refused call does not spend it; of two good ones at once, one gets tokens."""
    form = await read_form(request)
    if form.get("grant_type") != "authorization_code":
        raise TokenRefused("unsupported_grant_type", old="invalid_input")
    check_assertion_fields(form)
    row = await _waiting(request, idp, form)
    asked = msgspec.json.decode(row["request"])
    proof = await shown_key(request, idp, asked.get("dpopJkt"), _config(row))
    jti, jti_lapses = unspent(idp, row, form["client_assertion"], (request.scope["path"],))
    jkt, now = proof.jkt if proof else None, idp.now()
    access_token, answer, userinfo = issue(idp, row, asked, jkt, now)
    done = await STEPS.redeem(
        idp.pool,
        code_hash=row["code_hash"],
        client_id=row["client_id"],
        jti=jti,
        jti_lapses=jti_lapses,
        token_hash=sha3(access_token),
        userinfo=userinfo,
        jkt=jkt,
        now=now,
        expires_at=now + timedelta(seconds=row["lifetime_seconds"]),
    )
    if not done["fresh"]:
        raise used_before()
    if not done["redeemed"]:
        raise TokenRefused("invalid_grant", reason="redeemed meanwhile", old="invalid_transaction")
    return Sent(msgspec.json.encode(answer), headers=NO_STORE)


async def _waiting(request: Http, idp: Provider, form: dict[str, str]) -> Row:
    """The code's row, its client, redirect URI and PKCE verifier checked. Raises TokenRefused."""
    row = await SQL.code_waiting(idp.pool, code_hash=sha3(form.get("code", "")), now=idp.now())
    if row is None:
        raise TokenRefused("invalid_grant", reason="no such code", old="invalid_transaction")
    about(request, row)
    asked = msgspec.json.decode(row["request"])
    if row["client_status"] != "ACTIVE" or form.get("client_id", row["client_id"]) != row["client_id"]:
        raise TokenRefused("invalid_client_id")
    if form.get("redirect_uri") != asked["redirectUri"]:
        raise TokenRefused("invalid_redirect_uri")
    if not pkce_holds(asked.get("codeChallenge"), form.get("code_verifier")):
        old = "pkce_failed" if form.get("code_verifier") else "invalid_pkce_code_verifier"
        raise TokenRefused("invalid_grant", reason="pkce", old=old, old_status=500)
    return row


def _config(row: Row) -> dict[str, Any]:
    config: dict[str, Any] = msgspec.json.decode(row["additional_config"]) if row["additional_config"] else {}
    return config


def issue(
    idp: Provider, row: Row, asked: dict[str, Any], jkt: str | None, now: datetime
) -> tuple[str, dict[str, Any], str]:
    """The access token, the answer of the token endpoint, and the signed (or encrypted) userinfo for later."""
    client_id, seconds = row["client_id"], row["lifetime_seconds"]
    signed = partial(sign, key=idp.key, alg=idp.options.signing_algorithm)  # one key for all, also in a rotation
    subject = pairwise_subject(idp.pairwise_key, row["relying_party_id"], row["individual_id"])
    issued = int(now.timestamp())
    base = {"iss": idp.token_issuer, "sub": subject, "aud": client_id, "iat": issued, "exp": issued + seconds}
    scope = {"scope": " ".join(row["permitted_scopes"])} if row["permitted_scopes"] else {}
    # The code's number makes tokens of one second differ.
    unique = {"azp": client_id, "client_id": client_id, "jti": sha3(row["code_hash"])}
    bound = {"cnf": {"jkt": jkt}} if jkt else {}
    access_token = signed(base | unique | scope | bound)
    id_token = signed(
        base
        | {"auth_time": int(row["authenticated_at"].timestamp()), "acr": row["acr"], "at_hash": at_hash(access_token)}
        | ({"nonce": asked["nonce"]} if asked.get("nonce") else {})
    )
    claims = claims_of(
        msgspec.json.decode(row["identity"]),
        row["typed_id"],
        row["accepted_claims"],
        (asked.get("claims") or {}).get("userinfo") or {},
        (asked.get("claimsLocales") or "").split(),
    )
    userinfo = signed(claims | {"sub": subject, "iss": idp.token_issuer, "aud": client_id})
    if _config(row).get("userinfo_response_type") == "JWE":
        userinfo = _encrypted(userinfo, row["encryption_key"])
    kind = "DPoP" if jkt else "Bearer"
    answer = {"id_token": id_token, "token_type": kind, "access_token": access_token, "expires_in": seconds}
    return access_token, answer, userinfo


def _encrypted(signed: str, encryption_key: str | None) -> str:
    """The signed userinfo, encrypted to the client (nested JWT); empty when it never registered a key for that."""
    if encryption_key is None:
        return ""
    jwk = msgspec.json.decode(encryption_key)
    alg, enc = ENCRYPTION
    header = {"alg": alg, "enc": enc, "cty": "JWT", "typ": "JWT"} | ({"kid": jwk["kid"]} if "kid" in jwk else {})
    return jwe.encrypt_compact(header, signed.encode(), RSAKey.import_key(jwk), algorithms=[alg, enc])
