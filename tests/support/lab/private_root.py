"""A file system of one's own for the lab and for each of its nodes, without copying the machine's.

`/etc` and `/var` become overlays whose changes go to memory, `/run` is empty: whatever is created or mounted there
leaves no trace on the machine, not even an empty directory. What must outlive a node's death is bound from `kept`.
Needs mount, pid and network namespaces of its own.
"""

import os
from pathlib import Path

from . import kernel


def make(repository: Path, layers: dict[str, Path], kept: dict[str, Path]) -> None:
    """`layers` lays a directory's files over /etc or /var; `kept` maps a path such as /var/lib/cuttle to its store."""
    # A repository under /var (a CI worker's, say) must stay the real one, so it is held open and bound back.
    real = os.open(repository, os.O_PATH)
    stores = {target: os.open(source, os.O_PATH) for target, source in kept.items()}
    lower = {target: os.open(source, os.O_PATH) for target, source in layers.items()}
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV)
    # The machine's /sys shows the machine's network links; one that is mounted now shows this namespace's.
    kernel.mount("sysfs", "/sys", "sysfs", kernel.MS_NOSUID | kernel.MS_NODEV)
    kernel.mount("run", "/run", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    for directory in ("lock", "overlay"):
        os.mkdir(f"/run/{directory}")
    for target in ("/etc", "/var"):
        _overlay(target, lower.get(target))
    if any(str(repository).startswith(f"{top}/") for top in ("/etc", "/var", "/run")):
        os.makedirs(repository, exist_ok=True)
        kernel.bind(f"/proc/self/fd/{real}", str(repository))
    for target, store in stores.items():
        os.makedirs(target, exist_ok=True)
        kernel.bind(f"/proc/self/fd/{store}", target)
    for descriptor in (real, *stores.values(), *lower.values()):
        os.close(descriptor)


def _overlay(target: str, layer: int | None) -> None:
    memory = f"/run/overlay{target}"
    os.makedirs(f"{memory}/upper")
    os.makedirs(f"{memory}/work")
    # The upper directory becomes the mount's root: keep the mode that the machine's own directory has.
    os.chmod(f"{memory}/upper", os.stat(target).st_mode & 0o7777)
    # By its descriptor: a path could hold the characters that separate these options.
    lower = target if layer is None else f"/proc/self/fd/{layer}:{target}"
    kernel.mount("overlay", target, "overlay", 0, f"lowerdir={lower},upperdir={memory}/upper,workdir={memory}/work")
