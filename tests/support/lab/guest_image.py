"""The tiny guest's disk, built once and kept until its sources or its kernel change."""

import fcntl
from pathlib import Path

from . import process
from .layout import CACHE, REPOSITORY

SOURCE = REPOSITORY / "guest" / "tiny"
IMAGE = CACHE / "guest" / "tiny.raw"


def require() -> Path:
    """Build it if it is not there or older than what it is made of. One builder at a time."""
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    with (IMAGE.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not IMAGE.exists() or IMAGE.stat().st_mtime < max(file.stat().st_mtime for file in SOURCE.iterdir()):
            print("building the guest image", flush=True)
            process.run([str(SOURCE / "build"), str(IMAGE)], timeout=300)
    return IMAGE
