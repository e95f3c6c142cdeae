"""Signing in with a national ID: whole code flows a second at the provider, and how long fetchUserInfo takes.

A flow is oauth-details, send-otp, authenticate, auth-code (with consent asked and given), token, userinfo: six calls
over HTTP. Provider and relying party run as a process each; the caller is a third, and made its signed assertions
before the clock runs. `fetchUserInfo` is one call to the relying party, one at a time, which makes two to the provider.

The limit beside each, from the same run: one process that makes as many RS256/2048 signatures and verifications and
database commits (one for each call that must write), at the same concurrency, and nothing else.
"""

import argparse
import asyncio
import base64
import hashlib
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import asyncpg
import httpx
import msgspec
import psutil
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from joserfc import jwt
from joserfc.jwk import KeySet

from esignet_wire import ACR, API, ASSERTION_TYPE, REDIRECT, RelyingParty, pkce
from janani import programmes
from janani.kernel.embedded_postgres import EmbeddedPostgres
from system import System, a_system

APART = ("esignet", "relying")
AT_ONCE = 8  # flows in the air
CLAIMS = ("name", "birthdate", "gender", "phone_number", "individual_id")
FLOW = {"signatures": 3, "verifications": 1, "commits": 6}  # the tokens and userinfo; the assertion; each call
FETCH = {"signatures": 4, "verifications": 3, "commits": 4}  # and the assertion; the tokens and userinfo; two and two
_PADDING, _HASH = padding.PKCS1v15(), hashes.SHA256()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--flows", type=int, default=1000)
    options.add_argument("--fetches", type=int, default=200)
    asked = options.parse_args()
    with a_system("--no-demo") as system:
        system.take_apart(*APART)
        asyncio.run(measure(system, asked.flows, asked.fetches))


async def measure(system: System, flows: int, fetches: int) -> None:
    """Both claims, each with its limit."""
    bench = Bench(system)
    await bench.prepare(flows)
    print(f"{'claim':58} {'measured':>20}   limit")
    await bench.flows(flows // 10)  # warm: prepared statements, connections
    spent = bench.processor()
    took = await bench.flows(flows)
    used = bench.since(spent, flows)
    alone, alone_used = await bench.alone(flows, AT_ONCE, **FLOW)
    line("complete code flows a second, one process", f"{flows / took:.0f}", "at least 100")
    line("  signatures and commits alone", f"{flows / alone:.0f}")
    line("  ours takes", f"{took / alone:.1f} times as long", "4")
    line("  processor time a flow: provider", f"{used['esignet']:.2f} ms")
    line("    PostgreSQL", f"{used['postgresql']:.2f} ms")
    line("    signatures and commits alone: asking process", f"{alone_used * 1000 / flows:.2f} ms")
    line("  ours takes, by processor time", f"{used['esignet'] / (alone_used * 1000 / flows):.1f} times as long", "4")
    await bench.fetches(20)
    spent = bench.processor()
    waits = await bench.fetches(fetches)
    used = bench.since(spent, fetches)
    alone, _used = await bench.alone(fetches, 1, **FETCH)
    line("fetchUserInfo, p95", f"{_at(waits, 95):.1f} ms", "30 ms")
    line("  p50", f"{_at(waits, 50):.1f} ms")
    line("  signatures and commits alone, mean", f"{alone / fetches * 1000:.1f} ms")
    line("  ours (p50) takes", f"{_at(waits, 50) / (alone / fetches * 1000):.1f} times as long", "4")
    line("  processor time: relying party, with beginning it", f"{used['relying']:.2f} ms")


class Http:
    """One kept connection. Only what the bench needs of HTTP/1.1: answers with Content-Length."""

    def __init__(self, url: str) -> None:
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status and body of the answer. Header names are given with `_` for `-`."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self.streams
        headers |= {"host": f"{self.host}:{self.port}", "content-length": str(len(body))}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head[9:12]), await reader.readexactly(length)


class Browser:
    """A person and her client at the provider, over one connection."""

    def __init__(self, bench: "Bench") -> None:
        self.bench, self.http = bench, Http(bench.system.url("esignet"))
        self.csrf = secrets.token_urlsafe(32)
        self.bound: dict[str, str] = {}

    async def flow(self, assertion: str, person: str) -> tuple[bytes, bytes]:
        """One whole code flow: the token endpoint's answer, and userinfo."""
        verifier, challenge = pkce()
        asked = {
            "clientId": self.bench.party.client_id,
            "scope": "openid profile",
            "responseType": "code",
            "redirectUri": REDIRECT,
            "acrValues": ACR,
            "prompt": "consent",
            "nonce": secrets.token_urlsafe(16),
            "state": secrets.token_urlsafe(16),
            "claims": {"userinfo": {name: {"essential": True} for name in CLAIMS}},
            "codeChallenge": challenge,
            "codeChallengeMethod": "S256",
        }
        self.bound = {}
        code = await self.sign_in("v3/oauth-details", asked, person)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "client_id": self.bench.party.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
            "code_verifier": verifier,
        }
        kind = {"content_type": "application/x-www-form-urlencoded"}
        status, tokens = await self.http.send("POST", f"{API}/oauth/v2/token", urlencode(form).encode(), **kind)
        assert status == 200, tokens
        access = msgspec.json.decode(tokens)["access_token"]
        status, userinfo = await self.http.send("GET", f"{API}/oidc/userinfo", authorization=f"Bearer {access}")
        assert status == 200, userinfo
        return tokens, userinfo

    async def sign_in(self, path: str, asked: dict[str, Any], person: str) -> str:
        """The code, after one-time code and consent."""
        self.bound = {}
        details = await self._post(path, asked)
        digest = base64.urlsafe_b64encode(hashlib.sha256(bytes(details)).digest()).rstrip(b"=").decode()
        transaction = msgspec.json.decode(details)["transactionId"]
        self.bound = {"oauth_details_key": transaction, "oauth_details_hash": digest}
        mine = {"transactionId": transaction, "individualId": person}
        await self._post("send-otp", mine | {"otpChannels": ["phone"], "captchaToken": "dummy"})
        proof = {"authFactorType": "OTP", "challenge": "111111", "format": "alpha-numeric"}
        signed_in = msgspec.json.decode(await self._post("v3/authenticate", mine | {"challengeList": [proof]}))
        asked_for = msgspec.json.decode(details)
        agreed = [*asked_for["essentialClaims"], *asked_for["voluntaryClaims"]]
        accepted = agreed if signed_in["consentAction"] == "CAPTURE" else []
        consent = {"transactionId": transaction, "acceptedClaims": accepted, "permittedAuthorizeScopes": []}
        return str(msgspec.json.decode(await self._post("auth-code", consent))["code"])

    async def _post(self, path: str, request: Any) -> msgspec.Raw:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        status, answer = await self.http.send(
            "POST",
            f"{API}/authorization/{path}",
            msgspec.json.encode({"requestTime": now, "request": request}),
            content_type="application/json",
            cookie=f"XSRF-TOKEN={self.csrf}",
            x_xsrf_token=self.csrf,
            **self.bound,
        )
        read = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
        assert (status, bytes(read["errors"])) == (200, b"[]"), (path, answer)
        return read["response"]


class Bench:
    """A system under load, and what the load is made of."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.assertions: list[str] = []
        folder = programmes.folder("anc_lk") / "demo" / "people.yaml"
        self.people = [str(one["individualId"]) for one in msgspec.yaml.decode(folder.read_bytes())["people"]]

    def secret(self, name: str) -> str:
        """A secret of the system's sandbox."""
        return (self.system.home / "secrets" / name).read_text().strip()

    async def prepare(self, flows: int) -> None:
        """Registers the client, and makes the assertions of `flows` flows and of the warming."""
        async with httpx.AsyncClient(base_url=self.system.url("esignet"), timeout=30) as client:
            self.party = RelyingParty(client, self.secret("esignet-clients-token"))
            answer = await self.party.manage(self.party.registration())
            assert answer.json()["errors"] == [], answer.text
            expires = int(time.time()) + 600
            count = flows + flows // 10
            self.assertions = [await self.party.assertion(exp=expires) for _ in range(count)]
            self.keys = KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())

    async def flows(self, count: int) -> float:
        """Seconds of `count` flows; the tokens of the last are then verified."""
        left = iter(range(count))
        got: list[tuple[bytes, bytes]] = []

        async def one_after_the_other() -> None:
            browser = Browser(self)
            for number in left:
                got.append(await browser.flow(self.assertions.pop(), self.people[number % len(self.people)]))

        took = await _timed([one_after_the_other] * AT_ONCE)
        tokens = msgspec.json.decode(got[-1][0])
        for token in (tokens["id_token"], tokens["access_token"], got[-1][1].decode()):
            jwt.decode(token, self.keys, algorithms=["RS256"])
        assert set(CLAIMS) <= set(jwt.decode(got[-1][1].decode(), self.keys, algorithms=["RS256"]).claims)
        return took

    async def fetches(self, count: int) -> list[float]:
        """How long each of `count` calls of fetchUserInfo took (ms), for as many people who signed in."""
        route, browser, waits = Http(self.system.url("relying")), Browser(self), []
        headers = {"authorization": f"ApiToken {self.secret('relying-token')}", "content_type": "application/json"}
        for number in range(count):
            _status, begun = await route.send("POST", "/authorizations", b"{}", **headers)
            back = msgspec.json.decode(begun)
            query = {name: values[0] for name, values in parse_qs(urlsplit(back["authorization_url"]).query).items()}
            asked = {"clientId": query["client_id"], "requestUri": query["request_uri"]}
            code = await browser.sign_in("par-oauth-details", asked, self.people[number % len(self.people)])
            body = {"code": code, "state": back["state"], "iss": self.system.url("esignet")}
            began = time.perf_counter()
            status, answer = await route.send("POST", "/fetchUserInfo", msgspec.json.encode(body), **headers)
            waits.append((time.perf_counter() - began) * 1000)
            assert status == 200, answer
        return waits

    async def alone(
        self, count: int, at_once: int, *, signatures: int, verifications: int, commits: int
    ) -> tuple[float, float]:
        """Seconds, and seconds of this process's processor, for `count` times only this."""
        key, text = rsa.generate_private_key(65537, 2048), b"x" * 600
        public, signature, left = key.public_key(), key.sign(text, _PADDING, _HASH), iter(range(count))
        dsn = EmbeddedPostgres(self.system.home / "postgres").dsn
        pool = await asyncpg.create_pool(dsn, min_size=at_once, max_size=at_once)
        await pool.execute("create table if not exists alone (id bigint generated always as identity, text text)")

        async def one_after_the_other() -> None:
            for _ in left:
                for _ in range(commits):
                    await pool.execute("insert into alone (text) values ($1)", "x" * 200)
                for _ in range(signatures):
                    key.sign(text, _PADDING, _HASH)
                for _ in range(verifications):
                    public.verify(signature, text, _PADDING, _HASH)

        began = time.process_time()
        took = await _timed([one_after_the_other] * at_once)
        used = time.process_time() - began
        await pool.execute("drop table alone")
        await pool.close()
        return took, used

    def processor(self) -> dict[str, float]:
        """Seconds of processor time each process has used so far, PostgreSQL's together."""
        mine = {part: [psutil.Process(self.system.apart[part].pid)] for part in APART}
        return {
            name: sum(sum(process.cpu_times()[:2]) for process in processes)
            for name, processes in (mine | {"postgresql": self.system.postgres()}).items()
        }

    def since(self, before: dict[str, float], count: int) -> dict[str, float]:
        """Processor time since, in ms for each of `count`."""
        return {name: (now - before[name]) * 1000 / count for name, now in self.processor().items()}


async def _timed(works: list[Callable[[], Awaitable[None]]]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(work() for work in works))
    return time.perf_counter() - began


def line(claim: str, measured: str, limit: str = "") -> None:
    """One row of the table."""
    print(f"{claim:58} {measured:>20}   {limit}", flush=True)


def _at(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    main()
