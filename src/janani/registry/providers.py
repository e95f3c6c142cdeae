"""Identity providers by the keys DHIS2 uses (`oidc.provider.<id>.*` of dhis.conf), or from our settings.

A `dhis.conf` in the data folder wins, so that one file serves this registry and a real DHIS2.
"""

import httpx
from joserfc.jwk import RSAKey
from msgspec import Struct

from janani.clients import oidc
from janani.settings import Settings

_PREFIX = "oidc.provider."


class ProviderSettings(Struct):
    """One provider. `client_id`, `mapping_claim` and the endpoints mean what DHIS2's keys of these names mean."""

    id: str
    client_id: str
    mapping_claim: str
    redirect_url: str
    display_alias: str
    scopes: str
    discovery: str
    endpoints: dict[str, str]
    signed_userinfo: bool = True
    known: oidc.Provider | None = None

    async def provider(self, http: httpx.AsyncClient) -> oidc.Provider:
        """The provider's endpoints: as configured, else discovered once. Raises OidcError."""
        if self.known is None:
            if self.endpoints:
                self.known = oidc.Provider(
                    issuer=self.endpoints["issuer_uri"],
                    authorization_endpoint=self.endpoints["authorization_uri"],
                    token_endpoint=self.endpoints["token_uri"],
                    userinfo_endpoint=self.endpoints["user_info_uri"],
                    jwks_uri=self.endpoints["jwk_uri"],
                )
            else:
                self.known = await oidc.discover(http, self.discovery)
        return self.known

    def client(self, key: RSAKey) -> oidc.Client:
        """This registry as a client of the provider: asks for the mapping claim and the name."""
        essential = [] if self.mapping_claim == "sub" else [self.mapping_claim]
        return oidc.Client(
            client_id=self.client_id,
            key=key,
            redirect_uri=self.redirect_url,
            scope=self.scopes,
            claims=oidc.requested(essential, ["name"]),
            signed_userinfo=self.signed_userinfo,
        )


def providers(settings: Settings) -> dict[str, ProviderSettings]:
    """The providers people may sign in with, by id. There is always `esignet`."""
    conf = settings.folder / "dhis.conf"
    keys = read_conf(conf.read_text()) if conf.exists() else {}
    return {"esignet": _esignet(settings, {k.removeprefix(f"{_PREFIX}esignet."): v for k, v in keys.items()})}


def read_conf(text: str) -> dict[str, str]:
    """The `key = value` lines of a dhis.conf."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


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
