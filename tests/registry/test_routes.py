import pytest

from janani.registry.problems import Refusal
from janani.registry.routes import allowed_hosts, host_allowed, target
from janani.registry.sealing import Sealer
from janani.settings import Phn, Registry, Relying, Settings


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


def test_this_installations_relying_party_and_phn_service_may_be_called_wherever_they_are() -> None:
    settings = Settings(
        relying=Relying(url="http://localhost:9090/behind"),
        phn=Phn(url="https://phn.example"),
        registry=Registry(route_hosts=[]),
    )
    assert allowed_hosts(settings) == ["http://localhost:9090", "https://phn.example"]


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
