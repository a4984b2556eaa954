//! The executable under test: as a server that can be killed, and as the command line beside it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Http, Ports, eventually, pause};

/// The executable under test.
pub(crate) const EXECUTABLE: &str = env!("CARGO_BIN_EXE_stoker");

/// A `stoker up` that runs until it is dropped.
pub(crate) struct Stoker {
    child: Child,
    data: PathBuf,
    ports: Ports,
    /// From the start of the process until `/readyz` said 200.
    pub(crate) start_up: Duration,
}

/// What a command of the command line gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stoker {
    /// Starts on free ports and waits until it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, Ports::free(), &[])
    }

    /// Starts on these ports and waits until it is ready.
    pub(crate) fn start_with(data: &Path, ports: Ports, further: &[&str]) -> Self {
        Self::ready(data, ports, Self::spawn(data, ports, further, log(data)))
    }

    /// The same, after `limits`, which are commands of the shell, were set.
    pub(crate) fn start_under(data: &Path, ports: Ports, limits: &str, further: &[&str]) -> Self {
        let child = Self::spawn_under(Some(limits), data, ports, further, log(data).into());
        Self::ready(data, ports, child)
    }

    fn ready(data: &Path, ports: Ports, child: Child) -> Self {
        let begin = Instant::now();
        let mut stoker = Self { child, data: data.into(), ports, start_up: Duration::ZERO };
        let http = Http::new();
        eventually(Duration::from_secs(120), "`stoker up` is ready", || {
            if let Some(status) = stoker.child.try_wait().unwrap() {
                panic!("`stoker up` ended with {status}:\n{}", stoker.log());
            }
            http.get(ports.status(), "localhost", "/readyz").filter(|reply| reply.status == 200)
        });
        stoker.start_up = begin.elapsed();
        stoker
    }

    /// Runs `stoker up` when it is expected to refuse; what it said.
    pub(crate) fn refused(data: &Path, ports: Ports, further: &[&str]) -> Ran {
        Self::refused_under(data, ports, None, further)
    }

    /// The same, after `limits`, which are commands of the shell, were set.
    pub(crate) fn refused_under(
        data: &Path,
        ports: Ports,
        limits: Option<&str>,
        further: &[&str],
    ) -> Ran {
        let child = Self::spawn_under(limits, data, ports, further, Stdio::piped());
        ran(child, Duration::from_secs(120))
    }

    /// Starts on these ports and kills it with SIGKILL after `instant`, ready or not.
    pub(crate) fn kill_while_starting(data: &Path, ports: Ports, instant: Duration) {
        let mut child = Self::spawn(data, ports, &[], log(data));
        pause(instant);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn spawn(data: &Path, ports: Ports, further: &[&str], stderr: impl Into<Stdio>) -> Child {
        Self::spawn_under(None, data, ports, further, stderr.into())
    }

    fn spawn_under(
        limits: Option<&str>,
        data: &Path,
        ports: Ports,
        further: &[&str],
        stderr: Stdio,
    ) -> Child {
        let mut command = match limits {
            None => Command::new(EXECUTABLE),
            Some(limits) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{limits} && exec \"$0\" \"$@\"")).arg(EXECUTABLE);
                shell
            }
        };
        command
            .arg("up")
            .arg("--data")
            .arg(data)
            .args(["--listen", &format!("127.0.0.1:{}", ports.api())])
            .args(["--status-listen", &format!("127.0.0.1:{}", ports.status())])
            .args(["--base-port", &ports.base.to_string()])
            .args(further)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap()
    }

    /// Kills it with SIGKILL: nothing of it runs any more when this returns.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and does not wait.
    pub(crate) fn ask_to_end(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Asks it to end and waits; how it ended, and what it had printed.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        self.ask_to_end();
        let status = eventually(Duration::from_secs(120), "`stoker up` drains", || {
            self.child.try_wait().unwrap()
        });
        let mut printed = String::new();
        std::io::Read::read_to_string(self.child.stdout.as_mut().unwrap(), &mut printed).unwrap();
        (status, printed)
    }

    /// Its process, for `/proc`.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// What `credentials.json` says.
    pub(crate) fn credentials(&self) -> Value {
        let text = fs::read_to_string(self.data.join("credentials.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// What it has logged in all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(log_path(&self.data)).unwrap_or_default()
    }

    /// Adds a domain whose origin may be at a private address.
    pub(crate) fn add_domain(&self, host: &str, origin: &str, further: &[&str]) {
        let add = ["domain", "add", host, "--origin", origin, "--allow-private-origin"];
        let ran = self.cli(&[&add, further].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }

    /// Runs a command against this server.
    pub(crate) fn cli(&self, args: &[&str]) -> Ran {
        self.cli_with_input(args, "")
    }

    /// Runs a command against this server with text on its standard input.
    pub(crate) fn cli_with_input(&self, args: &[&str], input: &str) -> Ran {
        cli(&self.data, args, input)
    }

    /// Runs a command that prints JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.cli(&[args, &["--json"]].concat());
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }
}

impl Drop for Stoker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(30).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            let shown = self.data.display();
            let _ = writeln!(std::io::stderr(), "log of {shown}:\n{}", tail.join("\n"));
        }
    }
}

/// Runs a command against the server of a data directory.
pub(crate) fn cli(data: &Path, args: &[&str], input: &str) -> Ran {
    let mut child = Command::new(EXECUTABLE)
        .args(args)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // a command that does not want it may have ended already
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    ran(child, Duration::from_secs(300))
}

fn ran(child: Child, patience: Duration) -> Ran {
    let pid = Pid::from_child(&child);
    let (done, is_done) = std::sync::mpsc::channel();
    let watchdog = thread::spawn(move || {
        if is_done.recv_timeout(patience).is_err() {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    let _ = done.send(());
    watchdog.join().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Beside the data directory, which belongs to the program.
fn log_path(data: &Path) -> PathBuf {
    data.with_extension("log")
}

fn log(data: &Path) -> File {
    fs::create_dir_all(data.parent().expect("a data directory lies in a folder")).unwrap();
    OpenOptions::new().append(true).create(true).open(log_path(data)).unwrap()
}
