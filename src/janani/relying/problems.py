"""The relying party's one error family: `{"error", "message", "hint"}` with the right status.

RelyingProblem
├─ Unauthorised       401  the Route's token is missing or wrong
├─ NoSuchClient       404  keys of a client that is not ours
├─ BadRequest         400  the call itself is wrong: `bad_request`, `other_client`, `other_redirect_uri`,
│                           `state_unknown`
├─ CardRefused        400, 503  the signed code of a card can't be read or trusted (codes of `CARD_STATUSES`)
└─ NotVerified        400, 502, 503  the provider refused, can't be trusted, or is away (codes of clients.oidc)

Messages carry nothing personal, no code and no token, whatever went wrong.
"""

from typing import Any

from litestar import Request, Response

from janani.clients.oidc_checks import OidcError, words
from janani.kernel.i18n import _
from janani.kernel.problems import Problem

RETRY_SECONDS = 30


class RelyingProblem(Problem):
    """A refusal, with a hint what to do."""

    def __init__(self, status: int, code: str, text: str, hint: str = "") -> None:
        super().__init__(status, code, text)
        self.hint = hint


class Unauthorised(RelyingProblem):
    """Called without the token that the registry's Route presents."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "unauthorized",
            _("This service answers the registry only."),
            _("Set the Route's auth to api-token with the token of this installation (file relying-token)."),
        )


class NoSuchClient(RelyingProblem):
    """The keys of a client that is not ours were asked for."""

    def __init__(self) -> None:
        super().__init__(404, "unknown_client", _("There is no such client here."), "")


class BadRequest(RelyingProblem):
    """The call is wrong as it stands."""

    def __init__(self, code: str, text: str, hint: str = "") -> None:
        super().__init__(400, code, text, hint)


class NotVerified(RelyingProblem):
    """The identity provider gave no identity that can be trusted."""

    def __init__(self, error: OidcError) -> None:
        super().__init__(status_of(error.code), error.code, error.text, hint_of(error.code))


class CardRefused(RelyingProblem):
    """The signed QR code of a card gave no identity that can be trusted (codes of `offline.CardError`)."""

    def __init__(self, code: str) -> None:
        super().__init__(CARD_STATUSES[code], code, card_words(code), card_hint(code))


CARD_STATUSES = {
    "card_unreadable": 400,
    "card_forged": 400,
    "card_unknown_key": 400,
    "card_other_issuer": 400,
    "card_expired": 400,
    "card_not_yet_valid": 400,
    "card_keys_missing": 503,
}
"""Every code with which a card is refused, and its HTTP status."""


def card_words(code: str) -> str:
    """What the midwife is told about a card."""
    return {
        "card_unreadable": _("This is not the QR code of an identity card, or it was not read whole."),
        "card_forged": _("The signature on this card is not right. Nothing was taken from it."),
        "card_unknown_key": _("This card is signed with a key that is not known here. Nothing was taken from it."),
        "card_other_issuer": _("This card is from another issuer. Nothing was taken from it."),
        "card_expired": _("This card has expired. Nothing was taken from it."),
        "card_not_yet_valid": _("This card is not valid yet. Nothing was taken from it."),
        "card_keys_missing": _("Cards can't be checked here yet: the identity service was never reached, or long ago."),
    }[code]


def card_hint(code: str) -> str:
    """What helps with a card."""
    return {
        "card_unreadable": _("Hold the whole code in good light and read it again."),
        "card_forged": _("Do not rely on this card. Verify her online, and report the card."),
        "card_unknown_key": _("It may be newer than the keys kept here: try again when the network is back."),
        "card_other_issuer": _("Verify her online. Operators: compare the provider's issuer with the card's."),
        "card_expired": _("Verify her online; she can ask for a new card."),
        "card_not_yet_valid": _("Check the date and time of the server."),
        "card_keys_missing": _("Go on without verification; it can be done when the network is back."),
    }[code]


STATUSES = {
    "provider_unreachable": 503,
    "provider_silent": 503,
    "provider_failed": 503,
    "provider_invalid": 502,
    "client_refused": 502,
    "request_refused": 502,
    "code_refused": 400,
    "access_refused": 400,
    "state_unknown": 400,
    "verification_unknown": 400,
    "bad_signature": 502,
    "unknown_key": 502,
    "bad_issuer": 502,
    "bad_audience": 502,
    "expired": 502,
    "not_yet_valid": 502,
    "bad_nonce": 502,
    "bad_at_hash": 502,
    "bad_acr": 502,
    "bad_subject": 502,
    "unsigned_userinfo": 502,
    "undecryptable_userinfo": 502,
}
"""Every code a verification can end with, and its HTTP status."""


def status_of(code: str) -> int:
    """400 is the browser's matter, 503 passes by itself, 502 is between the services."""
    return STATUSES.get(code, 502)


def words_of(code: str) -> str:
    """What the midwife is told about `code`."""
    return words("code_refused" if code in ("state_unknown", "verification_unknown") else code)


def hint_of(code: str) -> str:
    """What helps: the operator where the services disagree, the midwife otherwise."""
    hints = {
        "provider_invalid": _("Open the provider's metadata address: issuer, endpoints or keys in it are not right."),
        "client_refused": _("The provider knows another key or client id: compare with janani keys show."),
        "request_refused": _(
            "The provider refuses scope, claims or page: compare them with the client's registration."
        ),
        "unknown_key": _(
            "The token's key is not in the provider's JWKS: it rotated without publishing, or is another."
        ),
        "bad_signature": _("The token was changed, or is signed in a way that is not allowed for this client."),
        "bad_issuer": _("The token names another issuer: check provider and token_issuers of this client."),
        "bad_audience": _("The token is for another client: check client_id."),
        "expired": _("Compare the clocks of both servers; 60 s apart is the most."),
        "not_yet_valid": _("Compare the clocks of both servers; 60 s apart is the most."),
        "bad_nonce": _("The code belongs to another browser. If it happens often, look who mixes sessions up."),
        "bad_at_hash": _("Access token and id_token do not belong together."),
        "bad_acr": _("She signed in another way than asked: check acr_values in the claim mapping."),
        "bad_subject": _("Userinfo and id_token speak of different people. Tell the provider."),
        "unsigned_userinfo": _('Register the client for signed userinfo, or set userinfo = "json" knowingly.'),
        "undecryptable_userinfo": _("Userinfo is encrypted for a key we don't have: set decryption_key."),
    }
    if code in hints:
        return hints[code]
    if status_of(code) == 503:
        return _("Go on without verification; it can be done at the next visit.")
    return _("Start the verification again.")


def render(_request: Request[Any, Any, Any], problem: RelyingProblem) -> Response[Any]:
    """`problem` on the wire."""
    headers = {"cache-control": "no-store"}
    if problem.status == 401:
        headers["www-authenticate"] = "ApiToken"
    if problem.status == 503:
        headers["retry-after"] = str(RETRY_SECONDS)
    return _body(problem.status, problem.code, problem.text, problem.hint, headers)


def render_unforeseen(_request: Request[Any, Any, Any], status: int, code: str, text: str) -> Response[Any]:
    """No such path, wrong method, or a bug."""
    return _body(status, code, text, "", {"cache-control": "no-store"})


def _body(status: int, code: str, text: str, hint: str, headers: dict[str, str]) -> Response[Any]:
    return Response({"error": code, "message": text, "hint": hint}, status_code=status, headers=headers)
