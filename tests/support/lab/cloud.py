"""The lab as a user of its own cloud: image, flavor and instances through Cuttle's HTTP API."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from .errors import LabError

FLAVOR = {"name": "tiny", "ram": 128, "vcpus": 1, "disk": 1}


class Cloud:
    """A scoped token and the three services' addresses."""

    def __init__(self, url: str, password: str):
        self._url = url
        self._token = ""
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        identity = {"methods": ["password"], "password": {"user": user}}
        _, headers = self._send("POST", "/identity/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        self._token = headers["X-Subject-Token"]

    def _send(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[Any, Any]:
        headers = {"Accept": "application/json", "X-Auth-Token": self._token}
        data = None
        if body is not None:
            headers["Content-Type"] = kind
            data = json.dumps(body).encode() if kind == "application/json" else body
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
                text = answer.read()
                return (json.loads(text) if text else None), answer.headers
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:500]
            raise LabError(f"{method} {path} was answered with {error.code}: {said}") from error
        except OSError as error:
            raise LabError(f"{method} {path} at {self._url} got no answer: {error}") from error

    def hosts_up(self) -> dict[str, bool]:
        """Of each host: whether it is enabled and its agent beats."""
        answer, _ = self._send("GET", "/compute/v2.1/os-services?binary=nova-compute")
        return {one["host"]: one["state"] == "up" and one["status"] == "enabled" for one in answer["services"]}

    def image(self, name: str, file: Path | None) -> str:
        """The id of the image called `name`, uploaded from the file if it is not there."""
        answer, _ = self._send("GET", f"/image/v2/images?name={name}&status=active")
        if answer["images"]:
            return answer["images"][0]["id"]
        if file is None:
            raise LabError(f"there is no active image called {name}")
        wanted = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        image, _ = self._send("POST", "/image/v2/images", wanted)
        self._send("PUT", f"/image/v2/images/{image['id']}/file", file.read_bytes(), "application/octet-stream")
        return image["id"]

    def flavor(self) -> str:
        """The id of the flavor `tiny`, made if it is not there."""
        answer, _ = self._send("GET", "/compute/v2.1/flavors")
        for flavor in answer["flavors"]:
            if flavor["name"] == FLAVOR["name"]:
                return flavor["id"]
        made, _ = self._send("POST", "/compute/v2.1/flavors", {"flavor": FLAVOR})
        return made["flavor"]["id"]

    def servers(self) -> list[dict]:
        answer, _ = self._send("GET", "/compute/v2.1/servers/detail?all_tenants=1")
        return answer["servers"]

    def boot(self, name: str, image: str, flavor: str) -> dict:
        """A new instance, when it is ACTIVE."""
        wanted = {"name": name, "imageRef": image, "flavorRef": flavor}
        made, _ = self._send("POST", "/compute/v2.1/servers", {"server": wanted})
        return self.wait_until_active(made["server"]["id"])

    def server(self, identity: str) -> dict:
        answer, _ = self._send("GET", f"/compute/v2.1/servers/{identity}")
        return answer["server"]

    def wait_until_active(self, identity: str, timeout: float = 120) -> dict:
        deadline = time.monotonic() + timeout
        while (server := self.server(identity))["status"] != "ACTIVE":
            if server["status"] == "ERROR":
                raise LabError(f"instance {identity} is in ERROR: {server.get('fault', {}).get('message', 'no reason given')}")
            if time.monotonic() > deadline:
                raise LabError(f"instance {identity} is {server['status']} after {timeout:.0f} s, not ACTIVE")
            time.sleep(0.1)
        return server

    def start(self, identity: str) -> dict:
        self._send("POST", f"/compute/v2.1/servers/{identity}/action", {"os-start": None})
        return self.wait_until_active(identity)

    def console(self, identity: str, lines: int | None = None) -> str:
        length = {} if lines is None else {"length": lines}
        answer, _ = self._send("POST", f"/compute/v2.1/servers/{identity}/action", {"os-getConsoleOutput": length})
        return answer["output"]

    def wait_for_console(self, identity: str, marker: str, timeout: float) -> float:
        """How many seconds it took until the marker was on the serial console."""
        began = time.monotonic()
        while marker not in self.console(identity):
            if time.monotonic() - began > timeout:
                end = "\n".join(self.console(identity, 15).splitlines())
                raise LabError(f"{marker} was not on the console of {identity} within {timeout:.0f} s; its end:\n{end}")
            time.sleep(0.3)
        return time.monotonic() - began
