"""The `oidc.provider.<id>.*` keys of a `dhis.conf`, so that one file serves DHIS2 and every part of ours.

DHIS2 skips a whole provider silently when it meets a key it does not know; here that is a fault with line and nearest
word. Meanings: reference, esignet.md §11.7.
"""

import difflib
import re
from pathlib import Path

from msgspec import Struct

from janani.kernel.problems import RefusesToStart

_PREFIX = "oidc.provider."
_ENDPOINTS = ("issuer_uri", "authorization_uri", "token_uri", "user_info_uri", "jwk_uri")
_KEYS = (
    *_ENDPOINTS,
    *("client_id", "client_secret", "mapping_claim", "display_alias", "login_image", "login_image_padding", "scopes"),
    *("redirect_url", "enable_pkce", "enable_logout", "end_session_endpoint", "extra_request_parameters"),
    *("client_authentication_method", "keystore_path", "keystore_password", "key_alias", "key_password"),
    *("jwk_set_url", "user_info_response_type", "user_info_jws_algorithm"),
)
_EXTERNAL = re.compile(r"ext_client\.\d+\.\w+")  # further apps that may present tokens to DHIS2: nothing for a client


class InvalidConf(RefusesToStart):
    """A line of a dhis.conf about OpenID providers is wrong. Its text is `file:line  what, and what was expected`."""


class ConfProvider(Struct, frozen=True):
    """One provider, its values as written; absent keys are empty."""

    id: str
    values: dict[str, str]

    def __getitem__(self, key: str) -> str:
        return self.values.get(key, "")

    @property
    def endpoints(self) -> dict[str, str]:
        """Issuer and addresses, when all are there; else empty, and discovery has to find them."""
        found = {name: self.values[name] for name in _ENDPOINTS if self[name]}
        return found if len(found) == len(_ENDPOINTS) else {}

    @property
    def scope(self) -> str:
        """The scopes, `openid` first."""
        return " ".join(dict.fromkeys(["openid", *self["scopes"].split()]))

    @property
    def extra(self) -> dict[str, str]:
        """`extra_request_parameters`: `name value` pairs between commas."""
        pairs = (pair.split(maxsplit=1) for pair in self["extra_request_parameters"].split(","))
        return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}

    @property
    def signed_userinfo(self) -> bool:
        """Whether userinfo comes as a signed JWT; eSignet knows nothing else, DHIS2's default is `json`."""
        return self["user_info_response_type"].lower() != "json"


def read(path: Path) -> dict[str, ConfProvider]:
    """The providers of the dhis.conf at `path`, by id; none when there is no such file. Raises InvalidConf."""
    if not path.exists():
        return {}
    found: dict[str, dict[str, str]] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        key, equals, value = line.partition("=")
        if not equals or line.lstrip().startswith("#") or not key.strip().startswith(_PREFIX):
            continue
        provider, _dot, name = key.strip().removeprefix(_PREFIX).partition(".")
        if name not in _KEYS and not _EXTERNAL.fullmatch(name):
            close = difflib.get_close_matches(name, _KEYS, n=1)
            meant = f"did you mean {close[0]!r}?" if close else f"expected one of: {', '.join(_KEYS)}"
            raise InvalidConf(f"{path}:{number}  DHIS2 knows no key {name!r} and would skip the provider; {meant}")
        found.setdefault(provider, {})[name] = value.strip()
    return {provider: ConfProvider(provider, values) for provider, values in found.items()}
