"""The mapping in Jsonnet: `mapping.jsonnet` of the programme's folder, run by jrsonnet (package `rjsonnet`).

    {
      map(payload, context):: […],   // entries of a transaction, or a Bundle of them; null entries are left out
      device(context):: […],         // the Device that stands for the registry; may be absent
    }

Modules are imported by their place in the folder; `import 'ds.libsonnet'` gives what modules of DataSonnet call `ds`.
`std.native('moment')(text)` and `std.native('instant')(text)` give a time of the registry with its offset.
"""

import re
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Any

import msgspec

from janani.programmes import Programme, ProgrammeFault
from janani.sync.mapping.model import Context, NotMapped
from janani.sync.mapping.scripted import ScriptedMapper, named, script_of
from janani.sync.mapping.values import Json, Unfit, instant, json_text, moment

FILE = "mapping.jsonnet"
_LIBRARY = Path(__file__).parent / "jsonnet_library"
_PLACE = re.compile(r"([\w.-]+\.(?:jsonnet|libsonnet)):(\d+)")
_MAP = "(import 'mapping.jsonnet').map(payload, context)"
_DEVICE = "local made = import 'mapping.jsonnet'; if std.objectHasAll(made, 'device') then made.device(context) else []"


class _Jsonnet:
    def __init__(self, folder: Path, evaluate: Any) -> None:
        self._folder, self._evaluate = folder, evaluate

    def entries(self, person: Json, context: Context) -> Any:
        return self._run(f"function(payload, context) {_MAP}", context, person, payload=person)

    def device(self, context: Context) -> Any:
        return self._run(f"function(context) {_DEVICE}", context, {})

    def check(self) -> None:
        """Whether the file can be read. Raises NotMapped."""
        self._call("std.objectHasAll(import 'mapping.jsonnet', 'map') || error 'it has no function map'", {}, {})

    def _run(self, source: str, context: Context, person: Json, **arguments: Any) -> Any:
        given = arguments | {"context": named(person, context)}
        codes = {name: json_text(value) for name, value in given.items()}
        return msgspec.json.decode(self._call(source, codes, _natives(context)))

    def _call(self, source: str, codes: dict[str, str], natives: dict[str, Any]) -> str:
        try:
            return str(
                self._evaluate(
                    "<janani>",
                    source,
                    jpathdir=[str(self._folder), str(_LIBRARY)],
                    tla_codes=codes,
                    native_callbacks=natives,
                )
            )
        except (RuntimeError, ValueError) as error:
            text = str(error)  # it may quote values of hers: only the place is a reason
            place = _PLACE.search(text)
            raise NotMapped(f"{place[1]} fails in line {place[2]}" if place else f"{FILE} fails", text) from error


def _natives(context: Context) -> dict[str, Any]:
    return {name: (("text",), _native(found, context)) for name, found in (("moment", moment), ("instant", instant))}


def _native(function: Callable[[str, tzinfo], str], context: Context) -> Callable[[str], str]:
    def called(text: str) -> str:
        try:
            return function(text, context.zone)
        except Unfit as unfit:
            raise ValueError(str(unfit)) from unfit

    return called


def jsonnet_mapper(programme: Programme) -> ScriptedMapper:
    """The mapper that runs `mapping.jsonnet`. Raises ProgrammeFault."""
    path = script_of(programme, FILE)
    try:
        from rjsonnet import evaluate_snippet
    except ImportError as error:
        raise ProgrammeFault(f"{path}:1  Jsonnet needs a package more: pip install 'janani[jsonnet]'") from error
    script = _Jsonnet(programme.folder, evaluate_snippet)
    try:
        script.check()
    except NotMapped as error:
        raise ProgrammeFault(f"{path}:1  {error.detail}") from error
    return ScriptedMapper(programme, script, FILE)
