"""A programme may bring its mapping as Jsonnet or Python; what it gives is checked and made like the table's."""

import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from janani import programmes
from janani.programmes import ProgrammeFault
from janani.sync import delivery, mapping
from janani.sync.mapping import NotMapped, checking
from sync import sample
from sync.world import World

SCRIPTS = Path(__file__).parent / "scripts"
OWN = "http://example.org/person"


@pytest.fixture(params=["jsonnet", "python"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A programme with a script in place of the table."""
    source = programmes.load("anc_lk").folder
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    shutil.copy(source / "metadata.json", tmp_path)
    text = (source / "programme.yaml").read_text()
    systems = f"  systems:\n    tracked_entity: {OWN}\n    bundle: http://example.org/bundle\n"
    text = f"mapper: {request.param}\n" + text.replace("  systems:\n", systems)
    (tmp_path / "programme.yaml").write_text(text)
    return tmp_path


def made(folder: Path) -> Any:
    return mapping.mapper_of(programmes.load(str(folder)))


def replace(folder: Path, old: dict[str, str]) -> None:
    """Changes the script: `old` is {kind of mapper: "what is there → what shall be"}."""
    kind = programmes.load(str(folder)).mapper
    before, _, after = old[kind].partition(" → ")
    for path in [*folder.glob("mapping.*"), *folder.glob("modules/*")]:
        if path.suffix == ".py" if kind == "python" else path.suffix != ".py":
            path.write_text(path.read_text().replace(before, after))


def test_a_script_gives_the_entries_of_a_transaction(folder: Path) -> None:
    mapped = made(folder).map(sample.person(), sample.context(sample.COLOMBO))
    assert [one.kind for one in mapped.entries] == ["Patient", "Encounter", "Encounter", "Observation"]
    patient, registered, _, pressure = (one.resource for one in mapped.entries)
    assert mapped.patient == "Patient?identifier=http%3A%2F%2Fexample.org%2Fphn%7C12345678"
    assert mapped.patient_own == f"Patient?identifier=http%3A%2F%2Fexample.org%2Fperson%7C{sample.PERSON}"
    assert patient["identifier"][-1] == {"system": OWN, "value": sample.PERSON}
    assert registered["period"]["start"] == "2025-09-04T07:37:47.106+05:30"
    assert registered["serviceProvider"] == {"display": "Akurana North midwife area"}
    assert pressure["valueInteger"] == 120
    assert mapped.timestamp == "2025-09-04T07:42:13.455+05:30"


def test_references_between_entries_become_full_urls(folder: Path) -> None:
    """Whether the script wrote the other's URL or its full URL."""
    mapped = made(folder).map(sample.person(), sample.context())
    patient, _, visit, pressure = mapped.entries
    assert visit.resource["subject"] == {"reference": patient.full_url}
    assert pressure.resource["encounter"] == {"reference": visit.full_url}
    assert all(len(one.full_url) == len("urn:uuid:") + 36 for one in mapped.entries)


def test_the_same_person_gives_the_same_bundle(folder: Path) -> None:
    """By another mapper of the same programme, from bytes or from dicts, and the dicts stay as they were."""
    person, context = sample.person(), sample.context()
    first = delivery.plan(made(folder).map(person, context), None, "urn:bundles").bundle
    second = delivery.plan(made(folder).map(msgspec.json.encode(person), context), None, "urn:bundles").bundle
    assert first == second
    assert person == sample.person()


def test_both_scripts_give_the_same(folder: Path) -> None:
    mapped = made(folder).map(sample.person(), sample.context())
    text = (folder / "programme.yaml").read_text()
    (folder / "programme.yaml").write_text(text.replace("mapper: jsonnet", "mapper: python"))
    other = made(folder).map(sample.person(), sample.context())
    assert [(one.key, one.full_url, one.resource) for one in mapped.entries] == [
        (one.key, one.full_url, one.resource) for one in other.entries
    ]


def test_the_device_is_shared_and_may_be_absent(folder: Path) -> None:
    [device] = made(folder).device(sample.context())
    assert device.shared
    assert device.resource["version"] == [{"value": "2.42.1"}]
    replace(folder, {"jsonnet": "device(context):: → other(context)::", "python": "def device( → def other("})
    assert made(folder).device(sample.context()) == []


def test_only_who_is_enrolled_concerns_it(folder: Path) -> None:
    person = sample.person()
    assert made(folder).concerns(person)
    person["enrollments"][0]["program"] = "another"
    assert not made(folder).concerns(person)


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (
            {"jsonnet": "std.parseInt( → std.parseInt('x' + ", "python": "number = int( → number = None.int("},
            r"^(visits\.libsonnet fails in line \d+|mapping\.py fails in line \d+ \(AttributeError\))$",
        ),
        ({"jsonnet": "'PUT' → 'DELETE'", "python": '"PUT" → "DELETE"'}, "entry 1 .*must be PUT or POST"),
        (
            {"jsonnet": "Patient?identifier → Patient?name", "python": "?identifier= → ?name="},
            r"its URL must be Patient\?identifier=system\|value",
        ),
        (
            {"jsonnet": "value: held( → value: 'x' + held(", "python": '"value": value}] → "value": value + "x"}]'},
            "the resource lacks the identifier of its URL",
        ),
        ({"jsonnet": "'Patient' → 'Person'", "python": '("Patient" → ("Person"'}, "Person|Patient"),
        (
            {"jsonnet": "    entry: → none:", "python": "return made → return 7"},
            "neither a list of entries nor a Bundle",
        ),
        (
            {
                "jsonnet": "value: event.event + '-systolic' → value: event.event",
                "python": "return made → return made + [None, 3]",
            },
            r"lacks the identifier of its URL|entry 6 of mapping\.py has no resource",
        ),
    ],
)
def test_what_a_script_does_wrong_is_said_in_words(folder: Path, spoilt: dict[str, str], reason: str) -> None:
    """With its place, and without a value of hers."""
    replace(folder, spoilt)
    with pytest.raises(NotMapped, match=reason) as raised:
        made(folder).map(sample.person(), sample.context())
    assert "John" not in str(raised.value)
    assert "12345678" not in str(raised.value)


def test_a_script_that_cannot_be_read_stops_the_start(folder: Path) -> None:
    replace(folder, {"jsonnet": "map(payload → map(payload (", "python": "def map(person → def map(person ("})
    with pytest.raises(ProgrammeFault, match=r"mapping\.(jsonnet|py):\d+ "):
        made(folder)


def test_a_script_without_map_or_that_is_not_there_stops_the_start(folder: Path) -> None:
    replace(folder, {"jsonnet": "map(payload → mop(payload", "python": "def map( → def mop("})
    with pytest.raises(ProgrammeFault, match="no function map"):
        made(folder)
    for path in folder.glob("mapping.*"):
        path.unlink()
    with pytest.raises(ProgrammeFault, match=r"programme\.yaml:1  .*mapping\.(jsonnet|py) is missing"):
        made(folder)


def test_what_needs_rows_asks_for_the_table(folder: Path) -> None:
    with pytest.raises(ProgrammeFault, match=r"programme\.yaml:1  this needs rows, which only the table has"):
        checking.read(programmes.load(str(folder)))
    (folder / "write_back.yaml").write_text("")
    with pytest.raises(ProgrammeFault, match=r"write_back\.yaml reads rows backwards"):
        made(folder)


def test_systems_that_every_mapper_needs(folder: Path) -> None:
    path = folder / "programme.yaml"
    path.write_text(path.read_text().replace("    bundle: http://example.org/bundle\n", ""))
    with pytest.raises(ProgrammeFault, match="the system 'bundle' is missing"):
        made(folder)


async def test_who_the_script_cannot_map_is_set_aside_in_words(folder: Path, world: World) -> None:
    """The others go on."""
    world.settings = msgspec.structs.replace(world.settings, programme=str(folder))
    spoilt = sample.person() | {"trackedEntity": "Person00001"}
    sample.attribute(spoilt, "p7zizFkC6Lv", None)
    async with world.sync():
        await world.until(lambda: world.record.of("Device"))
        world.registry.put(spoilt)
        world.registry.put(sample.person())
        await world.until(lambda: world.record.of("Observation"))
        await world.settled()
    [dead] = await world.fetch("select person, reason, detail, payload from dead")
    assert dead["person"] == "Person00001"
    assert dead["reason"].startswith("it could not be mapped: ")
    assert re.search(r"(patient\.libsonnet|mapping\.py) fails in line \d+", dead["reason"])
    assert dead["detail"]
    assert not dead["payload"], "nothing was made of her"
    page = (Path(__file__).parents[2] / "docs/reference/mapping-language.md").read_text()
    assert "is the detail (`janani sync dead show`). There is no payload" in page
