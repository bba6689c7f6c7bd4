"""Turns into the program given, which is killed when its parent ends; run as a script, never imported.

    python -I -S leash.py PARENT_PID PROGRAM [ARGUMENT...]

A process that the nemesis has stopped would sleep through any gentler signal. Linux only; elsewhere just the program.
Source: prctl(2), PR_SET_PDEATHSIG.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it ended before we could ask
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
