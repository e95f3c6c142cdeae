"""The programme's `claims.yaml`: what is asked of the identity provider, and what its claims become.

`load` reads and checks it; `filling` applies it. A mistake is a ProgrammeFault with file, line and the word that was
probably meant.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from janani import programmes
from janani.clients.oidc import requested
from janani.kernel.ids import is_uid
from janani.programmes import Programme, fault, nearest

FILE = "claims.yaml"
KINDS = ("text", "exact", "date", "age", "option", "phone", "nic", "address")
PATIENT = (
    *("name.text", "name.family", "name.given", "birthDate", "gender", "telecom.phone", "telecom.email"),
    *("address.text", "address.line", "address.city", "address.district", "address.state", "address.postalCode"),
    *("address.country", "communication.language"),
)
"""Elements of a FHIR Patient that a claim may fill, beside `identifier.<system's role>`."""
# What eSignet and OpenID Connect know (reference §7.1; Core §5.1). Others need a colon (a URI) to be taken.
_CLAIMS = (
    *("sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile"),
    *("picture", "website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number"),
    *("phone_number_verified", "address", "updated_at", "individual_id", "registration_type"),
)
_IN_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_SOURCES = ("claim", "first", "template", "constant")


class AskedClaims(Struct, frozen=True, forbid_unknown_fields=True):
    """The authorization request."""

    scope: str
    acr_values: str = ""
    essential: list[str] = []
    voluntary: list[str] = []
    parameters: dict[str, str] = {}

    @property
    def claims(self) -> dict[str, Any]:
        """The OpenID `claims` parameter."""
        return requested(self.essential, self.voluntary)

    @property
    def names(self) -> list[str]:
        """Every claim asked for."""
        return [*self.essential, *self.voluntary]

    @property
    def locales(self) -> list[str]:
        """The languages claims are asked for in, the preferred first."""
        return self.parameters.get("claims_locales", "").split()


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One value: where it comes from, how it is read, and what it fills.

    It comes from one of `claim` (a path: `address.locality`, `name#si`), `first` (the first of these paths that has a
    value that can be read), `template` (`{given_name} {family_name}`) or `constant`. It fills an `attribute` (role or
    UID) of the registry or an `element` of a FHIR Patient. `options` are this line's own words, else the file's.
    """

    claim: str = ""
    first: list[str] = []
    template: str = ""
    constant: str = ""
    attribute: str = ""
    element: str = ""
    kind: str = field(name="as", default="text")
    options: dict[str, list[str]] = {}

    @property
    def paths(self) -> list[str]:
        """Every claim path it reads."""
        return [self.claim] if self.claim else self.first or _IN_TEMPLATE.findall(self.template)


class Places(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of places, for addresses."""

    countries: dict[str, list[str]] = {}
    provinces: dict[str, list[str]] = {}


class ClaimMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """The file, whole. `attribute` of each line is a UID once loaded, `identifier.…` of an element its system."""

    request: AskedClaims
    attributes: list[Line] = []
    patient: list[Line] = []
    options: dict[str, list[str]] = {}
    places: Places = Places()


def load(programme: Programme, file: str = FILE) -> ClaimMapping:
    """The mapping in `file` of `programme`, its roles replaced by UIDs and systems. Raises ProgrammeFault."""
    path = programme.folder / file
    if not path.is_file():
        known = [one.name for one in programme.folder.glob("*.yaml")]
        raise programmes.ProgrammeFault(f"{path} is missing; {nearest(file, known)}")
    mapping: ClaimMapping = programmes.read_yaml(path, ClaimMapping)
    for group in ("essential", "voluntary"):
        for place, name in enumerate(getattr(mapping.request, group)):
            if not _known_claim(name):
                raise fault(path, f"$.request.{group}[{place}]", f"claim {name!r}: {nearest(name, _CLAIMS)}")
    attributes = [
        _attribute(path, f"$.attributes[{place}]", line, programme.registry.attributes, mapping)
        for place, line in enumerate(mapping.attributes)
    ]
    patient = [
        _element(path, f"$.patient[{place}]", line, programme.record.systems, mapping)
        for place, line in enumerate(mapping.patient)
    ]
    return replace(mapping, attributes=attributes, patient=patient)


def withheld(mapping: ClaimMapping, claims: Mapping[str, Any]) -> list[str]:
    """The claims that were asked for and not given, in no language. Null or empty is not given (Core §5.3.2)."""
    given = {name.partition("#")[0] for name, value in claims.items() if has(value)}
    return [name for name in mapping.request.names if name.partition("#")[0] not in given]


def _attribute(path: Path, where: str, line: Line, roles: Mapping[str, str], mapping: ClaimMapping) -> Line:
    _check_source(path, where, line, mapping)
    if line.element:
        raise fault(path, f"{where}.element", "an element belongs below `patient`; here: attribute")
    if line.attribute not in roles and not is_uid(line.attribute):
        known = nearest(line.attribute, roles)
        raise fault(path, f"{where}.attribute", f"attribute {line.attribute!r} is no role or UID: {known}")
    return replace(line, attribute=roles.get(line.attribute, line.attribute))


def _element(path: Path, where: str, line: Line, systems: Mapping[str, str], mapping: ClaimMapping) -> Line:
    _check_source(path, where, line, mapping)
    if line.attribute:
        raise fault(path, f"{where}.attribute", "an attribute belongs below `attributes`; here: element")
    head, _dot, role = line.element.partition(".")
    if head == "identifier":
        if role not in systems:
            raise fault(path, f"{where}.element", f"identifier of {role!r}: {nearest(role, systems)}")
        return replace(line, element=f"identifier.{systems[role]}")
    if line.element not in PATIENT:
        raise fault(path, f"{where}.element", f"element {line.element!r}: {nearest(line.element, PATIENT)}")
    return line


def _check_source(path: Path, where: str, line: Line, mapping: ClaimMapping) -> None:
    given = [name for name in _SOURCES if getattr(line, name)]
    if len(given) != 1:
        said = f"has {' and '.join(given)}" if given else "has none"
        raise fault(path, where, f"a line has exactly one of {', '.join(_SOURCES)}; this one {said}")
    for claim in line.paths:
        if not _known_claim(_top(claim)):
            raise fault(path, f"{where}.{given[0]}", f"claim {claim!r}: {nearest(_top(claim), _CLAIMS)}")
    if line.template and not line.paths:
        raise fault(path, f"{where}.template", "a template names claims in braces, for example {given_name}")
    if line.kind not in KINDS:
        raise fault(path, f"{where}.as", f"as {line.kind!r}: {nearest(line.kind, KINDS)}")
    if line.kind == "option" and not (line.options or mapping.options):
        raise fault(path, f"{where}.as", "an option needs `options`, in this line or for the whole file")


def _top(path: str) -> str:
    return path if ":" in path else path.partition(".")[0].partition("#")[0]


def _known_claim(name: str) -> bool:
    return name.partition("#")[0] in _CLAIMS or ":" in name


def at(claims: Mapping[str, Any], path: str, locales: Sequence[str] = ()) -> Any:
    """The value at `path`; None when there is none.

    A claim that came in several languages only (`name#si`, `name#en`; Core §5.2) is read in the first of `locales` it
    has, else in the alphabetically first. `name#si` in the path means that language alone.
    """
    if has(claims.get(path)):
        return claims[path]
    head, _dot, rest = path.partition(".")
    value = claims.get(head)
    if not has(value) and "#" not in head:
        tagged = sorted(name for name in claims if name.startswith(f"{head}#") and has(claims[name]))
        wanted = next((f"{head}#{one}" for one in locales if f"{head}#{one}" in tagged), None)
        value = claims.get(wanted or (tagged[0] if tagged else head))
    for step in rest.split(".") if rest else ():
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if has(value) else None


def has(value: Any) -> bool:
    """Whether this is a value at all: neither null nor an empty text."""
    return value is not None and value != ""
