"""People from a file: a programme's demo people, or those that an operator loads (`janani people load`).

YAML or JSON `{people: […]}`, or JSON Lines with one person a line (`.jsonl`), each an `identity.Identity`.
A file is stored whole or not at all; the same again changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from janani.esignet.identity import FIELDS, Alias, Identity, aliases_of, kept
from janani.esignet.provider import SQL
from janani.kernel.postgres import json_of
from janani.kernel.problems import RefusesToStart
from janani.programmes import ProgrammeFault, fault, nearest, read_yaml

BATCH = 1000


class PeopleFault(RefusesToStart):
    """A file of people is wrong: `file:line  what is wrong, what was expected`, one a line."""


class People(Struct, forbid_unknown_fields=True):
    """The file in YAML or JSON."""

    people: list[Identity]


@dataclass(frozen=True)
class Loaded:
    """How many people a file has, and how many of them were not in the identity system as they are there."""

    people: int
    changed: int


async def load_demo_people(pool: asyncpg.Pool, programme: Path, now: datetime) -> None:
    """Stores the people of a programme's `demo/people.yaml`, if it has one. Raises PeopleFault, ProgrammeFault."""
    path = programme / "demo" / "people.yaml"
    if path.is_file():
        await load(pool, path, now, demo=True)


async def load(pool: asyncpg.Pool, path: Path, now: datetime, *, demo: bool = False) -> Loaded:
    """Stores the people of the file at `path`, in one transaction. Raises PeopleFault with file, line and a hint."""
    people = read(path)
    faults = _doubles(path, people)
    if faults:
        raise PeopleFault("\n".join(faults))
    aliases = [(alias, person.individual_id) for person in people for alias in aliases_of(person)]
    async with pool.acquire() as connection, connection.transaction():
        changed = 0
        for start in range(0, len(people), BATCH):
            batch = people[start : start + BATCH]
            changed += await SQL.save_people(
                connection,
                individual_ids=[person.individual_id for person in batch],
                identities=[json_of(kept(person)) for person in batch],
                demo=demo,
                now=now,
            )
        # Only now, so that what another command stored meanwhile is seen too; it undoes all the same.
        taken = await _taken(connection, aliases, people)
        if taken:
            raise PeopleFault("\n".join(_place(path, people, number) + _TAKEN.format(number) for number in taken))
        await save_aliases(connection, aliases, now)
    return Loaded(len(people), changed)


_TAKEN = "{} is a number of somebody else in the identity system; a number belongs to one person for good"


async def save_aliases(connection: Any, aliases: list[tuple[Alias, str]], now: datetime) -> None:
    """Stores numbers to sign in with, each with the individualId of its person.

    Of one that is there twice (written in two ways, say) the last counts; but revoked once is revoked.
    """
    last = {alias.number: alias for alias, _ in aliases}
    revoked = {alias.number for alias, _ in aliases if alias.revoked}
    whose = {alias.number: number for alias, number in aliases}
    await SQL.save_aliases(
        connection,
        aliases=list(last),
        kinds=[alias.kind for alias in last.values()],
        expiries=[alias.expires for alias in last.values()],
        revoked=[number in revoked for number in last],
        individual_ids=[whose[number] for number in last],
        now=now,
    )


async def _taken(connection: Any, aliases: list[tuple[Alias, str]], people: list[Identity]) -> list[str]:
    numbers = [alias.number for alias, _ in aliases] + [person.individual_id for person in people]
    owners = [number for _, number in aliases] + [person.individual_id for person in people]
    return sorted(
        [row["number"] async for row in SQL.taken_numbers(connection, aliases=numbers, individual_ids=owners)]
    )


def read(path: Path) -> list[Identity]:
    """The people of the file. Raises PeopleFault."""
    try:
        if path.suffix == ".jsonl":
            return _lines(path)
        return list(read_yaml(path, People).people)
    except ProgrammeFault as error:
        raise PeopleFault(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise PeopleFault(f"{path}: {error}") from error


def _lines(path: Path) -> list[Identity]:
    people, faults = [], []
    for line, text in enumerate(path.read_text().splitlines(), 1):
        try:
            people.append(msgspec.json.decode(text, type=Identity))
        except msgspec.ValidationError as error:
            faults.append(f"{path}:{line}  {error}{_meant(str(error))}")
        except msgspec.DecodeError as error:
            faults.append(f"{path}:{line}  {error}")
    if faults:
        raise PeopleFault("\n".join(faults[:20]))
    return people


def _meant(message: str) -> str:
    _, _, rest = message.partition("unknown field `")
    return f"; {nearest(rest.partition('`')[0], FIELDS)}" if rest else ""


def _numbers(people: list[Identity]) -> Iterator[tuple[str, int]]:
    for place, person in enumerate(people):
        yield person.individual_id, place
        yield from ((alias.number, place) for alias in aliases_of(person) if alias.number != person.individual_id)


def _doubles(path: Path, people: list[Identity]) -> list[str]:
    """The numbers that the file gives twice."""
    first: dict[str, int] = {}
    return [
        _where(path, place) + f"{number} is also a number of person {first[number] + 1}; one number is one person's"
        for number, place in _numbers(people)
        if first.setdefault(number, place) != place
    ]


def _place(path: Path, people: list[Identity], number: str) -> str:
    return _where(path, next(place for known, place in _numbers(people) if known == number))


def _where(path: Path, place: int) -> str:
    if path.suffix == ".jsonl":
        return f"{path}:{place + 1}  "
    return str(fault(path, f"$.people[{place}]", ""))
