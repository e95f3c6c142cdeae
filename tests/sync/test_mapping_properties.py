"""Whatever a registry of this programme may hold, the mapping's output conforms, is closed and is deterministic."""

import datetime
import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from janani import programmes
from janani.record.validation import Validator
from janani.sync import delivery, mapping
from sync import sample

PROGRAMME = programmes.load("anc_lk")
METADATA = json.loads((PROGRAMME.folder / "metadata.json").read_bytes())
MAPPER = mapping.compile(PROGRAMME)
VALIDATOR = Validator.load(PROGRAMME.folder / "nehr")
CONTEXT = sample.context()

_OPTIONS = {one["id"]: one["code"] for one in METADATA["options"]}
_SETS = {one["id"]: [_OPTIONS[option["id"]] for option in one["options"]] for one in METADATA["optionSets"]}
_FIELDS = {one["id"]: one for one in (*METADATA["dataElements"], *METADATA["trackedEntityAttributes"])}
_STAGES = {
    stage["id"]: [one["dataElement"]["id"] for one in stage["programStageDataElements"]]
    for stage in METADATA["programStages"]
}
_UIDS = st.from_regex(r"[A-Za-z][A-Za-z0-9]{10}", fullmatch=True)
_DAYS = st.dates(min_value=datetime.date(1950, 1, 1)).map(lambda day: day.isoformat())
_MOMENTS = st.one_of(
    _DAYS,
    _DAYS.map(lambda day: f"{day}T00:00:00.000"),
    st.datetimes(min_value=datetime.datetime(1950, 1, 1)).map(lambda moment: moment.isoformat(timespec="milliseconds")),
    st.none(),
)
_ANYTHING = st.text(max_size=30)


def _fitting(uid: str) -> st.SearchStrategy[str]:
    field = _FIELDS[uid]
    if "optionSet" in field:
        return st.sampled_from(_SETS[field["optionSet"]["id"]])
    return {
        "BOOLEAN": st.sampled_from(["true", "false"]),
        "TRUE_ONLY": st.just("true"),
        "DATE": _DAYS,
        "NUMBER": st.decimals(-1000, 1000, places=2).map(str),
        "INTEGER": st.integers(-1000, 1000).map(str),
        "INTEGER_POSITIVE": st.integers(1, 1000).map(str),
        "INTEGER_ZERO_OR_POSITIVE": st.integers(0, 1000).map(str),
    }.get(field["valueType"], _ANYTHING)


def _value(uid: str) -> st.SearchStrategy[str]:
    return st.one_of(_fitting(uid), _fitting(uid), _fitting(uid), _ANYTHING)


_USERS = st.one_of(
    st.none(),
    st.just(sample.ADMIN),
    _UIDS.map(lambda uid: {"uid": uid, "username": "u", "firstName": "", "surname": ""}),
)
_UNITS = st.one_of(st.sampled_from(sorted(CONTEXT.units)), _UIDS)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    stage = draw(st.sampled_from(sorted(_STAGES)))
    elements = draw(st.lists(st.sampled_from(_STAGES[stage]), unique=True, max_size=12))
    return {
        "event": draw(_UIDS),
        "status": draw(
            st.sampled_from(["COMPLETED", "COMPLETED", "ACTIVE", "SCHEDULE", "OVERDUE", "SKIPPED", "VISITED"])
        ),
        "programStage": stage,
        "orgUnit": draw(_UNITS),
        "occurredAt": draw(_MOMENTS),
        "scheduledAt": draw(_MOMENTS),
        "completedAt": draw(_MOMENTS),
        "createdAt": draw(_MOMENTS),
        "deleted": draw(st.booleans()),
        "updatedBy": draw(_USERS),
        "createdBy": draw(_USERS),
        "dataValues": [{"dataElement": uid, "value": draw(_value(uid))} for uid in elements],
    }


@st.composite
def enrollments(draw: st.DrawFn) -> dict[str, Any]:
    attributes = [one["id"] for one in METADATA["trackedEntityAttributes"]]
    given_ones = draw(st.lists(st.sampled_from(attributes), unique=True))
    return {
        "enrollment": draw(_UIDS),
        "program": draw(st.sampled_from([PROGRAMME.registry.program] * 4 + ["Other000000"])),
        "status": draw(st.sampled_from(["ACTIVE", "COMPLETED", "CANCELLED"])),
        "orgUnit": draw(_UNITS),
        "enrolledAt": draw(_MOMENTS),
        "completedAt": draw(_MOMENTS),
        "deleted": draw(st.booleans()),
        "attributes": [{"attribute": uid, "value": draw(_value(uid))} for uid in given_ones],
        "events": draw(st.lists(events(), max_size=3)),
    }


@st.composite
def people(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "trackedEntity": draw(_UIDS),
        "orgUnit": draw(_UNITS),
        "updatedAt": draw(_MOMENTS),
        "updatedBy": draw(_USERS),
        "attributes": [],
        "enrollments": draw(st.lists(enrollments(), max_size=2)),
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(people())
def test_every_person_gives_a_conforming_closed_deterministic_bundle(person: dict[str, Any]) -> None:
    mapped = MAPPER.map(person, CONTEXT)
    for entry in mapped.entries:
        errors = [issue for issue in VALIDATOR.validate(entry.resource) if issue.severity in ("error", "fatal")]
        assert not errors, (entry.resource, errors)
        assert set(sample.references(entry.resource)) <= {one.full_url for one in mapped.entries}
    plan = delivery.plan(mapped, None, "urn:test")
    assert plan.bundle is not None
    bundle = msgspec.json.decode(plan.bundle)
    assert not [issue for issue in VALIDATOR.validate(bundle) if issue.severity in ("error", "fatal")]
    again = delivery.plan(MAPPER.map(msgspec.json.decode(msgspec.json.encode(person)), CONTEXT), None, "urn:test")
    assert again.bundle == plan.bundle
    assert delivery.plan(mapped, plan.delivered, "urn:test").bundle is None
