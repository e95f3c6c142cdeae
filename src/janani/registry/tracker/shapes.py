"""Which properties of people, enrolments and events are made, of which columns (reference §3.4).

What `fields` does not ask for is not made at all: who reads many people asks for little of each. Pure.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Struct

from janani.registry.metadata.fields import Selection

Json = dict[str, Any]
Row = Mapping[str, Any]
Maker = Callable[[Row], Any]


class Shape(Struct, frozen=True):
    """A selection of nothing but properties by name, with the shapes of what they hold (None: all of it)."""

    names: "dict[str, Shape | None]"

    @property
    def is_brief_value(self) -> bool:
        """Whether it shows no more of a data value than which one it is and what it says."""
        return self.names.keys() <= {"dataElement", "value"}


def shape_of(selection: Selection | None) -> Shape | None:
    """`selection` as a shape; None where it asks for more than names: then all is made, and `select` chooses."""
    if selection is None or selection.excluded:
        return None
    found: dict[str, Shape | None] = {}
    for item in selection.items:
        inner = shape_of(item.nested)
        if item.transformers or not item.name.isalpha() or item.name in found or (item.nested and inner is None):
            return None
        found[item.name] = inner
    return Shape(found)


def within(shape: Shape | None, name: str) -> Shape | None:
    """The shape of what property `name` holds; None: all of it."""
    return shape.names.get(name) if shape else None


def cut(one: Json, shape: Shape | None) -> Json:
    """What `shape` shows of `one`."""
    if shape is None:
        return one
    return {name: _cut_inside(one[name], inner) for name, inner in shape.names.items() if name in one}


def _cut_inside(value: Any, shape: Shape | None) -> Any:
    if shape is None:
        return value
    if isinstance(value, list):
        return [cut(each, shape) if isinstance(each, dict) else each for each in value]
    return cut(value, shape) if isinstance(value, dict) else value


_COMMON = {
    "createdAt": ("time", "created_at"),
    "createdAtClient": ("time", "created_at_client"),
    "updatedAt": ("time", "updated_at"),
    "updatedAtClient": ("time", "updated_at_client"),
    "orgUnit": ("as it is", "org_unit"),
    "deleted": ("as it is", "deleted"),
    "storedBy": ("as it is", "stored_by"),
    "geometry": ("json", "geometry"),
    "createdBy": ("json", "created_by"),
    "updatedBy": ("json", "updated_by"),
}
ENTITY = {
    "trackedEntity": ("as it is", "uid"),
    "trackedEntityType": ("as it is", "type"),
    "inactive": ("as it is", "inactive"),
    "potentialDuplicate": ("as it is", "potential_duplicate"),
    **_COMMON,
}
ENROLLMENT = {
    "enrollment": ("as it is", "uid"),
    "trackedEntity": ("as it is", "tracked_entity"),
    "program": ("as it is", "program"),
    "status": ("as it is", "status"),
    "enrolledAt": ("time", "enrolled_at"),
    "occurredAt": ("time", "occurred_at"),
    "followUp": ("as it is", "follow_up"),
    "completedBy": ("as it is", "completed_by"),
    "completedAt": ("time", "completed_at"),
    **_COMMON,
}
EVENT = {
    "event": ("as it is", "uid"),
    "status": ("as it is", "status"),
    "program": ("as it is", "program"),
    "programStage": ("as it is", "program_stage"),
    "enrollment": ("as it is", "enrollment"),
    "trackedEntity": ("as it is", "tracked_entity"),
    "occurredAt": ("time", "occurred_at"),
    "scheduledAt": ("time", "scheduled_at"),
    "followUp": ("as it is", "follow_up"),
    "attributeOptionCombo": ("as it is", "attribute_option_combo"),
    "attributeCategoryOptions": ("as it is", "attribute_category_options"),
    "completedBy": ("as it is", "completed_by"),
    "completedAt": ("time", "completed_at"),
    "assignedUser": ("json", "assigned_user"),
    **_COMMON,
}


def maker(table: Mapping[str, tuple[str, str]], shape: Shape | None, time: Callable[[datetime], str]) -> Maker:
    """What makes the properties of `table` that `shape` shows, those that are null left away, of a row.

    Objects may be shared by several rows: nobody may change them.
    """
    shown = table.keys() if shape is None else [name for name in shape.names if name in table]
    parts = [(name, _part(*table[name], within(shape, name), time)) for name in shown]

    def make(row: Row) -> Json:
        found = {}
        for name, part in parts:
            value = part(row)
            if value is not None:
                found[name] = value
        return found

    return make


def _part(how: str, column: str, shape: Shape | None, time: Callable[[datetime], str]) -> Maker:
    if how == "time":

        def instant(row: Row) -> str | None:
            found = row[column]
            return None if found is None else time(found)

        return instant
    if how == "json":
        known: dict[str, Any] = {}

        def decoded(row: Row) -> Any:
            text = row[column]
            if not text:
                return None
            if text not in known:  # few users write much
                known[text] = _cut_inside(msgspec.json.decode(text), shape)
            return known[text]

        return decoded
    return itemgetter(column)
