"""The audit trail of refusals: each refused call leaves a row with its code. What succeeds is noted where it does."""

from typing import Any

import asyncpg
from litestar.types import Scope

from janani.esignet.incoming import Http
from janani.esignet.problems import EsignetProblem
from janani.esignet.provider import Provider, Row
from janani.kernel.telemetry import log


def about(request: Http, row: Row) -> None:
    """Remembers what the call is about, for the trail: the transaction, client and person of a code or token."""
    request.scope["state"]["about"] = {
        "transaction": row["transaction_number"],
        "client": row["client_id"],
        "person": row["person_id"],
    }


def of_client(request: Http, client_id: str) -> None:
    """Remembers the (known) client the call is about."""
    request.scope["state"]["about"] = {"client": client_id}


async def note_refusal(error: Exception, scope: Scope) -> None:
    """Writes a refusal of this part's error family to the trail. A database that is away hides nothing but the row."""
    if not isinstance(error, EsignetProblem):
        return
    idp: Provider = scope["litestar_app"].state.idp
    subject: dict[str, Any] = scope.get("state", {}).get("about", {})
    try:
        await idp.note(event_of(scope["path"]), error.code, reason=error.reason or None, **subject)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        log("esignet").warning("audit_failed", error=type(fault).__name__)


_EVENTS = (
    ("client-mgmt", "client_refused"),
    ("oauth-details", "sign_in_refused"),
    ("send-otp", "otp_refused"),
    ("authenticate", "authentication_refused"),
    ("claim-details", "claim_details_refused"),
    ("auth-code", "consent_refused"),
    ("oauth/par", "push_refused"),
    ("token", "tokens_refused"),
    ("userinfo", "userinfo_refused"),
    ("mock-identity-system", "identity_refused"),
    ("consents", "withdrawal_refused"),
)


def event_of(path: str) -> str:
    """The name of the refused step, from the path alone (never the query)."""
    return next((event for part, event in _EVENTS if part in path), "refused")
