"""`janani sync reconcile` over many people who all agree: persons a second, memory, and what the machine allows.

A few women go the whole way from the registry to the record. Then copies of them, each with names of her own, are
put into the tables of both (as many as asked), and the comparison runs as an operator runs it. Beside it stand its
limits: reading the same people from the registry and doing nothing with them, and asking the record for the same
digests and doing nothing with them.
"""

import argparse
import asyncio
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import asyncpg
import httpx
import psutil

from janani import programmes
from janani.clients.dhis2 import Dhis2Client
from janani.clients.fhir import BackendToken, FhirClient
from janani.kernel.clock import system_clock
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.jose import signing_key
from janani.sync.comparing import fingerprint, key_of
from janani.sync.mapping import Mapped, Mapper, mapper_of
from janani.sync.mapping.model import Person
from janani.sync.source import Source
from people import phn, visited
from system import System, a_system

APART = ("registry", "sync", "record")
MODELS = 20
PAGE = 500


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--people", type=int, default=20_000)
    asked = options.parse_args()
    with a_system("--no-demo") as system:
        system.take_apart(*APART)
        asyncio.run(measure(system, asked.people))


async def measure(system: System, people: int) -> None:
    """Fills both sides, compares them, and measures the two readings alone."""
    bench = Bench(system)
    async with httpx.AsyncClient(timeout=120) as bench.client:
        await bench.register()
        connection = await asyncpg.connect(EmbeddedPostgres(system.home / "postgres").dsn)
        await bench.copy_in_registry(connection, people)
        await bench.fill_record(connection)
        await connection.execute("vacuum analyze")
        await connection.close()
        print(f"{'claim':58} {'measured':>24}   limit")
        for turn in ("first", "again"):
            before, began = bench.cpu_seconds(), time.perf_counter()
            report = await bench.reconcile()
            took = time.perf_counter() - began
            if report["equal"] != report["people"] or report["people"] < people:
                raise SystemExit(f"they do not agree: {str(report)[:800]}")
            line(f"reconcile, {report['people']} people, {turn}", f"{report['people'] / took:.0f} persons/s", "1000/s")
            for name, seconds in bench.cpu_seconds().items():
                line(f"  processor time a person: {name}", f"{(seconds - before[name]) / people * 1000:.2f} ms")
        line("resident memory of the sync, growth while it compared", f"{bench.growth / 2**20:.0f} MiB")
        line("  highest", f"{bench.peak / 2**20:.0f} MiB", "250 MB")
        line("limit: reading the same people, no more", f"{await bench.read_registry():.0f} persons/s")
        line("limit: the record's digests of the same people", f"{await bench.read_record():.0f} persons/s")
        line("limit: mapping and comparing alone, one thread", f"{bench.map_alone():.0f} persons/s")


class Bench:
    """A system whose registry and record hold the same people."""

    def __init__(self, system: System) -> None:
        self.system, self.client = system, httpx.AsyncClient()
        self.uids: list[str] = []
        self.some: list[Person] = []
        self.peak = self.growth = 0
        mapper = mapper_of(programmes.load("anc_lk"))
        assert isinstance(mapper, Mapper)
        self.mapper = mapper
        self._context: Any = None

    async def register(self) -> None:
        """The women who are copied afterwards, and who go the whole way."""
        answer = await self.client.post(
            f"{self.system.url('registry')}/api/tracker?async=false",
            json={"trackedEntities": [visited(number) for number in range(MODELS)]},
            auth=("admin", "district"),
        )
        answer.raise_for_status()
        async with asyncio.timeout(120):
            while (await self._status())["people delivered"] < MODELS:
                await asyncio.sleep(0.2)

    async def copy_in_registry(self, connection: asyncpg.Connection, people: int) -> None:
        """`people` in all: copies of the models with uids and PHNs of their own, in the tables that are read."""
        await connection.execute("set search_path = registry")
        phn_uid = self.mapper.programme.registry.attributes["phn"]
        await connection.execute("create temp table copy (n int primary key, model bigint, phn text)")
        models = [row["id"] for row in await connection.fetch("select id from tracked_entity order by id")]
        rows = [(number, models[number % len(models)], phn(number)) for number in range(MODELS, people)]
        await connection.copy_records_to_table("copy", records=rows)
        changed = "t.updated_at - n * interval '1 minute'"  # as people are changed: hardly two at one time
        name = {"uid": "'T' || lpad(n::text, 10, '0')", "updated_at": changed}
        await self._copied(connection, "tracked_entity", "copy.model = t.id", name)
        mine = "join tracked_entity own on own.uid = 'T' || lpad(n::text, 10, '0')"
        value = f"case when t.attribute = '{phn_uid}' then copy.phn else t.value end"
        whose = {"tracked_entity": "own.id"}
        await self._copied(
            connection, "attribute_value", "copy.model = t.tracked_entity", whose | {"value": value}, mine
        )
        await self._copied(connection, "program_owner", "copy.model = t.tracked_entity", whose, mine)
        name = {"uid": "'N' || lpad(n::text, 10, '0')"}
        await self._copied(connection, "enrollment", "copy.model = t.tracked_entity", whose | name, mine)
        theirs = "join enrollment was on was.id = t.enrollment and was.tracked_entity = copy.model"
        mine = f"{theirs} join enrollment own on own.uid = 'N' || lpad(n::text, 10, '0')"
        name = {"uid": "'E' || lpad(n::text, 8, '0') || lpad((t.id % 100)::text, 2, '0')", "enrollment": "own.id"}
        await self._copied(connection, "event", "true", name, mine)

    async def _copied(
        self, connection: asyncpg.Connection, table: str, where: str, otherwise: dict[str, str], more: str = ""
    ) -> None:
        """Each row of a model once for each of its copies; `otherwise` says which columns differ."""
        query = "select column_name from information_schema.columns where table_schema = 'registry' and table_name = $1"
        columns = [row["column_name"] for row in await connection.fetch(query, table)]
        named = [name for name in columns if name != "id"]
        values = ", ".join(otherwise.get(name, f't."{name}"') for name in named)
        into = ", ".join(f'"{name}"' for name in named)
        await connection.execute(
            f"insert into {table} ({into}) select {values} from {table} t join copy on {where} {more} order by n"
        )

    async def fill_record(self, connection: asyncpg.Connection) -> None:
        """What the record would hold of the copies had each been sent, in the tables that `$sent-digests` reads."""
        source, at = self._source(), time.perf_counter()
        self._context = await source.context()
        await connection.execute("set search_path = record")
        self._next = 10**9  # far above what the record itself goes on counting
        known: set[str] = set()
        async for page in source.everybody(self.mapper, PAGE):
            fresh = {uid: one for uid, one in page.items() if uid not in known}
            copies = [one for uid, one in fresh.items() if uid.startswith("T0")]
            await self._stored(connection, [self.mapper.map(one, self._context) for one in copies])
            known |= fresh.keys()
            self.some += list(fresh.values())[: 2000 - len(self.some)]
        self.uids = list(known)
        print(f"# {len(self.uids)} people, filled in {time.perf_counter() - at:.0f} s", flush=True)

    async def _stored(self, connection: asyncpg.Connection, people: list[Mapped]) -> None:
        resources, versions, tokens, references, now = [], [], [], [], system_clock() - timedelta(days=30)
        own = self.mapper.table.identifiers["tracked_entity"]
        for one in people:
            patient = f"p{one.person}"
            for place, entry in enumerate(entry for entry in one.entries if not entry.shared):
                self._next += 1
                kind, system, value = key_of(entry.key)
                id_ = patient if kind == "Patient" else f"{patient}-{place}"
                resources.append((self._next, kind, id_, 1, now, False, [patient]))
                versions.append((self._next, 1, kind, id_, "PUT", now, [patient], entry.body, entry.digest))
                name = "_tag" if "?_tag=" in entry.key else "identifier"
                tokens.append((self._next, f"{kind}.{name}", system, value))
                if kind != "Patient":
                    references.append((self._next, f"{kind}.patient", "Patient", patient))
                elif system != own:
                    tokens.append((self._next, f"{kind}.{name}", own, one.person))
        for table, columns, rows in (
            ("resource", "key type id version last_updated deleted compartment", resources),
            ("version", "key version type id method last_updated compartment body sent", versions),
            ("token", "key name system code", tokens),
            ("reference", "key name target_type target_id", references),
        ):
            await connection.copy_records_to_table(table, records=rows, columns=columns.split())

    async def reconcile(self) -> dict[str, Any]:
        """As `janani sync reconcile` asks for it; watches the sync's memory meanwhile."""
        token = (self.system.home / "secrets" / "sync-token").read_text()
        headers, url = {"authorization": f"Bearer {token}"}, f"{self.system.url('sync')}/reconciliation"
        process = psutil.Process(self.system.apart["sync"].pid)
        before = process.memory_info().rss
        (await self.client.post(url, params={"target": "record"}, headers=headers)).raise_for_status()
        while (found := (await self.client.get(url, headers=headers)).json())["state"] == "running":
            self.peak = max(self.peak, process.memory_info().rss)
            await asyncio.sleep(0.1)
        self.growth = max(self.growth, self.peak - before)
        if found["state"] != "done":
            raise SystemExit(str(found))
        report: dict[str, Any] = found["report"]
        return report

    async def read_registry(self) -> float:
        """Persons a second when they are only read."""
        began, count = time.perf_counter(), 0
        async for page in self._source().everybody(self.mapper, PAGE):
            count += len(page)
        return count / (time.perf_counter() - began)

    async def read_record(self) -> float:
        """Persons a second when their digests are only asked for."""
        key = signing_key(self.system.home / "secrets" / "sync.pem", create=False)
        base = f"{self.system.url('record')}/fhir"
        record = FhirClient(self.client, base, BackendToken(self.client, base, "janani-sync", key))
        systems = self.mapper.table.identifiers
        began = time.perf_counter()
        for start in range(0, len(self.uids), PAGE):
            some = self.uids[start : start + PAGE]
            asked: list[dict[str, Any]] = [
                {"name": "patient", "valueIdentifier": {"system": systems["tracked_entity"], "value": uid}}
                for uid in some
            ]
            asked += [
                {"name": "system", "valueUri": systems[name]}
                for name in ("tracked_entity", "enrollment", "event", "value")
            ]
            await record.sent_digests([*asked, {"name": "summary", "valueBoolean": True}])
        return len(self.uids) / (time.perf_counter() - began)

    def map_alone(self) -> float:
        """Persons a second when what was read is only mapped and its fingerprint made, on one thread."""
        began = time.perf_counter()
        for person in self.some:
            fingerprint(self.mapper.digests(person, self._context).lines)
        return len(self.some) / (time.perf_counter() - began)

    def cpu_seconds(self) -> dict[str, float]:
        """What each process has used of the processor so far, PostgreSQL's together."""
        mine = {part: [psutil.Process(self.system.apart[part].pid)] for part in APART}
        return {
            name: sum(sum(process.cpu_times()[:2]) for process in processes)
            for name, processes in (mine | {"postgresql": self.system.postgres()}).items()
        }

    def _source(self) -> Source:
        password = (self.system.home / "secrets" / "sync-password").read_text()
        registry = Dhis2Client(self.client, self.system.url("registry"), basic=("sync", password))
        return Source(registry, system_clock)

    async def _status(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.client.get(f"{self.system.url('sync')}/status")).raise_for_status().json()
        return answer


def line(claim: str, measured: str, limit: str = "") -> None:
    """One row of the table."""
    print(f"{claim:58} {measured:>24}   {limit}", flush=True)


if __name__ == "__main__":
    main()
