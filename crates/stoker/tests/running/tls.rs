//! What a server needs to speak TLS: files of an authority that nobody else trusts.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use stoker_testkit::{Authority, Issued};

use super::{Ports, Stoker};

/// Certificates in a folder.
pub(crate) struct Tls {
    folder: PathBuf,
    pub(crate) authority: Authority,
}

impl Tls {
    /// A certificate for this machine by an authority made for the test.
    pub(crate) fn new(folder: &Path) -> Self {
        let tls = Self { folder: folder.into(), authority: Authority::new() };
        fs::write(tls.authority_file(), tls.authority.certificate()).unwrap();
        tls.put(&tls.authority.issue(&["localhost", "127.0.0.1"]));
        tls
    }

    /// Starts a server in `folder` that speaks TLS too.
    pub(crate) fn start(folder: &Path) -> (Stoker, Self) {
        let tls = Self::new(folder);
        let ports = Ports::free();
        let flags = tls.flags(ports);
        let flags = flags.each_ref().map(String::as_str);
        (Stoker::start_with(&folder.join("data"), ports, &flags), tls)
    }

    /// Replaces certificate and key.
    pub(crate) fn put(&self, issued: &Issued) {
        fs::write(self.path("cert.pem"), &issued.certificate).unwrap();
        self.put_key(&issued.key);
    }

    /// Replaces the key with this text, for the owner alone.
    pub(crate) fn put_key(&self, text: &str) {
        let path = self.path("key.pem");
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// What callers trust.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// The flags with which `stoker up` uses them.
    pub(crate) fn flags(&self, ports: Ports) -> [String; 6] {
        let path = |name| self.path(name).to_str().unwrap().to_owned();
        let [listen, cert, key] = ["--tls-listen", "--tls-cert", "--tls-key"].map(String::from);
        let address = format!("127.0.0.1:{}", ports.tls());
        [listen, address, cert, path("cert.pem"), key, path("key.pem")]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
