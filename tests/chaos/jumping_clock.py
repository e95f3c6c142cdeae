"""`janani serve sync` on a machine whose clock jumps: the file named first says by how many seconds."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from janani.kernel import clock

_offset = Path(sys.argv.pop(1))


def jumping() -> datetime:
    """The present instant, moved."""
    return datetime.now(UTC) + timedelta(seconds=float(_offset.read_text() or 0))


clock.system_clock = jumping

from janani.cli import main  # noqa: E402  (what binds the clock must come after it was replaced)

if __name__ == "__main__":
    main()
