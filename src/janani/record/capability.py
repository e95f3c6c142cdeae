"""The CapabilityStatement: what this server does, made from the tables that it works by (R4 §CapabilityStatement)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from janani import __version__
from janani.record import definitions
from janani.record.changes import instant
from janani.record.definitions import Parameter
from janani.record.door import AUDIT

_INTERACTIONS = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
_CHANGING = ("update", "patch", "delete")
_KINDS = {"id": "token", "updated": "date"}
_VALIDATE = {"name": "validate", "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate"}
_EVERYTHING = {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"}


def statement(
    base_url: str, issuer_url: str, *, smart: bool, profiles: Mapping[str, Sequence[str]], now: datetime
) -> bytes:
    """The CapabilityStatement as JSON.

    Args:
        issuer_url: where `/auth/authorize` and `/auth/token` are.
        profiles: by resource type, those that are checked.
    """
    resources = [
        _resource(name, parameters, profiles.get(name, ())) for name, parameters in sorted(definitions.types().items())
    ]
    rest: dict[str, Any] = {
        "mode": "server",
        "security": _security(issuer_url, smart=smart),
        "resource": resources,
        "interaction": [{"code": "transaction"}, {"code": "batch"}, {"code": "history-system"}],
    }
    return msgspec.json.encode(
        {
            "resourceType": "CapabilityStatement",
            "id": "record",
            "name": "JananiRecord",
            "title": "Janani shared health record",
            "status": "active",
            "date": instant(now),
            "publisher": "Janani",
            "kind": "instance",
            "software": {"name": "Janani record", "version": __version__},
            "implementation": {"description": "Shared health record of a Janani installation", "url": base_url},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "json"],
            "patchFormat": ["application/json-patch+json"],
            "rest": [rest],
        }
    )


def _resource(name: str, parameters: Mapping[str, Parameter], profiles: Sequence[str]) -> dict[str, Any]:
    fixed = name == AUDIT
    references = sorted(one.name for one in parameters.values() if one.kind == "reference")
    found: dict[str, Any] = {
        "type": name,
        "supportedProfile": list(profiles),
        "interaction": [{"code": code} for code in _INTERACTIONS if not (fixed and code in _CHANGING)],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": not fixed,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": not fixed,
        "conditionalDelete": "not-supported" if fixed else "single",
        "referencePolicy": ["literal", "logical", "local", "enforced"],
        "searchParam": [
            {"name": one.name, "type": _KINDS.get(one.kind, one.kind)}
            for one in sorted(parameters.values(), key=lambda one: one.name)
        ],
        "operation": [_VALIDATE, _EVERYTHING] if name == "Patient" else [_VALIDATE],
    }
    if references:
        found["searchInclude"] = ["*", *(f"{name}:{reference}" for reference in references)]
        found["searchRevInclude"] = _pointing_at(name)
    return {key: value for key, value in found.items() if value != []}


def _pointing_at(target: str) -> list[str]:
    return sorted(
        f"{source}:{one.name}"
        for source, parameters in definitions.types().items()
        for one in parameters.values()
        if one.kind == "reference" and target in one.targets
    )


def _security(issuer_url: str, *, smart: bool) -> dict[str, Any]:
    if not smart:
        return {"cors": True, "description": "Open: sandbox only."}
    service = {"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}
    uris = {"authorize": f"{issuer_url}/auth/authorize", "token": f"{issuer_url}/auth/token"}
    return {
        "cors": True,
        "service": [{"coding": [service], "text": "OAuth2 using SMART-on-FHIR profile"}],
        "extension": [
            {
                "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                "extension": [{"url": name, "valueUri": uri} for name, uri in uris.items()],
            }
        ],
    }
