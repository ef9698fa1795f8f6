"""Where a lab's files are, which addresses it has, and what is remembered about it between two commands."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from . import kernel
from .errors import LabError

REPOSITORY = Path(__file__).resolve().parents[3]
CACHE = REPOSITORY / ".cache"


@dataclass(frozen=True)
class Addresses:
    """The /24 networks of lab number `index`; several labs on one machine have different numbers."""

    index: int

    def control(self, last: int) -> str:
        return f"10.77.{self.index}.{last}"

    def storage(self, last: int) -> str:
        return f"10.78.{self.index}.{last}"


@dataclass(frozen=True)
class Node:
    """One machine of the lab. `last` is the last number of both of its addresses."""

    kind: str  # control | host
    number: int

    @property
    def name(self) -> str:
        return f"{self.kind}{self.number}"

    @property
    def last(self) -> int:
        return self.number + (1 if self.kind == "control" else 10)


@dataclass
class Lab:
    """A lab that is up or coming up. Saved as state.json; pids are those of the machine, not of the lab's namespace."""

    name: str
    directory: Path
    pid: int = 0
    started: int = 0
    keeper: int = 0
    index: int = 0
    links: dict[str, int] = field(default_factory=dict)
    fsid: str = ""
    hosts: int = 0
    control_nodes: int = 0
    osds: int = 0
    database: str = "sqlite"
    target: str = ""
    profile: str = "debug"
    virt_type: str = "auto"
    ceph_only: bool = False
    ready: bool = False
    cut: dict[str, list[str]] = field(default_factory=dict)

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.index)

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def ceph(self) -> Path:
        return self.directory / "ceph"

    @property
    def ceph_conf(self) -> Path:
        return self.ceph / "etc" / "ceph.conf"

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets"

    @property
    def programs(self) -> Path:
        """What people and tests find on their path."""
        return self.directory / "bin"

    @property
    def openrc(self) -> Path:
        return self.directory / "openrc"

    def node_directory(self, node: Node) -> Path:
        return self.directory / "nodes" / node.name

    def pid_file(self, service: str) -> Path:
        """Of a process in the lab: its pid as the lab's own namespace counts."""
        return self.directory / "pids" / service

    def control_node(self, number: int) -> Node:
        return self._node("control", number, self.control_nodes)

    def host(self, number: int) -> Node:
        return self._node("host", number, self.hosts)

    def _node(self, kind: str, number: int, count: int) -> Node:
        if not 1 <= number <= count:
            raise LabError(f"there is no {kind}{number}: this lab has {kind}1 to {kind}{count}")
        return Node(kind, number)

    @property
    def nodes(self) -> list[Node]:
        if self.ceph_only:
            return []
        controls = [Node("control", number + 1) for number in range(self.control_nodes)]
        return controls + [Node("host", number + 1) for number in range(self.hosts)]

    def binary(self, name: str) -> Path:
        return Path(self.target) / self.profile / name

    def is_alive(self) -> bool:
        return self.pid != 0 and kernel.start_time(self.pid) == self.started

    def save(self) -> None:
        values = dataclasses.asdict(self) | {"directory": str(self.directory)}
        new = self.directory / "state.json.new"
        new.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        new.replace(self.directory / "state.json")


def read(directory: Path) -> Lab | None:
    """What is remembered of the lab in this directory, alive or not."""
    try:
        values = json.loads((directory / "state.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    # A lab that another version of this code has started can still be looked at and ended.
    known = {one.name for one in dataclasses.fields(Lab)}
    return Lab(**({name: value for name, value in values.items() if name in known} | {"directory": directory}))


def directory_of(name: str) -> Path:
    return REPOSITORY / "run" if name == "lab" else REPOSITORY / "run" / name


def load(name: str) -> Lab | None:
    return read(directory_of(name))


def require(name: str) -> Lab:
    lab = load(name)
    if lab is None or not lab.is_alive():
        raise LabError(f"no lab called {name} is up; start one with ./lab up")
    return lab
