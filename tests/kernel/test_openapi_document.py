"""A table laid over the document that Litestar makes."""

from litestar import Litestar, Request, get, post
from litestar.params import FromQuery
from msgspec import Struct

from janani.kernel.http import application
from janani.kernel.openapi import Answer, Described, Operation


class Asked(Struct, forbid_unknown_fields=True):
    """What is asked."""

    name: str | None = None


class Told(Struct):
    """What is told."""

    words: list[str]


@post("/say", status_code=200)
async def say(request: Request) -> None:  # type: ignore[type-arg]
    """Says it."""


@get("/plain")
async def plain(number: FromQuery[int]) -> dict[str, int]:
    """Needs no table."""
    return {}


def document(table: Described) -> dict:  # type: ignore[type-arg]
    app: Litestar = application("test", [say, plain], render_error=lambda *_: None, described=table)  # type: ignore
    return app.openapi_schema.to_schema()


TABLE = Described(
    {
        "POST /say": Operation(
            {
                200: (Answer("Said.", Told), Answer("Written.", str, "text/plain")),
                401: (Answer("Who are you?", headers={"WWW-Authenticate": "how"}),),
            },
            body=Asked,
            needs={"X-Who": ("header", "who asks")},
            security="door",
        ),
        "PUT /of/another/generation": Operation({200: (Answer("Never.", Asked),)}),
    },
    required={"Asked": ("name",)},
    security={"door": {"type": "http", "scheme": "bearer"}},
)


def test_bodies_answers_and_needs_stand_in_the_document() -> None:
    made = document(TABLE)
    operation = made["paths"]["/say"]["post"]
    schema = {"$ref": "#/components/schemas/Asked"}
    assert operation["requestBody"] == {"required": True, "content": {"application/json": {"schema": schema}}}
    assert operation["summary"] == "Say"
    assert [one["name"] for one in operation["parameters"]] == ["X-Who"]
    assert operation["responses"]["200"]["content"]["text/plain"] == {"schema": {"type": "string"}}
    assert operation["responses"]["401"]["headers"]["WWW-Authenticate"]["description"] == "how"
    assert "content" not in operation["responses"]["401"]
    asked = made["components"]["schemas"]["Asked"]
    assert asked["required"] == ["name"]
    assert asked["additionalProperties"] is False
    assert operation["security"] == [{"door": []}]
    assert made["components"]["securitySchemes"]["door"]["scheme"] == "bearer"


def test_what_the_table_does_not_name_stays_as_litestar_has_it() -> None:
    operation = document(TABLE)["paths"]["/plain"]["get"]
    assert operation == document(Described({}))["paths"]["/plain"]["get"]
    assert "/of/another/generation" not in document(TABLE)["paths"]
