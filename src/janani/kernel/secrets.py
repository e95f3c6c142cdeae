"""Secrets that live in files of the data folder, made on first use in the sandbox and nowhere else."""

import os
import secrets as random
from pathlib import Path

from janani.kernel.problems import RefusesToStart


class MissingSecret(RefusesToStart):
    """A secret the profile needs is not there. Its text says which file to make."""


def secret(folder: Path, name: str, *, create: bool) -> str:
    """The secret kept in `folder/name`.

    With `create` it is drawn (256 bits) when absent and written readable by its owner only;
    without, MissingSecret is raised.
    """
    path = folder / name
    if not path.exists():
        if not create:
            raise MissingSecret(f"{path} is missing. Put the secret in that file (readable by its owner only).")
        write_private(path, random.token_urlsafe(32).encode())
    return path.read_text().strip()


def write_private(path: Path, content: bytes) -> None:
    """Writes `content` to `path` with mode 0600, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
