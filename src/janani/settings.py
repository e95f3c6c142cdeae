"""Every setting of every part, with its default, unit and meaning, in one place.

Read once at start from a TOML file and from environment variables, then passed in:

    [record]                          JANANI_RECORD__AUTHORIZATION=open
    authorization = "open"

A part's own section says where it listens and where others reach it (`url`). A part with `here = false`
is not started: `url` then names the real product that stands in its place.
`docs/reference/settings.md` is made from this module.
"""

import os
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct, field


class InvalidSettings(Exception):
    """A setting is unknown, of the wrong type or not allowed in this profile. Its text is one line a mistake."""


def _says(text: str) -> Meta:
    return Meta(description=text)


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the settings; unknown keys are refused."""


class Database(Section, frozen=True):
    """PostgreSQL, shared by the parts; each owns one schema."""

    dsn: Annotated[str, _says("Connection string of an existing PostgreSQL 15+; empty: the embedded server.")] = ""
    pool_connections: Annotated[int, _says("Connections a part may open.")] = 6


class Telemetry(Section, frozen=True):
    """What is told to the outside about how it runs; never a person's data."""

    otlp_endpoint: Annotated[
        str,
        _says("OpenTelemetry collector that spans are sent to (OTLP/HTTP, JSON), without `/v1/traces`; empty: none."),
    ] = ""


class Part(Section, frozen=True):
    """What every part has."""

    here: Annotated[bool, _says("Start this part; false when `url` names a product that stands in its place.")] = True
    host: Annotated[str, _says("Address it listens on.")] = "127.0.0.1"


class Esignet(Part, frozen=True):
    """Identity provider on eSignet's API."""

    port: Annotated[int, _says("Port it listens on.")] = 8088
    url: Annotated[str, _says("Where others reach it; its API is below `/v1/esignet`.")] = "http://localhost:8088"
    authorize_url: Annotated[str, _says("Its sign-in page; empty: `{url}/authorize`.")] = ""
    smtp_url: Annotated[
        str,
        _says("Mail server for codes: `smtp://user@host:587` (STARTTLS) or `smtps://…`; the sandbox has its inbox."),
    ] = ""
    smtp_from: Annotated[str, _says("Sender of its e-mails.")] = ""
    sms_url: Annotated[str, _says("Where codes are posted for delivery as text messages.")] = ""
    sms_type: Annotated[Literal["json", "form"], _says("What is posted there.")] = "json"
    sms_body: Annotated[str, _says("The body; `{to}` and `{text}` are filled in, escaped.")] = (
        '{"to": "{to}", "text": "{text}"}'
    )
    sms_header: Annotated[str, _says("A header for it; `{secret}` is the content of `secrets/esignet-sms`.")] = (
        "Authorization: Bearer {secret}"
    )
    otp_length: Annotated[int, _says("Digits of a one-time code.")] = 6
    otp_seconds: Annotated[int, _says("How long a one-time code may be entered (s).")] = 180
    otp_attempts: Annotated[int, _says("Wrong codes before a person is locked for `otp_lock_seconds`.")] = 5
    otp_lock_seconds: Annotated[int, _says("How long a person stays locked, and what is counted counts (s).")] = 900
    otp_sends: Annotated[int, _says("Codes sent to a person and not used, in that time, before no more are sent.")] = 10
    otp_source_tries: Annotated[
        int,
        _says("Unused and wrong codes and unknown numbers of one source address, in that time, before it is refused."),
    ] = 100
    transaction_seconds: Annotated[int, _says("How long a person may take to sign in (s).")] = 600
    wildcard_redirects: Annotated[bool, _says("Allow `**` in registered redirect URIs (sandbox only).")] = True
    generation: Annotated[
        Literal["main", "1.6.1"], _says("The eSignet it behaves as where they differ: its main line, or release 1.6.1.")
    ] = "main"
    signing_algorithm: Annotated[Literal["RS256", "PS256"], _says("How its tokens are signed.")] = "RS256"
    dpop_nonce: Annotated[bool, _says("DPoP proofs must carry the server's nonce.")] = True
    audit_days: Annotated[int, _says("How long the audit trail is kept (days); 0: for ever.")] = 730


class Relying(Part, frozen=True):
    """The back-channel of "Verify with National ID"."""

    port: Annotated[int, _says("Port it listens on.")] = 8090
    url: Annotated[str, _says("Where others reach it.")] = "http://localhost:8090"
    client_id: Annotated[str, _says("Its client id at eSignet.")] = "janani-verify"
    redirect_uris: Annotated[
        list[str], _says("Pages that may receive a code, the default first; empty: the midwife portal's.")
    ] = field(default_factory=list)


class Registry(Part, frozen=True):
    """Tracker and metadata server on the DHIS2 Web API."""

    port: Annotated[int, _says("Port it listens on.")] = 8080
    url: Annotated[str, _says("Where others reach it; its API is below `/api`.")] = "http://localhost:8080"
    client_id: Annotated[str, _says("Its client id at eSignet (oidc.provider.esignet.client_id).")] = "janani-registry"
    mapping_claim: Annotated[str, _says("Claim matched with a user's openId.")] = "email"
    session_seconds: Annotated[int, _says("How long an idle login lasts (s).")] = 3600
    route_hosts: Annotated[
        list[str],
        _says("Hosts that Routes may call besides `relying.url` and `phn.url` (route.remote_servers_allowed)."),
    ] = field(default_factory=lambda: ["https://*"])
    time_zone: Annotated[str, _says("Zone of its times without offset (serverTimeZoneId).")] = "Asia/Colombo"
    feed_days: Annotated[int, _says("How long its change feed keeps changes (days); older readers read all anew.")] = 30


class Phn(Part, frozen=True):
    """Authority for Patient Health Numbers."""

    port: Annotated[int, _says("Port it listens on.")] = 8091
    url: Annotated[str, _says("Where others reach it; its FHIR API is below `/fhir`.")] = "http://localhost:8091"
    issue_version: Annotated[Literal[1, 2], _says("National PHN format that is issued.")] = 2
    accepted_versions: Annotated[list[int], _says("Formats recognised without a warning.")] = field(
        default_factory=lambda: [1, 2]
    )
    point_of_issue: Annotated[str, _says("Code of the point of issue: 4 digits (1) or 8 characters (2).")] = "JANANI22"


class Target(Section, frozen=True):
    """A FHIR R4 server that the sync writes to. What proves who it is stands in `secrets/sync-target-NAME`."""

    name: Annotated[str, _says("Its name in the queue, pages and commands; another name is another server.")]
    url: Annotated[str, _says("Its FHIR base, for example `https://hapi.example/fhir`.")]
    authorization: Annotated[
        Literal["none", "basic", "bearer", "smart"],
        _says("`smart`: Backend Services with `sync.pem`; `basic`, `bearer`: the secret is the password or token."),
    ] = "smart"
    client_id: Annotated[str, _says("Client id (`smart`) or user name (`basic`).")] = "janani-sync"


class Sync(Part, frozen=True):
    """Carries changes from the registry to the record."""

    port: Annotated[int, _says("Port of its operations page and metrics.")] = 8092
    url: Annotated[str, _says("Where others reach it.")] = "http://localhost:8092"
    registry_username: Annotated[str, _says("User of the registry it reads as.")] = "sync"
    client_id: Annotated[str, _says("Its client id at the record.")] = "janani-sync"
    staff_client_id: Annotated[str, _says("Client id of its operations page at the registry's login.")] = "janani-sync"
    feed: Annotated[
        Literal["auto", "changes", "poll", "cdc"],
        _says("How it learns of changes; `auto`: the change feed, else by polling; `cdc`: DHIS2's database log."),
    ] = "auto"
    cdc_publication: Annotated[str, _says("Publication in DHIS2's database (`secrets/sync-cdc-dsn`).")] = "janani"
    cdc_slot: Annotated[str, _says("Replication slot there, made by the sync.")] = "janani"
    cdc_seconds: Annotated[float, _says("Pause between looks at the log (s).")] = 0.2
    cdc_max_lag_megabytes: Annotated[
        int, _says("Log the slot may hold back before it is given up and everybody is read once (MB).")
    ] = 1024
    poll_overlap_seconds: Annotated[int, _says("How far each poll looks back, for changes that show late (s).")] = 120
    org_units: Annotated[list[str], _says("Units (UIDs): only who belongs to these or below is synced; none: all.")] = (
        field(default_factory=list)
    )
    poll_seconds: Annotated[int, _says("Pause between polls of a registry without a change feed (s).")] = 10
    workers: Annotated[int, _says("Transactions on their way to one target at the same time.")] = 4
    together: Annotated[int, _says("People in one transaction at most, when many wait.")] = 8
    attempts: Annotated[int, _says("Tries of one delivery that the record refuses before it is set aside.")] = 8
    targets: Annotated[
        list[Target], _says("Servers it writes to, as `[[sync.targets]]` tables in the file; empty: the record.")
    ] = []


class Record(Part, frozen=True):
    """The shared health record: FHIR R4 with the NEHR profiles."""

    port: Annotated[int, _says("Port it listens on.")] = 8081
    url: Annotated[str, _says("Where others reach it; its FHIR API is below `/fhir`.")] = "http://localhost:8081"
    authorization: Annotated[Literal["smart", "open"], _says("Who may call; `open` in the sandbox only.")] = "smart"
    client_id: Annotated[str, _says("Its client id at eSignet, for signing people in.")] = "janani-record"
    staff_claim: Annotated[str, _says("Claim matched with a staff member of the programme.")] = "email"
    validation: Annotated[Literal["profiles", "base"], _says("What is checked on every write.")] = "profiles"
    token_seconds: Annotated[int, _says("Life of an access token (s).")] = 900


class Portals(Part, frozen=True):
    """Pages for midwife, doctor and mother."""

    port: Annotated[int, _says("Port they listen on.")] = 8000
    url: Annotated[str, _says("Where people reach them.")] = "http://localhost:8000"
    registry_client_id: Annotated[str, _says("Client id of the midwife portal at the registry.")] = "midwife-portal"
    record_client_id: Annotated[str, _says("Client id of the doctor and mother portals at the record.")] = "portals"
    session_seconds: Annotated[int, _says("How long an idle login lasts (s).")] = 3600
    time_zone: Annotated[str, _says("Zone in which dates and times are shown.")] = "Asia/Colombo"


class Settings(Section, frozen=True):
    """All settings."""

    profile: Annotated[
        Literal["sandbox", "production"], _says("`sandbox`: loopback, demo people and OTP 111111; or `production`.")
    ] = "sandbox"
    home: Annotated[str, _says("Data folder (JANANI_HOME).")] = ""
    programme: Annotated[str, _says("A programme of the package, or the path of a folder (with a slash).")] = "anc_lk"
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _says("Least severe log line shown.")] = "INFO"
    database: Database = Database()
    telemetry: Telemetry = Telemetry()
    esignet: Esignet = Esignet()
    relying: Relying = Relying()
    registry: Registry = Registry()
    phn: Phn = Phn()
    sync: Sync = Sync()
    record: Record = Record()
    portals: Portals = Portals()

    @property
    def sandbox(self) -> bool:
        """Whether demo credentials may exist."""
        return self.profile == "sandbox"

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.home)

    @property
    def secrets(self) -> Path:
        """The folder of keys and secrets."""
        return self.folder / "secrets"


PARTS = ("esignet", "relying", "registry", "phn", "record", "sync", "portals")
_LISTS = ("route_hosts", "accepted_versions", "redirect_uris", "org_units")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def load(file: Path | None = None, environ: dict[str, str] | None = None) -> Settings:
    """The settings from `file` (default: `$JANANI_HOME/janani.toml` when there), overridden by the environment.

    Raises InvalidSettings with one line a mistake.
    """
    env = dict(os.environ if environ is None else environ)
    home = Path(env.get("JANANI_HOME") or _default_home(env)).expanduser().resolve()
    file = file or (home / "janani.toml")
    values: dict[str, Any] = {"home": str(home)}
    if file.exists():
        try:
            values |= tomllib.loads(file.read_text())
        except tomllib.TOMLDecodeError as error:
            raise InvalidSettings(f"{file}: {error}") from error
    for name, text in env.items():
        if name.startswith("JANANI_") and name != "JANANI_HOME":
            _put(values, name.removeprefix("JANANI_").lower().split("__"), text)
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"{file} or JANANI_… in the environment: {error}") from error
    _check(settings)
    return settings


def _default_home(env: dict[str, str]) -> str:
    return (env.get("XDG_DATA_HOME") or "~/.local/share") + "/janani"


def _put(values: dict[str, Any], path: list[str], text: str) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    values[path[-1]] = text.split(",") if path[-1] in _LISTS else text


def _check(settings: Settings) -> None:
    """Refuses what the profile does not allow (README, "Profiles")."""
    faults = []
    parts: list[tuple[str, Any]] = [(name, getattr(settings, name)) for name in PARTS]
    if settings.sandbox:
        faults += [
            f"{name}.host = {part.host}: the sandbox listens on loopback only, because it has demo people."
            for name, part in parts
            if part.here and part.host not in _LOOPBACK
        ]
    else:
        faults += [
            f"{name}.url = {part.url}: production needs https."
            for name, part in parts
            if name in _addressed(settings) and not part.url.startswith("https://")
        ]
        if settings.record.here and settings.record.authorization == "open":
            faults.append("record.authorization = open is for the sandbox only.")
        if settings.esignet.here and settings.esignet.wildcard_redirects:
            faults.append("esignet.wildcard_redirects = true is for the sandbox only.")
        faults += _gateway_faults(settings.esignet)
    if not 4 <= settings.esignet.otp_length <= 10:
        faults.append(f"esignet.otp_length = {settings.esignet.otp_length}: 4 to 10 digits.")
    faults += _zone_faults("registry", settings.registry.time_zone) + _zone_faults(
        "portals", settings.portals.time_zone
    )
    faults += _target_faults(settings)
    if settings.phn.here:
        faults += _point_of_issue_faults(settings.phn)
    if faults:
        raise InvalidSettings("\n".join(faults))


def _addressed(settings: Settings) -> Collection[str]:
    """The parts whose URL is used. The sync alone calls the registry and its targets; any other leads to all."""
    if any(getattr(settings, name).here for name in PARTS if name != "sync"):
        return PARTS
    return ("sync", "registry", *(() if settings.sync.targets else ("record",)))


def _gateway_faults(esignet: Esignet) -> list[str]:
    faults = []
    smtp = urlsplit(esignet.smtp_url)
    if esignet.smtp_url and (smtp.scheme not in ("smtp", "smtps") or not smtp.hostname or smtp.password):
        faults.append("esignet.smtp_url: smtp://user@host:587 or smtps://user@host:465, the password in a file.")
    if esignet.smtp_url and "@" not in esignet.smtp_from:
        faults.append("esignet.smtp_from is missing: the address that e-mails come from.")
    sms = urlsplit(esignet.sms_url)
    if esignet.sms_url and sms.scheme != "https" and sms.hostname not in _LOOPBACK:
        faults.append(f"esignet.sms_url = {esignet.sms_url}: production needs https.")
    missing = [name for name in ("{to}", "{text}") if name not in esignet.sms_body]
    return faults + [f"esignet.sms_body lacks {name}." for name in missing if esignet.sms_url]


def _zone_faults(part: str, name: str) -> list[str]:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name, a folder of names
        return [f"{part}.time_zone = {name!r} is not known; write it like Asia/Colombo."]
    return []


def _target_faults(settings: Settings) -> list[str]:
    names = [target.name for target in settings.sync.targets]
    faults = [
        f"sync.targets: two are named {name!r}." for name in sorted({one for one in names if names.count(one) > 1})
    ]
    faults += [
        f"sync.targets.name = {name!r}: letters a-z, digits and - only."
        for name in names
        if not re.fullmatch(r"[a-z0-9-]{1,40}", name)
    ]
    if not settings.sandbox:
        faults += [
            f"sync.targets.{target.name}.url = {target.url}: production needs https."
            for target in settings.sync.targets
            if not target.url.startswith("https://")
        ]
    return faults


def _point_of_issue_faults(phn: Phn) -> list[str]:
    wanted = "4 digits" if phn.issue_version == 1 else "8 capital letters and digits"
    layout = r"\d{4}" if phn.issue_version == 1 else r"[A-Z0-9]{8}"
    if re.fullmatch(layout, phn.point_of_issue, re.ASCII):
        return []
    return [f"phn.point_of_issue = {phn.point_of_issue!r}: version {phn.issue_version} numbers need {wanted}."]
