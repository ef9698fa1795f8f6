//! The agents' authority and the certificate that agents see: there, readable, in their time, and their
//! keys for their owner alone.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use cuttle_model::clock::Timestamp;
use x509_parser::pem::parse_x509_pem;

use super::check::{Check, timed};

const ADVICE: &str = "run 'cuttle-api init', which makes what is missing and keeps what is there";
/// A certificate that ends sooner is complained of.
const SOON: Duration = Duration::from_secs(30 * 86_400);

pub async fn examine(directory: &Path, now: Timestamp) -> Vec<Check> {
    timed("certificates", ADVICE, async {
        let certificates = ["ca.pem", "server.pem"].map(|name| certificate(&directory.join(name), now));
        let keys = ["ca.key", "server.key"].iter().filter_map(|name| secret_file("certificates", &directory.join(name)));
        certificates.into_iter().chain(keys).collect()
    })
    .await
}

fn certificate(path: &Path, now: Timestamp) -> Check {
    let name = format!("certificate {}", path.file_name().unwrap_or_default().to_string_lossy());
    let pem = match fs::read(path) {
        Ok(pem) => pem,
        Err(error) => return Check::broken(name, format!("{} cannot be read: {error}", path.display()), ADVICE),
    };
    let Some((begins, ends)) = validity(&pem) else {
        return Check::broken(name, format!("{} holds no certificate that is understood", path.display()), ADVICE);
    };
    if now < begins {
        let detail = format!("it is valid from {} only", begins.to_seconds_z());
        return Check::broken(name, detail, "set this node's clock by NTP");
    }
    let left = ends.since(now);
    let renew = "move server.pem and server.key away and run 'cuttle-api init' on each control node; for ca.pem all agents \
                 must then be given the new one";
    match left {
        Duration::ZERO => Check::broken(name, format!("it has expired at {}: agents refuse it", ends.to_seconds_z()), renew),
        left if left < SOON => Check::warning(name, format!("it expires in {} days", left.as_secs() / 86_400), renew),
        _ => Check::ok(name, format!("valid until {}", ends.to_seconds_z())),
    }
}

fn validity(pem: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, pem) = parse_x509_pem(pem).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let validity = certificate.validity();
    let time = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    Some((time(validity.not_before.timestamp()), time(validity.not_after.timestamp())))
}

/// What is wrong with a file that holds a secret.
pub fn secret_file(name: &str, path: &Path) -> Option<Check> {
    match fs::metadata(path) {
        Err(error) => {
            let told =
                if error.kind() == io::ErrorKind::NotFound { "is not there".into() } else { format!("cannot be read: {error}") };
            Some(Check::broken(name, format!("{} {told}", path.display()), ADVICE))
        }
        Ok(found) if found.permissions().mode() & 0o007 != 0 => {
            let mode = found.permissions().mode() & 0o777;
            let detail = format!("{} holds a secret and others may use it (mode {mode:o})", path.display());
            Some(Check::broken(name, detail, format!("chmod 600 {}; whoever could read it may know the secret", path.display())))
        }
        Ok(_) => fs::File::open(path).err().map(|error| {
            Check::broken(name, format!("{} cannot be read: {error}", path.display()), "run this as the user who runs cuttle-api")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;
    use crate::config::Agents;

    #[tokio::test]
    async fn certificates_are_judged_by_the_clock_and_keys_by_their_mode() {
        let directory = std::env::temp_dir().join(format!("cuttle-doctor-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        let agents = Agents { tls_directory: directory.clone(), names: vec!["control1".into()], ..Agents::default() };
        crate::init::certificates::make(&agents).unwrap();
        let worst = |checks: Vec<Check>| checks.into_iter().max_by_key(|check| check.status).unwrap();
        let day = |text: &str| Timestamp::parse_iso(text).unwrap();
        assert_eq!(worst(examine(&directory, day("2026-11-21T12:00:00Z")).await).status, Status::Ok);
        let early = worst(examine(&directory, day("1960-01-01T00:00:00Z")).await);
        assert!(early.status == Status::Broken && early.detail.contains("valid from"), "{early:?}");
        let late = worst(examine(&directory, day("9000-01-01T00:00:00Z")).await);
        assert!(late.status == Status::Broken && late.detail.contains("expired"), "{late:?}");
        fs::set_permissions(directory.join("ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
        let open = worst(examine(&directory, day("2026-11-21T12:00:00Z")).await);
        assert!(open.status == Status::Broken && open.detail.contains("mode 644"), "{open:?}");
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(worst(examine(&directory, day("2026-11-21T12:00:00Z")).await).status, Status::Broken);
    }
}
