"""The pages a person sees: sign-in at `/authorize`, its script and its style. They call the public API only."""

from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from janani.esignet.details import configs
from janani.esignet.incoming import Http
from janani.esignet.provider import Idp
from janani.esignet.pushed import peek
from janani.kernel import i18n
from janani.kernel.i18n import _
from janani.kernel.pages import environment, page

OWN_CLIENT = "esignet-consents"
"""The page /consents, as a client of this provider (consents.py)."""
PLACES = ("esignet/", "kernel/pages/")
"""Where the words of this part's pages stand: what has to be translated before a language is offered."""
TEMPLATES = environment("janani.esignet")
_STATIC = files("janani.esignet") / "static"


def speak(request: Http, ui_locales: str = "") -> str:
    """Chooses the page's language: `ui_locales` of the query or as given, else what the browser asks for."""
    wanted = request.query_params.get("ui_locales", ui_locales).split()
    wanted += i18n.accepted(request.headers.get("accept-language", ""))
    language = i18n.choose(wanted, *PLACES)
    i18n.use(language)
    return language


def claim_names() -> dict[str, str]:
    """What a claim is called on the consent page."""
    return {
        "name": _("Name"),
        "address": _("Address"),
        "gender": _("Gender"),
        "birthdate": _("Date of birth"),
        "picture": _("Photo"),
        "email": _("E-mail address"),
        "phone_number": _("Phone number"),
        "individual_id": _("National number you signed in with"),
        "phone_number_verified": _("Whether the phone number is verified"),
        "registration_type": _("Kind of registration"),
        "updated_at": _("When the record last changed"),
    }


def scope_names() -> dict[str, str]:
    """What a service may do for a person, by scope."""
    return {
        "Manage-Identity-Data": _("Change your identity data"),
        "Manage-VID": _("Manage your virtual numbers"),
        "Manage-Authentication": _("Manage how you sign in"),
        "Manage-Service-Requests": _("Manage your requests for services"),
        "Manage-Credentials": _("Manage your credentials"),
    }


def messages() -> dict[str, str]:
    """The sentence for each error code, and what else the script says. `{…}` is filled in by the script."""
    return {
        "auth_failed": _("That code is not right. Check the message and enter the code again."),
        "otp_expired": _("This code has expired. Ask for a new one."),
        "no_attempts_left": _("Too many tries. To keep your identity safe, please wait {minutes} minutes."),
        "individual_id_blocked": _("This number is paused after too many tries. Please wait {minutes} minutes."),
        "invalid_individual_id": _("We do not know this number. Check it and enter it again."),
        "invalid_identifier": _("Enter your national ID number."),
        "no_email_mobile_found": _("There is no such address on your record. Choose another way."),
        "send_otp_failed": _("The code could not be sent. Please try again."),
        "invalid_otp_channel": _("Choose where the code goes."),
        "invalid_challenge": _("Enter the {digits} digits of the code."),
        "invalid_transaction": _("This sign-in took too long. Go back and begin again; nothing was shared."),
        "access_denied": _("You did not agree, so nothing was shared."),
        "unreachable": _("The identity service cannot be reached. Check the connection and try again."),
        "unknown_error": _("Something went wrong here. Please try again."),
        "invalid_client_id": _("The service that sent you here is not registered with us. Tell its staff."),
        "invalid_redirect_uri": _(
            "The address we should send you back to is not registered. Tell the service's staff."
        ),
        "invalid_request": _("This sign-in link was used before or is not complete. Go back and begin again."),
        "invalid_link": _("This sign-in link is not right ({code}). Go back and begin again."),
        "sent_to": _("We sent a code to {to}."),
        "sent_again": _("We sent a new code to {to}. The one before no longer works."),
        "and": _("and"),
        "time_left": _("The code works for {time}."),
        "code_lasts": _("The code works for {time}. If that is not enough, ask for a new one."),
        "minutes_left": _("{minutes} min"),
        "seconds_left": _("{seconds} s"),
        "finish_in": _("You have {time} left to finish."),
        "decide_in": _("You have {time} to decide. After that nothing is shared, and you can begin again."),
        "consent_over": _("The time to decide is over, so nothing was shared. Go back and begin again."),
        "resend_in": _("Send again in {seconds} s"),
        "resend": _("Send the code again"),
        "wants": _("{client} wants to verify who you are"),
        "wants_own": _("Sign in to see who may see your data"),
        "asks": _("{client} asks for"),
        "working": _("One moment …"),
        "going_back": _("Taking you back to {client} …"),
    }


@get("/authorize")
async def authorize(request: Http, idp: Idp) -> Response[str]:
    """The sign-in page. The script reads the query and calls oauth-details; nothing is decided here."""
    query = request.query_params
    pushed = await peek(idp, query.get("client_id", ""), query.get("request_uri", ""), idp.now())
    language = speak(request, pushed.get("uiLocales") or "")
    texts: dict[str, Any] = {"language": language, "messages": messages(), "claims": claim_names() | scope_names()}
    texts["pushed"] = {name: pushed.get(name) for name in ("state", "prompt")}
    digits = configs(idp.options, None, idp.issuer)["otp.length"]
    texts["own"] = query.get("client_id") == OWN_CLIENT
    texts["lockMinutes"] = max(1, idp.options.otp_lock_seconds // 60)
    # In a data block of HTML only `<` could end it; JSON lets us write that as an escape.
    block = msgspec.json.encode(texts).decode().replace("<", "\\u003c")
    return page(
        TEMPLATES,
        "authorize.html",
        texts=block,
        sandbox=idp.settings.sandbox,
        languages=languages(request),
        digits=digits,
    )


def languages(request: Http) -> list[tuple[str, str, str]]:
    """Code, own name and link of each language: this same page, asked for in that language. Nothing to choose: none."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "ui_locales"]
    spoken = i18n.spoken(*PLACES) if len(i18n.spoken(*PLACES)) > 1 else ()
    return [(code, i18n.NAMES[code], "?" + urlencode([*query, ("ui_locales", code)])) for code in spoken]


@get("/authorize.js")
async def authorize_script() -> Response[bytes]:
    """The sign-in page's script."""
    return _static("authorize.js", "text/javascript; charset=utf-8")


@get("/authorize.css")
async def authorize_style() -> Response[bytes]:
    """The sign-in page's style."""
    return _static("authorize.css", "text/css; charset=utf-8")


@cache
def _content(name: str) -> bytes:
    return (_STATIC / name).read_bytes()


def _static(name: str, media_type: str) -> Response[bytes]:
    return Response(_content(name), media_type=media_type, headers={"cache-control": "public, max-age=300"})
