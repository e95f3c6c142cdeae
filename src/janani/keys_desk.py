"""`janani keys`: the signing keys of the relying party's clients and of our eSignet: shown, rotated, exported."""

import base64
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cryptography import x509
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from janani import settings as configuration
from janani.esignet.consent import TOKEN_SECONDS
from janani.esignet.discovery import KEPT_SECONDS
from janani.esignet.provider import signing_keys
from janani.kernel.jose import jwks
from janani.kernel.keyfiles import BadKeyFile
from janani.kernel.keyring import KeyRing
from janani.kernel.problems import RefusesToStart
from janani.relying import clients

keys = App(name="keys", help="The signing keys of the relying party's clients, and of our eSignet.")
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)
_Client = Annotated[str, Parameter(help="Name of the client (the first when left out), or esignet.")]
PROVIDER = "esignet"
_SKEW_SECONDS = 60


@keys.command
def show() -> None:
    """Which key of which client signs, which are published beside it, and until when their certificates are good."""
    table = Table(box=None, header_style="bold")
    for name in ("whose", "key", "signs as", "kid", "certificate until"):
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
        if finish or switch:
            _not_before(name, ring.previous, TOKEN_SECONDS + _SKEW_SECONDS, "tokens of the old key are still good")
        if finish:
            gone = ring.finish()
            _out.print("The old key is withdrawn." if gone else "There was no old key to withdraw.")
        elif switch:
            _not_before(name, ring.next, KEPT_SECONDS, "others may still keep the key set without it")
            key = ring.switch()
            _out.print(f"{name} signs with {key.kid} now. The old key stays published.")
            _out.print(f"When nothing is signed by it any more: janani keys rotate {name} --finish")
        else:
            key = ring.prepare(datetime.now(UTC))
            _out.print(f"{name} publishes {key.kid} too, and still signs with the old key.")
            known = "In five minutes" if name == PROVIDER else f"Make it known (janani keys export {name} --new), then"
            _out.print(f"{known}: janani keys rotate {name} --switch")
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
        rings = clients.rings(settings)
        if settings.esignet.here:
            if PROVIDER in rings:
                rings[f"{PROVIDER} (client)"] = rings.pop(PROVIDER)
            rings[PROVIDER] = signing_keys(settings)
        return rings
    except (configuration.InvalidSettings, RefusesToStart) as error:
        _fail(str(error))
        raise


def _ring(name: str) -> tuple[str, KeyRing]:
    found = _rings()
    name = name or next(iter(found))
    if name not in found:
        _fail(f"There is no client {name!r}. Clients: {', '.join(found)}.")
    return name, found[name]


def _not_before(name: str, path: Path, seconds: int, why: str) -> None:
    """Raises BadKeyFile while the provider's key at `path` has not lain there for `seconds`."""
    if name != PROVIDER or not path.exists():
        return
    when = datetime.fromtimestamp(path.stat().st_mtime, UTC) + timedelta(seconds=seconds)
    if datetime.now(UTC) < when:
        raise BadKeyFile(f"Wait until {when:%H:%M} UTC: {why}.")


def _until(public: dict[str, Any]) -> str:
    chain = public.get("x5c")
    if not chain:
        return "no certificate"
    return f"{x509.load_der_x509_certificate(base64.b64decode(chain[0])).not_valid_after_utc:%Y-%m-%d}"


def _fail(text: str) -> None:
    _err.print(text, style="red", soft_wrap=True)
    sys.exit(1)
