"""References in JSON are told from texts that look like them (R4 §http 3.1.0.11.2)."""

from urllib.parse import quote

import msgspec

from janani.record import references
from janani.record.references import Links, canonical, conditional


def test_what_looks_like_a_placeholder_within_a_text_stays_and_a_text_that_is_one_is_resolved() -> None:
    links = Links({"urn:uuid:1": "Patient/7"}, {"Patient?identifier=a|b": "Patient/8"})
    unknown: set[str] = set()
    body = (
        rb'{"reference":"urn:uuid:1","policy":["urn:uuid:1","urn:uuid:2"],"said":"see \"urn:uuid:1",'
        rb'"again":"\"reference\":\"urn:uuid:1\"",'
        rb'"inner":{"reference":"Patient?identifier=a|b"},"lost":{"reference":"urn:uuid:2"},"free":"urn:uuid:3"}'
    )
    made = msgspec.json.decode(links.rewritten(body, unknown))
    assert made == {
        "reference": "Patient/7",
        "policy": ["Patient/7", "urn:uuid:2"],
        "said": 'see "urn:uuid:1',
        "again": '"reference":"urn:uuid:1"',
        "inner": {"reference": "Patient/8"},
        "lost": {"reference": "urn:uuid:2"},
        "free": "urn:uuid:3",
    }
    assert unknown == {"urn:uuid:2"}
    assert conditional(body) == {"Patient?identifier=a|b"}


def test_a_placeholder_is_resolved_in_elements_that_link_and_stays_in_those_that_only_say_it() -> None:
    links = Links({"urn:uuid:1": "Patient/7", "urn:oid:1.2": "Organization/8"}, {})
    body = {
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"}],
        "instantiatesUri": ["urn:uuid:1"],
        "content": [{"attachment": {"url": "urn:uuid:1", "title": "urn:uuid:1"}}],
        "extension": [
            {"url": "http://example.org/a", "valueUri": "urn:oid:1.2"},
            {"url": "http://example.org/b", "valueString": "urn:oid:1.2"},
            {"url": "http://example.org/c", "valueCanonical": "urn:uuid:1"},
        ],
        "note": [{"text": "urn:uuid:1"}, {"text": '"url":"urn:uuid:1"'}, {"text": '<a href="urn:uuid:1">'}],
    }
    made = msgspec.json.decode(links.rewritten(msgspec.json.encode(body), set()))
    assert made["identifier"] == body["identifier"]
    assert made["instantiatesUri"] == ["Patient/7"]
    assert made["content"] == [{"attachment": {"url": "Patient/7", "title": "urn:uuid:1"}}]
    assert [one.popitem()[1] for one in made["extension"]] == ["Organization/8", "urn:oid:1.2", "urn:uuid:1"]
    assert made["note"] == body["note"]


def test_a_placeholder_is_resolved_in_links_of_the_narrative() -> None:
    links = Links({"urn:uuid:1": "Patient/7"}, {})
    told = """<div>urn:uuid:1 <a class="x" href="urn:uuid:1">"urn:uuid:1"</a><img src='urn:uuid:1'/></div>"""
    made = msgspec.json.decode(links.rewritten(msgspec.json.encode({"text": {"div": told}}), set()))
    assert made["text"]["div"] == (
        """<div>urn:uuid:1 <a class="x" href="Patient/7">"urn:uuid:1"</a><img src='Patient/7'/></div>"""
    )


def test_a_long_criterion_is_understood_and_not_remembered() -> None:
    before = references._remembered.cache_info().currsize
    for number in range(3):
        long = "a b" * 1000 + str(number)
        assert canonical(f"Patient?identifier=urn:x%7C{quote(long)}") == f"Patient?identifier=urn:x|{long}"
    assert references._remembered.cache_info().currsize == before
    assert canonical("Patient?identifier=urn%3Ax%7C1") == canonical("Patient?identifier=urn:x|1")
