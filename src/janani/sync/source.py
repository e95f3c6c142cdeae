"""The registry as the agent sees it: people, and what their mapping needs to know of units, users and the system."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import convert

from janani.clients.dhis2 import Dhis2Client, Dhis2Error, minor
from janani.kernel.clock import Clock
from janani.kernel.telemetry import log
from janani.sync.mapping import AnyMapper, Context, Unit, User
from janani.sync.mapping.model import Person

_FRESH = timedelta(hours=1)
_PAUSE = timedelta(seconds=30)
_TICK = timedelta(milliseconds=1)
_NOT_ALLOWED = {403, 404, 409, 501}


class OutOfSight(Exception):
    """The registry neither shows a person to the sync's user nor says that she was deleted."""


class Source:
    """Reads the registry over its Web API. Units and users are kept for an hour, or until one is unknown."""

    def __init__(
        self,
        registry: Dhis2Client,
        clock: Clock,
        own_user: str = "",
        unseen_stage: str = "",
        units: Sequence[str] = (),
    ) -> None:
        """What the sync wrote back is not seen here as the registry's word.

        Args:
            own_user: name of the user that the sync is; a change of its own is nobody's.
            unseen_stage: UID of the programme stage whose events came from the record.
            units: UIDs of the units that people must belong to, or to one below; none: all.
        """
        self._registry, self._clock, self._within = registry, clock, frozenset(units)
        self._own_user, self._unseen = own_user, unseen_stage
        self._context: Context | None = None
        self._read_at = datetime.min.replace(tzinfo=clock().tzinfo)
        self._lock = asyncio.Lock()

    async def person(self, uid: str) -> dict[str, Any] | None:
        """The whole tracked entity; None when it was deleted. Raises Dhis2Error, OutOfSight."""
        try:
            person = await self._registry.tracked_entity(uid)
        except Dhis2Error as error:
            if not (error.gone or (error.told and error.status == 403)):
                raise
            if not await self._deleted(uid):
                raise OutOfSight from error
            return None
        return self._seen(person)

    async def _deleted(self, uid: str) -> bool:
        """Whether the registry lists her as deleted (§3.3). "Not found" is also said of who left our user's units."""
        query = await self._named([uid]) | {
            "includeDeleted": "true",
            "fields": "trackedEntity,deleted",
            "pageSize": "2",
        }
        async for one in self._registry.tracked_entities(query):
            if one.get("trackedEntity") == uid and one.get("deleted"):
                return True
        return False

    async def _named(self, uids: Sequence[str]) -> dict[str, str]:
        """What asks for these people; version 41 has new names for it (§3.3)."""
        mode = await self._accessible()
        return mode | ({"trackedEntity": ";".join(uids)} if "ouMode" in mode else {"trackedEntities": ",".join(uids)})

    async def _accessible(self) -> dict[str, str]:
        """What asks for all that our user may search; version 41 has a new name for it (§3.3)."""
        old = minor((await self.context()).version) < 41
        return {"ouMode" if old else "orgUnitMode": "ACCESSIBLE"}

    async def people(self, uids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The whole tracked entities of those of `uids` that are there, in one request (§3.3). Raises Dhis2Error."""
        found = {}
        async for person in self._registry.tracked_entities(
            await self._named(uids) | {"fields": "*", "pageSize": "500"}
        ):
            seen = self._seen(person)
            if seen is not None:
                found[person["trackedEntity"]] = seen
        return found

    async def concerns(self, mapper: AnyMapper, person: dict[str, Any] | Person) -> bool:
        """Whether she is of the mapper's programme, and of one of the units to be synced: she, her owner, an enrolment
        or an event. A unit that the registry does not show is of none. Raises Dhis2Error."""
        if not mapper.concerns(person):
            return False
        if not self._within:
            return True
        context = await self.context(person)
        known = (context.units.get(unit) for unit in _units_of(person))
        return any(not self._within.isdisjoint((unit.uid, *unit.path)) for unit in known if unit)

    async def everybody(self, mapper: AnyMapper, size: int) -> AsyncIterator[dict[str, Any]]:
        """All tracked entities of the mapper's programme by UID, page by page; some more than once.

        Of each as much as the mapper needs, as what it `reads`. A page begins where the one before ended, by the time
        of the last change: its price does not grow with its number, and who is changed meanwhile comes again at the
        end. Raises Dhis2Error.
        """
        query = await self._accessible() | {
            "program": mapper.programme.registry.program,
            "fields": mapper.fields,
            "order": "updatedAt:asc",
            "pageSize": str(size),
        }
        after, number = "", 1
        while True:
            since = {"updatedAfter": after} if after else {}
            people = await self._registry.tracked_entity_page(query | since | {"page": str(number)}, mapper.reads)
            if mapper.reads is Person:
                yield {one.trackedEntity: one for one in await self._all_seen(people)}
            else:
                yield {one["trackedEntity"]: seen for one in people if (seen := self._seen(one)) is not None}
            if len(people) < size:
                return
            following = _just_before(people[-1])
            # Not later: many bear one time, or the server's clock was set back for the winter.
            after, number = (following, 1) if following > after else (after, number + 1)

    async def _all_seen(self, people: list[Person]) -> list[Person]:
        """`people` without what the sync itself wrote back.

        Where it changed an event of somebody else, that person is read whole: the values tell who was the last before.
        """
        if not self._unseen:
            return people
        touched = []
        for person in people:
            for enrollment in person.enrollments or ():
                events = [one for one in enrollment.events or () if one.programStage != self._unseen]
                enrollment.events = events
                if any((one.updatedBy or {}).get("username") == self._own_user for one in events):
                    touched.append(person.trackedEntity)
        if not touched:
            return people
        whole = await self.people(list(dict.fromkeys(touched)))
        wanted = set(touched) - whole.keys()  # gone since
        return [
            convert(whole[one.trackedEntity], Person) if one.trackedEntity in whole else one
            for one in people
            if one.trackedEntity not in wanted
        ]

    def _seen(self, person: dict[str, Any]) -> dict[str, Any] | None:
        """`person` without what the sync itself wrote back; None when she is deleted."""
        if person.get("deleted"):
            return None
        for enrollment in person.get("enrollments") or () if self._unseen else ():
            events = enrollment.get("events") or ()
            seen = [one for one in events if one.get("programStage") != self._unseen]
            enrollment["events"] = [self._by_people(one) for one in seen]
        return person

    def _by_people(self, event: dict[str, Any]) -> dict[str, Any]:
        """`event` as last changed by a person: the sync's own change of a value makes it nobody else's."""
        if (event.get("updatedBy") or {}).get("username") != self._own_user:
            return event
        changes = [one for one in event.get("dataValues") or () if (one.get("updatedBy") or {}).get("uid")]
        theirs = [one for one in changes if one["updatedBy"].get("username") != self._own_user]
        last = max(theirs, key=lambda one: str(one.get("updatedAt", "")), default=None)
        if last is None:
            return event | {"updatedBy": event.get("createdBy"), "updatedAt": event.get("createdAt")}
        return event | {"updatedBy": last["updatedBy"], "updatedAt": last.get("updatedAt") or event.get("createdAt")}

    async def context(self, person: dict[str, Any] | Person | None = None) -> Context:
        """What the registry says about itself, knowing the units and users that `person` names where it can."""
        context, age = self._context, self._clock() - self._read_at
        if context is not None and age < _FRESH and (age < _PAUSE or not _unknown(person, context)):
            return context
        async with self._lock:
            if self._context is context or self._context is None:
                self._context = await self._read(context)
                self._read_at = self._clock()
            return self._context

    async def _read(self, before: Context | None) -> Context:
        info = await self._registry.system_info()
        units = await self._collection("organisationUnits", "id,name,code,path")
        users = await self._collection("users", "id,username,firstName,surname,phoneNumber,email")
        context = Context(
            zone=_zone(info.server_time_zone_id),
            system_id=info.system_id,
            version=info.version,
            name=info.system_name or "DHIS2",
            url=self._registry.api.removesuffix("/api"),
            units={unit.uid: unit for unit in map(_unit, units)},
            users={user.uid: user for user in map(_user, users)},
        )
        return before if before == context and before is not None else context

    async def _collection(self, kind: str, fields: str) -> list[dict[str, Any]]:
        """All objects of a kind; none when this user may not see them."""
        try:
            return await self._registry.metadata(kind, fields=fields)
        except Dhis2Error as error:
            if error.status not in _NOT_ALLOWED:
                raise
            log("sync").warning("metadata_not_readable", kind=kind, status=error.status)
            return []


def _units_of(person: dict[str, Any] | Person) -> Iterator[str]:
    """The units that a person names: her own, her owners', her enrolments' and her events'."""
    one = person if isinstance(person, Person) else convert(person, Person)
    enrollments = one.enrollments or ()
    events = (event for enrollment in enrollments for event in enrollment.events or ())
    for place in (one, *(one.programOwners or ()), *enrollments, *events):
        if place.orgUnit:
            yield place.orgUnit


def _just_before(person: dict[str, Any] | Person) -> str:
    """The time before a person's last change, as the server writes times; "" when it does not say."""
    last = person.updatedAt if isinstance(person, Person) else person.get("updatedAt")
    return (datetime.fromisoformat(last) - _TICK).isoformat(timespec="milliseconds") if last else ""


def _unknown(person: dict[str, Any] | Person | None, context: Context) -> bool:
    """Whether `person` names a unit or user that the context lacks."""
    if person is None:
        return False
    if isinstance(person, Person):
        return _all_unknown(person, context)
    holders = [person]
    for enrollment in person.get("enrollments") or ():
        holders += [enrollment, *(enrollment.get("events") or ())]
    return any(_lacks(context, one.get("orgUnit"), one.get("updatedBy"), one.get("createdBy")) for one in holders)


def _all_unknown(person: Person, context: Context) -> bool:
    if _lacks(context, person.orgUnit, person.updatedBy, None):
        return True
    for enrollment in person.enrollments or ():
        if _lacks(context, enrollment.orgUnit, None, enrollment.createdBy):
            return True
        if any(_lacks(context, one.orgUnit, one.updatedBy, one.createdBy) for one in enrollment.events or ()):
            return True
    return False


def _lacks(context: Context, unit: str | None, *users: Any) -> bool:
    if unit and unit not in context.units:
        return True
    return any(isinstance(user, dict) and user.get("uid") and user["uid"] not in context.users for user in users)


def _unit(one: dict[str, Any]) -> Unit:
    path = tuple(part for part in (one.get("path") or "").split("/") if part)
    return Unit(one["id"], one.get("name") or one["id"], one.get("code") or "", path)


def _user(one: dict[str, Any]) -> User:
    keys = ("username", "firstName", "surname", "phoneNumber", "email")
    return User(one["id"], *(str(one.get(key) or "") for key in keys))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        log("sync").warning("unknown_time_zone")
        return ZoneInfo("Etc/UTC")
