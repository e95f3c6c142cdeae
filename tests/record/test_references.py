"""References in JSON are told from texts that look like them (R4 §http 3.1.0.11.2)."""

import msgspec

from janani.record.references import Links, conditional


def test_what_looks_like_a_placeholder_within_a_text_stays_and_a_text_that_is_one_is_resolved() -> None:
    links = Links({"urn:uuid:1": "Patient/7"}, {"Patient?identifier=a|b": "Patient/8"})
    unknown: set[str] = set()
    body = (
        rb'{"reference":"urn:uuid:1","other":["urn:uuid:1"],"said":"see \"urn:uuid:1",'
        rb'"again":"\"reference\":\"urn:uuid:1\"",'
        rb'"inner":{"reference":"Patient?identifier=a|b"},"lost":{"reference":"urn:uuid:2"},"free":"urn:uuid:3"}'
    )
    made = msgspec.json.decode(links.rewritten(body, unknown))
    assert made == {
        "reference": "Patient/7",
        "other": ["Patient/7"],
        "said": 'see "urn:uuid:1',
        "again": '"reference":"urn:uuid:1"',
        "inner": {"reference": "Patient/8"},
        "lost": {"reference": "urn:uuid:2"},
        "free": "urn:uuid:3",
    }
    assert unknown == {"urn:uuid:2"}
    assert conditional(body) == {"Patient?identifier=a|b"}
