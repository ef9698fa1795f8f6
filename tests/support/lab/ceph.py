"""A small real Ceph: one monitor, one manager, OSDs on sparse files, cephx on.

All keys are made beforehand and given to the monitor with its first map, so that no daemon waits for another's key.
The daemons listen on the lab's own storage address; racks and hosts of the CRUSH map are made up by each OSD's
`crush_location`.
"""

import base64
import json
import os
import struct
import time
import uuid

from . import process, secret_file
from .layout import Lab
from .process import run, wait_for

CLIENT = "client.cuttle"


def make_key() -> str:
    """A cephx key: type 1 (AES), the time, the length, 16 random bytes."""
    return base64.b64encode(struct.pack("<HIIH", 1, int(time.time()), 0, 16) + os.urandom(16)).decode()


def crush_location(lab: Lab, host: int) -> str:
    """Hosts stand in three racks in turn; OSDs stand beside the first hosts."""
    return f"root=default rack=rack{(host - 1) % 3 + 1} host=host{host}"


def osd_host(lab: Lab, osd: int) -> int:
    return osd % max(lab.hosts, 1) + 1


def replicas(lab: Lab) -> int:
    return 3 if len({crush_location(lab, osd_host(lab, osd)).split()[1] for osd in range(lab.osds)}) == 3 else 1


def monitors(lab: Lab) -> str:
    address = lab.addresses.storage(1)
    return f"[v2:{address}:3300,v1:{address}:6789]"


def prepare(lab: Lab, client_caps: dict[str, str]) -> None:
    """Write ceph.conf and all keyrings. `client_caps` are those of Cuttle's own identity, from the deployment."""
    lab.ceph_conf.parent.mkdir(parents=True, exist_ok=True)
    # Ceph keeps its keys in files of its own too, such as the monitor's store.
    lab.ceph.chmod(0o700)
    lab.ceph_conf.write_text(_conf(lab), encoding="utf-8")
    everything = {"mon": "allow *", "osd": "allow *", "mds": "allow *", "mgr": "allow *"}
    daemons = {"mgr.x": {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"}}
    for osd in range(lab.osds):
        daemons[f"osd.{osd}"] = {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"}
    keyring = {"mon.": {"mon": "allow *"}, "client.admin": everything, CLIENT: client_caps} | daemons
    keys = {name: make_key() for name in keyring}
    sections = [f"[{name}]\n\tkey = {keys[name]}\n{_caps_lines(caps)}" for name, caps in keyring.items()]
    secret_file.write(lab.ceph / "monitor.keyring", "".join(sections))
    # The monitor's own directory must not exist yet: mkfs takes one that holds anything for a finished monitor.
    for name in daemons:
        directory = lab.ceph / name
        directory.mkdir(parents=True, exist_ok=True)
        secret_file.write(directory / "keyring", f"[{name}]\n\tkey = {keys[name]}\n")
    for name in ("client.admin", CLIENT):
        secret_file.write(lab.ceph_conf.parent / f"ceph.{name}.keyring", f"[{name}]\n\tkey = {keys[name]}\n")


def _caps_lines(caps: dict[str, str]) -> str:
    """As a keyring has them, with the quotes inside escaped."""
    quoted = {kind: allowed.replace('"', '\\"') for kind, allowed in caps.items()}
    return "".join(f'\tcaps {kind} = "{allowed}"\n' for kind, allowed in quoted.items())


def _conf(lab: Lab) -> str:
    size = replicas(lab)
    general = {
        "fsid": lab.fsid,
        "mon_initial_members": "a",
        "mon_host": monitors(lab),
        "public_network": f"{lab.addresses.storage(0)}/24",
        "auth_cluster_required": "cephx",
        "auth_service_required": "cephx",
        "auth_client_required": "cephx",
        "auth_allow_insecure_global_id_reclaim": "false",
        "keyring": f"{lab.ceph}/etc/ceph.$name.keyring",
        "osd_pool_default_size": size,
        "osd_pool_default_min_size": 2 if size == 3 else 1,
        "osd_pool_default_pg_num": 8,
        "osd_pool_default_pg_autoscale_mode": "off",
        "osd_crush_chooseleaf_type": 3 if size == 3 else 0,
        "mon_allow_pool_size_one": "true",
        "mon_allow_pool_delete": "true",
        "mon_warn_on_pool_no_redundancy": "false",
        "mon_data_avail_warn": 1,
        "mon_data_avail_crit": 1,
        # What a real cluster spreads over minutes; here nothing else happens at the start.
        "mon_osd_min_in_ratio": 0,
        "mgr_tick_period": 1,
        "osd_mclock_skip_benchmark": "true",
        "mgr_initial_modules": "",
    }
    daemons = {
        "run_dir": "/run/ceph",
        "admin_socket": "/run/ceph/$name.asok",
        "log_file": f"{lab.log}/ceph-$name.log",
        "log_to_stderr": "false",
        "mon_cluster_log_file": f"{lab.log}/ceph-cluster.log",
    }
    sections = {
        "global": general,
        "mon": daemons | {"mon_data": f"{lab.ceph}/mon.$id", "keyring": f"{lab.ceph}/mon.$id/keyring"},
        "mgr": daemons | {"mgr_data": f"{lab.ceph}/mgr.$id", "keyring": f"{lab.ceph}/mgr.$id/keyring"},
        "osd": daemons
        | {
            "osd_data": f"{lab.ceph}/osd.$id",
            "keyring": f"{lab.ceph}/osd.$id/keyring",
            "osd_objectstore": "bluestore",
            "osd_memory_target": 939524096,
            "bluestore_block_size": 20 << 30,
        },
    }
    for osd in range(lab.osds):
        sections[f"osd.{osd}"] = {"crush_location": crush_location(lab, osd_host(lab, osd))}
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()) for section, values in sections.items()
    )


def ceph(lab: Lab, *arguments: str, timeout: float = 60) -> str:
    return run(["ceph", "-c", str(lab.ceph_conf), "--connect-timeout", "20", *arguments], lab.log / "ceph-commands.log", timeout=timeout)


def start_monitor(lab: Lab) -> None:
    log = lab.log / "ceph-commands.log"
    address = monitors(lab)
    run(["monmaptool", "--create", "--addv", "a", address, "--fsid", lab.fsid, str(lab.ceph / "monmap")], log)
    run(
        ["ceph-mon", "-c", str(lab.ceph_conf), "--mkfs", "-i", "a", "--monmap", str(lab.ceph / "monmap"),
         "--keyring", str(lab.ceph / "monitor.keyring")],
        log,
    )
    (lab.ceph / "monitor.keyring").unlink()
    start_daemon(lab, "mon", "a")


def start_daemon(lab: Lab, kind: str, name: str) -> None:
    """Start, or start again, one of Ceph's processes."""
    process.start(
        [f"ceph-{kind}", "-c", str(lab.ceph_conf), "-f", "-i", name],
        lab.log / f"ceph-{kind}.{name}.out",
        lab.pid_file(f"ceph-{kind}.{name}"),
    )


def create_osds(lab: Lab) -> list[str]:
    """Give every OSD its number on the monitor. Needs a monitor; the files of the OSDs are made meanwhile."""
    ids = [str(uuid.uuid4()) for _ in range(lab.osds)]
    lines = "".join(f"osd create {ids[osd]} {osd}\n" for osd in range(lab.osds))
    run(["ceph", "-c", str(lab.ceph_conf), "--connect-timeout", "30"], lab.log / "ceph-commands.log", stdin=lines)
    return ids


def start_osd(lab: Lab, osd: int, identity: str) -> None:
    run(
        ["ceph-osd", "-c", str(lab.ceph_conf), "-i", str(osd), "--mkfs", "--osd-uuid", identity],
        lab.log / "ceph-commands.log",
    )
    start_daemon(lab, "osd", str(osd))


def wait_until_usable(lab: Lab) -> None:
    """All OSDs are up and in, and the manager serves commands."""

    def usable() -> bool:
        state = json.loads(ceph(lab, "status", "--format", "json"))
        osds = state["osdmap"]
        return osds["num_up_osds"] == osds["num_in_osds"] == lab.osds and state["mgrmap"]["available"]

    logs = [lab.log / f"ceph-{name}.log" for name in ("mon.a", "mgr.x", *(f"osd.{osd}" for osd in range(lab.osds)))]
    wait_for(usable, 60, f"Ceph's {lab.osds} OSDs and its manager did not come up", logs)


def osd_services(lab: Lab) -> list[str]:
    return [f"ceph-osd.{osd}" for osd in range(lab.osds)]
