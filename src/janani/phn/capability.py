"""What this server can do, said as a CapabilityStatement. Exactly this and nothing more."""

from typing import Any

from litestar import Response, get

from janani import __version__
from janani.phn.authority import The, fhir
from janani.phn.demographics import SEARCHED

_TYPES = {"_id": "token", "identifier": "token", "gender": "token", "telecom": "token", "phone": "token"}
_OPERATIONS = {
    "match": "http://hl7.org/fhir/OperationDefinition/Patient-match",
    "issue": "urn:janani:fhir:OperationDefinition:issue",
    "check-number": "urn:janani:fhir:OperationDefinition:check-number",
}


@get("/fhir/metadata")
async def metadata(authority: The) -> Response[Any]:
    """The CapabilityStatement; the one thing that needs no token."""
    base = authority.settings.phn.url.rstrip("/") + "/fhir"
    return fhir(statement(base), headers={"cache-control": "public, max-age=300"})


def statement(base: str) -> dict[str, Any]:
    """The CapabilityStatement of the server at `base`."""
    parameters = [
        {"name": name, "type": _TYPES.get(name, "date" if name == "birthdate" else "string")} for name in SEARCHED
    ]
    patient = {
        "type": "Patient",
        "interaction": [{"code": code} for code in ("read", "search-type", "create", "update")],
        "versioning": "versioned-update",
        "conditionalUpdate": True,
        "updateCreate": False,
        "searchParam": parameters,
        "operation": [{"name": name, "definition": definition} for name, definition in _OPERATIONS.items()],
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-21",
        "kind": "instance",
        "software": {"name": "Janani PHN authority", "version": __version__},
        "implementation": {"description": "Authority for Patient Health Numbers", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "instantiates": ["https://profiles.ihe.net/ITI/PDQm/CapabilityStatement/IHE.PDQm.Supplier"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "Authorization: ApiToken, as a registry's Route presents it."},
                "resource": [patient],
            }
        ],
    }
