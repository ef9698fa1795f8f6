"""What the benchmarks share: a release build, a lab of their own, and the least client of its cloud."""

import json
import os
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = [str(ROOT / "lab"), "--name", "bench"]
LIMIT_SECONDS = 120
# The control node's database, in the lab's directory.
DATABASE = "nodes/control1/kept/var-lib-cuttle/cuttle.db"


def run(*command: str, **options) -> str:
    """Runs a command and answers its output; a failure ends the benchmark with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def lab(*arguments: str) -> str:
    return run(*LAB, *arguments)


def environment() -> dict[str, str]:
    """The variables of the lab's clients and tests."""
    words = (word for line in lab("env").splitlines() for word in shlex.split(line.removeprefix("export ")))
    return dict(word.split("=", 1) for word in words)


def with_one_host(work: Callable[[], None]) -> None:
    """Does `work` beside a lab with one host, of a release build."""
    print("building (release)", flush=True)
    run("cargo", "build", "--release", "--locked", "--quiet", "-p", "cuttle-api", "-p", "cuttle-compute", "-p", "cuttle-cli", cwd=ROOT)
    print("starting a lab with one host", flush=True)
    lab("up", "--hosts", "1", "--profile", "release", "--while-pid", str(os.getpid()))
    try:
        work()
    finally:
        lab("down")


class Cloud:
    """The least client: a token, JSON in and out."""

    def __init__(self, environment: dict[str, str]):
        auth_url = environment["OS_AUTH_URL"]
        self.base = auth_url.split("/identity")[0]
        domain = {"id": "default"}
        body = {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": environment["OS_USERNAME"], "domain": domain, "password": environment["OS_PASSWORD"]}},
                },
                "scope": {"project": {"name": environment["OS_PROJECT_NAME"], "domain": domain}},
            }
        }
        with self._open("POST", "/identity/v3/auth/tokens", body, None) as answer:
            self.token = answer.headers["X-Subject-Token"]

    def _open(self, method: str, path: str, body, token):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"X-Auth-Token": token} if token else {})
        return urllib.request.urlopen(urllib.request.Request(self.base + path, data, headers, method=method), timeout=60)

    def call(self, method: str, path: str, body=None):
        try:
            with self._open(method, path, body, self.token) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def must(self, method: str, path: str, body=None):
        status, answer = self.call(method, path, body)
        if status >= 400:
            sys.exit(f"{method} {path}: {status} {answer}")
        return answer


def ask(cloud: Cloud, image: str, flavor: str) -> str:
    body = {"server": {"name": "bench", "imageRef": image, "flavorRef": flavor}}
    return cloud.must("POST", "/compute/v2.1/servers", body)["server"]["id"]


def boot_once(cloud: Cloud, image: str, flavor: str) -> tuple[str, float]:
    """Milliseconds from POST to ACTIVE. ACTIVE is set only after the guest was resumed."""
    start = time.monotonic()
    server = ask(cloud, image, flavor)
    while True:
        shown = cloud.must("GET", f"/compute/v2.1/servers/{server}")["server"]
        if shown["status"] == "ACTIVE":
            return server, (time.monotonic() - start) * 1e3
        if shown["status"] == "ERROR" or time.monotonic() - start > LIMIT_SECONDS:
            sys.exit(f"server {server} did not become ACTIVE: {json.dumps(shown, indent=1)}")
        time.sleep(0.01)


def delete(cloud: Cloud, server: str) -> None:
    cloud.must("DELETE", f"/compute/v2.1/servers/{server}")
    start = time.monotonic()
    while cloud.call("GET", f"/compute/v2.1/servers/{server}")[0] != 404:
        if time.monotonic() - start > LIMIT_SECONDS:
            sys.exit(f"server {server} was not deleted")
        time.sleep(0.05)
