"""The last exec before a member's software: take its death certificate, drop, become it.

    python -I -S launcher.py --lock alive.lock [--uid U --gid G] [--cwd D] -- program arguments…

The lock's descriptor stays open across exec, so every descendant of the software holds it, however
it detaches itself. Whoever can take the lock afterwards knows that nothing of the engine lives.

With ``--exit-file F`` it stays as a small parent instead, and writes the command's exit code there:
a job outlives the agent that asked for it, and its end must still be known.

Exit codes of its own: 73 the lock is held, 127 no such program, 126 it may not be run.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from typing import NoReturn

LOCK_HELD = 73
NO_PROGRAM = 127
NOT_ALLOWED = 126
_PR_SET_NO_NEW_PRIVS = 38


def _options(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    split = arguments.index("--")
    pairs = iter(arguments[:split])
    return {name: next(pairs) for name in pairs}, arguments[split + 1 :]


def _take_lock(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f"cannot start: {path} is held by a living process\n")
        sys.exit(LOCK_HELD)
    os.set_inheritable(descriptor, True)


def _drop(uid: int, gid: int) -> None:
    import ctypes  # noqa: PLC0415  5 ms that an ordinary user's start need not pay

    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("cannot give up gaining privileges: prctl failed")


def _become(options: dict[str, str], argv: list[str]) -> NoReturn:
    os.umask(0o077)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    if "--uid" in options:
        _drop(int(options["--uid"]), int(options.get("--gid", options["--uid"])))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; the software must not
        signal.signal(ignored, signal.SIG_DFL)
    try:
        if "--cwd" in options:
            os.chdir(options["--cwd"])
        os.execvp(argv[0], argv)  # noqa: S606
    except FileNotFoundError as error:
        sys.stderr.write(f"cannot start {argv[0]}: {error}\n")
        sys.exit(NO_PROGRAM)
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]}: {error}\n")
        sys.exit(NOT_ALLOWED)


def _stay_and_record(options: dict[str, str], argv: list[str]) -> NoReturn:
    child = os.fork()
    if child == 0:
        _become(options, argv)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    path = options["--exit-file"]
    descriptor = os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, str(os.waitstatus_to_exitcode(status)).encode())
    os.fsync(descriptor)
    os.close(descriptor)
    os.replace(path + ".part", path)  # noqa: PTH105  pathlib would double the start
    sys.exit(0)


def main() -> NoReturn:
    options, argv = _options(sys.argv[1:])
    if "--lock" in options:
        _take_lock(options["--lock"])
    if "--exit-file" in options:
        _stay_and_record(options, argv)
    _become(options, argv)


if __name__ == "__main__":
    main()
