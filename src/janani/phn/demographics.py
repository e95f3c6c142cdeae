"""Looking people up (PDQm, ITI-78) and keeping the demographics of those who hold a PHN."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from litestar import Response, get, post, put
from litestar.params import FromPath

from janani.kernel.i18n import _
from janani.phn import names
from janani.phn.authority import SQL, Authority, Http, The, fhir, resource_of
from janani.phn.patients import GENDERS, Resource, Systems, answered, columns, read, with_phn
from janani.phn.problems import NotFound, Refused, Unreadable
from janani.programmes.sri_lanka import Phn, e164, parse_nic, parse_phn

SEARCHED = ("_id", "identifier", "name", "family", "given", "gender", "birthdate", "telecom", "phone")
_IGNORED = ("_format", "_pretty", "_count")
MOST = 50


@get("/fhir/Patient")
async def search(request: Http, authority: The) -> Response[Any]:
    """The people who fit every criterion. Raises Refused (400): none given, or one this part does not know."""
    return await _found(request, authority, list(request.query_params.multi_items()))


@post("/fhir/Patient/_search", status_code=200)
async def search_by_form(request: Http, authority: The) -> Response[Any]:
    """The same with its criteria in the body, where no log of addresses keeps them."""
    try:
        form = parse_qsl((await request.body()).decode(), keep_blank_values=True)
    except ValueError as error:
        raise Unreadable(_("The form can't be read.")) from error
    return await _found(request, authority, [*request.query_params.multi_items(), *form])


async def _found(request: Http, authority: Authority, parameters: list[tuple[str, str]]) -> Response[Any]:
    criteria = criteria_of(parameters, authority.systems)
    found = [row async for row in SQL.found(authority.pool, **criteria)]
    await authority.note(request, "search", [row["id"] for row in found])
    base = str(authority.settings.phn.url).rstrip("/")
    return fhir(searchset([(answered(row), {"mode": "match"}) for row in found], base))


@get("/fhir/Patient/{person_id:str}")
async def read_one(request: Http, authority: The, person_id: FromPath[str]) -> Response[Any]:
    """One person by our id."""
    row = await SQL.by_id(authority.pool, id=_uuid(person_id))
    if row is None:
        raise NotFound
    await authority.note(request, "read", [row["id"]])
    return fhir(answered(row), headers={"etag": f'W/"{row["revision"]}"'})


@post("/fhir/Patient")
async def create(request: Http, authority: The) -> Response[Any]:
    """Records a person who brings a PHN. Raises Refused: 409 when it is known already, 422 when it can't be one."""
    resource = await resource_of(request)
    _person, phn = read(resource, authority.systems)
    return await _recorded(request, authority, resource, checked(phn), may_exist=False)


@put("/fhir/Patient")
async def update(request: Http, authority: The) -> Response[Any]:
    """Conditional update by PHN (`?identifier=system|value`): 201 for a person new here, else 200.

    `If-Match` guards against another's change in between (412).
    """
    resource = await resource_of(request)
    asked = list(request.query_params.multi_items())
    system, _bar, value = (asked[0][1] if [name for name, _value in asked] == ["identifier"] else "").rpartition("|")
    if system != authority.systems.phn:
        raise Refused(400, "required", _("A person is updated by PHN: ?identifier=<PHN system>|<PHN>."))
    _person, phn = read(resource, authority.systems)
    if phn is None:
        phn = parse_phn(value)
    elif phn.number != parse_phn(value).number:
        raise Refused(
            400, "value", _("The PHN in the address is not the PHN in the resource."), "", "Patient.identifier"
        )
    return await _recorded(request, authority, resource, checked(phn), may_exist=True)


def checked(phn: Phn | None) -> Phn:
    """A PHN that may be kept: of a known layout with its right check digit, or of none. Raises Refused (422)."""
    place = "Patient.identifier"
    if phn is None or not phn.number:
        raise Refused(422, "required", _("The person's PHN is missing."), "phn-missing", place)
    if phn.valid is False:
        raise Refused(422, "value", _("The last digit of this PHN does not fit the others."), "check-digit", place)
    return phn


async def _recorded(
    request: Http, authority: Authority, resource: Resource, phn: Phn, *, may_exist: bool
) -> Response[Any]:
    resource = with_phn(resource, phn.number, authority.systems)
    person, _phn = read(resource, authority.systems)
    values = columns(person, resource) | {"phn": phn.number, "at": authority.now()}
    revision = _revision(request.headers.get("if-match", ""))
    async with authority.pool.acquire() as connection, connection.transaction():
        status = 200
        row = await SQL.change_person(connection, **values, revision=revision) if may_exist else None
        if row is None:
            if revision is not None:
                raise Refused(412, "conflict", _("Someone else changed this person meanwhile. Please look again."))
            if await SQL.add_person(connection, **values, id=uuid4()) is None:
                raise Refused(409, "duplicate", _("This PHN is known already."), "phn-known", "Patient.identifier")
            row, status = await SQL.by_phn(connection, phn=phn.number), 201
        await authority.note(request, "record", [row["id"]], connection)
    headers = {"etag": f'W/"{row["revision"]}"'}
    if status == 201:
        headers["location"] = f"{authority.settings.phn.url.rstrip('/')}/fhir/Patient/{row['id']}"
    return fhir(answered(row), status, headers)


def criteria_of(parameters: Sequence[tuple[str, str]], systems: Systems) -> dict[str, Any]:
    """The parameters of the statement `found`. Raises Refused (400)."""
    criteria: dict[str, Any] = dict.fromkeys(
        ("id", "phns", "subjects", "nics", "name_keys", "gender", "birth_date", "phones")
    )
    criteria["most"] = MOST
    given = [(name, value.strip()) for name, value in parameters if name not in _IGNORED]
    if not any(value and name != "gender" for name, value in given):  # nobody may list everybody
        raise Refused(400, "required", _("Say whom to look for: a PHN, or a name and a date of birth."))
    seen: set[str] = set()
    for name, value in given:
        if name not in SEARCHED or (name in seen and name not in ("given", "family", "name")):
            raise Refused(400, "not-supported", _("This search parameter is not supported here: ") + name[:40])
        seen.add(name)
        _add(criteria, name, value, systems)
    most = next((value for name, value in parameters if name == "_count"), "")
    if most.isdigit():
        criteria["most"] = min(int(most), MOST)
    return criteria


def _add(criteria: dict[str, Any], name: str, value: str, systems: Systems) -> None:
    if name == "_id":
        criteria["id"] = _uuid(value)
    elif name == "identifier":
        criteria |= _numbers([one for one in value.split(",") if one.strip()], systems)
    elif name in ("name", "family", "given") and names.keys(value):
        criteria["name_keys"] = sorted({*(criteria["name_keys"] or ()), *names.keys(value)})
    elif name == "gender" and value in GENDERS:
        criteria["gender"] = value
    elif name == "birthdate":
        criteria["birth_date"] = _date(value.removeprefix("eq"))
    elif name in ("telecom", "phone"):
        number = value.rpartition("|")[2]
        criteria["phones"] = [e164(number, systems.region) or number]
    else:
        raise Refused(400, "value", _("This value can't be searched for: ") + name)


def _numbers(tokens: list[str], systems: Systems) -> dict[str, list[str]]:
    """Identifier tokens (`system|value`, `value`) by the column they are looked for in."""
    wanted: dict[str, list[str]] = {"phns": [], "subjects": [], "nics": []}
    for token in tokens:
        system, bar, value = token.rpartition("|")
        value = value.strip()
        if not bar or system == systems.phn:
            wanted["phns"].append(parse_phn(value).number)
        if not bar or system == systems.subject:
            wanted["subjects"].append(value)
        if not bar or system == systems.nic:
            nic = parse_nic(value)
            wanted["nics"].append(nic.new_form if nic else value)
    return wanted


def searchset(found: Sequence[tuple[Resource, dict[str, Any]]], base: str) -> Resource:
    """A searchset of resources with their `search` members."""
    entries = [
        {"fullUrl": f"{base}/fhir/Patient/{resource['id']}", "resource": resource, "search": search}
        for resource, search in found
    ]
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return bundle | ({"entry": entries} if entries else {})


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Refused(400, "value", _("A date of birth is searched as YYYY-MM-DD.")) from error


def _uuid(text: str) -> UUID:
    """Raises NotFound, since no other id was ever given out."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound from error


def _revision(if_match: str) -> int | None:
    """The version in an `If-Match`. Raises Refused (400) for one that is not ours."""
    if not if_match:
        return None
    found = re.fullmatch(r'W/"(\d{1,9})"', if_match.strip())
    if found is None:
        raise Refused(400, "value", _('If-Match is written W/"version".'))
    return int(found[1])
