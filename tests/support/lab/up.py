"""The way up, inside the lab's namespaces: what needs what, and everything else at the same time.

    networks ─┬─ Ceph: monitor ─► OSDs, manager ──────────────────────────┬─► init ─► API ─► agents ─► image, flavor
              └─ configuration (Ansible) ─┬─► nodes ─► libvirtd, tokens ──┘
                 PostgreSQL ──────────────┘
"""

import json
import os
from concurrent.futures import Future
from pathlib import Path

from . import ceph, control, deployment, guest_image, host, network, postgres, process, secret_file
from . import node as nodes
from .cloud import Cloud
from .layout import REPOSITORY, Lab, Node
from .phases import Phases, wait

CLIENT_CAPS = REPOSITORY / "ansible" / "roles" / "control" / "files" / "ceph-caps.json"
MARKER = "CUTTLE-GUEST-READY"


def bring_up(lab: Lab, boot: bool) -> None:
    os.umask(0o022)
    phases = Phases()
    phases.run("networks", network.make_bridges, lab)
    ceph.prepare(lab, json.loads(CLIENT_CAPS.read_text(encoding="utf-8")))
    cluster = phases.begin("Ceph", _start_ceph, lab)
    database = None
    if lab.database == "postgres":
        postgres.make_password(lab)
        database = phases.begin("PostgreSQL", postgres.start, lab)
    if lab.nodes:
        _bring_up_cuttle(lab, phases, cluster, database, boot)
    else:
        wait(*(one for one in (cluster, database) if one))
    print(f"lab {lab.name} is up in {phases.seconds:.1f} s", flush=True)


def _bring_up_cuttle(lab: Lab, phases: Phases, cluster: Future, database: Future | None, boot: bool) -> None:
    controls = [node for node in lab.nodes if node.kind == "control"]
    hosts = [node for node in lab.nodes if node.kind == "host"]
    deployment.make_admin_password(lab)
    for node in lab.nodes:
        nodes.make_directories(lab, node)
    phases.run("configuration by Ansible", deployment.configure, lab)
    starting = [phases.begin(f"{one.name} with libvirt", _start_host, lab, one) for one in hosts]
    learning = phases.begin("libvirt knows QEMU", _learn_about_qemu, lab, hosts[0], starting[0])
    wait(*(phases.begin(one.name, nodes.start, lab, one) for one in controls))
    if database:
        wait(database)
    wait(cluster)
    phases.run("pools, certificates, administrator", control.init, lab, controls[0])
    for one in hosts:
        control.add_host(lab, controls[0], one)
    wait(*(phases.begin(f"API on {one.name}", control.start, lab, one) for one in controls))
    cloud = Cloud(control.url(lab), admin_password(lab))
    write_openrc(lab)
    uploaded = phases.begin("image and flavor tiny", lambda: (cloud.image("tiny", guest_image.IMAGE), cloud.flavor()))
    wait(*starting, learning)
    for one in hosts:
        host.start_agent(lab, one)
    phases.run(f"{len(hosts)} hosts are enabled and up", wait_for_hosts, lab, cloud, hosts)
    image_id, flavor_id = wait(uploaded)[0]
    if boot:
        server = phases.run("instance first is ACTIVE", cloud.boot, "first", image_id, flavor_id)
        phases.run("its guest says that it runs", cloud.wait_for_console, server["id"], MARKER, 120)


def _start_ceph(lab: Lab) -> None:
    ceph.start_monitor(lab)
    identities = ceph.create_osds(lab)
    inner = Phases()
    starts = [inner.begin("", ceph.start_osd, lab, osd, identity) for osd, identity in enumerate(identities)]
    ceph.start_daemon(lab, "mgr", "x")
    wait(*starts)
    ceph.wait_until_usable(lab)


def _start_host(lab: Lab, one: Node) -> None:
    host.start(lab, one)
    host.wait_for_libvirt(lab, one)


def _learn_about_qemu(lab: Lab, one: Node, starting: Future) -> None:
    wait(starting)
    host.learn_about_qemu(lab, one)


def wait_for_hosts(lab: Lab, cloud: Cloud, hosts: list[Node]) -> None:
    def all_up() -> bool:
        for one in hosts:
            process.require_alive(lab.pid_file(f"{one.name}-agent"), f"the agent of {one.name}", lab.log / f"{one.name}-agent.log")
        up = cloud.hosts_up()
        return all(up.get(one.name) for one in hosts)

    logs = [lab.log / f"{one.name}-agent.log" for one in hosts] + [lab.log / "control1-api.log"]
    process.wait_for(all_up, 60, "not all hosts came up in Cuttle", logs)


def admin_password(lab: Lab) -> str:
    return (lab.secrets / "admin-password").read_text(encoding="ascii").strip()


def openstack_variables(lab: Lab) -> dict[str, str]:
    return {
        "OS_AUTH_URL": f"{control.url(lab)}/identity/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": admin_password(lab),
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": "RegionOne",
        "OS_IDENTITY_API_VERSION": "3",
    }


def write_openrc(lab: Lab) -> Path:
    lines = "".join(f"export {name}='{value}'\n" for name, value in openstack_variables(lab).items())
    if lab.binary("cuttle").exists():
        lab.programs.mkdir(exist_ok=True)
        (lab.programs / "cuttle").unlink(missing_ok=True)
        (lab.programs / "cuttle").symlink_to(lab.binary("cuttle"))
        lines += f"export PATH='{lab.programs}':\"$PATH\"\n"
    secret_file.write(lab.openrc, lines)
    return lab.openrc
