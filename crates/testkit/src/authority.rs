//! A certificate authority that nobody trusts but the test that made it.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// The authority, with a key of its own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate and its key, both in PEM.
pub struct Issued {
    /// The certificate alone; the authority's is not needed after it.
    pub certificate: String,
    /// Not encrypted.
    pub key: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, of the kind that every client can check.
    ///
    /// # Panics
    ///
    /// When there is no randomness for its key.
    pub fn new() -> Self {
        let mut parameters = parameters(&[]);
        parameters.distinguished_name.push(DnType::CommonName, "authority of a test");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("the system gives randomness");
        let issuer = CertifiedIssuer::self_signed(parameters, key);
        Self(issuer.expect("the parameters are right"))
    }

    /// Its certificate in PEM, for the clients that shall trust it.
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server of these names or addresses, good from 2020 to the end of 2049.
    ///
    /// # Panics
    ///
    /// When a name cannot stand in a certificate.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_until(names, (2049, 12, 31))
    }

    /// As [`Self::issue`], but good only until the start of a day: year, month, day.
    ///
    /// # Panics
    ///
    /// When a name cannot stand in a certificate, or there is no such day.
    pub fn issue_until(&self, names: &[&str], (year, month, day): (i32, u8, u8)) -> Issued {
        let mut parameters = parameters(names);
        parameters.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().expect("the system gives randomness");
        let certificate = parameters.signed_by(&key, &self.0).expect("the parameters are right");
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn parameters(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).expect("the names are right");
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(2049, 12, 31);
    parameters.use_authority_key_identifier_extension = true;
    parameters
}
