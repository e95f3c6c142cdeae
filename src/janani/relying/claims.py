"""The programme's `claims.yaml`: what is asked of the identity provider, and what its claims become.

`load` reads and checks it; `attributes_of` applies it. A mistake is a ProgrammeFault with file, line and the word
that was probably meant.
"""

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Any

from msgspec import Struct, field

from janani import programmes
from janani.clients.oidc import requested
from janani.kernel.ids import is_uid
from janani.programmes import Programme, fault, nearest
from janani.relying import converters

FILE = "claims.yaml"
_KINDS = ("text", "exact", "date", "age", "option", "phone", "nic", "address")
# What eSignet and OpenID Connect know (reference §7.1; Core §5.1). Others need a colon (a URI) to be taken.
_CLAIMS = (
    *("sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile"),
    *("picture", "website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number"),
    *("phone_number_verified", "address", "updated_at", "individual_id", "registration_type"),
)


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


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One attribute: the claim it comes from and how."""

    claim: str
    attribute: str
    kind: str = field(name="as", default="text")


class Places(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of places, for addresses."""

    countries: dict[str, list[str]] = {}
    provinces: dict[str, list[str]] = {}


class ClaimMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """The file, whole. `attribute` of each line is a UID once loaded."""

    request: AskedClaims
    attributes: list[Line]
    options: dict[str, list[str]] = {}
    places: Places = Places()


class Attribute(Struct, frozen=True):
    """A value for an attribute (UID), and the claim it comes from."""

    attribute: str
    value: str
    claim: str


def load(programme: Programme) -> ClaimMapping:
    """The mapping of `programme`, its roles replaced by UIDs. Raises ProgrammeFault."""
    path = programme.folder / FILE
    mapping: ClaimMapping = programmes.read_yaml(path, ClaimMapping)
    for group in ("essential", "voluntary"):
        for place, name in enumerate(getattr(mapping.request, group)):
            if not _known_claim(name):
                raise fault(path, f"$.request.{group}[{place}]", f"claim {name!r}: {nearest(name, _CLAIMS)}")
    roles = programme.registry.attributes
    for place, line in enumerate(mapping.attributes):
        where = f"$.attributes[{place}]"
        if not _known_claim(line.claim.partition(".")[0]):
            raise fault(path, f"{where}.claim", f"claim {line.claim!r}: {nearest(line.claim, _CLAIMS)}")
        if line.attribute not in roles and not is_uid(line.attribute):
            known = nearest(line.attribute, roles)
            raise fault(path, f"{where}.attribute", f"attribute {line.attribute!r} is no role or UID: {known}")
        if line.kind not in _KINDS:
            raise fault(path, f"{where}.as", f"as {line.kind!r}: {nearest(line.kind, _KINDS)}")
    lines = [Line(line.claim, roles.get(line.attribute, line.attribute), line.kind) for line in mapping.attributes]
    return ClaimMapping(mapping.request, lines, mapping.options, mapping.places)


def attributes_of(mapping: ClaimMapping, claims: Mapping[str, Any], *, today: date, region: str) -> list[Attribute]:
    """The attributes that `claims` fill, in the file's order. What is absent or can't be read fills none.

    Args:
        today: for ages.
        region: whose telephone numbers need no country code (ISO 3166, two letters).
    """
    convert = _conversions(mapping, today, region)
    found = []
    for line in mapping.attributes:
        value = convert[line.kind](_at(claims, line.claim))
        if value is not None:
            found.append(Attribute(line.attribute, value, line.claim))
    return found


def withheld(mapping: ClaimMapping, claims: Mapping[str, Any]) -> list[str]:
    """The claims that were asked for and not given."""
    return [name for name in mapping.request.names if name not in claims]


def unreadable(mapping: ClaimMapping, claims: Mapping[str, Any], filled: list[Attribute]) -> list[str]:
    """The claims that were given and fill none of the attributes they should."""
    used = {attribute.claim for attribute in filled}
    wanted = dict.fromkeys(line.claim for line in mapping.attributes)
    return [claim for claim in wanted if claim not in used and _at(claims, claim) is not None]


def _conversions(mapping: ClaimMapping, today: date, region: str) -> dict[str, Callable[[Any], str | None]]:
    return {
        "text": converters.as_text,
        "exact": converters.as_exact,
        "date": converters.as_date,
        "age": partial(converters.as_age, today=today),
        "option": partial(converters.as_option, options=mapping.options),
        "phone": partial(converters.as_phone, region=region),
        "nic": converters.as_nic,
        "address": partial(
            converters.as_address, provinces=mapping.places.provinces, countries=mapping.places.countries
        ),
    }


def _at(claims: Mapping[str, Any], path: str) -> Any:
    value: Any = claims
    for step in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _known_claim(name: str) -> bool:
    return name in _CLAIMS or ":" in name
