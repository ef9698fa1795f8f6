"""PostgreSQL for the labs and tests that want it, on the control address, with a password and nothing kept on disk safe.

Its files are bound to a path under /var/lib in the lab, because the user postgres may not look into the repository's
directory. Crash safety is off: the data lives as long as the lab.
"""

import os
import pwd
import secrets
from pathlib import Path

from . import process, secret_file
from .errors import LabError
from .layout import Lab
from .process import run, wait_for

DATA = "/var/lib/cuttle-lab-postgres/data"
SOCKETS = "/run/postgresql"
PORT = 5432
ROLE = "cuttle"
SETTINGS = {
    "unix_socket_directories": SOCKETS,
    "password_encryption": "scram-sha-256",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


def programs() -> Path:
    """The newest PostgreSQL that is installed; Debian keeps each version's programs in a directory of its own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if not found:
        raise LabError("PostgreSQL is not installed")
    return found[-1].parent


def password_file(lab: Lab) -> Path:
    return lab.secrets / "database-password"


def make_password(lab: Lab) -> None:
    secret_file.write(password_file(lab), f"{secrets.token_urlsafe(24)}\n")


def _password(lab: Lab) -> str:
    return password_file(lab).read_text(encoding="ascii").strip()


def start(lab: Lab) -> None:
    """Make and start the server with the databases `cuttle` and `cuttle_test`; ready when it returns."""
    log = lab.log / "postgres.log"
    postgres = pwd.getpwnam("postgres")
    for directory in (Path(DATA).parent, Path(SOCKETS)):
        directory.mkdir(parents=True, exist_ok=True)
        os.chown(directory, postgres.pw_uid, postgres.pw_gid)
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
    run([*as_postgres, str(programs() / "initdb"), "--pgdata", DATA, "--auth=peer", "--encoding=UTF8", "--no-sync", "--locale=C.UTF-8"], log)
    with (Path(DATA) / "pg_hba.conf").open("a", encoding="ascii") as access:
        access.write(f"host all {ROLE} {lab.addresses.control(0)}/24 scram-sha-256\n")
    settings = SETTINGS | {"listen_addresses": lab.addresses.control(1), "port": str(PORT)}
    command = [str(programs() / "postgres"), "-D", DATA]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    process.start(command, log, lab.pid_file("postgres"), user="postgres")
    ready = Path(SOCKETS) / f".s.PGSQL.{PORT}.lock"
    wait_for(ready.exists, 20, "PostgreSQL did not start", [log])
    statements = f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{_password(lab)}';\n"
    statements += "".join(f"CREATE DATABASE {name} OWNER {ROLE};\n" for name in (ROLE, f"{ROLE}_test"))
    psql = [*as_postgres, "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", SOCKETS, "-d", "postgres"]

    def accepts() -> bool:
        try:
            run([*psql, "-c", "SELECT 1"])
        except LabError:
            return False
        return True

    wait_for(accepts, 20, "PostgreSQL did not accept connections", [log])
    run(psql, stdin=statements)


def url(lab: Lab, database: str = ROLE, with_password: bool = False) -> str:
    secret = f":{_password(lab)}" if with_password else ""
    return f"postgres://{ROLE}{secret}@{lab.addresses.control(1)}:{PORT}/{database}"
