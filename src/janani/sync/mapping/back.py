"""The table read backwards: a resource of the record as values of the registry.

    back = compile_back(programme)
    values = back.read(resource)

A resource is known by our own identifier (`{event}-{data element}`), else by any coding that a row has. Where several
rows have the same code, its words and the stage decide; where they can't, nothing is read: a guess would write a
value into the wrong data element. Of several foetuses, `focus` says which.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from zoneinfo import ZoneInfo

from msgspec import Struct

from janani.programmes import Programme
from janani.sync.mapping import checking
from janani.sync.mapping.back_clinical import Row, clinical_rows
from janani.sync.mapping.back_people import PersonBack
from janani.sync.mapping.back_visits import VisitBack
from janani.sync.mapping.reading import codings, said
from janani.sync.mapping.table import Catalogue, Table
from janani.sync.mapping.values import Json, Unfit

Refuse = Callable[[str, str], None]
"""Takes note that a field was not read, and why."""


class BackValue(Struct, frozen=True):
    """A value for the registry.

    Attributes:
        uid: of the data element, or of the attribute when `attribute`.
        stage: role of the programme stage that the value belongs to; "" when several have it, and for attributes.
        text: as DHIS2 keeps it.
    """

    uid: str
    stage: str
    text: str
    attribute: bool = False


class OneWay(Struct, frozen=True):
    """What does not come back as it went.

    Attributes:
        row: which row: `observations: edd`.
        field: code of the data element or attribute; "" when there is none.
        reason: in words.
        texts: the values that this is about; () means all.
    """

    row: str
    field: str
    reason: str
    texts: tuple[str, ...] = ()


class Back:
    """Reads resources of one programme. Everything is looked up in dicts made once."""

    def __init__(self, programme: Programme, table: Table, catalogue: Catalogue) -> None:
        stages, zone = programme.registry.stages, ZoneInfo(table.zone)
        rows = clinical_rows(table, catalogue, stages, zone)
        self._values = table.identifiers["value"]
        self._focuses = table.focus.system if table.focus else ""
        self._person = PersonBack(programme, table, catalogue)
        self._visits = VisitBack(table, catalogue, stages)
        self._named: dict[tuple[str, str], Row] = {(kind, row.name): row for row in rows for kind in row.kinds}
        self._coded: dict[tuple[str, str, str, str], list[Row]] = {}
        for row in rows:
            for kind in row.kinds:
                for system, code in row.codes:
                    self._coded.setdefault((kind, row.focus, system, code), []).append(row)
        self.one_way: list[OneWay] = [
            OneWay(*one) for one in (*_lost(rows), *self._person.one_way, *self._visits.one_way)
        ]

    def read(self, resource: Json, stage: str = "", refuse: Refuse = lambda field, reason: None) -> list[BackValue]:
        """The values that `resource` carries; [] for what no row knows and for what is withdrawn.

        Args:
            stage: role of the stage that the values are meant for; it decides between rows with the same code.
            refuse: told the field and the reason of what a row knows and can't read; never the value.
        """
        kind = resource.get("resourceType", "")
        if resource.get("status") == "entered-in-error":
            return []
        if kind in ("Patient", "EpisodeOfCare"):
            return [BackValue(uid, "", text, True) for uid, text in self._person.read(resource, refuse)]
        if kind in ("Encounter", "ServiceRequest"):
            return [BackValue(uid, role, text) for uid, role, text in self._visits.read(resource, stage, refuse)]
        row = self._row(resource, kind, stage, refuse)
        if row is None:
            return []
        return [
            BackValue(field.uid, stage if stage in roles else next(iter(roles)) if len(roles) == 1 else "", text)
            for field, roles, text in row.read(resource, refuse)
        ]

    def _row(self, resource: Json, kind: str, stage: str, refuse: Refuse) -> Row | None:
        for one in resource.get("identifier") or ():
            if isinstance(one, dict) and one.get("system") == self._values:
                return self._named.get((kind, str(one.get("value", "")).partition("-")[2]))
        concept = resource.get("medicationCodeableConcept" if kind.startswith("Medication") else "code")
        concept = resource.get("vaccineCode") if kind == "Immunization" else concept
        found = self._candidates(kind, self._focus(resource), codings(concept))
        narrowers: tuple[Callable[[Row], bool], ...] = (
            lambda row: bool(row.words & said(concept)),
            lambda row: stage in row.stages,
            lambda row: _readable(row, resource),
        )
        for narrower in narrowers:
            found = [row for row in found if narrower(row)] or found if len(found) > 1 else found
        if len(found) > 1:
            refuse(found[0].field, "several rows have this code: " + ", ".join(row.field for row in found))
        return found[0] if len(found) == 1 else None

    def _focus(self, resource: Json) -> str:
        """Which of several an Observation is about, as a row's `focus`; "?", which no row has, when none says it."""
        focuses = resource.get("focus")
        if not focuses:
            return ""
        only = focuses[0] if isinstance(focuses, list) and len(focuses) == 1 else None
        known = only.get("identifier") if isinstance(only, dict) else None
        if not isinstance(known, dict) or known.get("system") != self._focuses:
            return "?"
        number = str(known.get("value", "")).rpartition("-")[2]
        return "" if number == "1" else number

    def _candidates(self, kind: str, focus: str, given: Iterable[tuple[str, str]]) -> list[Row]:
        """The rows that have most of the codings, in the table's order; a kind without codes has all its rows."""
        counted: dict[int, tuple[int, Row]] = {}
        for system, code in (*given, ("", "")):
            for row in self._coded.get((kind, focus, system, code), ()):
                counted[id(row)] = (counted.get(id(row), (0, row))[0] + 1, row)
        most = max((count for count, _ in counted.values()), default=0)
        return [row for count, row in counted.values() if count == most]


def compile_back(programme: Programme) -> Back:
    """The way back of `programme`, its table checked. Raises ProgrammeFault with file and line."""
    table, catalogue = checking.read(programme)
    return Back(programme, table, catalogue)


def _lost(rows: Iterable[Row]) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    for row in rows:
        for reason, texts in row.lost:
            yield row.label, row.field, reason, texts


def _readable(row: Row, resource: Mapping[str, object]) -> bool:
    refused: list[str] = []
    found = row.read(dict(resource), lambda _, reason: refused.append(reason))
    return bool(found) and not refused


__all__ = ["Back", "BackValue", "OneWay", "Unfit", "compile_back"]
