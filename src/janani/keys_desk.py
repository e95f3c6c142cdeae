"""`janani keys`: the signing keys of the relying party's clients, shown, rotated and exported."""

import base64
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from cryptography import x509
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from janani import settings as configuration
from janani.kernel.jose import jwks
from janani.kernel.keyring import KeyRing
from janani.kernel.problems import RefusesToStart
from janani.relying import clients

keys = App(name="keys", help="The relying party's signing keys.")
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)
_Client = Annotated[str, Parameter(help="Name of the client; the first when left out.")]


@keys.command
def show() -> None:
    """Which key of which client signs, which are published beside it, and until when their certificates are good."""
    table = Table(box=None, header_style="bold")
    for name in ("client", "key", "signs as", "kid", "certificate until"):
        table.add_column(name, overflow="fold")
    for client, ring in _rings().items():
        first, *others = ring.published
        for key, role in [(first, "signs"), *((one, "published") for one in others)]:
            public = key.as_dict(private=False)
            table.add_row(client, role, str(public["alg"]), str(public["kid"]), _until(public))
    _out.print(table)


@keys.command
def rotate(
    client: _Client = "",
    *,
    switch: Annotated[bool, Parameter(negative="", help="Second step: sign with the new key.")] = False,
    finish: Annotated[bool, Parameter(negative="", help="Third step: withdraw the old key.")] = False,
) -> None:
    """Make the next key and publish it; then --switch to it, then --finish. A running service follows by itself."""
    name, ring = _ring(client)
    try:
        if finish:
            gone = ring.finish()
            _out.print("The old key is withdrawn." if gone else "There was no old key to withdraw.")
        elif switch:
            key = ring.switch()
            _out.print(f"{name} signs with {key.kid} now. The old key stays published: janani keys rotate --finish")
        else:
            key = ring.prepare(datetime.now(UTC))
            _out.print(f"{name} publishes {key.kid} too, and still signs with the old key.")
            _out.print(
                f"Make it known to the provider (janani keys export {name} --new), then: janani keys rotate --switch"
            )
    except RefusesToStart as error:
        _fail(str(error))


@keys.command
def export(
    client: _Client = "",
    *,
    new: Annotated[
        bool, Parameter(negative="", help="The next key alone, as one JWK, for a client's registration.")
    ] = False,
) -> None:
    """Print the public keys as a JWK Set, or with --new the next one (else the one that signs) as a JWK."""
    _name, ring = _ring(client)
    published = jwks(*ring.published)["keys"]
    wanted = published[1] if new and ring.next.exists() else published[0]
    document: Any = wanted if new else {"keys": published}
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def _rings() -> dict[str, KeyRing]:
    try:
        settings = configuration.load()
        return clients.rings(settings)
    except (configuration.InvalidSettings, RefusesToStart) as error:
        _fail(str(error))
        raise


def _ring(name: str) -> tuple[str, KeyRing]:
    found = _rings()
    name = name or next(iter(found))
    if name not in found:
        _fail(f"There is no client {name!r}. Clients: {', '.join(found)}.")
    return name, found[name]


def _until(public: dict[str, Any]) -> str:
    chain = public.get("x5c")
    if not chain:
        return "no certificate"
    return f"{x509.load_der_x509_certificate(base64.b64decode(chain[0])).not_valid_after_utc:%Y-%m-%d}"


def _fail(text: str) -> None:
    _err.print(text, style="red", soft_wrap=True)
    sys.exit(1)
