"""What happens outside the lab's namespaces: making them, looking in, and ending them."""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path

from . import kernel, network, process
from .errors import LabError
from .layout import REPOSITORY, Lab, load

HERE = Path(__file__).resolve().parent


def make(lab: Lab, while_pid: int | None) -> int:
    """Start the lab's first process and its links. Gives back a descriptor: the lab ends when that closes before
    "ready" was written to it."""
    lab.directory.mkdir(parents=True, exist_ok=True)
    lab.directory.chmod(0o700)
    shutil.rmtree(lab.log, ignore_errors=True)
    lab.log.mkdir()
    answer, told = os.pipe()
    watched, life = os.pipe()
    command = [sys.executable, str(HERE / "supervisor.py"), "--directory", str(lab.directory)]
    command += ["--repository", str(REPOSITORY), "--answer", str(told), "--life", str(watched)]
    if while_pid:
        command += ["--while-pid", str(while_pid)]
    with (lab.log / "supervisor.log").open("wb") as log:
        keeper = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=process.ENVIRONMENT, cwd="/",
            pass_fds=(told, watched), start_new_session=True,
        )
    os.close(told)
    os.close(watched)
    with os.fdopen(answer) as said:
        word, _, rest = said.readline().strip().partition(" ")
    if word != "pid":
        if word == "locked":
            raise LabError(f"a lab called {lab.name} is up already, or still ending: ./lab status, ./lab down")
        raise LabError(f"the lab's first process did not start: {word} {rest}", [str(lab.log / "supervisor.log")])
    lab.pid, lab.keeper = int(rest), keeper.pid
    lab.started = kernel.start_time(lab.pid) or 0
    lab.fsid = str(uuid.uuid4())
    lab.index = network.connect_outside(lab.pid)
    lab.links = network.outside_links(lab.index)
    lab.save()
    return life


def inside(lab: Lab, arguments: list[str]) -> list[str]:
    """The command that runs the lab's own command line again, in the lab's namespaces."""
    again = [sys.executable, str(REPOSITORY / "lab"), "--inside", "--name", lab.name, *arguments]
    return ["nsenter", "--target", str(lab.pid), "--mount", "--net", "--pid", f"--wdns={REPOSITORY}", *again]


def down(name: str) -> bool:
    """End the lab, whatever state it is in, and remove its files. False if there was nothing to end."""
    lab = load(name)
    if lab is None:
        return False
    alive = lab.is_alive()
    if alive:
        os.kill(lab.pid, signal.SIGKILL)
    process.wait_for(lambda: kernel.start_time(lab.pid) != lab.started, 30, f"the lab's first process {lab.pid} did not end")
    _wait_for_keeper(lab)
    network.remove_outside(lab.index, lab.links)
    remove_files(lab.directory)
    return alive


def _wait_for_keeper(lab: Lab) -> None:
    """It removes the lab's files; a new lab may come up only when it is gone."""
    command = Path(f"/proc/{lab.keeper}/cmdline")

    def gone() -> bool:
        try:
            return str(lab.directory).encode() not in command.read_bytes()
        except OSError:
            return True

    process.wait_for(gone, 60, "the lab's files are still being removed")


def remove_files(directory: Path) -> None:
    """Everything but other labs, which have their directories in the default lab's."""
    if not directory.exists():
        return
    others = [entry for entry in directory.iterdir() if (entry / ".lock").exists()]
    for entry in directory.iterdir():
        if entry not in others:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    if not others:
        directory.rmdir()


def outer_pids(lab: Lab, services: list[str]) -> dict[str, int]:
    """The machine's pids of those services beside the nodes that run. Their pid files count as the lab does."""
    namespace = os.readlink(f"/proc/{lab.pid}/ns/pid")
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "ns" / "pid") == namespace:
                found[_innermost(entry)] = int(entry.name)
        except OSError:
            continue
    pids = {service: process.recorded_pid(lab.pid_file(service)) for service in services}
    return {service: found[pid] for service, pid in pids.items() if pid in found}


def _innermost(entry: Path) -> int:
    """A process's pid in its own pid namespace: the last number of its NSpid line."""
    lines = (entry / "status").read_text(encoding="ascii", errors="replace").splitlines()
    return int(next(line for line in lines if line.startswith("NSpid:")).split()[-1])


def running(lab: Lab, services: list[str]) -> dict[str, bool]:
    """Which services run, those of nodes among them: looked up in the lab's own /proc."""
    proc = f"/proc/{lab.pid}/root/proc"
    pids = {service: process.recorded_pid(lab.pid_file(service)) for service in services}
    return {service: pid is not None and kernel.start_time(pid, proc) is not None for service, pid in pids.items()}
