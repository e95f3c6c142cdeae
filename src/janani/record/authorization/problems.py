"""OAuth 2's one error family (RFC 6749 §5.2): JSON with `error` and `error_description`."""

from typing import Any

from litestar import Request, Response

from janani.kernel.problems import Problem


class OAuthProblem(Problem):
    """A refusal of an OAuth endpoint; `code` is the OAuth error code."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(status, code, text)


class InvalidClient(OAuthProblem):
    """The client did not prove who it is."""

    def __init__(self, text: str) -> None:
        super().__init__("invalid_client", text, 401)


class InvalidGrant(OAuthProblem):
    """The code or refresh token is unknown, used, expired or another client's."""

    def __init__(self, text: str) -> None:
        super().__init__("invalid_grant", text)


def render(_request: Request[Any, Any, Any], problem: OAuthProblem) -> Response[dict[str, str]]:
    """The HTTP answer of `problem`."""
    content = {"error": problem.code, "error_description": problem.text}
    return Response(content, status_code=problem.status, headers={"cache-control": "no-store", "pragma": "no-cache"})
