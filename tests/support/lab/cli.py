"""The command line. Outside it makes and ends labs; what changes a lab runs again inside its namespaces."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from . import guest_image, outside, process
from .errors import LabError
from .layout import REPOSITORY, Lab, directory_of, load, require


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="./lab", description="A real Ceph, libvirt hosts and Cuttle on this machine.")
    top.add_argument("--name", default="lab", help="which lab (several can be up)")
    top.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    up = verbs.add_parser("up", help="bring a lab up")
    up.add_argument("--hosts", type=int, default=1)
    up.add_argument("--control-nodes", type=int, default=1)
    up.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    up.add_argument("--osds", type=int, help="default: 3 with three hosts or more, else 1")
    up.add_argument("--boot", action="store_true", help="boot an instance `first` too")
    up.add_argument("--ceph-only", action="store_true", help="Ceph (and the database) alone")
    up.add_argument("--while-pid", type=int, metavar="PID", help="the lab ends when this process ends")
    up.add_argument("--profile", choices=["debug", "release"], default="debug", help="which build of Cuttle")
    up.add_argument("--virt-type", choices=["auto", "kvm", "qemu"], default="auto")
    up.add_argument("--keep", action="store_true", help="leave a lab that did not come up, to look into it")
    status = verbs.add_parser("status", help="what runs")
    status.add_argument("--json", action="store_true")
    verbs.add_parser("env", help="print export lines for a shell: eval \"$(./lab env)\"")

    host = verbs.add_parser("host", help="kill, start, cut, heal a compute host")
    actions = host.add_subparsers(dest="action", required=True)
    for action in ("kill", "start", "heal"):
        actions.add_parser(action).add_argument("number", type=int)
    cut = actions.add_parser("cut")
    cut.add_argument("number", type=int)
    which = cut.add_mutually_exclusive_group(required=True)
    for path in ("control", "storage", "both"):
        which.add_argument(f"--{path}", dest="path", action="store_const", const=path)
    for verb, choices, text in (
        ("control", ["kill", "start", "stop"], "kill, stop, start a control node"),
        ("agent", ["kill", "start"], "kill or start only the agent of a host"),
        ("libvirtd", ["kill", "start"], "kill or start only the libvirtd of a host"),
    ):
        sub = verbs.add_parser(verb, help=text)
        sub.add_argument("action", choices=choices)
        sub.add_argument("number", type=int)
    daemon = verbs.add_parser("ceph", help="kill, start, freeze or thaw one of Ceph's own processes")
    daemon.add_argument("action", choices=["kill", "start", "freeze", "thaw"])
    daemon.add_argument("daemon", help="mon.a, mgr.x or osd.N")
    execute = verbs.add_parser("exec", help="run a command in host N, controlN, or beside Ceph (ceph)")
    execute.add_argument("where")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    verbs.add_parser("console", help="the serial console's log of an instance").add_argument("instance")
    verbs.add_parser("first", help="make the instance `first` if it is not there, and show it")
    verbs.add_parser("guest-image", help="build the tiny guest's disk if it is not there; needs no lab")
    verbs.add_parser("down", help="end the lab and remove its files")
    return top


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        if os.geteuid() != 0:
            raise LabError("the lab makes namespaces and network links: run it as root")
        if options.inside:
            from . import verbs

            return verbs.run(options)
        return _outside(options, arguments)
    except LabError as error:
        show(error)
        if options.inside:
            # Phases that still wait for something must not keep the failure from being acted on.
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(1)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def show(error: LabError) -> None:
    print(f"lab: {error}", file=sys.stderr)
    for log in error.logs:
        print(f"--- the end of {log}", file=sys.stderr)
        print("\n".join(process.tail(Path(log), 15)), file=sys.stderr)


def _outside(options: argparse.Namespace, arguments: list[str]) -> int:
    if options.verb == "up":
        return _up(options)
    if options.verb == "down":
        ended = outside.down(options.name)
        print(f"lab {options.name}: {'ended, files removed' if ended else 'was not up'}")
        return 0
    if options.verb == "guest-image":
        print(guest_image.require())
        return 0
    if options.verb in ("status", "env"):
        from . import report

        if options.verb == "status":
            return report.status(options.name, options.json)
        print(report.environment(require(options.name)))
        return 0
    lab = require(options.name)
    # A lab may be named as a verb is.
    verb = next(i for i, word in enumerate(arguments) if word == options.verb and arguments[i - 1 : i] != ["--name"])
    own = arguments[verb:]
    return subprocess.run(outside.inside(lab, own), env=process.ENVIRONMENT, check=False).returncode


def _up(options: argparse.Namespace) -> int:
    lab = Lab(
        name=options.name,
        directory=directory_of(options.name),
        hosts=options.hosts,
        control_nodes=options.control_nodes,
        osds=options.osds or (3 if options.hosts >= 3 else 1),
        database=options.database,
        target=str((REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")).resolve()),
        profile=options.profile,
        virt_type=options.virt_type,
        ceph_only=options.ceph_only,
    )
    _check(lab)
    # A lab whose first process is gone leaves files at most; they must not be taken for this one's.
    old = load(lab.name)
    if old is not None and not old.is_alive():
        outside.down(lab.name)
    if not lab.ceph_only:
        # Out here: the lab's own network leads nowhere, and packages come from the distribution's mirror.
        guest_image.require()
    life = outside.make(lab, options.while_pid)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ready = False
    try:
        command = outside.inside(lab, ["up", *(["--boot"] if options.boot else [])])
        if subprocess.run(command, env=process.ENVIRONMENT, check=False).returncode == 0:
            ready = lab.ready = True
            lab.save()
            os.write(life, b"ready")
            return 0
        return 1
    finally:
        if not ready and options.keep:
            os.write(life, b"ready")
            print(f"the lab is left as it is; logs in {lab.log}; end it with ./lab down", file=sys.stderr)
        os.close(life)
        if not ready and not options.keep:
            process.wait_for(lambda: not lab.is_alive(), 30, "the lab did not end")
            print(f"everything is torn down; the logs are in {lab.log}", file=sys.stderr)


def _check(lab: Lab) -> None:
    for name, limit in (("hosts", 100), ("control_nodes", 8)):
        if not 1 <= getattr(lab, name) <= limit:
            raise LabError(f"--{name.replace('_', '-')} must be 1 to {limit}")
    if not lab.ceph_only:
        if lab.control_nodes > 1 and lab.database == "sqlite":
            raise LabError("several control nodes need --database postgres: SQLite is one node's own file")
        for name in ("cuttle-api", "cuttle-compute"):
            if not lab.binary(name).exists():
                flag = " --release" if lab.profile == "release" else ""
                raise LabError(f"{lab.binary(name)} is not built; run: cargo build{flag} --bins")
    if not 1 <= lab.osds <= 16:
        raise LabError("--osds must be 1 to 16")
