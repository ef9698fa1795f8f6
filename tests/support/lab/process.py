"""Starting, waiting for and ending processes, with their output in files that a failure can show."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from . import kernel
from .errors import LabError

# Nothing of the user's shell gets in: a CEPH_CONF or a Python of their own must not change what the lab does.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}


def run(command: list[str], log: Path | None = None, stdin: str | None = None, timeout: float = 120,
        environment: dict[str, str] | None = None, secret: bool = False) -> str:
    """Run to the end and give back the standard output; a failure carries the end of what was said.

    `secret`: the standard output goes to no log.
    """
    try:
        done = subprocess.run(
            command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, env=environment or ENVIRONMENT,
            capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(command[:4])} did not end within {timeout:.0f} s") from error
    except FileNotFoundError as error:
        raise LabError(f"the program {command[0]} is missing") from error
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n{'' if secret else done.stdout}{done.stderr}")
    if done.returncode != 0:
        said = "\n".join((done.stderr or ("" if secret else done.stdout)).strip().splitlines()[-8:])
        raise LabError(f"{' '.join(command[:6])} failed with status {done.returncode}: {said}")
    return done.stdout


def start(command: list[str], log: Path, pid_file: Path, user: str | None = None) -> int:
    """Start a process that stays, in its own session. It becomes a child of the lab's pid 1 when the caller ends."""
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=ENVIRONMENT, cwd="/",
            start_new_session=True, user=user, group=user, extra_groups=[] if user else None,
        )
    pid_file.write_text(f"{process.pid}\n", encoding="ascii")
    return process.pid


def recorded_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def read_pid(pid_file: Path) -> int | None:
    """The pid in the file if that process is still there (a zombie is not)."""
    pid = recorded_pid(pid_file)
    return pid if pid is not None and kernel.start_time(pid) is not None else None


def require_alive(pid_file: Path, what: str, log: Path) -> None:
    """Don't wait for the answer of a process that has ended."""
    if read_pid(pid_file) is None:
        raise LabError(f"{what} ended", [str(log)])


def end(pid_file: Path, how: signal.Signals, timeout: float = 15) -> bool:
    """Send the signal and wait for the end; False if the process was not there."""
    pid = read_pid(pid_file)
    if pid is None:
        return False
    os.kill(pid, how)
    wait_for(lambda: read_pid(pid_file) is None, timeout, f"process {pid} did not end on {how.name}")
    return True


def wait_for(condition: Callable[[], bool], timeout: float, failure: str, logs: list[Path] | None = None) -> None:
    """Poll for something that nothing can announce (a socket to appear, a daemon to answer)."""
    deadline = time.monotonic() + timeout
    pause = 0.02
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{failure} within {timeout:.0f} s", [str(log) for log in logs or []])
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)


def tail(path: Path, lines: int) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []
