"""What a PHN authority must do on its wire, ours or the one at JANANI_CONTRACT_PHN_URL (its FHIR base).

With the variable, JANANI_CONTRACT_PHN_AUTHORIZATION is the Authorization header there, and JANANI_CONTRACT_PHN_HOLDER
a number someone holds. People are made up anew for each run.
"""

import os
import uuid
from collections.abc import AsyncIterator
from datetime import date

import httpx
import msgspec
import pytest

from janani import programmes
from janani.clients.phn import Demographics, PhnClient, PhnError
from janani.kernel import http
from janani.kernel.secrets import secret
from janani.phn.app import create_app
from janani.programmes.sri_lanka import check_digit, parse_phn
from janani.settings import Settings
from oidc_provider import serving

pytestmark = pytest.mark.contract
ELSEWHERE = os.environ.get("JANANI_CONTRACT_PHN_URL", "")
HOLDER = os.environ.get("JANANI_CONTRACT_PHN_HOLDER", "KANDYTH1MKH7R47")


@pytest.fixture
async def base(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """The FHIR base and the Authorization header."""
    if ELSEWHERE:
        yield ELSEWHERE, os.environ.get("JANANI_CONTRACT_PHN_AUTHORIZATION", "")
        return
    async with serving(create_app(settings)) as url:
        yield f"{url}/fhir", f"ApiToken {secret(settings.secrets, 'phn-token', create=False)}"


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    async with http.client() as client:
        yield client


@pytest.fixture
async def phn(base: tuple[str, str], web: httpx.AsyncClient) -> PhnClient:
    return PhnClient(web, *base, programmes.load("anc_lk"))


@pytest.fixture
def woman() -> Demographics:
    mark = uuid.uuid4().hex
    return Demographics(
        name=f"Test{mark[:6]} Woman{mark[6:12]}",
        birth_date=date(1990, 1, 1),
        gender="female",
        phone="+94770000001",
        address="1 Test Road, Kandy",
        subject=f"subject-{mark}",
    )


async def test_its_capabilities_are_open_and_r4(base: tuple[str, str], web: httpx.AsyncClient) -> None:
    statement = (await web.get(f"{base[0]}/metadata")).json()
    assert (statement["resourceType"], statement["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    [patient] = [one for one in statement["rest"][0]["resource"] if one["type"] == "Patient"]
    assert "identifier" in {one["name"] for one in patient["searchParam"]}
    assert "match" in {one["name"] for one in patient["operation"]}


async def test_without_its_token_nobody_is_found(base: tuple[str, str], web: httpx.AsyncClient) -> None:
    with pytest.raises(PhnError) as caught:
        await PhnClient(web, base[0], "ApiToken wrong", programmes.load("anc_lk")).lookup(HOLDER)
    assert (caught.value.status, caught.value.code) == (401, "login")


async def test_a_holder_is_found_and_a_stranger_is_not(phn: PhnClient) -> None:
    found = await phn.lookup(HOLDER)
    assert found is not None
    assert found.phn == HOLDER
    assert found.demographics.name
    assert await phn.lookup("no such number") is None


async def test_a_number_is_issued_once_and_then_hers(phn: PhnClient, woman: Demographics) -> None:
    request_id = str(uuid.uuid4())
    issued = await phn.issue(woman, request_id=request_id)
    assert parse_phn(issued.phn).valid
    assert issued.demographics == woman
    assert (await phn.issue(woman, request_id=request_id)).phn == issued.phn
    with pytest.raises(PhnError) as caught:
        await phn.issue(woman, request_id=str(uuid.uuid4()))
    assert (caught.value.status, caught.value.detail) == (409, "identity-known")
    assert caught.value.text
    [candidate] = await phn.match(Demographics(subject=woman.subject))
    assert (candidate.holder.phn, candidate.grade) == (issued.phn, "certain")
    assert candidate.reasons[0].code == "same-subject"
    assert candidate.reasons[0].text


async def test_numbers_are_checked(phn: PhnClient) -> None:
    good = await phn.check(HOLDER)
    assert (good.result, good.known, good.warning) == (True, True, "")
    assert (good.version, good.check_digit) == (2, True)
    wrong = await phn.check(HOLDER[:-1] + str((int(HOLDER[-1]) + 1) % 10))
    assert (wrong.result, wrong.known, wrong.warning) == (False, False, "check-digit")
    other = await phn.check("any other")
    assert (other.result, other.version, other.warning) == (True, None, "unknown-format")


async def test_demographics_are_recorded_beside_a_number_she_brings(phn: PhnClient, woman: Demographics) -> None:
    middle = "".join("BCDFGHJKMPQRTVWX"[int(digit, 16)] for digit in uuid.uuid4().hex[:6])
    number = f"TESTPOI9{middle}" + check_digit(f"TESTPOI9{middle}")
    made = await phn.record(number, woman)
    assert (made.phn, made.revision) == (number, "1")
    later = await phn.record(number, Demographics(nic="905011234V"))
    assert later.demographics == msgspec.structs.replace(woman, nic="905011234V")  # what is not said stays
    assert later.revision == "2"
    with pytest.raises(PhnError) as caught:
        await phn.record(number[:-1] + str((int(number[-1]) + 1) % 10), woman)
    assert (caught.value.status, caught.value.detail) == (422, "check-digit")


async def test_an_authority_that_is_away_is_said_to_be(web: httpx.AsyncClient) -> None:
    with pytest.raises(PhnError) as caught:
        await PhnClient(web, "http://127.0.0.1:9", "", programmes.load("anc_lk")).check("1")
    assert (caught.value.status, caught.value.retryable) == (0, True)
