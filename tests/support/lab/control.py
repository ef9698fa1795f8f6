"""What makes a node a control node: `cuttle-api`, its initialisation, and the hosts that it lets in."""

import signal
import socket

from . import node as nodes
from . import process, secret_file
from .layout import Lab, Node

CONFIG = ["--config", "/etc/cuttle/api.toml"]
PUBLIC_PORT = 8774


def init(lab: Lab, control: Node) -> None:
    """Schema, pools, certificates, administrator: what is missing of them."""
    nodes.run(lab, control, [str(lab.binary("cuttle-api")), "init", *CONFIG])


def add_host(lab: Lab, control: Node, host: Node) -> None:
    """Let the host in, and give it its token, which the agent removes when it has joined."""
    token = nodes.run(lab, control, [str(lab.binary("cuttle-api")), "host", "add", *CONFIG, host.name], secret=True)
    secret_file.write(lab.node_directory(host) / "root/etc/cuttle/token", token)


def start(lab: Lab, control: Node) -> None:
    """Start serving, and wait until it answers."""
    nodes.start_service(lab, control, "api", [str(lab.binary("cuttle-api")), "serve", *CONFIG])
    address = lab.addresses.control(control.last)

    def answers() -> bool:
        process.require_alive(lab.pid_file(f"{control.name}-api"), f"cuttle-api of {control.name}", lab.log / f"{control.name}-api.log")
        try:
            socket.create_connection((address, PUBLIC_PORT), timeout=1).close()
        except OSError:
            return False
        return True

    process.wait_for(answers, 30, f"cuttle-api of {control.name} did not answer", [lab.log / f"{control.name}-api.log"])


def stop(lab: Lab, control: Node) -> bool:
    """In order: requests end, operations are handed over."""
    return nodes.end_service(lab, control, "api", signal.SIGTERM)


def url(lab: Lab, number: int = 1) -> str:
    return f"http://{lab.addresses.control(number + 1)}:{PUBLIC_PORT}"
