"""A verification on the person's own phone: a short link, opened and finished there, awaited here.

    POST /verifications            → id, link, QR, two digits that both screens show
    GET  /verifications/{id}       → waiting | opened | verified (with the identity) | failed, long-polled by `wait`
    GET  /v/{link}                 the page on her phone; its button spends the link and goes to the provider
    GET  /phone/callback           the provider sends her phone back here; the code is redeemed at once

Nothing about anybody is in the link. The state belongs to the browser that pressed the button, by a cookie of its own;
the result waits sealed for who began, at most ten minutes.
"""

import asyncio
import secrets
from datetime import datetime, timedelta
from io import BytesIO
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import segno
from litestar import MediaType, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import Meta, Struct

from janani.clients.oidc import OidcError
from janani.kernel import http, ids, pages
from janani.kernel.i18n import _
from janani.relying import verification
from janani.relying.party import SQL, Http, Party, The, asked_by, body_of, use_language
from janani.relying.problems import BadRequest, RelyingProblem, hint_of, words_of
from janani.relying.verification import ATTRIBUTES_JSON, FHIR_JSON, Return, digest

LIFE = timedelta(minutes=10)
COOKIE = "relying_phone"
MOST_WAIT = 15
_LOOK_AGAIN = 0.4  # s
_OWNER = "(phone)"  # the authorization requests made here are finished here only
_PLACES = ("relying/phone.py", "relying/pages/", "kernel/pages/")  # what is said on her phone
_jinja = pages.environment("janani.relying")
_Wait = Annotated[int, Meta(ge=0, le=MOST_WAIT)]


class PhoneBeginning(Struct, frozen=True):
    """Body of `POST /verifications`."""

    client: str = ""
    ui_locales: Annotated[str, Meta(max_length=60, pattern=r"^[A-Za-z0-9 -]*$")] = ""


class PhoneBegun(Struct, frozen=True):
    """`id` is the caller's alone; `link` and `qr` (SVG) are for the phone; `sign` is shown on both screens."""

    id: str
    link: str
    qr: str
    sign: str
    expires_in: int


class PhoneState(Struct, frozen=True, omit_defaults=True):
    """How a verification stands. `identity` as asked by `Accept`; `error` and `message` of a failed one."""

    status: str
    sign: str
    expires_in: int
    error: str = ""
    message: str = ""
    hint: str = ""
    identity: Any = None


@post("/verifications", status_code=201)
async def begin_on_phone(request: Http, party: The) -> PhoneBegun:
    """Begins a verification on another device. Raises BadRequest."""
    body, now = await body_of(request, PhoneBeginning), party.now()
    client = party.client(name=body.client)
    handle, link, sign = ids.token(), secrets.token_urlsafe(16), f"{secrets.randbelow(90) + 10}"
    await SQL.sweep_phones(party.pool, now=now)
    await SQL.begin_phone(
        party.pool,
        handle_digest=digest(handle),
        link_digest=digest(link),
        client=client.name,
        begun_by=asked_by(request),
        sign=sign,
        ui_locales=body.ui_locales,
        expires_at=now + LIFE,
    )
    address = f"{party.settings.relying.url.rstrip('/')}/v/{link}"
    return PhoneBegun(handle, address, qr_of(address), sign, int(LIFE.total_seconds()))


@get("/verifications/{handle:str}")
async def look(request: Http, party: The, handle: FromPath[str], wait: FromQuery[_Wait] = 0) -> Response[Any]:
    """How it stands; with `wait` (s) the answer comes when something changes, or then. Raises BadRequest."""
    user, until = asked_by(request), asyncio.get_running_loop().time() + wait
    row = first = await _row(party, handle, user)
    while row["status"] in ("waiting", "opened") and row["status"] == first["status"]:
        if asyncio.get_running_loop().time() >= until:
            break
        await asyncio.sleep(_LOOK_AGAIN)
        row = await _row(party, handle, user)
    state = PhoneState(row["status"], row["sign"], _left(row["expires_at"], party.now()))
    if row["status"] == "failed":
        code = row["outcome"]
        state = msgspec.structs.replace(state, error=code, message=words_of(code), hint=hint_of(code))
    elif row["status"] == "verified":
        identity = msgspec.json.decode(party.seal.decrypt(row["sealed"]), type=verification.Kept)
        state = msgspec.structs.replace(state, identity=_shape(request, party, row["client"], identity))
    return Response(msgspec.json.encode(state), media_type=MediaType.JSON, headers={"vary": "accept"})


@delete("/verifications/{handle:str}", status_code=204)
async def cancel(request: Http, party: The, handle: FromPath[str]) -> None:
    """Forgets a verification and what came of it; the link ends."""
    await SQL.cancel_phone(party.pool, handle_digest=digest(handle), begun_by=asked_by(request))


@get("/v/{link:str}", include_in_schema=False)
async def landing(request: Http, party: The, link: FromPath[str]) -> Response[Any]:
    """The page on her phone: what will happen, and the button. Looking at it spends nothing (previews of links do)."""
    use_language(request, *_PLACES)
    row = await SQL.phone_link(party.pool, link_digest=digest(link), now=party.now())
    if row is None:
        return _over()
    # The button leads to the provider's page, another origin, which our policy has to allow for this page.
    policy = http.content_security_policy(_origin(await _authorization_endpoint(party, row["client"])))
    answer = pages.page(_jinja, "phone.html", sign=row["sign"], link=link)
    answer.headers["content-security-policy"] = policy
    return answer


@post("/v/{link:str}", include_in_schema=False)
async def open_link(request: Http, party: The, link: FromPath[str]) -> Response[Any]:
    """Spends the link, binds it to this browser, and goes to the provider."""
    use_language(request, *_PLACES)
    now, hashed = party.now(), digest(link)
    row = await SQL.phone_link(party.pool, link_digest=hashed, now=now)
    if row is None:
        return _over()
    client = party.clients.get(row["client"]) or party.client()
    extra = {"ui_locales": row["ui_locales"]} if row["ui_locales"] else {}
    extra["display"] = "touch"
    try:
        made = await verification.opened(party, client, client.conf.phone_redirect_uri, _OWNER, extra)
    except RelyingProblem as problem:
        return _ended(problem.text, status=problem.status)
    browser = ids.token()
    won = await SQL.open_phone(
        party.pool,
        link_digest=hashed,
        browser_digest=digest(browser),
        state_digest=digest(made.state),
        now=now,
        expires_at=now + LIFE,
    )
    if won is None:
        return _over()
    secure = party.settings.relying.url.startswith("https:")
    cookie = Cookie(
        key=COOKIE,
        value=browser,
        max_age=int(LIFE.total_seconds()),
        path="/phone",
        httponly=True,
        samesite="lax",
        secure=secure,
    )
    return Redirect(made.url, status_code=303, cookies=[cookie])


@get("/phone/callback", include_in_schema=False)
async def phone_callback(request: Http, party: The) -> Response[Any]:
    """The provider sends her phone back; the code is redeemed here and the one who waits is told."""
    use_language(request, *_PLACES)
    query, now = request.query_params, party.now()
    state = query.get("state", "")
    row = await SQL.opened_phone(
        party.pool, state_digest=digest(state), browser_digest=digest(request.cookies.get(COOKIE, "")), now=now
    )
    if row is None:
        return _over()
    body = Return(
        code=query.get("code", ""),
        state=state,
        iss=query.get("iss"),
        error=query.get("error", "") or ("" if query.get("code") else "no code"),
    )
    client = party.clients.get(row["client"]) or party.client()
    try:
        client, identity = await verification.finished(party, client, body, row["begun_by"], owner=_OWNER)
    except RelyingProblem as problem:
        if problem.code != "state_unknown":  # the page was loaded again: the call before this one is at it still
            await _end(party, state, "failed", problem.code, None)
        return _ended(problem.text)
    kept = verification.Kept(identity, now)
    await _end(party, state, "verified", "", party.seal.encrypt(msgspec.json.encode(kept)))
    text = _("You can put your phone away. The midwife sees the details you shared.")
    return pages.page(_jinja, "phone_end.html", title=_("Done"), text=text)


def qr_of(text: str) -> str:
    """`text` as a QR code: an SVG document."""
    out = BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", scale=6, border=4, xmldecl=False, light="#fff")
    return out.getvalue().decode()


async def _row(party: Party, handle: str, user: str) -> Any:
    row = await SQL.phone(party.pool, handle_digest=digest(handle), begun_by=user, now=party.now())
    if row is None:
        raise BadRequest("verification_unknown", words_of("state_unknown"), hint_of("state_unknown"))
    return row


async def _end(party: Party, state: str, status: str, outcome: str, sealed: bytes | None) -> None:
    await SQL.end_phone(
        party.pool,
        state_digest=digest(state),
        status=status,
        outcome=outcome,
        sealed=sealed,
        expires_at=party.now() + LIFE,
    )


async def _authorization_endpoint(party: Party, name: str) -> str:
    client = party.clients.get(name) or party.client()
    try:
        return (await client.provider(party.now())).authorization_endpoint
    except OidcError:
        return ""  # the button will say so in words


def _shape(request: Http, party: Party, name: str, kept: verification.Kept) -> Any:
    client, accept = party.clients.get(name) or party.client(), request.headers.get("accept", "")
    if ATTRIBUTES_JSON in accept:
        return verification.verified_by(party, client, kept.identity, kept.at)
    if FHIR_JSON in accept:
        return verification.patient_by(party, client, kept.identity)
    return kept.identity.claims | {"sub": kept.identity.sub, "iss": kept.identity.issuer}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"


def _left(expires_at: datetime, now: datetime) -> int:
    return max(0, int((expires_at - now).total_seconds()))


def _over() -> Response[Any]:
    text = _("This link was used already, or its ten minutes are over. Ask the midwife for a new one.")
    return pages.page(_jinja, "phone_end.html", status=410, title=_("This link is over"), text=text)


def _ended(text: str, status: int = 400) -> Response[Any]:
    return pages.page(_jinja, "phone_end.html", status=status, title=_("Not verified"), text=text)
