"""Cross-site request forgery: a form counts only when this site sent it.

By Fetch Metadata (Sec-Fetch-Site), else by Origin, as OWASP's cheat sheet has it; no token in the form.
"""

from typing import Any
from urllib.parse import urlsplit

from litestar import Request

from janani.portals.problems import ForeignForm

_SAFE = ("GET", "HEAD", "OPTIONS")


async def same_origin(request: Request[Any, Any, Any]) -> None:
    """Before every request: raises ForeignForm for a change that another site asks for."""
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise ForeignForm
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForeignForm
