//! `stoker doctor`: checks of an installation, each problem with a hint.
//!
//! It checks from the machine on which it runs, and changes nothing.

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
    commands::arguments::List,
    config::Access,
    credentials,
    failure::Failure,
    output, pem,
    server::{
        clear_text::{self, Listener},
        tls,
    },
    size::show,
};

/// Signatures are refused when the clocks differ by more.
const MOST_SKEW_SECONDS: i64 = 300;
const NOTABLE_SKEW_SECONDS: i64 = 30;
/// Less disk space than this is a warning.
const LOW_SPACE: u64 = 2 << 30;
const PATIENCE: Duration = Duration::from_secs(5);

/// Check the installation and print problems with hints
///
/// Exit code: 0 when no check fails (warnings are allowed), 1 otherwise.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    print: List,
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

/// The results so far.
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
        let hint = failure.hint_text().map(String::from);
        self.0.push(Line { verdict: Verdict::Fail, text: failure.message().into(), hint });
    }
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    let data_is_there = match args.access.data_dir() {
        Some(data) => check_data(&data, &mut findings),
        None => true,
    };
    if data_is_there {
        match args.access.client() {
            Err(failure) => findings.failure(&failure),
            Ok(client) => check_server(&client, &mut findings).await,
        }
    }
    let fails = findings.0.iter().any(|line| line.verdict == Verdict::Fail);
    if args.print.json {
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
fn check_data(data: &Path, findings: &mut Findings) -> bool {
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
    check_mode(data, findings);
    check_space(data, findings);
    files::check_ledger(data, findings);
    files::check_seal_key(data, findings);
    files::check_caches(data, findings);
    limits::check_limits(data, findings);
    if let Some(endpoint) = tls::read_endpoint(data) {
        check_tls(&endpoint, findings);
    }
    check_clear_text(data, findings);
    true
}

/// Listeners without TLS that other machines reach: their traffic can be read, and calls of the API
/// at `/` can be replayed.
fn check_clear_text(data: &Path, findings: &mut Findings) {
    for warning in clear_text::read(data).iter().filter_map(Listener::warning) {
        findings.warn(warning, clear_text::HINT);
    }
}

/// Checks what needs no server name.
fn check_tls(found: &tls::Endpoint, findings: &mut Findings) {
    let endpoint = &found.endpoint;
    let address = endpoint.trim_start_matches("https://").parse();
    let connected = address
        .map_err(io::Error::other)
        .and_then(|address: SocketAddr| TcpStream::connect_timeout(&address, PATIENCE));
    match connected {
        Ok(_) => findings.ok(format!("TLS endpoint `{endpoint}` accepts connections")),
        Err(error) => {
            let text = Failure::because(format!("TLS endpoint `{endpoint}`"), &error);
            findings.fail(text.message(), "is `stoker up` running? read its log");
        }
    }
    let chain = match pem::read_chain(&found.certificate) {
        Ok(chain) => chain,
        Err(failure) => return findings.failure(&failure),
    };
    let Some(validity) = chain.first().and_then(|own| Validity::of(own)) else {
        return;
    };
    let (from, until) = tls::span(validity);
    let file = found.certificate.display();
    let text = format!("TLS certificate `{file}` is valid from {from} until {until}");
    let renew = "replace it with a new one and send SIGHUP to `stoker up`";
    match validity.at(SystemClock.now().as_millis()) {
        ValidityState::Valid => findings.ok(text),
        ValidityState::ExpiringSoon => findings.warn(text, renew),
        ValidityState::NotYetValid | ValidityState::Expired => findings.fail(text, renew),
    }
}

fn check_space(data: &Path, findings: &mut Findings) {
    let shown = data.display();
    match rustix::fs::statvfs(data) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} of disk space are free for `{shown}`", show(free));
            if free < LOW_SPACE {
                findings.warn(
                    text,
                    "free disk space, or start `stoker up` with a smaller --cache-size",
                );
            } else {
                findings.ok(text);
            }
        }
        Err(error) => findings.warn(
            format!("cannot read the free disk space of `{shown}`: {error}"),
            "check the file system of the data directory",
        ),
    }
}

fn check_mode(data: &Path, findings: &mut Findings) {
    let path = credentials::path(data);
    let shown = path.display();
    match fs::metadata(&path).map(|found| found.permissions().mode() & 0o777) {
        Ok(mode) if mode & 0o077 == 0 => {
            findings.ok(format!("only its owner can read `{shown}`"));
        }
        // other states are reported when the file is read
        _ => {}
    }
}

async fn check_server(client: &Client, findings: &mut Findings) {
    let endpoint = client.endpoint();
    match client.get_open("/readyz").await {
        Err(error) => {
            findings.failure(&error.into());
            return;
        }
        Ok(reply) => {
            check_skew(reply.field("date"), findings);
            if reply.status.is_success() {
                findings.ok(format!("server at `{endpoint}` is ready"));
            } else {
                findings.fail(
                    format!("server at `{endpoint}` is not ready: {}", reply.status),
                    "read the log of `stoker up`",
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
                check_node(client, node, findings).await;
                check_store(node, findings);
            }
        }
    }
    check_writes(client, findings).await;
    let split = |page: Domains| (page.domains, page.next);
    match client.list("/admin/v1/domains", usize::MAX, split).await {
        Err(error) => findings.failure(&error.into()),
        Ok(domains) if domains.is_empty() => {
            findings.warn("there are no domains", "stoker domain add HOST --origin URL");
        }
        Ok(domains) => {
            for domain in &domains {
                check_origin(client, domain, findings).await;
                check_warnings(client, &domain.host, findings).await;
            }
        }
    }
}

/// Whether the server's ledger accepts writes; only the owner of the installation may ask.
async fn check_writes(client: &Client, findings: &mut Findings) {
    match client.get::<LedgerView>("/admin/v1/ledger").await {
        Ok(_) => findings.ok("the ledger accepts writes"),
        Err(Error::Refused(problem)) if matches!(problem.status, 403 | 404) => {}
        Err(error) => findings.failure(&error.into()),
    }
}

/// The warnings of the server about a domain.
async fn check_warnings(client: &Client, host: &str, findings: &mut Findings) {
    match client.get::<DomainView>(&format!("/admin/v1/domains/{host}")).await {
        Ok(domain) => {
            let hint = format!(
                "stoker domain set {host} --allow-private-origin, if the address is intended"
            );
            domain.warnings.iter().for_each(|warning| findings.fail(warning, &hint));
        }
        Err(error) => findings.failure(&error.into()),
    }
}

fn check_skew(date: Option<&str>, findings: &mut Findings) {
    let Some(server) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return;
    };
    let server = server.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let server = Timestamp::from_seconds(i64::try_from(server).unwrap_or(i64::MAX));
    let skew = (SystemClock.now().as_seconds() - server.as_seconds()).abs();
    let text = format!("the clocks of this machine and the server differ by {skew} s");
    let hint = "set both clocks by NTP; a difference of more than 300 s makes signatures invalid";
    if skew > MOST_SKEW_SECONDS {
        findings.fail(text, hint);
    } else if skew > NOTABLE_SKEW_SECONDS {
        findings.warn(text, hint);
    } else {
        findings.ok("the clocks of this machine and the server agree");
    }
}

async fn check_node(client: &Client, node: &NodeView, findings: &mut Findings) {
    let NodeView { name, address, .. } = node;
    if !node.is_alive {
        findings.fail(
            format!("node `{name}` at {address} has sent no heartbeat lately"),
            "read the log of the node",
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

/// The health of a node's store. Its counters start at zero when the node starts.
fn check_store(node: &NodeView, findings: &mut Findings) {
    let (name, Some(store)) = (&node.name, &node.store) else { return };
    let again = "check the disk and read the log of `stoker up`; prefetch the content again";
    for (count, what, hint) in [
        (store.lost_records, "stored records could not be read at its start", again),
        (store.damaged_records, "stored records were found damaged", again),
        (
            store.unreadable_segments,
            "files of its cache are unreadable and were renamed to `.bad`",
            "check the disk, prefetch the content again, and remove the files",
        ),
        (
            store.refused_writes,
            "writes to its cache have failed since its start",
            "is the disk of its folder full, read-only or failing? the log of `stoker up` has the error",
        ),
    ] {
        if count > 0 {
            findings.fail(format!("node `{name}`: {count} {what}"), hint);
        }
    }
}

async fn check_origin(client: &Client, domain: &DomainView, findings: &mut Findings) {
    let DomainView { host, origin, .. } = domain;
    // any host below a wildcard
    let asked = host.strip_prefix("*.").map_or(host.clone(), |parent| format!("www.{parent}"));
    let request = Request::builder()
        .method(Method::HEAD)
        .uri(format!("{origin}/"))
        .header(header::HOST, domain.host_header.as_ref().unwrap_or(&asked));
    match client.connection().send(request, Vec::new(), PATIENCE).await {
        Ok(_) => findings.ok(format!("origin of `{host}` answers at {origin}")),
        Err(error) => {
            let text = Failure::because(format!("origin of `{host}` at {origin}"), &error);
            findings.fail(text.message(), "is the origin running, and is its address right?");
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
            check_clear_text(data.path(), &mut findings);
            findings.0.into_iter().map(|line| (line.verdict == Verdict::Warn, line.text)).collect()
        };
        let none: Vec<(bool, String)> = warnings();
        assert_eq!(none, []);
        let text = r#"[{"name":"the API","address":"127.0.0.1:1"},
                       {"name":"the status page","address":"0.0.0.0:2"}]"#;
        fs::write(data.path().join("listeners.json"), text).unwrap();
        let one: Vec<(bool, String)> = warnings();
        let expected =
            "the status page listens without TLS on 0.0.0.0:2, which other machines can reach";
        assert_eq!(one, [(true, expected.into())]);
    }

    #[test]
    fn every_loss_that_a_node_reports_fails() {
        let lines = |store: StoreHealth| {
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
            check_store(&node, &mut findings);
            findings.0.into_iter().map(|line| (line.verdict == Verdict::Fail, line.text)).collect()
        };
        let well = StoreHealth { held_bytes: 7, bound_bytes: 9, ..StoreHealth::default() };
        let none: Vec<(bool, String)> = lines(well);
        assert_eq!(none, []);
        for (store, part) in [
            (StoreHealth { lost_records: 300, ..well }, "300 stored records could not be read"),
            (StoreHealth { damaged_records: 1, ..well }, "1 stored records were found damaged"),
            (StoreHealth { unreadable_segments: 2, ..well }, "2 files of its cache"),
            (StoreHealth { refused_writes: 4, ..well }, "4 writes"),
        ] {
            let lines: Vec<(bool, String)> = lines(store);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].0 && lines[0].1.contains(part), "{lines:?}");
        }
    }
}
