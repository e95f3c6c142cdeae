"""Forms and client authentication at the OAuth endpoints: what token and PAR share (reference §5.1, §5.2)."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from janani.esignet import assertion
from janani.esignet.dpop import BadProof, NonceWanted, Proof, proof_of
from janani.esignet.envelope import sha3
from janani.esignet.incoming import Http
from janani.esignet.problems import TokenRefused
from janani.esignet.provider import SQL, Provider, Row
from janani.esignet.vocabulary import ASSERTION_ALGORITHMS, ASSERTION_TYPE

MAX_ASSERTION_DAYS = 365


async def read_form(request: Http) -> dict[str, str]:
    """The form's fields. Raises TokenRefused `invalid_request` for another media type or a field sent twice."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise TokenRefused("invalid_request", reason="media type")
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError as error:
        raise TokenRefused("invalid_request", reason="unreadable form") from error
    form = dict(pairs)
    if len(form) != len(pairs) or any("\x00" in value for pair in pairs for value in pair):
        raise TokenRefused("invalid_request", reason="field sent twice")
    return form


def check_assertion_fields(form: dict[str, str]) -> None:
    """Raises TokenRefused `invalid_client` unless the form carries an assertion of the one type there is."""
    if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
        raise TokenRefused("invalid_client", reason="no assertion", old="invalid_input")


async def authenticate_client(idp: Provider, client: Row, signed: str, paths: tuple[str, ...]) -> None:
    """Checks the client's assertion, made for the issuer or one of `paths`, and spends its jti.

    Raises TokenRefused `invalid_client`.
    """
    jti, lapses = unspent(idp, client, signed, paths)
    if not await SQL.use_once(
        idp.pool, kind="jti", client_id=client["client_id"], value=jti, expires_at=lapses, now=idp.now()
    ):
        raise used_before()


def unspent(idp: Provider, client: Row, signed: str, paths: tuple[str, ...]) -> tuple[str, datetime]:
    """What is kept of the jti of the client's checked assertion, and until when. Raises TokenRefused `invalid_client`.

    Whoever takes the assertion spends its jti.
    """
    now, client_id = idp.now(), client["client_id"]
    audiences = tuple(idp.issuer + path for path in paths)
    claims = assertion.checked(
        signed,
        msgspec.json.decode(client["public_key"]),
        client_id=client_id,
        audiences=audiences if idp.old else (idp.issuer, *audiences),
        algorithms=("RS256",) if idp.old else ASSERTION_ALGORITHMS,
        now=now,
    )
    lapses = now + timedelta(seconds=min(max(claims["exp"] - now.timestamp(), 0) + 60, 86_400 * MAX_ASSERTION_DAYS))
    return sha3(claims["jti"]), lapses


def used_before() -> TokenRefused:
    """The refusal of an assertion whose jti is spent."""
    return TokenRefused("invalid_client", reason="jti used before", old="invalid_assertion")


async def shown_key(request: Http, idp: Provider, bound: str | None, config: dict[str, Any]) -> Proof | None:
    """The DPoP proof of a token or PAR call; None without one where none is needed (RFC 9449 §5, §10).

    Raises TokenRefused `invalid_dpop_proof` (also when it is missing but required, or of another key than `bound`)
    or `use_dpop_nonce`.
    """
    if idp.old:
        return None
    try:
        proof = await proof_of(request, idp)
        if proof is None and (bound or config.get("dpop_bound_access_tokens")):
            raise BadProof("missing")
        if proof and bound and proof.jkt != bound:
            raise BadProof("another key than dpop_jkt")
    except NonceWanted as wanted:
        raise TokenRefused("use_dpop_nonce", headers={"dpop-nonce": wanted.nonce}) from wanted
    except BadProof as bad:
        headers = {"www-authenticate": 'DPoP error="invalid_dpop_proof"'}
        raise TokenRefused("invalid_dpop_proof", reason=str(bad), headers=headers) from bad
    return proof
