"""The first process of one node: a machine of its own as far as namespaces go.

Started inside the lab; prints the pid of the node's pid 1 when the node is ready. That process only reaps: killing it
is pulling the plug, because the kernel then ends everything in the node at once.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import kernel, network, private_root, supervisor  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--etc", type=Path, required=True, help="files laid over /etc")
    parser.add_argument("--keep", action="append", default=[], help="PATH=STORE: what outlives the node")
    arguments = parser.parse_args()
    kernel.unshare(kernel.NEWPID | kernel.NEWNS | kernel.NEWNET | kernel.NEWUTS | kernel.NEWIPC)
    up, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(up)
        os._exit(_first_process(arguments, told))
    os.close(told)
    if os.read(up, 16) != b"up":
        return 1
    print(child, flush=True)
    return 0


def _first_process(arguments: argparse.Namespace, told: int) -> int:
    os.setsid()
    kept = dict(pair.split("=", 1) for pair in arguments.keep)
    private_root.make(arguments.repository, {"/etc": arguments.etc}, {path: Path(store) for path, store in kept.items()})
    kernel.set_host_name(arguments.name)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    network.forget_orphans_soon()
    # The node stays when the command that made it ends, and its output must not be waited for.
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    os.write(told, b"up")
    os.close(told)
    while True:
        signal.sigwait({signal.SIGCHLD})
        supervisor.reap()


if __name__ == "__main__":
    sys.exit(main())
