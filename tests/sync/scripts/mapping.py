"""A programme's mapping in Python. Gives what mapping.jsonnet beside it gives."""

from datetime import datetime

SYSTEM = "http://example.org/event"


def entry(kind, system, value, **members):
    """An entry by its conditional URL."""
    resource = {"resourceType": kind, "identifier": [{"system": system, "value": value}], **members}
    return {"resource": resource, "request": {"method": "PUT", "url": f"{kind}?identifier={system}|{value}"}}


def map(person, context):
    """The entries of one person."""
    held = {one["attribute"]: one["value"] for one in person["enrollments"][0]["attributes"]}
    phn = held["IrUmPkFMDU5"]
    name, gender = held["VQl0wK3eqiw"].strip(), held["p7zizFkC6Lv"].lower()
    made = [entry("Patient", "http://example.org/phn", phn, name=[{"text": name}], gender=gender)]
    patient = {"reference": f"Patient?identifier=http://example.org/phn|{phn}"}
    for event in person["enrollments"][0]["events"]:
        if event["status"] == "COMPLETED":
            uid = event["event"]
            values = {one["dataElement"]: one["value"] for one in event["dataValues"]}
            start = (
                datetime.fromisoformat(event["completedAt"])
                .replace(tzinfo=context.zone)
                .isoformat(timespec="milliseconds")
            )
            unit = context.units.get(event["orgUnit"])
            provider = {"display": unit.name if unit else event["orgUnit"]}
            period = {"start": start}
            made.append(entry("Encounter", SYSTEM, uid, subject=patient, period=period, serviceProvider=provider))
            if "Y3xF4qecAVw" in values:
                encounter = {"reference": f"Encounter?identifier={SYSTEM}|{uid}"}
                number = int(values["Y3xF4qecAVw"])
                made.append(entry("Observation", SYSTEM, f"{uid}-systolic", encounter=encounter, valueInteger=number))
    return made


def device(context):
    """The Device that stands for the registry."""
    return [entry("Device", "http://example.org/system", context.system_id, version=[{"value": context.version}])]
