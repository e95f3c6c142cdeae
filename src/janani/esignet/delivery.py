"""How one-time codes reach people: the sandbox's inbox, or a gateway that sends text messages and e-mail.

The gateway is posted `{"channel": "phone" or "email", "to": "…", "text": "…"}` with a bearer token, and answers 2xx.
"""

import asyncio

import httpx

from janani.esignet.problems import Refused
from janani.esignet.provider import SQL, Provider
from janani.kernel.secrets import secret
from janani.kernel.telemetry import log


async def deliver(idp: Provider, addresses: dict[str, str], text: str) -> None:
    """Sends `text` to each address (by channel). Raises Refused `send_otp_failed` when none was reached."""
    if idp.settings.sandbox:
        await SQL.put_messages(
            idp.pool,
            now=idp.now(),
            channels=list(addresses),
            addresses=list(addresses.values()),
            texts=[text] * len(addresses),
        )
        return
    if not idp.options.otp_gateway_url:
        raise Refused("send_otp_failed")
    reached = await asyncio.gather(*(_post(idp, channel, to, text) for channel, to in addresses.items()))
    if not any(reached):
        raise Refused("send_otp_failed")


async def _post(idp: Provider, channel: str, to: str, text: str) -> bool:
    token = secret(idp.settings.secrets, "esignet-otp-gateway-token", create=False)
    try:
        answer = await idp.http.post(
            idp.options.otp_gateway_url,
            json={"channel": channel, "to": to, "text": text},
            headers={"authorization": f"Bearer {token}"},
        )
    except httpx.HTTPError as error:
        log("esignet").warning("otp_gateway_unreachable", error=type(error).__name__)
        return False
    if not answer.is_success:
        log("esignet").warning("otp_gateway_refused", status=answer.status_code)
    return answer.is_success
