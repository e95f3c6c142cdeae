"""The identity provider's application: all its routes, its errors, and what lives as long as it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.di import Provide

from janani import programmes
from janani.esignet import (
    authenticate,
    clients,
    consent,
    consents,
    delivery,
    demo,
    described,
    details,
    discovery,
    identities,
    notices,
    otp,
    page,
    pushed,
    tokens,
    userinfo,
)
from janani.esignet.audit import note_refusal
from janani.esignet.incoming import Http, csrf_answer
from janani.esignet.people_file import load_demo_people
from janani.esignet.problems import EsignetProblem, render, render_unforeseen
from janani.esignet.provider import CODES, SQL, Idp, Provider, open_provider
from janani.kernel import postgres
from janani.kernel.clock import Clock, system_clock
from janani.kernel.http import application
from janani.kernel.http import client as http_client
from janani.kernel.pages import assets
from janani.kernel.secrets import secret
from janani.kernel.telemetry import log, place_of
from janani.settings import Settings

SWEEP_SECONDS = 60
TELL_SECONDS = 5


@get("/v1/esignet/csrf/token")
async def csrf_token(request: Http, idp: Idp) -> Response[dict[str, str]]:
    """The CSRF token, as JSON and as a cookie (reference §1.2)."""
    return csrf_answer(request, secure=idp.issuer.startswith("https://"), readable=idp.old)


HANDLERS = (
    discovery.openid_configuration,
    discovery.oauth_authorization_server,
    discovery.jwks_document,
    csrf_token,
    clients.create_client,
    clients.update_client,
    details.oauth_details_v1,
    details.oauth_details_v2,
    details.oauth_details_v3,
    otp.send_otp,
    authenticate.authenticate_early,
    authenticate.authenticate_v3,
    consent.claim_details,
    consent.auth_code,
    tokens.token,
    userinfo.userinfo,
    identities.create_identity,
    identities.update_identity,
    identities.get_identity,
    consents.consents,
    consents.sign_in,
    consents.callback,
    consents.ask_withdrawal,
    consents.withdraw,
    consents.sign_out,
    page.authorize,
    page.authorize_script,
    page.authorize_style,
)
MAIN_HANDLERS = (pushed.push, pushed.par_oauth_details, clients.patch_client)  # not in release 1.6.1
SANDBOX_HANDLERS = (demo.inbox,)


def create_app(settings: Settings, clock: Clock = system_clock) -> Litestar:
    """The ASGI application. The database is opened (and migrated) and demo data loaded when it starts."""

    @contextlib.asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        pool = await postgres.open_pool(settings.database.dsn, "esignet", max_size=settings.database.pool_connections)
        http = http_client()
        try:
            app.state.idp = open_provider(settings, clock, pool, http)
            if settings.sandbox:
                await load_demo_people(pool, programmes.folder(settings.programme), clock())
                await demo.register_reference_client(app.state.idp)
                secret(settings.secrets, identities.TOKEN_FILE, create=True)
            else:
                await demo.refuse_demo_data(app.state.idp)
            await consents.register_own_client(app.state.idp)
            tasks = [asyncio.create_task(_sweep(app.state.idp)), asyncio.create_task(_tell(app.state.idp))]
            if not settings.sandbox:
                tasks.append(asyncio.create_task(delivery.work(app.state.idp)))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await http.aclose()
            await pool.close()

    old = settings.esignet.generation == "1.6.1"

    def problem(_: Request[Any, Any, Any], error: EsignetProblem) -> Response[Any]:
        return render(error, clock(), old=old)

    def provide_idp() -> Provider:
        provider: Provider = app.state.idp
        return provider

    app = application(
        "esignet",
        [*HANDLERS, *(() if old else MAIN_HANDLERS), *(SANDBOX_HANDLERS if settings.sandbox else ()), assets()],
        render_error=lambda request, status, code, text: render_unforeseen(request, status, code, text, clock()),
        exception_handlers={EsignetProblem: problem},
        after_exception=[note_refusal],
        lifespan=[running],
        dependencies={"idp": Provide(provide_idp, sync_to_thread=False)},
        request_max_body_size=1024 * 1024,
        described=described.table(old=old),
    )
    return app


async def _sweep(idp: Provider) -> None:
    """Deletes what has lapsed, once a minute, for as long as the application runs."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await SQL.sweep(idp.pool, now=idp.now(), inbox_before=idp.now() - timedelta(hours=1))
            if idp.options.audit_days:
                await SQL.prune_audit(idp.pool, before=idp.now() - timedelta(days=idp.options.audit_days))
            await CODES.sweep_strikes(idp.pool, before=idp.now() - timedelta(seconds=idp.options.otp_lock_seconds))
        except Exception as error:  # the database is away, most likely; whatever it was, the next time may do
            log("esignet").warning("sweep_failed", error=type(error).__name__, at=place_of(error))


async def _tell(idp: Provider) -> None:
    """Tells clients of withdrawals whose time has come, every few seconds."""
    while True:
        await asyncio.sleep(TELL_SECONDS)
        try:
            await notices.tell(idp)
        except Exception as error:  # as above
            log("esignet").warning("telling_failed", error=type(error).__name__, at=place_of(error))
