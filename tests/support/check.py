#!/usr/bin/env python3
"""The test suites, in order, and what they have come to. Run by ./check.

A suite that cannot be started has failed. The last line is `N passed, N failed, N skipped`; the exit code
is not zero on any failure. Logs are in target/check.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "target" / "check"
VENV = ROOT / ".cache" / "openstackclient"
LAST_LINES = 120
RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.M)


class Failed(Exception):
    """A suite did not pass; the text says why."""


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Count") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


@dataclass
class Run:
    """What the suites share: the environment that the labs add to, and what was counted."""

    full: bool
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    total: Count = field(default_factory=Count)
    minutes: list[tuple[str, float, Count]] = field(default_factory=list)

    def call(self, log: Path, *command: str, environment: dict[str, str] | None = None) -> str:
        """Runs a command with its output in a log, and answers the output."""
        with log.open("a") as file:
            print(f"$ {shlex.join(command)}", file=file, flush=True)
            start = file.tell()
            done = subprocess.run(
                command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment or self.environment
            )
        text = log.read_text(errors="replace")[start:]
        if done.returncode != 0:
            raise Failed(text)
        return text


def tests_of(text: str) -> Count:
    """What cargo's test runs in this output have come to."""
    count = Count()
    for passed, failed, ignored in RESULT.findall(text):
        count.add(Count(int(passed), int(failed), int(ignored)))
    return count


def cargo_test(run: Run, log: Path, *arguments: str) -> Count:
    try:
        text = run.call(log, "cargo", "test", "--quiet", "--no-fail-fast", *arguments)
    except Failed as failure:
        count = tests_of(str(failure))
        if count.failed == 0:
            raise
        show(log)
        return count
    count = tests_of(text)
    if count.passed == 0:
        raise Failed(f"no test was run: cargo test {shlex.join(arguments)}")
    # An ignored test is one that nobody runs: it counts as failed, so that there is none.
    return Count(count.passed, count.failed + count.skipped, 0)


def packages(run: Run, log: Path) -> Count:
    playbook = ROOT / "ansible" / "workstation.yml"
    environment = run.environment | {"ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    run.call(log, "ansible-playbook", "-i", "localhost,", str(playbook), environment=environment)
    if not (VENV / "bin" / "openstack").exists():
        run.call(log, "/usr/bin/python3", "-m", "venv", "--clear", str(VENV))
        run.call(log, str(VENV / "bin" / "pip"), "install", "--quiet", "python-openstackclient")
    run.call(log, str(ROOT / "tests" / "fuzz" / "schemas"), "--install")
    run.environment["CUTTLE_OPENSTACK"] = str(VENV / "bin" / "openstack")
    return Count(passed=1)


def formatting(run: Run, log: Path) -> Count:
    run.call(log, "cargo", "fmt", "--all", "--", "--check")
    return Count(passed=1)


def clippy(run: Run, log: Path) -> Count:
    run.call(log, "cargo", "clippy", "--quiet", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings")
    return Count(passed=1)


def unit(run: Run, log: Path) -> Count:
    count = cargo_test(run, log, "--workspace", "--lib", "--bins")
    count.add(cargo_test(run, log, "-p", "cuttle-tests", "--test", "house"))
    count.add(cargo_test(run, log, "-p", "cuttle-formats", "--test", "*"))
    return count


def database_sqlite(run: Run, log: Path) -> Count:
    return cargo_test(run, log, "-p", "cuttle-database", "--test", "sqlite")


def database_postgres(run: Run, log: Path) -> Count:
    return cargo_test(run, log, "-p", "cuttle-database", "--test", "postgres")


def stand_ins(run: Run, log: Path) -> Count:
    """What stands in for Ceph and libvirt, and the unwind kit on it."""
    count = cargo_test(run, log, "-p", "cuttle-fakes", "--test", "*")
    count.add(cargo_test(run, log, "-p", "cuttle-operations", "--test", "unwind_kit", "--", "--nocapture"))
    say(log, "unwind kit")
    return count


def say(log: Path, what: str) -> None:
    """Shows a test's own words."""
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith(what):
            print(f"   {line}", flush=True)


def unwind_kit(run: Run, log: Path) -> Count:
    """The unwind kit on a real Ceph and a real libvirtd, inside a host of the lab."""
    text = run.call(log, "cargo", "test", "-p", "cuttle-tests", "--test", "unwind_kit", "--no-run")
    program = str(ROOT / re.findall(r"Executable .*\((.+)\)", text)[-1])
    settings = [AGENT_TESTS[0], f"CUTTLE_TEST_CEPH_CONF={run.environment['CUTTLE_TEST_CEPH_CONF']}"]
    settings += [f"{name}={run.environment[name]}" for name in ("CUTTLE_KIT_SEED",) if name in run.environment]
    settings += ["CUTTLE_KIT_FULL=1"] if run.full else []
    try:
        text = run.call(log, *lab("exec", "1", "--", "env", *settings, program, "--nocapture"))
    except Failed as failure:
        text = str(failure)
        show(log)
        if tests_of(text).failed == 0:
            raise
    say(log, "unwind kit")
    return tests_of(text)


def rbd_backend(run: Run, log: Path) -> Count:
    # All of its tests but those that break the cluster.
    tests = sorted(path.stem for path in (ROOT / "rbd-backend" / "tests").iterdir() if path.name not in ("support", "trouble.rs"))
    return cargo_test(run, log, "-p", "cuttle-rbd-backend", *(word for test in tests for word in ("--test", test)))


def ceph_in_trouble(run: Run, log: Path) -> Count:
    return cargo_test(run, log, "-p", "cuttle-rbd-backend", "--test", "trouble")


def operations(run: Run, log: Path) -> Count:
    # The unwind kit on the stand-ins was run before.
    tests = sorted(path.stem for path in (ROOT / "operations" / "tests").glob("*.rs") if path.stem != "unwind_kit")
    return cargo_test(run, log, "-p", "cuttle-operations", *(word for test in tests for word in ("--test", test)), "--", "--test-threads=4")


AGENT_TESTS = [
    "CUTTLE_TEST_LIBVIRT_URI=qemu:///system",
    'CUTTLE_TEST_LIBVIRT_RESTART=kill -9 "$(cat /run/libvirtd.pid)" && libvirtd -d',
]


def agent(run: Run, log: Path) -> Count:
    """The agent's own tests need a libvirtd, so they run inside a host of the lab."""
    text = run.call(log, "cargo", "test", "-p", "cuttle-compute", "--test", "*", "--no-run")
    programs = [str(ROOT / program) for program in re.findall(r"Executable .*\((.+)\)", text)]
    count = Count()
    for program in programs:
        try:
            text = run.call(log, *lab("exec", "1", "--", "env", *AGENT_TESTS, program, "--test-threads=1"))
        except Failed as failure:
            text = str(failure)
            show(log)
            if tests_of(text).failed == 0:
                raise
        count.add(tests_of(text))
    if count.passed == 0:
        raise Failed("no test of the agent was run")
    return count


def end_to_end(run: Run, log: Path) -> Count:
    return cargo_test(run, log, "-p", "cuttle-tests", "--test", "api_*", "--test", "boot", "--test", "guests", "--test", "moving", "--test", "client*", "--test", "cli", "--", "--test-threads=3")


def storage_placement(run: Run, log: Path) -> Count:
    # What cuts links and stops OSDs takes minutes.
    skipped = [] if run.full else ["--skip", "long::"]
    return cargo_test(run, log, "-p", "cuttle-tests", "--test", "storage_placement", "--", "--test-threads=1", "--nocapture", *skipped)


def debian(run: Run, log: Path) -> Count:
    """A Debian with cloud-init, built from packages once and kept until its recipe changes."""
    recipe, image = ROOT / "guest" / "debian" / "build", ROOT / ".cache" / "guest" / "debian.raw"
    if not image.exists() or image.stat().st_mtime < recipe.stat().st_mtime:
        run.call(log, str(recipe), str(image))
    run.environment["CUTTLE_TEST_DEBIAN"] = str(image)
    return cargo_test(run, log, "-p", "cuttle-tests", "--test", "debian")


def joining(run: Run, log: Path) -> Count:
    return cargo_test(run, log, "-p", "cuttle-tests", "--test", "join", "--test", "keys", "--", "--test-threads=1")


def leaks(run: Run, log: Path) -> Count:
    """After all others: what they have left behind is looked through."""
    return cargo_test(run, log, "-p", "cuttle-tests", "--test", "leaks")


def faults(run: Run, log: Path) -> Count:
    return cargo_test(run, log, "-p", "cuttle-tests", "--test", "faults*", "--test", "races", "--", "--test-threads=1")


def fuzzing(run: Run, log: Path) -> Count:
    """Requests that schemathesis makes up from the OpenAPI document: no 5xx, and answers as documented."""
    run.call(log, str(ROOT / "tests" / "fuzz" / "schemas"), "--examples", "60" if run.full else "6")
    return Count(passed=1)


def slow_and_expired(run: Run, log: Path) -> Count:
    """What takes minutes: all commands of the client, certificates that run out, storage that hangs."""
    tests = ("--test", "commands", "--test", "renewal", "--test", "slow_storage")
    return cargo_test(run, log, "-p", "cuttle-tests", *tests, "--", "--test-threads=1")


def two_control_nodes(run: Run, log: Path) -> Count:
    return cargo_test(run, log, "-p", "cuttle-tests", "--test", "control_nodes", "--", "--test-threads=1")


def lab(*arguments: str) -> list[str]:
    return [str(ROOT / "lab"), "--name", "check", *arguments]


def lab_up(*arguments: str) -> Callable[[Run, Path], Count]:
    """A suite that starts a lab, which ends with this process at the latest."""

    def start(run: Run, log: Path) -> Count:
        lab_down(run, log)
        run.call(log, *lab("up", "--while-pid", str(os.getpid()), *arguments))
        for line in subprocess.run(lab("env"), capture_output=True, text=True, check=True).stdout.splitlines():
            for word in shlex.split(line.removeprefix("export ")):
                name, _, value = word.partition("=")
                run.environment[name] = value
        return Count(passed=1)

    return start


def binaries(run: Run, log: Path) -> Count:
    run.call(log, "cargo", "build", "--quiet", "--locked", "-p", "cuttle-api", "-p", "cuttle-compute", "-p", "cuttle-cli")
    return Count(passed=1)


def lab_down(run: Run, log: Path) -> Count:
    run.call(log, *lab("down"))
    return Count(passed=1)


Suite = tuple[str, Callable[[Run, Path], Count]]

QUICK: list[Suite] = [
    ("format", formatting),
    ("clippy", clippy),
    ("unit", unit),
    ("database on SQLite", database_sqlite),
    ("stand-ins and the unwind kit", stand_ins),
]

ON_REAL_PARTS: list[Suite] = [
    ("lab with Ceph and PostgreSQL", lab_up("--ceph-only", "--database", "postgres")),
    ("database on PostgreSQL", database_postgres),
    ("rbd-backend on Ceph", rbd_backend),
    ("operations on Ceph", operations),
    ("build", binaries),
    ("lab with three hosts", lab_up("--hosts", "3")),
    ("agent on libvirt", agent),
    ("unwind kit on real parts", unwind_kit),
    ("end to end", end_to_end),
    ("placement by storage", storage_placement),
    ("joining, keys and secrets", joining),
    ("faults", faults),
    ("leaks", leaks),
    ("lab down", lab_down),
]

def deployment(run: Run, log: Path) -> Count:
    """In a mount namespace of its own, so that no mount outlives it."""
    script = ROOT / "tests" / "support" / "machines" / "deployment.py"
    try:
        text = run.call(log, "unshare", "--mount", "/usr/bin/python3", str(script), "check")
    except Failed as failure:
        text = str(failure)
        if tests_of(text).failed == 0:
            raise
        show(log)
    return tests_of(text)


LONG: list[Suite] = [
    ("lab with Ceph of three OSDs", lab_up("--ceph-only", "--osds", "3")),
    ("Ceph in trouble", ceph_in_trouble),
    ("lab with PostgreSQL and two control nodes", lab_up("--hosts", "3", "--database", "postgres", "--control-nodes", "2")),
    ("end to end on PostgreSQL", end_to_end),
    ("faults on PostgreSQL", faults),
    ("two control nodes", two_control_nodes),
    ("Debian with cloud-init", debian),
    # On a lab of its own: what it makes up changes and removes accounts too.
    ("lab to be broken", lab_up("--hosts", "1")),
    ("commands, certificates that run out, storage that hangs", slow_and_expired),
    ("requests made up from the schemas", fuzzing),
    ("lab for machines", lab_up("--ceph-only", "--database", "postgres")),
    ("deployment on machines with systemd", deployment),
    ("lab down again", lab_down),
]


def show(log: Path) -> None:
    lines = log.read_text(errors="replace").splitlines()
    print(f"--- the end of {log.relative_to(ROOT)}")
    print("\n".join(lines[-LAST_LINES:]), flush=True)


def run_suite(run: Run, name: str, suite: Callable[[Run, Path], Count]) -> bool:
    print(f"== {name}", flush=True)
    log = LOGS / (re.sub(r"\W+", "-", name) + ".log")
    log.unlink(missing_ok=True)
    log.touch()
    start = time.monotonic()
    try:
        count = suite(run, log)
    except Failed:
        show(log)
        count = Count(failed=1)
    except OSError as error:
        print(f"could not be started: {error}")
        count = Count(failed=1)
    minutes = (time.monotonic() - start) / 60
    run.minutes.append((name, minutes, count))
    run.total.add(count)
    print(f"   {count.passed} passed, {count.failed} failed in {minutes:.1f} min", flush=True)
    return count.failed == 0


def main() -> int:
    kind = sys.argv[1] if len(sys.argv) > 1 else "all"
    if kind not in ("quick", "all", "full") or len(sys.argv) > 2:
        print("usage: ./check [quick|full]", file=sys.stderr)
        return 2
    suites = QUICK if kind == "quick" else [("packages", packages), *QUICK, *ON_REAL_PARTS, *(LONG if kind == "full" else [])]
    LOGS.mkdir(parents=True, exist_ok=True)
    run = Run(full=kind == "full")
    try:
        for name, suite in suites:
            ok = run_suite(run, name, suite)
            # What is missing here is missing for all that follow.
            if not ok and name.startswith(("packages", "lab with", "lab for", "lab to", "build")):
                print(f"the rest needs '{name}'")
                break
    finally:
        if kind != "quick":
            subprocess.run(lab("down"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    print("\nminutes  passed  failed  suite")
    for name, minutes, count in run.minutes:
        print(f"{minutes:7.1f}  {count.passed:6}  {count.failed:6}  {name}")
    print(f"{sum(minutes for _, minutes, _ in run.minutes):7.1f}  all\n")
    print(f"{run.total.passed} passed, {run.total.failed} failed, {run.total.skipped} skipped")
    return 0 if run.total.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
