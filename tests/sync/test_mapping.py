"""A tracked entity becomes the bundle that anc-programme.md §4 asks for, right where §7 says the old one was wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from janani import programmes
from janani.record.validation import Validator
from janani.sync import delivery, mapping
from janani.sync.mapping import Mapped, checking
from sync import sample

GOLDEN = Path(__file__).parent / "golden" / "sample.json"
PHN = "http://fhir.health.gov.lk/ips/identifier/phn"
VALUE = "http://fhir.health.gov.lk/ips/identifier/dhis2-data-value"


@pytest.fixture(scope="module")
def mapper() -> mapping.Mapper:
    return mapping.compile(programmes.load("anc_lk"))


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator.load(programmes.load("anc_lk").folder / "nehr")


class Bundle:
    """What a person became."""

    def __init__(self, mapped: Mapped) -> None:
        self.mapped = mapped
        self.resources = [entry.resource for entry in mapped.entries]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.resources if one["resourceType"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        (found,) = self.all(kind)
        return found

    def value(self, event: str, name: str) -> dict[str, Any] | None:
        wanted = f"{event}-{name}"
        return next((one for one in self.resources if one.get("identifier", [{}])[0].get("value") == wanted), None)


@pytest.fixture
def mapped(mapper: mapping.Mapper, validator: Validator) -> Any:
    """Maps a person, and holds every resource against the record's own validator."""

    def do(person: dict[str, Any], context: Any = None) -> Bundle:
        bundle = Bundle(mapper.map(person, context or sample.context()))
        for resource in bundle.resources:
            errors = [issue for issue in validator.validate(resource) if issue.severity in ("error", "fatal")]
            assert not errors, (resource, errors)
        return bundle

    return do


def visit(values: dict[str, str], **others: Any) -> dict[str, Any]:
    """The sample with one visit of these values."""
    person = sample.person()
    event = sample.event(sample.VISIT, "GX0z9IXFaso", values, **others)
    person["enrollments"][0]["events"] = [event]
    return person


def test_the_sample_gives_exactly_this_bundle(mapper: mapping.Mapper) -> None:
    plan = delivery.plan(mapper.map(sample.person(), sample.context()), None, "urn:test")
    assert plan.bundle is not None
    assert json.loads(plan.bundle) == json.loads(GOLDEN.read_bytes())


def test_output_does_not_depend_on_the_order_of_input(mapper: mapping.Mapper) -> None:
    person = sample.person()
    for event in person["enrollments"][0]["events"]:
        event["dataValues"].reverse()
    person["enrollments"][0]["events"].reverse()
    person["enrollments"][0]["attributes"].reverse()
    context = sample.context()
    plans = [delivery.plan(mapper.map(one, context), None, "urn:test") for one in (person, sample.person())]
    assert plans[0].bundle == plans[1].bundle


_BIRTH = programmes.load("anc_lk").registry.stages["birth"]
_DEATH = "F9AQDDBfOq2"


def _told(death: str, **others: Any) -> dict[str, Any]:
    """The sample with a birth that says this of her death."""
    person = sample.person()
    person["enrollments"][0]["events"].append(sample.event("Death000001", _BIRTH, {_DEATH: death}, **others))
    return person


class TestPatient:
    def test_is_keyed_by_phn(self, mapped: Any) -> None:
        assert mapped(sample.person()).mapped.patient == (
            "Patient?identifier=http%3A%2F%2Ffhir.health.gov.lk%2Fips%2Fidentifier%2Fphn%7C12345678"
        )

    @pytest.mark.parametrize(
        ("without", "key"),
        [
            (["IrUmPkFMDU5"], "esignet-subject%7CSUB0001"),
            (["IrUmPkFMDU5", "CJLJmmp8r9g"], "nic%7C200012345678"),
            (["IrUmPkFMDU5", "CJLJmmp8r9g", "M6NNPC3hNrb"], f"dhis2-tracked-entity%7C{sample.PERSON}"),
        ],
    )
    def test_without_phn_the_next_identifier_is_the_key_and_no_profile_is_claimed(
        self, mapped: Any, without: list[str], key: str
    ) -> None:
        person = sample.person()
        person["attributes"] = []
        for uid in without:
            sample.attribute(person, uid, None)
        bundle = mapped(person)
        assert bundle.mapped.patient.endswith(key)
        assert "meta" not in bundle.one("Patient")
        assert "null" not in json.dumps(bundle.resources)

    def test_a_number_with_reserved_characters_is_escaped(self, mapped: Any) -> None:
        person = sample.person()
        sample.attribute(person, "IrUmPkFMDU5", " 12|34,&5 ")
        assert mapped(person).mapped.patient.endswith("phn%7C12%5C%7C34%5C%2C%265")

    @pytest.mark.parametrize(
        ("text", "family", "given"),
        [
            ("Kumari", "Kumari", [None]),
            ("A. B. C. de Silva", "Silva", ["A.", "B.", "C.", "de"]),
            ("නිල්මිණි පෙරේරා", "පෙරේරා", ["නිල්මිණි"]),
            ("கமலா  சிவகுமார்", "சிவகுமார்", ["கமலா"]),
        ],
    )
    def test_names_keep_their_text(self, mapped: Any, text: str, family: str, given: list[str | None]) -> None:
        person = sample.person()
        sample.attribute(person, "VQl0wK3eqiw", text)
        name = mapped(person).one("Patient")["name"][0]
        assert (name["text"], name["family"], name["given"]) == (text, family, given)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("12 Lake Road, 20850 Akurana, Kandy, Central Province, LK", ("12 Lake Road", "Akurana", "20850", "Kandy")),
            ("12 Lake Road\n80000, Galle Town\nGalle\nLK", ("12 Lake Road", "Galle Town", "80000", "Galle")),
            ("5 Hill St, 22200 Nuwara Eliya", ("5 Hill St", "Nuwara Eliya", "22200", "Nuwara Eliya")),
            ("Akurana", ("Akurana", "Akurana", None, "Kandy")),
        ],
    )
    def test_addresses_by_commas_or_lines(self, mapped: Any, text: str, expected: tuple[str, ...]) -> None:
        person = sample.person()
        sample.attribute(person, "EOMGwaUTMrU", text)
        address = mapped(person).one("Patient")["address"][0]
        found = (address["line"][0], address["city"], address.get("postalCode"), address["district"])
        assert found == expected

    def test_a_death_is_told_by_the_patient_too_without_a_day_that_nobody_gave(self, mapped: Any) -> None:
        assert mapped(_told("true")).one("Patient")["deceasedBoolean"] is True
        for person in (_told("false"), _told("true", status="ACTIVE"), _told("true", deleted=True), sample.person()):
            assert "deceasedBoolean" not in mapped(person).one("Patient")

    def test_what_was_said_last_of_a_death_counts(self, mapped: Any) -> None:
        person = _told("true")
        later = sample.event("Later000001", _BIRTH, {_DEATH: "false"}, occurredAt="2030-01-01T00:00:00.000")
        person["enrollments"][0]["events"].insert(0, later)
        assert "deceasedBoolean" not in mapped(person).one("Patient")

    def test_a_death_with_a_day_has_its_day(self) -> None:
        programme = programmes.load("anc_lk")
        table, catalogue = checking.read(programme)
        element = msgspec.structs.replace(catalogue.elements["ANC_MATERNAL_DEATH"], value_type="DATE")
        dated = msgspec.structs.replace(catalogue, elements=catalogue.elements | {element.code: element})
        found = mapping.Mapper(programme, table, dated).map(_told("2026-03-02"), sample.context())
        assert found.entries[0].resource["deceasedDateTime"] == "2026-03-02"
        refused = mapping.Mapper(programme, table, dated).map(_told("once"), sample.context())
        assert "ANC_MATERNAL_DEATH" in {one.field for one in refused.left_out}
        assert "deceasedDateTime" not in refused.entries[0].resource

    def test_an_address_whose_district_nobody_knows_is_left_out(self, mapped: Any) -> None:
        person = sample.person()
        sample.attribute(person, "EOMGwaUTMrU", "Somewhere")
        person["orgUnit"] = "Unknown0001"
        person["programOwners"] = []
        assert "address" not in mapped(person).one("Patient")

    def test_phones_are_e164_and_other_genders_unknown(self, mapped: Any) -> None:
        person = sample.person()
        sample.attribute(person, "gGAQeOr1Pgu", "071 234 5678")
        sample.attribute(person, "p7zizFkC6Lv", "X")
        patient = mapped(person).one("Patient")
        assert patient["telecom"][0]["value"] == "+94712345678"
        assert patient["gender"] == "unknown"

    def test_the_registration_number_names_the_pregnancy_not_her(self, mapped: Any) -> None:
        bundle = mapped(sample.person())
        assert "ANC00000001" not in json.dumps(bundle.one("Patient"))
        assert bundle.one("EpisodeOfCare")["identifier"][1]["value"] == "ANC00000001"


class TestVisits:
    def test_two_pregnancies_are_two_episodes_and_other_programmes_stay_out(self, mapped: Any) -> None:
        person = sample.person()
        older = sample.person()["enrollments"][0] | {
            "enrollment": "Older000001",
            "enrolledAt": "2022-01-01T00:00:00.000",
            "status": "COMPLETED",
            "events": [],
            "attributes": [{"attribute": "VQl0wK3eqiw", "value": "Maiden Name"}],
        }
        other = older | {"enrollment": "Other000001", "program": "Other000000"}
        person["enrollments"] = [other, *person["enrollments"], older]
        bundle = mapped(person)
        assert [one["status"] for one in bundle.all("EpisodeOfCare")] == ["finished", "active"]
        assert bundle.one("Patient")["name"][0]["text"] == "John A. B. C. Doe"

    @pytest.mark.parametrize(
        ("status", "kind", "expected"),
        [
            ("COMPLETED", "Encounter", "finished"),
            ("ACTIVE", "Encounter", "in-progress"),
            ("SCHEDULE", "Appointment", "booked"),
            ("OVERDUE", "Appointment", "booked"),
            ("SKIPPED", "Appointment", "cancelled"),
        ],
    )
    def test_states_of_an_event(self, mapped: Any, status: str, kind: str, expected: str) -> None:
        bundle = mapped(visit({"cw35l7X4hnV": "11.2"}, status=status))
        assert bundle.one(kind)["status"] == expected
        assert bool(bundle.all("Observation")) is (status == "COMPLETED")

    def test_a_deleted_event_or_enrolment_gives_nothing(self, mapped: Any) -> None:
        assert not mapped(visit({"cw35l7X4hnV": "11"}, deleted=True)).all("Encounter")
        person = sample.person()
        person["enrollments"][0]["deleted"] = True
        assert {one["resourceType"] for one in mapped(person).resources} == {
            "Patient",
            "Device",
            "Organization",
            "Location",
        }

    def test_a_clinic_day_is_a_morning_in_sri_lanka(self, mapped: Any) -> None:
        appointment = mapped(visit({}, status="SCHEDULE", scheduledAt="2025-10-16T00:00:00.000")).one("Appointment")
        assert appointment["start"] == "2025-10-16T08:00:00+05:30"
        assert appointment["end"] == "2025-10-16T12:00:00+05:30"

    def test_a_visit_planned_for_the_last_day_of_the_calendar_is_left_out_and_named(self, mapped: Any) -> None:
        bundle = mapped(visit({}, status="SCHEDULE", scheduledAt="9999-12-31T23:59:59.000"))
        assert bundle.mapped.left_out[0].reason == "not a date and time"

    def test_times_have_the_offset_of_the_server_and_days_stay_days(self, mapped: Any) -> None:
        late = {"occurredAt": "2025-09-16T10:30:00.000"}
        assert mapped(visit({}, **late)).one("Encounter")["period"] == {"start": "2025-09-16T10:30:00.000+00:00"}
        colombo = sample.context(sample.COLOMBO)
        assert mapped(visit({}, **late), colombo).one("Encounter")["period"]["start"].endswith("+05:30")
        assert mapped(visit({})).one("Encounter")["period"] == {"start": "2025-09-04", "end": "2025-09-04"}

    def test_an_event_without_user_still_conforms(self, mapped: Any) -> None:
        person = visit({"cw35l7X4hnV": "11"}, updatedBy=None, createdBy=None)
        person["updatedBy"] = person["enrollments"][0]["createdBy"] = None
        bundle = mapped(person)
        assert bundle.one("Encounter")["participant"][0]["individual"] == {"display": "Not recorded"}
        assert not bundle.all("Practitioner")
        (who, unit) = (bundle.all("Provenance")[-1]["agent"][0]["who"], bundle.one("Encounter")["serviceProvider"])
        assert who == unit

    def test_an_event_without_dates_is_left_out_and_named(self, mapped: Any) -> None:
        bundle = mapped(visit({}, occurredAt=None, completedAt=None, createdAt=None))
        assert not bundle.all("Encounter")
        assert bundle.mapped.left_out[0].reason == "it has no date"


class TestValues:
    def test_blood_pressure_is_one_panel(self, mapped: Any) -> None:
        for values, count in (({"Y3xF4qecAVw": "120"}, 1), ({"Y3xF4qecAVw": "120", "QMCuOLLRHHD": "80"}, 2)):
            panel = mapped(visit(values)).value(sample.VISIT, "blood-pressure")
            assert len(panel["component"]) == count
            assert panel["component"][0]["valueQuantity"]["code"] == "mm[Hg]"

    def test_blood_sugar_is_converted(self, mapped: Any) -> None:
        found = mapped(visit({"CbZCIisQAzv": "90"})).value(sample.VISIT, "CbZCIisQAzv")
        assert found["valueQuantity"]["value"] == 4.996
        assert found["valueQuantity"]["code"] == "mmol/L"

    @pytest.mark.parametrize("text", ["11,2", "twelve", "NaN", "Infinity", "1e999", ""])
    def test_a_bad_number_leaves_out_that_value_alone(self, mapped: Any, text: str) -> None:
        bundle = mapped(visit({"cw35l7X4hnV": text, "zkJLtEh6CMy": "64.2"}))
        assert bundle.value(sample.VISIT, "cw35l7X4hnV") is None
        assert bundle.value(sample.VISIT, "zkJLtEh6CMy")["valueQuantity"]["value"] == 64.2
        assert [one.field for one in bundle.mapped.left_out] == (["ANC_HB"] if text else [])

    def test_no_is_not_yes(self, mapped: Any) -> None:
        person = sample.person()
        diseases = ["R4EnBNPKblS", "plTkCmySMzT", "D5khklwbOPt", "RpRCMceQhks", "J3eLUAZkM6M"]
        event = sample.event(sample.REGISTRATION, "LWJcStrI6kM", dict.fromkeys(diseases, "false"))
        person["enrollments"][0]["events"] = [event]
        bundle = mapped(person)
        assert not bundle.all("Condition")
        assert not bundle.all("Immunization")
        assert bundle.one("MedicationStatement")["status"] == "not-taken"

    def test_findings_are_present_or_absent_and_ticks_never_absent(self, mapped: Any) -> None:
        bundle = mapped(visit({"Sx8XEKmdhFf": "false", "k7K4aO0RXew": "true", "h2CIZqomhpN": "true"}))

        def code(uid: str) -> str:
            return bundle.value(sample.VISIT, uid)["valueCodeableConcept"]["coding"][0]["code"]

        assert [code(uid) for uid in ("Sx8XEKmdhFf", "k7K4aO0RXew", "h2CIZqomhpN")] == [
            "2667000",
            "52101004",
            "52101004",
        ]
        assert bundle.value(sample.VISIT, "Ei55u2kvdzm") is None

    def test_a_test_not_done_says_why_there_is_no_value(self, mapped: Any) -> None:
        person = sample.person()
        event = sample.event(sample.REGISTRATION, "LWJcStrI6kM", {"j6lUsp6S9wJ": "NOT_DONE", "dJhQLY5CoHD": "O_NEG"})
        person["enrollments"][0]["events"] = [event]
        bundle = mapped(person)
        found = bundle.value(sample.REGISTRATION, "j6lUsp6S9wJ")
        assert found["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
        group = bundle.value(sample.REGISTRATION, "dJhQLY5CoHD")["valueCodeableConcept"]["coding"][0]["code"]
        assert group == "278148006"

    def test_the_due_date_follows_from_the_period_unless_given(self, mapped: Any) -> None:
        assert mapped(sample.person()).value(sample.REGISTRATION, "edd") is None
        person = sample.person()
        values = person["enrollments"][0]["events"][0]["dataValues"]
        values[:] = [one for one in values if one["dataElement"] != "r5TIiovGHdi"]
        assert mapped(person).value(sample.REGISTRATION, "edd")["valueDateTime"] == "2026-04-08"

    @pytest.mark.parametrize(("text", "claimed"), [("Penicillin: rash", True), ("None.", False), ("NKDA", False)])
    def test_allergies(self, mapped: Any, text: str, claimed: bool) -> None:
        person = sample.person()
        person["enrollments"][0]["events"] = [
            sample.event(sample.REGISTRATION, "LWJcStrI6kM", {"EyMxmpFIrIH": text}),
        ]
        allergy = mapped(person).one("AllergyIntolerance")
        assert ("meta" in allergy) is claimed

    def test_a_dose_of_tetanus_is_an_immunization_of_that_day(self, mapped: Any) -> None:
        found = mapped(visit({"qNuUP7o0GHx": "2"})).one("Immunization")
        assert found["occurrenceDateTime"] == "2025-09-04"
        assert found["protocolApplied"] == [{"doseNumberPositiveInt": 2}]
        assert mapped(visit({"qNuUP7o0GHx": "0"})).mapped.left_out


class TestReferral:
    def values(self) -> dict[str, str]:
        return {
            "P4GZTeeTXXv": "VOG_KANDY",
            "P5vFSVPHWvH": "URGENT",
            "bF90qIYFa20": "HIGH_BP",
            "kLAB3XIylS8": "150/100 twice",
        }

    def test_a_referral_event_is_one_request_with_its_own_reason(self, mapped: Any) -> None:
        person = sample.person()
        person["enrollments"][0]["events"].append(sample.event("Refer000001", "aQYZkIhWzeJ", self.values()))
        bundle = mapped(person)
        request = bundle.one("ServiceRequest")
        assert (request["intent"], request["priority"]) == ("order", "urgent")
        assert [one["text"] for one in request["reasonCode"]] == ["High blood pressure", "150/100 twice"]
        assert request["performer"][0]["display"] == "VOG clinic, Teaching Hospital Kandy"
        assert request["performer"][0]["reference"] in {entry.full_url for entry in bundle.mapped.entries}

    def test_a_need_seen_at_a_visit_is_answered_by_the_referral_that_follows(self, mapped: Any) -> None:
        person = visit({"la93qSXMNCI": "true", "kLAB3XIylS8": "high"})
        assert mapped(person).one("ServiceRequest")["status"] == "active"
        person["enrollments"][0]["events"].append(sample.event("Refer000001", "aQYZkIhWzeJ", self.values()))
        states = {one["intent"]: one["status"] for one in mapped(person).all("ServiceRequest")}
        assert states == {"proposal": "completed", "order": "active"}
        assert not mapped(visit({"la93qSXMNCI": "false"})).all("ServiceRequest")

    @pytest.mark.parametrize("status", ["ACTIVE", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED", "CANCELLED"])
    def test_a_referral_that_has_not_taken_place_answers_no_need(self, mapped: Any, status: str) -> None:
        person = visit({"la93qSXMNCI": "true"})
        planned = sample.event("Refer000001", "aQYZkIhWzeJ", self.values(), status=status)
        person["enrollments"][0]["events"].append(planned | {"occurredAt": "2025-10-01", "scheduledAt": "2025-10-01"})
        bundle = mapped(person)
        assert bundle.one("ServiceRequest")["status"] == "active"
        assert bundle.one("Task")["status"] == "requested"

    @pytest.mark.parametrize("status", ["ACTIVE", "COMPLETED", "SCHEDULE"])
    def test_the_need_is_answered_exactly_by_what_becomes_an_order(self, status: str, tmp_path: Path) -> None:
        """A programme may carry the values of an event that is still open: then its order is there, and answers."""
        folder = tmp_path / "open"
        shutil.copytree(programmes.folder("anc_lk"), folder, ignore=shutil.ignore_patterns("demo"))
        file = folder / "mapping.yaml"
        file.write_text(file.read_text().replace("clinical: [COMPLETED]", "clinical: [COMPLETED, ACTIVE]"))
        person = visit({"la93qSXMNCI": "true"})
        person["enrollments"][0]["events"].append(
            sample.event("Refer000001", "aQYZkIhWzeJ", self.values(), status=status)
        )
        bundle = Bundle(mapping.compile(programmes.load(str(folder))).map(person, sample.context()))
        requests = {one["intent"]: one["status"] for one in bundle.all("ServiceRequest")}
        assert (requests["proposal"] == "completed") == ("order" in requests)
        assert ("order" in requests) == (status != "SCHEDULE")

    def test_a_task_follows_each_referral_up(self, mapped: Any) -> None:
        person = visit({"la93qSXMNCI": "true", "kLAB3XIylS8": "high"})
        person["enrollments"][0]["events"].append(sample.event("Refer000001", "aQYZkIhWzeJ", self.values()))
        bundle = mapped(person)
        urls = {entry.full_url: entry.resource for entry in bundle.mapped.entries}
        tasks = {urls[one["focus"]["reference"]]["intent"]: one for one in bundle.all("Task")}
        need, order = tasks["proposal"], tasks["order"]
        assert (need["status"], order["status"], order["priority"]) == ("completed", "requested", "urgent")
        assert not {"owner", "priority"} & set(need)
        assert urls[order["owner"]["reference"]]["resourceType"] == "Organization"
        assert urls[order["location"]["reference"]]["resourceType"] == "Location"
        assert urls[order["requester"]["reference"]]["resourceType"] in ("Practitioner", "Device")
        request = urls[order["focus"]["reference"]]
        same = ("encounter", "authoredOn")
        assert [order[key] for key in same] == [request[key] for key in same]
        assert (order["for"], order["identifier"]) == (request["subject"], request["identifier"])

    def test_the_device_asks_when_nobody_is_known_to_have_and_then_the_task_still_fits(self, mapped: Any) -> None:
        person = visit({"la93qSXMNCI": "true"})
        for holder in (person, *person["enrollments"], *person["enrollments"][0]["events"]):
            for key in ("createdBy", "updatedBy"):
                holder.pop(key, None)
        bundle = mapped(person)
        urls = {entry.full_url: entry.resource for entry in bundle.mapped.entries}
        assert urls[bundle.one("Task")["requester"]["reference"]]["resourceType"] == "Device"


def test_every_reference_points_into_the_bundle_and_every_url_is_a_uuid(mapped: Any) -> None:
    bundle = mapped(sample.person())
    urls = {entry.full_url for entry in bundle.mapped.entries}
    assert all(url.startswith("urn:uuid:") and len(url) == 45 for url in urls)
    assert len(urls) == len(bundle.mapped.entries)
    for resource in bundle.resources:
        assert set(sample.references(resource)) <= urls
