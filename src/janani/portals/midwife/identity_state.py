"""How sure we are that it is she: the state a draft carries and the registry keeps. Pure.

NOT_VERIFIED ──eSignet away──► PENDING ──verified──► VERIFIED
      ├───────────────verified──────────────────────────┤
      └──not confirmed──► FAILED ───────verified────────┘
VERIFIED_OFFLINE (from her signed card) takes the place of each but VERIFIED; the next verification online confirms it,
or tells what differs from what the card said.
A verified field keeps its mark for as long as it holds what the identity service said.
"""

from typing import Any

from msgspec import Struct, field

from janani.programmes import Programme

NOT_VERIFIED, PENDING, VERIFIED, FAILED = "NOT_VERIFIED", "PENDING", "VERIFIED", "FAILED"
VERIFIED_OFFLINE = "VERIFIED_OFFLINE"
SURE = (VERIFIED, VERIFIED_OFFLINE)
"""The states in which values are marked as verified."""
_BY_SURENESS = (NOT_VERIFIED, PENDING, FAILED, VERIFIED_OFFLINE, VERIFIED)


class IdentityState(Struct):
    """`values`: what the identity service or her card said, by attribute; `subject`: her pairwise id; `level`: her acr.

    `card` is what her card said before she was verified online.
    """

    status: str = NOT_VERIFIED
    verified_at: str = ""
    provider: str = ""
    subject: str = ""
    level: str = ""
    values: dict[str, str] = field(default_factory=dict)
    card: dict[str, str] = field(default_factory=dict)

    def marks(self, fields: dict[str, str]) -> set[str]:
        """The attributes whose value is still the verified one."""
        return {uid for uid, value in self.values.items() if fields.get(uid) == value}


def verified(answer: dict[str, Any], programme: Programme) -> IdentityState:
    """The state after the relying party answered with mapped attributes (`…dhis2.attributes+json`)."""
    subject = programme.registry.attributes["subject"]
    values = {row["attribute"]: row["value"] for row in answer["attributes"]}
    return IdentityState(
        status=answer["status"],
        verified_at=answer["verifiedAt"],
        provider=answer["provider"],
        subject=answer["subject"],
        level=answer.get("acr", ""),
        values={uid: value for uid, value in values.items() if uid != subject},
    )


def following(before: IdentityState, now: IdentityState) -> IdentityState:
    """`now`, with what her card said before, to be compared."""
    now.card = (before.values if before.status == VERIFIED_OFFLINE else {}) or before.card
    return now


def below(status: str, other: str) -> bool:
    """Whether `other` may take the place of `status`; what is surer is not taken back by a page that is older."""
    return status not in _BY_SURENESS or _BY_SURENESS.index(status) < _BY_SURENESS.index(other)


def attributes(state: IdentityState, fields: dict[str, str], programme: Programme) -> dict[str, str]:
    """What the registry keeps of the state, by attribute."""
    roles = programme.registry.attributes
    kept = {roles["identity_status"]: state.status}
    if state.status not in SURE:
        return kept
    if "identity_level" in roles:
        kept[roles["identity_level"]] = state.level
    if state.subject:  # a card has none
        kept[roles["subject"]] = state.subject
    return kept | {
        # DHIS2 keeps a DATETIME without zone; it is UTC here, as everywhere in the registry.
        roles["identity_verified_at"]: state.verified_at[:19],
        roles["identity_provider"]: state.provider,
        roles["identity_verified_fields"]: ",".join(sorted(state.marks(fields))),
    }


def known(values: dict[str, str], programme: Programme) -> IdentityState:
    """The state as the registry keeps it in a woman's attributes."""
    roles = programme.registry.attributes
    marked = [uid for uid in values.get(roles["identity_verified_fields"], "").split(",") if uid]
    return IdentityState(
        status=values.get(roles["identity_status"], NOT_VERIFIED),
        verified_at=values.get(roles["identity_verified_at"], ""),
        provider=values.get(roles["identity_provider"], ""),
        subject=values.get(roles["subject"], ""),
        level=values.get(roles.get("identity_level", ""), ""),
        values={uid: values[uid] for uid in marked if uid in values},
    )


def note_of(code: str) -> str:
    """The note for an error code of the relying party: hers, over, away, or not to be trusted."""
    if code == "access_refused":
        return "identity-refused"
    if code in ("code_refused", "state_unknown", "verification_unknown"):
        return "identity-over"
    if not code or code.startswith("provider_") or code in ("client_refused", "request_refused"):
        return "identity-away"
    return "identity-failed"
