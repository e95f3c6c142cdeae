"""Access tokens and id_tokens: what they say, signing and verifying them. Pure but for the key."""

import hashlib
import uuid
from datetime import datetime
from typing import Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from msgspec import Struct, field

from janani.kernel import jose
from janani.record.actor import Actor

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - the media type of RFC 9068
SKEW_SECONDS = 10
_KEPT = 256


class Login(Struct, frozen=True):
    """Who stands behind a token, and what was granted.

    Args:
        kind: as in `Actor.kind`.
        sub: surrogate subject of the tokens: "Practitioner/<id>", "Patient/<id>" or a client id.
        patient: logical id of the Patient in context.
        account: by what a person is known again at a refresh: the staff claim (casefolded), or eSignet's subject.
    """

    kind: Literal["staff", "patient", "system"]
    sub: str
    scopes: tuple[str, ...]
    patient: str | None = None
    display: str = ""
    account: str = ""


class Tokens(Struct, frozen=True):
    """Signs and verifies tokens of `issuer` for the FHIR server `audience`, that live `seconds`.

    The claims of the latest whose signature was right are kept: the same few come with the same token again and again.
    """

    key: RSAKey
    issuer: str
    audience: str
    seconds: int
    _signed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def access_token(self, login: Login, client_id: str, now: datetime) -> str:
        """An access token (JWT, RFC 9068) with SMART's context in it."""
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": login.sub,
            "client_id": client_id,
            "scope": " ".join(login.scopes),
            "kind": login.kind,
            "iat": issued,
            "exp": issued + self.seconds,
            "jti": str(uuid.uuid4()),
        }
        if login.patient is not None:
            claims["patient"] = login.patient
        if login.kind != "system":
            claims |= {"fhirUser": f"{self.audience}/{login.sub}", "name": login.display}
        return jose.sign(claims, self.key, typ=ACCESS_TOKEN_TYPE)

    def id_token(self, login: Login, client_id: str, nonce: str, now: datetime) -> str:
        """An id_token for the client, with `fhirUser` when that was granted (SMART §scopes-for-identity)."""
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": client_id,
            "sub": hashlib.sha256(login.sub.encode()).hexdigest(),
            "iat": issued,
            "exp": issued + self.seconds,
        }
        if nonce:
            claims["nonce"] = nonce
        if "fhirUser" in login.scopes:
            claims |= {"fhirUser": f"{self.audience}/{login.sub}", "name": login.display}
        return jose.sign(claims, self.key)

    def verified(self, token: str, now: datetime) -> dict[str, Any] | None:
        """The claims of an access token of ours that is valid now; None for any other text."""
        try:
            claims = self._signed.get(token) or jose.verify(token, self.key, algorithms=["RS256"])
        except (JoseError, ValueError):
            return None
        if len(self._signed) >= _KEPT and token not in self._signed:
            self._signed.pop(next(iter(self._signed)))
        self._signed[token] = claims
        instant = now.timestamp()
        right = claims.get("iss") == self.issuer and claims.get("aud") == self.audience and "kind" in claims
        return claims if right and claims["exp"] > instant and claims["iat"] <= instant + SKEW_SECONDS else None


def actor(claims: dict[str, Any]) -> Actor:
    """The actor of verified access token claims."""
    return Actor(
        kind=claims["kind"],
        id=claims["sub"],
        patient=claims.get("patient"),
        scopes=frozenset(claims["scope"].split()),
        client=claims["client_id"],
        display=claims.get("name", ""),
    )
