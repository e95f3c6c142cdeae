"""Who is asking: made once a request from its access token, and given to the `Door`."""

from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from msgspec import Struct

from janani.record.problems import FhirProblem

Interaction = Literal["create", "read", "update", "delete", "search"]
_LETTERS: dict[Interaction, str] = {"create": "c", "read": "r", "update": "u", "delete": "d", "search": "s"}
_CONTEXTS = {"system": "system", "staff": "user", "patient": "patient"}
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}


class Actor(Struct, frozen=True, dict=True):
    """A client or person at the door.

    Args:
        kind: `system` (a backend service), `staff`, `patient`, or `open` (no authorization: sandbox only).
        id: surrogate id for audit: client id, "Practitioner/<id>" or "Patient/<id>".
        patient: the logical id of the Patient whose compartment she is confined to; always set for `patient`.
        scopes: granted SMART scopes, v2 (`patient/*.rs`) or v1 (`user/*.read`); those with a query are refused
            when granted, never here.
        client: OAuth2 client id through which the actor came.
        display: name for audit, as the person herself may read it.
    """

    kind: Literal["system", "staff", "patient", "open"]
    id: str
    patient: str | None = None
    scopes: frozenset[str] = frozenset()
    client: str = ""
    display: str = ""

    def may(self, interaction: Interaction, resource_type: str) -> bool:
        """Whether a scope allows `interaction` on `resource_type` (SMART App Launch 2.2 §scopes)."""
        if self.kind == "open":
            return True
        letters = self._rights.get(resource_type, "") + self._rights.get("*", "")
        return _LETTERS[interaction] in letters

    def require_search(self, types: Iterable[str]) -> None:
        """Raises FhirProblem 403 when one of `types` may not be searched: whether something matches tells of it."""
        for name in sorted(types):
            if not self.may("search", name):
                raise FhirProblem(403, "forbidden", f"The access token does not allow to search {name}")

    @cached_property
    def _rights(self) -> dict[str, str]:
        rights: dict[str, str] = {}
        for scope in self.scopes:
            context, _, rest = scope.partition("/")
            kind, _, letters = rest.partition(".")
            if context == _CONTEXTS.get(self.kind) and "?" not in letters:
                rights[kind] = rights.get(kind, "") + _VERSION_1.get(letters, letters)
        return rights


OPEN = Actor(kind="open", id="open")
"""Anyone, when `record.authorization` is `open` (sandbox only)."""
