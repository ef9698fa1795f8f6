"""The tree of files that every machine starts from: Debian of this machine's release, with what the roles would install.

The machines have no way to a mirror, so the packages that the roles ask for are in the tree already; that the roles
install them where they are missing is what ./quickstart and ./check show on this machine.
"""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml

from lab import process
from lab.errors import LabError
from lab.layout import CACHE, REPOSITORY

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What a server's installation has, and Ansible needs.
SYSTEM = [
    "systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "python3", "sudo", "iproute2", "procps", "kmod",
    "apparmor", "ca-certificates",
]


def require(log: Path) -> Path:
    """The tree, made now if it is not there or was made from other lists."""
    lists = _lists()
    release, mirror = _release()
    recipe = json.dumps([SYSTEM, lists, release, mirror, 2], sort_keys=True)
    tree = CACHE / "machine" / hashlib.sha256(recipe.encode()).hexdigest()[:16]
    if tree.exists():
        return tree
    if tree.parent.exists():
        shutil.rmtree(tree.parent)
    tree.parent.mkdir(parents=True)
    new = tree.with_suffix(".new")
    suites = [release, f"{release}-updates"] + ([f"{release}-backports"] if release == "bookworm" else [])
    sources = [f"deb [signed-by={KEYRING}] {mirror} {suite} main" for suite in suites]
    late = "--target-release=bookworm-backports" if release == "bookworm" else "--no-install-recommends"
    install = f"DEBIAN_FRONTEND=noninteractive chroot \"$1\" apt-get install --yes --quiet --no-install-recommends {late} "
    command = [
        "mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(SYSTEM + lists['packages_ceph_client'])}",
        f"--customize-hook={install}{' '.join(lists['packages_virtualization'])}", release, str(new), *sources,
    ]
    process.run(command, log, timeout=1800)
    _settle(new)
    new.rename(tree)
    return tree


def _lists() -> dict[str, list[str]]:
    defaults = REPOSITORY / "ansible" / "roles" / "packages" / "defaults" / "main.yml"
    return {name: value for name, value in yaml.safe_load(defaults.read_text(encoding="utf-8")).items() if name.startswith("packages_")
            and name in ("packages_ceph_client", "packages_virtualization")}


def _release() -> tuple[str, str]:
    """This machine's release, and the mirror that its apt uses."""
    release = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(encoding="utf-8"), re.M)
    policy = subprocess.run(["apt-cache", "policy"], capture_output=True, text=True, check=True, env=process.ENVIRONMENT).stdout
    mirror = release and re.search(rf"(\S+) {release[1]}/main ", policy)
    if not mirror:
        raise LabError("apt knows no mirror of this machine's Debian release")
    return release[1], mirror[1]


def _settle(tree: Path) -> None:
    """What an installer would have set: nobody waits for a network that comes from outside."""
    for unit in ("systemd-networkd-wait-online.service", "libvirt-guests.service"):
        (tree / "etc" / "systemd" / "system" / unit).symlink_to("/dev/null")
    # Empty, not absent: systemd makes one at each machine's first boot, and changes nothing else.
    (tree / "etc" / "machine-id").write_text("", encoding="ascii")
