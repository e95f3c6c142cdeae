"""Cross-site request forgery: a form counts only when this site sent it."""

from typing import Any

from litestar import Request

from janani.kernel.http import from_another_site
from janani.portals.problems import ForeignForm


async def same_origin(request: Request[Any, Any, Any]) -> None:
    """Before every request: raises ForeignForm for a change that another site asks for."""
    if from_another_site(request):
        raise ForeignForm
