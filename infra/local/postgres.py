"""One PostgreSQL server on the loopback address, with a data folder of its own, driven by its own programs."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import psycopg

from infra.local import processes
from infra.local.ports import LOOPBACK, free_port
from infra.local.postgres_binaries import Binaries, find_binaries, usable_by
from infra.local.processes import Program, Server
from infra.local.system_user import place_for, server_user

SUPERUSER = "postgres"
START_TIMEOUT_S = 60.0  # replaying the log after a crash takes its time
STOP_TIMEOUT_S = 5.0

StopMode = Literal["fast", "immediate"]
STOP_SIGNALS: Mapping[StopMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresError(Exception):
    """The server did not start; the message ends with the last lines of its log."""


class PostgresServer:
    """A server that can be started, stopped, killed and started again: same port, same data, same password.

    `data_dir` is made when absent. Beside it: its log (`<data_dir>.log`) and the superuser's password
    (`<data_dir>.password`, readable by its owner only). fsync stays on: what was committed is durable.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.port = port or free_port()
        self._settings = dict(settings or {})
        self._named = data_dir.absolute()
        self._named.parent.mkdir(parents=True, exist_ok=True)
        self._user = server_user()
        self.data_dir = place_for(self._named, self._user)
        self._server = Server(self._named.with_name(f"{self._named.name}.log"))
        self._binaries: Binaries = usable_by(find_binaries(major=_major_of(self.data_dir)), self._user)
        self._password_file = self._named.with_name(f"{self._named.name}.password")
        self._password = self._keep_password()

    @property
    def description(self) -> str:
        """For people: version and origin."""
        return self._binaries.description

    @property
    def url(self) -> str:
        """Of the database `postgres`, as its superuser."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def alive(self) -> bool:
        return self._server.alive()

    def start(self) -> None:
        """Return when the server answers; PostgresError when it does not come up."""
        if self.alive():
            return
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialize()
        self._take_over()
        # A server whose backends have just been killed may find their shared memory still in use: then once more.
        if not self._launch() and not self._launch():
            raise PostgresError(f"PostgreSQL did not start:\n{self._server.last_words()}")

    def stop(self, mode: StopMode = "fast", *, grace_s: float = STOP_TIMEOUT_S) -> None:
        """End the server: `fast` writes a checkpoint, `immediate` is a crash that the next start recovers from."""
        self._server.stop(STOP_SIGNALS[mode], grace_s=grace_s)

    def kill(self) -> None:
        """SIGKILL to the server; its backends notice and leave."""
        self._server.kill()

    def ensure_database(self, name: str) -> str:
        """The URL of a database of that name, made when it is not there."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if found is None:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return self.url_of(name)

    def remove(self) -> None:
        """Throw the stopped server's data, log and password away."""
        shutil.rmtree(self.data_dir, ignore_errors=True)
        for file in (self._named, self._server.log, self._password_file):
            if file.is_symlink() or file.is_file():
                file.unlink()

    def _keep_password(self) -> str:
        path = self._password_file
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text()

    def _initialize(self) -> None:
        """Make the data folder: under another name first, so that an interrupted initdb leaves nothing half-made."""
        unfinished = self.data_dir.with_name(f"{self.data_dir.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password = unfinished.with_name(f"{unfinished.name}.password")
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(self._password)
        if self._user is not None:
            os.chown(unfinished, self._user.uid, self._user.gid)
            os.chown(password, self._user.uid, self._user.gid)
        try:
            self._run_initdb(unfinished, password)
        finally:
            password.unlink()
        unfinished.rename(self.data_dir)

    def _run_initdb(self, folder: Path, password: Path) -> None:
        who = ("--username", SUPERUSER, "--auth", "scram-sha-256", "--pwfile", str(password))
        what = ("--encoding", "UTF8", "--locale", "C", "--pgdata", str(folder))
        program = Program((str(self._binaries.folder / "initdb"), *what, *who), cwd=folder, user=self._user)
        initdb = Server(self._server.log)
        process = initdb.launch(program)
        try:
            process.wait(START_TIMEOUT_S)
        finally:
            initdb.kill()  # nothing to do where it has ended
        if process.returncode != 0:
            raise PostgresError(f"initdb failed:\n{initdb.last_words()}")

    def _take_over(self) -> None:
        """Deal with the lock file of a server that was killed, or that lost its supervisor.

        PostgreSQL itself refuses to start when the number in the file is some process of today. We look closer: stop
        a server that really works on our data, throw the file away otherwise.
        """
        lock = self.data_dir / "postmaster.pid"
        if not lock.exists():
            return
        pid = int(lock.read_text().split("\n", 1)[0])
        if str(self.data_dir) not in _command_line(pid):
            lock.unlink()
            return
        os.kill(pid, signal.SIGINT)
        if not processes.wait_for(lambda: not lock.exists(), timeout_s=STOP_TIMEOUT_S):
            raise PostgresError(f"another server (process {pid}) works on {self.data_dir} and does not stop")

    def _launch(self) -> bool:
        """Start the server once; False when it ended instead of answering."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            **self._settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        program = Program(
            (str(self._binaries.folder / "postgres"), "-D", str(self.data_dir), *options),
            cwd=self.data_dir,
            user=self._user,
            death_signal=STOP_SIGNALS["fast"],
        )
        self._server.launch(program)
        return self._server.wait_until(self._answers, timeout_s=START_TIMEOUT_S)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _major_of(data: Path) -> int | None:
    """The version that made a data folder, None when there is none yet."""
    file = data / "PG_VERSION"
    return int(file.read_text()) if file.exists() else None


def _command_line(pid: int) -> str:
    """What a process was started with; empty when there is none."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        return proc.read_text().replace("\0", " ") if proc.exists() else ""
    asked = subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return asked.stdout
