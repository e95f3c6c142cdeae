"""Drafts: what a midwife typed and has not sent, kept on the server so that nothing she typed is lost."""

from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import msgspec
from msgspec import Struct

from janani.kernel.ids import is_uid, uid
from janani.kernel.postgres import json_of
from janani.portals.midwife import forms
from janani.portals.midwife.identity_state import IdentityState
from janani.portals.midwife.payloads import Uids
from janani.portals.problems import NotFound
from janani.portals.sessions import SQL
from janani.programmes import Programme

PAGE_FIELDS = ("unit", "day", "planned", "phn_number")
"""What forms ask besides attributes and data elements: clinic, day, which planned visit this is, PHN she brought."""
STAGES = {
    "visit": "visit",
    "referral": "referral",
    "earlier-birth": "earlier",
    "birth": "birth",
    "aftervisit": "postnatal",
}
"""Role of the stage of each kind of form that is an event; its page is /midwife/{kind}s/{draft}."""
FURTHER = {kind: role for kind, role in STAGES.items() if kind not in ("visit", "referral")}
"""Those that a programme may lack, and that are called what their stages are called."""
_MOST_CHARACTERS = 5000


class Number(Struct):
    """The PHN she brought: what the authority knows under it, and what the midwife decided.

    `decision`: "" not looked up or not decided, "same", "other" (with `reason`).
    `refused` are the reasons of all numbers that were not hers, by number. `issued` is the new one this form was given.
    """

    number: str = ""
    fault: str = ""
    warning: str = ""
    known: dict[str, str] = {}
    decision: str = ""
    reason: str = ""
    refused: dict[str, str] = {}
    issued: str = ""


class Draft(Struct):
    """A form under way.

    `fields` is what was typed, by attribute or data element; `base` what the registry said when it was opened;
    `sent_as` the digest of what it was sent with.
    """

    id: str
    owner: str
    kind: str
    tracked_entity: str
    uids: Uids
    fields: dict[str, str]
    identity: IdentityState
    phn: Number
    generated: dict[str, str]
    base: dict[str, str]
    sent: bool
    updated_at: datetime
    sent_as: str = ""


def stage_name(program: dict[str, Any], programme: Programme, kind: str) -> str:
    """What the registry calls the stage of a kind of form; "" when `program`, its metadata, has none."""
    uid = programme.registry.stages.get(STAGES.get(kind, ""))
    return next((forms.said(one, "NAME") for one in program["programStages"] if one["id"] == uid), "")


def typed(sent: dict[str, str]) -> dict[str, str]:
    """The answers among what a form sent, as they were typed."""
    answers = {key: text.strip()[:_MOST_CHARACTERS] for key, text in sent.items() if is_uid(key) or key in PAGE_FIELDS}
    return {key: text for key, text in answers.items() if text}


def digest(fields: dict[str, str]) -> str:
    """Tells one content of a form from another; which planned visit it is, is no content."""
    return sha256(json_of(sorted((key, text) for key, text in fields.items() if key != "planned")).encode()).hexdigest()


async def begin(
    pool: asyncpg.Pool,
    owner: str,
    kind: str,
    *,
    tracked_entity: str = "",
    enrollment: str = "",
    identity: IdentityState | None = None,
    base: dict[str, str] | None = None,
) -> str:
    """A new draft of `owner`; its id. The objects it will write have their UIDs from now on."""
    uids = Uids(tracked_entity or uid(), enrollment or uid(), uid())
    return await _add(pool, uuid4(), owner, kind, uids, identity or IdentityState(), base or {}, base or {})


async def begin_again(pool: asyncpg.Pool, draft: Draft, fields: dict[str, str]) -> str:
    """A form with `fields`, which came after `draft` was sent with others; its id, the same for the same fields."""
    again = draft.kind != "registration"  # about the same woman; a registration is of another
    uids = Uids(draft.tracked_entity if again else uid(), draft.uids.enrollment if again else uid(), uid())
    draft_id = uuid5(UUID(draft.id), digest(fields))
    return await _add(pool, draft_id, draft.owner, draft.kind, uids, IdentityState(), fields, {})


async def _add(
    pool: asyncpg.Pool,
    draft_id: UUID,
    owner: str,
    kind: str,
    uids: Uids,
    identity: IdentityState,
    fields: dict[str, str],
    base: dict[str, str],
) -> str:
    await SQL.add_draft(
        pool,
        id=draft_id,
        owner=owner,
        kind=kind,
        tracked_entity=uids.tracked_entity,
        uids=json_of(uids),
        fields=json_of(fields),
        identity=json_of(identity),
        base=json_of(base),
    )
    return str(draft_id)


async def last_unit(pool: asyncpg.Pool, owner: str, kind: str) -> str:
    """The clinic of the form of this kind that `owner` sent last; "" for none."""
    found: str | None = await SQL.last_unit(pool, owner=owner, kind=kind)
    return found or ""


async def find(pool: asyncpg.Pool, owner: str, draft_id: str, kind: str) -> Draft:
    """The draft `draft_id` of `owner`, of any kind when `kind` is empty. Raises NotFound for another's, too."""
    try:
        row = await SQL.draft(pool, id=UUID(draft_id), owner=owner)
    except ValueError as error:
        raise NotFound from error
    if row is None or kind not in ("", row["kind"]):
        raise NotFound
    return Draft(
        id=str(row["id"]),
        owner=row["owner"],
        kind=row["kind"],
        tracked_entity=row["tracked_entity"],
        uids=_read(row["uids"], Uids),
        fields=_read(row["fields"], dict[str, str]),
        identity=_read(row["identity"], IdentityState),
        phn=_read(row["phn"], Number),
        generated=_read(row["generated"], dict[str, str]),
        base=_read(row["base"], dict[str, str]),
        sent=row["sent"],
        updated_at=row["updated_at"],
        sent_as=row["sent_as"],
    )


async def open_for(pool: asyncpg.Pool, owner: str, kind: str, tracked_entity: str) -> str | None:
    """The id of the form of `kind` that `owner` began for this woman and has not sent."""
    found: str | None = await SQL.open_draft_for(pool, owner=owner, kind=kind, tracked_entity=tracked_entity)
    return found


async def keep_base(pool: asyncpg.Pool, draft: Draft) -> None:
    """Keeps `draft.base`."""
    await SQL.keep_base(pool, id=UUID(draft.id), owner=draft.owner, base=json_of(draft.base))


async def keep_fields(pool: asyncpg.Pool, draft: Draft) -> None:
    """Keeps `draft.fields`."""
    await SQL.keep_fields(pool, id=UUID(draft.id), owner=draft.owner, fields=json_of(draft.fields))


async def keep_uids(pool: asyncpg.Pool, draft: Draft) -> None:
    """Keeps `draft.uids`."""
    await SQL.keep_uids(pool, id=UUID(draft.id), owner=draft.owner, uids=json_of(draft.uids))


async def keep_identity(pool: asyncpg.Pool, draft: Draft) -> None:
    """Keeps `draft.identity`, and its values as answers; what was typed meanwhile stays."""
    await SQL.keep_identity(
        pool,
        id=UUID(draft.id),
        owner=draft.owner,
        identity=json_of(draft.identity),
        values=json_of(draft.identity.values),
    )


async def keep_phn(pool: asyncpg.Pool, draft: Draft) -> None:
    """Keeps `draft.phn`."""
    await SQL.keep_phn(pool, id=UUID(draft.id), owner=draft.owner, phn=json_of(draft.phn))


async def keep_generated(pool: asyncpg.Pool, draft: Draft) -> None:
    """Keeps the values the registry numbered for this form."""
    await SQL.keep_generated(pool, id=UUID(draft.id), owner=draft.owner, generated=json_of(draft.generated))


async def mark_sent(pool: asyncpg.Pool, draft: Draft) -> None:
    """The registry has it: what was typed is forgotten here, but for the clinic (`last_unit`)."""
    await SQL.mark_sent(pool, id=UUID(draft.id), owner=draft.owner, sent_as=draft.sent_as)


async def drop(pool: asyncpg.Pool, draft: Draft) -> None:
    """The midwife gave it up."""
    await SQL.drop_draft(pool, id=UUID(draft.id), owner=draft.owner)


def _read(text: str, kind: Any) -> Any:
    return msgspec.json.decode(text, type=kind)
