//! One control node, whether its `serve` runs or not: the configuration, the files that it names, room,
//! ports; then everything that can be reached from here.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cuttle_model::clock::{Clock, SystemClock};

use super::check::{Check, timed};
use super::{Patient, ceph, certificates, examine as examine_all};
use crate::config::{self, Config};
use crate::error::chain;
use crate::serve::{connect_ceph, connect_database};

/// How long a port may take to answer.
const PORT: Duration = Duration::from_secs(2);
const GIB: u64 = 1 << 30;

/// Looks at the control node that this configuration is for.
pub async fn examine(path: &Path) -> Vec<Check> {
    let (config, mut checks) = configuration(path).await;
    let Some(config) = config else { return checks };
    checks.extend(timed("files", "", async { files(&config) }).await);
    checks.extend(timed("ports", "", async { ports(&config) }).await);
    let (database, ceph) = tokio::join!(
        timed_connection("database", "look at [database] in the configuration", async {
            if let Some(missing) = sqlite_file(&config.database).filter(|file| !file.exists()) {
                return Err(format!("{} is not there: run 'cuttle-api init'", missing.display()));
            }
            connect_database(&config.database).await.map_err(|error| chain(&error))
        }),
        timed_connection("ceph", "look at [ceph] in the configuration, the keyring, and whether the monitors run", async {
            connect_ceph(&config.ceph).await.map_err(|error| chain(&error))
        }),
    );
    let now = SystemClock.now();
    let tls_directory = config.agents.tls_directory.clone();
    match (database, ceph) {
        (Ok(database), ceph) => {
            let (ceph, trouble) = ceph.map_or_else(|check| (None, Some(check)), |ceph| (Some(ceph), None));
            let patient = Patient { database, ceph, settings: config.operations, tls_directory, now };
            checks.extend(examine_all(&patient).await);
            checks.extend(trouble);
        }
        (Err(trouble), ceph) => {
            checks.push(trouble);
            checks.extend(certificates::examine(&tls_directory, now).await);
            match ceph {
                Ok(ceph) => checks.extend(ceph::examine(&ceph, &config.operations).await),
                Err(trouble) => checks.push(trouble),
            }
        }
    }
    checks
}

async fn configuration(path: &Path) -> (Option<Config>, Vec<Check>) {
    let name = "configuration";
    let read = Config::read(path);
    let (config, found) = match read {
        Err(error) => (None, Check::broken(name, chain(&error), "docs/operating.md lists the keys; mend the file that is named")),
        Ok(config) => match fs::metadata(path).map(|found| found.permissions().mode() & 0o777) {
            Ok(mode) if mode & 0o022 != 0 => {
                let detail = format!("others may change {} (mode {mode:o})", path.display());
                (Some(config), Check::broken(name, detail, format!("chmod go-w {}", path.display())))
            }
            _ => (Some(config), Check::ok(name, format!("{} is understood", path.display()))),
        },
    };
    (config, timed(name, "", async { vec![found] }).await)
}

/// Opens a connection; what hangs or fails is a finding.
async fn timed_connection<T>(name: &str, advice: &str, connect: impl Future<Output = Result<T, String>>) -> Result<T, Check> {
    let mut connection = None;
    let failures = timed(name, advice, async {
        match connect.await {
            Ok(made) => {
                connection = Some(made);
                Vec::new()
            }
            Err(text) => vec![Check::broken(name, text, advice)],
        }
    })
    .await;
    match (connection, failures.into_iter().next()) {
        (Some(made), _) => Ok(made),
        (None, Some(check)) => Err(check),
        (None, None) => Err(Check::broken(name, "no connection was made", advice)),
    }
}

fn files(config: &Config) -> Vec<Check> {
    let mut found = Vec::new();
    found.extend(config.ceph.keyring.as_deref().and_then(|path| certificates::secret_file("ceph keyring", path)));
    found.extend(config.database.password_file.as_deref().and_then(|path| certificates::secret_file("database password", path)));
    // It is needed by `init` only, and may be gone.
    let password = &config.identity.admin_password_file;
    found.extend(password.exists().then(|| certificates::secret_file("administrator's password", password)).flatten());
    if let Err(error) = fs::File::open(&config.ceph.conf) {
        let advice = "write a ceph.conf with mon_host, or name another one in [ceph] conf";
        found.push(Check::broken("ceph.conf", format!("{} cannot be read: {error}", config.ceph.conf.display()), advice));
    }
    if found.is_empty() {
        found.push(Check::ok("files", "all that the configuration names are there, secrets for their owner alone"));
    }
    if let Some(file) = sqlite_file(&config.database) {
        found.push(room(file.parent().unwrap_or(Path::new("/"))));
    }
    found
}

fn sqlite_file(database: &config::Database) -> Option<PathBuf> {
    let path = database.url.strip_prefix("sqlite:")?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// The room for the database's file.
fn room(directory: &Path) -> Check {
    let advice = "free room there: without it nothing can be recorded, and so nothing is done";
    match rustix::fs::statvfs(directory) {
        Err(error) => Check::broken("disk", format!("{}: {error}", directory.display()), "run 'cuttle-api init'"),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let detail = format!("{} MiB are free in {}", free >> 20, directory.display());
            match free {
                free if free < GIB / 10 => Check::broken("disk", detail, advice),
                free if free < GIB => Check::warning("disk", detail, advice),
                _ => Check::ok("disk", detail),
            }
        }
    }
}

fn ports(config: &Config) -> Vec<Check> {
    [("port for clients", config.public.listen), ("port for agents", config.agents.listen)]
        .into_iter()
        .map(|(name, address)| port(name, address))
        .collect()
}

/// Free, or answering: then it is taken for ours.
fn port(name: &str, address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free: cuttle-api is not running")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let mut reached = address;
            if address.ip().is_unspecified() {
                reached.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
            }
            match TcpStream::connect_timeout(&reached, PORT) {
                Ok(_) => Check::ok(name, format!("{address} is in use and answers")),
                Err(error) => Check::broken(
                    name,
                    format!("{address} is in use and does not answer: {error}"),
                    format!("'ss -ltnp sport = :{}' says by what; restart cuttle-api", address.port()),
                ),
            }
        }
        Err(error) => Check::broken(
            name,
            format!("{address} cannot be listened on: {error}"),
            "name an address of this machine in [public] listen and [agents] listen",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn ports_are_free_or_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(port("p", address).detail.contains("in use and answers"));
        drop(listener);
        assert!(port("p", address).detail.contains("is free"));
        let elsewhere = port("p", "192.0.2.1:1".parse().unwrap());
        assert_eq!((elsewhere.status, elsewhere.advice.is_some()), (Status::Broken, true));
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_ends_the_look() {
        let checks = examine(Path::new("/nowhere/api.toml")).await;
        assert_eq!((checks.len(), checks[0].status), (1, Status::Broken));
        assert!(checks[0].detail.contains("/nowhere/api.toml"), "{}", checks[0].detail);
    }
}
