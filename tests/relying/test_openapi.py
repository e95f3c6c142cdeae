"""What the relying party's OpenAPI document says may be asked, schemathesis asks; it answers as the document says.

502 and 503 with a code of its error family say that the provider refuses or is away, as they should.
"""

import asyncio
from collections.abc import Mapping

import requests
import schemathesis

from janani.relying.app import create_app
from janani.relying.described import table
from janani.relying.problems import CARD_STATUSES, STATUSES
from janani.settings import Settings
from relying_world import World
from schemas import ask_everything


async def test_whatever_the_document_allows_is_answered(world: World) -> None:
    """With the Route's token, or it gets no further than the door. The provider is there, but has no code to redeem."""
    document = (await world.route.get("/openapi/openapi.json")).json()
    headers = {name: world.route.headers[name] for name in ("authorization", "x-forwarded-user")}

    def dress(_case: schemathesis.Case) -> Mapping[str, str]:
        return headers

    url = str(world.route.base_url).rstrip("/")

    def of_the_family(answer: requests.Response) -> bool:
        return answer.status_code in (502, 503) and answer.json()["error"] in {**STATUSES, **CARD_STATUSES}

    fell = await asyncio.to_thread(ask_everything, document, url, dress, examples=8, meant=of_the_family)
    assert fell == []


def test_every_operation_is_described() -> None:
    paths = create_app(Settings()).openapi_schema.to_schema()["paths"]
    assert {f"{method.upper()} {path}" for path, found in paths.items() for method in found} == set(table().operations)
