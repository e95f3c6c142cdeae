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

    async def right(self, uid: str, password: str, known_hash: str | None, *, only_remembered: bool = False) -> bool:
        """Whether `password` is that of user `uid` whose stored hash is `known_hash`.

        `only_remembered`: only a password that was right lately passes, so that a stranger's wrong ones can't stop a
        client that works.
        """
        digest = hmac.digest(self._key, f"{uid}\0{known_hash}\0{password}".encode(), hashlib.sha256)
        remembered, until = self._right.get(uid, (b"", 0.0))
        if hmac.compare_digest(remembered, digest) and time.monotonic() < until:
            return True
        matches = await asyncio.to_thread(_matches, password, known_hash or _NOBODY)
        if matches and known_hash and not only_remembered:
            self._right[uid] = (digest, time.monotonic() + _REMEMBER_SECONDS)
            return True
        return False


async def hashed(password: str) -> str:
    """What is stored of `password`. It has 72 bytes at most: bcrypt reads no more."""
    return await asyncio.to_thread(lambda: bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode())


def fault(password: str) -> str:
    """What is wrong with a new password, by DHIS2's rules (E4005); empty when nothing is.

    A passphrase of 16 characters or more needs no mixture of kinds.
    """
    if not 8 <= len(password.encode()) <= 72:
        return "Password must have 8 to 72 characters."
    kinds = (str.isupper, str.islower, str.isdigit, lambda letter: not letter.isalnum())
    if len(password) < 16 and not all(any(kind(letter) for letter in password) for kind in kinds):
        return "Password must have an upper case letter, a lower case letter, a digit and a special character."
    return ""


def _matches(password: str, known_hash: str) -> bool:
    return len(password.encode()) <= 72 and bcrypt.checkpw(password.encode(), known_hash.encode())
