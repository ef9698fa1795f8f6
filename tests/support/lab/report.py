"""What a lab says about itself: its status, and the variables that clients and tests need."""

import json
import os
import shlex

from . import ceph, control, outside, postgres, up
from .layout import REPOSITORY, Lab, load

SERVICES = {"control": ["api"], "host": ["libvirtd", "virtlogd", "agent"]}


def variables(lab: Lab) -> dict[str, str]:
    osds = outside.outer_pids(lab, ceph.osd_services(lab))
    values = {
        "CUTTLE_LAB": str(REPOSITORY / "lab"),
        "CUTTLE_LAB_NAME": lab.name,
        "CUTTLE_LAB_DIR": str(lab.directory),
        "CUTTLE_TEST_CEPH_CONF": str(lab.ceph_conf),
        "CUTTLE_TEST_OSD_PIDS": " ".join(str(pid) for pid in osds.values()),
    }
    if lab.database == "postgres":
        values["CUTTLE_TEST_POSTGRES"] = postgres.url(lab, "cuttle_test", with_password=True)
    path = os.environ.get("PATH", "")
    if lab.programs.exists() and str(lab.programs) not in path.split(":"):
        values["PATH"] = f"{lab.programs}:{path}"
    return values | (up.openstack_variables(lab) if lab.openrc.exists() else {})


def environment(lab: Lab) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables(lab).items())


def status(name: str, as_json: bool) -> int:
    """0 if the lab is up."""
    values = _status(name)
    if as_json:
        print(json.dumps(values, indent=1))
    else:
        _show(values)
    return 0 if values["up"] else 1


def _status(name: str) -> dict:
    lab = load(name)
    if lab is None or not lab.is_alive():
        return {"name": name, "up": False}
    services = {node.name: [node.name, *(f"{node.name}-{service}" for service in SERVICES[node.kind])] for node in lab.nodes}
    beside = ["ceph-mon.a", "ceph-mgr.x", *ceph.osd_services(lab), *(["postgres"] if lab.database == "postgres" else [])]
    pids = outside.outer_pids(lab, beside)
    running = outside.running(lab, [service for node in services.values() for service in node])
    return {
        "name": name,
        "up": lab.ready,
        "pid": lab.pid,
        "directory": str(lab.directory),
        "control": lab.addresses.control(0) + "/24",
        "storage": lab.addresses.storage(0) + "/24",
        "api": [control.url(lab, number + 1) for number in range(lab.control_nodes)] if lab.nodes else [],
        "services": {service: pids.get(service) for service in beside},
        "nodes": {
            node.name: {
                "running": running[node.name],
                "control": lab.addresses.control(node.last),
                "storage": lab.addresses.storage(node.last),
                "cut": lab.cut.get(node.name, []),
                "services": {service: running[f"{node.name}-{service}"] for service in SERVICES[node.kind]},
            }
            for node in lab.nodes
        },
    }


def _show(values: dict) -> None:
    if not values.get("pid"):
        print(f"lab {values['name']} is not up")
        return
    state = "up" if values["up"] else "not (fully) up"
    networks = f"{values['control']} {values['storage']}"
    print(f"lab {values['name']} is {state}; first process {values['pid']}, networks {networks}, files in {values['directory']}")
    print("  " + "  ".join(f"{service} {'runs' if pid else 'DEAD'}" for service, pid in values["services"].items()))
    for name, node in values["nodes"].items():
        services = "  ".join(f"{service} {'runs' if runs else 'DEAD'}" for service, runs in node["services"].items())
        cut = f"  cut: {', '.join(node['cut'])}" if node["cut"] else ""
        print(f"  {name:9} {node['control']:13} {node['storage']:13} {services if node['running'] else 'DEAD'}{cut}")
    for url in values["api"]:
        print(f"  API {url}")
