"""What a programme says to people, for the catalogues; and back from them into the DHIS2 metadata's `translations`.

The catalogues (`locale/<language>/janani.po`) are where translations are written; `make messages` collects the words
of `metadata.json` and `mapping.yaml` into them, and writes `translations` of `metadata.json` from them, so that a
real DHIS2 asks its questions in Sinhala and Tamil, too.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from janani.kernel import i18n

Json = dict[str, Any]
_Words = Iterator[tuple[int, str, str, list[str]]]
_PROPERTIES = {
    "trackedEntityAttributes": ("name", "formName", "description"),
    "dataElements": ("name", "formName", "description"),
    "options": ("name",),
    "programs": ("name",),
    "programSections": ("name",),
    "programStages": ("name", "executionDateLabel"),
    "programStageSections": ("name", "description"),
}
"""Of which metadata which texts are shown to people, as DHIS2 names them."""
_CODED = re.compile(r"[\w-]+#[^|]+\|(.+)")  # system#code|display
_WORDS = re.compile(r"[a-z ]{4,}")  # of a unit: "per minute", not "mmHg"
_SAID = frozenset(("text", "occurrence"))


def metadata_words(file: BinaryIO, _keywords: object, _tags: object, options: object) -> _Words:
    """The texts of `metadata.json` that a form shows, for Babel's extractor."""
    metadata = json.loads(file.read())
    for one, name in _texts(metadata):
        yield 1, "_", one[name], []


def mapping_words(file: BinaryIO, _keywords: object, _tags: object, options: object) -> _Words:
    """What `mapping.yaml` makes the record say to people, for Babel's extractor: texts, else the names of codes."""

    def words(node: Any, key: str = "") -> Iterator[str]:
        if isinstance(node, dict):
            coded = not _SAID & node.keys()
            for name, value in node.items():
                if name in _SAID and isinstance(value, str):
                    yield value
                elif name == "unit" and _WORDS.fullmatch(unit := str(value).partition("|")[2]):
                    yield unit
                elif name not in ("code", "constant") or coded:
                    yield from words(value, name)
        elif isinstance(node, list):
            yield from words(node[0], key) if key == "code" else (w for each in node for w in words(each, key))
        elif isinstance(node, str) and (found := _CODED.fullmatch(node)):
            yield found[1]

    mapping = yaml.safe_load(file.read())
    parts = ("value_maps", "observations", "panels", "conditions", "medicines", "immunizations")
    for text in (
        *mapping.get("focus", {}).get("names", []),
        *words(mapping.get("encounter", {}).get("types", {})),
        *(word for part in parts for word in words(mapping.get(part, []))),
    ):
        yield 1, "_", text, []


def translated(metadata: Json) -> Json:
    """`metadata` with `translations` of what people read, as far as the catalogues have it. Other ones are kept."""
    for one, name in _texts(metadata):
        label = re.sub("(?<!^)(?=[A-Z])", "_", name).upper()
        known = [each for each in one.get("translations", []) if each["property"] != label]
        said = [(language, i18n.catalogue(language).gettext(one[name])) for language in ("si", "ta")]
        known += [{"locale": tag, "property": label, "value": text} for tag, text in said if text != one[name]]
        if known:
            one["translations"] = known
    return metadata


def _texts(metadata: Json) -> Iterator[tuple[Json, str]]:
    """The objects with the properties that a form shows: of a question its name for forms, where it has one."""
    for kind, names in _PROPERTIES.items():
        for one in metadata.get(kind, []):
            yield from ((one, name) for name in names if one.get(name) and (name != "name" or not one.get("formName")))


def main() -> None:
    """Writes the translations of each programme's metadata."""
    for path in Path(__file__).parent.glob("*/metadata.json"):
        path.write_text(json.dumps(translated(json.loads(path.read_text())), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
