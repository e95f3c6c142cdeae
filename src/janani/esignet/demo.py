"""What only the sandbox has: the reference's demo client, and the inbox of codes that would have been sent."""

from litestar import Response, get

from janani.esignet.clients import Registration, key_hash, stored
from janani.esignet.incoming import Http
from janani.esignet.page import TEMPLATES, speak
from janani.esignet.provider import SQL, Idp, Provider
from janani.kernel.jose import signing_key
from janani.kernel.pages import page
from janani.kernel.postgres import json_of
from janani.kernel.problems import RefusesToStart

# The client of the DHIS2 and MOSIP reference integration (reference §2.6), with a key pair of our own.
REFERENCE_CLIENT = Registration(
    client_id="IIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArLeYj",
    client_name="DHIS2",
    relying_party_id="dhis2",
    user_claims=["name", "email", "gender", "phone_number", "picture", "birthdate", "address"],
    auth_context_refs=[
        "mosip:idp:acr:generated-code",
        "mosip:idp:acr:password",
        "mosip:idp:acr:linked-wallet",
    ],
    logo_uri="http://localhost:8080/favicon.ico",
    redirect_uris=[f"http://localhost:{port}/**" for port in (9090, 8080, 5000, 4000, 3000)],
    additional_config={
        "userinfo_response_type": "JWS",
        "purpose": {"type": "verify"},
        "signup_banner_required": True,
        "forgot_pwd_link_required": True,
        "consent_expire_in_mins": 20,
    },
)
REFERENCE_KEY = "esignet-demo-client.pem"


class DemoData(RefusesToStart):
    """The database of a sandbox was given to production. Its text says what to do."""


async def refuse_demo_data(idp: Provider) -> None:
    """Raises DemoData when the database holds demo people, the reference's client, or messages of the inbox."""
    if await SQL.has_demo_data(idp.pool, client_id=REFERENCE_CLIENT.client_id):
        raise DemoData(
            "The identity provider's database has the sandbox's demo people or client. "
            "Production needs a database of its own: set database.dsn to an empty one."
        )


async def register_reference_client(idp: Provider) -> None:
    """Registers the reference's client. Its private key is `secrets/esignet-demo-client.pem`.

    Its assertions carry no `kid`, so neither does the registered key.
    """
    key = signing_key(idp.settings.secrets / REFERENCE_KEY, create=True)
    jwk = {
        name: value
        for name, value in key.as_dict(private=False).items()
        if name in ("kty", "n", "e", "kid", "x5t#S256")
    }
    await SQL.put_demo_client(
        idp.pool,
        **stored(REFERENCE_CLIENT),
        client_id=REFERENCE_CLIENT.client_id,
        relying_party_id=REFERENCE_CLIENT.relying_party_id,
        public_key=json_of(jwk),
        public_key_hash=key_hash(jwk),
        now=idp.now(),
    )


@get("/sandbox/inbox")
async def inbox(request: Http, idp: Idp) -> Response[str]:
    """The messages of the last hour, newest first. The route exists in the sandbox only."""
    speak(request)
    messages = [dict(row) async for row in SQL.inbox(idp.pool)]
    return page(TEMPLATES, "inbox.html", messages=messages)
