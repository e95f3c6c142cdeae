"""Outside the sandbox, codes go to a gateway."""

from typing import Any, cast

import httpx
import msgspec
import pytest

from janani.esignet.delivery import deliver
from janani.esignet.problems import Refused
from janani.esignet.provider import Provider
from janani.kernel.secrets import write_private
from janani.settings import Esignet, Settings

BOTH = {"email": "k@mothers.example", "phone": "+94771234501"}


def provider(tmp_path: Any, answer: Any, url: str = "https://gateway.example/send") -> Provider:
    settings = Settings(profile="production", home=str(tmp_path), esignet=Esignet(otp_gateway_url=url))
    write_private(settings.secrets / "esignet-otp-gateway-token", b"t0ken")
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    none = cast(Any, None)
    return Provider(settings, none, none, http, none, b"", "")


async def test_each_channel_is_posted_with_the_token(tmp_path: Any) -> None:
    posted: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        posted.append((request.headers["authorization"], msgspec.json.decode(request.content)))
        return httpx.Response(202)

    await deliver(provider(tmp_path, answer), BOTH, "246810 is your code")
    assert sorted(said["channel"] for _, said in posted) == ["email", "phone"]
    assert posted[0] == ("Bearer t0ken", {"channel": "email", "to": BOTH["email"], "text": "246810 is your code"})


async def test_one_channel_that_works_is_enough(tmp_path: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202 if b"phone" in request.content else 500)

    await deliver(provider(tmp_path, answer), BOTH, "246810")


@pytest.mark.parametrize("url", ["https://gateway.example/send", ""])
async def test_nobody_reached_is_said(tmp_path: Any, url: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    with pytest.raises(Refused, match="send_otp_failed"):
        await deliver(provider(tmp_path, answer, url), BOTH, "246810")
