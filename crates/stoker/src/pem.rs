//! Certificates in PEM files, for the server's own certificate and for the authorities that commands
//! trust.

use std::{fs, io, path::Path};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::failure::Failure;

/// The certificates in a file; at least one.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let text = read_file(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let wrong = |text: String| {
        Failure::new(text).hint("it must be PEM, with `-----BEGIN CERTIFICATE-----` above each")
    };
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(wrong(format!("`{}` holds no certificate", path.display())))
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(wrong(format!("`{}` is not a certificate: {error}", path.display()))),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

/// The failure of a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::because(format!("cannot read `{}`", path.display()), error)
        .hint("is the path right, and may the user who runs `stoker` read it?")
}
