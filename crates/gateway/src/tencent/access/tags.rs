//! The tags of domains and zones, as conditions of policies name them.

use stoker_domain::{domain::Domain, setting::VendorSettings, zone::Zone};

use crate::tencent::{
    common::settings::{CDN, TEO},
    params::{Params, value::Value},
};

/// The tags that the call itself gives, to a domain or a zone.
pub(super) fn of_request(params: &Params) -> Vec<String> {
    let given = ["Tag", "Tags"].into_iter().filter_map(|name| params.peek(name));
    given.flat_map(Value::as_list).filter_map(|given| tag(&given.clone().json())).collect()
}

/// The tags that were given to a domain.
pub(crate) fn of_domain(domain: &Domain) -> Vec<String> {
    tags(&domain.settings, CDN, "Tag")
}

/// The tags that were given to a zone.
pub(crate) fn of_zone(zone: &Zone) -> Vec<String> {
    tags(&zone.settings, TEO, "Tags")
}

fn tags(kept: &VendorSettings, api: &str, field: &str) -> Vec<String> {
    let tags =
        kept.get(api).and_then(|settings| settings.get(field)).and_then(|tags| tags.as_array());
    tags.into_iter().flatten().filter_map(tag).collect()
}

/// A tag as conditions name it.
fn tag(tag: &serde_json::Value) -> Option<String> {
    let text = |field: &str| tag[field].as_str();
    Some(format!("{}&{}", text("TagKey")?, text("TagValue").unwrap_or_default()))
}
