"""The instance `first`: made if it is not there, then shown from all sides. What ./quickstart ends with."""

import re

from . import control, process, up
from .cloud import Cloud
from .errors import LabError
from .layout import Lab

NAME = "first"
CONSOLE_LINES = 8
TERMINAL_COMMAND = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def show(lab: Lab) -> None:
    """Make it, or start it, wait until its guest says that it runs, and print instance, disk and console."""
    cloud = Cloud(control.url(lab), up.admin_password(lab))
    server = _running(lab, cloud)
    cloud.wait_for_console(server["id"], up.MARKER, 180)
    fields = ["id", "name", "status", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state", "OS-EXT-SRV-ATTR:host", "created"]
    rows = {name: str(server[name]) for name in fields if name in server}
    rows["flavor"] = server["flavor"].get("original_name") or server["flavor"].get("id", "")
    rows["image"] = server["image"]["id"]
    print("The instance, as `openstack server show first` has it:")
    _table(rows)
    print("\nIts disk, a copy-on-write clone of the image (`rbd info`):")
    print(process.run(["rbd", "-c", str(lab.ceph_conf), "info", f"vms/{server['id']}_disk"]).rstrip())
    print("\nThe end of its serial console (`openstack console log show first`):")
    # The shell on the console asks its terminal for the cursor's place; that is nothing for this terminal.
    text = TERMINAL_COMMAND.sub("", cloud.console(server["id"]))
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    print("\n".join(f"  {line}" for line in lines[-CONSOLE_LINES:]))


def _running(lab: Lab, cloud: Cloud) -> dict:
    found = next((server for server in cloud.servers() if server["name"] == NAME), None)
    if found is None:
        return cloud.boot(NAME, cloud.image("tiny", None), cloud.flavor())
    if found["status"] == "SHUTOFF":
        return cloud.start(found["id"])
    if found["status"] == "ERROR":
        raise LabError(f"the instance {NAME} is in ERROR: {found.get('fault', {}).get('message', 'no reason given')}")
    return cloud.wait_until_active(found["id"])


def _table(rows: dict[str, str]) -> None:
    left, right = max(map(len, rows)), max(map(len, rows.values()))
    line = f"+-{'-' * left}-+-{'-' * right}-+"
    print(line)
    for name, value in rows.items():
        print(f"| {name:{left}} | {value:{right}} |")
    print(line)
