"""SMART scopes: only what is both asked and allowed is granted."""

import pytest

from janani.record.authorization.scopes import contexts, granted, resource_scopes

DOCTOR = ["openid", "fhirUser", "user/*.cruds", "patient/*.rs"]


@pytest.mark.parametrize(
    ("asked", "allowed", "expected"),
    [
        ("openid fhirUser user/*.cruds", DOCTOR, "openid fhirUser user/*.cruds"),
        ("user/*.read", DOCTOR, "user/*.rs"),
        ("user/*.write", DOCTOR, "user/*.cud"),
        ("user/*.*", DOCTOR, "user/*.cruds"),
        ("user/Observation.rs", DOCTOR, "user/Observation.rs"),
        ("patient/*.cruds", DOCTOR, "patient/*.rs"),
        ("patient/Observation.c", DOCTOR, ""),
        ("system/*.cruds", DOCTOR, ""),
        ("user/*.cruds", ["user/Observation.rs", "user/Patient.r"], "user/Observation.rs user/Patient.r"),
        ("user/*.rs?category=lab", DOCTOR, ""),
        ("user/Observation.rs?category=lab", DOCTOR, ""),
        ("user/*.sr", DOCTOR, ""),  # letters have one order
        ("user/*.", DOCTOR, ""),
        ("user/observation.rs", DOCTOR, ""),
        ("offline_access email", DOCTOR, ""),
        ("openid openid user/*.rs user/*.rs", DOCTOR, "openid user/*.rs"),
        ("", DOCTOR, ""),
    ],
)
def test_granted(asked: str, allowed: list[str], expected: str) -> None:
    assert " ".join(granted(asked.split(), allowed)) == expected


def test_contexts() -> None:
    assert contexts(["openid", "user/*.rs", "patient/Patient.r"]) == {"user", "patient"}
    assert resource_scopes(["openid"]) == []
