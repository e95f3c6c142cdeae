"""Identity providers by the keys DHIS2 uses (`oidc.provider.<id>.*` of dhis.conf), or from our settings.

A `dhis.conf` in the data folder wins, so that one file serves this registry and a real DHIS2.
"""

from datetime import datetime

import httpx
from joserfc.jwk import RSAKey
from msgspec import Struct

from janani.clients import dhis_conf, oidc
from janani.kernel.jose import signing_key
from janani.kernel.keyfiles import BadKeyFile, read_key
from janani.settings import Settings


class ProviderSettings(Struct, frozen=True):
    """One provider; the names mean what DHIS2's keys of these names mean."""

    id: str
    client_id: str
    mapping_claim: str
    redirect_url: str
    display_alias: str
    scopes: str
    discovery: str
    endpoints: dict[str, str]
    signed_userinfo: bool


class SignIn:
    """Signing in at one provider; `client` is this registry as it is registered there."""

    def __init__(self, http: httpx.AsyncClient, key: RSAKey, settings: ProviderSettings) -> None:
        self.settings = settings
        self.client = _client(key, settings)
        self._fixed = _fixed(settings.endpoints)
        self._source = oidc.ProviderSource(http, settings.discovery)

    async def provider(self, now: datetime) -> oidc.Provider:
        """The provider: as configured, else as its discovery document says. Raises OidcError."""
        return self._fixed or await self._source.provider(now)


def _client(key: RSAKey, settings: ProviderSettings) -> oidc.Client:
    essential = [] if settings.mapping_claim == "sub" else [settings.mapping_claim]
    return oidc.Client(
        client_id=settings.client_id,
        key=key,
        redirect_uri=settings.redirect_url,
        scope=settings.scopes,
        claims=oidc.requested(essential, ["name"]),
        signed_userinfo=settings.signed_userinfo,
    )


def _fixed(endpoints: dict[str, str]) -> oidc.Provider | None:
    if not endpoints:
        return None
    return oidc.Provider(
        oidc.Metadata(
            issuer=endpoints["issuer_uri"],
            authorization_endpoint=endpoints["authorization_uri"],
            token_endpoint=endpoints["token_uri"],
            jwks_uri=endpoints["jwk_uri"],
            userinfo_endpoint=endpoints["user_info_uri"],
        )
    )


def providers(settings: Settings) -> dict[str, ProviderSettings]:
    """The providers people may sign in with, by id. There is always `esignet`. Raises dhis_conf.InvalidConf."""
    return {"esignet": _esignet(settings, _conf(settings))}


def own_key(settings: Settings) -> RSAKey:
    """The key this registry signs its assertions with: the keystore of dhis.conf when it names one, else its own.

    Raises RefusesToStart (BadKeyFile, MissingSecret).
    """
    conf = _conf(settings)
    if "keystore_path" not in conf:
        return signing_key(settings.secrets / "registry.pem", create=settings.sandbox)
    path, alias = settings.folder / conf["keystore_path"], conf.get("key_alias", "")
    key = read_key(path, password=conf.get("keystore_password", ""), alias=alias, kid=alias)
    if not isinstance(key, RSAKey):
        raise BadKeyFile(f"{path} must hold an RSA key.")
    return key


def _conf(settings: Settings) -> dict[str, str]:
    found = dhis_conf.read(settings.folder / "dhis.conf").get("esignet")
    return found.values if found else {}


def _esignet(settings: Settings, conf: dict[str, str]) -> ProviderSettings:
    named = ("issuer_uri", "authorization_uri", "token_uri", "user_info_uri", "jwk_uri")
    endpoints = {name: conf[name] for name in named if name in conf}
    return ProviderSettings(
        id="esignet",
        client_id=conf.get("client_id", settings.registry.client_id),
        mapping_claim=conf.get("mapping_claim", settings.registry.mapping_claim),
        redirect_url=conf.get("redirect_url", f"{settings.registry.url}/oauth2/code/esignet"),
        display_alias=conf.get("display_alias", "eSignet"),
        scopes=" ".join(dict.fromkeys(["openid", *conf.get("scopes", "profile").split()])),
        discovery=f"{settings.esignet.url}/v1/esignet/oidc/.well-known/openid-configuration",
        endpoints=endpoints if len(endpoints) == len(named) else {},
        signed_userinfo=conf.get("user_info_response_type", "jwt") == "jwt",
    )
