"""Brings back what someone changed in a resource that the registry had delivered, under the rule of its field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError
from janani.kernel import postgres
from janani.sync.back import event as events
from janani.sync.back.clinic import Clinic, Refused, Wires, imported
from janani.sync.back.judging import Verdict, judge
from janani.sync.back.ours import DAY, Ours, grounds_of, texts_of
from janani.sync.back.sorting import seen
from janani.sync.mapping.values import condition_on
from janani.sync.source import Source as Registry

_queries = postgres.queries("janani.sync.back")
_KEPT = ("event", "status", "program", "programStage", "enrollment", "orgUnit", "occurredAt", "scheduledAt")
_ASKED = ("performer", "priority", "occurrenceDateTime")
"""What of a ServiceRequest asks: whom, how urgently, on which day."""
Json = dict[str, Any]
Texts = dict[str, str]


class Edit(Struct, frozen=True):
    """An edit: the resource, the name `{event}-{name}` that the registry delivered it under, its versions.

    `verdict` is what people decided: `{data element}={side}:{digest of what they saw}`, several with blanks between.
    """

    source: str
    name: str
    version: int
    first: int
    verdict: str = ""


class Edits:
    """Raises Dhis2Error, FhirError, Refused."""

    def __init__(self, wires: Wires, clinic: Clinic, ours: Ours, registry: Registry) -> None:
        self._, self._clinic, self._ours, self._registry = wires, clinic, ours, registry

    async def bring(self, edit: Edit) -> str:
        """Settles one edit; says what became of it."""
        uid, _, rest = edit.name.partition("-")
        try:
            event = await self._.registry.get(f"/tracker/events/{uid}", {"fields": "*"})
        except Dhis2Error as error:
            if error.gone:
                return "nothing"
            raise
        resource, current = await self._version(edit.source, edit.version), await self._version(edit.source, 0)
        if event.get("deleted") or resource is None or current is None:
            return "nothing"
        stands = _version(current) == _version(resource)
        if rest == "referral":
            return await self._referred(edit, event, resource, current)
        role = self._.roles.get(event.get("programStage", ""), "")
        said, refused = self._texts(resource, role)
        if refused:
            return await self._in_words(edit, event, resource, refused, stands)
        base, _ = self._texts(await self._version(edit.source, edit.first - 1) if edit.first > 1 else None, role)
        return await self._settle(edit, event, base, said, resource, stands)

    async def _settle(self, edit: Edit, event: Json, base: Texts, said: Texts, resource: Json, stands: bool) -> str:
        texts, zone = texts_of(event), (await self._registry.context()).zone
        changed_at = {one["dataElement"]: one.get("updatedAt") for one in event.get("dataValues") or ()}
        record_at = _instant(resource.get("meta", {}).get("lastUpdated"), self._.zone)
        decided = dict(one.split("=", 1) for one in edit.verdict.split())
        verdicts: dict[str, Verdict] = {}
        for uid in sorted({*base, *said}):
            ours, theirs = texts.get(uid), said.get(uid)
            side, _, saw = decided.get(uid, "").partition(":")
            if ours != theirs and saw == seen(ours, theirs):  # else either changed since: who decided did not see that
                verdicts[uid] = "record" if side == "record" else "registry"
                continue
            registry_at = _instant(changed_at.get(uid), zone)  # type: ignore[arg-type]
            rule = self._.definition.rule(uid)
            verdicts[uid] = judge(base.get(uid), ours, theirs, rule, registry_at, record_at)
        return await self._do(edit, event, texts, said, verdicts, stands)

    async def _do(
        self, edit: Edit, event: Json, texts: Texts, said: Texts, verdicts: Mapping[str, Verdict], stands: bool
    ) -> str:
        person, key = event["trackedEntity"], self._key(edit)
        to_registry = {uid: said.get(uid) for uid, verdict in verdicts.items() if verdict == "record"}
        if to_registry:
            now = {uid: text for uid, text in {**texts, **to_registry}.items() if text is not None}
            await self._ours.say(person, {event["event"]: now})
            if stands:  # before the import: its change must find that the record says so already
                await self._ours.hold(person, key, event["event"], {uid: now.get(uid, "") for uid in verdicts})
            values = [{"dataElement": uid, "value": text} for uid, text in sorted(to_registry.items())]
            sent = {name: event[name] for name in _KEPT if event.get(name)} | {"dataValues": values}
            try:
                await imported(self._.registry, sent)
            except (Refused, Dhis2Error):
                if stands:  # as long as the registry says what it says, its next delivery must not write over the edit
                    await self._ours.hold(person, key, event["event"], {uid: texts.get(uid, "") for uid in verdicts})
                raise
            texts = now
        await self._ask(edit, event, texts, said, verdicts)
        if "ask" in verdicts.values():
            if stands:
                await self._ours.hold(person, key, event["event"], {uid: texts.get(uid, "") for uid in verdicts})
            return "asked"
        if "registry" in verdicts.values():
            await self._ours.resend(person, key, self._.clock())
            return "set_right"
        if not to_registry:
            return "unchanged"
        return "changed"

    async def _ask(self, edit: Edit, event: Json, texts: Texts, said: Texts, verdicts: Mapping[str, Verdict]) -> None:
        for uid, verdict in verdicts.items():
            place = {"event": event["event"], "element": uid, "now": self._.clock()}
            if verdict != "ask":
                decided = "record" if verdict == "record" else "registry"
                await _queries.close_conflicts_of(self._.pool, decided=decided, **place)
                continue
            await _queries.ask(
                self._.pool,
                source=edit.source,
                name=edit.name,
                version=edit.version,
                first=edit.first,
                person=event["trackedEntity"],
                registry_text=texts.get(uid),
                record_text=said.get(uid),
                **place,
            )

    async def _referred(self, edit: Edit, event: Json, request: Json, current: Json) -> str:
        """A clinic's answer to a referral: an event of its own, since the referral itself is the midwife's.

        From then on the referral and its Task stand as answered until she asks again. An answer that was taken back
        takes its event with it, and both are the midwife's again.
        """
        person, keys = event["trackedEntity"], self._keys(edit)
        if await self._taken_back(edit, request):
            for key in keys:
                await self._ours.resend(person, key, self._.clock())
            return await self._clinic.take_back(edit.source)
        said, grounds = self._.definition, grounds_of(event)
        answered = request.get("status") != "active"  # else words on it, and every correction is still welcome
        if _version(current) == _version(request) or (answered and await self._put_back(edit, request, current)):
            on = (*said.asks_again, DAY) if answered else tuple(texts_of(event))
            for key in keys if answered else keys[:1]:
                await self._ours.hold(person, key, event["event"], {uid: grounds.get(uid, "") for uid in on})
        if not said.answer:
            return "nothing"
        notes = [str(one["text"]) for one in request.get("note") or () if one.get("text")]
        text = "\n".join(notes) or str(request.get("status", ""))
        return await self._tell(edit, request, {said.answer: text}, person)

    async def _taken_back(self, edit: Edit, request: Json) -> bool:
        """Whether this version opens a referral again that was answered in words."""
        if request.get("status") != "active" or edit.version < 2:
            return False
        before = await self._version(edit.source, edit.version - 1)
        return before is not None and before.get("status") == "completed" and bool(before.get("note"))

    async def _put_back(self, edit: Edit, request: Json, current: Json) -> bool:
        """Puts an answer back that the sync wrote over before it knew of it; whether it did.

        Not when the midwife asks otherwise by now, or when someone else wrote last.
        """
        if current.get("status") != "active" or current.get("note"):
            return False
        if any(current.get(name) != request.get(name) for name in _ASKED):
            return False
        system = self._.identifiers["value"]
        tasks = await self._.record.search("Task", {"identifier": f"{system}|{edit.name}"})
        answered = {name: request[name] for name in ("status", "note") if name in request}
        entries = [_put(current | answered)]
        entries += [_put(one | {"status": "completed"}) for one in tasks if one.get("status") == "requested"]
        await self._.record.transaction({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        return True

    async def _in_words(self, edit: Edit, event: Json, resource: Json, refused: list[str], stands: bool) -> str:
        """What no value can say, a problem that was closed for example: in words, and the value stays."""
        place, said = self._.definition.words.get(resource["resourceType"], ""), events.sentence(resource)
        texts = texts_of(event)
        mine = {uid: texts.get(uid, "") for uid, code in self._.definition.names.items() if code in refused}
        if not place or not said:
            await _queries.unread(self._.pool, source=edit.source, whats=[f"{resource['resourceType']} {refused[0]}"])
            return "unread"
        return await self._beside(edit, event, resource, {place: said}, stands, mine)

    async def _beside(self, edit: Edit, event: Json, resource: Json, texts: Texts, stands: bool, held: Texts) -> str:
        if stands:
            await self._ours.hold(event["trackedEntity"], self._key(edit), event["event"], held)
        return await self._tell(edit, resource, texts, event["trackedEntity"])

    async def _tell(self, edit: Edit, resource: Json, texts: Texts, person: str) -> str:
        on = events.day_of({"meta": resource.get("meta", {}), "resourceType": ""}, self._.zone)
        return await self._clinic.write(edit.source, "", on, texts, [edit.source], person=person)

    def _texts(self, resource: Json | None, role: str) -> tuple[Texts, list[str]]:
        refused: list[str] = []
        if resource is None:
            return {}, refused
        found = self._.back.read(resource, role, lambda field, reason: refused.append(field))
        return {one.uid: one.text for one in found}, refused

    async def _version(self, source: str, version: int) -> Json | None:
        """One version of a resource, the current one for 0; None when it is gone."""
        kind, _, id_ = source.partition("/")
        try:
            return await (self._.record.vread(kind, id_, version) if version else self._.record.read(kind, id_))
        except FhirError as error:
            if error.gone:
                return None
            raise

    def _key(self, edit: Edit) -> str:
        return self._keys(edit, edit.source.partition("/")[0])[0]

    def _keys(self, edit: Edit, *kinds: str) -> list[str]:
        """Under which the registry delivers the resources of this name: by default a referral and its Task."""
        kinds = kinds or ("ServiceRequest", "Task")
        return [condition_on(kind, self._.identifiers["value"], edit.name) for kind in kinds]


def _version(resource: Json) -> str:
    return str(resource.get("meta", {}).get("versionId", ""))


def _put(changed: Json) -> Json:
    url = f"{changed['resourceType']}/{changed['id']}"
    return {"resource": changed, "request": {"method": "PUT", "url": url, "ifMatch": f'W/"{_version(changed)}"'}}


def _instant(text: str | None, zone: ZoneInfo) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=zone)
