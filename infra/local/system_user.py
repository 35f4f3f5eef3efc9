"""Which user a database server runs as, and where its files may lie: PostgreSQL refuses to be root's."""

import functools
import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from infra.local.processes import SystemUser

# A checkout under a folder that only root may enter (/root, for one) cannot hold another user's data; this can.
ELSEWHERE = Path("/var/lib/eskit")


@functools.cache
def server_user() -> SystemUser | None:
    """None: run as ourselves. As root: the system's `postgres`, else a user of our own, else `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "eskit"):
        if (user := _look_up(name)) is not None:
            return user
    if (useradd := shutil.which("useradd")) is not None:
        subprocess.run([useradd, "--system", "--no-create-home", "eskit"], check=False, capture_output=True)
    user = _look_up("eskit") or _look_up("nobody")
    if user is None:
        raise PermissionError("PostgreSQL does not run as root, and this system has no user `postgres` or `nobody`")
    return user


def _look_up(name: str) -> SystemUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return SystemUser(name, entry.pw_uid, entry.pw_gid)


def reachable(path: Path, user: SystemUser) -> bool:
    """Whether the user may enter every folder above `path`."""
    return all(_may_enter(folder, user) for folder in path.absolute().parents)


def _may_enter(folder: Path, user: SystemUser) -> bool:
    status = folder.stat()
    if status.st_uid == user.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == user.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def place_for(path: Path, user: SystemUser | None) -> Path:
    """Where the user's files that belong at `path` really lie: there, or elsewhere when the user cannot get there.

    In the second case `path` becomes a symbolic link, so that whoever looks finds them.
    """
    path = path.absolute()
    if path.is_symlink() or user is None or reachable(path, user):
        return path.resolve()
    elsewhere = ELSEWHERE / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}-{path.name}"
    elsewhere.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.symlink_to(elsewhere)
    return elsewhere
