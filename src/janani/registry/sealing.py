"""Secrets of Routes: encrypted before they are stored, opened only to be sent upstream."""

from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from janani.registry.problems import Refusal

Json = dict[str, Any]


class Sealer:
    """Encrypts and opens the `auth` member of Routes with one key of this installation."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    def sealed(self, route: Json, known: Json | None) -> Json:
        """`route` with its `auth` encrypted; an `auth` without secrets keeps the one already known (as read by GET)."""
        auth = route.get("auth")
        if not isinstance(auth, dict) or "sealed" in auth:
            return route
        if set(auth) <= {"type"} and known is not None and known.get("auth", {}).get("type") == auth.get("type"):
            return route | {"auth": known["auth"]}
        kind = auth.get("type")
        return route | {"auth": {"type": kind, "sealed": self._fernet.encrypt(msgspec.json.encode(auth)).decode()}}

    def opened(self, route: Json) -> Json:
        """The `auth` of `route` as it was sent, or {}. Raises Refusal (502) when the key is another."""
        auth = route.get("auth")
        if not auth:
            return {}
        try:
            return msgspec.json.decode(self._fernet.decrypt(auth["sealed"]), type=Json)
        except (InvalidToken, KeyError) as error:
            raise Refusal(502, "The Route's authentication can't be read; save the Route again.") from error
