"""Checks passwords against bcrypt hashes without holding up the event loop.

A right password is remembered for a few minutes as a keyed hash, so that a client that sends its
password with every call (the sync) costs bcrypt once.
"""

import asyncio
import hashlib
import hmac
import secrets
import time

import bcrypt

_REMEMBER_SECONDS = 300.0
# Compared with when there is no such user, so that the answer takes as long.
_NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(10)).decode()


class Passwords:
    """Checks passwords, remembering right ones for a while."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[str, tuple[bytes, float]] = {}

    async def right(self, uid: str, password: str, known_hash: str | None) -> bool:
        """Whether `password` is that of user `uid` whose stored hash is `known_hash`."""
        digest = hmac.digest(self._key, f"{uid}\0{known_hash}\0{password}".encode(), hashlib.sha256)
        remembered, until = self._right.get(uid, (b"", 0.0))
        if hmac.compare_digest(remembered, digest) and time.monotonic() < until:
            return True
        matches = await asyncio.to_thread(_matches, password, known_hash or _NOBODY)
        if matches and known_hash:
            self._right[uid] = (digest, time.monotonic() + _REMEMBER_SECONDS)
            return True
        return False


def _matches(password: str, known_hash: str) -> bool:
    return bcrypt.checkpw(password.encode()[:72], known_hash.encode())
