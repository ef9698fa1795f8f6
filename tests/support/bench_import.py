"""`tests/bench import`: from PUT …/file of a raw image to 204, beside `rbd import` of the same bytes."""

import os
import socket
import sqlite3
import statistics
import sys
import time
from pathlib import Path

from bench_lab import DATABASE, Cloud, environment, lab


FILE, STREAM = "`rbd import`, file", "`rbd import`, stream"
WHOLE = "the stream to `rbd import`, `md5sum` and `sha512sum`; snapshot, protection"
# Programs of Ceph that are started one after the other.
STARTS = {FILE: 1, STREAM: 1, WHOLE: 3, "Cuttle": 0}


def make_data(path: Path, mebibytes: int) -> None:
    """Pieces of 16 MiB: one of noise, one of holes."""
    with path.open("wb") as file:
        for start in range(0, mebibytes, 32):
            file.seek(start << 20)
            file.write(os.urandom(16 << 20))
        file.truncate(mebibytes << 20)


def upload(cloud: Cloud, image: str, path: Path) -> None:
    """Sends the file by sendfile, so that the client costs next to nothing."""
    host, _, port = cloud.base.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection, path.open("rb") as file:
        connection.sendall(
            f"PUT /image/v2/images/{image}/file HTTP/1.1\r\nHost: {host}\r\nX-Auth-Token: {cloud.token}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {path.stat().st_size}\r\n\r\n".encode()
        )
        connection.sendfile(file)
        answer = connection.recv(4096).decode(errors="replace")
    if " 204 " not in answer.split("\r\n")[0]:
        sys.exit(f"the upload was answered with {answer}")


def timed(work) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def measure(options) -> None:
    variables = environment()
    run_dir, cloud = Path(variables["CUTTLE_LAB_DIR"]), Cloud(variables)
    data = run_dir / "import.raw"
    make_data(data, options.mebibytes)

    def rbd(*arguments: str) -> str:
        return lab("exec", "ceph", "--", "rbd", *arguments)

    def ours() -> None:
        body = {"name": "bench", "disk_format": "raw", "container_format": "bare"}
        images.append(cloud.must("POST", "/image/v2/images", body)["id"])
        upload(cloud, images[-1], data)

    images: list[str] = []
    streamed = ["sh", "-c", f"rbd import --no-progress - images/floor-stream < {data}"]
    # What the Image API asks for beside the data: both checksums, and a snapshot to clone from.
    whole = (
        f"tee >(md5sum > /dev/null) >(sha512sum > /dev/null) < {data} | rbd import --no-progress - images/floor-whole"
        " && rbd snap create --no-progress images/floor-whole@snap && rbd snap protect images/floor-whole@snap"
    )
    kinds = {
        FILE: lambda: rbd("import", "--no-progress", str(data), "images/floor-file"),
        STREAM: lambda: lab("exec", "ceph", "--", *streamed),
        WHOLE: lambda: lab("exec", "ceph", "--", "bash", "-c", whole),
        "Cuttle": ours,
    }
    # What it takes to start a program in the lab is not part of the floor.
    start = statistics.median(timed(lambda: lab("exec", "ceph", "--", "rbd", "--version")) for _ in range(3))
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(options.rounds):
        for kind, work in kinds.items():
            seconds[kind].append(timed(work) - start * STARTS[kind])
            print(f"round {number + 1}: {kind} {seconds[kind][-1]:.2f} s", flush=True)
        if number == 0:
            compare = f"rbd export images/floor-file - | cmp - {data} && rbd export images/{images[0]}@snap - | cmp - {data}"
            lab("exec", "ceph", "--", "sh", "-c", compare)
        rbd("snap", "unprotect", "images/floor-whole@snap")
        rbd("snap", "purge", "--no-progress", "images/floor-whole")
        for name in ("floor-file", "floor-stream", "floor-whole"):
            rbd("rm", "--no-progress", f"images/{name}")

    medians = {kind: statistics.median(of) for kind, of in seconds.items()}
    rates = {kind: options.mebibytes / median for kind, median in medians.items()}
    # How fast the checksums alone are, each on a processor of its own.
    sums = {program: options.mebibytes / timed(lambda: lab("exec", "ceph", "--", program, str(data))) for program in ("md5sum", "sha512sum")}
    print(f"\n| import of {options.mebibytes} MiB, half holes; {os.cpu_count()} cores, median of {options.rounds} | time | rate | Cuttle's to it | goal |")
    print("|---|---|---|---|---|")
    for kind, rate in rates.items():
        goal = "≥ 0.90" if kind == FILE else ""
        print(f"| {kind} | {medians[kind]:.2f} s | {rate:.0f} MiB/s | {rates['Cuttle'] / rate:.2f} | {goal} |")
    print("\n| checksum of the same bytes, alone | rate |\n|---|---|")
    for program, rate in sums.items():
        print(f"| {program} | {rate:.0f} MiB/s |")
    connection = sqlite3.connect(f"file:{run_dir / DATABASE}?mode=ro", uri=True)
    steps = connection.execute(
        "SELECT s.name, avg(s.finished_at - s.started_at) / 1000.0 FROM operation_steps s JOIN operations o ON o.id = s.operation_id"
        # The lab has imported an image too.
        f" WHERE o.subject_id IN ({', '.join('?' * len(images))}) GROUP BY s.name ORDER BY min(s.sequence)",
        images,
    ).fetchall()
    print("\n| step of an import | mean |\n|---|---|")
    for name, milliseconds in steps:
        print(f"| {name} | {milliseconds:.0f} ms |")
