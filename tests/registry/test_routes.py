import pytest

from janani.registry.problems import Refusal
from janani.registry.routes import host_allowed, target
from janani.registry.sealing import Sealer


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://anything.example/path", True),
        ("http://localhost:8090/fetchUserInfo", True),
        ("http://localhost:9999/", False),
        ("http://evil.example/", False),
        ("ftp://localhost:8090/", False),
        ("http://localhost:8090.evil.example/", False),
    ],
)
def test_only_allowed_hosts_are_called(url: str, allowed: bool) -> None:
    assert host_allowed(url, ["https://*", "http://localhost:8090"]) is allowed


def test_a_path_after_run_needs_a_route_that_ends_in_two_stars() -> None:
    assert target("http://h/fhir/**", "Patient") == "http://h/fhir/Patient"
    with pytest.raises(Refusal):
        target("http://h/one", "two")
    with pytest.raises(Refusal):
        target("http://h/fhir/**", "../admin")


def test_a_routes_secret_is_stored_sealed_and_kept_when_the_route_is_saved_without_it() -> None:
    sealer = Sealer(b"2Wc4Z1mHkKc7hXoZ8hJ2D7v8wE3b0m1lq7N0a9sT4yQ=")
    stored = sealer.sealed({"auth": {"type": "api-token", "token": "secret"}}, None)
    assert "secret" not in str(stored)
    assert sealer.opened(stored) == {"type": "api-token", "token": "secret"}
    assert sealer.sealed({"auth": {"type": "api-token"}}, stored)["auth"] == stored["auth"]
