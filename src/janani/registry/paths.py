"""Paths that mean the same: `/api/42/…` is `/api/…`, and so is `….json` (Web API, "Versioning")."""

import re

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

_VERSION = re.compile(r"^/api/\d{2}(?=/)")
# Below these a suffix belongs to somebody else's name.
_OPAQUE = re.compile(r"^/api/(publicKeys/|dataStore/|userDataStore/|routes/[^/]+/run/)")


def plain(path: str) -> str:
    """`path` without version and without `.json`."""
    path = _VERSION.sub("/api", path)
    return path if _OPAQUE.match(path) or not path.startswith("/api/") else path.removesuffix(".json")


def accepting_versions(app: ASGIApp) -> ASGIApp:
    """`app`, reached under every path that means the same."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["path"].startswith("/api/"):
            path = plain(scope["path"])
            scope["path"], scope["raw_path"] = path, path.encode()
        await app(scope, receive, send)

    return routed
