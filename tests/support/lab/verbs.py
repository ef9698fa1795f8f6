"""What each verb does inside the lab's namespaces, and what it says it did."""

import argparse
import glob
import os
import signal
import sys

from . import ceph, control, first, host, network, process, up
from . import node as nodes
from .errors import LabError
from .layout import Lab, load


def run(options: argparse.Namespace) -> int:
    lab = load(options.name)
    if lab is None:
        raise LabError("this lab has no state")
    if options.verb == "up":
        up.bring_up(lab, options.boot)
    elif options.verb == "exec":
        _execute(lab, options.where, options.command)
    elif options.verb == "first":
        first.show(lab)
    elif options.verb == "console":
        _console(lab, options.instance)
    else:
        print({"host": _host, "control": _control, "agent": _agent, "libvirtd": _libvirtd, "ceph": _ceph}[options.verb](lab, options))
    return 0


def _host(lab: Lab, options: argparse.Namespace) -> str:
    one = lab.host(options.number)
    if options.action == "kill":
        _remember_cut(lab, one.name, [])
        return f"{one.name} is dead: everything in it was killed at once" if nodes.kill(lab, one) else f"{one.name} was dead already"
    if options.action == "start":
        if process.read_pid(lab.pid_file(one.name)) is not None:
            return f"{one.name} is running already"
        host.start(lab, one)
        host.wait_for_libvirt(lab, one)
        host.start_agent(lab, one)
        return f"{one.name} is started, with a new boot id; its agent says hello by itself"
    nodes.require(lab, one)
    if options.action == "cut":
        paths = list(network.PATHS) if options.path == "both" else [options.path]
        network.cut(one, paths)
        _remember_cut(lab, one.name, sorted({*lab.cut.get(one.name, []), *paths}))
        return f"{one.name}: {' and '.join(paths)} cut"
    network.heal(one, list(network.PATHS))
    _remember_cut(lab, one.name, [])
    return f"{one.name}: both paths are whole"


def _remember_cut(lab: Lab, name: str, paths: list[str]) -> None:
    lab.cut[name] = paths
    lab.save()


def _control(lab: Lab, options: argparse.Namespace) -> str:
    one = lab.control_node(options.number)
    if options.action == "kill":
        return f"{one.name} is dead: everything in it was killed at once" if nodes.kill(lab, one) else f"{one.name} was dead already"
    if options.action == "stop":
        return f"{one.name}: cuttle-api ended in order" if control.stop(lab, one) else f"{one.name}: cuttle-api was not running"
    if process.read_pid(lab.pid_file(one.name)) is None:
        nodes.start(lab, one)
    elif nodes.service_pid(lab, one, "api") is not None:
        return f"{one.name}: cuttle-api is running already"
    control.start(lab, one)
    return f"{one.name}: cuttle-api answers"


def _agent(lab: Lab, options: argparse.Namespace) -> str:
    one = lab.host(options.number)
    nodes.require(lab, one)
    if options.action == "kill":
        killed = host.kill_agent(lab, one)
        return f"{one.name}: {'the agent was killed; libvirtd and guests live on' if killed else 'no agent was running'}"
    if nodes.service_pid(lab, one, "agent") is not None:
        return f"{one.name}: the agent is running already"
    host.start_agent(lab, one)
    return f"{one.name}: the agent is started"


def _libvirtd(lab: Lab, options: argparse.Namespace) -> str:
    one = lab.host(options.number)
    nodes.require(lab, one)
    if options.action == "kill":
        killed = host.kill_libvirtd(lab, one)
        return f"{one.name}: {'libvirtd was killed; guests live on' if killed else 'no libvirtd was running'}"
    if nodes.service_pid(lab, one, "libvirtd") is not None:
        return f"{one.name}: libvirtd is running already"
    host.start_libvirtd(lab, one)
    host.wait_for_libvirt(lab, one)
    return f"{one.name}: libvirtd answers"


def _ceph(lab: Lab, options: argparse.Namespace) -> str:
    name = options.daemon
    if name not in ["mon.a", "mgr.x", *(f"osd.{osd}" for osd in range(lab.osds))]:
        raise LabError(f"this lab has no {name}")
    pid_file = lab.pid_file(f"ceph-{name}")
    if options.action == "kill":
        return f"{name} was killed" if process.end(pid_file, signal.SIGKILL) else f"{name} was dead already"
    if options.action == "start":
        if process.read_pid(pid_file) is not None:
            return f"{name} is running already"
        ceph.start_daemon(lab, *name.split("."))
        return f"{name} is started"
    pid = process.read_pid(pid_file)
    if pid is None:
        raise LabError(f"{name} is dead")
    os.kill(pid, signal.SIGSTOP if options.action == "freeze" else signal.SIGCONT)
    return f"{name} {'is frozen' if options.action == 'freeze' else 'goes on'}"


def _console(lab: Lab, instance: str) -> None:
    """From the hosts' disks, so that it works with every process dead; the newest where several hosts had the guest."""
    pattern = f"nodes/*/kept/var-lib-cuttle-compute/instances/{glob.escape(instance)}/console.log"
    logs = sorted(lab.directory.glob(pattern), key=lambda log: log.stat().st_mtime)
    if not logs:
        raise LabError(f"no host has a console of an instance with the id {instance}")
    sys.stdout.buffer.write(logs[-1].read_bytes())
    sys.stdout.flush()


def _execute(lab: Lab, where: str, command: list[str]) -> None:
    """Become the command; what follows is its business."""
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        raise LabError("exec needs a command: ./lab exec 1 -- virsh list")
    if where == "ceph":
        os.execvpe(command[0], command, os.environ | {"CEPH_CONF": str(lab.ceph_conf)})
    if where.isdigit():
        one = lab.host(int(where))
    else:
        named = {node.name: node for node in lab.nodes}
        if where not in named:
            raise LabError(f"exec where? A host's number, {', '.join(named)}, or ceph; not {where}")
        one = named[where]
    inside = nodes.enter(nodes.require(lab, one)) + command
    os.execvp(inside[0], inside)


