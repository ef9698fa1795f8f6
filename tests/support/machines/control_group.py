"""The control group that all processes of one machine are in.

A machine's systemd takes the group that it is started in for the whole tree. Two machines in one group would be in each
other's services: stopping a service on one removes the group, and kills the processes, of the same service on the other.
"""

import os
from pathlib import Path

from lab import process
from lab.errors import LabError


class ControlGroup:
    """Below this process's own group, so that whoever limits or ends that one reaches the machines too."""

    def __init__(self, name: str):
        self._path = _own() / name

    def make(self) -> None:
        # An earlier machine of that name may have lost its keeper before it could tidy up.
        self.remove()
        self._path.mkdir()

    def enter(self) -> None:
        """Puts the calling process in it, and all that it starts."""
        (self._path / "cgroup.procs").write_text("0", encoding="ascii")

    def remove(self) -> None:
        """Kills whatever is in it."""
        if not self._path.exists():
            return
        (self._path / "cgroup.kill").write_text("1", encoding="ascii")
        process.wait_for(self._is_empty, 30, f"processes of {self._path.name} did not end")
        for directory, _, _ in os.walk(self._path, topdown=False):
            os.rmdir(directory)

    def _is_empty(self) -> bool:
        return "populated 0" in (self._path / "cgroup.events").read_text(encoding="ascii").splitlines()


def _own() -> Path:
    """The directory of this process's group in the unified hierarchy."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())
    root = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if root is None:
        raise LabError("this machine has no unified hierarchy of control groups mounted")
    groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    group = next(line.removeprefix("0::") for line in groups if line.startswith("0::"))
    return root / group.lstrip("/")
