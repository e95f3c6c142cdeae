"""What is wrong with a feed: in words, and whether that needs a person or passes by itself."""

from datetime import datetime, timedelta

import asyncpg

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError
from janani.kernel.clock import Clock

_PATIENCE = timedelta(minutes=10)  # as of the rule for a server that is away
_NOT_ALLOWED = {401, 403}
_PASSES = {408, 425, 429}
_FOR_GOOD = ("0A", "28", "3D", "42")  # SQLSTATE: not supported, login, no such database, no right or no such table


class Interruption:
    """Of one feed. `words`: why it can't be read, or what somebody must know of it; empty when all is well."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._since = clock, datetime.min.replace(tzinfo=clock().tzinfo)
        self.words, self._lasts = "", False

    def met(self, words: str, *, lasts: bool) -> bool:
        """It can't be read, for what `words` say; `lasts` until somebody does something. Whether that is news."""
        news = self.words != words
        if not self.words:
            self._since = self._clock()
        self.words, self._lasts = words, lasts
        return news

    def over(self, words: str = "") -> None:
        """It was read; `words`: what somebody must know all the same."""
        self.words, self._lasts = words, bool(words)

    @property
    def needs_somebody(self) -> bool:
        """What passes by itself should have done so in ten minutes."""
        return bool(self.words) and (self._lasts or self._clock() - self._since >= _PATIENCE)


def lasts(error: Exception) -> bool:
    """Whether a server said no in a way that another try does not change."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_FOR_GOOD)
    if not isinstance(error, (Dhis2Error, FhirError)):
        return False
    if error.status in _NOT_ALLOWED or (isinstance(error, FhirError) and _no_token(error)):
        return True
    return error.told and 400 <= error.status < 500 and error.status not in _PASSES


def _no_token(error: FhirError) -> bool:
    """Whether the token endpoint does not know us (RFC 6749 §5.2)."""
    return error.status == 400 and any(issue.code == "login" for issue in error.issues)
