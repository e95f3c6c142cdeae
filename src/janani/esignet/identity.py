"""A person as the identity system keeps them: the record, the numbers it is known by, and what makes either wrong.

The shapes are those of MOSIP's mock identity system (reference §10.1). A text may be written in three ways: plain
(then it is English), by three-letter language, or as its API has it, a list of `{language, value}`.
"""

import re
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

from janani.esignet.envelope import Fault

Kind = Literal["UIN", "VID", "NIC", "OTHER"]
Number = Annotated[str, Meta(pattern=r"^[0-9]{5,19}$")]
BirthDate = Annotated[str, Meta(pattern=r"^[0-9]{4}/[0-9]{2}/[0-9]{2}$")]
EMAIL = r"[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+"
PHONE = r"\+?[0-9][0-9 ()-]{3,30}"
PHOTO = r"data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=\s]*"


class LanguageValue(Struct, frozen=True, forbid_unknown_fields=True):
    """A text in one language (three letters)."""

    language: Annotated[str, Meta(pattern=r"^[a-z]{3}$")]
    value: Annotated[str, Meta(pattern=r"\S")]


Text = str | dict[str, str] | list[LanguageValue]
"""A text: in English, by three-letter language, or as a list."""


class Alias(Struct, frozen=True, forbid_unknown_fields=True):
    """Another number to sign in with. A VID may lapse; whatever is revoked stays revoked."""

    number: Annotated[str, Meta(pattern=r"^[0-9A-Za-z \-]{5,30}$")]
    kind: Kind = "OTHER"
    expires: datetime | None = None
    revoked: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a time that may be outside the calendar elsewhere on earth."""
        if self.expires and not MINYEAR < self.expires.year < MAXYEAR:
            raise ValueError(f"expires must be in a year after {MINYEAR} and before {MAXYEAR}")


class Identity(Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A person (reference §10.1). `dateOfBirth` is `YYYY/MM/DD`, `encodedPhoto` a data URI."""

    individual_id: Number
    full_name: Text
    gender: Text
    date_of_birth: BirthDate
    locality: Text
    region: Text
    country: Text
    postal_code: str
    given_name: Text | None = None
    family_name: Text | None = None
    middle_name: Text | None = None
    nick_name: Text | None = None
    preferred_username: Text | None = None
    name: Text | None = None
    street_address: Text | None = None
    encoded_photo: Annotated[str, Meta(pattern=f"^({PHOTO})?$")] = ""
    email: Annotated[str, Meta(pattern=f"^({EMAIL})?$")] = ""
    phone: Annotated[str, Meta(pattern=f"^({PHONE})?$")] = ""
    preferred_lang: str | None = None
    locale: str | None = None
    zone_info: str | None = None
    # Factors this provider does not offer; read, so that identities made for eSignet load, and never stored.
    pin: str | None = None
    password: str | None = None
    aliases: list[str | Alias] = []


TEXTS = (
    "fullName",
    "givenName",
    "familyName",
    "middleName",
    "nickName",
    "preferredUsername",
    "name",
    "gender",
    "streetAddress",
    "locality",
    "region",
    "country",
)
FIELDS = tuple(field.encode_name for field in fields(Identity))
NEVER_KEPT = ("pin", "password", "aliases")
NEEDED = (
    *("individualId", "fullName", "givenName", "familyName", "gender", "dateOfBirth", "locality", "region", "country"),
    *("postalCode", "encodedPhoto", "email", "phone", "pin"),
)
_PATTERNS = {
    "individualId": r"[0-9]{5,19}",
    "dateOfBirth": r"\d{4}/\d{2}/\d{2}",
    "postalCode": r".*\S.*",
    "email": EMAIL,
    "phone": PHONE,
    "pin": r".*\S.*",
    "encodedPhoto": f"({PHOTO})?",
}


def kept(identity: Identity) -> dict[str, Any]:
    """What is stored of a person: without secrets and aliases, its texts by language."""
    record = msgspec.to_builtins(identity)
    for name in NEVER_KEPT:
        record.pop(name, None)
    return {name: _by_language(value) if name in TEXTS else value for name, value in record.items()}


def aliases_of(identity: Identity) -> list[Alias]:
    """The other numbers of a person, as they're looked up."""
    found = [Alias(one) if isinstance(one, str) else one for one in identity.aliases]
    return [msgspec.structs.replace(one, number=normal_number(one.number)) for one in found]


def normal_number(typed: str) -> str:
    """A number as it is looked up: capitals, no blanks, no hyphens (`96574 1234v` is `965741234V`)."""
    return "".join(typed.split()).replace("-", "").upper()


def as_lists(record: dict[str, Any]) -> dict[str, Any]:
    """A stored record in the words of the API: every field, texts as lists, null for what is not on record."""
    answer: dict[str, Any] = {name: record.get(name) for name in FIELDS if name != "aliases"}
    for name in TEXTS:
        texts = _by_language(answer[name])
        answer[name] = [{"language": tag, "value": text} for tag, text in texts.items()] if texts else None
    return answer


def request_faults(request: dict[str, Any], *, whole: bool) -> list[Fault]:
    """What is wrong with an identity sent to the API: `invalid_` and the field's name in lower case, one a field.

    Args:
        whole: whether every required field must be there (create), or null leaves what is stored (update).
    """
    needed = NEEDED if whole else ("individualId",)
    return [
        Fault(f"invalid_{name.lower()}", f"request.{name}")
        for name in FIELDS
        if not _good(name, request.get(name), needed=name in needed)
    ]


def _good(name: str, value: Any, *, needed: bool) -> bool:
    if value is None:
        return not needed
    if name in TEXTS:
        return _converts(value, list[LanguageValue]) and bool(value)
    if name == "aliases":
        return _converts(value, list[Alias])
    if not isinstance(value, str):
        return False
    return name not in _PATTERNS or re.fullmatch(_PATTERNS[name], value, re.ASCII | re.DOTALL) is not None


def _converts(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _by_language(text: Any) -> dict[str, str]:
    if isinstance(text, list):
        return {one["language"]: one["value"] for one in text}
    return {"eng": text} if isinstance(text, str) and text else text or {}
