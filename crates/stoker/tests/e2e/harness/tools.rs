//! The programs that the tests need and `check.sh` installs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// nginx, ready to be given arguments.
pub(crate) fn nginx() -> Command {
    installed("nginx", &["-v"], &["nginx", "/usr/sbin/nginx"])
}

/// ffmpeg, ready to be given arguments.
pub(crate) fn ffmpeg() -> Command {
    installed("ffmpeg", &["-version"], &["ffmpeg"])
}

/// The Python of the private environment, with the SDK.
pub(crate) fn python() -> Command {
    let python = in_venv("python");
    installed("the Python SDK", &["-c", "import tencentcloud.cdn"], &[&python])
}

/// The vendor's command line tool.
pub(crate) fn tccli() -> Command {
    let tccli = in_venv("tccli");
    installed("tccli", &["--version"], &[&tccli])
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

fn in_venv(name: &str) -> String {
    root().join(".check/venv/bin").join(name).to_string_lossy().into_owned()
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the root").into()
}
