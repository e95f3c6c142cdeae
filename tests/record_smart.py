"""The record with `smart` authorization, a stand-in for eSignet on its wire, and clients with real keys."""

import base64
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
from joserfc.jwk import RSAKey
from litestar import Litestar

from janani.kernel import ids, jose

FHIR = "http://localhost:8081/fhir"
AUTH = "http://localhost:8081/auth"
ESIGNET = "http://localhost:8088"
SUBJECT = "http://fhir.health.gov.lk/ips/identifier/esignet-subject"
PORTALS = "http://localhost:8000"
VERIFIER = "v" * 43
DOCTOR = "openid fhirUser user/*.cruds"
MOTHER = "openid fhirUser launch/patient patient/*.rs"


class Time:
    """A clock that tests can move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Esignet:
    """The part of eSignet's wire that a relying party meets, with signed id_token and userinfo."""

    def __init__(self, key: RSAKey) -> None:
        self.key, self.away = key, False
        self.person: dict[str, Any] = {"sub": "pairwise-1", "name": "Kumari", "email": "kumari@mothers.example"}
        self.nonces: dict[str, str] = {}

    def code(self, authorize_url: str) -> str:
        """What the person's consent gives the browser: a code bound to the request's nonce."""
        code = ids.token()
        self.nonces[code] = parse_qs(urlsplit(authorize_url).query)["nonce"][0]
        return code

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("away")
        path, now = request.url.path, int(time.time())
        if path.endswith("openid-configuration"):
            found = {
                "issuer": ESIGNET,
                "authorization_endpoint": f"{ESIGNET}/authorize",
                "token_endpoint": f"{ESIGNET}/v1/esignet/oauth/v2/token",
                "userinfo_endpoint": f"{ESIGNET}/v1/esignet/oidc/userinfo",
                "jwks_uri": f"{ESIGNET}/.well-known/jwks.json",
            }
            return httpx.Response(200, json=found)
        if path.endswith("jwks.json"):
            return httpx.Response(200, json=jose.jwks(self.key))
        if path.endswith("/token"):
            form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
            if form["code"] not in self.nonces:
                return httpx.Response(400, json={"error": "invalid_grant"})
            claims = {"iss": ESIGNET, "aud": "janani-record", "sub": self.person["sub"], "iat": now, "exp": now + 60}
            claims |= {"nonce": self.nonces.pop(form["code"]), "acr": "mosip:idp:acr:generated-code", "auth_time": now}
            answer = {"access_token": "a", "token_type": "Bearer", "expires_in": 60}
            return httpx.Response(200, json=answer | {"id_token": jose.sign(claims, self.key)})
        if path.endswith("/userinfo"):
            claims = {"iss": ESIGNET, "aud": "janani-record", "iat": now, "exp": now + 60} | self.person
            return httpx.Response(200, text=jose.sign(claims, self.key), headers={"content-type": "application/jwt"})
        raise AssertionError(path)


class Server(msgspec.Struct):
    """A record that runs, and what a client of it needs."""

    http: httpx.AsyncClient
    app: Litestar
    clock: Time
    esignet: Esignet
    keys: dict[str, RSAKey]
    jwks_asked: list[str]

    def assertion(self, client: str, **changes: Any) -> str:
        now = int(self.clock().timestamp())
        claims = {"iss": client, "sub": client, "aud": f"{AUTH}/token", "iat": now, "exp": now + 60, "jti": ids.token()}
        return jose.sign(claims | changes, self.keys[client])

    async def token(self, client: str, **form: str) -> httpx.Response:
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        proof = {"client_assertion_type": kind, "client_assertion": self.assertion(client)}
        return await self.http.post("/auth/token", data=proof | form)

    async def system(self) -> dict[str, str]:
        """Headers of the sync."""
        answer = await self.token("janani-sync", grant_type="client_credentials", scope="system/*.cruds")
        return {"authorization": f"Bearer {answer.json()['access_token']}"}

    def request(self, scope: str, **changes: str) -> dict[str, str]:
        door = "doctor" if "user/" in scope else "mother"
        return {
            "response_type": "code",
            "client_id": "portals",
            "redirect_uri": f"{PORTALS}/{door}/callback",
            "scope": scope,
            "state": "portal-state",
            "aud": FHIR,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
        } | changes

    async def sign_in(self, scope: str) -> httpx.Response:
        """The answer of the callback, after eSignet said yes."""
        began = await self.http.get("/auth/authorize", params=self.request(scope))
        assert began.status_code == 302, began.text
        code = self.esignet.code(began.headers["location"])
        state = parse_qs(urlsplit(began.headers["location"]).query)["state"][0]
        return await self.http.get("/auth/callback", params={"code": code, "state": state})

    async def person(self, scope: str) -> dict[str, Any]:
        """The token answer of a person who signed in."""
        back = await self.sign_in(scope)
        assert back.status_code == 302, back.text
        said = {name: values[0] for name, values in parse_qs(urlsplit(back.headers["location"]).query).items()}
        door = back.headers["location"].partition("?")[0]
        answer = await self.token(
            "portals", grant_type="authorization_code", code=said["code"], redirect_uri=door, code_verifier=VERIFIER
        )
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]


def told(location: str) -> dict[str, str]:
    """What a redirect says."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def doctor(server: Server) -> None:
    """Whom eSignet names is a doctor."""
    server.esignet.person = {"sub": "pairwise-d", "name": "Anura Perera", "email": "Dr.Perera@moh.example"}


async def refreshed(server: Server, said: dict[str, Any]) -> httpx.Response:
    """The answer to the refresh token of `said`."""
    return await server.token("portals", grant_type="refresh_token", refresh_token=said["refresh_token"])


def patient(subject: str, phn: str = "1") -> dict[str, Any]:
    """A Patient as the sync writes her, with eSignet's pairwise subject."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SUBJECT, "value": subject}, {"system": "http://x.example/phn", "value": phn}],
        "name": [{"family": "Dissanayake", "given": ["Kumari"]}],
    }


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))  # type: ignore[no-any-return]
