"""The login page, and signing in through an OpenID provider (`oidc.provider.<id>.*`, as DHIS2's dhis.conf has it)."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath
from litestar.response import Redirect

from janani.clients import oidc
from janani.kernel import pages
from janani.kernel.http import from_another_site
from janani.kernel.i18n import _
from janani.kernel.ids import token
from janani.kernel.jose import jwks
from janani.kernel.telemetry import log
from janani.registry.access import by_login, digest, open_session, state_of
from janani.registry.metadata.snapshot import SQL
from janani.registry.problems import Refusal
from janani.registry.providers import ProviderSettings, SignIn

ATTEMPT_SECONDS = 600
BROWSER_COOKIE = "janani_registry_login"
_Request = Request[Any, Any, Any]
_jinja = pages.environment("janani.registry")


@get("/login", summary="Login page")
async def login_page(request: _Request) -> Response[str]:
    """The login page: eSignet first, user name and password below."""
    return _login_page(request, _safe(request.query_params.get("then", "")))


@post("/login", summary="Log in by password")
async def log_in(request: _Request) -> Response[str] | Redirect:
    """Checks name and password from the page and goes on to where the person was going."""
    if from_another_site(request):
        raise Refusal(403, "This form was sent from another site.")
    form = await request.form()
    then = _safe(str(form.get("then", "")))
    account = await by_login(request, str(form.get("username", "")), str(form.get("password", "")))
    if account is None:
        fault = _("The user name or password is not right. After five wrong tries, wait a quarter of an hour.")
        return _login_page(request, then, fault=fault, status=401)
    return Redirect(then or "/", status_code=303, cookies=[await open_session(request, account)])


@get("/api/loginConfig", summary="What the login page offers")
async def login_config(request: _Request) -> dict[str, Any]:
    """Providers and texts of the login page; no login needed."""
    provider = _sign_in(request, "esignet").settings
    return {
        "applicationTitle": "Janani",
        "oidcProviders": [
            {"id": provider.id, "loginText": provider.display_alias, "url": f"/oauth2/authorization/{provider.id}"}
        ],
        "selfRegistrationEnabled": False,
        "emailConfigured": False,
    }


@get("/oauth2/authorization/{provider_id:str}", summary="Begin a sign-in at a provider")
async def begin(request: _Request, provider_id: FromPath[str]) -> Redirect | Response[str]:
    """Sends the browser to the provider; state, nonce and verifier stay here, bound to this browser."""
    state = state_of(request)
    sign_in = _sign_in(request, provider_id)
    try:
        provider = await sign_in.provider(state.clock())
    except oidc.OidcError as error:
        again = f"{request.url.path}?{urlencode({'then': _safe(request.query_params.get('then', ''))})}"
        return _failed(request, error.text, retry=again, status=503)
    asked = oidc.authorization_request(provider, sign_in.client, state.clock(), **_locales(request))
    browser = request.cookies.get(BROWSER_COOKIE) or token()
    await SQL.add_attempt(
        state.pool,
        state_hash=digest(asked.state),
        browser_hash=digest(browser),
        provider=provider_id,
        nonce=asked.nonce,
        code_verifier=asked.code_verifier,
        then_to=_safe(request.query_params.get("then", "")),
        expires_at=state.clock() + timedelta(seconds=ATTEMPT_SECONDS),
    )
    secure = state.settings.registry.url.startswith("https://")
    cookie = Cookie(
        key=BROWSER_COOKIE,
        value=browser,
        path="/oauth2",
        max_age=ATTEMPT_SECONDS,
        httponly=True,
        samesite="lax",
        secure=secure,
    )
    return Redirect(asked.url, cookies=[cookie])


@get("/oauth2/code/{provider_id:str}", summary="Come back from a provider")
async def come_back(request: _Request, provider_id: FromPath[str]) -> Redirect | Response[str]:
    """Redeems the code, matches the mapping claim with a user, opens the session."""
    state = state_of(request)
    sign_in = _sign_in(request, provider_id)
    query = request.query_params
    attempt = await SQL.take_attempt(
        state.pool,
        state_hash=digest(query.get("state", "")),
        browser_hash=digest(request.cookies.get(BROWSER_COOKIE, "")),
        provider=provider_id,
    )
    if attempt is None or attempt["expires_at"] <= state.clock():
        return _failed(request, _("This sign-in was begun elsewhere or took too long. Please start again."))
    again = f"/oauth2/authorization/{provider_id}?{urlencode({'then': attempt['then_to']})}"
    if "code" not in query:
        return _failed(request, _refusal_words(query.get("error", "")), retry=again)
    try:
        identity = await oidc.redeem(
            state.http,
            await sign_in.provider(state.clock()),
            sign_in.client,
            code=query["code"],
            now=state.clock(),
            nonce=attempt["nonce"],
            code_verifier=attempt["code_verifier"],
            issuer=query.get("iss"),
        )
    except oidc.OidcError as error:
        log("registry").warning("oidc_login_failed", code=error.code)
        return _failed(request, error.text, retry=again)
    return await _welcome(request, sign_in.settings, identity, attempt["then_to"], again)


async def _welcome(
    request: _Request, settings: ProviderSettings, identity: oidc.Identity, then: str, again: str
) -> Redirect | Response[str]:
    claim = identity.claims.get(settings.mapping_claim) if settings.mapping_claim != "sub" else identity.sub
    if not isinstance(claim, str) or not claim.strip():
        text = _("You did not share what the registry knows you by ({claim}). Please start again and share it.")
        return _failed(request, text.format(claim=settings.mapping_claim), retry=again)
    row = await SQL.account_by_open_id(state_of(request).pool, open_id=claim)
    if row is None or row["disabled"] or not row["external"]:
        text = _("Your national ID was confirmed, but you have no user here yet. Ask your supervisor to add you.")
        return _failed(request, text, status=403)
    return Redirect(then or "/", cookies=[await open_session(request, row["uid"])])


@get("/api/publicKeys/{provider_id:str}/jwks.json", summary="Public key of the registry at a provider")
async def public_keys(request: _Request, provider_id: FromPath[str]) -> dict[str, Any]:
    """The key that signs this registry's client assertions, as eSignet's client registration wants it."""
    _sign_in(request, provider_id)
    return jwks(state_of(request).key)


def _refusal_words(error: str) -> str:
    if error == "access_denied":
        return _("You chose not to share your identity, so you are not logged in. You can try again.")
    return _("The identity service ended the sign-in. You can try again.")


def _locales(request: _Request) -> dict[str, str]:
    """The language asked for, to be passed on."""
    wanted = request.query_params.get("ui_locales", "")
    return {"ui_locales": wanted} if wanted else {}


def _sign_in(request: _Request, provider_id: str) -> SignIn:
    providers: dict[str, SignIn] = request.app.state.providers
    if provider_id not in providers:
        raise Refusal(404, f"There is no identity provider {provider_id}.")
    return providers[provider_id]


def _login_page(request: _Request, then: str, *, fault: str = "", status: int = 200) -> Response[str]:
    provider = _sign_in(request, "esignet").settings
    begin_url = f"/oauth2/authorization/{provider.id}?{urlencode({'then': then} | _locales(request))}"
    return pages.page(
        _jinja, "login.html", status=status, then=then, fault=fault, begin_url=begin_url, provider=provider
    )


def _failed(request: _Request, text: str, *, retry: str = "", status: int = 400) -> Response[str]:
    portal = state_of(request).settings.portals.url
    return pages.page(_jinja, "failed.html", status=status, text=text, retry=retry, portal=portal)


def _safe(then: str) -> str:
    """`then` when it is a path of this server, else nothing (no open redirect)."""
    return then if then.startswith("/") and not then.startswith(("//", "/\\")) else ""


handlers = [login_page, log_in, login_config, begin, come_back, public_keys]
