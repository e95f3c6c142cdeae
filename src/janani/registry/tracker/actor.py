"""Who is asking, as tracker rules see it. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from janani.registry.tracker.catalogue import Catalogue, Right, Sharing


class Actor(Struct, frozen=True):
    """A user with the units that may be written (`capture`) and read (`search`), descendants included.

    `everything` is the authority ALL: it passes sharing and units by, not the rules of the programme.
    """

    uid: str
    username: str
    first_name: str
    surname: str
    everything: bool
    authorities: frozenset[str]
    groups: frozenset[str]
    capture: frozenset[str]
    search: frozenset[str]

    def may(self, right: Right, sharing: Sharing) -> bool:
        """Whether the user has `right` on an object shared like this."""
        return self.everything or sharing.allows(right, self.uid, self.groups)

    def has(self, authority: str) -> bool:
        """Whether the user has `authority`, by name or through ALL."""
        return self.everything or authority in self.authorities

    def captures_at(self, unit: str | None) -> bool:
        """Whether the user may write at `unit`."""
        return self.everything or unit in self.capture

    def reaches(self, unit: str | None, *, closed: bool = False) -> bool:
        """Whether what `unit` owns may be read; of a closed programme only in the capture units (§3.9)."""
        return self.everything or unit in self.capture or (not closed and unit in self.search)

    @property
    def searches_everywhere(self) -> bool:
        """Whether the user may look into every unit (orgUnitMode=ALL)."""
        return self.has("F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS")

    @property
    def snapshot(self) -> dict[str, str]:
        """The user as rows remember who wrote them."""
        return {
            "uid": self.uid,
            "username": self.username,
            "firstName": self.first_name,
            "surname": self.surname,
        }


def actor_of(
    catalogue: Catalogue,
    *,
    uid: str,
    username: str,
    first_name: str,
    surname: str,
    authorities: Iterable[str],
    groups: Iterable[str],
    capture_units: Iterable[str],
    search_units: Iterable[str],
) -> Actor:
    """The actor with units widened to their descendants; without search units the capture units serve (§9)."""
    rights = frozenset(authorities)
    capture = catalogue.below(capture_units)
    return Actor(
        uid=uid,
        username=username,
        first_name=first_name,
        surname=surname,
        everything="ALL" in rights,
        authorities=rights,
        groups=frozenset(groups),
        capture=capture,
        search=catalogue.below(search_units) or capture,
    )
