"""Finds a Chromium for the journey tests: as root it is installed by apt, otherwise it must be there.

`make test` runs this first, so that the tests never pass for want of a browser. Most tests take Chromium without its
windows (Debian's `chromium-headless-shell`), where there is one: it shows the same pages and opens one in a third of
the time. It knows no camera.
"""

import os
import shutil
import subprocess
import sys

_SHELL = "chromium-headless-shell"
_WHOLE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium(*, camera: bool = False) -> str | None:
    """The path of a Chromium on this machine; with `camera` of one that has one."""
    names = _WHOLE if camera else (_SHELL, *_WHOLE)
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def _install(*packages: str) -> None:
    print(f"Installing {' and '.join(packages)} for the browser tests ...")
    subprocess.run(["apt-get", "update", "-qq"], check=False)
    subprocess.run(["apt-get", "install", "-y", "-qq", *packages], check=False, stdout=subprocess.DEVNULL)


def main() -> int:
    if not os.environ.get("CHROMIUM") and os.geteuid() == 0 and shutil.which("apt-get"):
        if shutil.which(_SHELL) is None:
            _install(_SHELL, *([] if chromium(camera=True) else ["chromium"]))
        if chromium(camera=True) is None:  # a Debian that knows no such shell
            _install("chromium")
    if chromium(camera=True) is None:
        print(
            "The journey tests need Chromium. Install it (Debian: `apt-get install chromium chromium-headless-shell`) "
            "or say where it is: CHROMIUM=/path/to/chromium make test",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
