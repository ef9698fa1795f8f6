"""`tests/bench boot`: from POST /servers to ACTIVE, beside the libraries' own time."""

import json
import os
import re
import sqlite3
import statistics
import sys
import threading
import time
from pathlib import Path

from bench_lab import DATABASE, LIMIT_SECONDS, ROOT, Cloud, ask, boot_once, delete, environment, lab, run

FLOOR_SOURCE = ROOT / "tests" / "floor" / "boot.c"
FLOOR = ROOT / "target" / "floor-boot"


def boot_many(cloud: Cloud, image: str, flavor: str, count: int) -> tuple[list[str], float]:
    """Milliseconds until `count` servers that were asked for at once are ACTIVE."""
    servers: list[str] = []
    start = time.monotonic()
    threads = [threading.Thread(target=lambda: servers.append(ask(cloud, image, flavor))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One look at all of them: a look at each, as often, would take the processor from what is measured.
    while True:
        shown = cloud.must("GET", "/compute/v2.1/servers/detail")["servers"]
        statuses = [server["status"] for server in shown if server["id"] in servers]
        if statuses == ["ACTIVE"] * count:
            return servers, (time.monotonic() - start) * 1e3
        if "ERROR" in statuses or time.monotonic() - start > LIMIT_SECONDS:
            sys.exit(f"not every server became ACTIVE: {statuses}")
        time.sleep(0.02)


class Floor:
    """The C program, inside the host's namespaces, with a domain like the one that Cuttle makes."""

    def __init__(self, cloud: Cloud, image: str, flavor: str, variables: dict[str, str], size_bytes: int):
        server, _ = boot_once(cloud, image, flavor)
        xml = lab("exec", "1", "--", "virsh", "-q", "dumpxml", "--inactive", server)
        delete(cloud, server)
        # What libvirt added to the running domain goes; what Cuttle asked for stays.
        xml = re.sub(r"<seclabel.*?(/>|</seclabel>)", "", xml, flags=re.S)
        xml = re.sub(r"<name>.*?</name>", "<name>floor-@UUID@</name>", xml, count=1)
        xml = re.sub(r"\n\s*<log file=.*?/>", "", xml)
        self.template = Path(variables["CUTTLE_LAB_DIR"]) / "floor.xml"
        self.template.write_text(xml.replace(server, "@UUID@"))
        self.image, self.size, self.conf = image, size_bytes, variables["CUTTLE_TEST_CEPH_CONF"]

    def __call__(self, count: int) -> tuple[list[list[float]], float]:
        """Milliseconds of each guest (all, its clone, its domain), and of all of them together."""
        out = lab(
            "exec", "1", "--", str(FLOOR), self.conf, "images", self.image, "snap", "vms",
            str(self.size), "qemu:///system", str(self.template), str(count),
        )  # fmt: skip
        lines = [line.split("\t") for line in out.splitlines() if line]
        return [[float(part) for part in line] for line in lines if line[0] != "ALL"], float(next(line[1] for line in lines if line[0] == "ALL"))


def where_time_goes(database: Path) -> list[tuple[str, float, int]]:
    """Mean milliseconds of each step of the creates that succeeded."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    return connection.execute(
        "SELECT s.name, avg(s.finished_at - s.started_at) / 1000.0, count(*) FROM operation_steps s"
        " JOIN operations o ON o.id = s.operation_id"
        " WHERE o.kind = 'create_instance' AND o.status = 'succeeded' AND s.result = 'done'"
        " GROUP BY s.name ORDER BY min(s.sequence)"
    ).fetchall()


def measure(options) -> None:
    run("cc", "-O2", "-o", str(FLOOR), str(FLOOR_SOURCE), "-lrados", "-lrbd", "-lvirt", "-lpthread")
    variables = environment()
    run_dir, cloud = Path(variables["CUTTLE_LAB_DIR"]), Cloud(variables)
    image = cloud.must("GET", "/image/v2/images?name=tiny")["images"][0]["id"]
    flavor = next(f for f in cloud.must("GET", "/compute/v2.1/flavors/detail")["flavors"] if f["name"] == "tiny")
    floor = Floor(cloud, image, flavor["id"], variables, flavor["disk"] << 30)

    ours, floors = [], []
    for number in range(options.rounds):
        floors += floor(1)[0]
        server, milliseconds = boot_once(cloud, image, flavor["id"])
        ours.append(milliseconds)
        delete(cloud, server)
        print(f"round {number + 1}: floor {floors[-1][0]:.0f} ms, Cuttle {ours[-1]:.0f} ms", flush=True)
    steps = where_time_goes(run_dir / DATABASE)
    ours_many, floors_many = [], []
    for _ in range(options.batches):
        floors_many.append(floor(options.at_once)[1])
        servers, milliseconds = boot_many(cloud, image, flavor["id"], options.at_once)
        ours_many.append(milliseconds)
        for server in servers:
            delete(cloud, server)

    one, floor_one = statistics.median(ours), statistics.median(guest[0] for guest in floors)
    rate = options.at_once / statistics.median(ours_many) * 1e3
    floor_rate = options.at_once / statistics.median(floors_many) * 1e3
    print(f"\n| boot, {os.cpu_count()} cores | floor | Cuttle | ratio | goal |\n|---|---|---|---|---|")
    print(f"| one at a time, median of {options.rounds} | {floor_one:.0f} ms | {one:.0f} ms | {one / floor_one:.2f} | ≤ 1.20 |")
    print(
        f"| {options.at_once} at once, median of {options.batches} | {floor_rate:.2f}/s | {rate:.2f}/s |"
        f" {rate / floor_rate:.2f} | ≥ 0.90 |"
    )
    print("\n| step of a create, one at a time | mean | of |\n|---|---|---|")
    for part, name in ((1, "floor: clone, open, grow, close"), (2, "floor: create the domain")):
        print(f"| {name} | {statistics.mean(guest[part] for guest in floors):.1f} ms | {len(floors)} |")
    for name, milliseconds, count in steps:
        print(f"| {name} | {milliseconds:.1f} ms | {count} |")
