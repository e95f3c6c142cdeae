"""What tests do again and again with the same result, done once: reading keys, certificates, handlers' signatures.

OpenSSL looks whether the numbers of an RSA key are primes at each reading, each httpx client reads all certificate
authorities, and uvicorn looks only ten times a second whether it should stop. Passwords are hashed with the fewest
rounds, an answer or a page may take a minute, as the machine may be busy, and servers keep resting connections as long
as ours do (uvicorn's own 5 seconds are httpx' too: a request may be sent just as its connection is closed).
"""

import asyncio
import functools
import weakref
from types import SimpleNamespace
from typing import Any

import bcrypt
import httpx
import httpx._transports.default
import joserfc._rfc7517.pem
import joserfc._rfc7518.rsa_key
import uvicorn.server
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from litestar.utils.signature import ParsedSignature
from playwright.async_api import expect

from janani.kernel.http import KEEP_ALIVE_SECONDS


def install() -> None:
    """Puts the memories in place, for this process."""
    load = functools.cache(serialization.load_pem_private_key)
    serialization.load_pem_private_key = load  # type: ignore[assignment]
    joserfc._rfc7517.pem.load_pem_private_key = load  # type: ignore[attr-defined]
    joserfc._rfc7518.rsa_key.RSAPrivateNumbers = _numbers  # type: ignore[attr-defined]
    httpx._transports.default.create_ssl_context = functools.cache(httpx._transports.default.create_ssl_context)
    for call in (httpx.AsyncClient.__init__, httpx.Client.__init__, httpx.get, httpx.post):
        call.__kwdefaults__["timeout"] = httpx.Timeout(60)
    expect.set_options(timeout=60_000)
    patient = functools.partialmethod(uvicorn.Config.__init__, timeout_keep_alive=KEEP_ALIVE_SECONDS)
    uvicorn.Config.__init__ = patient  # type: ignore[assignment,method-assign]
    salt = bcrypt.gensalt
    bcrypt.gensalt = lambda *_, **__: salt(4)
    uvicorn.server.asyncio = _Hasty()  # type: ignore[attr-defined]
    ParsedSignature.from_fn = classmethod(_signature)  # type: ignore[assignment,method-assign]


@functools.cache
def _key(public: tuple[int, int], rest: tuple[tuple[str, int], ...]) -> rsa.RSAPrivateKey:
    return rsa.RSAPrivateNumbers(public_numbers=rsa.RSAPublicNumbers(*public), **dict(rest)).private_key()


def _numbers(*, public_numbers: rsa.RSAPublicNumbers, **rest: int) -> Any:
    public = (public_numbers.e, public_numbers.n)
    return SimpleNamespace(private_key=functools.partial(_key, public, tuple(sorted(rest.items()))))


_parse = ParsedSignature.from_fn.__func__  # type: ignore[attr-defined]
_parsed: "weakref.WeakKeyDictionary[Any, ParsedSignature]" = weakref.WeakKeyDictionary()


def _signature(cls: type[ParsedSignature], fn: Any, namespace: dict[str, Any]) -> ParsedSignature:
    """A quarter of what it takes to make an application, which most tests make."""
    if fn not in _parsed:
        _parsed[fn] = _parse(cls, fn, namespace)
    return _parsed[fn]


class _Hasty:
    """asyncio, for uvicorn: it looks every few milliseconds, not every tenth of a second."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.005))
