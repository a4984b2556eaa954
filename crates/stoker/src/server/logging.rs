//! Log lines: to standard error, for people or as JSON.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

use crate::failure::Failure;

/// Lets log lines that pass `filter` go to standard error.
pub(crate) fn log_to_stderr(filter: &str, as_json: bool) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::because(format!("`{filter}` is not a log filter"), &error)
            .into_usage()
            .hint("write a level, as in `debug`, or pairs, as in `info,stoker_node=debug`")
    })?;
    // a line that cannot be written, as on a full disk, is lost: to complain of it on standard error
    // would end the process
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    if as_json {
        lines.json().flatten_event(true).init();
    } else {
        lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init();
    }
    Ok(())
}
