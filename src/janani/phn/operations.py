"""The operations on Patient: `$match` (FHIR R4), `$issue` and `$check-number` (ours, in Parameters)."""

import hashlib
import secrets
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Response, post
from msgspec import Struct

from janani.kernel.i18n import _
from janani.phn.authority import SQL, Authority, Http, The, fhir, resource_of
from janani.phn.demographics import MOST, searchset
from janani.phn.matching import POSSIBLE, Match, Person, compared, words
from janani.phn.patients import Resource, answered, columns, known, read, with_phn
from janani.phn.problems import Refused, Unreadable
from janani.programmes.sri_lanka import PHN_ALPHABET, Phn, first_phn, parse_phn, second_phn

MATCH_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
MATCH_REASON = "urn:janani:fhir:match-reason"
_DRAWS = 20


class Parameter(Struct, frozen=True, rename="camel"):
    """A member of a Parameters resource, of the types these operations take."""

    name: str
    resource: Any = None
    value_string: str | None = None
    value_id: str | None = None
    value_boolean: bool | None = None
    value_integer: int | None = None

    @property
    def value(self) -> Any:
        """Its value, whichever type it has."""
        given = (self.resource, self.value_string, self.value_id, self.value_boolean, self.value_integer)
        return next((value for value in given if value is not None), None)


class Parameters(Struct, frozen=True, rename="camel"):
    """A Parameters resource."""

    resource_type: str
    parameter: list[Parameter] = []


@post("/fhir/Patient/$match", status_code=200)
async def match(request: Http, authority: The) -> Response[Any]:
    """Who may be the person of `resource`, best first, each with score, grade and reasons.

    Takes `onlyCertainMatches` and `count` too. Those below "possible" are left out.
    """
    asked = await _asked(request, {"resource": dict, "onlyCertainMatches": bool, "count": int})
    wanted, _phn = read(_resource(asked), authority.systems)
    rows = SQL.candidates(
        authority.pool,
        phn=wanted.phn or None,
        subject=wanted.subject or None,
        nic=wanted.nic or None,
        name_keys=columns(wanted, {})["name_keys"],
        birth_date=wanted.birth_date,
        phones=list(wanted.phones),
    )
    found = [(row, compared(wanted, known(row))) async for row in rows]
    least = 0.95 if asked.get("onlyCertainMatches") else POSSIBLE
    ranked = sorted((pair for pair in found if pair[1].score >= least), key=lambda pair: -pair[1].score)
    shown = ranked[: max(0, min(asked.get("count", MOST), MOST))]
    await authority.note(request, "match", [row["id"] for row, _match in shown])
    base = authority.settings.phn.url.rstrip("/")
    return fhir(searchset([(answered(row), search_member(result)) for row, result in shown], base))


def search_member(result: Match) -> dict[str, Any]:
    """The `search` member of an entry: score, FHIR's grade, and a reason each."""
    reasons = [
        {"url": MATCH_REASON, "valueCodeableConcept": {"coding": [{"code": reason}], "text": words(reason)}}
        for reason in result.reasons
    ]
    grade = {"url": MATCH_GRADE, "valueCode": result.grade}
    return {"mode": "match", "score": result.score, "extension": [grade, *reasons]}


@post("/fhir/Patient/$issue", status_code=201)
async def issue(request: Http, authority: The) -> Response[Any]:
    """Gives the person of `resource` a new PHN: 201 and the Patient; the same `requestId` again, 200 and the same.

    Raises Refused: 422 when the person has a PHN already, 409 when someone with her verified identity or NIC has one,
    unless `confirmDistinct` says that it is another person with the same NIC.
    """
    asked = await _asked(request, {"resource": dict, "requestId": str, "confirmDistinct": bool})
    resource = _resource(asked)
    request_id = asked.get("requestId", "")
    if not 8 <= len(request_id) <= 200:
        raise Refused(400, "required", _("A requestId of 8 to 200 characters is needed, so that asking again is safe."))
    person, phn = read(resource, authority.systems)
    if phn is not None:
        raise Refused(422, "business-rule", _("This person has a PHN already."), "phn-given", "Patient.identifier")
    if not person.name:
        raise Refused(422, "required", _("A name is needed."), "", "Patient.name")
    async with authority.pool.acquire() as connection, connection.transaction():
        await SQL.hold_identity(connection, keys=_locks(request_id, person.subject, person.nic))
        row, status = await SQL.by_request(connection, request_id=request_id), 200
        if row is None:
            await _refuse_second(connection, person, confirmed=bool(asked.get("confirmDistinct")))
            row, status = await _issued(connection, authority, resource), 201
            await SQL.note_issue(connection, request_id=request_id, person_id=row["id"], at=authority.now())
        await authority.note(request, "issue", [row["id"]], connection)
    return fhir(answered(row), status, {"etag": f'W/"{row["revision"]}"'})


@post("/fhir/Patient/$check-number", status_code=200)
async def check_number(request: Http, authority: The) -> Response[Any]:
    """Whether `number` can be a PHN: layout, check digit, accepted version; and whether it is known here.

    `result` is false only for a wrong check digit. A number of no known layout is kept as entered, with a warning.
    """
    asked = await _asked(request, {"number": str})
    phn = parse_phn(asked.get("number", ""))
    if not phn.number:
        raise Refused(400, "required", _("The number is missing."))
    holder = await SQL.by_phn(authority.pool, phn=phn.number)
    await authority.note(request, "check-number", [holder["id"]] if holder else [])
    return fhir(verdict(phn, authority.settings.phn.accepted_versions, is_known=holder is not None))


def verdict(phn: Phn, accepted: list[int], *, is_known: bool) -> Resource:
    """The answer of `$check-number` as Parameters."""
    parameters: list[dict[str, Any]] = [
        {"name": "number", "valueString": phn.number},
        {"name": "result", "valueBoolean": phn.valid is not False},
        {"name": "known", "valueBoolean": is_known},
    ]
    if phn.version is not None:
        parameters += [
            {"name": "version", "valueInteger": phn.version},
            {"name": "pointOfIssue", "valueString": phn.point_of_issue},
            {"name": "checkDigit", "valueBoolean": phn.valid},
        ]
    warning = _warning(phn, accepted)
    if warning:
        parameters += [{"name": "warning", "valueCode": warning[0]}, {"name": "message", "valueString": warning[1]}]
    return {"resourceType": "Parameters", "parameter": parameters}


def _warning(phn: Phn, accepted: list[int]) -> tuple[str, str] | None:
    if phn.version is None:
        return "unknown-format", _("This is not in a known format. It is kept as entered.")
    if not phn.valid:
        return "check-digit", _("The last digit does not fit the others. Please compare with the card.")
    if phn.version not in accepted:
        return "version-not-accepted", _("This kind of number is no longer used here. It is kept as entered.")
    return None


async def _asked(request: Http, kinds: dict[str, type]) -> dict[str, Any]:
    """The operation's parameters by name. Raises Unreadable; Refused (400) for one it does not take."""
    body = await resource_of(request)
    if body.get("resourceType") == "Patient" and "resource" in kinds:  # the short form FHIR allows
        return {"resource": body}
    try:
        parameters = msgspec.convert(body, Parameters)
    except msgspec.ValidationError as error:
        raise Unreadable(_("These are no Parameters that can be read."), "Parameters") from error
    asked: dict[str, Any] = {}
    for one in parameters.parameter:
        if one.name not in kinds or one.name in asked:
            raise Refused(400, "not-supported", _("This parameter is not supported here: ") + one.name[:40])
        if not isinstance(one.value, kinds[one.name]):
            raise Unreadable(_("This parameter has another type: ") + one.name, "Parameters.parameter")
        asked[one.name] = one.value
    return asked


def _resource(asked: dict[str, Any]) -> Resource:
    if "resource" not in asked:
        raise Refused(400, "required", _("The person (parameter `resource`) is missing."))
    return dict(asked["resource"])


async def _refuse_second(connection: Any, person: Person, *, confirmed: bool) -> None:
    """One person, one number: refuses when this identity holds one (409). A NIC may have been mistyped elsewhere."""
    rows = SQL.holders(connection, subject=person.subject or None, nic=person.nic or None)
    holders = [row["same_subject"] async for row in rows]
    if any(holders) or (holders and not confirmed):
        text = _("Someone with this identity has a PHN already. Please compare, and use that one if it is she.")
        raise Refused(409, "duplicate", text, "identity-known", "Patient.identifier")


async def _issued(connection: Any, authority: Authority, resource: Resource) -> Any:
    """A stored person with a number nobody had before."""
    options = authority.settings.phn
    for _draw in range(_DRAWS):
        if options.issue_version == 1:
            serial = await SQL.next_serial(connection, point_of_issue=options.point_of_issue)
            if serial > 999_999:
                raise Refused(503, "no-store", _("This point of issue has no numbers left."), "numbers-exhausted")
            number = first_phn(options.point_of_issue, serial)
        else:
            number = second_phn(options.point_of_issue, "".join(secrets.choice(PHN_ALPHABET) for _place in range(6)))
        whole = with_phn(resource, number, authority.systems)
        person, _phn = read(whole, authority.systems)
        values = columns(person, whole) | {"phn": number, "at": authority.now()}
        if await SQL.add_person(connection, **values, id=uuid4()) is not None:
            return await SQL.by_phn(connection, phn=number)
    raise Refused(503, "transient", _("No free number was found. Please try again."), "no-free-number")


def _locks(*values: str) -> list[int]:
    """Advisory lock keys of what must not be issued for twice at once, in an order that can't deadlock."""
    digests = {hashlib.sha256(f"phn/{place}/{value}".encode()).digest() for place, value in enumerate(values) if value}
    return sorted(int.from_bytes(digest[:8], "big", signed=True) for digest in digests)
