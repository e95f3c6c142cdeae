"""Codes that the programme's own value sets list: one that its list lacks is a mistake of the table.

The lists come with the profiles (`profiles.json.gz`), which the record checks by; of that file only they are read here.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from janani.programmes import ProgrammeFault, nearest

FILE = "profiles.json.gz"


class _Values(Struct, frozen=True):
    """A value set: {code system: its codes, a line each}."""

    codes: dict[str, str] = {}


class _Profiles(Struct, frozen=True):
    values: dict[str, _Values] = {}


def code_faults(folder: Path, written: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """(place, what is wrong) of each of the `written` (place, code system, code) that its system's list lacks.

    A system without a list (SNOMED CT, LOINC) has any code. Where `folder` has no profiles nothing is known.
    Raises ProgrammeFault for a file that can't be read.
    """
    found = list(written)
    known = known_codes(folder, {system for _, system, _ in found})
    for place, system, code in found:
        if system in known and code not in known[system]:
            hint = nearest(code, known[system])
            yield place, f"{system} has no code {code!r}" + (f"; {hint}" if hint.startswith("did") else "")


def known_codes(folder: Path, systems: Iterable[str]) -> dict[str, set[str]]:
    """{code system: its codes} of those of the `systems` that a value set in `folder` lists. Raises ProgrammeFault."""
    path, wanted = folder / FILE, set(systems)
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        return {}
    try:
        profiles = msgspec.json.decode(gzip.decompress(packed), type=_Profiles)
    except (OSError, EOFError, zlib.error, msgspec.DecodeError) as error:
        raise ProgrammeFault(f"{path}:1  {error}") from error
    known: dict[str, set[str]] = {}
    for values in profiles.values.values():
        for system in wanted & values.codes.keys():
            known.setdefault(system, set()).update(values.codes[system].split("\n"))
    return known
