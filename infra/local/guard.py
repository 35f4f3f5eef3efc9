"""Becomes another program, one that dies with its parent: guard.py PARENT_PID SIGNAL UID GID PROGRAM [ARGUMENT ...]

It runs as a file of its own (python -I -S guard.py), so that no code has to run between fork and exec in a program
that may have threads. UID and GID are -1 to keep the caller's.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    program = arguments[4:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it. Other systems know nothing like it: there a stack whose
        # supervisor is killed with SIGKILL leaves its servers behind, and the next start says so or takes them over.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(f"guard: the parent {parent} is gone, so {program[0]} is not started")
    try:
        os.execvp(program[0], program)  # noqa: S606  no shell is wanted
    except OSError as error:
        sys.exit(f"guard: cannot run {program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
