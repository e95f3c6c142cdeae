"""The HTTP shell every part shares: one way to build an application and one way to call another.

`application` gives a Litestar app with the part's error family rendered in one place, security headers,
a request id, a trace, `/health`, and resources that live as long as the app does.
"""

import ssl
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from litestar import Litestar, Request, Response, get
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from litestar.types.asgi_types import HTTPResponseBodyEvent, HTTPResponseStartEvent

from janani import __version__
from janani.kernel import trace
from janani.kernel.openapi import Described, DescribedConfig
from janani.kernel.telemetry import log

ErrorRenderer = Callable[[Request[Any, Any, Any], int, str, str], Response[Any]]
"""Renders (request, HTTP status, stable code, sentence) in the part's protocol."""


def content_security_policy(*form_targets: str) -> str:
    """The policy of our pages: everything from this origin, no script in the page itself.

    Forms may lead to the origins `form_targets`, too (a redirect that answers a form counts).
    """
    forms = " ".join(("'self'", *form_targets))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        f" connect-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


_SAFE = ("GET", "HEAD", "OPTIONS")
KEEP_ALIVE_SECONDS = 75
"""How long a server of ours keeps a connection that rests: longer than `client` does, and proxies (nginx: 60)."""
_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": content_security_policy(),
}


def application(
    part: str,
    handlers: Sequence[Any],
    *,
    render_error: ErrorRenderer,
    exception_handlers: Mapping[Any, Any] | None = None,
    lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]] = (),
    headers: Mapping[str, str] | None = None,
    request_max_body_size: int = 20 * 1024 * 1024,
    described: Described | None = None,
    **litestar_options: Any,
) -> Litestar:
    """The Litestar application of `part`.

    Args:
        handlers: every route of the part.
        render_error: renders errors nobody raised by name (no such route, wrong method, unreadable body,
            a bug) in the part's protocol; a bug is a 500, logged by its place, not its text (it may quote a person).
        exception_handlers: the part's own error family.
        lifespan: context managers entered at start in order; they put resources on `app.state`.
        headers: response headers that replace or add to the default security headers
            (an empty value removes one).
        described: what the OpenAPI document says beyond what handlers' signatures tell.
    """

    def any_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        if isinstance(error, HTTPException):
            return render_error(request, error.status_code, "http", error.detail)
        route = str(request.scope.get("path_template") or "")
        log(part).error("unexpected_error", route=route, error=type(error).__name__, frames=_frames(error))
        return render_error(request, 500, "internal", "Something went wrong here. It was logged; please try again.")

    @get("/health", sync_to_thread=False, include_in_schema=False)
    def health() -> dict[str, str]:
        return {"part": part, "status": "ok"}

    response_headers = {name: value for name, value in (_SECURITY_HEADERS | dict(headers or {})).items() if value}
    return Litestar(
        [health, *handlers],
        exception_handlers={Exception: any_error, HTTPException: any_error, **(exception_handlers or {})},
        lifespan=list(lifespan),
        middleware=[_frame(part, response_headers)],
        openapi_config=DescribedConfig(
            title=f"Janani {part}", version=__version__, path="/openapi", table=described or Described({})
        ),
        request_max_body_size=request_max_body_size,
        logging_config=None,
        **litestar_options,
    )


def _frames(error: Exception) -> list[str]:
    """The calls that led to an error, outermost first: file, line, function."""
    return [
        f"{frame.f_code.co_filename}:{line} {frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]


def _frame(part: str, response_headers: Mapping[str, str]) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware: response headers (unless the handler set them), a request id bound to the logs, and the trace."""
    added = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response_headers.items()]

    def wrap(app: ASGIApp) -> ASGIApp:
        async def framed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            request_id, status = str(uuid.uuid4()), 0

            async def send_with_headers(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    # As ASGI has them, lower-case bytes: the headers of Litestar take a tenth of a request's time.
                    found = [header for header in message["headers"] if header[0] != b"x-request-id"]
                    known = {name for name, _ in found}
                    more = [header for header in added if header[0] not in known]
                    message["headers"] = [*found, *more, (b"x-request-id", request_id.encode())]
                await send(message)

            parent = _sent_trace(scope)
            here = trace.below(parent) if parent else trace.begin()
            began = trace.now() if trace.collecting() else 0
            with trace.within(here), structlog.contextvars.bound_contextvars(request=request_id):
                await app(scope, receive, send_with_headers)
            if began:
                trace.note(_span(part, scope, here, parent, began, status))

        return framed

    return wrap


def _sent_trace(scope: Scope) -> trace.Trace | None:
    """The caller's place in a trace."""
    sent = [value for name, value in scope["headers"] if name == b"traceparent"]
    return trace.read(sent[0].decode("latin-1")) if len(sent) == 1 else None


def _span(
    part: str, scope: Scope, here: trace.Trace, parent: trace.Trace | None, began: int, status: int
) -> trace.Span:
    """The request as a span. It is named by its route's template: a path may hold a person's identifier."""
    method, route = str(scope.get("method", "")), str(scope.get("path_template") or "")
    about: dict[str, str | int] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
    }
    parent_id, name = parent.span_id if parent else "", f"{method} {route}".rstrip()
    return trace.Span(part, name, here, parent_id, trace.SERVER, began, trace.now(), about, status >= 500)


class Sent(Response[bytes]):
    """An answer (200) whose bytes are there already.

    Litestar's own makes three dictionaries and two lists of headers for each, a twelfth of what a small request takes.
    """

    def __init__(
        self, body: bytes, *, media_type: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> None:
        self.content, self.media_type, self.status_code = body, media_type, 200
        self.headers, self.cookies = dict(headers or {}), []
        self.background, self.encoding, self.response_type_encoders = None, "utf-8", {}

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """The two messages of ASGI, as they are sent."""
        headers = [(b"content-type", str(self.media_type).encode()), (b"content-length", b"%d" % len(self.content))]
        headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        start = HTTPResponseStartEvent(type="http.response.start", status=200, headers=headers)
        body = HTTPResponseBodyEvent(type="http.response.body", body=self.content, more_body=False)

        async def sent(scope: Scope, receive: Receive, send: Send) -> None:
            await send(start)
            await send(body)

        return sent


def from_another_site(request: Request[Any, Any, Any]) -> bool:
    """Whether another site asks for a change (cross-site request forgery).

    By Fetch Metadata (Sec-Fetch-Site), else by Origin, as OWASP's cheat sheet has it; no token in the form.
    """
    if request.method in _SAFE:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


@cache
def _trusted() -> ssl.SSLContext:
    """The certificate authorities of this machine (or of SSL_CERT_FILE), so that a ministry's own is known."""
    return ssl.create_default_context()


class NoCookies(CookieJar):
    """The cookies of a client that calls in its own name: none are taken, so none are sent. Reading them costs."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Takes none."""

    def add_cookie_header(self, request: Any) -> None:
        """Sends none."""


async def _pass_on(request: httpx.Request) -> None:
    """A call belongs to the trace of the work that makes it."""
    here = trace.current()
    if here is not None:
        request.headers.setdefault(trace.HEADER, str(here))


def client(*, timeout: float = 10.0, **options: Any) -> httpx.AsyncClient:
    """A pooled HTTP client with time limits (seconds) on everything. Redirects are never followed.

    A connection rests no longer than 15 s: who keeps one longer than the server does (Tomcat 20 s, ours 75 s)
    may send a request into one that is just being closed, and can't know whether it was heard.
    """
    return httpx.AsyncClient(
        timeout=httpx.Timeout(timeout, connect=3.0),
        limits=httpx.Limits(max_connections=40, max_keepalive_connections=20, keepalive_expiry=15),
        headers={"user-agent": f"Janani/{__version__}"},
        follow_redirects=False,
        trust_env=False,
        verify=_trusted(),
        event_hooks={"request": [_pass_on]},
        **options,
    )
