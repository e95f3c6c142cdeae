"""Userinfo: the claims agreed to, signed (or encrypted) when the token was given (reference §6)."""

import hmac

from litestar import Response, get

from janani.esignet.audit import about
from janani.esignet.dpop import BadProof, NonceWanted, proof_of
from janani.esignet.envelope import sha3
from janani.esignet.incoming import Http
from janani.esignet.problems import UserinfoRefused
from janani.esignet.provider import STEPS, Idp, Provider, Row
from janani.esignet.tokens import NO_STORE
from janani.kernel.http import Sent


@get("/v1/esignet/oidc/userinfo")
async def userinfo(request: Http, idp: Idp) -> Response[bytes]:
    """The claims agreed to, as a signed JWT, or nested in a JWE; the same bytes at every call."""
    values = request.headers.getall("authorization", [])
    if len(values) > 1:
        raise UserinfoRefused(400, "invalid_request", reason="two Authorization headers")
    if not _takes_jwt(request.headers.get("accept", "*/*")):
        raise UserinfoRefused(406, "Not Acceptable")
    scheme, _, access_token = (values[0] if values else "").partition(" ")
    access_token = access_token.strip()
    found = None
    if scheme.lower() in ("bearer", "dpop") and access_token:
        bearer = scheme.lower() == "bearer"
        found = await STEPS.userinfo_of(idp.pool, token_hash=sha3(access_token), bearer=bearer, now=idp.now())
    if found is None:
        raise UserinfoRefused(401, "invalid_token", reason="no such token" if access_token else "no token")
    about(request, found)
    if (found["jkt"] is not None) != (scheme.lower() == "dpop"):
        raise UserinfoRefused(401, "invalid_token", reason="scheme does not fit the token")
    if found["jkt"] is not None:
        await _check_key(request, idp, found, access_token)
    if not found["userinfo"]:
        raise UserinfoRefused(401, "unknown_error", reason="no encryption key")
    if found["jkt"] is not None:  # the others are noted with the look-up
        of = {"transaction": found["transaction_number"], "client": found["client_id"], "person": found["person_id"]}
        await idp.note("userinfo_given", "ok", **of)
    return Sent(found["userinfo"].encode(), media_type="application/jwt", headers=NO_STORE)


async def _check_key(request: Http, idp: Provider, found: Row, access_token: str) -> None:
    """Raises UserinfoRefused unless the call shows the key the token is bound to (RFC 9449 §7)."""
    try:
        proof = await proof_of(request, idp, access_token=access_token)
    except NonceWanted as wanted:
        headers = {"dpop-nonce": wanted.nonce}
        raise UserinfoRefused(401, "use_dpop_nonce", scheme="DPoP", headers=headers) from wanted
    except BadProof as bad:
        raise UserinfoRefused(401, "invalid_dpop_proof", scheme="DPoP", reason=str(bad)) from bad
    if proof is None or not hmac.compare_digest(proof.jkt, found["jkt"]):
        raise UserinfoRefused(401, "invalid_token", scheme="DPoP", reason="no proof, or of another key")


def _takes_jwt(accept: str) -> bool:
    return any(kind.split(";")[0].strip() in ("*/*", "application/*", "application/jwt") for kind in accept.split(","))
