"""How much one person and one source address may do, across sign-ins (a sign-in has limits of its own beside these).

Counted are codes sent and not yet used, wrong codes, and numbers of nobody; a sign-in that succeeds takes its codes
back. Who shares an address with many (a clinic) needs `otp_source_tries` set accordingly.
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal, Protocol, TypeVar

from janani.esignet.envelope import Fault
from janani.esignet.identity import normal_number
from janani.esignet.incoming import Http, bound, bound_transaction, read
from janani.esignet.problems import Refused
from janani.esignet.provider import CODES, Provider, Row


def source_of(idp: Provider, request: Http) -> bytes:
    """What is kept of the address a call comes from: a keyed hash; of IPv6 the /64, which is one household."""
    host = request.client.host if request.client else ""
    return hmac.digest(idp.otp_key, b"source " + network(host).encode(), sha256)[:16]


def network(host: str) -> str:
    """The address as it's counted: an IPv6 address by its /64, one that is IPv4 inside as that, others as they are."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


class Naming(Protocol):
    """A request that names a person."""

    individual_id: str | None


N = TypeVar("N", bound=Naming)


async def read_naming(
    request: Http, idp: Provider, kind: type[N], check: Callable[[N], list[Fault]], source: bytes
) -> tuple[N, Row]:
    """The request, and the sign-in it is bound to together with whom it names and what `source` did lately.

    One look-up; the refusals (those of `bound_transaction`, then those of `read`) in the order of two.
    """
    try:
        body = await read(request, kind, check, idp.now())
    except Refused:
        await bound_transaction(request, idp, "preauth")
        raise
    now, key = idp.now(), request.headers.get("oauth-details-key", "")
    number = normal_number(body.individual_id or "")
    row = await CODES.asked_for(idp.pool, id=key, number=number, now=now, source=source, since=counted_since(idp))
    return body, bound(request, row)


async def check_person(idp: Provider, row: Row, source: bytes) -> None:
    """Raises Refused unless `source` may still try to sign in as the person that `row` of `read_naming` has.

    `no_attempts_left` (the source tried too much), `invalid_individual_id`, `individual_id_blocked`.
    """
    if row["of_source"] >= idp.options.otp_source_tries:
        raise Refused("no_attempts_left", reason="source")
    if row["asked"] is None:
        await strike(idp, row, source, "unknown")
        raise Refused("invalid_individual_id")
    if row["locked_until"] and row["locked_until"] > idp.now():
        raise Refused("individual_id_blocked")


def counted_since(idp: Provider) -> datetime:
    """Since when what was done counts."""
    return idp.now() - timedelta(seconds=idp.options.otp_lock_seconds)


async def strike(idp: Provider, row: Row, source: bytes, kind: Literal["wrong", "unknown"]) -> None:
    """Counts a failure of `source`."""
    await CODES.strike(idp.pool, now=idp.now(), kind=kind, source=source, transaction_number=row["number"])
