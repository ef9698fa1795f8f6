//! The keys themselves: what may be imported, their fingerprints, and new ones.
//!
//! A new private key is handed on as text and lives no longer than the answer that it is part of.

use cuttle_model::keypair::{KeypairKind, PublicKey};
use md5::{Digest, Md5};
use secrecy::SecretString;
use sha1::Sha1;
use ssh_key::private::{EcdsaKeypair, KeypairData};
use ssh_key::rand_core::OsRng;
use ssh_key::{EcdsaCurve, LineEnding, PrivateKey};

use crate::error::ApiError;

/// The longest public key, in bytes: room for an RSA key of 16384 bits, or a certificate.
const MAX_BYTES: usize = 65_535;
/// What new keys are marked with, as by Nova.
const COMMENT: &str = "Generated-by-Nova";

/// A public key and its fingerprint.
#[derive(Debug)]
pub struct Imported {
    pub public_key: PublicKey,
    pub fingerprint: String,
}

/// A public key that a user has sent.
pub fn import(kind: KeypairKind, text: &str) -> Result<Imported, ApiError> {
    if text.len() > MAX_BYTES {
        return Err(ApiError::invalid("public_key", "…", format_args!("It is longer than {MAX_BYTES} bytes.")));
    }
    let (digest, text) = match kind {
        KeypairKind::Ssh => ssh(text)?,
        KeypairKind::X509 => (certificate(text)?, text.to_owned()),
    };
    Ok(Imported { public_key: PublicKey { kind, text }, fingerprint: pairs(&digest) })
}

/// A new SSH key: the public half, and the private one in OpenSSH's form.
pub fn generate() -> Result<(Imported, SecretString), ApiError> {
    let failed = |error: ssh_key::Error| ApiError::Internal(Box::new(error));
    let pair = EcdsaKeypair::random(&mut OsRng, EcdsaCurve::NistP256).map_err(failed)?;
    let private = PrivateKey::new(KeypairData::Ecdsa(pair), COMMENT).map_err(failed)?;
    let public = private.public_key().to_openssh().map_err(failed)?;
    let secret = private.to_openssh(LineEnding::LF).map_err(failed)?;
    Ok((import(KeypairKind::Ssh, &public)?, SecretString::from(secret.as_str())))
}

/// One line of `authorized_keys`, without a line's end: the MD5 of the key in it, and the line.
fn ssh(text: &str) -> Result<(Vec<u8>, String), ApiError> {
    let bad = || ApiError::BadRequest("Keypair data is invalid: failed to generate fingerprint".into());
    let line = text.trim();
    // A second line would be a second key, or options, in whatever file the guest writes it to.
    if line.chars().any(char::is_control) {
        return Err(bad());
    }
    let key = ssh_key::PublicKey::from_openssh(line).map_err(|_| bad())?;
    let bytes = key.to_bytes().map_err(|_| bad())?;
    Ok((Md5::digest(&bytes).to_vec(), line.to_owned()))
}

/// A certificate in PEM: its SHA-1.
fn certificate(text: &str) -> Result<Vec<u8>, ApiError> {
    let bad = || ApiError::BadRequest("Keypair data is invalid: failed to generate X509 fingerprint.".into());
    let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes()).map_err(|_| bad())?;
    pem.parse_x509().map_err(|_| bad())?;
    Ok(Sha1::digest(&pem.contents).to_vec())
}

/// `aa:bb:…`
fn pairs(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";

    #[test]
    fn a_key_has_the_fingerprint_that_ssh_keygen_shows() {
        let imported = import(KeypairKind::Ssh, &format!(" {ED25519}\n")).unwrap();
        assert_eq!(imported.public_key.text, ED25519);
        assert_eq!(imported.fingerprint, "ae:6f:ba:1b:70:2c:ae:c7:5c:ab:6e:4d:5e:d4:c7:23");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let two = format!("{ED25519}\n{ED25519}");
        let long = format!("ssh-rsa {}", "A".repeat(70_000));
        for bad in ["", "ssh-rsa", "ssh-rsa JUNK", "ssh-rsa AAAA", "AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", &two, &long] {
            assert!(matches!(import(KeypairKind::Ssh, bad), Err(ApiError::BadRequest(_))), "{bad}");
        }
        for bad in ["", ED25519, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(import(KeypairKind::X509, bad), Err(ApiError::BadRequest(_))), "{bad}");
        }
    }

    #[test]
    fn a_new_pair_belongs_together() {
        let (imported, secret) = generate().unwrap();
        let private = PrivateKey::from_openssh(secret.expose_secret()).unwrap();
        assert_eq!(private.public_key().to_openssh().unwrap(), imported.public_key.text);
        assert!(imported.public_key.text.starts_with("ecdsa-sha2-nistp256 "));
        assert_ne!(generate().unwrap().0.fingerprint, imported.fingerprint);
    }

    #[test]
    fn a_certificate_has_the_fingerprint_of_its_bytes() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
        let imported = import(KeypairKind::X509, &certificate.pem()).unwrap();
        assert_eq!(imported.fingerprint, pairs(&Sha1::digest(certificate.der())));
        assert_eq!(imported.public_key.text, certificate.pem());
    }
}
