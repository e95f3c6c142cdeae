"""The programme's staff: who of those that sign in is a practitioner, and as what.

In the sandbox `programmes/<name>/demo/staff.yaml`, else `$JANANI_HOME/staff.yaml`: a list of

    - claim: dr.perera@moh.example        # value of the claim `record.staff_claim`
      identifier: dr-perera               # of the Practitioner, in the programme's system `practitioner`
      family: Perera
      given: [Anura]
      prefix: Dr
      role: VOG
      scopes: [user/*.cruds]
"""

from typing import Any

from msgspec import Struct

from janani import programmes
from janani.programmes import Programme
from janani.settings import Settings


class Member(Struct, frozen=True, forbid_unknown_fields=True):
    """One member of the staff."""

    claim: str
    identifier: str
    family: str
    given: list[str]
    role: str
    scopes: list[str]
    prefix: str = ""

    @property
    def name(self) -> str:
        """The name as it is shown."""
        return " ".join(part for part in (self.prefix, *self.given, self.family) if part)


def load(settings: Settings) -> dict[str, Member]:
    """The staff by claim value (compared without case). Raises ProgrammeFault with the line of a mistake."""
    file = settings.folder / "staff.yaml"
    if settings.sandbox and not file.is_file():
        file = programmes.folder(settings.programme) / "demo" / "staff.yaml"
    members: list[Member] = programmes.read_yaml(file, list[Member]) if file.is_file() else []
    return {member.claim.casefold(): member for member in members}


def practitioner(member: Member, programme: Programme, profile: str) -> dict[str, Any]:
    """The Practitioner resource of `member`, by the NEHR profile (name and a telecom are mandatory)."""
    name = {"family": member.family, "given": member.given, "text": member.name}
    return {
        "resourceType": "Practitioner",
        "meta": {"profile": [profile]} if profile else {},
        "active": True,
        "identifier": [{"system": programme.record.systems["practitioner"], "value": member.identifier}],
        "name": [name | ({"prefix": [member.prefix]} if member.prefix else {})],
        "telecom": [{"system": "email", "value": member.claim, "use": "work"}],
        "qualification": [{"code": {"text": member.role}}],
    }
