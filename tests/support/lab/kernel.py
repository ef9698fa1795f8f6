"""The few system calls that Python 3.11 has no function for: namespaces, mounts, the host name."""

import ctypes
import os

NEWNS = 0x00020000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWPID = 0x20000000
NEWNET = 0x40000000

MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_NOSUID = 0x2
MS_NODEV = 0x4

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the named namespaces; a new pid namespace holds only children made after this."""
    _check(_libc.unshare(flags), "unshare")


def join(pid: int, flags: int) -> None:
    """Enter the named namespaces of `pid`; its pid namespace holds only children made after this."""
    descriptor = os.pidfd_open(pid)
    try:
        _check(_libc.setns(descriptor, flags), f"enter the namespaces of process {pid}")
    finally:
        os.close(descriptor)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    _check(
        _libc.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None),
        f"mount {source} on {target}",
    )


def bind(source: str, target: str) -> None:
    mount(source, target, flags=MS_BIND | MS_REC)


def unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), 0), f"unmount {target}")


def die_with_parent() -> None:
    """The calling process is killed when the thread that made it ends."""
    _check(_libc.prctl(1, 9, 0, 0, 0), "prctl(PR_SET_PDEATHSIG, SIGKILL)")


def set_host_name(name: str) -> None:
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), "set the host name")


def start_time(pid: int, proc: str = "/proc") -> int | None:
    """When `pid` started, in clock ticks since boot, or None if there is no such process or it is a zombie.

    Pid and start time together name a process for good; a pid alone is given out again.
    """
    try:
        with open(f"{proc}/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
