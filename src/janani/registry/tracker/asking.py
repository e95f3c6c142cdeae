"""Everything a tracker handler works with for one request: who asks, the metadata, the clock, the database."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
from litestar import Request
from msgspec import Struct

from janani.registry.access import state_of, user_of
from janani.registry.metadata.snapshot import Snapshot
from janani.registry.tracker import catalogue
from janani.registry.tracker.actor import Actor, actor_of
from janani.registry.tracker.catalogue import Catalogue


class Asking(Struct, frozen=True):
    """One request to the tracker. `users` are those an event may be assigned to, by uid and by user name."""

    actor: Actor
    catalogue: Catalogue
    users: dict[str, dict[str, str]]
    pool: asyncpg.Pool
    now: datetime
    zone: ZoneInfo


class _View(Struct, frozen=True):
    """The catalogue of one snapshot; made once a metadata version."""

    snapshot: Snapshot
    catalogue: Catalogue
    users: dict[str, dict[str, str]]


async def asking(request: Request[Any, Any, Any]) -> Asking:
    """Who asks what against which metadata. Raises Refusal (401) when nobody is logged in."""
    user, state = await user_of(request), state_of(request)
    view = _view(request, await state.metadata.current())
    actor = actor_of(
        view.catalogue,
        uid=user.uid,
        username=user.username,
        first_name=user.first_name,
        surname=user.surname,
        authorities=user.authorities,
        groups=user.groups,
        capture_units=user.org_units,
        search_units=user.search_units,
    )
    zone = ZoneInfo(state.settings.registry.time_zone)
    return Asking(actor, view.catalogue, view.users, state.pool, state.clock(), zone)


def _view(request: Request[Any, Any, Any], snapshot: Snapshot) -> _View:
    kept: _View | None = getattr(request.app.state, "tracker_view", None)
    if kept is None or kept.snapshot is not snapshot:
        kept = _View(snapshot, catalogue.build(snapshot.objects), _users(snapshot))
        request.app.state.tracker_view = kept
    return kept


def _users(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    people: dict[str, dict[str, str]] = {}
    for one in snapshot.objects("users"):
        person = {
            "uid": one["id"],
            "username": one["username"],
            "displayName": one.get("displayName", ""),
            "firstName": one.get("firstName", ""),
            "surname": one.get("surname", ""),
        }
        people[person["uid"]] = people[person["username"]] = person
    return people
