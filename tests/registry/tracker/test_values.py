"""Value types, text patterns and times (reference §2.6, §3.11, §1.3): tables of what is and what is not."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from janani.registry.tracker.conditions import read_filters
from janani.registry.tracker.patterns import PatternFault, frame, matches, parse, required
from janani.registry.tracker.times import read_duration, read_inclusive_end, read_instant, write_instant
from janani.registry.tracker.values import fault_of, stored_form

COLOMBO = ZoneInfo("Asia/Colombo")


@pytest.mark.parametrize(
    ("value_type", "good", "bad"),
    [
        ("LETTER", ["a"], ["ab", "1"]),
        ("PHONE_NUMBER", ["+94712345678", "077 123 4567", "011-2345678 ext 9"], ["12345", "call me now"]),
        ("EMAIL", ["a@moh.example"], ["a@moh", "a b@moh.example"]),
        ("URL", ["https://moh.example/a"], ["moh.example", "javascript:alert(1)"]),
        ("BOOLEAN", ["true", "false", "1", "f"], ["yes", ""]),
        ("TRUE_ONLY", ["true"], ["false", "1"]),
        ("DATE", ["2024-02-29"], ["2023-02-29", "29/02/2024", "2024-02-29T00:00", "1997-W31-5", "１９９７-08-01"]),
        (
            "DATETIME",
            ["2026-11-21T06:00:00.000Z", "2026-11-21T06:00:00+05:30", "2026-11-21", "2026-11-21T06:00"],
            ["yesterday", "2026-W47-6T06:00", "20261121T060000", "2026-11-31T06:00"],
        ),
        ("TIME", ["23:59"], ["24:00", "9:5", "٢٣:٥٩"]),
        (
            "NUMBER",
            ["0", "-1.5", "10", "1e3"],
            ["+1", "1,000", "NaN", "Infinity", "01", "", "1e200000", "1e-200000", "1٢", "1e309", "9" * 400],
        ),
        ("INTEGER", ["0", "-2147483648"], ["2147483648", "1.0", "9" * 400, "1٢"]),
        ("INTEGER_POSITIVE", ["1"], ["0"]),
        ("INTEGER_NEGATIVE", ["-1"], ["0"]),
        ("INTEGER_ZERO_OR_POSITIVE", ["0"], ["-1"]),
        ("PERCENTAGE", ["0", "100"], ["100.1"]),
        ("UNIT_INTERVAL", ["0.5"], ["2"]),
        ("COORDINATE", ["[80.6,7.3]"], ["[181,0]", "80.6,7.3", "[1]"]),
        ("LONG_TEXT", ["x" * 60_000], []),
        ("TEXT", ["x" * 50_000], ["x" * 50_001]),
    ],
)
def test_value_types(value_type: str, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if fault_of(value, value_type)] == []
    assert [value for value in bad if not fault_of(value, value_type)] == []


def test_booleans_are_kept_in_their_long_form() -> None:
    assert [stored_form(value, "BOOLEAN") for value in ("1", "T", "f", "0")] == ["true", "true", "false", "false"]


def test_a_pattern_is_filled_and_recognised() -> None:
    pattern = '"PHM/" + ORG_UNIT_CODE(...) + CURRENT_DATE(yyyyMM) + "-" + SEQUENTIAL(####)'
    assert required(pattern) == (["ORG_UNIT_CODE"], ["CURRENT_DATE", "SEQUENTIAL"])
    found = frame(pattern, {"ORG_UNIT_CODE": "AKURANA"}, datetime(2026, 11, 21, tzinfo=UTC))
    assert found.numbered(7) == "PHM/AKU202611-0007"
    assert found.capacity == 9999
    assert matches(pattern, "PHM/AKU202611-0007")
    assert not matches(pattern, "PHM/AKU202611-007")


@pytest.mark.parametrize("pattern", ["", '"ANC"', "RANDOM(#)+SEQUENTIAL(#)", "RANDOM(#", '"ANC"+', "HELLO(#)"])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(PatternFault):
        parse(pattern)


def test_a_random_value_matches_its_pattern() -> None:
    pattern = '"A"+RANDOM(X##*x)'
    assert matches(pattern, frame(pattern, {}, datetime(2026, 1, 1, tzinfo=UTC)).random())


def test_a_date_is_midnight_of_the_servers_zone_and_reads_back_the_same() -> None:
    midnight = read_instant("2026-11-21", COLOMBO)
    assert midnight == datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
    assert write_instant(midnight, COLOMBO) == "2026-11-21T00:00:00.000"
    assert read_instant("2026-11-21T06:00:00Z", COLOMBO) == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
    assert read_inclusive_end("2026-11-21", COLOMBO) > read_instant("2026-11-21T23:59:59", COLOMBO)


@pytest.mark.parametrize(("text", "seconds"), [("P1D", 86400), ("PT1H30M", 5400), ("P2DT10S", 172810)])
def test_durations(text: str, seconds: int) -> None:
    assert read_duration(text).total_seconds() == seconds


def test_escapes_in_filters() -> None:
    found = read_filters(["abc:like:12/:30/, noon:sw:a//b,def"])
    assert [(one.uid, one.tests) for one in found] == [
        ("abc", [("like", "12:30, noon"), ("sw", "a/b")]),
        ("def", []),
    ]
