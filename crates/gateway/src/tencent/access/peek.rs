//! What a call touches, read from parameters that the action has yet to read.
//!
//! Never refuses: what is not there or cannot be read is left out, and the action says so. Hosts are
//! found by the functions by which the engine finds them, so that no spelling means one domain here
//! and another there.

use std::collections::BTreeSet;

use stoker_domain::{
    domain::Domain, host::bare_host, setting::VendorSettings, target::Target, zone::Zone,
};

use crate::tencent::{cdn, params::Params, teo, value::Value};

/// What `ZoneId` says for all zones.
pub(super) const EVERY_ZONE: &str = "*";

/// The hosts of the URLs that the parameter `name` lists.
///
/// Read as if they were to be encoded, whether or not they are: what is taken without is taken with
/// it too, and has the same host.
pub(super) fn hosts(params: &Params, name: &str) -> BTreeSet<String> {
    let urls = params.peek_texts(name);
    urls.iter().filter_map(|url| Target::parse(url, true).ok()).map(|target| target.host).collect()
}

/// The domain that the parameter `name` is.
pub(super) fn domain(params: &Params, name: &str) -> Option<String> {
    params.peek(name, Value::text).map(|host| bare_host(&host).to_ascii_lowercase())
}

/// The hosts that a filter names: hosts or URLs, one or a list.
pub(super) fn named_hosts(params: &Params, name: &str) -> Vec<String> {
    let mut texts = params.peek_texts(name);
    texts.extend(params.peek(name, Value::text));
    let host = |text: &String| match Target::parse(text, true) {
        Ok(target) => Some(target.host),
        Err(_) if text.is_empty() || text.contains("://") => None,
        Err(_) => Some(text.to_ascii_lowercase()),
    };
    texts.iter().filter_map(host).collect()
}

/// The zone that `ZoneId` is.
pub(super) fn zone(params: &Params) -> Option<String> {
    params.peek("ZoneId", Value::text).filter(|id| !id.is_empty())
}

/// The tags that the call itself gives, to a domain or a zone, as conditions name them.
pub(super) fn request_tags(params: &Params) -> Vec<String> {
    let given = ["Tag", "Tags"].into_iter().filter_map(|name| params.peek(name, Value::list));
    given.flatten().filter_map(|given| tag(&given.json())).collect()
}

/// The tags that were given to a domain, as conditions name them.
pub(super) fn domain_tags(domain: &Domain) -> Vec<String> {
    tags(&domain.settings, cdn::domain::KEPT, "Tag")
}

/// The tags that were given to a zone, as conditions name them.
pub(super) fn zone_tags(zone: &Zone) -> Vec<String> {
    tags(&zone.settings, teo::KEPT, "Tags")
}

fn tags(kept: &VendorSettings, api: &str, field: &str) -> Vec<String> {
    let tags = kept.get(api).and_then(|said| said.get(field)).and_then(|tags| tags.as_array());
    tags.into_iter().flatten().filter_map(tag).collect()
}

/// A tag as conditions name it.
fn tag(tag: &serde_json::Value) -> Option<String> {
    let text = |field: &str| tag[field].as_str();
    Some(format!("{}&{}", text("TagKey")?, text("TagValue").unwrap_or_default()))
}
