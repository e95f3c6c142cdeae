"""A client of an authority for Patient Health Numbers: PDQm search and `$match` (FHIR R4), `$issue`, `$check-number`.

Straight, or through a registry's Route as the portals do:

    PhnClient(http, f"{registry}/api/routes/phn-service/run", f"Bearer {midwife's token}", programme)

Looking up, matching and checking are tried again when the server is away; so is issuing, which its `requestId` makes
safe. A national client registry that speaks PDQm answers the first two.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import httpx
import msgspec
import stamina
from msgspec import Struct, field

from janani.programmes import Programme

FHIR_JSON = "application/fhir+json"
MATCH_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
MATCH_REASON = "urn:janani:fhir:match-reason"
_AWAY = {408, 425, 429, 500, 502, 503, 504}
Resource = dict[str, Any]


class PhnError(Exception):
    """The authority refused or could not be reached.

    `status` is the HTTP status (0: no answer), `code` FHIR's issue type, `detail` the authority's own word (for example
    `check-digit`, `identity-known`), `text` its sentence for people, `retryable` whether the same may succeed later.
    """

    def __init__(
        self, status: int, code: str = "", text: str = "", detail: str = "", *, retryable: bool = False
    ) -> None:
        super().__init__(f"PHN authority: {status} {code} {detail}".rstrip() if status else "PHN authority not reached")
        self.status, self.code, self.text, self.detail, self.retryable = status, code, text, detail, retryable


class Demographics(Struct, frozen=True):
    """A person as one describes her; what is empty is not said. `gender` as in FHIR, `phone` E.164."""

    name: str = ""
    birth_date: date | None = None
    gender: str = ""
    phone: str = ""
    address: str = ""
    nic: str = ""
    subject: str = ""


class Holder(Struct, frozen=True):
    """A person who holds `phn`, as the authority knows her."""

    phn: str
    id: str
    demographics: Demographics
    revision: str
    resource: Resource


class Reason(Struct, frozen=True):
    """Why two people may be one: a stable code, and words in the language of the request."""

    code: str
    text: str


class Candidate(Struct, frozen=True):
    """A likely duplicate: `score` from 0 to 1, `grade` certain, probable, possible or certainly-not (or empty)."""

    holder: Holder
    score: float
    grade: str
    reasons: list[Reason]


class NumberCheck(Struct, frozen=True):
    """What a number is.

    Args:
        number: as it is kept.
        result: False only when its check digit is wrong.
        known: someone holds it.
        version: national format, None when it has none.
        warning, message: a code (`unknown-format`, `check-digit`, `version-not-accepted`) and words; empty when fine.
    """

    number: str
    result: bool
    known: bool = False
    version: int | None = None
    point_of_issue: str = field(default="", name="pointOfIssue")
    check_digit: bool | None = field(default=None, name="checkDigit")
    warning: str = ""
    message: str = ""


class PhnClient:
    """The authority whose Patient is at `{base_url}/Patient`.

    Args:
        http: pooled client, from `kernel.http.client`.
        authorization: value of the Authorization header (`Bearer …` for a Route, `ApiToken …` straight).
        programme: says the identifier systems.
        language: the person's language, for reasons and refusals.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        authorization: str,
        programme: Programme,
        *,
        language: str = "en",
        attempts: int = 2,
    ) -> None:
        self._http, self._patient, self._attempts = http, base_url.rstrip("/") + "/Patient", attempts
        self._systems = programme.record.systems
        self._headers = {"authorization": authorization, "accept": FHIR_JSON, "accept-language": language}

    async def lookup(self, number: str) -> Holder | None:
        """Who holds this PHN, or None. Raises PhnError."""
        found = await self.search({"identifier": f"{self._systems['phn']}|{number}"})
        return found[0] if found else None

    async def search(self, parameters: Mapping[str, str]) -> list[Holder]:
        """The people who fit (PDQm, ITI-78: identifier, family, given, birthdate, …). Raises PhnError."""
        bundle = await self._send("GET", "", parameters=parameters)
        return [self._holder(entry["resource"]) for entry in bundle.get("entry", [])]

    async def match(
        self, person: Demographics, *, phn: str = "", only_certain: bool = False, count: int = 10
    ) -> list[Candidate]:
        """Likely duplicates, best first (`Patient/$match`). Raises PhnError."""
        body = _parameters(resource=self.patient(person, phn=phn), onlyCertainMatches=only_certain or None, count=count)
        bundle = await self._send("POST", "/$match", body)
        return [self._candidate(entry) for entry in bundle.get("entry", [])]

    async def issue(self, person: Demographics, *, request_id: str, confirm_distinct: bool = False) -> Holder:
        """A new PHN for `person`; the same `request_id` always gives the same one.

        Raises PhnError, `detail` "identity-known" (409) when someone with her identity or NIC holds one already.
        """
        body = _parameters(
            resource=self.patient(person), requestId=request_id, confirmDistinct=confirm_distinct or None
        )
        return self._holder(await self._send("POST", "/$issue", body))

    async def check(self, number: str) -> NumberCheck:
        """Format, check digit and whether it is known (`Patient/$check-number`). Raises PhnError."""
        answer = await self._send("POST", "/$check-number", _parameters(number=number))
        values = {
            one["name"]: next((value for key, value in one.items() if key.startswith("value")), None)
            for one in answer.get("parameter", [])
        }
        return msgspec.convert(values, NumberCheck)

    async def record(self, number: str, person: Demographics) -> Holder:
        """Keeps what `person` says beside her PHN; what it leaves empty stays as the authority has it.

        Raises PhnError, status 412 when someone changed her meanwhile, `detail` "check-digit" for a wrong number.
        """
        known = await self.lookup(number)
        resource = self.patient(person, phn=number, over=known.resource if known else None)
        headers = {"if-match": f'W/"{known.revision}"'} if known and known.revision else {}
        query = {"identifier": f"{self._systems['phn']}|{number}"}
        return self._holder(await self._send("PUT", "", resource, query, headers))

    def patient(self, person: Demographics, *, phn: str = "", over: Resource | None = None) -> Resource:
        """`person` as a FHIR Patient, laid `over` another one."""
        resource: Resource = {**(over or {}), "resourceType": "Patient"}
        numbers = {"phn": phn, "nic": person.nic, "subject": person.subject}
        ours = {self._systems[role]: value for role, value in numbers.items() if value}
        others = [one for one in resource.get("identifier", []) if one.get("system") not in ours]
        resource["identifier"] = [*({"system": system, "value": value} for system, value in ours.items()), *others]
        if person.name:
            *given, family = person.name.split()
            resource["name"] = [{"text": person.name, "family": family, "given": given or [family]}]
        if person.birth_date:
            resource["birthDate"] = person.birth_date.isoformat()
        if person.gender:
            resource["gender"] = person.gender
        if person.phone:
            resource["telecom"] = [{"system": "phone", "value": person.phone}]
        if person.address:
            resource["address"] = [{"text": person.address}]
        return resource

    def _holder(self, resource: Resource) -> Holder:
        numbers = {one.get("system"): one.get("value", "") for one in reversed(resource.get("identifier", []))}
        born = resource.get("birthDate", "")
        return Holder(
            phn=numbers.get(self._systems["phn"], ""),
            id=resource.get("id", ""),
            demographics=Demographics(
                name=_name(resource),
                birth_date=date.fromisoformat(born) if len(born) == 10 else None,
                gender=resource.get("gender", ""),
                phone=next((one.get("value", "") for one in resource.get("telecom", []) if _is_phone(one)), ""),
                address=_address(resource),
                nic=numbers.get(self._systems["nic"], ""),
                subject=numbers.get(self._systems["subject"], ""),
            ),
            revision=resource.get("meta", {}).get("versionId", ""),
            resource=resource,
        )

    def _candidate(self, entry: Resource) -> Candidate:
        said = entry.get("search", {})
        extensions: Sequence[Resource] = said.get("extension", [])
        concepts = [one["valueCodeableConcept"] for one in extensions if one.get("url") == MATCH_REASON]
        return Candidate(
            holder=self._holder(entry["resource"]),
            score=float(said.get("score", 0)),
            grade=next((one["valueCode"] for one in extensions if one.get("url") == MATCH_GRADE), ""),
            reasons=[Reason(one["coding"][0]["code"], one.get("text", "")) for one in concepts],
        )

    async def _send(
        self,
        method: str,
        path: str,
        body: Resource | None = None,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Resource:
        """One interaction; again when the server is away, unless it is an update."""
        attempts = 1 if method == "PUT" else self._attempts
        async for attempt in stamina.retry_context(on=_may_retry, attempts=attempts, wait_initial=0.2, timeout=15):
            with attempt:
                return await self._once(method, path, body, parameters, headers)
        raise AssertionError("stamina re-raises the last error")

    async def _once(
        self,
        method: str,
        path: str,
        body: Resource | None,
        parameters: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> Resource:
        content = None if body is None else msgspec.json.encode(body)
        sent = self._headers | ({} if content is None else {"content-type": FHIR_JSON}) | dict(headers or {})
        try:
            answer = await self._http.request(
                method, self._patient + path, params=dict(parameters or {}) or None, content=content, headers=sent
            )
        except httpx.HTTPError as error:
            raise PhnError(0, retryable=True) from error
        if not answer.is_success:
            raise _refusal(answer)
        try:
            return msgspec.json.decode(answer.content, type=Resource)
        except msgspec.DecodeError as error:
            raise PhnError(answer.status_code, "structure", "The PHN service's answer can't be read.") from error


class _Issue(Struct, frozen=True):
    code: str = ""
    diagnostics: str = ""
    details: Resource = {}


class _Outcome(Struct, frozen=True):
    issue: list[_Issue] = []


def _refusal(answer: httpx.Response) -> PhnError:
    retryable = answer.status_code in _AWAY
    try:
        [issue, *_others] = msgspec.json.decode(answer.content, type=_Outcome).issue
    except (msgspec.DecodeError, ValueError):
        return PhnError(answer.status_code, retryable=retryable)
    coding = issue.details.get("coding") or [{}]
    return PhnError(answer.status_code, issue.code, issue.diagnostics, coding[0].get("code", ""), retryable=retryable)


def _may_retry(error: Exception) -> bool:
    return isinstance(error, PhnError) and error.retryable


def _parameters(**values: Any) -> Resource:
    """A Parameters resource of those that are not None."""
    kinds = {dict: "resource", bool: "valueBoolean", int: "valueInteger", str: "valueString"}
    given = [{"name": name, kinds[type(value)]: value} for name, value in values.items() if value is not None]
    return {"resourceType": "Parameters", "parameter": given}


def _name(resource: Resource) -> str:
    names: Sequence[Resource] = resource.get("name", [])
    if not names:
        return ""
    return str(names[0].get("text") or " ".join([*names[0].get("given", []), names[0].get("family", "")]).strip())


def _address(resource: Resource) -> str:
    addresses: Sequence[Resource] = resource.get("address", [])
    if not addresses:
        return ""
    one = addresses[0]
    parts = [*one.get("line", []), one.get("postalCode"), one.get("city"), one.get("district"), one.get("state")]
    return str(one.get("text") or ", ".join(part for part in parts if part))


def _is_phone(contact: Resource) -> bool:
    return contact.get("system") in ("phone", "sms", None)
