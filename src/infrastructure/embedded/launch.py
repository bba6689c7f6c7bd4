"""Turns into a server that ends when its parent ends; run as a script, never imported.

    python -I -S launch.py PARENT_PID DEATH_SIGNAL UID GID PROGRAM [ARGUMENT...]      (UID -1: stay who we are)

Linux sends a process the signal it asked for with PR_SET_PDEATHSIG when the thread that started it ends, however it
ends. The order of the steps is what makes it hold:

1. become the other user: a change of credentials clears the request;
2. give the signal its default action: Python's own SIGINT handler could note it and lose it in the exec;
3. ask for the signal;
4. look whether the parent is still there: one that died before step 3 sends nothing any more;
5. exec: keeps the request, unless the program is set-user-ID.

A script and not a `preexec_fn`: that one runs Python in the fork of a process that may have threads.
Elsewhere than on Linux steps 2 to 4 are left out; a server that outlives its parent is then ended by the next start
(see `leftover.py`).
Source: prctl(2), PR_SET_PDEATHSIG.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
FAILED = 127


def main(parent: int, death_signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Does not return: either this process is `command` afterwards, or it has ended."""
    try:
        if uid >= 0:
            become(uid, gid)
        if sys.platform == "linux":
            end_with(parent, death_signal)
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


def become(uid: int, gid: int) -> None:
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)


def end_with(parent: int, death_signal: int) -> None:
    signal.signal(death_signal, signal.SIG_DFL)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_PDEATHSIG is refused")
    if os.getppid() != parent:
        sys.exit(FAILED)


if __name__ == "__main__":
    parent, death_signal, uid, gid = map(int, sys.argv[1:5])
    main(parent, death_signal, uid, gid, sys.argv[5:])
