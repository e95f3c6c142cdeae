"""A small OpenID provider for tests, on real HTTP: it gives what the test tells it to, right or wrong."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from joserfc import jwe, jwt
from joserfc.jwk import KeySet, RSAKey
from litestar import Litestar, Request, Response, get, post

from janani.clients.oidc_checks import at_hash, code_challenge
from janani.kernel.jose import jwks, sign

ESIGNET = "/v1/esignet"


@contextlib.asynccontextmanager
async def serving(app: Litestar, listener: socket.socket | None = None) -> AsyncIterator[str]:
    """`app` on a free port of this machine (or on `listener`), started and stopped; its URL."""
    listener = listener or free_listener()
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


def free_listener() -> socket.socket:
    """A socket that listens on a free port, so that its address is known before the application starts."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def new_key() -> RSAKey:
    """A fresh RSA key with a kid."""
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, private=True)
    key.ensure_kid()
    return RSAKey.import_key(key.as_dict(private=True))


@dataclass
class TestProvider:
    """Knows one client and one code. Change `id_token`, `userinfo` and the rest to make it answer otherwise."""

    __test__ = False

    client_keys: dict[str, Any]  # the client's JWKS
    client_id: str = "a-client"
    key: RSAKey = field(default_factory=cache(new_key))
    url: str = ""
    standard_place: bool = False
    code: str = "the-code"
    challenge: str = ""
    nonce: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"name": "Nimali Perera"})
    id_token: dict[str, Any] = field(default_factory=dict)  # overrides; None removes
    userinfo: dict[str, Any] = field(default_factory=dict)
    id_token_key: RSAKey | None = None
    userinfo_plain: bool = False
    token_error: tuple[int, Any] | None = None
    userinfo_status: int = 200
    key_fetches: int = 0
    token_calls: int = 0
    forms: list[dict[str, str]] = field(default_factory=list)
    assertions: list[Any] = field(default_factory=list)
    published: list[RSAKey] | None = None
    extra_keys: list[dict[str, Any]] = field(default_factory=list)
    metadata_changes: dict[str, Any] = field(default_factory=dict)
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)  # request_uri: parameters
    par_error: tuple[int, Any] | None = None
    sealing_key: Any = None  # userinfo is a nested JWE for this public key
    algorithm: str = "RS256"
    forged: Callable[[dict[str, Any]], str] | None = None  # the id_token of these claims, made by the test
    forged_userinfo: Callable[[dict[str, Any]], str] | None = None
    userinfo_type: str = "application/jwt"
    token_changes: dict[str, Any] = field(default_factory=dict)

    def expect(self, url_parameters: dict[str, str]) -> None:
        """Gives a code for this authorization request."""
        self.challenge, self.nonce = url_parameters["code_challenge"], url_parameters["nonce"]

    def metadata(self) -> dict[str, Any]:
        base = self.url + ESIGNET
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{base}/oauth/v2/token",
            "userinfo_endpoint": f"{base}/oidc/userinfo",
            "jwks_uri": f"{self.url}/.well-known/jwks.json",
        } | self.metadata_changes

    def signed(self, claims: dict[str, Any], changes: dict[str, Any], key: RSAKey) -> str:
        merged = claims | changes
        present = {name: value for name, value in merged.items() if value is not None}
        bare = RSAKey.import_key({name: one for name, one in key.as_dict(private=True).items() if name != "alg"})
        return sign(present, bare, alg=self.algorithm)

    def app(self) -> Litestar:
        provider = self

        @get(f"{ESIGNET}/oidc/.well-known/openid-configuration")
        async def at_esignets_place() -> dict[str, Any]:
            return provider.metadata()

        @get("/.well-known/openid-configuration")
        async def at_standard_place() -> Response[Any]:
            return Response(provider.metadata(), status_code=200 if provider.standard_place else 404)

        @get("/.well-known/jwks.json")
        async def keys() -> dict[str, Any]:
            provider.key_fetches += 1
            published = [provider.key] if provider.published is None else provider.published
            return {"keys": [*provider.extra_keys, *jwks(*published)["keys"]]}

        @post(f"{ESIGNET}/oauth/v2/token", status_code=200)
        async def token(request: Request[Any, Any, Any]) -> Response[Any]:
            return provider.answer(dict(parse_qsl((await request.body()).decode())))

        @get(f"{ESIGNET}/oidc/userinfo")
        async def userinfo(request: Request[Any, Any, Any]) -> Response[Any]:
            if provider.userinfo_status != 200:
                return Response(b"", status_code=provider.userinfo_status)
            assert request.headers["authorization"] == "Bearer an-access-token"
            claims = {"sub": "subject-1", "iss": provider.url, "aud": provider.client_id} | provider.claims
            if provider.userinfo_plain:
                return Response(claims | provider.userinfo)
            if provider.forged_userinfo is not None:
                return Response(provider.forged_userinfo(claims).encode(), media_type=provider.userinfo_type)
            signed = provider.signed(claims, provider.userinfo, provider.key)
            if provider.sealing_key is not None:
                header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}
                signed = jwe.encrypt_compact(
                    header, signed, provider.sealing_key, algorithms=["RSA-OAEP-256", "A256GCM"]
                )
            return Response(signed.encode(), media_type="application/jwt")

        @post("/par")
        async def par(request: Request[Any, Any, Any]) -> Response[Any]:
            if provider.par_error:
                return Response(provider.par_error[1], status_code=provider.par_error[0])
            form = dict(parse_qsl((await request.body()).decode()))
            provider.check_assertion(form)
            name = f"urn:ietf:params:oauth:request_uri:{len(provider.pushed)}"
            provider.pushed[name] = form
            return Response({"request_uri": name, "expires_in": 60}, status_code=201)

        return Litestar([at_esignets_place, at_standard_place, keys, token, userinfo, par], openapi_config=None)

    def check_assertion(self, form: dict[str, str]) -> None:
        keys = KeySet.import_key_set(self.client_keys)
        self.assertions.append(jwt.decode(form["client_assertion"], keys, algorithms=["RS256", "PS256", "ES256"]))

    def answer(self, form: dict[str, str]) -> Response[Any]:
        self.token_calls += 1
        self.forms.append(form)
        self.check_assertion(form)
        if self.token_error:
            return Response(self.token_error[1], status_code=self.token_error[0])
        proved = not self.challenge or code_challenge(form.get("code_verifier", "")) == self.challenge
        if form["code"] != self.code or not proved:
            return Response({"error": "invalid_grant"}, status_code=400)
        self.code = ""
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "iss": self.url,
            "sub": "subject-1",
            "aud": self.client_id,
            "iat": now,
            "exp": now + 3600,
            "auth_time": now - 5,
            "acr": "mosip:idp:acr:generated-code",
            "at_hash": at_hash("an-access-token"),
        } | ({"nonce": self.nonce} if self.nonce else {})
        if self.forged is not None:
            id_token = self.forged(claims)
        else:
            id_token = self.signed(claims, self.id_token, self.id_token_key or self.key)
        tokens = {"access_token": "an-access-token", "id_token": id_token, "token_type": "Bearer"}
        return Response(tokens | self.token_changes)
