"""Collects the translatable strings of code and templates into `locale/<language>/janani.po` (`make messages`)."""

import io
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

import yaml
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from janani.kernel.i18n import LANGUAGES

_METHODS = [
    ("**.py", "python"),
    ("**/pages/**.html", "jinja2.ext:babel_extract"),
    ("programmes/*/programme.yaml", "janani.kernel.messages:yaml_words"),
    ("programmes/*/chart.yaml", "janani.kernel.messages:yaml_words"),
    ("programmes/*/mapping.yaml", "janani.programmes.translations:mapping_words"),
    ("programmes/*/metadata.json", "janani.programmes.translations:metadata_words"),
]
_YAML_KEYS = frozenset(("says", "label", "title"))
_YAML_KEYS_BELOW: dict[str, frozenset[str] | None] = {
    "words": None,
    "lines": frozenset(("name",)),
    "service": frozenset(("text",)),
}
"""None: every value."""
_OPTIONS = {"**/pages/**.html": {"encoding": "utf-8", "trim_blocks": "true", "lstrip_blocks": "true"}}


def yaml_words(
    file: BinaryIO, _keywords: object, _tags: object, options: object
) -> Iterator[tuple[int, str, str, list[str]]]:
    """What a programme's YAML says to people, for Babel's extractor.

    These are the values of `says`, `label` and `title`, all values below `words`, the `name` of each of `lines`, and
    the `text` of a `service`.
    """

    def words(node: yaml.Node | None, keys: frozenset[str] | None) -> Iterator[tuple[int, str, str, list[str]]]:
        if isinstance(node, yaml.SequenceNode):
            for each in node.value:
                yield from words(each, keys)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(value, yaml.ScalarNode) and (keys is None or key.value in keys):
                    yield value.start_mark.line + 1, "_", value.value, []
                yield from words(value, _YAML_KEYS_BELOW.get(key.value, _YAML_KEYS))

    yield from words(yaml.compose(file.read().decode(), Loader=yaml.SafeLoader), _YAML_KEYS)


def collected(root: Path) -> Catalog:
    """Every translatable string below `root`, with the files it stands in (no line numbers: less churn)."""
    catalogue = Catalog(project="Janani", charset="utf-8")
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2)}
    for name, _, message, comments, context in extract_from_dir(root, _METHODS, _OPTIONS, keywords):
        catalogue.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalogue


def catalogue_path(root: Path, language: str) -> Path:
    """Where the catalogue of `language` lives."""
    return root / "locale" / language / "janani.po"


def main() -> None:
    """Updates each language's catalogue, keeping its translations."""
    root = Path(str(files("janani")))
    template = collected(root)
    for language in LANGUAGES:
        path = catalogue_path(root, language)
        old = read_po(io.BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language)
        old.update(template, no_fuzzy_matching=True)
        old.obsolete.clear()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, old, width=110, sort_output=True, omit_header=True, include_lineno=False)


if __name__ == "__main__":
    main()
