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
/// Makes DIR when it is not there, with the ledger, the nodes' caches and credentials.json (the key
/// to sign calls with). Needs no configuration. SIGTERM or Ctrl-C ends it after what is under way;
/// killing it loses nothing that was accepted.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
    /// Address of the API
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7700")]
    listen: SocketAddr,
    /// Address of /healthz, /readyz and /metrics, which no crowd of the API's callers reaches
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7701")]
    status_listen: SocketAddr,
    /// Address at which the API speaks TLS too; SIGHUP reads certificate and key again
    #[arg(long, value_name = "IP:PORT", requires_all = ["tls_cert", "tls_key"])]
    tls_listen: Option<SocketAddr>,
    /// The certificate in PEM, followed by those that lead to its root
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_key: Option<PathBuf>,
    /// Port of the first edge node; the others are at +1 (edge), +10 and +11 (middle)
    #[arg(long, value_name = "PORT", default_value_t = 7801,
          value_parser = clap::value_parser!(u16).range(1..=65_524))]
    base_port: u16,
    /// Begin a new ledger, and empty the caches, where DIR has caches but its ledger is missing
    ///
    /// Without the flag such a start is refused: domains, keys and tasks were in the ledger. Where it
    /// is there the flag does nothing.
    #[arg(long)]
    new_ledger: bool,
    /// File with the keys that seal the secrets in the ledger, instead of DIR/seal.key
    ///
    /// One key of 64 hexadecimal digits on each line: the first seals, all of them open. Without the
    /// flag STOKER_SEAL_KEY may hold the same; without both, DIR/seal.key is used, and made with the
    /// ledger.
    #[arg(long, value_name = "FILE")]
    seal_key: Option<PathBuf>,
    /// Proxies before the nodes, by address range: their X-Forwarded-For and X-Forwarded-Proto are
    /// believed; may be given several times
    #[arg(long = "trusted-proxy", value_name = "CIDR", value_parser = network)]
    trusted_proxies: Vec<IpNet>,
    /// Disk space that the cache of each of the four nodes may take, as far as the disk has it
    #[arg(long, value_name = "SIZE", default_value = "10GiB", value_parser = size::parse)]
    cache_size: u64,
    /// Disk space that the caches leave free on their file system, for the ledger and others
    /// [default: 5 % of the file system or 1 GiB, the larger of both, and half of it at most]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    disk_reserve: Option<u64>,
    /// Memory for content: on its way, hot, the indexes of the caches, slow connections; docs/limits.md has
    /// the formula [default: half of what the machine, or the control group, has]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    memory: Option<u64>,
    /// Time of day at which daily quotas are full again; a change lets the running day last longer
    /// [default: as it was; at first 00:00+08:00]
    #[arg(long, value_name = "HH:MM+HH:MM")]
    quota_reset: Option<Reset>,
    /// Calls of one action that an account may make in a second; 0 = as many as it likes
    #[arg(long, value_name = "N", default_value_t = 20)]
    calls_per_second: u32,
    /// How long calls and transfers that are under way may take to end after SIGTERM or Ctrl-C
    ///
    /// Nobody else is let in meanwhile; a second signal ends them at once.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = size::parse_duration)]
    grace: Duration,
    /// Language of what the vendor's APIs say to callers who name none; calls that were signed for an
    /// international host (`*.intl.…`) are always answered in English
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value_t = LanguageWord::Chinese)]
    language: LanguageWord,
    /// Ask no account for proofs that hosts are its own
    #[arg(long)]
    waive_verification: bool,
    /// Name server that is asked for such proofs [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "IP:PORT")]
    dns: Option<SocketAddr>,
    /// Days that tasks and purges are kept after they finished
    #[arg(long, value_name = "DAYS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=36_500))]
    keep_records: u32,
    /// How log lines are written to standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// Which log lines: a level, or `target=level` pairs with commas between them
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

/// A language, as callers name it.
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

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
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
        waives_verification: args.waive_verification,
        name_server: args.dns,
        grace: args.grace,
        language: args.language.into(),
        calls: CallLimits { per_second: args.calls_per_second, ..CallLimits::default() },
    })?;
    Ok(ExitCode::SUCCESS)
}
