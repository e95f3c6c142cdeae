"""From a tracked entity's JSON to the transaction bundle's JSON, one thread, a bundle of 23 entries.

Beside it in the same run: a mapping of the same shape by hand in Python, in jq and in Jsonnet. These three make the
same kinds and number of entries, without phone numbers, addresses, profiles or checks of values: they do less than
ours. By hand there are name-based UUIDs and the digests that delivery needs; in Jsonnet MD5 in their place; in jq
neither, it has no hashes. Times are of this thread's CPU: the least and the median of repeats.
"""

import hashlib
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.remove(str(Path(__file__).parent))  # its sync.py hides tests/sync

import jq
import msgspec
import rjsonnet

from janani import programmes
from janani.sync import delivery, mapping
from sync import sample

ENTRIES, LIMIT_MS = 23, 0.15
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
PHN = "http://fhir.health.gov.lk/ips/identifier/phn"


def main() -> None:
    mapper = mapping.compile(programmes.load("anc_lk"))
    context = sample.context()
    person = _person(mapper, context)
    raw = msgspec.json.encode(person)
    rows = _rows(mapper)
    ways: dict[str, Callable[[], Any]] = {
        "janani": lambda: delivery.plan(mapper.map(raw, context), None, "urn:bench").bundle,
        "by hand": _by_hand(raw, rows),
        "jq": _jq(raw, rows),
        "jsonnet": _jsonnet(raw, rows),
    }
    counts = {name: len(msgspec.json.decode(way())["entry"]) for name, way in ways.items()}
    assert set(counts.values()) == {ENTRIES}, counts
    best = {}
    print(f"{len(raw)} bytes in, {ENTRIES} entries out")
    for name, way in ways.items():
        times = _timed(way)
        best[name] = min(times)
        print(f"{name:8} least {min(times):8.3f} ms   median {statistics.median(times):8.3f} ms")
    ours = best["janani"]
    print(f"least: {ours:.3f} ms (limit {LIMIT_MS}); by hand ×{ours / best['by hand']:.2f} (limit 2);", end=" ")
    print(f"jq ×{best['jq'] / ours:.1f} (at least 10); jsonnet ×{best['jsonnet'] / ours:.1f} (at least 20)")


def _timed(way: Callable[[], Any], seconds: float = 2.0) -> list[float]:
    """CPU milliseconds of one call, in small batches."""
    times, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 20:
        began = time.thread_time()
        for _ in range(10):
            way()
        times.append((time.thread_time() - began) * 100)
    return times


def _rows(mapper: mapping.Mapper) -> dict[str, Any]:
    """The table's plain numbers as data: {data element: [code, text, unit, category]}."""
    return {
        mapper.catalogue.elements[row.element].uid: [
            (code := row.code if isinstance(row.code, str) else row.code[0]).partition("#")[2].partition("|")[0],
            code.partition("|")[2],
            row.unit.partition("|")[0],
            row.category,
        ]
        for row in mapper.table.observations
        if row.value == "quantity" and row.element and not row.divide_by
    }


def _person(mapper: mapping.Mapper, context: mapping.Context) -> dict[str, Any]:
    """The sample with one visit, of so many values that the bundle has 23 entries."""
    person = sample.person()
    uids = list(_rows(mapper))
    for count in range(1, len(uids)):
        values = {uid: str(number + 10) for number, uid in enumerate(uids[:count])}
        person["enrollments"][0]["events"] = [sample.event(sample.VISIT, "GX0z9IXFaso", values)]
        if len(mapper.map(person, context).entries) == ENTRIES:
            return person
    raise SystemExit("no number of values gives so many entries")


SHARED = [("Device", "5b21b377"), ("Organization", "root"), ("Location", "root"), ("Organization", "unit")]
SHARED += [("Location", "unit"), ("Practitioner", "user")]


def _by_hand(raw: bytes, rows: dict[str, Any]) -> Callable[[], bytes]:
    digests: list[str] = []

    def url_of(kind: str, value: str) -> str:
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{kind}/{value}')}"

    def entry(kind: str, value: str, resource: dict[str, Any]) -> dict[str, Any]:
        full = {"resourceType": kind, "identifier": [{"system": "urn:x", "value": value}], **resource}
        url = f"{kind}?identifier=urn%3Ax%7C{value}"
        digests.append(hashlib.sha256(msgspec.json.encode(full)).hexdigest()[:24])
        return {"fullUrl": url_of(kind, value), "resource": full, "request": {"method": "PUT", "url": url}}

    device = {"reference": url_of("Device", "5b21b377")}

    def observation(event: dict[str, Any], one: dict[str, Any], subject: Any, encounter: Any, performer: Any) -> Any:
        code, text, unit, category = rows[one["dataElement"]]
        system = "http://terminology.hl7.org/CodeSystem/observation-category"
        return entry(
            "Observation",
            event["event"] + "-" + one["dataElement"],
            {
                "status": "final",
                "category": [{"coding": [{"system": system, "code": category}]}],
                "code": {"coding": [{"system": LOINC, "code": code, "display": text}], "text": text},
                "subject": subject,
                "encounter": encounter,
                "effectiveDateTime": event["occurredAt"][:10],
                "performer": [performer],
                "device": device,
                "valueQuantity": {"value": float(one["value"]), "unit": unit, "system": UCUM, "code": unit},
            },
        )

    def way() -> bytes:
        digests.clear()
        person = msgspec.json.decode(raw)
        enrollment = person["enrollments"][0]
        held = {one["attribute"]: one["value"] for one in enrollment["attributes"]}
        uid, words = person["trackedEntity"], held["VQl0wK3eqiw"].split()
        subject = {"reference": url_of("Patient", uid)}
        patient = {
            "identifier": [{"system": PHN, "value": held["IrUmPkFMDU5"]}, {"system": "urn:x", "value": uid}],
            "name": [{"text": held["VQl0wK3eqiw"], "family": words[-1], "given": words[:-1]}],
            "gender": held["p7zizFkC6Lv"].lower(),
            "birthDate": held["Yie7mOY913J"],
            "telecom": [{"system": "phone", "value": held["gGAQeOr1Pgu"]}],
            "address": [{"text": held["EOMGwaUTMrU"]}],
        }
        found = [entry("Patient", uid, patient)] + [entry(kind, value, {"name": value}) for kind, value in SHARED]
        found.append(entry("EpisodeOfCare", enrollment["enrollment"], {"status": "active", "patient": subject}))
        for event in enrollment["events"]:
            encounter = {"reference": url_of("Encounter", event["event"])}
            performer = {"reference": url_of("Practitioner", event["updatedBy"]["uid"])}
            period = {"start": event["occurredAt"][:10]}
            found.append(
                entry("Encounter", event["event"], {"status": "finished", "subject": subject, "period": period})
            )
            found += [observation(event, one, subject, encounter, performer) for one in event["dataValues"]]
        return msgspec.json.encode({"resourceType": "Bundle", "type": "transaction", "entry": found})

    return way


JQ = """
def entry($kind; $value; $resource):
  {fullUrl: "urn:x:\\($kind):\\($value)",
   resource: ({resourceType: $kind, identifier: [{system: "urn:x", value: $value}]} + $resource),
   request: {method: "PUT", url: "\\($kind)?identifier=urn%3Ax%7C\\($value)"}};
. as $person | .enrollments[0] as $enrollment
| ($enrollment.attributes | map({key: .attribute, value: .value}) | from_entries) as $held
| ($held["VQl0wK3eqiw"] | split(" ")) as $words
| {reference: "urn:x:Patient:\\(.trackedEntity)"} as $subject
| {resourceType: "Bundle", type: "transaction", entry: (
  [entry("Patient"; .trackedEntity; {
    identifier: [{system: "PHN", value: $held["IrUmPkFMDU5"]}, {system: "urn:x", value: .trackedEntity}],
    name: [{text: $held["VQl0wK3eqiw"], family: $words[-1], given: $words[:-1]}],
    gender: ($held["p7zizFkC6Lv"] | ascii_downcase), birthDate: $held["Yie7mOY913J"],
    telecom: [{system: "phone", value: $held["gGAQeOr1Pgu"]}], address: [{text: $held["EOMGwaUTMrU"]}]})]
  + ($shared | map(entry(.[0]; .[1]; {name: .[1]})))
  + [entry("EpisodeOfCare"; $enrollment.enrollment; {status: "active", patient: $subject})]
  + [$enrollment.events[] as $event
     | {reference: "urn:x:Encounter:\\($event.event)"} as $encounter
     | entry("Encounter"; $event.event;
         {status: "finished", subject: $subject, period: {start: $event.occurredAt[:10]}}),
       ($event.dataValues[] as $one | $rows[$one.dataElement] as $row
        | entry("Observation"; "\\($event.event)-\\($one.dataElement)"; {status: "final",
            category: [{coding: [{code: $row[3],
              system: "http://terminology.hl7.org/CodeSystem/observation-category"}]}],
            code: {coding: [{system: "http://loinc.org", code: $row[0], display: $row[1]}], text: $row[1]},
            subject: $subject, encounter: $encounter, effectiveDateTime: $event.occurredAt[:10],
            performer: [{reference: "urn:x:Practitioner:\\($event.updatedBy.uid)"}],
            device: {reference: "urn:x:Device:5b21b377"},
            valueQuantity: {value: ($one.value | tonumber), unit: $row[2], system: "http://unitsofmeasure.org",
                            code: $row[2]}}))])}
"""


def _jq(raw: bytes, rows: dict[str, Any]) -> Callable[[], str]:
    program = jq.compile(JQ, args={"rows": rows, "shared": [list(one) for one in SHARED]})
    text = raw.decode()
    return lambda: str(program.input_text(text).text())


JSONNET = """
local person = std.parseJson(std.extVar("person"));
local rows = ROWS;
local enrollment = person.enrollments[0];
local held = { [one.attribute]: one.value for one in enrollment.attributes };
local words = std.split(held.VQl0wK3eqiw, " ");
local subject = { reference: "urn:x:Patient:" + person.trackedEntity };
local entry(kind, value, resource) = {
  fullUrl: "urn:uuid:" + std.md5(kind + "/" + value),
  resource: { resourceType: kind, identifier: [{ system: "urn:x", value: value }] } + resource,
  request: { method: "PUT", url: kind + "?identifier=urn%3Ax%7C" + value },
};
local observation(event, one) = entry("Observation", event.event + "-" + one.dataElement,
  local row = rows[one.dataElement]; {
    status: "final",
    category: [{ coding: [{ system: "http://terminology.hl7.org/CodeSystem/observation-category", code: row[3] }] }],
    code: { coding: [{ system: "http://loinc.org", code: row[0], display: row[1] }], text: row[1] },
    subject: subject, encounter: { reference: "urn:x:Encounter:" + event.event },
    effectiveDateTime: std.substr(event.occurredAt, 0, 10),
    performer: [{ reference: "urn:x:Practitioner:" + event.updatedBy.uid }],
    device: { reference: "urn:x:Device:5b21b377" },
    valueQuantity: { value: std.parseJson(one.value), unit: row[2], system: "http://unitsofmeasure.org", code: row[2] },
  });
{
  resourceType: "Bundle", type: "transaction",
  entry: [entry("Patient", person.trackedEntity, {
    identifier: [{ system: "PHN", value: held.IrUmPkFMDU5 }, { system: "urn:x", value: person.trackedEntity }],
    name: [{ text: held.VQl0wK3eqiw, family: words[std.length(words) - 1], given: words[0:std.length(words) - 1] }],
    gender: std.asciiLower(held.p7zizFkC6Lv), birthDate: held.Yie7mOY913J,
    telecom: [{ system: "phone", value: held.gGAQeOr1Pgu }], address: [{ text: held.EOMGwaUTMrU }],
  })] + [entry(one[0], one[1], { name: one[1] }) for one in SHARED]
  + [entry("EpisodeOfCare", enrollment.enrollment, { status: "active", patient: subject })]
  + std.flatMap(function(event)
      [entry("Encounter", event.event,
        { status: "finished", subject: subject, period: { start: std.substr(event.occurredAt, 0, 10) } })]
      + [observation(event, one) for one in event.dataValues], enrollment.events),
}
"""


def _jsonnet(raw: bytes, rows: dict[str, Any]) -> Callable[[], str]:
    shared = msgspec.json.encode(SHARED).decode()
    source = JSONNET.replace("ROWS", msgspec.json.encode(rows).decode()).replace("SHARED", shared)
    text = raw.decode()
    return lambda: str(rjsonnet.evaluate_snippet("bench.jsonnet", source, ext_vars={"person": text}))


if __name__ == "__main__":
    main()
