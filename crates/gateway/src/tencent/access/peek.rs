//! What a call touches, read from parameters that the action has yet to read.
//!
//! Never refuses: what is not there or cannot be read is left out, and the action refuses it. Hosts are
//! found by the functions by which the engine finds them, so that no spelling means one domain here
//! and another there. Nothing is copied of a parameter but the hosts that it names.

use std::collections::BTreeSet;

use stoker_domain::{host::bare_host, target::Target};

use crate::tencent::params::{Params, value::Value};

/// The value of `ZoneId` for all zones.
pub(super) const EVERY_ZONE: &str = "*";

/// The hosts of the URLs that the parameter `name` lists.
///
/// Read as if they were to be encoded, whether or not they are: what is taken without is taken with
/// it too, and has the same host.
pub(super) fn hosts(params: &Params, name: &str) -> BTreeSet<String> {
    let urls = texts(params, name);
    urls.filter_map(|url| Target::parse(url, true).ok()).map(|target| target.host).collect()
}

/// The domain that the parameter `name` is.
pub(super) fn domain(params: &Params, name: &str) -> Option<String> {
    text(params, name).map(|host| bare_host(host).to_ascii_lowercase())
}

/// The hosts that a filter names: hosts or URLs, one or a list.
pub(super) fn named_hosts(params: &Params, name: &str) -> Vec<String> {
    let host = |text: &str| match Target::parse(text, true) {
        Ok(target) => Some(target.host),
        Err(_) if text.is_empty() || text.contains("://") => None,
        Err(_) => Some(text.to_ascii_lowercase()),
    };
    texts(params, name).chain(text(params, name)).filter_map(host).collect()
}

/// The zone that `ZoneId` is.
pub(super) fn zone(params: &Params) -> Option<&str> {
    text(params, "ZoneId").filter(|id| !id.is_empty())
}

fn text<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.peek(name).and_then(Value::as_text)
}

/// The texts of a list; what is no text is left out.
fn texts<'a>(params: &'a Params, name: &str) -> impl Iterator<Item = &'a str> {
    let values = params.peek(name).map(Value::as_list).unwrap_or_default();
    values.into_iter().filter_map(Value::as_text)
}
