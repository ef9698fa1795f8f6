"""The lab's two networks: bridges br-ctl and br-sto in the lab's network namespace, a link to each from every node.

    root namespace            lab's namespace                         node's namespace
    cuttleK  .254 ─────────── up-ctl ┐                    ctl-host1 ── control0  .11
                                     ├─ br-ctl .1 ────────┘
    cuttleKs .254 ─────────── up-sto ┐                    sto-host1 ── storage0  .11
                                     └─ br-sto .1 ────────┘
A path is cut by taking down the bridge's side of its link, as if somebody pulled the cable.
"""

import subprocess
from pathlib import Path

from .errors import LabError
from .layout import Addresses, Lab, Node
from .process import run

PATHS = {"control": ("ctl", "br-ctl"), "storage": ("sto", "br-sto")}


def _ip(*arguments: str) -> str:
    return run(["ip", *arguments])


def connect_outside(pid: int) -> int:
    """Give the lab at `pid` a free number and links into its namespace. The name of the link is the claim."""
    used = _ip("-4", "-o", "addr", "show") + _ip("-4", "route", "show")
    for index in range(100):
        addresses = Addresses(index)
        if addresses.control(254).rpartition(".")[0] + "." in used or addresses.storage(254).rpartition(".")[0] + "." in used:
            continue
        claim = ["ip", "link", "add", f"cuttle{index}", "type", "veth", "peer", "name", "up-ctl", "netns", str(pid)]
        if subprocess.run(claim, capture_output=True, check=False).returncode != 0:
            continue
        _ip("link", "add", f"cuttle{index}s", "type", "veth", "peer", "name", "up-sto", "netns", str(pid))
        for link, address in ((f"cuttle{index}", addresses.control(254)), (f"cuttle{index}s", addresses.storage(254))):
            _ip("addr", "add", f"{address}/24", "dev", link)
            _ip("link", "set", link, "up")
        return index
    raise LabError("no free pair of networks 10.77.x.0/24 and 10.78.x.0/24, or no right to make network links")


def outside_links(index: int) -> dict[str, int]:
    """The lab's links in the machine's own namespace, with the numbers that no later link will have."""
    found = {}
    for link in (f"cuttle{index}", f"cuttle{index}s"):
        try:
            found[link] = int(Path(f"/sys/class/net/{link}/ifindex").read_text(encoding="ascii"))
        except OSError:
            continue
    return found


def remove_outside(index: int, links: dict[str, int]) -> None:
    """Remove the links that are still the same. The kernel does it too, but late: a socket that waits for an answer to
    its goodbye keeps its namespace."""
    for link, number in outside_links(index).items():
        if links.get(link) == number:
            subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)


def forget_orphans_soon() -> None:
    """In this network namespace, sockets whose process is gone give up after one try, not after minutes."""
    Path("/proc/sys/net/ipv4/tcp_orphan_retries").write_text("1\n", encoding="ascii")


def make_bridges(lab: Lab) -> None:
    for bridge, address, uplink in (
        ("br-ctl", lab.addresses.control(1), "up-ctl"),
        ("br-sto", lab.addresses.storage(1), "up-sto"),
    ):
        # Its own, not that of one of its ports: when that one goes, all nodes would look for the bridge's address (PostgreSQL
        # and Ceph) at a place that is no more, for tens of seconds.
        _ip("link", "add", bridge, "address", hardware_address(address), "type", "bridge")
        _ip("addr", "add", f"{address}/24", "dev", bridge)
        _ip("link", "set", uplink, "master", bridge, "up")
        _ip("link", "set", bridge, "up")


def connect_node(lab: Lab, node: Node, pid: int) -> None:
    """`pid` is the node's first process, in the lab's own counting."""
    for path, address in (("control", lab.addresses.control(node.last)), ("storage", lab.addresses.storage(node.last))):
        short, bridge = PATHS[path]
        _ip("link", "add", f"{short}-{node.name}", "type", "veth", "peer", "name", f"{path}0", "netns", str(pid))
        _ip("link", "set", f"{short}-{node.name}", "master", bridge, "up")
        inside = ["nsenter", "--target", str(pid), "--net", "ip"]
        # The same after every restart: a peer's memory of the old one would keep the node unreachable for half a minute.
        run([*inside, "link", "set", f"{path}0", "address", hardware_address(address)])
        run([*inside, "addr", "add", f"{address}/24", "dev", f"{path}0"])
        run([*inside, "link", "set", f"{path}0", "up"])


def hardware_address(address: str) -> str:
    """Locally administered, from the IP address."""
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def cut(node: Node, paths: list[str]) -> None:
    for path in paths:
        _ip("link", "set", f"{PATHS[path][0]}-{node.name}", "down")


def heal(node: Node, paths: list[str]) -> None:
    for path in paths:
        _ip("link", "set", f"{PATHS[path][0]}-{node.name}", "up")


def disconnect_node(node: Node) -> None:
    """Remove the links at once; the kernel would do it too, some time after the node's namespace is gone."""
    for short, _ in PATHS.values():
        subprocess.run(["ip", "link", "del", f"{short}-{node.name}"], capture_output=True, check=False)
