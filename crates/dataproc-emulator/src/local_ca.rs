//! A certificate authority of the emulator's own, made anew at each start, for what is served by TLS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The name of the file with the authority's certificate.
const FILE: &str = "emulator-ca.pem";

/// The authority's certificate in a file, and the server's side of TLS with a certificate by it.
pub(crate) struct LocalCa {
    pub(crate) acceptor: TlsAcceptor,
    file: PathBuf,
    /// Where the file is, unless a folder was given; it goes with this.
    _folder: Option<TempDir>,
}

impl std::fmt::Debug for LocalCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalCa").field("file", &self.file).finish()
    }
}

/// Why there is no certificate authority.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// No certificate could be made.
    #[error("no certificate could be made")]
    Certificate(#[from] rcgen::Error),
    /// TLS does not take it.
    #[error("TLS does not take the certificate")]
    Tls(#[from] rustls::Error),
    /// Its file could not be written.
    #[error("its certificate could not be written")]
    File(#[from] io::Error),
}

impl LocalCa {
    /// Makes an authority and a certificate for `address`, the loopback addresses, `localhost` and `names`.
    pub(crate) fn new(
        address: IpAddr,
        names: &[&str],
        folder: Option<&Path>,
    ) -> Result<Self, CaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("dataproc-emulator CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.push("localhost".to_owned());
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named("dataproc-emulator");
        let loopback = [
            address,
            Ipv4Addr::LOCALHOST.into(),
            Ipv6Addr::LOCALHOST.into(),
        ];
        params
            .subject_alt_names
            .extend(loopback.map(SanType::IpAddress));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;

        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];

        let (folder, own) = match folder {
            Some(folder) => (folder.to_owned(), None),
            None => {
                let own = TempDir::with_prefix("dataproc-emulator-ca-")?;
                (own.path().to_owned(), Some(own))
            }
        };
        let file = folder.join(FILE);
        std::fs::write(&file, authority.pem())?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            file,
            _folder: own,
        })
    }

    /// The file with the authority's certificate, in PEM.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
