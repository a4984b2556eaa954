//! `stoker doctor`: what is well and what is not, each with the way out.
//!
//! Looks from the machine on which it runs; changes nothing.

mod files;
mod limits;

use std::{
    fs,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use http::{Method, Request, header};
use serde::Serialize;
use stoker_domain::time::{Clock, Timestamp};
use stoker_gateway::admin::api::{DomainView, Domains, LedgerView, NodeView, Nodes};
use stoker_listen::tls::{Validity, ValidityState};

use crate::{
    client::{Client, Error},
    clock::SystemClock,
    config::Access,
    credentials,
    failure::Failure,
    output,
    server::{
        clear_text::{self, Listener},
        tls,
    },
    size::show,
};

/// Signatures are refused when the clocks differ by more.
const MOST_SKEW_SECONDS: i64 = 300;
const NOTABLE_SKEW_SECONDS: i64 = 30;
/// Less room than this is worth a warning.
const LITTLE_ROOM: u64 = 2 << 30;
const PATIENCE: Duration = Duration::from_secs(5);

/// Look over the installation: what is well, what is not, and the way out
///
/// Exit code: 0 when nothing fails (warnings are allowed), 1 otherwise.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Serialize)]
struct Line {
    verdict: Verdict,
    text: String,
    hint: Option<String>,
}

/// The lines so far.
#[derive(Default)]
struct Findings(Vec<Line>);

impl Findings {
    fn ok(&mut self, text: impl Into<String>) {
        self.0.push(Line { verdict: Verdict::Ok, text: text.into(), hint: None });
    }

    fn warn(&mut self, text: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Line { verdict: Verdict::Warn, text: text.into(), hint: Some(hint.into()) });
    }

    fn fail(&mut self, text: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Line { verdict: Verdict::Fail, text: text.into(), hint: Some(hint.into()) });
    }

    fn failure(&mut self, failure: &Failure) {
        let hint = failure.way_out().map(String::from);
        self.0.push(Line { verdict: Verdict::Fail, text: failure.message().into(), hint });
    }
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    let data_is_there = match args.access.data_dir() {
        Some(data) => look_at_data(&data, &mut findings),
        None => true,
    };
    if data_is_there {
        match args.access.client() {
            Err(failure) => findings.failure(&failure),
            Ok(client) => look_at_server(&client, &mut findings).await,
        }
    }
    let fails = findings.0.iter().any(|line| line.verdict == Verdict::Fail);
    if args.json {
        output::json(&findings.0);
    } else {
        findings.0.iter().for_each(print);
    }
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(line: &Line) {
    let word = match line.verdict {
        Verdict::Ok => "ok  ",
        Verdict::Warn => "warn",
        Verdict::Fail => "fail",
    };
    output::line(format!("{word}  {}", line.text));
    if let Some(hint) = &line.hint {
        output::line(format!("      hint: {hint}"));
    }
}

/// Whether it can be looked into.
fn look_at_data(data: &Path, findings: &mut Findings) -> bool {
    let shown = data.display();
    match fs::read_dir(data) {
        Ok(_) => findings.ok(format!("data directory `{shown}` is readable")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.fail(
                format!("data directory `{shown}` does not exist"),
                "run `stoker up` there first, name another with --data, or set STOKER_ENDPOINT, \
                 STOKER_SECRET_ID and STOKER_SECRET_KEY",
            );
            return false;
        }
        Err(error) => {
            let text = Failure::because(format!("data directory `{shown}`"), &error);
            findings.fail(text.message(), "run the command as the user who runs `stoker up`");
            return false;
        }
    }
    look_at_mode(data, findings);
    look_at_room(data, findings);
    files::look_at_ledger(data, findings);
    files::look_at_seal_key(data, findings);
    files::look_at_caches(data, findings);
    limits::look_at_limits(data, findings);
    if let Some(endpoint) = tls::read_endpoint(data) {
        look_at_tls(&endpoint, findings);
    }
    look_at_clear_text(data, findings);
    true
}

/// What passes there can be read, and calls of the API at `/` be repeated.
fn look_at_clear_text(data: &Path, findings: &mut Findings) {
    for warning in clear_text::read(data).iter().filter_map(Listener::warning) {
        findings.warn(warning, clear_text::WAY_OUT);
    }
}

/// What can be told without the name by which callers know the server.
fn look_at_tls(found: &tls::Endpoint, findings: &mut Findings) {
    let endpoint = &found.endpoint;
    let address = endpoint.trim_start_matches("https://").parse();
    let connected = address
        .map_err(io::Error::other)
        .and_then(|address: SocketAddr| TcpStream::connect_timeout(&address, PATIENCE));
    match connected {
        Ok(_) => findings.ok(format!("somebody listens at `{endpoint}`")),
        Err(error) => {
            let text = Failure::because(format!("TLS endpoint `{endpoint}`"), &error);
            findings.fail(text.message(), "is `stoker up` running? look at what it logs");
        }
    }
    let chain = match tls::read_chain(&found.certificate) {
        Ok(chain) => chain,
        Err(failure) => return findings.failure(&failure),
    };
    let Some(validity) = chain.first().and_then(|own| Validity::of(own)) else {
        return;
    };
    let (from, until) = tls::span(validity);
    let file = found.certificate.display();
    let text = format!("TLS certificate `{file}` is good from {from} until {until}");
    let renew = "put the new one in its place and send SIGHUP to `stoker up`";
    match validity.at(SystemClock.now().as_millis()) {
        ValidityState::Valid => findings.ok(text),
        ValidityState::ExpiringSoon => findings.warn(text, renew),
        ValidityState::NotYetValid | ValidityState::Expired => findings.fail(text, renew),
    }
}

fn look_at_room(data: &Path, findings: &mut Findings) {
    let shown = data.display();
    match rustix::fs::statvfs(data) {
        Ok(disk) => {
            let room = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} of disk space left for `{shown}`", show(room));
            if room < LITTLE_ROOM {
                findings.warn(text, "make room, or start `stoker up` with a smaller --cache-size");
            } else {
                findings.ok(text);
            }
        }
        Err(error) => findings.warn(
            format!("cannot tell the disk space left for `{shown}`: {error}"),
            "look at the file system of the data directory",
        ),
    }
}

fn look_at_mode(data: &Path, findings: &mut Findings) {
    let path = credentials::path(data);
    let shown = path.display();
    match fs::metadata(&path).map(|found| found.permissions().mode() & 0o777) {
        Ok(mode) if mode & 0o077 == 0 => {
            findings.ok(format!("`{shown}` is its owner's alone"));
        }
        // that it cannot be read, or that others may read it, is told when it is read
        _ => {}
    }
}

async fn look_at_server(client: &Client, findings: &mut Findings) {
    let endpoint = client.endpoint();
    match client.get_open("/readyz").await {
        Err(error) => {
            findings.failure(&error.into());
            return;
        }
        Ok(answer) => {
            look_at_skew(answer.field("date"), findings);
            if answer.status.is_success() {
                findings.ok(format!("server at `{endpoint}` is ready"));
            } else {
                findings.fail(
                    format!("server at `{endpoint}` is not ready: {}", answer.status),
                    "look at what `stoker up` logs",
                );
            }
        }
    }
    let split = |page: Nodes| (page.nodes, page.next);
    match client.list("/admin/v1/nodes", usize::MAX, split).await {
        Err(error) => {
            findings.failure(&error.into());
            return;
        }
        Ok(nodes) => {
            findings.ok("the key is accepted");
            for node in &nodes {
                look_at_node(client, node, findings).await;
                look_at_store(node, findings);
            }
        }
    }
    look_at_writes(client, findings).await;
    let split = |page: Domains| (page.domains, page.next);
    match client.list("/admin/v1/domains", usize::MAX, split).await {
        Err(error) => findings.failure(&error.into()),
        Ok(domains) if domains.is_empty() => {
            findings.warn("no domains yet", "stoker domain add HOST --origin URL");
        }
        Ok(domains) => {
            for domain in &domains {
                look_at_origin(client, domain, findings).await;
                look_at_warnings(client, &domain.host, findings).await;
            }
        }
    }
}

/// Whether the server's ledger takes writes; the owner of the installation may ask.
async fn look_at_writes(client: &Client, findings: &mut Findings) {
    match client.get::<LedgerView>("/admin/v1/ledger").await {
        Ok(_) => findings.ok("the ledger takes writes"),
        Err(Error::Refused(problem)) if matches!(problem.status, 403 | 404) => {}
        Err(error) => findings.failure(&error.into()),
    }
}

/// What the server says will not work of a domain.
async fn look_at_warnings(client: &Client, host: &str, findings: &mut Findings) {
    match client.get::<DomainView>(&format!("/admin/v1/domains/{host}")).await {
        Ok(domain) => {
            let hint = format!("stoker domain set {host} --allow-private-origin, if that is meant");
            domain.warnings.iter().for_each(|warning| findings.fail(warning, &hint));
        }
        Err(error) => findings.failure(&error.into()),
    }
}

fn look_at_skew(date: Option<&str>, findings: &mut Findings) {
    let Some(server) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return;
    };
    let server = server.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let server = Timestamp::from_seconds(i64::try_from(server).unwrap_or(i64::MAX));
    let skew = (SystemClock.now().as_seconds() - server.as_seconds()).abs();
    let text = format!("clocks of this machine and the server differ by {skew} s");
    let hint = "set both clocks by NTP; signatures are refused beyond 300 s";
    if skew > MOST_SKEW_SECONDS {
        findings.fail(text, hint);
    } else if skew > NOTABLE_SKEW_SECONDS {
        findings.warn(text, hint);
    } else {
        findings.ok("clocks of this machine and the server agree");
    }
}

async fn look_at_node(client: &Client, node: &NodeView, findings: &mut Findings) {
    let NodeView { name, address, .. } = node;
    if !node.is_alive {
        findings.fail(
            format!("node `{name}` at {address} was not heard of lately"),
            "look at what the node logs",
        );
        return;
    }
    let request = Request::builder().method(Method::HEAD).uri(format!("http://{address}/"));
    match client.connection().send(request, Vec::new(), PATIENCE).await {
        Ok(_) => findings.ok(format!("node `{name}` answers at {address}")),
        Err(error) => {
            let text = format!("node `{name}` is alive but does not answer at {address}");
            let text = Failure::because(text, &error);
            findings.warn(text.message(), "can this machine reach the node's address?");
        }
    }
}

/// What a node says of its store. Counts begin anew when it starts.
fn look_at_store(node: &NodeView, findings: &mut Findings) {
    let (name, Some(store)) = (&node.name, &node.store) else { return };
    let again = "look at the disk and at what `stoker up` logs; prefetch again what must be there";
    for (count, what, hint) in [
        (store.lost_records, "stored records could not be read when it started", again),
        (store.damaged_records, "stored records were found damaged", again),
        (
            store.unreadable_segments,
            "files of its cache are unreadable and were set aside as `.bad`",
            "look at the disk; prefetch again what must be there, and remove the files",
        ),
        (
            store.refused_writes,
            "writes to its cache were refused by the disk since it started",
            "is its folder's disk full, read-only or failing? what `stoker up` logs tells more",
        ),
    ] {
        if count > 0 {
            findings.fail(format!("node `{name}`: {count} {what}"), hint);
        }
    }
}

async fn look_at_origin(client: &Client, domain: &DomainView, findings: &mut Findings) {
    let DomainView { host, origin, .. } = domain;
    // any host below a wildcard will do
    let asked = host.strip_prefix("*.").map_or(host.clone(), |parent| format!("www.{parent}"));
    let request = Request::builder()
        .method(Method::HEAD)
        .uri(format!("{origin}/"))
        .header(header::HOST, domain.host_header.as_ref().unwrap_or(&asked));
    match client.connection().send(request, Vec::new(), PATIENCE).await {
        Ok(_) => findings.ok(format!("origin of `{host}` answers at {origin}")),
        Err(error) => {
            let text = Failure::because(format!("origin of `{host}` at {origin}"), &error);
            findings.fail(text.message(), "is the origin up, and its address right?");
        }
    }
}

#[cfg(test)]
mod tests {
    use stoker_domain::{
        area::{Area, Tier},
        job::StoreHealth,
    };

    use super::*;

    #[test]
    fn clear_text_beyond_this_machine_is_a_warning() {
        let data = tempfile::tempdir().unwrap();
        let warnings = || {
            let mut findings = Findings::default();
            look_at_clear_text(data.path(), &mut findings);
            findings.0.into_iter().map(|line| (line.verdict == Verdict::Warn, line.text)).collect()
        };
        let none: Vec<(bool, String)> = warnings();
        assert_eq!(none, []);
        let text = r#"[{"name":"the API","address":"127.0.0.1:1"},
                       {"name":"the status page","address":"0.0.0.0:2"}]"#;
        fs::write(data.path().join("listeners.json"), text).unwrap();
        let one: Vec<(bool, String)> = warnings();
        let told = "the status page listens in clear text beyond this machine, at 0.0.0.0:2";
        assert_eq!(one, [(true, told.into())]);
    }

    #[test]
    fn every_loss_that_a_node_tells_of_fails() {
        let told = |store: StoreHealth| {
            let node = NodeView {
                name: "edge-1".into(),
                area: Area::Mainland,
                tier: Tier::Edge,
                cluster: "c".into(),
                address: "127.0.0.1:1".into(),
                is_alive: true,
                last_seen: None,
                store: Some(store),
            };
            let mut findings = Findings::default();
            look_at_store(&node, &mut findings);
            findings.0.into_iter().map(|line| (line.verdict == Verdict::Fail, line.text)).collect()
        };
        let well = StoreHealth { held_bytes: 7, bound_bytes: 9, ..StoreHealth::default() };
        let none: Vec<(bool, String)> = told(well);
        assert_eq!(none, []);
        for (store, part) in [
            (StoreHealth { lost_records: 300, ..well }, "300 stored records could not be read"),
            (StoreHealth { damaged_records: 1, ..well }, "1 stored records were found damaged"),
            (StoreHealth { unreadable_segments: 2, ..well }, "2 files of its cache"),
            (StoreHealth { refused_writes: 4, ..well }, "4 writes"),
        ] {
            let lines: Vec<(bool, String)> = told(store);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].0 && lines[0].1.contains(part), "{lines:?}");
        }
    }
}
