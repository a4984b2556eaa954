//! Where a new key is written, which is shown only once: standard output, or a file that only its owner
//! can read.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use serde::Serialize;
use serde_json::Value;

use crate::{
    commands::{arguments::Print, table},
    failure::Failure,
    output,
};

/// Fields that are not shown when they are in a file.
const SECRETS: [&str; 2] = ["secret_key", "token"];

/// Where to write a new key, and how to show it.
#[derive(clap::Args, Debug)]
pub(super) struct Output {
    /// Write the key into a new file that only you can read, and do not print the secret
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    print: Print,
}

/// The place of a new key. It is taken before the key is created, so that none is created that cannot
/// be written.
pub(super) struct Place {
    file: Option<(PathBuf, File)>,
    json: bool,
    is_written: bool,
}

impl Output {
    /// Takes the place.
    pub(super) fn take(self) -> Result<Place, Failure> {
        let Self { output, print } = self;
        let file = match output {
            None => None,
            Some(path) => {
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
                let file = file.map_err(|error| {
                    let shown = path.display();
                    if error.kind() == ErrorKind::AlreadyExists {
                        Failure::usage(format!("`{shown}` exists already"))
                            .hint("name another file, or remove it")
                    } else {
                        Failure::because(format!("cannot write `{shown}`"), &error)
                            .into_usage()
                            .hint("name another file")
                    }
                })?;
                Some((path, file))
            }
        };
        Ok(Place { file, json: print.json, is_written: false })
    }
}

impl Place {
    /// Writes and prints the key. `made` is the reply of the server; the file has `endpoint` as well.
    pub(super) fn put(mut self, made: &impl Serialize, endpoint: &str) -> Result<(), Failure> {
        let mut shown = serde_json::to_value(made).expect("our own values are plain JSON");
        if let Some((path, file)) = &mut self.file {
            let mut content = shown.clone();
            content["endpoint"] = endpoint.into();
            let mut text = serde_json::to_vec_pretty(&content).expect("a value is plain JSON");
            text.push(b'\n');
            let written = file.write_all(&text).and_then(|()| file.sync_all());
            written.map_err(|error| {
                Failure::because(format!("cannot write `{}`", path.display()), &error)
                    .hint("remove the new key and create another; is the disk full?")
            })?;
            self.is_written = true;
            if let Value::Object(fields) = &mut shown {
                fields.retain(|name, _| !SECRETS.contains(&name.as_str()));
            }
        }
        if self.json {
            output::json(&shown);
            return Ok(());
        }
        let names = ["uin", "user", "secret_id", "secret_key", "token", "expires_at"];
        table::values(
            names.into_iter().filter_map(|name| Some((name, shown[name].as_str()?.into()))),
        );
        match &self.file {
            Some((path, _)) => table::values([("written to", path.display().to_string())]),
            None => output::note("keep the secret: it is shown only once"),
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((path, _)) = self.file.take_if(|_| !self.is_written) {
            // the command says why there is no key
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_written_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let output = || Output { output: Some(path.clone()), print: Print { json: true } };
        drop(output().take().unwrap());
        assert!(!path.exists(), "no key was made");
        let made = json!({"uin": "1", "secret_id": "a", "secret_key": "b"});
        output().take().unwrap().put(&made, "http://c").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        let all = json!({"uin": "1", "secret_id": "a", "secret_key": "b", "endpoint": "http://c"});
        assert_eq!(read, all);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(output().take().is_err(), "nothing is overwritten");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
