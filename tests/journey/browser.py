"""Finds a Chromium for the journey tests: as root it is installed by apt, otherwise it must be there.

`make test` runs this first, so that the tests never pass for want of a browser. Chromium without its windows (Debian's
`chromium-headless-shell`) is preferred: it shows the same pages and opens one in a third of the time.
"""

import os
import shutil
import subprocess
import sys

_SHELL = "chromium-headless-shell"
_NAMES = (_SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of a Chromium on this machine."""
    return os.environ.get("JANANI_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def _install(package: str) -> None:
    print(f"Installing {package} for the browser tests ...")
    subprocess.run(["apt-get", "update", "-qq"], check=False)
    subprocess.run(["apt-get", "install", "-y", "-qq", package], check=False, stdout=subprocess.DEVNULL)


def main() -> int:
    if not os.environ.get("JANANI_CHROMIUM") and os.geteuid() == 0 and shutil.which("apt-get"):
        if shutil.which(_SHELL) is None:
            _install(_SHELL)
        if chromium() is None:  # a Debian without that package
            _install("chromium")
    if chromium() is None:
        print(
            "The journey tests need Chromium. Install it (Debian: `apt-get install chromium-headless-shell`) "
            "or say where it is: JANANI_CHROMIUM=/path/to/chromium make test",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
