"""What must hold of an id_token and of userinfo (OpenID Connect Core §3.1.3.7, §5.3.2)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from janani.clients import oidc_checks as checks
from janani.clients.oidc_checks import OidcError

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
GOOD: dict[str, Any] = {
    "iss": "https://id.example",
    "sub": "s",
    "aud": "me",
    "exp": SECONDS + 300,
    "iat": SECONDS,
    "nonce": "n",
    "acr": "otp",
    "at_hash": checks.at_hash("token"),
}
GONE = object()


def id_token_fault(changes: dict[str, Any]) -> str:
    claims = {name: value for name, value in (GOOD | changes).items() if value is not GONE}
    try:
        checks.check_id_token(
            claims,
            issuers={"https://id.example"},
            client_id="me",
            nonce="n",
            access_token="token",
            acr_values=["otp", "bio"],
            now=NOW,
        )
    except OidcError as error:
        return error.code
    return ""


def test_published_vectors() -> None:
    # esignet.md §14 and RFC 7636 appendix B
    assert checks.at_hash("example-access-token") == "Z1P3Ll-e0JrOBqzfbrTXjQ"
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert checks.code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["me"]},
        {"azp": "me"},
        {"at_hash": GONE},  # optional in the code flow
        {"exp": SECONDS - 59},  # within the skew
        {"iat": SECONDS + 60},
        {"acr": "kba bio"},
        {"unknown": 1},
    ],
)
def test_a_right_id_token_passes(changes: dict[str, Any]) -> None:
    assert id_token_fault(changes) == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://id.example/"}, "bad_issuer"),
        ({"iss": "https://evil.example"}, "bad_issuer"),
        ({"iss": GONE}, "bad_issuer"),
        ({"aud": "you"}, "bad_audience"),
        ({"aud": []}, "bad_audience"),
        ({"aud": ["me", "you"]}, "bad_audience"),
        ({"aud": GONE}, "bad_audience"),
        ({"aud": {"me": 1}}, "bad_audience"),
        ({"azp": "you"}, "bad_audience"),
        ({"exp": SECONDS - 60}, "expired"),
        ({"exp": GONE}, "expired"),
        ({"exp": "tomorrow"}, "expired"),
        ({"exp": True}, "expired"),
        ({"iat": SECONDS + 61}, "not_yet_valid"),
        ({"iat": GONE}, "not_yet_valid"),
        ({"nbf": SECONDS + 61}, "not_yet_valid"),
        ({"nonce": "m"}, "bad_nonce"),
        ({"nonce": GONE}, "bad_nonce"),
        ({"nonce": 5}, "bad_nonce"),
        ({"at_hash": checks.at_hash("other")}, "bad_at_hash"),
        ({"at_hash": None}, "bad_at_hash"),
        ({"acr": "kba"}, "bad_acr"),
        ({"acr": GONE}, "bad_acr"),
        ({"sub": ""}, "bad_subject"),
        ({"sub": 7}, "bad_subject"),
    ],
)
def test_a_wrong_id_token_is_named(changes: dict[str, Any], code: str) -> None:
    assert id_token_fault(changes) == code


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"sub": "s"}, ""),  # eSignet gives no times, some identity systems neither iss nor aud
        ({"sub": "s", "iss": "https://id.example", "aud": "me"}, ""),
        ({"sub": "t"}, "bad_subject"),
        ({"name": "x"}, "bad_subject"),
        ({"sub": "ś"}, "bad_subject"),
        ({"sub": "s", "iss": "https://evil.example"}, "bad_issuer"),
        ({"sub": "s", "aud": "you"}, "bad_audience"),
        ({"sub": "s", "exp": SECONDS - 61}, "expired"),
        ({"sub": "s", "exp": SECONDS + 61}, ""),
        ({"sub": "s", "iat": SECONDS + 61}, "not_yet_valid"),
    ],
)
def test_userinfo(claims: dict[str, Any], code: str) -> None:
    found = ""
    try:
        checks.check_userinfo(claims, issuers={"https://id.example"}, client_id="me", subject="s", now=NOW)
    except OidcError as error:
        found = error.code
    assert found == code


@pytest.mark.parametrize(
    ("status", "error", "code", "retryable"),
    [
        (400, "invalid_grant", "code_refused", False),
        (400, "invalid_transaction", "code_refused", False),  # eSignet 1.6.1
        (500, "pkce_failed", "code_refused", False),  # eSignet 1.6.1
        (400, "invalid_client", "client_refused", False),
        (401, "invalid_client", "client_refused", False),
        (400, "invalid_request", "request_refused", False),
        (500, "unknown_error", "provider_failed", True),
        (503, "", "provider_failed", True),
        (429, "", "provider_failed", True),
    ],
)
def test_what_the_token_endpoint_means(status: int, error: str, code: str, retryable: bool) -> None:
    found = checks.refusal(status, error)
    assert (found.code, found.retryable) == (code, retryable)


def test_an_error_says_a_sentence_and_nothing_personal() -> None:
    for code in ("provider_unreachable", "code_refused", "client_refused", "access_refused", "expired", "bad_nonce"):
        error = OidcError(code)
        assert error.text.endswith(".")
        assert str(error) == f"OpenID provider: {code}"
