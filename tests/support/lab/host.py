"""What makes a node a compute host: libvirtd with virtlogd, and Cuttle's agent."""

import signal

from . import node as nodes
from . import process
from .layout import Lab, Node

def start(lab: Lab, host: Node) -> None:
    """The node and its libvirt, ready for commands. The agent is started apart from it."""
    nodes.start(lab, host)
    nodes.start_service(lab, host, "virtlogd", ["virtlogd"])
    start_libvirtd(lab, host)


def start_libvirtd(lab: Lab, host: Node) -> None:
    nodes.start_service(lab, host, "libvirtd", ["libvirtd"])


def wait_for_libvirt(lab: Lab, host: Node) -> None:
    pid = nodes.require(lab, host)

    def answers() -> bool:
        process.require_alive(lab.pid_file(f"{host.name}-libvirtd"), f"libvirtd of {host.name}", logs[0])
        return "QEMU" in process.run(nodes.enter(pid) + ["sh", "-c", "virsh -q version 2>/dev/null || true"], timeout=60)

    logs = [lab.log / f"{host.name}-libvirtd.log", lab.log / f"{host.name}-virtlogd.log"]
    process.wait_for(answers, 60, f"libvirtd of {host.name} did not answer", logs)


def learn_about_qemu(lab: Lab, host: Node) -> None:
    """Make libvirt find out what QEMU can do: some 15 s of both CPUs, once for all hosts and all labs, because they
    share the cache."""
    nodes.run(lab, host, ["virsh", "-q", "domcapabilities", "--virttype", "qemu"])


def start_agent(lab: Lab, host: Node) -> None:
    nodes.start_service(
        lab, host, "agent", [str(lab.binary("cuttle-compute")), "--config", "/etc/cuttle/compute.toml"]
    )


def kill_agent(lab: Lab, host: Node) -> bool:
    """End only the agent, without warning; guests and libvirtd live on."""
    return nodes.end_service(lab, host, "agent", signal.SIGKILL)


def kill_libvirtd(lab: Lab, host: Node) -> bool:
    """End only libvirtd, without warning; guests are no part of it and live on."""
    return nodes.end_service(lab, host, "libvirtd", signal.SIGKILL)
