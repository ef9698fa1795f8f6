//! The agents' listener has a certificate of Cuttle's own authority, which agents are given to trust.
//!
//! Nodes that share the directory are kept apart by a lock, and each file appears whole or not at all.
//! A key is written before its certificate: so a certificate that exists has its key.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose};

use crate::authority::{self, named};
use crate::config::Agents;
use crate::init::InitError;
use crate::init::files::{in_file, write};

/// Makes what is missing, and says what that was. Certificates that exist are kept, whatever names they have.
pub fn make(agents: &Agents) -> Result<Vec<String>, InitError> {
    let directory = &agents.tls_directory;
    in_file(directory, "made", fs::create_dir_all(directory))?;
    let _lock = lock(directory)?;
    let mut done = Vec::new();
    let (ca_key, ca_pem) = (directory.join("ca.key"), directory.join("ca.pem"));
    if !ca_pem.exists() {
        let key = KeyPair::generate()?;
        let certificate = authority::params().self_signed(&key)?;
        write(&ca_key, key.serialize_pem().as_bytes(), 0o600)?;
        write(&ca_pem, certificate.pem().as_bytes(), 0o644)?;
        done.push(format!("made the authority {}", ca_pem.display()));
    }
    let (server_key, server_pem) = (directory.join("server.key"), directory.join("server.pem"));
    if !server_pem.exists() {
        let authority_key = KeyPair::from_pem(&in_file(&ca_key, "read", fs::read_to_string(&ca_key))?)?;
        let key = KeyPair::generate()?;
        let certificate = server(&agents.names)?.signed_by(&key, &Issuer::new(authority::params(), authority_key))?;
        write(&server_key, key.serialize_pem().as_bytes(), 0o600)?;
        write(&server_pem, certificate.pem().as_bytes(), 0o644)?;
        done.push(format!("made {} for {}", server_pem.display(), agents.names.join(", ")));
    }
    if done.is_empty() {
        done.push(format!("those in {} are kept", directory.display()));
    }
    Ok(done)
}

fn server(names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named("Cuttle control plane");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// Waits for other nodes that make the same. Given back when the file is closed.
fn lock(directory: &Path) -> Result<File, InitError> {
    let path = directory.join(".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = in_file(&path, "opened", file)?;
    in_file(&path, "locked", file.lock())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use rustls::RootCertStore;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    fn agents(name: &str) -> Agents {
        let directory = std::env::temp_dir().join(format!("cuttle-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        Agents { tls_directory: directory, names: vec!["control1".into(), "10.77.0.2".into()], ..Agents::default() }
    }

    fn content(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        ["ca.key", "ca.pem", "server.key", "server.pem"]
            .map(|name| (directory.join(name), fs::read(directory.join(name)).unwrap()))
            .into()
    }

    #[test]
    fn what_is_made_is_trusted_and_made_once() {
        let agents = agents("certificates");
        assert_eq!(make(&agents).unwrap().len(), 2);
        let before = content(&agents.tls_directory);
        assert!(make(&agents).unwrap()[0].contains("kept"));
        assert_eq!(before, content(&agents.tls_directory));

        let read = |name: &str| CertificateDer::from_pem_file(agents.tls_directory.join(name)).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(read("ca.pem")).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        use rustls::client::danger::ServerCertVerifier;
        for name in ["control1", "10.77.0.2"] {
            let name = ServerName::try_from(name).unwrap();
            verifier.verify_server_cert(&read("server.pem"), &[], &name, &[], UnixTime::now()).unwrap();
        }
        crate::agents::tls::server_config(&agents.tls_directory).unwrap();
        fs::remove_dir_all(&agents.tls_directory).unwrap();
    }

    #[test]
    fn keys_are_for_their_owner_only() {
        let agents = agents("modes");
        make(&agents).unwrap();
        for (name, mode) in [("ca.key", 0o600), ("server.key", 0o600), ("ca.pem", 0o644)] {
            let found = fs::metadata(agents.tls_directory.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(found & !mode, 0, "{name} {found:o}");
        }
        fs::remove_dir_all(&agents.tls_directory).unwrap();
    }

    #[test]
    fn several_at_once_agree() {
        let agents = agents("at-once");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let agents = agents.clone();
                std::thread::spawn(move || make(&agents).unwrap())
            })
            .collect();
        let made = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|lines| lines.len() == 2).count();
        assert_eq!(made, 1);
        crate::agents::tls::server_config(&agents.tls_directory).unwrap();
        fs::remove_dir_all(&agents.tls_directory).unwrap();
    }
}
