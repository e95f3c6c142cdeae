"""Search as R4 §search describes it."""

import httpx
import pytest

PHN = "http://fhir.health.gov.lk/ips/identifier/phn"
LOINC = "http://loinc.org"


def searchset(answer: httpx.Response) -> list[str]:
    """The ids of all entries."""
    assert answer.status_code == 200, answer.text
    assert answer.json()["resourceType"] == "Bundle"
    return [entry["resource"]["id"] for entry in answer.json().get("entry", [])]


@pytest.fixture
async def filled(record: httpx.AsyncClient) -> httpx.AsyncClient:
    """Two patients, one with an encounter and three observations."""
    people = [
        ("nimali", "1", "Perera", "1995-04-02", "female"),
        ("sita", "2", "Pérera-Silva", "1990-12-31", "female"),
    ]
    for name, number, family, born, gender in people:
        resource = {
            "resourceType": "Patient",
            "id": name,
            "identifier": [{"system": PHN, "value": number}],
            "name": [{"family": family, "given": [name.title()]}],
            "birthDate": born,
            "gender": gender,
            "telecom": [{"system": "phone", "value": "+94771234567"}],
        }
        assert (await record.put(f"/fhir/Patient/{name}", json=resource)).status_code == 201
    encounter = {
        "resourceType": "Encounter",
        "id": "visit",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/nimali"},
        "period": {"start": "2026-02-01T08:00:00+05:30"},
    }
    assert (await record.put("/fhir/Encounter/visit", json=encounter)).status_code == 201
    for number, (day, weight) in enumerate(
        [("2026-01-05", "60.5"), ("2026-02-01T09:00:00+05:30", "62"), ("2026-03", "64.0")]
    ):
        observation = f"""{{"resourceType":"Observation","id":"w{number}","status":"final",
            "code":{{"coding":[{{"system":"{LOINC}","code":"29463-7"}}]}},
            "subject":{{"reference":"Patient/nimali"}},"encounter":{{"reference":"Encounter/visit"}},
            "effectiveDateTime":"{day}","valueQuantity":{{"value":{weight},"unit":"kg",
            "system":"http://unitsofmeasure.org","code":"kg"}}}}"""
        answer = await record.put(
            f"/fhir/Observation/w{number}", content=observation, headers={"content-type": "application/fhir+json"}
        )
        assert answer.status_code == 201, answer.text
    return record


SEARCHES = {
    f"Patient?identifier={PHN}|1": ["nimali"],
    f"Patient?identifier={PHN}%7C1": ["nimali"],
    "Patient?identifier=2": ["sita"],
    f"Patient?identifier={PHN}|": ["nimali", "sita"],
    f"Patient?identifier={PHN}|9": [],
    "Patient?identifier=1,2": ["nimali", "sita"],
    "Patient?identifier:not=1": ["sita"],
    "Patient?family=perera": ["nimali", "sita"],
    "Patient?family:exact=Perera": ["nimali"],
    "Patient?name:contains=silva": ["sita"],
    "Patient?given=nim": ["nimali"],
    "Patient?birthdate=1995-04-02": ["nimali"],
    "Patient?birthdate=1995": ["nimali"],
    "Patient?birthdate=lt1995": ["sita"],
    "Patient?birthdate=ge1995-04-02": ["nimali"],
    "Patient?birthdate=gt1995-04-02": [],
    "Patient?birthdate=lt9999": ["nimali", "sita"],
    "Patient?birthdate=le9999-12-31": ["nimali", "sita"],
    "Patient?birthdate=gt9999-12-31T23:59:59-05:00": [],
    "Patient?birthdate=ge0001-01-01T00:00:00%2B05:30": ["nimali", "sita"],
    "Patient?birthdate=ap0001": [],
    "Patient?birthdate=ap0001-01-01": [],
    "Patient?birthdate=ap9999-12-30": [],
    "Patient?birthdate=ap9999-12-31": [],
    "Patient?_lastUpdated=ap9999-12-31": [],
    "Patient?gender=female&family=silva": [],
    "Patient?phone=%2B94771234567&_sort=-birthdate": ["nimali", "sita"],
    "Patient?_sort=birthdate": ["sita", "nimali"],
    "Patient?_id=sita": ["sita"],
    "Patient?death-date:missing=true&_sort=_id": ["nimali", "sita"],
    "Patient?active:missing=false": [],
    "Patient?_lastUpdated=gt2000-01-01&_sort=-_id": ["sita", "nimali"],
    "Patient?_lastUpdated=lt2000": [],
    "Observation?patient=nimali": ["w0", "w1", "w2"],
    "Observation?patient=Patient/nimali&_sort=-date": ["w2", "w1", "w0"],
    "Observation?subject=Patient/sita": [],
    "Observation?subject:Patient=nimali&_count=1&_sort=date": ["w0"],
    f"Observation?patient.identifier={PHN}|1": ["w0", "w1", "w2"],
    f"Observation?subject:Patient.identifier={PHN}|2": [],
    f"Observation?subject.identifier={PHN}|1&date=2026-02-01": ["w1"],
    f"Observation?code={LOINC}|29463-7&encounter=visit": ["w0", "w1", "w2"],
    "Observation?date=ge2026-02-01": ["w1", "w2"],
    "Observation?date=ge2026-01-01&date=lt2026-02-01": ["w0"],
    "Observation?date=ne2026-01-05": ["w1", "w2"],
    "Observation?value-quantity=gt61||kg": ["w1", "w2"],
    "Observation?value-quantity=60.5|http://unitsofmeasure.org|kg": ["w0"],
    "Observation?status=final,amended&_count=2": ["w0", "w1"],
    "Encounter?date=2026-02-01": [],  # it goes on: not within the day
    "Encounter?date=ge2026-02-01&status=finished": ["visit"],
    "Encounter?patient=nimali&_revinclude=Observation:encounter": ["visit", "w0", "w1", "w2"],
    "Observation?_id=w0&_include=Observation:patient": ["w0", "nimali"],
    "Observation?_id=w0&_include=*&_include=Observation:encounter": ["w0", "nimali", "visit"],
}


async def test_search(filled: httpx.AsyncClient) -> None:
    found = {query: searchset(await filled.get(f"/fhir/{query}")) for query in SEARCHES}
    assert found == SEARCHES


@pytest.fixture
async def shared_rows(filled: httpx.AsyncClient) -> httpx.AsyncClient:
    """`filled` with what parameters without index rows of their own have to tell apart."""
    panel = {"coding": [{"system": LOINC, "code": "85354-9"}]}
    part = {"coding": [{"system": LOINC, "code": "8480-6"}]}
    about = {
        "group": {"reference": "Group/all"},
        "panel": {"reference": "Patient/sita"},
        "elsewhere": {"reference": "http://example.org/fhir/Patient/1"},
        "logical": {"identifier": {"system": PHN, "value": "7"}},
        "nobody": None,
    }
    group = {"resourceType": "Group", "id": "all", "type": "person", "actual": True}
    assert (await filled.put("/fhir/Group/all", json=group)).status_code == 201
    for name, subject in about.items():
        resource = {"resourceType": "Observation", "id": name, "status": "final", "code": panel}
        resource |= {"subject": subject} if subject else {}
        if name == "panel":
            resource["component"] = [{"code": part, "valueQuantity": {"value": 120, "unit": "mmHg"}}]
        assert (await filled.put(f"/fhir/Observation/{name}", json=resource)).status_code == 201
    actors = [{"actor": {"reference": "Patient/sita"}, "status": "accepted"}]
    appointment = {"resourceType": "Appointment", "id": "next", "status": "proposed", "participant": actors}
    assert (await filled.put("/fhir/Appointment/next", json=appointment)).status_code == 201
    return filled


_SHARED_ROWS = {
    "Observation?subject=Group/all": ["group"],
    "Observation?patient=Group/all": [],
    "Observation?patient=all": [],
    "Observation?patient=http://example.org/fhir/Patient/1": ["elsewhere"],
    f"Observation?patient:identifier={PHN}|7": ["logical"],
    "Observation?patient:missing=true": ["group", "logical", "nobody"],
    "Observation?subject:missing=true": ["logical", "nobody"],
    "Observation?patient:missing=false&code=85354-9": ["panel", "elsewhere"],
    "Observation?patient.family=perera&code=85354-9": ["panel"],
    "Observation?code=85354-9&_sort=-patient": ["panel", "elsewhere", "group", "logical", "nobody"],
    "Observation?_id=group&_include=Observation:patient": ["group"],
    "Observation?_id=group&_include=Observation:subject": ["group", "all"],
    "Observation?_id=group&_include=Observation:subject:Patient": ["group"],
    "Observation?_id=group&_include=Observation:patient:Group": ["group"],
    "Observation?_id=panel&_include=Observation:patient": ["panel", "sita"],
    "Group?_revinclude=Observation:patient": ["all"],
    "Group?_revinclude=Observation:subject": ["all", "group"],
    "Patient?_id=sita&_revinclude=Observation:patient": ["sita", "panel"],
    "Patient?_id=sita&_revinclude=Observation:subject:Group": ["sita"],
    "Observation?code=8480-6": [],
    "Observation?component-code=8480-6": ["panel"],
    f"Observation?combo-code={LOINC}|8480-6": ["panel"],
    f"Observation?combo-code={LOINC}|85354-9&patient=sita": ["panel"],
    "Observation?combo-code:not=8480-6&code=85354-9": ["group", "elsewhere", "logical", "nobody"],
    "Observation?combo-value-quantity=gt100": ["panel"],
    "Observation?combo-value-quantity=lt61": ["w0"],
    "Observation?combo-value-quantity:missing=true": ["group", "elsewhere", "logical", "nobody"],
    "Observation?_sort=-combo-value-quantity&_count=2": ["panel", "w2"],
    "Appointment?patient=sita": ["next"],
    "Appointment?practitioner:missing=true": ["next"],
    "Appointment?actor=Patient/sita&_include=Appointment:location": ["next"],
}


async def test_parameters_that_share_index_rows_find_no_more_than_their_own(shared_rows: httpx.AsyncClient) -> None:
    found = {query: searchset(await shared_rows.get(f"/fhir/{query}")) for query in _SHARED_ROWS}
    assert found == _SHARED_ROWS


async def test_a_quantity_is_found_by_code_or_unit(record: httpx.AsyncClient) -> None:
    pressure = {"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    resource = {"resourceType": "Observation", "id": "bp", "status": "final", "code": {"text": "BP"}}
    await record.put("/fhir/Observation/bp", json=resource | {"valueQuantity": pressure})
    expected = {
        "120||mmHg": ["bp"],
        "120||mm[Hg]": ["bp"],
        "120|http://unitsofmeasure.org|mm[Hg]": ["bp"],
        "120|http://unitsofmeasure.org|mmHg": [],
        "119||mmHg": [],
    }
    url = "/fhir/Observation"
    assert {value: searchset(await record.get(url, params={"value-quantity": value})) for value in expected} == expected


async def test_of_many_values_the_smallest_counts_upwards_and_the_greatest_downwards(record: httpx.AsyncClient) -> None:
    for name, families in {"a": ["Abey", "Zoysa"], "m": ["Mendis"]}.items():
        resource = {"resourceType": "Patient", "id": name, "name": [{"family": family} for family in families]}
        await record.put(f"/fhir/Patient/{name}", json=resource)
    assert searchset(await record.get("/fhir/Patient?_sort=family")) == ["a", "m"]
    assert searchset(await record.get("/fhir/Patient?_sort=-family")) == ["a", "m"]


async def test_search_by_post_puts_nothing_in_the_url(filled: httpx.AsyncClient) -> None:
    answer = await filled.post("/fhir/Patient/_search", data={"identifier": f"{PHN}|1"})
    assert searchset(answer) == ["nimali"]
    assert PHN not in str(answer.json()["link"])


async def test_total_is_always_there_and_a_count_of_0_is_only_that(filled: httpx.AsyncClient) -> None:
    for query in ("Observation?_count=0", "Observation?_summary=count", "Observation?_count=1"):
        assert (await filled.get(f"/fhir/{query}")).json()["total"] == 3
    assert "entry" not in (await filled.get("/fhir/Observation?_count=0")).json()


async def test_pages_are_stable_whatever_is_written_meanwhile(filled: httpx.AsyncClient) -> None:
    first = (await filled.get("/fhir/Observation?_count=2&_sort=-date&_include=Observation:patient")).json()
    assert [entry["search"]["mode"] for entry in first["entry"]] == ["match", "match", "include"]
    later = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "effectiveDateTime": "2026-12-01"}
    assert (await filled.post("/fhir/Observation", json=later)).status_code == 201
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    assert "Observation" not in following
    second = await filled.get("/fhir" + following.partition("/fhir")[2])
    assert searchset(second) == ["w0", "nimali"]
    assert second.json()["total"] == 3
    previous = next(link["url"] for link in second.json()["link"] if link["relation"] == "previous")
    assert searchset(await filled.get("/fhir" + previous.partition("/fhir")[2])) == ["w2", "w1", "nimali"]
    assert (await filled.get("/fhir?_getpages=forged&_getpagesoffset=0")).status_code == 410


async def test_elements_gives_those_alone(filled: httpx.AsyncClient) -> None:
    entry = (await filled.get("/fhir/Patient?_id=sita&_elements=birthDate")).json()["entry"][0]
    assert entry["resource"].keys() == {"resourceType", "id", "meta", "birthDate"}
    assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"


async def test_everything_is_her_record_and_what_it_refers_to(filled: httpx.AsyncClient) -> None:
    place = {"resourceType": "Location", "id": "clinic", "name": "MOH Kaduwela"}
    await filled.put("/fhir/Location/clinic", json=place)
    visit = (await filled.get("/fhir/Encounter/visit")).json()
    visit["location"] = [{"location": {"reference": "Location/clinic"}}]
    assert (await filled.put("/fhir/Encounter/visit", json=visit)).status_code == 200
    found = searchset(await filled.get("/fhir/Patient/nimali/$everything"))
    assert (found[0], set(found)) == ("nimali", {"nimali", "visit", "w0", "w1", "w2", "clinic"})
    assert len(found) == 6
    typed = await filled.get("/fhir/Patient/nimali/$everything?_type=Observation&_count=2")
    assert searchset(typed) == ["w0", "w1"]
    following = next(link["url"] for link in typed.json()["link"] if link["relation"] == "next")
    assert searchset(await filled.get("/fhir" + following.partition("/fhir")[2])) == ["w2"]
    assert (await filled.get("/fhir/Patient/nobody/$everything")).status_code == 404


REFUSED = [
    "Patient?nonsense=1",
    "Patient?birthdate=yesterday",
    "Patient?birthdate.year=1",
    "Patient?family:near=x",
    "Patient?_sort=shoe",
    "Patient?_include=Patient:shoe",
    "Patient?_count=many",
    "Patient?_summary=text",
    "Patient?_has:Observation:patient:code=1",
    "Observation?patient.shoe=1",
    "Observation?value-quantity=heavy",
]


async def test_what_is_not_understood_is_refused_not_ignored(record: httpx.AsyncClient) -> None:
    answers = {query: await record.get(f"/fhir/{query}") for query in REFUSED}
    assert {query: answer.status_code for query, answer in answers.items()} == dict.fromkeys(REFUSED, 400)
    assert all(answer.json()["resourceType"] == "OperationOutcome" for answer in answers.values())


async def test_a_value_is_never_sql(filled: httpx.AsyncClient) -> None:
    for value in ("'; drop table resource; --", "%", "_", "\\", '"', "a\\,b", "|", "||", "$1"):
        answer = await filled.get("/fhir/Patient", params={"family": value, "identifier": value, "_id": value})
        assert searchset(answer) == []
