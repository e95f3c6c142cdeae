"""The catalogue of errors: complete, in words, and as the page says."""

from pathlib import Path

import pytest

from janani.clients.oidc_checks import OidcError
from janani.relying import errors_page
from janani.relying.problems import STATUSES, NotVerified, hint_of, words_of


def test_the_page_is_as_the_code() -> None:
    page = Path(__file__).parents[2] / errors_page.PAGE
    assert page.read_text() == errors_page.page(), "run make docs"


@pytest.mark.parametrize("code", STATUSES)
def test_every_code_has_a_sentence_and_a_hint(code: str) -> None:
    assert words_of(code).endswith(".")
    assert hint_of(code)
    problem = NotVerified(OidcError(code))
    assert (problem.code, problem.status) == (code, STATUSES[code])


def test_every_code_the_client_may_raise_is_in_it() -> None:
    said = (OidcError.__doc__ or "").partition("provider_unreachable")
    words = (said[1] + said[2]).replace(",", " ").split()
    codes = {word for word in words if "_" in word or word == "expired"} - {"code_kept", "`code_kept`:", "id_token"}
    assert codes <= set(STATUSES)
