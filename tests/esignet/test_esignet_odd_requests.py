"""Requests that no client makes by itself are refused in the protocol's words; none is an unexpected error."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from esignet_wire import REDIRECT, RelyingParty, Wire, codes
from janani.esignet.identities import TOKEN_FILE
from janani.esignet.people_file import load
from janani.kernel import postgres
from janani.kernel.secrets import secret
from janani.settings import Settings

NESTED = '{"a":' * 5000 + "1" + "}" * 5000


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("claims", '{"userinfo": {"name": {"purpose": "\\u0000\\u0000\\u0000"}}}', "invalid_claim"),
        ("claims", '{"userinfo": {"na\\u0000me": null}}', "invalid_claim"),
        ("claims", NESTED, "invalid_claim"),
        ("max_age", "1" * 30, "invalid_request"),
        ("max_age", "1" * 5000, "invalid_request"),
    ],
)
async def test_a_pushed_request_that_cannot_be_kept(rp: RelyingParty, field: str, value: str, said: str) -> None:
    with capture_logs() as logs:
        answer = await rp.push(**{field: value})
    assert (answer.status_code, answer.json()["error_description"]) == (400, said)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == []


@pytest.mark.parametrize("request_text", [NESTED, f'{{"claims": {NESTED}}}', '{"maxAge": ' + "1" * 30 + "}"])
async def test_an_authorization_request_that_cannot_be_kept(wire: Wire, rp: RelyingParty, request_text: str) -> None:
    await wire.fetch_csrf()
    body = f'{{"requestTime": "{wire.now()}", "request": {request_text}}}'
    with capture_logs() as logs:
        answer = await wire.http.post(
            "/v1/esignet/authorization/v3/oauth-details",
            content=body,
            headers=wire.headers() | {"content-type": "application/json"},
        )
    assert codes(answer)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == []


async def test_nesting_is_read_and_kept_or_refused(wire: Wire, rp: RelyingParty) -> None:
    await wire.fetch_csrf()
    with capture_logs() as logs:
        for depth in range(890, 1000, 5):
            claims = '{"more":' * depth + "null" + "}" * depth
            known = f'"clientId":"anc-portal","scope":"openid","responseType":"code","redirectUri":"{REDIRECT}"'
            await wire.http.post(
                "/v1/esignet/authorization/v3/oauth-details",
                content=f'{{"requestTime": "{wire.now()}", "request": {{{known},"claims":{{"x":{claims}}}}}}}',
                headers=wire.headers() | {"content-type": "application/json"},
            )
    assert [line["event"] for line in logs if line["log_level"] == "error"] == []


class TestPeople:
    @pytest.fixture
    async def save(self, http: httpx.AsyncClient, settings: Settings) -> Any:
        token = secret(settings.secrets, TOKEN_FILE, create=False)

        async def send(*aliases: dict[str, Any]) -> list[str]:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + "000Z"
            answer = await http.put(
                "/v1/mock-identity-system/identity",
                json={"requestTime": now, "request": {"individualId": "3000000001", "aliases": list(aliases)}},
                headers={"authorization": f"Bearer {token}"},
            )
            return list(codes(answer))

        return send

    async def test_a_number_that_is_written_twice_is_one(self, save: Any, wire: Wire, rp: RelyingParty) -> None:
        assert await save({"number": "77 1234-5"}, {"number": "7712345", "kind": "VID"}) == []
        await wire.oauth_details()
        assert not codes(await wire.send_otp("771-2345"))

    async def test_and_revoked_if_it_is_in_one_place(self, save: Any, wire: Wire, rp: RelyingParty) -> None:
        assert await save({"number": "77 1234-5", "revoked": True}, {"number": "7712345"}) == []
        await wire.oauth_details()
        assert codes(await wire.send_otp("7712345")) == ["invalid_individual_id"]

    @pytest.mark.parametrize("expires", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    async def test_an_odd_time_is_refused(self, save: Any, expires: str) -> None:
        assert await save({"number": "7712345", "expires": expires}) == ["invalid_aliases"]

    async def test_a_file_may_write_it_twice_too(self, settings: Settings, tmp_path: Any) -> None:
        path = tmp_path / "people.jsonl"
        path.write_text(
            '{"individualId":"700000000001","fullName":"A B","gender":"Female",'
            '"locality":"Kegalle","region":"Sabaragamuwa","country":"Sri Lanka","postalCode":"71000",'
            '"dateOfBirth":"1990/01/01",'
            '"aliases":["77 1234-5","7712345"]}\n'
        )
        pool = await postgres.open_pool(settings.database.dsn, "esignet")
        try:
            assert (await load(pool, path, datetime.now(UTC))).people == 1
        finally:
            await pool.close()


@pytest.mark.parametrize("minutes", [9999999999, 1e300, 10**25])
async def test_a_consent_that_never_ends_is_no_number_of_minutes(
    rp: RelyingParty, http: httpx.AsyncClient, minutes: float
) -> None:
    other = RelyingParty(http, rp.bearer, "lasting")
    answer = await other.manage(other.registration(additionalConfig={"consent_expire_in_mins": minutes}))
    assert codes(answer) == ["invalid_additional_config"]
