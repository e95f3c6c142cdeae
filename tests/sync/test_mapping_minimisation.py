"""What leaves the registry is what the table names, no more (issue 4 §5).

Every text of a tracked entity is a marker that says where it stood. Whatever marker is found in the bundle must be of
a field that the table names, or of the few parts of an event that its templates read.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from janani import programmes
from janani.programmes import Programme
from janani.sync import delivery, mapping
from janani.sync.mapping import checking
from janani.sync.mapping.cases import context
from janani.sync.mapping.coverage import uses
from sync import sample

ROOT = Path(__file__).parents[2]
FOLDERS = ["anc_lk", str(ROOT / "docs/tutorial/immunisation")]
_MARKER = re.compile(r"MARK-([A-Za-z0-9_]+)-END")
_USERS = {"username", "firstName", "surname"}
"""Who wrote it: the templates of Practitioner read these."""


@pytest.fixture(params=FOLDERS)
def programme(request: pytest.FixtureRequest) -> Programme:
    return programmes.load(request.param)


def _marked(programme: Programme) -> dict[str, Any]:
    """A person each of whose texts, in every place that DHIS2 has, is a marker.

    Only of a field that the table names the value fits a type that is no text: of another there is nothing to fit.
    """
    table, catalogue = checking.read(programme)
    named = {use.code for use in uses(table)}

    def user(place: str) -> dict[str, Any]:
        names = ("username", "firstName", "surname", "displayName", "email")
        return {"uid": "userUserUse"} | {name: f"MARK-{name}-END" for name in names} | {"note": f"MARK-{place}-END"}

    def texts(fields: Any, key: str) -> list[dict[str, Any]]:
        values = []
        for field in fields:
            fits = {"DATE": "2025-06-15", "BOOLEAN": "true", "TRUE_ONLY": "true"}
            text = fits.get(
                field.value_type, "7" if "INTEGER" in field.value_type or field.value_type == "NUMBER" else ""
            )
            text = next(iter(field.options), text) if field.code in named else ""
            text = text or f"MARK-{field.code}-END"
            extra = {name: f"MARK-value_{name}-END" for name in ("storedBy", "displayName", "comment")}
            values.append(
                {key: field.uid, "value": text, "createdBy": user("value"), "updatedBy": user("value")} | extra
            )
        nobodys = {key: "nobodysFiel", "value": "MARK-nobodys_field-END"}  # metadata.json does not have it
        return [*values, nobodys]

    notes = [{"note": "uidOfANoteX", "value": "MARK-note-END", "storedBy": "MARK-note_storedBy-END"}]
    where = {
        "geometry": {"type": "MARK-geometry-END"},
        "followUp": "MARK-followUp-END",
        "storedBy": "MARK-storedBy-END",
    }
    stamps = {"createdAt": "2026-01-15T08:00:00.000", "updatedAt": "2026-01-15T08:00:00.000"}
    stamps |= {"createdAtClient": "MARK-createdAtClient-END", "updatedAtClient": "MARK-updatedAtClient-END"}
    roles = programme.registry
    known = catalogue.elements.values()
    events = [
        {
            "event": f"eventEvent{number}",
            "programStage": stage,
            "orgUnit": "unitUnitUni",
            "status": "COMPLETED",
            "occurredAt": "2026-01-15T00:00:00.000",
            "completedBy": "MARK-completedBy-END",
            "assignedUser": user("assignedUser"),
            "createdBy": user("createdBy"),
            "updatedBy": user("updatedBy"),
            "notes": notes,
            "relationships": [{"relationshipName": "MARK-relationship-END"}],
            "dataValues": texts([one for one in known if one.uid in catalogue.stages[stage]], "dataElement"),
        }
        | where
        | stamps
        for number, stage in enumerate(roles.stages.values())
    ]
    held = texts(catalogue.attributes.values(), "attribute")
    enrollment = {
        "enrollment": "enrollEnrol",
        "program": roles.program,
        "status": "ACTIVE",
        "orgUnit": "unitUnitUni",
        "enrolledAt": "2026-01-15T00:00:00.000",
        "attributes": held,
        "events": events,
        "notes": notes,
    }
    other = enrollment | {"program": "otherProgra", "attributes": [], "events": [events[0] | {"event": "otherOthers"}]}
    return {
        "trackedEntity": "personPerso",
        "orgUnit": "unitUnitUni",
        "attributes": held,
        "createdBy": user("createdBy"),
        "updatedBy": user("updatedBy"),
        "relationships": [{"from": {"trackedEntity": {"trackedEntity": "MARK-relationship-END"}}}],
        "enrollments": [enrollment | where | stamps, other],
    } | where | stamps  # fmt: skip


def test_nothing_leaves_that_the_table_does_not_name(programme: Programme) -> None:
    mapper = mapping.compile(programme)
    mapped = mapper.map(_marked(programme), context(mapper.table))
    bundle = delivery.plan(mapped, None, "urn:test").bundle
    assert bundle is not None
    shared = msgspec.json.encode([entry.resource for entry in mapped.entries])
    found = set(_MARKER.findall((bundle + shared).decode()))
    named = {use.code for use in uses(mapper.table)}
    assert named & found, "the markers do travel"
    assert found - named - _USERS == set()
    assert b"otherOthers" not in bundle


def test_every_field_that_the_table_does_not_name_would_be_seen(programme: Programme) -> None:
    """Whatever its type: a date, a number, an option."""
    table, catalogue = checking.read(programme)
    named = {use.code for use in uses(table)}
    codes = {*catalogue.elements, *catalogue.attributes} - named
    text = msgspec.json.encode(_marked(programme)).decode()
    assert codes
    assert codes <= set(_MARKER.findall(text))


def test_what_is_named_but_could_not_be_carried_is_not_kept_either() -> None:
    """A left-out value is told by its field and the reason; never the value."""
    mapper = mapping.compile(programmes.load("anc_lk"))
    person = sample.person()
    uid = mapper.catalogue.elements["ANC_HB"].uid
    person["enrollments"][0]["events"][1]["dataValues"] = [{"dataElement": uid, "value": "MARK-ANC_HB-END"}]
    mapped = mapper.map(person, sample.context())
    assert [left.field for left in mapped.left_out] == ["ANC_HB"]
    assert b"MARK" not in msgspec.json.encode([mapped.left_out, [entry.resource for entry in mapped.entries]])
