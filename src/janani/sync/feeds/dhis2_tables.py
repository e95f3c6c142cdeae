"""Whose rows in a DHIS2 database are: the tables by their names since 2.40, and the join from ids to people.

A row whose person (or enrolment) is gone meanwhile is passed over: the deletion of what it pointed to follows in the
log, and there the old row, which REPLICA IDENTITY FULL keeps, says who it was.
"""

from collections.abc import Mapping
from typing import Any, Self

import asyncpg
from msgspec import Struct, field

from janani.sync.feeds.keeping import FeedTrouble
from janani.sync.feeds.pgoutput import Change, Relation, Truncate

PERSON, ENROLMENT, EVENT, VALUE, OWNER = "tracked entities", "enrolments", "events", "attribute values", "owners"
ROLES = {
    "trackedentity": PERSON,  # from 2.41
    "trackedentityinstance": PERSON,
    "enrollment": ENROLMENT,
    "programinstance": ENROLMENT,
    "event": EVENT,  # 2.41 and 2.42
    "trackerevent": EVENT,  # from 2.43
    "programstageinstance": EVENT,
    "trackedentityattributevalue": VALUE,
    "trackedentityprogramowner": OWNER,
}
_NEEDED = (PERSON, ENROLMENT, EVENT, VALUE)
_NEEDS_OLD_ROWS = (PERSON, ENROLMENT, EVENT)
COLUMNS = frozenset(("uid", *(f"{name}id" for name, role in ROLES.items() if role in (PERSON, ENROLMENT))))

_PUBLISHED = """
select p.schemaname as schema, p.tablename as name, c.relreplident::text as identity
from pg_publication_tables p
join pg_namespace n on n.nspname = p.schemaname
join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = $1 order by 1, 2
"""
_PUBLISHES = "select pubinsert and pubupdate and pubdelete and pubtruncate from pg_publication where pubname = $1"

_PEOPLE = """
with touched as (
  select unnest($1::bigint[]) as id
  union select e.{person_key} from {enrolment} e where e.{enrolment_key} = any($2::bigint[])
)
select p.uid from {person} p join touched on touched.id = p.{person_key}
where exists (
  select from {enrolment} e join {schema}.program g on g.programid = e.programid
  where e.{person_key} = p.{person_key} and g.uid = $4)
union select p.uid from {person} p where p.{person_key} = any($3::bigint[])
"""


class Touched(Struct):
    """Whom the rows of some transactions are of, as ids of the database and, of people who are gone, as UIDs."""

    tables: "Tables"
    people: set[int] = field(default_factory=set)
    left: set[int] = field(default_factory=set)
    """People an enrolment was taken from: they may not be in the programme any more."""
    enrolments: set[int] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    unnamed: str = ""
    """Why somebody changed whom nothing names."""

    def note(self, change: Change | Truncate) -> None:
        """Adds the people of a row, before and after the change."""
        if isinstance(change, Truncate):
            if any(name in ROLES for name in change.tables):
                self.unnamed = f"emptied (TRUNCATE): {', '.join(change.tables)}"
            return
        role = self.tables.role(change.table)
        for row in (change.old, change.new):
            if role in (PERSON, VALUE, OWNER, ENROLMENT):
                _add(self.people, row, self.tables.person_key)
            elif role == EVENT:
                _add(self.enrolments, row, self.tables.enrolment_key)
        if role in (PERSON, ENROLMENT) and change.kind != "insert":
            self._note_former(role, change)
        if role in _NEEDS_OLD_ROWS and change.kind == "delete" and change.table.identity != "f":
            self.unnamed = f"deleted without its old row: {change.table.name} needs REPLICA IDENTITY FULL"

    def _note_former(self, role: str, change: Change) -> None:
        if role == PERSON and change.kind == "delete" and change.old.get("uid"):
            self.gone.add(str(change.old["uid"]))
        elif role == ENROLMENT:
            _add(self.left, change.old, self.tables.person_key)


def _add(ids: set[int], row: Mapping[str, str | None], column: str) -> None:
    value = row.get(column)
    if value is not None:
        ids.add(int(value))


class Tables(Struct, frozen=True):
    """The published tables of one DHIS2, by their roles."""

    schema: str
    names: dict[str, str]
    """Role: table, without its schema; for events any one of them."""

    @classmethod
    async def read(cls, connection: asyncpg.Connection, publication: str) -> Self:
        """What `publication` has. Raises FeedTrouble when people could be missed by it."""
        complete = await connection.fetchval(_PUBLISHES, publication)
        if complete is None:
            raise FeedTrouble(f"the publication {publication} is missing in DHIS2's database")
        if not complete:
            raise FeedTrouble(f"the publication {publication} must publish insert, update, delete and truncate")
        rows = [row for row in await connection.fetch(_PUBLISHED, publication) if row["name"] in ROLES]
        names = {ROLES[row["name"]]: row["name"] for row in rows}
        missing = [role for role in _NEEDED if role not in names]
        if missing:
            raise FeedTrouble(f"the publication {publication} has no table of {', '.join(missing)}")
        for row in rows:
            if ROLES[row["name"]] in _NEEDS_OLD_ROWS and row["identity"] != "f":
                raise FeedTrouble(f"deletions would be missed: alter table {row['name']} replica identity full")
        if len({row["schema"] for row in rows}) > 1:
            raise FeedTrouble(f"the publication {publication} has tables of several schemas")
        return cls(rows[0]["schema"], names)

    @property
    def person_key(self) -> str:
        """The column that names a tracked entity, in its own table and in those that point to it."""
        return f"{self.names[PERSON]}id"

    @property
    def enrolment_key(self) -> str:
        """The column that names an enrolment."""
        return f"{self.names[ENROLMENT]}id"

    def role(self, table: Relation) -> str:
        """What the rows of a table are; empty when nothing of a person."""
        return ROLES.get(table.name, "") if table.schema == self.schema else ""

    async def people(self, connection: asyncpg.Connection, touched: Touched, program: str) -> list[str]:
        """UIDs of those touched who are or were enrolled in `program` (a UID), and of all who are gone."""
        if not (touched.people or touched.enrolments or touched.left):
            return sorted(touched.gone)
        rows = await connection.fetch(
            _PEOPLE.format(**self._quoted()), touched.people, touched.enrolments, touched.left, program
        )
        return sorted(touched.gone.union(row["uid"] for row in rows))

    def _quoted(self) -> dict[str, Any]:
        schema = '"' + self.schema.replace('"', '""') + '"'
        return {
            "schema": schema,
            "person": f"{schema}.{self.names[PERSON]}",
            "enrolment": f"{schema}.{self.names[ENROLMENT]}",
            "person_key": self.person_key,
            "enrolment_key": self.enrolment_key,
        }
