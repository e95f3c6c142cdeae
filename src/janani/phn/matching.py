"""How likely two descriptions are of one person, and why. Plain functions; the weights stand here and nowhere else.

One identity at the provider or one NIC all but proves it; otherwise name, birth date and telephone each add their
part. The grades are FHIR's (match-grade): they order a list for a midwife, who decides.
"""

from collections.abc import Sequence
from datetime import date

from msgspec import Struct

from janani.kernel.i18n import _
from janani.phn import names

NAME, BIRTH_DATE, PHONE = 0.5, 0.35, 0.15
SIMILAR_NAME = 0.8
CERTAIN, PROBABLE, POSSIBLE = 0.95, 0.8, 0.5


class Person(Struct, frozen=True):
    """What is compared: numbers in one form (NIC new form, telephones E.164), the name folded."""

    phn: str = ""
    subject: str = ""
    nic: str = ""
    name: str = ""
    gender: str = ""
    birth_date: date | None = None
    phones: Sequence[str] = ()


class Match(Struct, frozen=True):
    """`score` from 0 to 1, and the codes of its reasons (see `words`)."""

    score: float
    reasons: list[str]

    @property
    def grade(self) -> str:
        """FHIR match-grade: certain, probable, possible or certainly-not."""
        if self.score >= CERTAIN:
            return "certain"
        if self.score >= PROBABLE:
            return "probable"
        return "possible" if self.score >= POSSIBLE else "certainly-not"


def compared(wanted: Person, known: Person) -> Match:
    """How well `known` matches `wanted`."""
    score, reasons = _described(wanted, known)
    floor = 0.0
    for number, certainty in (("phn", 1.0), ("subject", 0.99), ("nic", 0.95)):
        ours, theirs = getattr(wanted, number), getattr(known, number)
        if ours and ours == theirs:
            reasons.insert(0, f"same-{number}")
            floor = max(floor, certainty)
        elif ours and theirs and number == "nic":
            reasons.append("different-nic")
            score *= 0.7
    if wanted.gender and known.gender and wanted.gender != known.gender:
        reasons.append("different-gender")
        score *= 0.6
    return Match(round(max(score, floor), 2), reasons)


def _described(wanted: Person, known: Person) -> tuple[float, list[str]]:
    reasons, score = [], 0.0
    alike = names.similarity(wanted.name, known.name)
    if alike >= SIMILAR_NAME:
        same = sorted(wanted.name.split()) == sorted(known.name.split())
        reasons.append("same-name" if same else "similar-name")
        score += NAME * alike
    if wanted.birth_date and known.birth_date:
        near = _dates_alike(wanted.birth_date, known.birth_date)
        if near:
            reasons.append("same-birth-date" if near == 1 else "similar-birth-date")
            score += BIRTH_DATE * near
    if set(wanted.phones) & set(known.phones):
        reasons.append("same-phone")
        score += PHONE
    return score, reasons


def _dates_alike(one: date, other: date) -> float:
    """1 for the same day; 0.5 when one part differs (a slip of the pen) or day and month are exchanged; else 0."""
    if one == other:
        return 1.0
    ours, theirs = (one.year, one.month, one.day), (other.year, other.month, other.day)
    if ours == (theirs[0], theirs[2], theirs[1]) or sum(a == b for a, b in zip(ours, theirs, strict=True)) == 2:
        return 0.5
    return 0.0


def words(reason: str) -> str:
    """A reason for people, in the language of this request."""
    return {
        "same-phn": _("Same PHN"),
        "same-subject": _("Same verified identity"),
        "same-nic": _("Same NIC number"),
        "same-name": _("Same name"),
        "similar-name": _("Similar name"),
        "same-birth-date": _("Same date of birth"),
        "similar-birth-date": _("Similar date of birth"),
        "same-phone": _("Same phone number"),
        "different-nic": _("Different NIC number"),
        "different-gender": _("Different gender"),
    }[reason]
