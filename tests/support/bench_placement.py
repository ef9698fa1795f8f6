"""Decisions of the scheduler in memory: no lab, no claim, one thread."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def run() -> None:
    command = ["cargo", "run", "-q", "--release", "--locked", "-p", "cuttle-scheduler", "--example", "decisions"]
    sys.exit(subprocess.run(command, cwd=ROOT).returncode)
