"""What an answer of a FHIR server means for a delivery: wait for the server, try again, or set the person aside. Pure.

Ours and HAPI FHIR answer alike in most cases; where HAPI says by text what its status does not, the text decides.
"""

import re
from collections.abc import Sequence
from enum import Enum

from janani.clients.fhir import FhirError, Issue

_AWAY = {0, 401, 403, 408, 425, 429, 502, 503, 504}
_NOT_THERE = {404, 405}
_CONTESTED = {409, 412}
# Numbers as HAPI's public sources have them (hapi-fhir, storage and JPA): 0958 and 0962 conditional create and delete,
# 0972 patch, 1092 and 2207 references by search in a transaction, each with several matches (412); 0823 to 0827 and
# 0989 a version or name that another writer took (409), wrapped in 0549 or 0550; 0515 a delete refused for what refers
# to it (409); 1094 and 1096 a reference to what is not there or deleted (400); 1091 a reference by search that finds
# nobody (404); 0929 content that does not answer to its own conditional URL (400).
_MANY = re.compile(
    r"HAPI-(0958|0962|0972|1092|2207)\b|multiple resources match|because this search matched \d+ resources",
    re.IGNORECASE,
)
_RACE = re.compile(r"HAPI-(0549|082[3-7]|0989)\b|deadlock|could not serialize|lock timeout", re.IGNORECASE)
_DANGLING = re.compile(r"HAPI-0515\b|unable to delete \S+ because at least one resource has a reference", re.IGNORECASE)
_UNKNOWN = re.compile(r"HAPI-(1091|1094|1096)\b")


class Verdict(Enum):
    """What to do next."""

    AWAY = "the server is away, whoever asks"
    ERROR = "the server failed; another try may pass"
    CONTESTED = "another writer was faster; another try may pass"
    AMBIGUOUS = "several resources answer to one conditional URL"
    REFUSED = "the server said no to this content"


def verdict(error: FhirError) -> Verdict:
    """What `error` means."""
    text = "\n".join(issue.diagnostics for issue in error.issues)
    # Without an OperationOutcome it is a proxy that misses its server; a login that fails says nothing of the content.
    not_there = error.status in _NOT_THERE and not error.told
    if error.status in _AWAY or not_there or any(one.code == "login" for one in error.issues):
        return Verdict.AWAY
    if error.status == 412 and (_MANY.search(text) or any(one.code == "multiple-matches" for one in error.issues)):
        return Verdict.AMBIGUOUS
    if error.status in _CONTESTED or _RACE.search(text):
        return Verdict.CONTESTED
    return Verdict.REFUSED if 400 <= error.status < 500 else Verdict.ERROR


def reason(error: FhirError) -> str:
    """Why the server refused, by codes and places alone: its own words may quote the person."""
    issues = [issue for issue in error.issues if issue.severity in ("error", "fatal")]
    places = [f"{issue.code} at {', '.join(issue.expression)}" if issue.expression else issue.code for issue in issues]
    said = "; ".join(places[:5]) or "no reason given"
    if verdict(error) is Verdict.AMBIGUOUS:
        return f"several resources of the record answer to one of her identifiers ({error.status}): {said}"
    if _DANGLING.search(detail(error.issues)):
        return f"something else in the record refers to what is to be deleted ({error.status}): {said}"
    if _UNKNOWN.search(detail(error.issues)):
        return f"it refers to something that is not in the record ({error.status}): {said}"
    if verdict(error) is Verdict.CONTESTED:
        return f"the record was changed by others at the same time, at every try ({error.status}): {said}"
    return f"the record refused it ({error.status}): {said}"


def detail(issues: Sequence[Issue]) -> str:
    """The server's own words; may quote the person."""
    return "\n".join(issue.diagnostics for issue in issues)[:4000]
