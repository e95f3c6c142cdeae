"""`docs/reference/identity-errors.md`, made from the relying party's own catalogue of errors."""

from pathlib import Path

from janani.kernel import i18n
from janani.relying.problems import CARD_STATUSES, STATUSES, card_hint, card_words, hint_of, words_of

PAGE = Path("docs/reference/identity-errors.md")
_HEAD = """# Errors of a verification

Made from `src/janani/relying/problems.py` by `make docs`.

Every error of `/authorizations`, `/fetchUserInfo` and `/verifications` is `{"error", "message", "hint"}`. `error` never
changes; `message` is for the midwife, in the language of `Accept-Language`; `hint` says what helps. Nothing in it is
about a person. 400: the browser begins again. 503 passes by itself (`Retry-After`). 502: somebody has to look after the
services. A code is sent to the provider once: only when it certainly never left here does its state serve again.

| error | status | message | hint |
| --- | --- | --- | --- |
"""
_CARDS = """
`/offline` refuses the signed QR code of a card with these. The same midwife can always go on without it.

| error | status | message | hint |
| --- | --- | --- | --- |
"""
_TAIL = """
Besides: `bad_request`, `other_client`, `other_redirect_uri` (400, the call is wrong), `unauthorized` (401, the Route's
token is missing or wrong), `unknown_client` (404, keys of a client that is not ours).
"""


def page() -> str:
    """The page as Markdown."""
    i18n.use("en")
    rows = (f"| `{code}` | {status} | {words_of(code)} | {hint_of(code)} |\n" for code, status in STATUSES.items())
    cards = (
        f"| `{code}` | {status} | {card_words(code)} | {card_hint(code)} |\n" for code, status in CARD_STATUSES.items()
    )
    return _HEAD + "".join(rows) + _CARDS + "".join(cards) + _TAIL


def write() -> Path:
    """Writes the page below the current folder; gives its path."""
    PAGE.write_text(page())
    return PAGE
