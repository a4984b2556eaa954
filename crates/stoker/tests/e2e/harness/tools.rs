//! The programs that the tests need and `check.sh` installs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::running::Stoker;

/// nginx, ready to be given arguments.
pub(crate) fn nginx() -> Command {
    installed("nginx", &["-v"], &["nginx", "/usr/sbin/nginx"])
}

/// ffmpeg, ready to be given arguments.
pub(crate) fn ffmpeg() -> Command {
    installed("ffmpeg", &["-version"], &["ffmpeg"])
}

/// The Python of the private environment, with the SDKs.
pub(crate) fn python() -> Command {
    let python = in_venv("python");
    let probe = "import tencentcloud.cdn, tencentcloud.teo, QcloudApi, tccli";
    installed("the Python SDK", &["-c", probe], &[&python])
}

/// The Python of the private environment of the international SDK, whose modules have the names of
/// the others'.
pub(crate) fn international_python() -> Command {
    let python = root().join(".check/venv-intl/bin/python").to_string_lossy().into_owned();
    let probe = "import tencentcloud.cdn, tencentcloud.teo";
    installed("the international Python SDK", &["-c", probe], &[&python])
}

/// Node, with the SDKs.
pub(crate) fn node() -> Command {
    let packages = root().join(".check/npm/node_modules");
    let probe = |package: &str| {
        format!("require.resolve({:?});", packages.join(package).display().to_string())
    };
    let probe = probe("tencentcloud-sdk-nodejs") + &probe("qcloudapi-sdk");
    let mut node = installed("the Node SDK", &["-e", &probe], &["node", "nodejs"]);
    node.env("NODE_PATH", packages);
    node
}

/// Runs the vendor's command line tool for the owner, with nothing but another endpoint.
pub(crate) fn tccli(stoker: &Stoker, product: &str, action: &str, further: &[&str]) -> Output {
    let credentials = stoker.credentials();
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let tccli = in_venv("tccli");
    installed("tccli", &["--version"], &[&tccli])
        .env("HOME", stoker.data().parent().expect("a data directory lies in a folder"))
        .env("TENCENTCLOUD_SECRET_ID", text("secret_id"))
        .env("TENCENTCLOUD_SECRET_KEY", text("secret_key"))
        .env("TENCENTCLOUD_REGION", "ap-guangzhou")
        .args([product, action, "--endpoint", &text("endpoint")])
        .args(further)
        .output()
        .unwrap()
}

fn installed(what: &str, probe: &[&str], places: &[&str]) -> Command {
    let works = |place: &&&str| {
        let mut command = Command::new(place);
        let command = command.args(probe).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    };
    let place = places.iter().find(works);
    Command::new(place.unwrap_or_else(|| panic!("{what} is not installed: run ./check.sh")))
}

/// The folder of the programs that the private environment of Python has.
pub(crate) fn venv() -> PathBuf {
    root().join(".check/venv/bin")
}

fn in_venv(name: &str) -> String {
    venv().join(name).to_string_lossy().into_owned()
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the root").into()
}
