"""One machine: its files, its two links into the lab, its start and its end."""

import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import kernel, network, process
from lab.errors import LabError
from lab.layout import Lab
from machines.control_group import ControlGroup

# The lab's end, its bridge, and the machine's end.
LINKS = [("m", "br-ctl", "control0"), ("n", "br-sto", "storage0")]


@dataclass
class Machine:
    """`last` is the last number of both of its addresses."""

    name: str
    last: int
    directory: Path
    lab: Lab
    log: Path
    keeper: subprocess.Popen | None = None

    @property
    def control(self) -> str:
        return self.lab.addresses.control(self.last)

    @property
    def storage(self) -> str:
        return self.lab.addresses.storage(self.last)

    @property
    def group(self) -> ControlGroup:
        return ControlGroup(f"cuttle-{self.lab.name}-{self.name}")

    @property
    def root(self) -> Path:
        return self.directory / "root"

    def make(self, tree: Path, public_key: str, host_key: Path) -> None:
        """Lay its files over the tree. `host_key` is its identity for ssh."""
        for part in ("upper", "work", "root"):
            (self.directory / part).mkdir(parents=True)
        options = f"lowerdir={tree},upperdir={self.directory}/upper,workdir={self.directory}/work"
        kernel.mount("overlay", str(self.root), "overlay", 0, options)
        keys = self.root / "root" / ".ssh"
        keys.mkdir(mode=0o700, exist_ok=True)
        (keys / "authorized_keys").write_text(public_key, encoding="ascii")
        (self.root / "etc" / "hostname").write_text(f"{self.name}\n", encoding="ascii")
        for old in (self.root / "etc" / "ssh").glob("ssh_host_*"):
            old.unlink()
        shutil.copy(host_key, self.root / "etc" / "ssh" / "ssh_host_ed25519_key")

    def boot(self) -> None:
        """Start systemd in it and wait until ssh answers."""
        # A machine of its own in everything but the kernel; QEMU and libvirt need what containers mostly lack.
        command = [
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network", "--capability=all",
            f"--machine={self.name}", f"--directory={self.root}", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
            "--console=pipe", "--system-call-filter=@mount @keyring bpf perf_event_open",
        ]
        environment = process.ENVIRONMENT | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_USE_CGNS": "1"}
        group = self.group
        group.make()

        def prepare() -> None:
            kernel.die_with_parent()
            group.enter()

        with self.log.open("ab") as output:
            self.keeper = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True,
                preexec_fn=prepare,
            )
        process.wait_for(lambda: self._leader() is not None, 30, f"{self.name} has no first process", [self.log])
        self._connect(self._leader())
        process.wait_for(self._answers, 120, f"{self.name} did not answer on ssh", [self.log])
        # Processes that are not this machine's show as 0.
        if "0" in self.run("cat", "/sys/fs/cgroup/init.scope/cgroup.procs").split():
            raise LabError(f"{self.name} shares its control groups with another machine")

    def end(self) -> None:
        """Kill it, as a power cut would; its files stay."""
        if self.keeper is None:
            return
        leader = self._leader()
        if leader is not None:
            os.kill(leader, signal.SIGKILL)
        self.keeper.kill()
        self.keeper.wait()
        self.keeper = None
        self.group.remove()
        # The kernel would do it too, some time after the machine is gone.
        for short, _, _ in LINKS:
            command = [*self._in_lab(), "ip", "link", "del", f"{short}-{self.name}"]
            subprocess.run(command, capture_output=True, check=False)

    def remove(self) -> None:
        self.end()
        if os.path.ismount(self.root):
            kernel.unmount(str(self.root))
        shutil.rmtree(self.directory)

    def run(self, *command: str, timeout: float = 60) -> str:
        """Run a command in it, as root; answers what it said."""
        return process.run([*self._enter(), *command], self.log, timeout=timeout)

    def _enter(self) -> list[str]:
        leader = self._leader()
        if leader is None:
            raise LabError(f"{self.name} is not running", [str(self.log)])
        return ["nsenter", "--target", str(leader), "--all", "--wdns=/", "--"]

    def _leader(self) -> int | None:
        """Its first process, as this machine counts."""
        if self.keeper is None or self.keeper.poll() is not None:
            raise LabError(f"{self.name} ended", [str(self.log)])
        children = Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text(encoding="ascii").split()
        for child in map(int, children):
            status = Path(f"/proc/{child}/status").read_text(encoding="ascii")
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(numbers) > 1 and numbers[-1] == "1":
                return child
        return None

    def _connect(self, leader: int) -> None:
        inside = ["nsenter", "--target", str(leader), "--net", "ip"]
        for short, bridge, link in LINKS:
            address = self.control if link == "control0" else self.storage
            process.run(["ip", "link", "add", link, "netns", str(leader), "type", "veth", "peer", "name", f"{short}-{self.name}",
                         "netns", str(self.lab.pid)])
            process.run([*self._in_lab(), "ip", "link", "set", f"{short}-{self.name}", "master", bridge, "up"])
            # The same after every restart, as of a real machine's card.
            process.run([*inside, "link", "set", link, "address", network.hardware_address(address)])
            process.run([*inside, "addr", "add", f"{address}/24", "dev", link])
            process.run([*inside, "link", "set", link, "up"])

    def _in_lab(self) -> list[str]:
        return ["nsenter", "--target", str(self.lab.pid), "--net"]

    def _answers(self) -> bool:
        self._leader()
        try:
            with socket.create_connection((self.control, 22), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

