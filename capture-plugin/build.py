"""Installs what the plugin is built from, builds it and the tests' host page, when a source has changed.

The result: `build/bundle/*.zip` for `POST /api/apps`, the same unpacked in `build/app`, and `build/host` for tests.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent.resolve()
BUILD = HERE / "build"
LOCK_STAMP, STAMP = HERE / "node_modules" / ".installed-from", BUILD / ".built-from"
SOURCES = ("src", "public", "host", "d2.config.js", "package-lock.json", "tsconfig.json")
MADE = HERE / "src" / "locales"  # by the build itself
QUIET = os.environ | {"CI": "true", "npm_config_update_notifier": "false"}


def main() -> int:
    if STAMP.exists() and STAMP.read_text() == _digest(*SOURCES):
        return 0
    if shutil.which("npm") is None:
        print("Building the Capture plugin needs Node 20 or newer with npm.", file=sys.stderr)
        return 1
    print("Building the Capture plugin (when it changes) ...", flush=True)
    lock = _digest("package-lock.json")
    if not LOCK_STAMP.exists() or LOCK_STAMP.read_text() != lock:
        if not _ran("npm", "ci", "--silent", "--ignore-scripts"):
            return 1
        LOCK_STAMP.write_text(lock)
    host = ["host/host.tsx", "--bundle", "--minify", "--jsx=transform", '--define:process.env.NODE_ENV="production"']
    steps = [
        ["npx", "tsc", "-p", "."],
        ["npx", "d2-app-scripts", "build"],
        ["npx", "esbuild", *host, "--log-level=error", "--outfile=build/host/host.js"],
    ]
    if not all(_ran(*step) for step in steps):
        return 1
    shutil.copy(HERE / "host" / "host.html", BUILD / "host")
    STAMP.write_text(_digest(*SOURCES))
    return 0


def _ran(*command: str) -> bool:
    """Whether `command` ended well; its words are shown when it did not."""
    done = subprocess.run(command, cwd=HERE, env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603 (our own commands)
    if done.returncode:
        print(f"{done.stdout}\n{' '.join(command)} failed with exit code {done.returncode}.", file=sys.stderr)
    return done.returncode == 0


def _digest(*names: str) -> str:
    """Of everything below `names`."""
    total = hashlib.sha256()
    for top in (HERE / name for name in names):
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and MADE not in path.parents:
                total.update(str(path.relative_to(HERE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
