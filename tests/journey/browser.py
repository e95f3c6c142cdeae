"""Finds a Chromium for the journey tests: as root it is installed by apt, otherwise it must be there.

`make test` runs this first, so that the tests never pass for want of a browser.
"""

import os
import shutil
import subprocess
import sys

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of a Chromium on this machine."""
    return os.environ.get("JANANI_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def main() -> int:
    if chromium() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests ...")
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=True, stdout=subprocess.DEVNULL)
    if chromium() is None:
        print(
            "The journey tests need Chromium. Install it (Debian: `apt-get install chromium`) "
            "or say where it is: JANANI_CHROMIUM=/path/to/chromium make test",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
