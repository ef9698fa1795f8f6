"""Every node's configuration, written by the same Ansible roles that deploy Cuttle on real machines.

The lab only says what is different about it: the root of each node's files, addresses, and that nobody but the lab
starts services.
"""

import json
import secrets
import uuid

from . import ceph, postgres, process, secret_file
from .errors import LabError
from .layout import REPOSITORY, Lab, Node

ANSIBLE = REPOSITORY / "ansible"


def make_admin_password(lab: Lab) -> None:
    secret_file.write(lab.secrets / "admin-password", f"{secrets.token_urlsafe(18)}\n")


def configure(lab: Lab) -> None:
    """Write the files of all nodes. Needs their directories, the Ceph keyrings and the passwords' files."""
    inventory = lab.directory / "inventory.yml"
    inventory.write_text(json.dumps(_inventory(lab), indent=1) + "\n", encoding="utf-8")
    environment = process.ENVIRONMENT | {"ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": "/run/ansible"}
    log = lab.log / "ansible.log"
    command = ["ansible-playbook", "--inventory", str(inventory), "--tags", "preflight,configuration", str(ANSIBLE / "site.yml")]
    try:
        process.run(command, log, timeout=180, environment=environment)
    except LabError as error:
        raise LabError("Ansible could not write the nodes' configuration", [str(log)]) from error


def _inventory(lab: Lab) -> dict:
    return {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "cuttle_root": f"{lab.directory}/nodes/{{{{ inventory_hostname }}}}/root",
                "cuttle_service_manager": "none",
                "ceph_client_fsid": lab.fsid,
                "ceph_client_monitors": ceph.monitors(lab),
            }
        },
        "control": {
            "hosts": {node.name: _control(lab, node) for node in lab.nodes if node.kind == "control"},
            "vars": {
                "control_admin_password": str(lab.secrets / "admin-password"),
                "control_ceph_keyring": str(lab.ceph_conf.parent / f"ceph.{ceph.CLIENT}.keyring"),
                "control_ceph_pool_pg_num": 8,
                # Tests find the hosts' limits, not these.
                "control_quota": {"instances": -1, "cores": -1, "ram_mib": -1},
                # Tests wait for the end of older keys.
                "control_operations": {"key_check_seconds": 2},
            }
            | _database(lab),
        },
        "compute": {
            "hosts": {node.name: _compute(lab, node) for node in lab.nodes if node.kind == "host"},
            "vars": {
                "compute_virt_type": lab.virt_type,
                "compute_boot_id_file": "/etc/cuttle/boot-id",
                # One kernel for all: neither AppArmor profiles nor cgroups of a host's own.
                "compute_libvirt_confinement": False,
            },
        },
    }


def _database(lab: Lab) -> dict:
    if lab.database == "sqlite":
        return {}
    return {"control_database_url": postgres.url(lab), "control_database_password": str(postgres.password_file(lab))}


def _control(lab: Lab, node: Node) -> dict:
    return {"control_address": lab.addresses.control(node.last)}


def _compute(lab: Lab, node: Node) -> dict:
    return {
        "compute_control_address": lab.addresses.control(node.last),
        "compute_storage_address": lab.addresses.storage(node.last),
        "compute_libvirt_host_uuid": str(uuid.uuid5(uuid.UUID(lab.fsid), node.name)),
        "ceph_client_crush_location": ceph.crush_location(lab, node.number),
    }
