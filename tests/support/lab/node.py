"""One machine of the lab, a control node or a compute host: start it, enter it, start services in it, pull its plug.

Runs inside the lab's namespaces. What a node keeps over its death is under nodes/NAME/kept, its configuration (made
by the Ansible roles) under nodes/NAME/root/etc; everything else of it is in memory and goes with it.
"""

import signal
import sys
import uuid
from pathlib import Path

from . import network, process
from .errors import LabError
from .layout import CACHE, REPOSITORY, Lab, Node

HERE = Path(__file__).resolve().parent
KEPT = {
    "control": ["/var/lib/cuttle", "/var/log/cuttle"],
    "host": ["/var/lib/cuttle-compute", "/var/log/cuttle", "/var/lib/libvirt", "/var/log/libvirt"],
}
# What the machine itself may have there is not the node's.
CONFIGURED = ["/etc/cuttle", "/etc/libvirt", "/etc/ceph"]


def make_directories(lab: Lab, node: Node) -> None:
    """Where the roles write this node's files, and what the node keeps."""
    root = lab.node_directory(node) / "root"
    for path in CONFIGURED:
        (root / path.strip("/")).mkdir(parents=True, exist_ok=True)
    for store in _stores(lab, node).values():
        store.mkdir(parents=True, exist_ok=True)


def _stores(lab: Lab, node: Node) -> dict[str, Path]:
    directory = lab.node_directory(node)
    stores = {path: directory / "root" / path.strip("/") for path in CONFIGURED}
    stores |= {path: directory / "kept" / path.strip("/").replace("/", "-") for path in KEPT[node.kind]}
    if node.kind == "host":
        # What libvirt found out about QEMU takes it seconds; all hosts of all labs share it.
        stores["/var/cache/libvirt"] = CACHE / "libvirt"
    else:
        stores["/var/lib/cuttle/tls"] = lab.directory / "shared" / "tls"
    return stores


def start(lab: Lab, node: Node) -> int:
    """Make the node's namespaces and links; gives back the pid of its first process."""
    _write_identity(lab, node)
    command = [sys.executable, str(HERE / "node_init.py"), "--name", node.name]
    command += ["--repository", str(REPOSITORY), "--etc", str(lab.node_directory(node) / "root" / "etc")]
    for path, store in _stores(lab, node).items():
        command += ["--keep", f"{path}={store}"]
    pid = int(process.run(command))
    pid_file = lab.pid_file(node.name)
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(f"{pid}\n", encoding="ascii")
    network.disconnect_node(node)
    network.connect_node(lab, node, pid)
    return pid


def _write_identity(lab: Lab, node: Node) -> None:
    """The machine id stays; the boot id is new with every start, as after a real reboot."""
    etc = lab.node_directory(node) / "root" / "etc"
    machine_id = etc / "machine-id"
    if not machine_id.exists():
        machine_id.write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
    (etc / "cuttle" / "boot-id").write_text(f"{uuid.uuid4()}\n", encoding="ascii")
    (etc / "hostname").write_text(f"{node.name}\n", encoding="ascii")
    names = [f"{lab.addresses.control(other.last)} {other.name}\n" for other in lab.nodes]
    (etc / "hosts").write_text("127.0.0.1 localhost\n" + "".join(names), encoding="ascii")


def require(lab: Lab, node: Node) -> int:
    pid = process.read_pid(lab.pid_file(node.name))
    if pid is None:
        raise LabError(f"{node.name} is not running")
    return pid


def enter(pid: int) -> list[str]:
    """What to put before a command so that it runs in the node, with the node's own working directory."""
    return ["nsenter", "--target", str(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--wdns=/"]


def run(lab: Lab, node: Node, command: list[str], timeout: float = 120, secret: bool = False) -> str:
    """Run a command in the node to its end. `secret`: what it prints goes to no log."""
    log = lab.log / f"{node.name}-commands.log"
    return process.run(enter(require(lab, node)) + command, log, timeout=timeout, secret=secret)


def start_service(lab: Lab, node: Node, service: str, command: list[str]) -> None:
    """Start a daemon in the node; its output goes to log/NODE-SERVICE.log, its pid to pids/NODE-SERVICE."""
    log = lab.log / f"{node.name}-{service}.log"
    launch = [sys.executable, str(HERE / "launch.py"), "--node", str(require(lab, node)), "--log", str(log), "--", *command]
    lab.pid_file(f"{node.name}-{service}").write_text(process.run(launch), encoding="ascii")


def service_pid(lab: Lab, node: Node, service: str) -> int | None:
    return process.read_pid(lab.pid_file(f"{node.name}-{service}"))


def end_service(lab: Lab, node: Node, service: str, how: signal.Signals) -> bool:
    return process.end(lab.pid_file(f"{node.name}-{service}"), how, timeout=30)


def kill(lab: Lab, node: Node) -> bool:
    """Pull the plug: links first, so that no dying process can say goodbye to its peers, then everything at once."""
    pid_file = lab.pid_file(node.name)
    if process.read_pid(pid_file) is None:
        return False
    network.cut(node, list(network.PATHS))
    process.end(pid_file, signal.SIGKILL)
    network.disconnect_node(node)
    return True
