"""The `fields` parameter (Web API, "Metadata field filter"): parsed once, applied to objects. Pure."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from janani.registry.metadata.types import REFERENCES
from janani.registry.numbers import whole_number
from janani.registry.problems import Refusal

Json = dict[str, Any]
Resolve = Callable[[str, str], Json | None]
"""Gives the object of (type, uid)."""

_PRESETS = {
    ":identifiable": ("id", "name", "code", "created", "lastUpdated", "href"),
    ":nameable": ("id", "name", "code", "created", "lastUpdated", "href", "shortName", "description"),
}
_WHOLE, _OWNED = ("*", ":all"), (":owner", ":persisted")
_NOT_OWNED = frozenset(
    """access href leaf children ancestors optionSetValue
    displayName displayShortName displayFormName displayDescription""".split()  # noqa: SIM905
)
_MAX_DEPTH = 12


class Item(Struct):
    """One item of a selection: a property, what of it, and under which transformations."""

    name: str
    nested: "Selection | None" = None
    transformers: list[tuple[str, list[str]]] = field(default_factory=list)


class Selection(Struct):
    """What is wanted of an object."""

    items: list[Item] = field(default_factory=list)
    excluded: set[str] = field(default_factory=set)


def parse(text: str) -> Selection:
    """The selection that `fields=text` asks for. Raises Refusal (400) where it can't be read."""
    selection, rest = _selection(text.replace(" ", ""), 0)
    if rest:
        raise Refusal(400, f"Filter is invalid near {rest[:20]!r}.")
    return selection


def _selection(text: str, depth: int) -> tuple[Selection, str]:
    if depth > _MAX_DEPTH:
        raise Refusal(400, "Filter is nested too deeply.")
    selection = Selection()
    while text and not text.startswith("]"):
        item, text = _item(text, depth)
        if item.name.startswith("!"):
            selection.excluded.add(item.name[1:])
        elif item.name:
            selection.items.append(item)
        text = text[1:] if text.startswith(",") else text
    return selection, text


def _item(text: str, depth: int) -> tuple[Item, str]:
    end = next(
        (place for place, letter in enumerate(text) if letter in ",[]~|" or text[place : place + 2] == "::"), len(text)
    )
    item = Item(text[:end])
    text = _transformers(item, text[end:])
    if text.startswith("["):
        item.nested, text = _selection(text[1:], depth + 1)
        if not text.startswith("]"):
            raise Refusal(400, "Filter is invalid: a closing ] is missing.")
        text = _transformers(item, text[1:])
    return item, text


def _transformers(item: Item, text: str) -> str:
    """Puts the transformers that `text` begins with into `item`; what is left of it."""
    while text.startswith(("~", "|", "::")):
        text = text[2:] if text.startswith("::") else text[1:]
        stop = next((place for place, letter in enumerate(text) if letter in ",[]~|("), len(text))
        name, text = text[:stop], text[stop:]
        arguments: list[str] = []
        if text.startswith("("):
            inside, _, text = text[1:].partition(")")
            arguments = inside.split(";")
        item.transformers.append((name, arguments))
    return text


def select(one: Json, selection: Selection, resolve: Resolve) -> Json:
    """What `selection` wants of `one`; references are followed by `resolve`."""
    chosen: Json = {}
    for item in selection.items:
        if item.name in _WHOLE:
            chosen |= {name: _plain(name, value) for name, value in one.items()}
        elif item.name in _OWNED:
            owned = (name for name in one if name not in _NOT_OWNED)
            chosen |= {name: _plain(name, one[name]) for name in owned}
        elif item.name == ":simple":
            chosen |= {name: value for name, value in one.items() if not isinstance(value, dict | list)}
        elif item.name in _PRESETS:
            chosen |= {name: one[name] for name in _PRESETS[item.name] if name in one}
        elif item.name in one:
            name, value = _transformed(item, _nested(item, one[item.name], resolve))
            chosen[name] = value
        elif any(name in ("size", "isEmpty", "isNotEmpty") for name, _ in item.transformers):
            name, value = _transformed(item, [])
            chosen[name] = value
    return {name: value for name, value in chosen.items() if name not in selection.excluded}


def _nested(item: Item, value: Any, resolve: Resolve) -> Any:
    plucked = [arguments[0] if arguments else "id" for name, arguments in item.transformers if name == "pluck"]
    wanted = item.nested or (Selection([Item(plucked[0])]) if plucked else None)
    if wanted is None:
        return _plain(item.name, value)
    kind = REFERENCES.get(item.name)

    def inner(each: Any) -> Any:
        if not isinstance(each, dict):
            return each
        target = resolve(kind, each["id"]) if kind and "id" in each else None
        return select(target if target is not None else each, wanted, resolve)

    return [inner(each) for each in value] if isinstance(value, list) else inner(value)


def _plain(name: str, value: Any) -> Any:
    """A reference without a selection shows its id only."""
    if name in REFERENCES:
        if isinstance(value, list):
            return [{"id": each["id"]} if isinstance(each, dict) and "id" in each else each for each in value]
        if isinstance(value, dict) and "id" in value:
            return {"id": value["id"]}
    return value


def _objects(value: Any) -> list[Json]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _paged(value: Any, arguments: list[str]) -> Any:
    numbers = [found for each in arguments if (found := whole_number(each))]
    if len(arguments) != 2 or len(numbers) != 2:
        raise Refusal(400, "Field transformer paging needs page;pageSize.")
    page, size = numbers
    return value[(page - 1) * size : page * size] if isinstance(value, list) else value


def _transformed(item: Item, value: Any) -> tuple[str, Any]:
    name = item.name
    for transformer, arguments in item.transformers:
        first = arguments[0] if arguments and arguments[0] else "id"
        match transformer:
            case "rename":
                name = first
            case "size":
                value = len(value) if isinstance(value, list | str | dict) else value
            case "isEmpty":
                value = not value
            case "isNotEmpty":
                value = bool(value)
            case "pluck":
                value = [each.get(first) for each in _objects(value)]
            case "keyBy":
                value = {str(each[first]): each for each in _objects(value) if first in each}
            case "paging":
                value = _paged(value, arguments)
            case _:
                raise Refusal(400, f"Field transformer {transformer!r} is not supported.")
    return name, value
