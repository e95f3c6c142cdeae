"""Narrative.div: XHTML without anything that runs (FHIR R4 §narrative, invariants txt-1 and txt-2)."""

import re
from typing import Any
from xml.etree import ElementTree

_NAMESPACE = "{http://www.w3.org/1999/xhtml}"
_ALLOWED_ELEMENTS = (
    "a abbr acronym address b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 "
    "h5 h6 hr i img li map area ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt "
    "ul var "
)
_ALLOWED_ATTRIBUTES = (
    "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff "
    "charset cite class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc "
    "name nowrap rel rev rowspan rules scope shape span src start style summary tabindex title type valign "
    "value vspace width "
)
_ELEMENTS, _ATTRIBUTES = frozenset(_ALLOWED_ELEMENTS.split()), frozenset(_ALLOWED_ATTRIBUTES.split())
_LINK = re.compile(r"(?:https?:|mailto:|tel:|#|data:image/|[^:]*$)", re.IGNORECASE)


def fault(div: Any) -> str | None:
    """What is wrong with `div` (the JSON value of Narrative.div), in words; None when nothing is."""
    if not isinstance(div, str) or not div.lstrip().startswith("<div"):
        return "a <div> of XHTML was expected"
    if "<!" in div.replace("<!--", ""):
        return "declarations are not allowed in XHTML"
    try:
        root = ElementTree.fromstring(_known_entities(div))  # noqa: S314 - no DTD passes the line above
    except ElementTree.ParseError:
        return "the XHTML is not well-formed"
    for element in root.iter():
        name = str(element.tag)
        if not name.startswith(_NAMESPACE) or name.removeprefix(_NAMESPACE) not in _ELEMENTS:
            return "an element that FHIR does not allow in a narrative (txt-1)"
        for key, value in element.attrib.items():
            if key.rpartition("}")[2] not in _ATTRIBUTES:
                return "an attribute that FHIR does not allow in a narrative (txt-1)"
            if key in ("href", "src") and not _LINK.match(value.strip()):
                return "a link that FHIR does not allow in a narrative (txt-1)"
    if not "".join(root.itertext()).strip() and root.find(f".//{_NAMESPACE}img") is None:
        return "a narrative needs some text or an image (txt-2)"
    return None


def _known_entities(div: str) -> str:
    """XHTML's named entities (&nbsp; …) that XML doesn't know, as a space: only the structure matters here."""
    return re.sub(r"&(?!amp;|lt;|gt;|quot;|apos;|#)[A-Za-z]+;", " ", div)
