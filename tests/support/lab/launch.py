"""Start one service inside a node and print its pid as the lab counts it.

A small program of its own, because entering a pid namespace only holds for children, and the lab's main process has
threads and must not change its own namespaces.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import kernel  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--node", type=int, required=True, help="pid of the node's first process")
    parser.add_argument("--log", required=True)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    log = os.open(arguments.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    kernel.join(arguments.node, kernel.NEWPID | kernel.NEWNS | kernel.NEWNET | kernel.NEWUTS | kernel.NEWIPC)
    child = os.fork()
    if child != 0:
        print(child, flush=True)
        return 0
    os.setsid()
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir("/")
    try:
        os.execvp(arguments.command[0], arguments.command)
    except OSError as error:
        os.write(2, f"{arguments.command[0]}: {error}\n".encode())
        os._exit(127)


if __name__ == "__main__":
    sys.exit(main())
