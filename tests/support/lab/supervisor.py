"""The lab's first process, and the keeper that waits for its end.

    keeper (outside; holds the lock) ── fork ──► pid 1 of the lab's namespaces ──► everything else

The kernel ends every process of a pid namespace when its pid 1 ends, and takes the network namespace with its bridges
and links along. So pid 1 only reaps, and ends when it is told to (SIGTERM), when the `up` that made it goes away
before it said "ready", or when the owner given by --while-pid ends. Nothing polls. The keeper then removes the
lab's files, all but the logs. The descriptors' numbers come as arguments, because only `cli` starts this.
"""

import argparse
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import kernel, layout, network, private_root  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--answer", type=int, required=True, help="descriptor: where the pid, or an error, is written")
    parser.add_argument("--life", type=int, required=True, help="descriptor: 'ready' comes here, or its end")
    parser.add_argument("--while-pid", type=int)
    arguments = parser.parse_args()

    lock = os.open(arguments.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        owner = os.pidfd_open(arguments.while_pid) if arguments.while_pid else None
    except BlockingIOError:
        return _refuse(arguments.answer, "locked")
    except ProcessLookupError:
        return _refuse(arguments.answer, f"there is no process {arguments.while_pid} to wait for")
    _clear(arguments.directory)
    kernel.unshare(kernel.NEWPID | kernel.NEWNS | kernel.NEWNET)
    up, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(lock)
        os.close(up)
        os._exit(_first_process(arguments, owner, told))
    os.close(told)
    os.close(arguments.life)
    if os.read(up, 16) == b"up":
        os.write(arguments.answer, f"pid {child}\n".encode())
    os.close(arguments.answer)
    os.waitpid(child, 0)
    lab = layout.read(arguments.directory)
    if lab is not None and lab.pid == child:
        network.remove_outside(lab.index, lab.links)
    _clear(arguments.directory)
    return 0


def _refuse(answer: int, why: str) -> int:
    os.write(answer, f"{why}\n".encode())
    return 1


def _clear(directory: Path) -> None:
    """Remove what a lab made, but not its logs, nor the lock and the labs of other names."""
    for entry in directory.iterdir():
        if entry.name in ("log", ".lock") or (entry / ".lock").exists():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _first_process(arguments: argparse.Namespace, owner: int | None, told: int) -> int:
    os.setsid()
    os.close(arguments.answer)
    ceph = arguments.directory / "ceph" / "etc"
    database = arguments.directory / "postgres"
    for directory in (ceph, database):
        directory.mkdir(parents=True, exist_ok=True)
    private_root.make(arguments.repository, {}, {"/etc/ceph": ceph, "/var/lib/cuttle-lab-postgres": database})
    os.mkdir("/run/ceph")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    network.forget_orphans_soon()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    os.write(told, b"up")
    os.close(told)
    return _wait(arguments.life, owner, wake_read)


def _wait(life: int, owner: int | None, wake: int) -> int:
    poll = select.poll()
    for descriptor in (life, owner, wake):
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == owner:
                return 0
            if descriptor == life:
                if os.read(life, 16) != b"ready":
                    return 1
                poll.unregister(life)
            elif signal.SIGTERM in os.read(wake, 256):
                return 0
        reap()


def reap() -> None:
    """Collect every child that has ended; orphans of the namespace are this process's children."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    sys.exit(main())
