"""The mapping in Python, for the odd case: `mapping.py` of the programme's folder.

    def map(person, context):      # entries of a transaction, or a Bundle of them; None entries are left out
        …

    def device(context):           # the Device that stands for the registry; may be absent
        …

`person` is the tracked entity's JSON as dicts and lists, `context` a janani.sync.mapping.Context. The file is run with
all the rights of the sync: only who may change the sync may write it.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from janani.programmes import Programme, ProgrammeFault
from janani.sync.mapping.model import Context, NotMapped
from janani.sync.mapping.scripted import ScriptedMapper, script_of
from janani.sync.mapping.values import Json

FILE = "mapping.py"


class _Python:
    def __init__(self, path: Path, module: ModuleType) -> None:
        self._path, self._module = str(path), module

    def entries(self, person: Json, context: Context) -> Any:
        return self._call(self._module.map, person, context)

    def device(self, context: Context) -> Any:
        made = getattr(self._module, "device", None)
        return self._call(made, context) if made else []

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"  # it may quote values of hers: only the place is a reason
            raise NotMapped(f"{FILE} fails{_line(error, self._path)} ({type(error).__name__})", detail) from error


def python_mapper(programme: Programme) -> ScriptedMapper:
    """The mapper that runs `mapping.py`. Raises ProgrammeFault."""
    path = script_of(programme, FILE)
    module = ModuleType("mapping")
    module.__file__ = str(path)
    try:
        code = compile(path.read_text(), str(path), "exec")
        exec(code, module.__dict__)  # noqa: S102 — the programme's own code, as the operator wrote it
    except SyntaxError as error:
        raise ProgrammeFault(f"{path}:{error.lineno or 1}  {error.msg}") from error
    except Exception as error:
        line = _line(error, str(path)).rpartition(" ")[2] or "1"
        raise ProgrammeFault(f"{path}:{line}  {type(error).__name__}: {error}") from error
    if not callable(getattr(module, "map", None)):
        raise ProgrammeFault(f"{path}:1  it has no function map(person, context)")
    return ScriptedMapper(programme, _Python(path, module), FILE)


def _line(error: Exception, path: str) -> str:
    """` in line 12` of the programme's file, or ""."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f" in line {lines[-1]}" if lines else ""
