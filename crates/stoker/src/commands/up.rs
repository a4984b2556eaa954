//! `stoker up`: the whole product in one process.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::ValueEnum;
use ipnet::IpNet;
use stoker_domain::quota::Reset;
use stoker_gateway::{CallLimits, Language};

use crate::{
    config::{DEFAULT_DATA, SealKeySource},
    failure::Failure,
    server::{self, Options, tls},
    size,
};

/// Run everything on this machine: API, ledger, and edge and middle nodes in both areas
///
/// Creates DIR if it does not exist, with the ledger, the caches of the nodes and credentials.json
/// (the key that signs calls). Needs no configuration. SIGTERM or Ctrl-C stops it after running
/// calls and transfers have ended; a kill loses nothing that was accepted.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Directory for all data
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
    /// Address of the API
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7700")]
    listen: SocketAddr,
    /// Address of /healthz, /readyz and /metrics, with connections apart from those of the API
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7701")]
    status_listen: SocketAddr,
    /// Address of the API over TLS; SIGHUP loads certificate and key again
    #[arg(long, value_name = "IP:PORT", requires_all = ["tls_cert", "tls_key"])]
    tls_listen: Option<SocketAddr>,
    /// Certificate in PEM, followed by its chain
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate in PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_key: Option<PathBuf>,
    /// Port of the first edge node; the others use +1 (edge), +10 and +11 (middle)
    #[arg(long, value_name = "PORT", default_value_t = 7801,
          value_parser = clap::value_parser!(u16).range(1..=65_524))]
    base_port: u16,
    /// Create a new ledger and empty the caches if DIR has caches but no ledger
    ///
    /// Without the flag such a start is refused, because the domains, keys and tasks were in the
    /// ledger. The flag has no effect if the ledger exists.
    #[arg(long)]
    new_ledger: bool,
    /// File with the keys that encrypt the secrets in the ledger [default: DIR/seal.key]
    ///
    /// One key of 64 hexadecimal digits on each line: the first key encrypts, all of them decrypt.
    /// Without the flag the variable STOKER_SEAL_KEY may hold the same text. Without both, DIR/seal.key
    /// is used, and created together with the ledger.
    #[arg(long, value_name = "FILE")]
    seal_key: Option<PathBuf>,
    /// Address range of proxies in front of the nodes, whose X-Forwarded-For and X-Forwarded-Proto
    /// are trusted; may be repeated
    #[arg(long = "trusted-proxy", value_name = "CIDR", value_parser = network)]
    trusted_proxies: Vec<IpNet>,
    /// Maximum disk space of the cache of each of the four nodes
    #[arg(long, value_name = "SIZE", default_value = "10GiB", value_parser = size::parse)]
    cache_size: u64,
    /// Disk space that the caches leave free on their file system, for the ledger and other programs
    /// [default: 5 % of the file system but at least 1 GiB, and at most half of it]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    disk_reserve: Option<u64>,
    /// Memory for content: transfers, hot content, the indexes of the caches, slow connections;
    /// docs/limits.md has the formula [default: half of the memory of the machine or control group]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    memory: Option<u64>,
    /// Time of day at which daily quotas start again; a change extends the current quota day
    /// [default: unchanged; at first 00:00+08:00]
    #[arg(long, value_name = "HH:MM+HH:MM")]
    quota_reset: Option<Reset>,
    /// Calls of one action that an account may make in a second; 0 = no limit
    #[arg(long, value_name = "N", default_value_t = 20)]
    calls_per_second: u32,
    /// How long running calls and transfers may take to end after SIGTERM or Ctrl-C
    ///
    /// New connections are refused meanwhile; a second signal ends the rest at once.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = size::parse_duration)]
    grace: Duration,
    /// Language of the vendor's APIs for calls that name no language; calls signed for an
    /// international host (`*.intl.…`) are always answered in English
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value_t = LanguageWord::Chinese)]
    language: LanguageWord,
    /// Host that clients sign although the server gets another one, such as the public name of a
    /// proxy in front of the API; may be repeated
    #[arg(long = "signed-host", value_name = "HOST")]
    signed_hosts: Vec<String>,
    /// Let all accounts add hosts without proof of ownership
    #[arg(long)]
    waive_verification: bool,
    /// Name server for proofs of ownership [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "IP:PORT")]
    dns: Option<SocketAddr>,
    /// Days for which finished tasks and purges are kept
    #[arg(long, value_name = "DAYS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=36_500))]
    keep_records: u32,
    /// Format of the log, which is written to standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// Filter of the log: a level, or pairs of `target=level` separated by commas
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

/// A language, as the flag names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LanguageWord {
    #[value(name = "zh-CN")]
    Chinese,
    #[value(name = "en-US")]
    English,
}

impl From<LanguageWord> for Language {
    fn from(word: LanguageWord) -> Self {
        match word {
            LanguageWord::Chinese => Self::Chinese,
            LanguageWord::English => Self::English,
        }
    }
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object on each line
    Json,
}

/// A range of addresses, or one address.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let one = text.parse::<IpAddr>().map(IpNet::from);
    one.or_else(|_| text.parse()).map_err(|_| "write `192.0.2.0/24`, `2001:db8::/32` or an address")
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    server::log_to_stderr(&args.log, args.log_format == LogFormat::Json)?;
    let tls = match (args.tls_listen, args.tls_cert, args.tls_key) {
        (Some(listen), Some(certificate), Some(key)) => {
            Some(tls::Options { listen, certificate, key })
        }
        _ => None,
    };
    server::run(Options {
        data: args.data,
        listen: args.listen,
        status: args.status_listen,
        tls,
        new_ledger: args.new_ledger,
        seal_key: SealKeySource::find(args.seal_key),
        base_port: args.base_port,
        trusted_proxies: args.trusted_proxies,
        cache_bytes: args.cache_size,
        disk_reserve: args.disk_reserve,
        memory: args.memory,
        quota_reset: args.quota_reset,
        retention: Duration::from_secs(u64::from(args.keep_records) * 86_400),
        signed_hosts: args.signed_hosts,
        waives_verification: args.waive_verification,
        name_server: args.dns,
        grace: args.grace,
        language: args.language.into(),
        calls: CallLimits { per_second: args.calls_per_second, ..CallLimits::default() },
    })?;
    Ok(ExitCode::SUCCESS)
}
