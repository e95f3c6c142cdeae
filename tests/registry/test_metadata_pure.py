"""Field and object filters, and the shape of objects, on plain values."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janani.registry.metadata.fields import parse, select
from janani.registry.metadata.filters import compile_filter, sorted_by
from janani.registry.metadata.shapes import check
from janani.registry.problems import Refusal

PROGRAM = {
    "id": "ProgramPro1",
    "name": "ANC",
    "version": 3,
    "programStages": [{"id": "StageStage1"}, {"id": "StageStage2"}],
    "organisationUnits": [],
    "sharing": {"public": "r-------"},
}
STAGES = {"StageStage1": {"id": "StageStage1", "name": "First"}, "StageStage2": {"id": "StageStage2", "name": "Second"}}


def resolve(kind: str, uid: str) -> dict[str, Any] | None:
    return STAGES.get(uid) if kind == "programStages" else None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("id,name", {"id": "ProgramPro1", "name": "ANC"}),
        ("id, unknown , name", {"id": "ProgramPro1", "name": "ANC"}),
        ("programStages", {"programStages": [{"id": "StageStage1"}, {"id": "StageStage2"}]}),
        ("programStages[name]", {"programStages": [{"name": "First"}, {"name": "Second"}]}),
        ("programStages~size~rename(count)", {"count": 2}),
        ("programStages::size", {"programStages": 2}),
        ("programStages|isEmpty", {"programStages": False}),
        ("organisationUnits~isEmpty", {"organisationUnits": True}),
        ("programStages~pluck(name)", {"programStages": ["First", "Second"]}),
        ("programStages[name]~pluck(name)", {"programStages": ["First", "Second"]}),
        ("programStages[id,name]~keyBy(id)", {"programStages": STAGES}),
        ("programStages~paging(2;1)", {"programStages": [{"id": "StageStage2"}]}),
        (":all,programStages[name],!sharing,!id", {"name": "ANC", "version": 3, "organisationUnits": []}),
        (":simple", {"id": "ProgramPro1", "name": "ANC", "version": 3}),
        ("sharing[public]", {"sharing": {"public": "r-------"}}),
    ],
)
def test_fields(fields: str, expected: dict[str, Any]) -> None:
    found = select(PROGRAM, parse(fields), resolve)
    assert found | expected == found
    assert set(found) - set(expected) <= {"programStages"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name:eq:ANC", True),
        ("name:eq:anc", False),
        ("name:ieq:anc", True),
        ("name:in:[X, ANC]", True),
        ("name:!in:[X,ANC]", False),
        ("name:like:N", True),
        ("name:$ilike:an", True),
        ("name:like$:C", True),
        ("version:gt:2", True),
        ("version:gt:10", False),
        ("description:null", True),
        ("name:!null", True),
        ("programStages.name:eq:Second", True),
        ("programStages.name:!eq:Third", True),
        ("programStages.id:in:[StageStage9]", False),
        ("identifiable:token:anc", True),
    ],
)
def test_filters(text: str, expected: bool) -> None:
    assert compile_filter(text, resolve)(PROGRAM) is expected


@given(st.text(alphabet="abi,[]()~|:!*; x1-", max_size=30))
def test_any_fields_are_answered_or_refused(text: str) -> None:
    with contextlib.suppress(Refusal):
        select(PROGRAM, parse(text), resolve)


@given(st.sampled_from(["name", "version", "programStages", "sharing", "x"]), st.text(max_size=12))
def test_any_filter_and_order_is_answered_or_refused(name: str, rest: str) -> None:
    for operator in ("", "eq:", "in:", "gt:", "null:", "like$:"):
        with contextlib.suppress(Refusal):
            compile_filter(f"{name}:{operator}{rest}", resolve)(PROGRAM)
        with contextlib.suppress(Refusal):
            sorted_by([PROGRAM, {"id": "x"}], [f"{name}:{rest}"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"sharing": "everybody"},
        {"sharing": {"public": "rw"}},
        {"sharing": {"users": [{"id": "x"}]}},
        {"name": 5},
        {"userRoles": {"id": "x"}},
        {"userRoles": ["x"]},
        {"parent": 7},
        {"authorities": [{"id": "x"}]},
        {"programStageDataElements": "all"},
        {"programStageDataElements": [{"dataElement": 5}]},
        {"auth": "secret"},
    ],
)
def test_objects_of_the_wrong_shape_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        check(wrong, "Program")
    assert refused.value.status == 400
