"""The root of every part's error family.

    Problem                     a refusal this software decided on, with an HTTP status
    └─ <one family a protocol>  registry.problems, record.problems, esignet.problems …

A part subclasses Problem once, raises it anywhere, and renders it in one exception handler
registered in its `app.py`.
"""


class Problem(Exception):
    """A refusal with an HTTP status, a stable code and a sentence for people (no personal data in it)."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


class RefusesToStart(Exception):
    """Something is in the way of starting: a missing secret, data of another version, demo data in production.

    Its text is one line for people that says what and what to do.
    """
