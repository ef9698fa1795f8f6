"""`tests/bench agent`: how much memory a host's agent takes, before it has guests and with them."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench_lab import LIMIT_SECONDS, Cloud, boot_once, environment, lab

# The agent's own, without QEMU's and libvirtd's, which are processes of their own.
RESIDENT = "sed -n 's/^VmRSS:[^0-9]*//p' /proc/$(pgrep -x cuttle-compute)/status"
# How many are started at a time.
AT_ONCE = 4


def resident_mib() -> float:
    return int(lab("exec", "1", "--", "sh", "-c", RESIDENT).split()[0]) / 1024


def wait_for_host(cloud: Cloud, state: str) -> None:
    start = time.monotonic()
    while cloud.must("GET", "/compute/v2.1/os-hypervisors/detail")["hypervisors"][0]["state"] != state:
        if time.monotonic() - start > LIMIT_SECONDS:
            sys.exit(f"the host is not {state}")
        time.sleep(0.2)


def make_room(cloud: Cloud, guests: int) -> None:
    """Lets the host take so many virtual CPUs, however few processors it has: the guests do nothing."""
    resources = f"/^\\[log\\]/i [resources]\\ncpu_ratio = {guests}.0\\n"
    lab("agent", "kill", "1")
    lab("exec", "1", "--", "sed", "-i", resources, "/etc/cuttle/compute.toml")
    wait_for_host(cloud, "down")
    lab("agent", "start", "1")
    wait_for_host(cloud, "up")


def measure(options) -> None:
    cloud = Cloud(environment())
    make_room(cloud, options.guests)
    image = cloud.must("GET", "/image/v2/images?name=tiny")["images"][0]["id"]
    flavor = next(f for f in cloud.must("GET", "/compute/v2.1/flavors/detail")["flavors"] if f["name"] == "tiny")
    empty = resident_mib()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for server, _ in pool.map(lambda _: boot_once(cloud, image, flavor["id"]), range(options.guests)):
            print(f"{server} is ACTIVE", flush=True)
    running = len(lab("exec", "1", "--", "virsh", "-q", "list", "--uuid").split())
    print("\n| `cuttle-compute` | resident | goal |\n|---|---|---|")
    print(f"| without guests | {empty:.1f} MiB | |")
    print(f"| with {running} guests | {resident_mib():.1f} MiB | < 30 MB |")
