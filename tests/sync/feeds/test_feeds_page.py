"""docs/reference/feeds.md says of polling what the code does."""

from pathlib import Path

from janani.sync.feeds import poll

PAGE = (Path(__file__).parents[3] / "docs/reference/feeds.md").read_text()


def test_the_largest_page_is_the_one_that_is_asked_for() -> None:
    largest = poll._PAGE
    while largest < poll._LARGEST:
        largest *= 2
    assert f"up to {largest:,} rows" in PAGE
