"""What is logged of a bug: its place, and nothing of the person it happened with."""

import httpx
from litestar import Response, get
from litestar.params import FromPath
from structlog.testing import capture_logs

from janani.kernel import http


@get("/people/{number:str}")
async def broken(number: FromPath[str]) -> None:
    raise LookupError(f"invalid input for query argument $1: '{number}'")


async def test_a_bug_is_logged_with_its_route_and_frames_never_with_a_persons_number() -> None:
    app = http.application("part", [broken], render_error=lambda _, status, *__: Response({}, status_code=status))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://part") as one:
        with capture_logs() as logs:
            assert (await one.get("/people/965741234V")).status_code == 500
    (line,) = logs
    assert (line["event"], line["route"], line["error"]) == ("unexpected_error", "/people/{number}", "LookupError")
    assert line["frames"][-1].endswith(" broken")
    assert "965741234V" not in str(line)
