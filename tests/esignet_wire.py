"""A person's browser and a relying party at eSignet's wire, for tests of our part and of any other by URL."""

import asyncio
import base64
import contextlib
import functools
import hashlib
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from litestar import Litestar

API = "/v1/esignet"
_RSA = ("kty", "n", "e", "d", "p", "q", "dp", "dq", "qi")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ACR = "mosip:idp:acr:generated-code"
MOTHER, NIC = "3000000001", "199657401234"
REDIRECT = "https://portal.example/callback"


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pkce() -> tuple[str, str]:
    """A verifier and its S256 challenge."""
    verifier = secrets.token_urlsafe(32)
    return verifier, b64u(hashlib.sha256(verifier.encode()).digest())


def free_socket() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


@contextlib.asynccontextmanager
async def serving(app: Litestar, listening: socket.socket) -> AsyncIterator[None]:
    """The app on a real port, for as long as the block lasts."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    try:
        yield
    finally:
        server.should_exit = True
        await task


apart = ""
"""Added to every client id: a provider by URL keeps the clients of the tests before."""


class Wire:
    """One browser: cookies, CSRF token, and the oauth-details it was shown."""

    def __init__(self, http: httpx.AsyncClient, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.http, self.clock = http, clock
        self.csrf = ""
        self.details: dict[str, Any] = {}

    def now(self) -> str:
        when = self.clock()
        return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"

    async def fetch_csrf(self) -> dict[str, Any]:
        answer = (await self.http.get(f"{API}/csrf/token")).json()
        self.csrf = answer["token"]
        return dict(answer)

    def headers(self) -> dict[str, str]:
        text = json.dumps(self.details, separators=(",", ":"), ensure_ascii=False)
        bound = {
            "oauth-details-key": self.details.get("transactionId", ""),
            "oauth-details-hash": b64u(hashlib.sha256(text.encode()).digest()),
        }
        return {"x-xsrf-token": self.csrf} | (bound if self.details else {})

    async def post(self, path: str, request: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        if not self.csrf:
            await self.fetch_csrf()
        return await self.http.post(
            f"{API}/authorization/{path}",
            json={"requestTime": self.now(), "request": request},
            headers=self.headers() if headers is None else headers,
        )

    async def oauth_details(self, version: str = "v3/", **request: Any) -> httpx.Response:
        self.details = {}
        asked = {
            "clientId": "anc-portal" + apart,
            "scope": "openid",
            "responseType": "code",
            "redirectUri": REDIRECT,
            "acrValues": ACR,
        } | request
        answer = await self.post(f"{version}oauth-details", {k: v for k, v in asked.items() if v is not None})
        if answer.status_code == 200 and not answer.json()["errors"]:
            self.details = answer.json()["response"]
        return answer

    async def par_oauth_details(self, client_id: str, request_uri: str) -> httpx.Response:
        self.details = {}
        answer = await self.post("par-oauth-details", {"clientId": client_id, "requestUri": request_uri})
        if answer.status_code == 200 and not answer.json()["errors"]:
            self.details = answer.json()["response"]
        return answer

    async def finish(self, *claims: str, person: str = MOTHER) -> str:
        """The code after OTP and consent, the transaction having begun."""
        for answer in (await self.send_otp(person), await self.authenticate(person)):
            assert not codes(answer), answer.text
        answer = await self.auth_code(*claims)
        assert not codes(answer), answer.text
        return str(answer.json()["response"]["code"])

    async def send_otp(self, person: str = MOTHER, channels: Any = ("phone", "email"), **more: Any) -> httpx.Response:
        request = {
            "transactionId": self.details["transactionId"],
            "individualId": person,
            "otpChannels": list(channels),
            "captchaToken": "dummy",
        }
        return await self.post("send-otp", request | more)

    async def authenticate(
        self, person: str = MOTHER, code: str = "111111", version: str = "v3/", **challenge: Any
    ) -> httpx.Response:
        one = {"authFactorType": "OTP", "challenge": code, "format": "alpha-numeric"} | challenge
        return await self.post(
            f"{version}authenticate",
            {"transactionId": self.details["transactionId"], "individualId": person, "challengeList": [one]},
        )

    async def auth_code(self, *claims: str, scopes: tuple[str, ...] = ()) -> httpx.Response:
        return await self.post(
            "auth-code",
            {
                "transactionId": self.details["transactionId"],
                "acceptedClaims": list(claims),
                "permittedAuthorizeScopes": list(scopes),
            },
        )

    async def code(self, *claims: str, person: str = MOTHER, **request: Any) -> str:
        """The code after a whole sign-in that shares `claims`."""
        answer = await self.oauth_details(**request)
        assert not codes(answer), answer.text
        return await self.finish(*claims, person=person)


@functools.cache
def _client_key(client_id: str) -> RSAKey:
    """A client's key: made once, as that takes longer than most tests."""
    return RSAKey.generate_key(2048, {"kid": f"{client_id}-1", "use": "sig", "alg": "RS256"})


class RelyingParty:
    """A client with its key, registered at the provider."""

    def __init__(self, http: httpx.AsyncClient, bearer: str, client_id: str = "anc-portal", rp: str = "moh-lk") -> None:
        self.http, self.bearer, self.client_id, self.rp = http, bearer, client_id + apart, rp
        self.key = _client_key(self.client_id)

    def registration(self, **changes: Any) -> dict[str, Any]:
        return {
            "clientId": self.client_id,
            "clientName": "ANC Portal",
            "clientNameLangMap": {"eng": "ANC Portal"},
            "relyingPartyId": self.rp,
            "logoUri": "https://portal.example/logo.png",
            "publicKey": self.key.as_dict(private=False),
            "userClaims": ["name", "birthdate", "gender", "address", "phone_number", "email", "individual_id"],
            "authContextRefs": [ACR],
            "redirectUris": [REDIRECT],
            "grantTypes": ["authorization_code"],
            "clientAuthMethods": ["private_key_jwt"],
            "additionalConfig": None,
        } | changes

    async def manage(
        self, request: dict[str, Any], *, put: bool = False, patch: bool = False, path: str = "client", **headers: str
    ) -> httpx.Response:
        url = f"{API}/client-mgmt/{path}" + (f"/{self.client_id}" if put or patch else "")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + "000Z"
        return await self.http.request(
            "PUT" if put else "PATCH" if patch else "POST",
            url,
            json={"requestTime": now, "request": request},
            headers={"authorization": f"Bearer {self.bearer}"} | headers,
        )

    async def assertion(self, *, key: Any = None, alg: str = "RS256", header: Any = None, **changes: Any) -> str:
        base = str(self.http.base_url).rstrip("/")
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{base}{API}/oauth/v2/token",
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        } | changes
        head = {"alg": alg, "typ": "JWT", "kid": self.key.kid} if header is None else header
        claims = {name: value for name, value in claims.items() if value is not None}
        signer = key or RSAKey.import_key({k: v for k, v in self.key.as_dict(private=True).items() if k != "alg"})
        return jwt.encode(head, claims, signer, algorithms=[alg])

    async def redeem(self, code: str, *, path: str = "oauth/v2/token", **changes: Any) -> httpx.Response:
        headers = changes.pop("headers", {})
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": changes.pop("client_assertion", None) or await self.assertion(),
        } | changes
        return await self.http.post(
            f"{API}/{path}", data={k: v for k, v in form.items() if v is not None}, headers=headers
        )

    async def push(self, **changes: Any) -> httpx.Response:
        """Pushes an authorization request."""
        headers = changes.pop("headers", {})
        form = {
            "client_id": self.client_id,
            "scope": "openid",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": changes.pop("client_assertion", None) or await self.assertion(),
        } | changes
        return await self.http.post(
            f"{API}/oauth/par", data={k: v for k, v in form.items() if v is not None}, headers=headers
        )

    def proof(self, path: str, *, method: str = "POST", key: Any = None, token: str = "", **changes: Any) -> str:
        """A DPoP proof for a call of `path` below the API."""
        key = key or self.key
        header = {"typ": "dpop+jwt", "alg": "RS256"} | changes.pop("header", {})
        public = {name: value for name, value in key.as_dict(private=False).items() if name in ("kty", "n", "e")}
        claims = {
            "htm": method,
            "htu": f"{str(self.http.base_url).rstrip('/')}{API}/{path}",
            "iat": int(datetime.now(UTC).timestamp()),
            "jti": secrets.token_urlsafe(16),
        } | ({"ath": b64u(hashlib.sha256(token.encode()).digest())} if token else {})
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        bare = RSAKey.import_key({k: v for k, v in key.as_dict(private=True).items() if k in _RSA})
        return jwt.encode({"jwk": public} | header, claims, bare, algorithms=["RS256", "PS256"])

    async def keys(self) -> KeySet:
        found = await self.http.get("/.well-known/jwks.json")
        return KeySet.import_key_set(found.json())

    async def userinfo(self, access_token: str) -> httpx.Response:
        return await self.http.get(
            f"{API}/oidc/userinfo", headers={"authorization": f"Bearer {access_token}", "accept": "application/jwt"}
        )


def claims_in(token: str, keys: KeySet) -> dict[str, Any]:
    """The claims of a token whose signature one of `keys` made."""
    return dict(jwt.decode(token, keys, algorithms=["RS256", "PS256"]).claims)


def codes(answer: httpx.Response) -> list[str]:
    """The error codes of an envelope, sorted."""
    assert answer.status_code == 200, answer.text
    return sorted(error["errorCode"] for error in answer.json()["errors"])


def port_of(url: str) -> int:
    return urlsplit(url).port or 0
