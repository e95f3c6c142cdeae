"""Writes of any number of resources as a set, within one database transaction.

Load, check, store, in that order: criteria of all changes are locked and resolved, the resources they name are
locked and read, every next version is decided and validated in memory, then all are stored. A single create is
a bundle of one. Order of interactions within a bundle: R4 §http 3.1.0.11.2.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import asyncpg
import msgspec
from msgspec import Struct

from janani.record import changes, indexing, json_text, query, references, store
from janani.record.access import Validator
from janani.record.actor import Actor
from janani.record.changes import Change, Content, Done
from janani.record.matching import Statement
from janani.record.problems import FhirProblem, Invalid, Issue
from janani.record.references import Links
from janani.record.store import Current, Version

Name = tuple[str, str]


def random_id() -> str:
    """A logical id of the server's own: a random UUID (version 4), as `uuid.uuid4` makes at twice the price."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"


class Writer(Struct):
    """Applies changes for one request.

    Args:
        base_url: the FHIR base; absolute references below it are to this store.
        actor: on whose behalf; what is confined to a compartment finds and writes there alone.
        now: the instant of every version this request makes.
    """

    connection: asyncpg.Connection
    base_url: str
    actor: Actor
    now: datetime
    validator: Validator
    new_id: Callable[[], str] = random_id

    async def apply(self, wanted: Sequence[Change]) -> list[Done]:
        """Makes all of `wanted` or none; what came of each, in their order.

        Raises FhirProblem: 400 (bad reference, same resource twice), 403 (criteria), 404, 410, 412, Invalid (422).
        """
        sent = [None if change.resource is None else change.resource.body for change in wanted]
        inside = await self._resolve(wanted, {text for body in sent if body for text in references.conditional(body)})
        current = await self._lock(wanted)
        contents = [self._content(change, body, current, inside) for change, body in zip(wanted, sent, strict=True)]
        self._validate(wanted, contents)
        digests = [_digest(body) for body in sent]
        versions, done = self._decide(wanted, contents, digests, current)
        await self._check_references(versions, current)
        await store.save(self.connection, [version for version in versions if version is not None], self.now)
        await self._note_sent(wanted, versions, digests, current)
        return done

    async def _note_sent(
        self,
        wanted: Sequence[Change],
        versions: Sequence[Version | None],
        digests: Sequence[str | None],
        current: dict[Name, Current],
    ) -> None:
        """Remembers the words of those who said again, otherwise, what is stored already."""
        again = {}
        for change, version, digest in zip(wanted, versions, digests, strict=True):
            before = current.get((change.type, change.id))
            if version is None and before is not None and change.method == "PUT" and before.sent != digest:
                again[before.key] = digest
        if again:
            await store.queries.note_sent(self.connection, keys=list(again), digests=list(again.values()))

    async def _resolve(self, wanted: Sequence[Change], written: set[str]) -> Links:
        """Gives every change its id, and every placeholder and conditional reference (`written`) its target."""
        asked = [(change, references.canonical(change.criteria)) for change in wanted if change.criteria]
        urls = {key: change.criteria for change, key in asked} | {references.canonical(text): text for text in written}
        # What is to change is looked for under a lock: nobody creates it meanwhile. What many refer to is looked for
        # without, and again under a lock only when it isn't there.
        changing = {key for change, key in asked if change.method != "POST"}
        matches = await self._matches({key: url for key, url in urls.items() if key not in changing})
        absent = changing | {key for key, names in matches.items() if not names}
        await self._lock_names({*absent, *(f"{change.type}/{change.id}" for change in wanted if change.id)})
        matches |= await self._matches({key: urls[key] for key in absent})
        leaving = _resolve_deletes(wanted, matches)
        matches = {key: [name for name in names if name not in leaving] for key, names in matches.items()}
        made = _resolve_writes(wanted, matches, self.new_id)
        _refuse_overlap(wanted)
        criteria = {text: _target(text, matches, made) for text in written}
        return Links(_full_urls(wanted), criteria)

    async def _lock_names(self, names: Iterable[str]) -> None:
        locks = sorted(
            {int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True) for name in names}
        )
        if locks:
            await store.queries.lock_criteria(self.connection, locks=locks)

    async def _matches(self, urls: dict[str, str]) -> dict[str, list[Name]]:
        """What each criterion (by its canonical text) finds: identifiers all at once, others one by one (rare)."""
        found: dict[str, list[Name]] = {key: [] for key in urls}
        exact = {key: token for key in urls if (token := query.exact_token(key)) is not None}
        for key in urls.keys() - exact.keys():
            asked = query.criteria(urls[key])
            one = query.identifier_of(asked)
            if one is not None:
                exact[key] = (f"{asked.type}.identifier", *one)
                continue
            self.actor.require_search(asked.types)
            statement = Statement(self.actor.patient, self.base_url)
            sql = f"select r.type, r.id from resource r where {statement.matches(asked)} limit 2"  # noqa: S608
            found[key] = [(row["type"], row["id"]) for row in await self.connection.fetch(sql, *statement.values)]
        if exact:
            keys = list(exact)
            rows = store.queries.match_tokens(
                self.connection,
                places=list(range(len(keys))),
                names=[exact[key][0] for key in keys],
                systems=[exact[key][1] for key in keys],
                codes=[exact[key][2] for key in keys],
                patient=self.actor.patient,
            )
            async for row in rows:
                found[keys[row["place"]]].append((row["type"], row["id"]))
        return found

    async def _lock(self, wanted: Sequence[Change]) -> dict[Name, Current]:
        there = [change for change in wanted if change.id and (change.found or not change.absent)]
        leaving = {(change.type, change.id) for change in there if change.method == "DELETE"}
        changing = {(change.type, change.id) for change in there if change.method != "POST"} - leaving
        # A conditional create that found its match changes nothing: many bundles do so with the same few at once.
        reading = {(change.type, change.id) for change in there} - changing - leaving
        found = await store.lock(self.connection, leaving=leaving, changing=changing, reading=reading)
        for current in found.values():
            if self.actor.patient is not None and self.actor.patient not in current.compartment:
                raise FhirProblem(404, "not-found", f"HAPI-2001: Resource {current.type}/{current.id} is not known")
        return found

    def _content(
        self, change: Change, body: bytes | None, current: dict[Name, Current], inside: Links
    ) -> Content | None:
        """What `change` would store, with references resolved; None when it stores nothing."""
        before = current.get((change.type, change.id))
        if change.absent and change.method == "DELETE":
            return None
        changes.check_preconditions(change, before)
        if change.method == "DELETE" or (change.method == "POST" and change.found):
            return None
        unknown: set[str] = set()
        if body is None:
            body = json_text.encode(changes.patched(change, before))
        linked = inside.rewritten(body, unknown)
        content = changes.next_content(change, linked)
        if unknown:
            text = (
                f"HAPI-0541: Unable to satisfy placeholder ID {min(unknown)} found in resource of type: {change.type}"
            )
            raise FhirProblem(400, "invalid", text, change.where)
        if self.actor.patient is not None and self.actor.patient not in indexing.compartment(
            content.resource, content.said, self.base_url
        ):
            raise FhirProblem(403, "forbidden", "Only resources about yourself may be written")
        return content

    def _validate(self, wanted: Sequence[Change], contents: Sequence[Content | None]) -> None:
        """Raises Invalid with the findings of all resources when any has an error."""
        issues = [
            _placed(issue, change)
            for change, content in zip(wanted, contents, strict=True)
            if content is not None
            for issue in self.validator.validate(content.resource, content.said)
        ]
        if any(issue.severity in ("fatal", "error") for issue in issues):
            raise Invalid(issues)

    def _decide(
        self,
        wanted: Sequence[Change],
        contents: Sequence[Content | None],
        digests: Sequence[str | None],
        current: dict[Name, Current],
    ) -> tuple[list[Version | None], list[Done]]:
        versions, done = [], []
        made: dict[Name, Done] = {}
        for change, content, digest in zip(wanted, contents, digests, strict=True):
            before = current.get((change.type, change.id))
            if change.method == "DELETE":
                version, result = _deleted(change, before, self.now)
            elif content is None or (before is not None and changes.same_content(content.resource, before)):
                version, result = None, _unchanged(change, before, made)
            else:
                version, result = self._written(change, content, digest, before)
                made[change.type, change.id] = result
            versions.append(version)
            done.append(result)
        return versions, done

    def _written(
        self, change: Change, content: Content, digest: str | None, before: Current | None
    ) -> tuple[Version, Done]:
        number = 1 if before is None else before.version + 1
        resource = changes.stamped(content.resource, number, self.now)
        compartment = indexing.compartment(content.resource, content.said, self.base_url)
        version = Version(
            type=change.type,
            id=change.id,
            version=number,
            method=change.method,
            body=json_text.encode(resource),
            compartment=compartment,
            rows=indexing.rows(content.resource, content.said, self.base_url),
            key=None if before is None else before.key,
            sent=digest,
        )
        status = 201 if before is None or before.deleted else 200
        return version, Done(
            status, change.type, change.id, number, self.now, version.body, patients=tuple(compartment)
        )

    async def _check_references(self, versions: Sequence[Version | None], current: dict[Name, Current]) -> None:
        """Referential integrity as HAPI keeps it: nothing may point at what is not there."""
        stored = [version for version in versions if version is not None]
        leaving = [version for version in stored if version.body is None]
        gone = {(version.type, version.id) for version in leaving}
        # What this bundle creates or has locked is there until it ends.
        present = {name for name, before in current.items() if not before.deleted and name not in gone}
        present |= {(version.type, version.id) for version in stored if version.body is not None}
        missing = {row[1:] for version in stored for row in version.rows.references if row[1]} - present
        outside = missing - gone
        if outside:
            rows = store.queries.present_targets(
                self.connection, types=[name[0] for name in outside], ids=[name[1] for name in outside]
            )
            missing -= {(row["type"], row["id"]) async for row in rows}
        if missing:
            text = f"HAPI-1094: Resource {'/'.join(min(missing))} not found, but it is referred to"
            raise FhirProblem(400, "not-found", text)
        if leaving:
            await self._refuse_dangling(leaving, [version.key for version in stored])

    async def _refuse_dangling(self, leaving: Sequence[Version], changing: Sequence[int | None]) -> None:
        rows = store.queries.still_referred(
            self.connection,
            types=[version.type for version in leaving],
            ids=[version.id for version in leaving],
            leaving=[key for key in changing if key is not None],
        )
        async for row in rows:
            text = (
                f"HAPI-0550: Unable to delete {row['type']}/{row['id']} because at least one resource has a"
                f" reference to this resource. First reference found was resource {row['from_type']}/{row['from_id']}"
            )
            raise FhirProblem(409, "conflict", text)


def _digest(body: bytes | None) -> str | None:
    """24 hex digits of SHA-256 of a resource's JSON as it came, blanks aside; None for none (a patch)."""
    return None if body is None else hashlib.sha256(body).hexdigest()[:24]


def _resolve_deletes(wanted: Sequence[Change], matches: dict[str, list[Name]]) -> set[Name]:
    """Gives deletes their ids; the names of what they remove."""
    for change in wanted:
        if change.method == "DELETE" and change.criteria:
            found = matches[references.canonical(change.criteria)]
            _refuse_many(found, change, "DELETE")
            change.absent = not found
            if found:
                change.id, change.found = found[0][1], True
    return {(change.type, change.id) for change in wanted if change.method == "DELETE" and not change.absent}


def _resolve_writes(
    wanted: Sequence[Change], matches: dict[str, list[Name]], new_id: Callable[[], str]
) -> dict[str, Name]:
    """Gives creates and conditional updates their ids; what each criterion of the bundle stands for."""
    made: dict[str, Name] = {}
    for change in (change for change in wanted if change.method != "DELETE"):
        key = references.canonical(change.criteria) if change.criteria else ""
        found = [made[key]] if key in made else matches.get(key, [])
        _refuse_many(found, change, change.method)
        given = None if change.resource is None else change.resource.id
        if found:
            change.found = True
            change.id = found[0][1]
            if change.method == "PUT" and given not in (None, change.id):
                raise FhirProblem(
                    400, "invalid", "HAPI-2279: The resource found by the criteria has another id", change.where
                )
        elif change.method == "PATCH" and change.criteria:
            raise FhirProblem(404, "not-found", "HAPI-2001: No resource matches the criteria", change.where)
        elif not change.id:
            if change.method == "PUT" and isinstance(given, str):
                change.id, change.absent = given, False
            else:
                change.id, change.absent = new_id(), True
        if key:
            made[key] = (change.type, change.id)
    return made


def _target(text: str, matches: dict[str, list[Name]], made: dict[str, Name]) -> str:
    """What the conditional reference `text` points at: an entry of the bundle with that criterion, else a match."""
    key = references.canonical(text)
    found = [made[key]] if key in made else matches[key]
    resource_type = text.partition("?")[0]
    if not found:
        raise FhirProblem(
            404, "not-found", f"HAPI-1091: Invalid match URL [{resource_type}?…] - No resources match this search"
        )
    if len(found) > 1:
        text = f"HAPI-1092: Invalid match URL [{resource_type}?…] - Multiple resources match this search"
        raise FhirProblem(412, "multiple-matches", text)
    return "/".join(found[0])


def _full_urls(wanted: Sequence[Change]) -> dict[str, str]:
    links = {}
    for change in wanted:
        if change.full_url and change.method != "DELETE":
            target = f"{change.type}/{change.id}"
            links[change.full_url] = target
            if change.full_url.startswith(("http://", "https://")):
                links["/".join(change.full_url.split("/")[-2:])] = target
    return links


def _refuse_many(found: Sequence[Name], change: Change, method: str) -> None:
    if len(set(found)) > 1:
        text = f"HAPI-0958: Failed to {method}: the match URL matched {len(set(found))} resources"
        raise FhirProblem(412, "multiple-matches", text, change.where)


def _refuse_overlap(wanted: Sequence[Change]) -> None:
    seen: set[Name] = set()
    for change in wanted:
        reading = change.method == "POST" and change.found
        name = (change.type, change.id)
        if change.id and not reading and name in seen:
            text = "HAPI-0535: Transaction bundle contains multiple entries for the same resource"
            raise FhirProblem(400, "invalid", text, change.where)
        if change.id and not reading:
            seen.add(name)


def _deleted(change: Change, before: Current | None, now: datetime) -> tuple[Version | None, Done]:
    if before is None or before.deleted:
        what = "was already deleted" if before is not None else "does not exist"
        what = "Unable to find resource matching the criteria" if change.absent else f"Not deleted, resource {what}."
        note = Issue("information", "informational", what)
        return None, Done(200, change.type, change.id if before else "", issues=(note,))
    number = before.version + 1
    version = Version(
        type=change.type,
        id=change.id,
        version=number,
        method="DELETE",
        body=None,
        compartment=before.compartment,
        rows=indexing.Rows(),
        key=before.key,
    )
    note = Issue("information", "informational", "Successfully deleted 1 resource(s).")
    return version, Done(200, change.type, change.id, number, now, issues=(note,), patients=tuple(before.compartment))


def _unchanged(change: Change, before: Current | None, made: dict[Name, Done]) -> Done:
    """What `change` found, there already or `made` by an entry before it. Raises FhirProblem 409 when it just went."""
    if before is not None and before.body is not None:
        return Done(
            200,
            change.type,
            change.id,
            before.version,
            before.last_updated,
            before.body,
            patients=tuple(before.compartment),
        )
    if (change.type, change.id) not in made:
        text = "HAPI-0823: What the criteria found was deleted meanwhile. Please try again."
        raise FhirProblem(409, "conflict", text, change.where)
    return msgspec.structs.replace(made[change.type, change.id], status=200)


def _placed(issue: Issue, change: Change) -> Issue:
    """`issue` with its place within the bundle."""
    if not change.where:
        return issue
    place = issue.expression.removeprefix(change.type)
    return Issue(issue.severity, issue.code, issue.diagnostics, f"{change.where}.resource{place}")
