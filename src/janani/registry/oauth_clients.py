"""The registered OAuth2 clients (`/api/oAuth2Clients`), and proof that a caller is one of them (RFC 6749 §2.3)."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from litestar import Request
from msgspec import Struct

from janani.registry.access import state_of
from janani.registry.metadata.snapshot import Snapshot

_Request = Request[Any, Any, Any]


class OAuthProblem(Exception):
    """An error of an OAuth2 endpoint that answers with JSON (RFC 6749 §5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


class Client(Struct, frozen=True):
    """A registered OAuth2 client; `secret_hash` is None for a public one."""

    client_id: str
    secret_hash: str | None
    methods: frozenset[str]
    grants: frozenset[str]
    redirect_uris: frozenset[str]
    post_logout_uris: frozenset[str]
    scopes: frozenset[str]

    def may_return_to(self, uri: str) -> bool:
        """Whether a logout may end at `uri`: registered for that, or of the same origin as a redirect URI."""
        origins = {urlsplit(each)[:2] for each in self.redirect_uris}
        return uri in self.post_logout_uris or urlsplit(uri)[:2] in origins


def client(snapshot: Snapshot, client_id: str) -> Client | None:
    """The client `client_id`, if there is one."""
    one = next((one for one in snapshot.objects("oAuth2Clients") if one.get("clientId") == client_id), None)
    if one is None or one.get("disabled"):
        return None
    return Client(
        client_id=client_id,
        secret_hash=one.get("clientSecret"),
        methods=_words(one.get("clientAuthenticationMethods", "client_secret_basic")),
        grants=_words(one.get("authorizationGrantTypes", "authorization_code,refresh_token")),
        redirect_uris=_words(one.get("redirectUris", "")),
        post_logout_uris=_words(one.get("postLogoutRedirectUris", "")),
        scopes=_words(one.get("scopes", "openid")),
    )


async def authenticated(request: _Request, form: dict[str, str]) -> Client:
    """The client that calls, by the method it is registered with. Raises OAuthProblem (401)."""
    client_id, secret, method = _credentials(request.headers.get("authorization", ""), form)
    state = state_of(request)
    known = client(await state.metadata.current(), client_id)
    if known is None or method not in known.methods:
        raise OAuthProblem("invalid_client", "The client is not known or must authenticate.", 401)
    if method != "none" and not await state.passwords.right(f"client {client_id}", secret, known.secret_hash):
        raise OAuthProblem("invalid_client", "The client's secret is wrong.", 401)
    return known


def _credentials(header: str, form: dict[str, str]) -> tuple[str, str, str]:
    """Client id, secret and method. The words of a Basic header are form-encoded (RFC 6749 §2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        secret = form.get("client_secret")
        return form.get("client_id", ""), secret or "", "none" if secret is None else "client_secret_post"
    try:
        name, _, word = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthProblem("invalid_client", "The Authorization header can't be read.", 401) from error
    return unquote_plus(name), unquote_plus(word), "client_secret_basic"


def _words(value: Any) -> frozenset[str]:
    parts = value if isinstance(value, list) else str(value).split(",")
    return frozenset(part.strip() for part in parts if part.strip())
