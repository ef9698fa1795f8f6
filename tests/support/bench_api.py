"""`tests/bench api`: how fast a control node answers, how soon it serves, and how much memory it takes.

A control node of its own on a lab's Ceph, with its database in a SQLite file. 1 000 servers are made through the API: no host
exists, so each of them ends in ERROR, with its reason, as a full row that lists show. One client measures, over one connection.
"""

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench_lab

PORT, AGENTS, METRICS = 18774, 18775, 19774
CONFIG = """
[public]
listen = "127.0.0.1:{port}"
[agents]
listen = "127.0.0.1:{agents}"
tls_directory = "{directory}/tls"
[metrics]
listen = "127.0.0.1:{metrics}"
[database]
url = "sqlite:{directory}/cuttle.db"
[ceph]
conf = "{conf}"
client = "client.admin"
[identity]
admin_password_file = "{directory}/password"
[quota]
instances = -1
cores = -1
ram_mib = -1
[log]
filter = "warn"
"""


class Node:
    """A running control node."""

    def __init__(self, command: list[str], config: Path):
        self.began = time.monotonic()
        self.process = subprocess.Popen([*command, "serve", "--config", str(config)])
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                break
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("the control node ended")
                time.sleep(0.002)
        self.milliseconds = (time.monotonic() - self.began) * 1e3
        self.connection = connection
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.token = ""

    def send(self, method: str, path: str, body=None) -> tuple[int, bytes, str | None]:
        headers = {"X-Auth-Token": self.token, "OpenStack-API-Version": "compute 2.96"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("X-Subject-Token")

    def must(self, method: str, path: str, body=None):
        status, text, _ = self.send(method, path, body)
        if status >= 300:
            sys.exit(f"{method} {path}: {status} {text[:500]!r}")
        return json.loads(text) if text else None

    def sign_in(self, password: str) -> None:
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": password}
        scope = {"project": {"name": "admin", "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        _, _, token = self.send("POST", "/identity/v3/auth/tokens", body)
        self.token = token or sys.exit("no token")

    def processor_milliseconds(self) -> float:
        """What all its threads have used so far."""
        times = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return sum(map(int, times)) * 1e3 / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def time_of(node: Node, path: str, times: int) -> str:
    """Columns of the table, in milliseconds: median, 99th percentile, least, and the processor time of one request."""
    took = []
    used = node.processor_milliseconds()
    for _ in range(times):
        began = time.perf_counter()
        status, text, _ = node.send("GET", path)
        took.append((time.perf_counter() - began) * 1e3)
        if status != 200:
            sys.exit(f"{path}: {status} {text[:300]!r}")
    used = (node.processor_milliseconds() - used) / times
    took.sort()
    return f"{statistics.median(took):.2f} ms | {took[min(times - 1, int(times * 0.99))]:.2f} ms | {took[0]:.2f} ms | {used:.2f} ms"


def seed(node: Node, servers: int) -> str:
    flavor = {"name": "bench", "id": "bench", "ram": 64, "vcpus": 1, "disk": 1}
    node.must("POST", "/compute/v2.1/flavors", {"flavor": flavor})
    image = node.must("POST", "/image/v2/images", {"name": "bench", "disk_format": "raw", "container_format": "bare"})["id"]
    node.connection.request(
        "PUT", f"/image/v2/images/{image}/file", bytes(1 << 20),
        {"X-Auth-Token": node.token, "Content-Type": "application/octet-stream"},
    )  # fmt: skip
    answer = node.connection.getresponse()
    answer.read()
    deadline = time.monotonic() + 60
    while node.must("GET", f"/image/v2/images/{image}")["status"] != "active":
        if time.monotonic() > deadline:
            sys.exit(f"the image does not become active ({answer.status})")
        time.sleep(0.1)
    last = ""
    for number in range(servers):
        body = {"name": f"bench-{number}", "imageRef": image, "flavorRef": "bench", "networks": "none"}
        last = node.must("POST", "/compute/v2.1/servers", {"server": body})["server"]["id"]
    return last


def run(options) -> None:
    """On the Ceph of a lab of its own."""
    bench_lab.run("cargo", "build", "--release", "--locked", "--quiet", "-p", "cuttle-api", cwd=bench_lab.ROOT)
    bench_lab.lab("up", "--ceph-only", "--while-pid", str(os.getpid()))
    try:
        conf = bench_lab.environment()["CUTTLE_TEST_CEPH_CONF"]
        measure(options, conf, bench_lab.ROOT / "target" / "release" / "cuttle-api")
    finally:
        bench_lab.lab("down")


def measure(options, conf: str, binary: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "api.toml"
        values = {"port": PORT, "agents": AGENTS, "metrics": METRICS, "directory": directory, "conf": conf}
        config.write_text(CONFIG.format(**values))
        password = Path(directory) / "password"
        password.touch(mode=0o600)
        password.write_text("of the benchmark\n")
        subprocess.run([str(binary), "init", "--config", str(config)], check=True, stdout=subprocess.DEVNULL)
        node = Node([str(binary)], config)
        node.sign_in("of the benchmark")
        last = seed(node, options.servers)
        node.stop()

        starts = []
        for _ in range(5):
            node = Node([str(binary)], config)
            starts.append(node.milliseconds)
            node.stop()
        node = Node([str(binary)], config)
        try:
            node.sign_in("of the benchmark")
            found = len(node.must("GET", f"/compute/v2.1/servers/detail?limit={options.servers}")["servers"])
            if found != min(options.servers, 1000):
                sys.exit(f"{found} servers are listed")
            one = time_of(node, f"/compute/v2.1/servers/{last}", 1000)
            page = time_of(node, "/compute/v2.1/servers/detail?limit=100", 200)
            many = time_of(node, f"/compute/v2.1/servers/detail?limit={options.servers}", 100)
            token = time_of(node, "/compute/v2.1/", 500)
            memory = node.resident_mib()
        finally:
            node.stop()
        print(f"\n| API, {options.servers} servers, one client, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} | p50 | p99 | least | processor | goal (p50) |")
        print("|---|---|---|---|---|---|")
        print(f"| `GET /servers/{{id}}` | {one} | < 1 ms |")
        print(f"| `GET /servers/detail`, 100 of them | {page} | |")
        print(f"| `GET /servers/detail`, all | {many} | < 15 ms |")
        print(f"| a request without query or token | {token} | |")
        print(f"\n| `cuttle-api` | | goal |\n|---|---|---|")
        print(f"| start to the first answer, median of {len(starts)} | {statistics.median(starts):.0f} ms | < 300 ms |")
        print(f"| resident memory after the above | {memory:.1f} MiB | < 60 MB |")
