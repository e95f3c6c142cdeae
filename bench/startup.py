"""How long `janani up` takes to be ready, first and warm, and what it holds in memory when idle.

Limits stand beside each figure; the peer is what PostgreSQL alone takes to be made and started on this machine.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from janani.kernel.embedded_postgres import EmbeddedPostgres
from system import System


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="janani-bench-") as folder:
        os.chmod(folder, 0o755)
        bare = EmbeddedPostgres(Path(folder) / "bare")
        began = time.monotonic()
        bare.start()
        made = time.monotonic() - began
        bare.stop()
        system = System(Path(folder) / "home")
        try:
            first = system.start()
            system.stop()
            warm = min(_again(system) for _ in range(3))
            system.start()
            time.sleep(15)
            memory = system.resident_megabytes()
        finally:
            system.destroy()
    print(f"{'claim':34} {'measured':>10} {'limit':>8}   beside it")
    print(f"{'first start, demo district loaded':34} {first:9.1f}s {20:7}s   PostgreSQL alone: {made:.1f} s")
    print(f"{'warm start (best of 3)':34} {warm:9.1f}s {5:7}s")
    print(f"{'resident memory, idle':34} {memory:6.0f} MiB {350:5}MiB")


def _again(system: System) -> float:
    took = system.start()
    system.stop()
    return took


if __name__ == "__main__":
    main()
