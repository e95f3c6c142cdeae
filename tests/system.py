"""The whole of Janani as a process of its own, for the journey, the chaos test and the benches."""

import atexit
import contextlib
import fcntl
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.jose import signing_key

_random = random.SystemRandom()  # never the seed of a test
_kept: list[IO[str]] = []  # locks of ports; the kernel gives them up with the process
KEYS = ("esignet", "esignet-demo-client", "relying", "registry", "record", "sync", "portals")
PROGRAM = ["-m", "janani"]
PARTS = ("esignet", "relying", "registry", "phn", "record", "sync", "portals")


def free_ports(count: int) -> list[int]:
    """Free ports below those that outgoing calls take, kept from other tests' systems until this process ends: a part
    that is away for a while gets its own again."""
    found: list[int] = []
    while len(found) < count:
        port = _random.randrange(15_000, 32_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            _keep(port)
            found.append(port)
    return found


def _keep(port: int) -> None:
    """Raises OSError when another process keeps it."""
    folder = Path(tempfile.gettempdir()) / "janani-ports"
    folder.mkdir(exist_ok=True)
    lock = (folder / str(port)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    _kept.append(lock)


class System:
    """`janani up` on free ports with its data in `home`. Start it, kill it, start it again."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home, self.arguments = home, arguments
        self.ports = dict(zip(PARTS, free_ports(len(PARTS)), strict=True))
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.apart: dict[str, subprocess.Popen[str]] = {}
        self.program: dict[str, list[str]] = {}  # by part: what serves it instead of `janani`
        self.differing: dict[str, dict[str, str]] = {}  # by part: environment that only it sees

    def url(self, part: str) -> str:
        """Where `part` is reached."""
        return f"http://localhost:{self.ports[part]}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which `janani` commands mean this system."""
        settings = {"JANANI_HOME": str(self.home), "PYTHONUNBUFFERED": "1", "COLUMNS": "160"}
        for part, port in self.ports.items():
            settings[f"JANANI_{part.upper()}__PORT"] = str(port)
            settings[f"JANANI_{part.upper()}__URL"] = self.url(part)
            settings[f"JANANI_{part.upper()}__HERE"] = str(part not in self.apart).lower()
        return os.environ | settings

    def start(self, *, timeout: float = 240) -> float:
        """Starts it and waits until it says it is ready; the seconds that took."""
        began = time.monotonic()
        self.lines = []
        self.process = self._begin("up", *self.arguments, timeout=timeout)
        return time.monotonic() - began

    def take_apart(self, *parts: str) -> None:
        """Stops it, and starts it again with each of `parts` in a process of its own: `cut_off`, `bring_back`."""
        self.stop()
        for part in parts:
            self.bring_back(part)
        self.start()

    def cut_off(self, part: str) -> None:
        """`kill -9` of a part that has its own process."""
        self.apart[part].kill()
        self.apart[part].wait()

    def bring_back(self, part: str) -> None:
        """Starts a part in its own process, if it does not run, and waits until it is ready."""
        if part not in self.apart or self.apart[part].poll() is not None:
            self.apart[part] = self._begin("serve", part, timeout=240)

    def _begin(self, *arguments: str, timeout: float) -> "subprocess.Popen[str]":
        """`janani` with `arguments`, once it says it is ready."""
        began, ready = time.monotonic(), threading.Event()
        program, differing = self.program.get(arguments[-1], PROGRAM), self.differing.get(arguments[-1], {})
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            env=self.environment | differing,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, args=(process, ready), daemon=True).start()
        while not ready.wait(0.02):
            if process.poll() is not None or time.monotonic() - began > timeout:
                raise RuntimeError(f"janani {arguments[0]} did not become ready:\n" + "\n".join(self.lines[-40:]))
        return process

    def _read(self, process: "subprocess.Popen[str]", ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("ready"):
                ready.set()

    def kill(self, *, database: bool = False) -> None:
        """`kill -9` of the process, and of PostgreSQL too with `database`."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        if database:
            for server in self.postgres():
                with contextlib.suppress(psutil.NoSuchProcess):  # its own end was faster
                    server.kill()

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self.process is None or self.process.poll() is not None:
            return 0 if self.process is None else self.process.returncode
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(120)

    def destroy(self) -> None:
        """Stops everything, PostgreSQL too, however it stands."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        for part in self.apart:
            self.cut_off(part)
        for server in self.postgres():
            with contextlib.suppress(psutil.NoSuchProcess):
                server.kill()

    def postgres(self) -> list[psutil.Process]:
        """The PostgreSQL processes of this data folder."""
        pid_file = self.home / "postgres" / "postmaster.pid"
        try:
            master = psutil.Process(int(pid_file.read_text().split()[0]))
            return [master, *master.children(recursive=True)]
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return []

    def resident_megabytes(self) -> float:
        """Resident memory of the Python processes (MiB)."""
        assert self.process is not None
        own = psutil.Process(self.process.pid)
        family = [own, *(child for child in own.children(recursive=True) if "python" in child.name())]
        return sum(one.memory_info().rss for one in family) / 2**20


@functools.cache
def _beginning() -> Path:
    """An empty database and keys, which a first start makes in seconds: made once a process, copied for each system."""
    folder = Path(tempfile.mkdtemp(prefix="janani-beginning-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    server.stop()
    for name in KEYS:
        signing_key(folder / "secrets" / f"{name}.pem", create=True)
    return folder


@contextlib.contextmanager
def a_system(*arguments: str) -> Iterator[System]:
    """A running system in a folder of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="janani-system-") as folder:
        os.chmod(folder, 0o755)  # as root, PostgreSQL runs as another user
        one = System(Path(folder) / "home", *arguments)
        one.home.mkdir()
        for made in _beginning().iterdir():
            subprocess.run(["cp", "-a", made, one.home], check=True)  # as it is: PostgreSQL wants the owner it knows
        one.start()
        try:
            yield one
        finally:
            one.destroy()
