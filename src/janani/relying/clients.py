"""The clients this relying party is, at one provider or several: from `relying.toml`, `dhis.conf`, or its settings.

    [clients.anc]                               # $JANANI_HOME/relying.toml; the first is meant when none is named
    provider = "https://esignet.example"        # issuer, or the address of its metadata
    client_id = "janani-verify"
    redirect_uris = ["https://portal.example/midwife/identity/callback"]
    key = "secrets/relying.p12"                 # PKCS#12, PEM or JWK, from $JANANI_HOME
    key_password_file = "secrets/relying.password"
    mapping = "claims.yaml"                     # from the programme's folder

Without `relying.toml` there is one client, `verify`, made of the settings. Each provider of `$JANANI_HOME/dhis.conf`
that uses `private_key_jwt` is a client, too, by its id.
"""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
from joserfc.jwk import ECKey
from msgspec import Struct, field

from janani.clients import dhis_conf, oidc
from janani.clients.dhis_conf import ConfProvider
from janani.kernel.keyfiles import SigningKey
from janani.kernel.keyring import KeyRing
from janani.kernel.problems import RefusesToStart
from janani.programmes import Programme, nearest
from janani.relying import claims
from janani.relying.claims import ClaimMapping
from janani.settings import Settings

FILE, CONF, DEFAULT = "relying.toml", "dhis.conf", "verify"


class InvalidClients(RefusesToStart):
    """`relying.toml` is wrong. Its text names the file, the place and what was expected."""


class Endpoints(Struct, frozen=True, forbid_unknown_fields=True):
    """A provider without discovery: DHIS2's names of its addresses."""

    issuer_uri: str
    authorization_uri: str
    token_uri: str
    jwk_uri: str
    user_info_uri: str = ""


class ClientFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One client as the file has it; `docs/reference/claims-and-programme-files.md` says what each key means."""

    client_id: str
    redirect_uris: list[str]
    key: str
    provider: str = ""
    endpoints: Endpoints | None = None
    token_issuers: list[str] = []
    key_password_file: str = ""
    key_alias: str = ""
    key_id: str = ""
    alg: Literal["", "RS256", "PS256", "ES256"] = ""
    also_publish: list[str] = []
    mapping: str = claims.FILE
    userinfo: Literal["jwt", "json"] = "jwt"
    decryption_key: str = ""
    algorithms: tuple[Literal["RS256", "PS256", "ES256"], ...] = ("RS256", "PS256", "ES256")
    pushed: Literal["offered", "never", "always"] = "offered"
    phone_redirect_uri: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    clients: dict[str, ClientFile]


@dataclass(frozen=True)
class RelyingClient:
    """One client while it runs: its keys, its provider, its mapping."""

    name: str
    conf: ClientFile
    ring: KeyRing
    decryption: KeyRing | None
    mapping: ClaimMapping
    source: oidc.ProviderSource
    fixed: oidc.Provider | None

    async def provider(self, now: datetime) -> oidc.Provider:
        """Its identity provider. Raises OidcError."""
        return self.fixed or await self.source.provider(now)

    @property
    def public_keys(self) -> list[SigningKey]:
        """The keys the provider may meet, for its JWKS; those for encryption are marked as such."""
        sealing = [_for_encryption(one) for one in self.decryption.published] if self.decryption else []
        return [*self.ring.published, *sealing]

    def accepts(self, redirect_uri: str) -> bool:
        """Whether codes may come back to exactly this page."""
        return redirect_uri in self.conf.redirect_uris or redirect_uri == self.conf.phone_redirect_uri

    def at(self, redirect_uri: str = "") -> oidc.Client:
        """This client as the provider knows it, with the page the code comes back to (default: its first)."""
        asked = self.mapping.request
        opened_by = [_for_encryption(one) for one in self.decryption.published] if self.decryption else []
        return oidc.Client(
            client_id=self.conf.client_id,
            key=self.ring.current,
            redirect_uri=redirect_uri or self.conf.redirect_uris[0],
            scope=asked.scope,
            claims=asked.claims,
            acr_values=asked.acr_values,
            algorithms=self.conf.algorithms,
            signed_userinfo=self.conf.userinfo == "jwt",
            decryption_keys=tuple(opened_by),
            pushed=self.conf.pushed,
            extra=asked.parameters | self.conf.parameters,
        )


def load(settings: Settings, programme: Programme, http: httpx.AsyncClient) -> dict[str, RelyingClient]:
    """Every client, the default first.

    Raises InvalidClients, dhis_conf.InvalidConf, BadKeyFile, ProgrammeFault, and MissingSecret in production.
    """
    found, keys = configured(settings), rings(settings)
    return {name: _running(settings, programme, http, name, conf, keys[name]) for name, conf in found.items()}


def rings(settings: Settings) -> dict[str, KeyRing]:
    """The signing keys of every client, by its name. Raises as `load`."""
    passwords = _conf_passwords(settings)
    return {name: _ring(settings, conf, passwords.get(name, "")) for name, conf in configured(settings).items()}


def configured(settings: Settings) -> dict[str, ClientFile]:
    """The clients of the files, the default first. Raises InvalidClients, dhis_conf.InvalidConf."""
    path = settings.folder / FILE
    own = _read(path) if path.exists() else {DEFAULT: _built_in(settings)}
    from_conf = {
        one.id: _of_conf(settings, one)
        for one in dhis_conf.read(settings.folder / CONF).values()
        if one["client_authentication_method"] == "private_key_jwt" and one["keystore_path"] and one.id not in own
    }
    phone = f"{settings.relying.url.rstrip('/')}/phone/callback"
    return {
        name: msgspec.structs.replace(one, phone_redirect_uri=one.phone_redirect_uri or phone)
        for name, one in (own | from_conf).items()
    }


def _built_in(settings: Settings) -> ClientFile:
    issuer = settings.esignet.url.rstrip("/")
    midwife = f"{settings.portals.url.rstrip('/')}/midwife/identity/callback"
    return ClientFile(
        client_id=settings.relying.client_id,
        redirect_uris=settings.relying.redirect_uris or [midwife],
        key="secrets/relying.pem",
        provider=issuer,
        # eSignet 1.6.1 names itself without path in discovery and with it in tokens (reference §5.5).
        token_issuers=[f"{issuer}/v1/esignet"],
    )


def _of_conf(settings: Settings, conf: ConfProvider) -> ClientFile:
    endpoints = conf.endpoints
    return ClientFile(
        client_id=conf["client_id"],
        redirect_uris=[conf["redirect_url"] or f"{settings.registry.url}/oauth2/code/{conf.id}"],
        key=conf["keystore_path"],
        key_alias=conf["key_alias"],
        key_id=conf["key_alias"],
        provider=conf["issuer_uri"],
        endpoints=Endpoints(**endpoints) if endpoints else None,
        userinfo="jwt" if conf.signed_userinfo else "json",
        parameters=conf.extra,
    )


def _conf_passwords(settings: Settings) -> dict[str, str]:
    found = dhis_conf.read(settings.folder / CONF)
    return {name: one["keystore_password"] or one["key_password"] for name, one in found.items()}


def _read(path: Path) -> dict[str, ClientFile]:
    try:
        found = msgspec.convert(tomllib.loads(path.read_text()), _File).clients
    except tomllib.TOMLDecodeError as error:
        raise InvalidClients(f"{path}  {error}") from error
    except msgspec.ValidationError as error:
        raise InvalidClients(f"{path}  {error}{_meant(str(error))}") from error
    if not found:
        raise InvalidClients(f"{path}  names no client; expected [clients.<name>].")
    for name, one in found.items():
        if not one.redirect_uris:
            raise InvalidClients(f"{path}  clients.{name}.redirect_uris is empty; at least one exact page is needed.")
        if not one.provider and one.endpoints is None:
            raise InvalidClients(f"{path}  clients.{name} has neither provider nor endpoints.")
        if any("*" in uri or "#" in uri for uri in one.redirect_uris):
            raise InvalidClients(f"{path}  clients.{name}.redirect_uris: pages are exact, without * and #.")
    return found


def _meant(message: str) -> str:
    """For an unknown key: which one was probably meant."""
    word = message.partition("unknown field `")[2].partition("`")[0]
    return f"; {nearest(word, ClientFile.__struct_fields__)}" if word else ""


def _ring(settings: Settings, conf: ClientFile, password: str) -> KeyRing:
    folder = settings.folder
    if conf.key_password_file:
        password = _password(folder / conf.key_password_file)
    return KeyRing(
        folder / conf.key,
        create=settings.sandbox,
        also=tuple(folder / one for one in conf.also_publish),
        password=password,
        alias=conf.key_alias,
        alg=conf.alg,
        kid=conf.key_id,
    )


def _running(
    settings: Settings, programme: Programme, http: httpx.AsyncClient, name: str, conf: ClientFile, ring: KeyRing
) -> RelyingClient:
    folder = settings.folder
    decryption = KeyRing(folder / conf.decryption_key, create=settings.sandbox) if conf.decryption_key else None
    return RelyingClient(
        name=name,
        conf=conf,
        ring=ring,
        decryption=decryption,
        mapping=claims.load(programme, conf.mapping),
        source=oidc.ProviderSource(http, conf.provider, token_issuers=conf.token_issuers),
        fixed=_fixed(conf.endpoints, conf.token_issuers),
    )


def _for_encryption(key: SigningKey) -> SigningKey:
    """A key of a ring as one that opens what is sealed for us, and signs nothing."""
    alg = "ECDH-ES+A256KW" if isinstance(key, ECKey) else "RSA-OAEP-256"
    members = key.as_dict(private=True) | {"use": "enc", "alg": alg}
    return type(key).import_key(members)


def _password(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise InvalidClients(f"{path}, named as key_password_file, can't be read: {error.strerror}.") from error


def _fixed(endpoints: Endpoints | None, token_issuers: list[str]) -> oidc.Provider | None:
    if endpoints is None:
        return None
    metadata: dict[str, Any] = {
        "issuer": endpoints.issuer_uri,
        "authorization_endpoint": endpoints.authorization_uri,
        "token_endpoint": endpoints.token_uri,
        "jwks_uri": endpoints.jwk_uri,
        "userinfo_endpoint": endpoints.user_info_uri,
    }
    return oidc.Provider(msgspec.convert(metadata, oidc.Metadata), token_issuers)
