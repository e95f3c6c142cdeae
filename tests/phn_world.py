"""What tests of the PHN authority say on its wire."""

from typing import Any

import asyncpg
import httpx

from janani import programmes

PROGRAMME = programmes.load("anc_lk")
SYSTEMS = PROGRAMME.record.systems
PHN, NIC, SUBJECT = SYSTEMS["phn"], SYSTEMS["nic"], SYSTEMS["subject"]


def patient(
    name: str = "Nimali Perera", *, identifiers: dict[str, str] | None = None, **members: Any
) -> dict[str, Any]:
    """A Patient with these identifiers (system → value) and members."""
    *given, family = name.split() or [""]
    return {
        "resourceType": "Patient",
        "identifier": [{"system": system, "value": value} for system, value in (identifiers or {}).items()],
        "name": [{"text": name, "family": family, "given": given}],
        **members,
    }


def parameters(**values: Any) -> dict[str, Any]:
    """A Parameters resource: dicts are resources, the rest by their type."""
    kinds = {dict: "resource", bool: "valueBoolean", int: "valueInteger", str: "valueString"}
    return {
        "resourceType": "Parameters",
        "parameter": [{"name": name, kinds[type(value)]: value} for name, value in values.items()],
    }


def phn_of(resource: dict[str, Any]) -> str:
    [number] = [one["value"] for one in resource["identifier"] if one["system"] == PHN]
    return str(number)


def issue_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, issue code and detail of an OperationOutcome."""
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome", answer.text
    assert answer.headers["content-type"].startswith("application/fhir+json")
    [issue] = outcome["issue"]
    coding = issue.get("details", {}).get("coding", [{}])
    return answer.status_code, issue["code"], coding[0].get("code", "")


async def trail(dsn: str) -> list[tuple[str, str, bool]]:
    """The audit trail: who, what, whether about somebody."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select who, action, person_id is not null from phn.audit order by number")
        return [tuple(row) for row in rows]
    finally:
        await connection.close()
