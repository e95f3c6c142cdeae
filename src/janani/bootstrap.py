"""What the parts must know of each other before the first person comes, said over their own wires.

Registers the OIDC clients at eSignet, imports the programme into the registry with the users, OAuth2 client and
Routes it needs, and, in the sandbox, loads the demo district. Every step may run again; nothing runs when
nothing has changed since it last ran whole in this database (`bootstrap.json` in the data folder).
"""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import msgspec
from rich.table import Table

from janani import loading, programmes
from janani.clients.dhis2 import Dhis2Client, Dhis2Error
from janani.kernel import http, i18n
from janani.kernel.clock import system_clock
from janani.kernel.i18n import _
from janani.kernel.ids import uid_of
from janani.kernel.jose import jwks, signing_key
from janani.kernel.secrets import secret
from janani.programmes import Programme
from janani.settings import Settings

RELYING_PARTY = "moh-lk"
_LANGUAGES = {"en": "eng", "si": "sin", "ta": "tam"}  # ours, and as eSignet writes them
ACR_VALUES = ["mosip:idp:acr:generated-code"]
_GIVEN = (("programs", "organisationUnits"), ("userGroups", "users"))  # lists that an administrator fills
_NOT_ADMIN = (
    "The registry at {url} refused the password of its user admin (401). Put the password it has now into "
    "{secrets}/admin-password before you start again: after repeated wrong tries the user is locked for a while."
)

Report = Callable[[str], None]


class BootstrapFailed(Exception):
    """A part did not take what it was told. Its text says which, and its words."""


class GuideRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the welcome table: who may try which address."""

    path: str
    person: str
    national_id: str
    hint: str = msgspec.field(name="try")


async def prepare(settings: Settings, *, demo: bool, report: Report) -> None:
    """Brings the local parts to where people can log in. Raises BootstrapFailed, loading.LoadFailed."""
    state = _State(settings, await database_identity(settings.database.dsn))
    programme = programmes.load(settings.programme)
    async with http.client(timeout=60) as client:
        digest = _digest(settings, programme)
        if state.digest != digest:
            if settings.esignet.here:
                await _register_clients(client, settings)
                report("clients known to eSignet")
            if settings.registry.here:
                await _teach_registry(client, settings, programme)
                report("programme in the registry")
            state.save(digest=digest)
    district = programme.folder / "demo" / "district.json"
    if demo and settings.registry.here and not state.demo_loaded and district.is_file():
        await _load_demo(settings, district)
        report("demo district")
        state.save(demo_loaded=True)


def welcome(settings: Settings) -> Table:
    """The table shown when everything runs: doors, and in the sandbox who can go through them."""
    table = Table(box=None, header_style="bold")
    table.add_column("address", no_wrap=True)
    for name in ("who can log in", "national ID", "to try"):
        table.add_column(name)
    if not settings.sandbox:
        for name in ("midwife", "doctor", "mother"):
            table.add_row(f"{settings.portals.url}/{name}")
        return table
    path = programmes.folder(settings.programme) / "demo" / "guide.yaml"
    rows: list[GuideRow] = programmes.read_yaml(path, list[GuideRow]) if path.is_file() else []
    for row in rows:
        table.add_row(settings.portals.url + row.path, row.person, row.national_id, row.hint)
    table.add_row(f"{settings.registry.url}/api", "admin / district", "", "DHIS2 Web API")
    table.add_row(f"{settings.record.url}/fhir", "", "", "FHIR R4")
    table.caption, table.caption_justify = "One-time code for everybody: 111111", "left"
    return table


class _State:
    """What was done already in which database, as a small file in the data folder.

    A wrong file only means doing it again.
    """

    def __init__(self, settings: Settings, database: str) -> None:
        self.path = settings.folder / "bootstrap.json"
        try:
            known = msgspec.json.decode(self.path.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.DecodeError):
            known = {}
        if known.get("database", database) != database:
            known = {}
        self.database = database
        self.digest: str = known.get("digest", "")
        self.demo_loaded: bool = known.get("demoLoaded", False)

    def save(self, *, digest: str | None = None, demo_loaded: bool | None = None) -> None:
        self.digest = digest or self.digest
        self.demo_loaded = demo_loaded or self.demo_loaded
        part = self.path.with_suffix(".part")
        known = {"database": self.database, "digest": self.digest, "demoLoaded": self.demo_loaded}
        part.write_bytes(msgspec.json.encode(known))
        part.replace(self.path)


async def database_identity(dsn: str) -> str:
    """Which database `dsn` leads to: its server and its oid there, whatever name or address it is reached by."""
    connection = await asyncpg.connect(dsn)
    try:
        oid = await connection.fetchval("select oid from pg_database where datname = current_database()")
        try:
            server = await connection.fetchval("select system_identifier from pg_control_system()")
        except asyncpg.PostgresError:  # not allowed, or no such function, at some hosts
            server = await _drawn_identity(connection)
        return f"{server}/{oid}"
    finally:
        await connection.close()


async def _drawn_identity(connection: asyncpg.Connection) -> str:
    """A random id kept in the database, for servers that don't tell theirs."""
    async with connection.transaction():
        await connection.execute("create schema if not exists bootstrap")
        await connection.execute("create table if not exists bootstrap.identity (id uuid not null)")
        await connection.execute(
            "insert into bootstrap.identity select gen_random_uuid() where not exists (select from bootstrap.identity)"
        )
        return str(await connection.fetchval("select id from bootstrap.identity limit 1"))


def _digest(settings: Settings, programme: Programme) -> str:
    """Changes whenever anything that the bootstrap says would change, secrets too, or whom it says it to."""
    said: list[Any] = []
    if settings.esignet.here:
        said += [settings.esignet.url, _clients(settings)]
    if settings.registry.here:
        package = _package(settings, programme)
        said += [settings.registry.url, package, _installation(settings, programme, package)]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def _clients(settings: Settings) -> list[dict[str, Any]]:
    """The OIDC clients of the ministry at eSignet (docs/plan.md, "eSignet clients")."""

    def client(client_id: str, name: str, redirect_uris: list[str], claims: list[str], key_name: str) -> dict[str, Any]:
        key = signing_key(settings.secrets / key_name, create=settings.sandbox)
        [public] = jwks(key)["keys"]
        return {
            "clientId": client_id,
            "clientName": name,
            "clientNameLangMap": {three: i18n.catalogue(two).gettext(name) for two, three in _LANGUAGES.items()},
            "relyingPartyId": RELYING_PARTY,
            "logoUri": f"{settings.portals.url}/assets/janani.svg",
            "redirectUris": redirect_uris,
            "userClaims": claims,
            "authContextRefs": ACR_VALUES,
            "publicKey": public,
            "grantTypes": ["authorization_code"],
            "clientAuthMethods": ["private_key_jwt"],
        }

    midwife = f"{settings.portals.url}/midwife/identity/callback"
    person = ["name", "birthdate", "gender", "phone_number", "address", "individual_id"]
    return [
        client(
            settings.registry.client_id,
            _("The midwives' register"),
            [f"{settings.registry.url}/oauth2/code/esignet"],
            ["name", "email"],
            "registry.pem",
        ),
        client(
            settings.record.client_id,
            _("The health record"),
            [f"{settings.record.url}/auth/callback"],
            ["name", "email"],
            "record.pem",
        ),
        client(
            settings.relying.client_id,
            _("The antenatal clinic"),
            sorted({midwife, f"{settings.relying.url}/phone/callback", *settings.relying.redirect_uris}),
            person,
            "relying.pem",
        ),
    ]


def _routes(settings: Settings, programme: Programme) -> list[dict[str, Any]]:
    """The registry's Routes to the relying party and the PHN authority."""

    def route(code: str, name: str, url: str, token: str) -> dict[str, Any]:
        return {
            "id": uid_of(f"route/{code}"),
            "code": code,
            "name": name,
            "url": url,
            "disabled": False,
            "headers": {"Content-Type": "application/json"},
            "auth": {"type": "api-token", "token": secret(settings.secrets, token, create=settings.sandbox)},
            "authorities": ["F_VERIFY_IDENTITY"],
            "responseTimeoutSeconds": 20,
        }

    services = {
        "identity": ("Relying party service", f"{settings.relying.url}/fetchUserInfo", "relying-token"),
        "authorization": ("Identity authorization", f"{settings.relying.url}/authorizations", "relying-token"),
        "verifications": ("Identity on her own phone", f"{settings.relying.url}/verifications/**", "relying-token"),
        "offline": ("Identity by a card, offline", f"{settings.relying.url}/offline", "relying-token"),
        "phn": ("PHN service", f"{settings.phn.url}/fhir/**", "phn-token"),
    }
    for role in programme.registry.routes:
        if role not in services:
            raise BootstrapFailed(f"programme.yaml: registry.routes has {role!r}; {programmes.nearest(role, services)}")
    return [route(code, *services[role]) for role, code in programme.registry.routes.items()]


async def _register_clients(http_client: httpx.AsyncClient, settings: Settings) -> None:
    """Creates or updates each client (eSignet client management, `/client-mgmt/client`)."""
    base = f"{settings.esignet.url}/v1/esignet/client-mgmt/client"
    token = secret(settings.secrets, "esignet-clients-token", create=settings.sandbox)
    headers = {"Authorization": f"Bearer {token}"}
    for client in _clients(settings):
        body = {"requestTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"), "request": client}
        try:
            answer = await http_client.post(base, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise BootstrapFailed(f"eSignet at {base} can't be reached ({type(error).__name__}).") from error
        if _esignet_errors(answer) == ["duplicate_client_id"]:
            fixed = ("clientId", "publicKey", "relyingPartyId")
            body["request"] = {key: value for key, value in client.items() if key not in fixed} | {"status": "ACTIVE"}
            answer = await http_client.put(f"{base}/{client['clientId']}", json=body, headers=headers)
        if answer.status_code >= 400 or (faults := _esignet_errors(answer)):
            faults = _esignet_errors(answer)
            raise BootstrapFailed(f"eSignet did not take client {client['clientId']}: {answer.status_code} {faults}")


def _esignet_errors(answer: httpx.Response) -> list[str]:
    try:
        return [error["errorCode"] for error in answer.json().get("errors") or []]
    except ValueError:
        return []


async def _teach_registry(http_client: httpx.AsyncClient, settings: Settings, programme: Programme) -> None:
    """Imports the programme's package, then what depends on this installation's URLs and secrets."""
    registry = Dhis2Client(http_client, settings.registry.url, basic=loading.registry_admin(settings))
    package = _package(settings, programme)
    try:
        for kind in [name for name, value in package.items() if isinstance(value, list)]:
            members = "".join(f",{member}[id]" for owner, member in _GIVEN if owner == kind)
            known = {one["id"]: one for one in await registry.metadata(kind, fields=f"id,sharing{members}")}
            package[kind] = [_kept(kind, one, known.get(one["id"], {})) for one in package[kind]]
        await registry.import_metadata(package)
        await registry.import_metadata(_installation(settings, programme, package))
    except Dhis2Error as error:
        if error.status == 401:
            raise BootstrapFailed(_NOT_ADMIN.format(url=settings.registry.url, secrets=settings.secrets)) from error
        raise BootstrapFailed(f"The registry did not take the programme {programme.name}: {error}") from error


def _package(settings: Settings, programme: Programme) -> dict[str, Any]:
    """The programme's metadata, with its people in the sandbox only."""
    package = msgspec.json.decode((programme.folder / programme.registry.metadata).read_bytes(), type=dict[str, Any])
    if not settings.sandbox:
        package.pop("users", None)  # the demo's; a ministry has its own
        package["userGroups"] = [group | {"users": []} for group in package.get("userGroups", [])]
    return package


def _kept(kind: str, one: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """`one` with what an administrator has added to it in the registry since (`known`): an import replaces objects."""
    for owner, member in _GIVEN:
        if owner == kind and known.get(member):
            uids = dict.fromkeys(each["id"] for each in [*one.get(member, []), *known[member]])
            one = one | {member: [{"id": each} for each in uids]}
    if before := known.get("sharing"):
        sent = one.get("sharing") or {}
        both = {name: (sent.get(name) or {}) | (before.get(name) or {}) for name in ("users", "userGroups")}
        one = one | {"sharing": sent | before | both}
    return one


def _installation(settings: Settings, programme: Programme, package: dict[str, Any]) -> dict[str, Any]:
    """The sync's user, the midwife portal's OAuth2 client and the Routes."""
    root = next(unit["id"] for unit in package["organisationUnits"] if "parent" not in unit)
    role = next(role["id"] for role in package["userRoles"] if role["code"] == "SYNC")
    group = next(group["id"] for group in package["userGroups"] if group["code"] == "SYNC")
    sync_user = {
        "id": uid_of("user/sync"),
        "username": settings.sync.registry_username,
        "firstName": "Sync",
        "surname": "Agent",
        "password": secret(settings.secrets, "sync-password", create=settings.sandbox),
        "userRoles": [{"id": role}],
        "userGroups": [{"id": group}],
        "organisationUnits": [{"id": root}],  # it writes what the record says, wherever a woman is in care
        "dataViewOrganisationUnits": [{"id": root}],
        "teiSearchOrganisationUnits": [{"id": root}],
    }
    portal = {
        "id": uid_of("oauth2client/midwife-portal"),
        "name": "Midwife portal",
        "clientId": settings.portals.registry_client_id,
        "clientAuthenticationMethods": "none",
        "authorizationGrantTypes": "authorization_code,refresh_token",
        "redirectUris": f"{settings.portals.url}/midwife/callback",
        "scopes": "openid",
    }
    operations = portal | {
        "id": uid_of("oauth2client/sync-operations"),
        "name": "Operations page of the sync",
        "clientId": settings.sync.staff_client_id,
        "authorizationGrantTypes": "authorization_code",
        "redirectUris": f"{settings.sync.url}/callback",
    }
    operators = {
        "id": uid_of("role/sync-operations"),
        "code": "SYNC_OPERATIONS",
        "name": "Sync operations",
        "authorities": ["F_SYNC_OPERATIONS"],
    }
    return {
        "userRoles": [operators],
        "users": [sync_user],
        "oAuth2Clients": [portal, operations],
        "routes": _routes(settings, programme),
    }


async def _load_demo(settings: Settings, district: Path) -> None:
    payload = await asyncio.to_thread(loading.read, district)
    today = system_clock().astimezone(ZoneInfo(settings.portals.time_zone)).date()
    await loading.send(settings, loading.people_of(payload, today), lambda _: None)
