"""Runs many commands of the unmodified `openstack` client in one process, which costs its long start once.

Reads one JSON list of arguments a line, and answers each with a line: its exit status and what it printed.
"""

import contextlib
import io
import json
import sys

from openstackclient import shell


def run(arguments: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = shell.main(arguments)
        except SystemExit as end:
            status = end.code
    return int(status or 0), out.getvalue(), err.getvalue()


for line in sys.stdin:
    status, out, err = run(json.loads(line))
    print(json.dumps({"status": status, "stdout": out, "stderr": err}), flush=True)
