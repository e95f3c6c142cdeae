"""Every route of the authorization server, with the one rendering of its errors."""

from typing import Any

from litestar import Router

from janani.record.authorization import discovery, sign_in, token
from janani.record.authorization.problems import OAuthProblem, render

handlers: list[Any] = [
    Router(
        "/",
        route_handlers=[
            discovery.smart_configuration,
            discovery.keys,
            sign_in.authorize,
            sign_in.callback,
            token.token,
            token.introspect,
            token.revoke,
        ],
        exception_handlers={OAuthProblem: render},
        include_in_schema=False,
    )
]
