//! Cuttle's certificate authority: what it is called, and what it signs for hosts.
//!
//! Always true: a host's certificate says which host it is and is good for a client alone; nothing of
//! what a request asks for goes into it but the public key, whose owner has signed the request.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cuttle_compute_protocol::Joined;
use cuttle_database::Certificate;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::Host;
use cuttle_model::ids::Ids;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::config::Agents;

/// Clocks of hosts may be behind by so much.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);
/// The longest request that is read, in bytes.
const LONGEST_REQUEST: usize = 16 << 10;

/// Why the authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("cannot read {path}; `cuttle-api init` makes it")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot use {path}: {reason}")]
    Use { path: PathBuf, reason: String },
    #[error("the authority's key could not be made")]
    Make(#[from] rcgen::Error),
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("the request is not a certificate signing request: {0}")]
    Request(String),
    #[error("the certificate could not be signed")]
    Sign(#[source] rcgen::Error),
}

/// The authority, with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    sha256: [u8; 32],
    /// How long a token to join with can be used.
    pub join_token_lifetime: Duration,
    certificate_lifetime: Duration,
}

/// A certificate for a host: what is kept of it, and what the host is sent.
pub struct Signed {
    pub certificate: Certificate,
    pub public_key_sha256: [u8; 32],
    pub joined: Joined,
}

impl Authority {
    /// The authority that `init` made.
    pub fn open(agents: &Agents) -> Result<Self, AuthorityError> {
        let path = agents.tls_directory.join("ca.key");
        let key = KeyPair::from_pem(&read(&path)?);
        // rcgen's own words are left out: they are about a private key.
        let key = key.map_err(|_| AuthorityError::Use { path, reason: "it holds no private key".into() })?;
        let path = agents.tls_directory.join("ca.pem");
        let pem = read(&path)?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes());
        let der = der.map_err(|error| AuthorityError::Use { path, reason: error.to_string() })?;
        Ok(Self::from_parts(key, &der, pem, agents))
    }

    /// An authority that is nowhere kept, for tests.
    pub fn ephemeral(agents: &Agents) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let certificate = params().self_signed(&key)?;
        Ok(Self::from_parts(key, certificate.der(), certificate.pem(), agents))
    }

    fn from_parts(key: KeyPair, der: &CertificateDer<'_>, pem: String, agents: &Agents) -> Self {
        Self {
            issuer: Issuer::new(params(), key),
            pem,
            sha256: Sha256::digest(der).into(),
            join_token_lifetime: Duration::from_secs(agents.join_token_lifetime_seconds),
            certificate_lifetime: Duration::from_secs(agents.certificate_lifetime_seconds),
        }
    }

    /// SHA-256 of the authority's certificate: by it hosts that join know it.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Signs a certificate for the key of a request.
    pub fn sign(&self, host: &Host, request: &str, now: Timestamp, ids: &dyn Ids) -> Result<Signed, SignError> {
        if request.len() > LONGEST_REQUEST {
            return Err(SignError::Request(format!("it has more than {LONGEST_REQUEST} bytes")));
        }
        let request =
            CertificateSigningRequestParams::from_pem(request).map_err(|error| SignError::Request(error.to_string()))?;
        let expires_at = now.plus(self.certificate_lifetime);
        let params = host_params(host, now, expires_at, ids).map_err(SignError::Sign)?;
        let signed = params.signed_by(&request.public_key, &self.issuer).map_err(SignError::Sign)?;
        Ok(Signed {
            certificate: Certificate { sha256: Sha256::digest(signed.der()).into(), issued_at: now, expires_at },
            public_key_sha256: Sha256::digest(request.public_key.subject_public_key_info()).into(),
            joined: Joined {
                host_id: host.id,
                certificate: signed.pem(),
                authority: self.pem.clone(),
                expires_at,
                // While a third of its life is left: time enough for a control plane that is away.
                renew_at: now.plus(self.certificate_lifetime * 2 / 3),
            },
        })
    }
}

/// The authority's certificate but for its key. It is the same each time, so it need not be parsed to sign with it.
pub fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Cuttle agents' authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A name with just this common name.
pub fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn host_params(host: &Host, now: Timestamp, expires_at: Timestamp, ids: &dyn Ids) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(host.name.as_str());
    let id = Ia5String::try_from(format!("urn:uuid:{}", host.id))?;
    params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from(host.name.as_str())?), SanType::URI(id)];
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(SerialNumber::from_slice(ids.uuid().as_bytes()));
    params.not_before = date(now.as_micros().saturating_sub(i64::try_from(CLOCK_SKEW.as_micros()).unwrap_or(0)));
    // A certificate ends at a whole second; it must not end before what the database says.
    params.not_after = date(expires_at.as_micros().saturating_add(999_999));
    Ok(params)
}

fn date(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(micros.div_euclid(1_000_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn read(path: &Path) -> Result<String, AuthorityError> {
    fs::read_to_string(path).map_err(|source| AuthorityError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cuttle_model::host::Administrative;
    use cuttle_model::ids::{HostId, RandomIds};
    use rustls::RootCertStore;
    use rustls::pki_types::UnixTime;
    use rustls::server::WebPkiClientVerifier;

    use super::*;

    fn host() -> Host {
        Host {
            id: HostId::new(&RandomIds),
            name: "rack-1.host-2".parse().unwrap(),
            administrative: Administrative::Enabled,
            resources: None,
            boot_id: None,
            last_seen_at: None,
            ceph_generation: 1,
            created_at: Timestamp::from_micros(0),
        }
    }

    fn request(key: &KeyPair) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("whoever I say I am");
        params.serialize_request(key).unwrap().pem().unwrap()
    }

    #[test]
    fn what_is_signed_is_a_clients_for_its_time_and_named_by_us() {
        let agents = Agents { certificate_lifetime_seconds: 300, ..Agents::default() };
        let authority = Authority::ephemeral(&agents).unwrap();
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let signed = authority.sign(&host(), &request(&KeyPair::generate().unwrap()), now, &RandomIds).unwrap();
        assert_eq!(signed.joined.renew_at, now.plus(Duration::from_secs(200)));
        let der = CertificateDer::from_pem_slice(signed.joined.certificate.as_bytes()).unwrap();
        assert_eq!(signed.certificate.sha256, <[u8; 32]>::from(Sha256::digest(&der)));
        let text = String::from_utf8_lossy(&der);
        assert!(text.contains("rack-1.host-2") && text.contains("urn:uuid:") && !text.contains("whoever"));

        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(signed.joined.authority.as_bytes()).unwrap();
        assert_eq!(authority.sha256(), <[u8; 32]>::from(Sha256::digest(&root)));
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let verify = |second| verifier.verify_client_cert(&der, &[], UnixTime::since_unix_epoch(Duration::from_secs(second)));
        verify(1_800_000_000).unwrap();
        verify(1_800_000_299).unwrap();
        assert!(verify(1_800_000_302).is_err(), "it has expired");
    }

    #[test]
    fn what_is_no_request_or_not_signed_by_its_key_is_refused() {
        let authority = Authority::ephemeral(&Agents::default()).unwrap();
        let key = KeyPair::generate().unwrap();
        let good = request(&key);
        let (der, other) = (pem_body(&good), pem_body(&request(&KeyPair::generate().unwrap())));
        let end = der.len() - 20;
        // The other request's signature under this request's key.
        let forged = good.replace(&der[end..], &other[other.len() - 20..]);
        for text in ["", "x", good.replace("REQUEST", "SECRET").as_str(), forged.as_str(), "y".repeat(20_000).as_str()] {
            let refused = authority.sign(&host(), text, Timestamp::from_micros(0), &RandomIds);
            assert!(matches!(refused, Err(SignError::Request(_))) || text.contains("SECRET"), "{text}");
        }
    }

    fn pem_body(pem: &str) -> String {
        let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-') && !line.is_empty()).collect();
        lines.last().map(|line| (*line).to_owned()).unwrap()
    }
}
