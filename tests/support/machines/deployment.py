"""Deploys Cuttle on machines with systemd, as an operator would, and looks at what came of it. Run by ./check full.

Two control nodes on PostgreSQL and a compute host, beside a Ceph that exists already. Prints a line for each thing that
holds, in the words of Rust's test runner, so that ./check counts them; ends at the first that does not.
"""

import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import ceph, guest_image, postgres, process, secret_file  # noqa: E402
from lab.cloud import Cloud  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.layout import REPOSITORY, Lab, require  # noqa: E402
from machines import tree  # noqa: E402
from machines.machine import Machine  # noqa: E402

ANSIBLE = REPOSITORY / "ansible"
MARKER = "CUTTLE-GUEST-READY"
SERVICES = [("control1", "cuttle-api"), ("control2", "cuttle-api"), ("host1", "cuttle-compute")]


class Site:
    """Three machines and the inventory that describes them."""

    def __init__(self, lab: Lab, directory: Path):
        self.lab = lab
        self.directory = directory
        self.log = lab.log / "deployment.log"
        self.password = directory / "admin-password"
        self.machines = {
            name: Machine(name, last, directory / name, lab, lab.log / f"{name}.log")
            for name, last in (("control1", 101), ("control2", 102), ("host1", 111))
        }

    def boot(self) -> None:
        base = tree.require(self.log)
        secret_file.write(self.password, f"{secrets.token_urlsafe(18)}\n")
        for key in ("operator", "machine"):
            process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / key)], self.log)
        public = (self.directory / "operator.pub").read_text(encoding="ascii")
        for machine in self.machines.values():
            machine.make(base, public, self.directory / "machine")
            machine.boot()
        host_key = " ".join((self.directory / "machine.pub").read_text(encoding="ascii").split()[:2])
        known = "".join(f"{machine.control} {host_key}\n" for machine in self.machines.values())
        (self.directory / "known_hosts").write_text(known, encoding="ascii")

    def deploy(self) -> list[str]:
        """Run the playbook; answers the tasks that changed something, with their machine."""
        inventory = self.directory / "inventory.json"
        inventory.write_text(json.dumps(self._inventory(), indent=1), encoding="utf-8")
        environment = process.ENVIRONMENT | {
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": str(self.directory / "ansible"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.directory / "ssh"),
        }
        command = ["ansible-playbook", "--inventory", str(inventory), str(ANSIBLE / "site.yml")]
        try:
            said = process.run(command, self.log, timeout=900, environment=environment)
        except LabError as error:
            raise LabError("ansible-playbook failed", [str(self.log)]) from error
        tasks = re.split(r"^TASK \[(.*)\] \**$", said, flags=re.M)[1:]
        return [
            f"{name} on {machine}"
            for name, results in zip(tasks[::2], tasks[1::2], strict=True)
            for machine in sorted(set(re.findall(r"^changed: \[(\w+)", results, re.M)))
        ]

    def _inventory(self) -> dict:
        def address(name: str) -> dict:
            return {"ansible_host": self.machines[name].control}

        options = f"-i {self.directory}/operator -o UserKnownHostsFile={self.directory}/known_hosts -o IdentitiesOnly=yes"
        return {
            "all": {
                "vars": {
                    "ansible_user": "root",
                    "ansible_ssh_common_args": options,
                    "ceph_client_fsid": self.lab.fsid,
                    "ceph_client_monitors": ceph.monitors(self.lab),
                }
            },
            "control": {
                "vars": {
                    "control_binary": str(self.lab.binary("cuttle-api")),
                    "control_admin_password": str(self.password),
                    "control_ceph_keyring": str(self.lab.ceph_conf.parent / f"ceph.{ceph.CLIENT}.keyring"),
                    "control_database_url": postgres.url(self.lab),
                    "control_database_password": str(postgres.password_file(self.lab)),
                    "control_ceph_pool_pg_num": 8,
                },
                "hosts": {
                    name: address(name) | {"control_address": self.machines[name].control} for name in ("control1", "control2")
                },
            },
            "compute": {
                "vars": {"compute_binary": str(self.lab.binary("cuttle-compute")), "compute_virt_type": "qemu"},
                "hosts": {
                    "host1": address("host1") | {
                        "compute_control_address": self.machines["host1"].control,
                        "compute_storage_address": self.machines["host1"].storage,
                        "compute_resources": {"reserved_ram_mib": 64},
                        "ceph_client_crush_location": ceph.crush_location(self.lab, 1),
                    }
                },
            },
        }

    def cloud(self, node: str) -> Cloud:
        return Cloud(f"http://{self.machines[node].control}:8774", self.password.read_text(encoding="ascii").strip())

    def unit(self, machine: str, unit: str) -> dict[str, str]:
        lines = self.machines[machine].run("systemctl", "show", unit).splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    def explain(self) -> None:
        """Prints what the machines' systemd says of the services that it started more than once, or not at all."""
        for machine, unit in SERVICES:
            try:
                found = self.unit(machine, unit)
                if found["ActiveState"] == "active" and found["NRestarts"] == "0":
                    continue
                said = self.machines[machine].run("journalctl", "--no-pager", "--unit", unit)
            except (LabError, OSError) as error:
                said = str(error)
            # Each request's line would hide the rest.
            lines = [line for line in said.splitlines() if "web::request_id" not in line]
            print(f"--- the end of {unit} on {machine}", *lines[-60:], sep="\n", flush=True)

    def end(self) -> None:
        for machine in self.machines.values():
            if machine.directory.exists():
                machine.remove()


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    process.wait_for(condition, seconds, f"{what} did not come true")


def the_playbook_deploys(site: Site) -> None:
    site.deploy()
    for machine, unit in (*SERVICES, ("host1", "libvirtd")):
        found = site.unit(machine, unit)
        assert found["ActiveState"] == "active" and found["UnitFileState"] == "enabled", f"{unit} on {machine}: {found['ActiveState']}"
    assert site.unit("control1", "cuttle-api")["User"] == "cuttle"
    nothing_was_restarted(site)
    until(lambda: site.cloud("control1").hosts_up() == {"host1": True}, 60, "host1 is up and enabled")


def nothing_was_restarted(site: Site) -> None:
    """By systemd, that is: because it ended by itself."""
    for machine, unit in SERVICES:
        assert site.unit(machine, unit)["NRestarts"] == "0", f"{unit} on {machine} was restarted"


def a_second_run_changes_nothing(site: Site) -> None:
    changed = site.deploy()
    assert changed == [], f"changed again: {changed}"
    nothing_was_restarted(site)


def secrets_are_for_their_readers_only(site: Site) -> None:
    for machine in site.machines.values():
        files = machine.run("find", "/etc/cuttle", "/var/lib", "-path", "*cuttle*", "-type", "f").splitlines()
        assert any("key" in path or "identity" in path for path in files), f"{machine.name} has no secrets: {files}"
        # Not by their modes: a directory that nobody may enter keeps what is in it.
        look = 'for file; do cat "$file" >/dev/null 2>&1 && echo "$file"; done; true'
        readable = machine.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", look, "sh", *files).splitlines()
        public = [path for path in readable if Path(path).name not in ("ca.pem", "ceph.conf")]
        assert public == [], f"{machine.name}: everybody can read {public}"


def an_instance_boots(site: Site) -> None:
    cloud = site.cloud("control2")
    server = cloud.boot("first", cloud.image("tiny", guest_image.require()), cloud.flavor())
    cloud.wait_for_console(server["id"], MARKER, 180)


def systemd_brings_a_killed_control_plane_back(site: Site) -> None:
    # However often: a process that ends at once, because its database is not up yet, must not be given up.
    for _ in range(8):
        old = site.unit("control1", "cuttle-api")["MainPID"]
        site.machines["control1"].run("kill", "-9", old)
        until(lambda old=old: site.unit("control1", "cuttle-api")["MainPID"] not in ("0", old), 30, "a new process")
    until(lambda: _answers(site, "control1"), 30, "the API answers")


def guests_outlive_a_restart_of_the_agent_and_of_libvirt(site: Site) -> None:
    host = site.machines["host1"]
    before = _guests(host)
    assert len(before) == 1, f"guests: {before}"
    host.run("systemctl", "restart", "libvirtd", "cuttle-compute")
    until(lambda: site.cloud("control1").hosts_up() == {"host1": True}, 60, "host1 is up")
    assert _guests(host) == before, "the guest's process is another one"
    cloud = site.cloud("control1")
    [server] = cloud.servers()
    assert server["status"] == "ACTIVE", server["status"]
    assert MARKER in cloud.console(server["id"]), "the agent does not know the guest any more"


def a_host_that_was_cut_off_from_power_comes_back(site: Site) -> None:
    host = site.machines["host1"]
    host.end()
    host.boot()
    until(lambda: site.cloud("control1").hosts_up() == {"host1": True}, 90, "host1 is up")
    cloud = site.cloud("control1")
    [server] = cloud.servers()
    until(lambda: cloud.server(server["id"])["status"] == "SHUTOFF", 60, "the instance is known to be down")
    cloud.start(server["id"])
    cloud.wait_for_console(server["id"], MARKER, 180)


TESTS = [
    the_playbook_deploys, secrets_are_for_their_readers_only, an_instance_boots, a_second_run_changes_nothing,
    systemd_brings_a_killed_control_plane_back, guests_outlive_a_restart_of_the_agent_and_of_libvirt,
    a_host_that_was_cut_off_from_power_comes_back,
]


def _answers(site: Site, node: str) -> bool:
    try:
        return bool(site.cloud(node))
    except LabError:
        return False


def _guests(host: Machine) -> list[str]:
    return host.run("pidof", "qemu-system-x86_64").split()


def main() -> int:
    lab = require(sys.argv[1])
    directory = Path(tempfile.mkdtemp(prefix="machines-", dir=lab.directory))
    site = Site(lab, directory)
    passed = 0
    try:
        began = time.monotonic()
        site.boot()
        print(f"machines are up after {time.monotonic() - began:.1f} s", flush=True)
        for test in TESTS:
            began = time.monotonic()
            test(site)
            passed += 1
            print(f"test {test.__name__} ... ok ({time.monotonic() - began:.1f} s)", flush=True)
    except (LabError, AssertionError, OSError, ValueError) as error:
        print(f"{error}", flush=True)
        for log in getattr(error, "logs", []):
            print(f"--- {log}\n" + "\n".join(process.tail(Path(log), 40)))
        site.explain()
    finally:
        if os.environ.get("CUTTLE_KEEP_MACHINES"):
            input("the machines are kept until Enter is pressed: ")
        site.end()
        shutil.rmtree(directory)
    failed = len(TESTS) - passed
    print(f"test result: {'ok' if failed == 0 else 'FAILED'}. {passed} passed; {failed} failed; 0 ignored")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
