# ruff: noqa: E501 - a case a line reads better here than a case a page
"""R4's own structure, whatever profile is claimed."""

from decimal import Decimal
from typing import Any

import pytest

from janani.record.validation import Validator

Entry = dict[str, Any]


def found(validator: Validator, resource: Any) -> list[tuple[str, str]]:
    return [(i.code, i.expression) for i in validator.validate(resource) if i.severity == "error"]


@pytest.fixture(scope="module")
def r4() -> Validator:
    return Validator.load(None)


@pytest.mark.parametrize("resource", [None, [], "Patient", {}, {"resourceType": "Nothing"}, {"resourceType": 3}])
def test_what_is_no_resource(r4: Validator, resource: Any) -> None:
    assert found(r4, resource) == [
        (
            "structure",
            "Resource" if not isinstance(resource, dict) or resource.get("resourceType") != "Nothing" else "Nothing",
        )
    ]


@pytest.mark.parametrize("name", ["Resource", "DomainResource", "HumanName", "Patient.contact"])
def test_abstract_and_data_types_are_no_resources(r4: Validator, name: str) -> None:
    assert [code for code, _ in found(r4, {"resourceType": name})] == ["structure"]


@pytest.mark.parametrize(
    ("extra", "code", "at"),
    [
        ({"nickname": "x"}, "structure", "Patient"),
        ({"name": {"family": "x"}}, "structure", "Patient.name"),
        ({"name": []}, "structure", "Patient.name"),
        ({"name": [{}]}, "invariant", "Patient.name[0]"),
        ({"name": ["x"]}, "structure", "Patient.name[0]"),
        ({"name": [{"given": "x"}]}, "structure", "Patient.name[0].given"),
        ({"name": [{"given": [""]}]}, "value", "Patient.name[0].given[0]"),
        ({"name": [{"given": [None]}]}, "value", "Patient.name[0].given[0]"),
        ({"gender": ["female"]}, "structure", "Patient.gender"),
        ({"gender": "Female"}, "code-invalid", "Patient.gender"),
        ({"gender": None}, "value", "Patient.gender"),
        ({"active": "true"}, "value", "Patient.active"),
        ({"birthDate": "01/08/1997"}, "value", "Patient.birthDate"),
        ({"birthDate": "1997-02-30"}, "value", "Patient.birthDate"),
        ({"id": "has space"}, "value", "Patient.id"),
        ({"deceasedBoolean": False, "deceasedDateTime": "2020"}, "structure", "Patient"),
        ({"deceasedString": "no"}, "structure", "Patient"),
        ({"contact": [{"gender": "female"}]}, "invariant", "Patient.contact[0]"),
        ({"link": [{"other": {"reference": "Patient/1"}}]}, "required", "Patient.link[0]"),
        ({"telecom": [{"value": "071"}]}, "invariant", "Patient.telecom[0]"),
        ({"communication": [{"preferred": True}]}, "required", "Patient.communication[0]"),
        ({"meta": [{"profile": "x"}]}, "structure", "Patient.meta"),
        ({"meta": {"profile": "x"}}, "structure", "Patient.meta.profile"),
        ({"extension": [{"url": "http://x.example/a"}]}, "invariant", "Patient.extension[0]"),
        ({"extension": [{"valueString": "x"}]}, "required", "Patient.extension[0]"),
        ({"managingOrganization": {"reference": "Patient/1"}}, "structure", "Patient.managingOrganization"),
        ({"managingOrganization": {"reference": "Organization"}}, "value", "Patient.managingOrganization"),
        ({"managingOrganization": {"reference": "#o"}}, "invariant", "Patient.managingOrganization"),
        ({"managingOrganization": {"reference": "http://x.example/fhir/Patient/1"}}, "structure", "Patient.managingOrganization"),
        ({"_birthDate": []}, "structure", "Patient._birthDate"),
        ({"text": {"status": "generated", "div": "<div>x</div>"}}, "value", "Patient.text.div"),
    ],
)  # fmt: skip
def test_one_defect_one_error(r4: Validator, extra: Entry, code: str, at: str) -> None:
    assert found(r4, {"resourceType": "Patient"} | extra) == [(code, at)]


@pytest.mark.parametrize(
    "extra",
    [
        {"birthDate": "1997"},
        {"birthDate": "1996-02-29"},
        {"_birthDate": {"extension": [{"url": "http://x.example/a", "valueString": "x"}]}},
        {"name": [{"given": ["Ann", None], "_given": [None, {"id": "x"}]}]},
        {"managingOrganization": {"reference": "http://x.example/fhir/Organization/1/_history/2"}},
        {"managingOrganization": {"reference": "Organization?identifier=a|b"}},
        {"managingOrganization": {"reference": "urn:uuid:0b7c1a5e-0000-4000-8000-000000000001"}},
        {"managingOrganization": {"identifier": {"value": "x"}}},
        {"contained": [{"resourceType": "Organization", "id": "o", "name": "x"}], "managingOrganization": {"reference": "#o"}},
        {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>a&nbsp;b</p></div>'}},
        {"multipleBirthInteger": 2},
        {"name": [{"text": "அம்மா அம்மா අම්මා"}]},
    ],
)  # fmt: skip
def test_what_r4_allows(r4: Validator, extra: Entry) -> None:
    assert found(r4, {"resourceType": "Patient"} | extra) == []


@pytest.mark.parametrize("script", ["<script>x</script>", '<p onclick="x">x</p>', '<a href="javascript:x">x</a>', "<p>", "<!DOCTYPE x>", "<form/>"])  # fmt: skip
def test_a_narrative_has_nothing_that_runs(r4: Validator, script: str) -> None:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">text {script}</div>'
    assert found(r4, {"resourceType": "Patient", "text": {"status": "generated", "div": div}}) == [
        ("value", "Patient.text.div")
    ]


def test_a_contained_resource_is_checked_referred_to_and_unversioned(r4: Validator) -> None:
    inner = {"resourceType": "Organization", "id": "o", "nick": 1, "name": "x", "meta": {"versionId": "1"}}
    assert found(r4, {"resourceType": "Patient", "contained": [inner]}) == [
        ("structure", "Patient.contained[0]"),
        ("invariant", "Patient.contained[0]"),
        ("invariant", "Patient.contained[0]"),
    ]


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("2025", True),
        ("2025-09", True),
        ("2025-09-04", True),
        ("2025-09-04T07:37:47.106Z", True),
        ("2025-09-04T07:37:47+05:30", True),
        ("2025-09-04T07:37:47.106", False),  # a time needs its offset
        ("2025-09-04T07:37Z", False),  # … and its seconds
        ("2025-9-4", False),
        ("2025-02-29", False),
        ("2025-09-04T24:00:00Z", False),
        ("0000", False),
        (2025, False),
    ],
)
def test_date_times(r4: Validator, value: Any, right: bool) -> None:
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "effectiveDateTime": value}
    assert found(r4, resource) == ([] if right else [("value", "Observation.effective")])


def test_numbers(r4: Validator) -> None:
    frame = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert found(r4, frame | {"valueInteger": 3}) == []
    assert found(r4, frame | {"valueInteger": 3.5}) == [("value", "Observation.value")]
    assert found(r4, frame | {"valueInteger": True}) == [("value", "Observation.value")]
    assert found(r4, frame | {"valueQuantity": {"value": "3"}}) == [("value", "Observation.value.value")]
    assert found(r4, frame | {"valueQuantity": {"value": 3, "code": "kg"}}) == [("invariant", "Observation.value")]


def test_a_required_binding_of_a_concept_needs_code_and_system(r4: Validator) -> None:
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}}
    right = {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}
    wrong = right | {"system": "http://terminology.hl7.org/CodeSystem/condition-verification"}
    status = "Condition.verificationStatus"
    assert found(r4, condition | {"verificationStatus": {"coding": [right]}}) == []
    assert found(r4, condition | {"verificationStatus": {"coding": [wrong]}}) == [("code-invalid", status)]
    assert found(r4, condition | {"verificationStatus": {"text": "confirmed"}}) == [("code-invalid", status)]


def test_full_urls_are_real_uuids(r4: Validator) -> None:
    def bundle(url: str) -> Entry:
        entry = {
            "fullUrl": url,
            "resource": {"resourceType": "Patient"},
            "request": {"method": "POST", "url": "Patient"},
        }
        return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}

    assert found(r4, bundle("urn:uuid:0b7c1a5e-0000-4000-8000-000000000001")) == []
    assert found(r4, bundle("urn:uuid:dNpxRu1mWG5")) == [("value", "Bundle.entry[0].fullUrl")]


def test_resources_within_a_bundle_are_checked(r4: Validator) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": {"resourceType": "Patient", "x": 1}}],
    }
    assert found(r4, bundle) == [("structure", "Bundle.entry[0].resource")]


@pytest.mark.parametrize(
    ("resource", "key"),
    [
        ({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueString": "x", "dataAbsentReason": {"text": "x"}}, "obs-6"),
        ({"resourceType": "Observation", "status": "final", "code": {"coding": [{"code": "a"}]}, "valueString": "x", "component": [{"code": {"coding": [{"code": "a"}]}, "valueString": "y"}]}, "obs-7"),
        ({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "referenceRange": [{"age": {"low": {"value": 1}}}]}, "obs-3"),
        ({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "effectivePeriod": {"start": "2025-02-01", "end": "2025-01-01"}}, "per-1"),
        ({"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "abatementString": "x"}, "con-4"),
        ({"resourceType": "Organization", "active": True}, "org-1"),
        ({"resourceType": "Organization", "name": "x", "address": [{"use": "home", "text": "x"}]}, "org-2"),
        ({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"}}, "ait-1"),
        ({"resourceType": "List", "status": "current", "mode": "working", "emptyReason": {"text": "x"}, "entry": [{"item": {"reference": "Patient/1"}}]}, "lst-1"),
        ({"resourceType": "Task", "status": "draft", "intent": "order", "authoredOn": "2025-02-01T10:00:00Z", "lastModified": "2025-01-01T10:00:00Z"}, "inv-1"),
        ({"resourceType": "Bundle", "type": "collection", "total": 3}, "bdl-1"),
        ({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient"}, "request": {"method": "GET", "url": "x"}}]}, "bdl-3"),
        ({"resourceType": "Bundle", "type": "document", "timestamp": "2025-02-01T10:00:00Z", "entry": [{"resource": {"resourceType": "Patient"}}]}, "bdl-9"),
    ],
)  # fmt: skip
def test_invariants(r4: Validator, resource: Entry, key: str) -> None:
    said = [i.diagnostics for i in r4.validate(resource) if i.severity == "error"]
    assert [text.partition(":")[0] for text in said if text.startswith(key + ":")] == [key], said


def test_periods_of_unlike_precision_are_not_compared(r4: Validator) -> None:
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    assert found(r4, encounter | {"period": {"start": "2025-09-16", "end": "2025-09-16T10:00:00+05:30"}}) == []


def test_findings_never_quote_what_was_sent(r4: Validator) -> None:
    issues = r4.validate(
        {"resourceType": "Patient", "name": [{"family": 7}], "birthDate": "secret", "gender": "secret"}
    )
    assert issues
    assert "secret" not in repr(issues)


def test_decimals_as_the_store_reads_them(r4: Validator) -> None:
    frame = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert found(r4, frame | {"valueQuantity": {"value": Decimal("11.20")}}) == []
    assert found(r4, frame | {"valueQuantity": {"value": Decimal("NaN")}}) == [("value", "Observation.value.value")]
    low, high = {"value": Decimal("1.5")}, {"value": 1}
    assert found(r4, frame | {"valueRange": {"low": low, "high": high}}) == [("invariant", "Observation.value")]
