"""SMART App Launch and Backend Services on the record's own wire."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from joserfc.jwk import RSAKey

from janani.record.actor import Actor
from janani.record.authorization.tokens import Login, Tokens, actor
from record_smart import AUTH, DOCTOR, FHIR, MOTHER, PORTALS, VERIFIER, Server, claims_of, doctor, patient, told


async def test_what_it_says_of_itself(server: Server) -> None:
    answer = await server.http.get("/fhir/.well-known/smart-configuration")
    assert answer.headers["access-control-allow-origin"] == "*"
    said = answer.json()
    assert said["authorization_endpoint"] == f"{AUTH}/authorize"
    assert said["token_endpoint"] == f"{AUTH}/token"
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert {"client-confidential-asymmetric", "permission-v2", "sso-openid-connect"} <= set(said["capabilities"])
    [key] = (await server.http.get("/auth/jwks")).json()["keys"]
    assert "d" not in key
    assert key["kid"]


async def test_the_sync_signs_in_by_its_key(server: Server) -> None:
    answer = await server.token("janani-sync", grant_type="client_credentials", scope="system/*.cruds")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert (said["token_type"], said["expires_in"], said["scope"]) == ("bearer", 900, "system/*.cruds")
    claims = claims_of(said["access_token"])
    assert (claims["kind"], claims["sub"], claims["aud"]) == ("system", "janani-sync", FHIR)
    assert actor(claims).may("create", "Patient")
    assert "refresh_token" not in said


async def test_keys_are_fetched_once_and_again_for_a_new_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await server.system()
    assert len(server.jwks_asked) == 1
    monkeypatch.setattr("janani.record.authorization.clients._REFRESH_FLOOR_SECONDS", 0)
    server.keys = server.keys | {"janani-sync": server.keys["stranger"]}
    answer = await server.token("janani-sync", grant_type="client_credentials", scope="system/*.cruds")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert len(server.jwks_asked) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "portals"},
        {"sub": "someone"},
        {"aud": "https://elsewhere.example/token"},
        {"exp": 1},
        {"exp": 9_999_999_999},
        {"exp": None},
        {"jti": None},
        {"jti": ""},
        {"jti": "\0"},
    ],
)
async def test_an_assertion_that_is_not_right(server: Server, changes: dict[str, Any]) -> None:
    answer = await server.token(
        "janani-sync",
        grant_type="client_credentials",
        scope="system/*.cruds",
        client_assertion=server.assertion("janani-sync", **changes),
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_assertion_serves_once(server: Server) -> None:
    proof = server.assertion("janani-sync")
    form = {"grant_type": "client_credentials", "scope": "system/*.rs", "client_assertion": proof}
    assert (await server.token("janani-sync", **form)).status_code == 200
    again = await server.token("janani-sync", **form)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")


def nested() -> str:
    """A compact JWS whose payload nests without end."""
    parts = ('{"alg":"RS256","kid":"k"}', "[" * 50_000, "x")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize("proof", ["", "x", "a.b.c", "e30.e30.e30", pytest.param(nested(), id="nested")])
async def test_an_assertion_that_is_none(server: Server, proof: str) -> None:
    answer = await server.token("janani-sync", grant_type="client_credentials", client_assertion=proof)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("client", "form", "error"),
    [
        ("janani-sync", {"grant_type": "password"}, "unsupported_grant_type"),
        ("janani-sync", {"grant_type": "authorization_code", "code": "x"}, "unauthorized_client"),
        ("portals", {"grant_type": "client_credentials", "scope": "system/*.cruds"}, "unauthorized_client"),
        ("janani-sync", {"grant_type": "client_credentials", "scope": "user/*.cruds"}, "invalid_scope"),
        ("janani-sync", {"grant_type": "client_credentials"}, "invalid_scope"),
        ("portals", {"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
        ("portals", {"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ],
)
async def test_refused_grants(server: Server, client: str, form: dict[str, str], error: str) -> None:
    answer = await server.token(client, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_json_is_no_form(server: Server) -> None:
    answer = await server.http.post("/auth/token", json={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_doctor_signs_in(server: Server) -> None:
    doctor(server)
    said = await server.person(DOCTOR)
    assert said["scope"] == DOCTOR
    assert "patient" not in said
    claims = claims_of(said["access_token"])
    assert (claims["kind"], claims["name"], claims["client_id"]) == ("staff", "Dr Anura Perera", "portals")
    identity = claims_of(said["id_token"])
    assert identity["aud"] == "portals"
    assert identity["fhirUser"] == claims["fhirUser"] == f"{FHIR}/{claims['sub']}"
    headers = {"authorization": f"Bearer {said['access_token']}"}
    resource = (await server.http.get(f"/fhir/{claims['sub']}", headers=headers)).json()
    assert resource["name"][0]["family"] == "Perera"
    assert resource["meta"]["profile"] == ["http://fhir.health.gov.lk/ips/StructureDefinition/practitioner"]
    again = claims_of((await server.person(DOCTOR))["access_token"])
    assert again["sub"] == claims["sub"]


async def test_a_midwife_gets_what_the_staff_list_allows(server: Server) -> None:
    server.esignet.person = {"sub": "pairwise-m", "name": "Nirmala", "email": "nirmala@moh.example"}
    assert (await server.person(DOCTOR))["scope"] == "openid fhirUser user/*.rs"


async def test_a_mother_sees_her_own_record(server: Server) -> None:
    sync = await server.system()
    hers = (await server.http.post("/fhir/Patient", json=patient("pairwise-1"), headers=sync)).json()["id"]
    other = (await server.http.post("/fhir/Patient", json=patient("pairwise-2", "2"), headers=sync)).json()["id"]
    said = await server.person(MOTHER)
    assert (said["patient"], said["need_patient_banner"]) == (hers, False)
    assert claims_of(said["id_token"])["fhirUser"] == f"{FHIR}/Patient/{hers}"
    headers = {"authorization": f"Bearer {said['access_token']}"}
    assert (await server.http.get(f"/fhir/Patient/{hers}", headers=headers)).status_code == 200
    assert (await server.http.get(f"/fhir/Patient/{other}", headers=headers)).status_code == 404
    found = (await server.http.get("/fhir/Patient", headers=headers)).json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == [hers]
    refused = await server.http.put(f"/fhir/Patient/{hers}", json=patient("pairwise-1") | {"id": hers}, headers=headers)
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("person", "scope", "words"),
    [
        ({"sub": "nobody", "name": "x"}, MOTHER, "no record for you yet"),
        ({"sub": "x", "name": "x", "email": "stranger@moh.example"}, DOCTOR, "not on the list of staff"),
        ({"sub": "x", "name": "x"}, DOCTOR, "e-mail address is needed"),
    ],
)
async def test_who_has_no_place_here_is_told_kindly(
    server: Server, person: dict[str, Any], scope: str, words: str
) -> None:
    server.esignet.person = person
    answer = await server.sign_in(scope)
    assert answer.status_code == 403
    assert words in answer.text
    assert "error=access_denied" in answer.text
    assert "state=portal-state" in answer.text


async def test_two_records_for_one_person_show_none(server: Server) -> None:
    sync = await server.system()
    for number in "12":
        await server.http.post("/fhir/Patient", json=patient("pairwise-1", number), headers=sync)
    answer = await server.sign_in(MOTHER)
    assert (answer.status_code, "in order first" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "x"},
        {"client_id": "janani-sync"},
        {"redirect_uri": "http://x.example"},
        {"redirect_uri": f"{PORTALS}/doctor/callback/"},
    ],
)
async def test_nobody_is_sent_where_it_is_not_registered(server: Server, changes: dict[str, str]) -> None:
    answer = await server.http.get("/auth/authorize", params=server.request(DOCTOR) | changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "x.example" not in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"aud": "https://elsewhere.example/fhir"}, "invalid_request"),
        ({"aud": ""}, "invalid_request"),
        ({"state": ""}, "invalid_request"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "system/*.cruds"}, "invalid_scope"),
        ({"scope": "user/*.rs patient/*.rs"}, "invalid_scope"),
    ],
)
async def test_a_wrong_request_is_told_to_the_client(server: Server, changes: dict[str, str], error: str) -> None:
    answer = await server.http.get("/auth/authorize", params=server.request(DOCTOR) | changes)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{PORTALS}/doctor/callback?")
    assert told(answer.headers["location"])["error"] == error
    assert told(answer.headers["location"])["iss"] == AUTH


async def test_esignet_away(server: Server) -> None:
    server.esignet.away = True
    answer = await server.http.get("/auth/authorize", params=server.request(MOTHER))
    assert answer.status_code == 503
    assert "error=temporarily_unavailable" in answer.text
    server.esignet.away = False
    assert (await server.http.get("/auth/authorize", params=server.request(MOTHER))).status_code == 302


async def test_esignet_goes_away_half_way(server: Server) -> None:
    began = await server.http.get("/auth/authorize", params=server.request(MOTHER))
    server.esignet.away = True
    state = told(began.headers["location"])["state"]
    answer = await server.http.get("/auth/callback", params={"state": state, "code": "x"})
    assert (answer.status_code, "not possible just now" in answer.text) == (503, True)


async def test_consent_refused(server: Server) -> None:
    began = await server.http.get("/auth/authorize", params=server.request(MOTHER))
    state = told(began.headers["location"])["state"]
    answer = await server.http.get("/auth/callback", params={"state": state, "error": "consent_rejected"})
    assert "did not agree" in answer.text
    assert f"{PORTALS}/mother/callback?error=access_denied" in answer.text


async def test_a_sign_in_returns_once_in_time_and_in_its_browser(server: Server) -> None:
    async def begun() -> dict[str, str]:
        began = await server.http.get("/auth/authorize", params=server.request(MOTHER))
        url = began.headers["location"]
        return {"state": told(url)["state"], "code": server.esignet.code(url)}

    unknown = await server.http.get("/auth/callback", params={"state": "x", "code": "y"})
    assert (unknown.status_code, "sign-in is over" in unknown.text) == (400, True)
    first = await begun()
    server.http.cookies.clear()
    assert (await server.http.get("/auth/callback", params=first)).status_code == 400
    late = await begun()
    server.clock.ahead = server.clock.ahead.__class__(minutes=16)
    assert (await server.http.get("/auth/callback", params=late)).status_code == 400
    assert (await server.http.get("/auth/callback", params=late)).status_code == 400


async def test_a_code_serves_once_for_its_client_and_verifier(server: Server) -> None:
    doctor(server)

    async def code() -> dict[str, str]:
        back = (await server.sign_in(DOCTOR + " online_access")).headers["location"]
        return {
            "grant_type": "authorization_code",
            "code": told(back)["code"],
            "redirect_uri": back.partition("?")[0],
            "code_verifier": VERIFIER,
        }

    for change in ({"code_verifier": "w" * 43}, {"code_verifier": ""}, {"redirect_uri": f"{PORTALS}/mother/callback"}):
        answer = await server.token("portals", **(await code() | change))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), change
    form = await code()
    first = await server.token("portals", **form)
    assert first.status_code == 200
    assert (await server.token("portals", **form)).json()["error"] == "invalid_grant"
    refresh = {"grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]}
    assert (await server.token("portals", **refresh)).json()["error"] == "invalid_grant"  # replay ends the family


@pytest.mark.parametrize("header", [None, "", "Basic eDp5", "Bearer", "Bearer x", "Bearer a.b.c"])
async def test_without_a_valid_token(server: Server, header: str | None) -> None:
    answer = await server.http.get("/fhir/Patient", headers={"authorization": header} if header is not None else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="fhir"')
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert answer.json()["issue"][0]["code"] == "login"


async def test_a_token_runs_out_and_is_no_other_token(server: Server) -> None:
    doctor(server)
    said = await server.person(DOCTOR)
    id_token = {"authorization": f"Bearer {said['id_token']}"}
    assert (await server.http.get("/fhir/Patient", headers=id_token)).status_code == 401
    headers = {"authorization": f"Bearer {said['access_token']}"}
    assert (await server.http.get("/fhir/Patient", headers=headers)).status_code == 200
    server.clock.ahead = server.clock.ahead.__class__(seconds=901)
    assert (await server.http.get("/fhir/Patient", headers=headers)).status_code == 401


def test_an_actor_is_its_token() -> None:
    claims = {"kind": "patient", "sub": "Patient/1", "patient": "1", "scope": "patient/*.rs", "client_id": "portals"}
    assert actor(claims) == Actor("patient", "Patient/1", "1", frozenset(["patient/*.rs"]), "portals", "")
    assert msgspec.to_builtins(actor(claims).scopes) is not None


def test_a_token_that_was_right_before_is_refused_once_it_is_over() -> None:
    key, other = (RSAKey.generate_key(2048, auto_kid=True) for _ in range(2))
    ours, theirs = (Tokens(one, "http://record/auth", "http://record/fhir", 900) for one in (key, other))
    now = datetime(2026, 11, 21, 8, tzinfo=UTC)
    token = ours.access_token(Login("system", "janani-sync", ("system/*.cruds",)), "janani-sync", now)
    for _ in range(2):
        assert (ours.verified(token, now) or {})["sub"] == "janani-sync"
        assert ours.verified(token, now + timedelta(seconds=901)) is None
        assert ours.verified(token, now - timedelta(seconds=60)) is None
        assert ours.verified(token[:-4] + "AAAA", now) is None
        assert theirs.verified(token, now) is None
