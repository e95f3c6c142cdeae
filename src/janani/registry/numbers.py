"""Whole numbers in query strings. Pure."""

_MOST_DIGITS = 18  # what fits a bigint; int() itself refuses thousands


def whole_number(text: str) -> int | None:
    """The number that `text` writes in the digits 0-9; None when it is no such text ("²" is a digit to Python)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
