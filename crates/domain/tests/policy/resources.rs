//! Which six-segment forms match which resource.

use stoker_domain::policy::Resource;

use crate::table::{PUSH, WWW, decide, policies, sub_user};

const REGIONAL: &str = "qcs::cdn:ap-guangzhou:uin/100000000001:domain/www.test.com";
const PROJECT: &str = "qcs:id/7:cdn::uin/100000000001:domain/www.test.com";
const FOREIGN: &str = "qcs::cdn::uin/100000000009:domain/www.test.com";
const ZONE: &str = "qcs::teo::uin/100000000001:zone/zone-2o0i1kx5";

/// Pattern, resource, whether they match.
#[rustfmt::skip]
pub(crate) const MATCHING: &[(&str, &str, bool)] = &[
    ("*", WWW, true),
    ("*", ZONE, true),
    ("*", FOREIGN, true),
    (WWW, WWW, true),
    (WWW, ZONE, false),
    ("qcs:*:*:*:*:*", WWW, true),
    ("qcs::*:::*", WWW, true),

    ("qcs::cdn::uin/100000000001:domain/*", WWW, true),
    ("qcs::cdn::uin/100000000001:domain/www.*", WWW, true),
    ("qcs::cdn::uin/100000000001:domain/*.test.com", WWW, true),
    ("qcs::cdn::uin/100000000001:domain/*.test.com", "qcs::cdn::uin/100000000001:domain/test.com", false),
    ("qcs::cdn::uin/100000000001:domain/w*w.*.com", WWW, true),
    ("qcs::cdn::uin/100000000001:domain/img.*", WWW, false),
    ("qcs::cdn::uin/100000000001:domain/www.test.co", WWW, false),
    ("qcs::cdn::uin/100000000001:domain/www.test.com.cn", WWW, false),
    ("qcs::cdn::uin/100000000001:domain/WWW.Test.com", WWW, true),
    ("qcs::cdn::uin/100000000001:domain/www.test.com", "qcs::cdn::uin/100000000001:domain/WWW.TEST.COM", true),
    ("qcs::cdn::uin/100000000001:domain", WWW, false),
    ("qcs::cdn::uin/100000000001:*", WWW, true),
    ("qcs::cdn::uin/100000000001:zone/*", WWW, false),
    ("qcs::cdn::uin/100000000001:a:b", "qcs::cdn::uin/100000000001:a:b", true),
    ("qcs::teo::uin/100000000001:zone/zone-2o0i1kx5", ZONE, true),
    ("qcs::teo::uin/100000000001:zone/*", ZONE, true),
    ("qcs::teo::uin/100000000001:zone/zone-other", ZONE, false),

    ("qcs::teo::uin/100000000001:domain/www.test.com", WWW, false),
    ("qcs::*::uin/100000000001:domain/www.test.com", WWW, true),
    ("qcs::c*::uin/100000000001:domain/www.test.com", WWW, true),
    ("qcs::t*::uin/100000000001:domain/www.test.com", WWW, false),
    ("qcs::CDN::uin/100000000001:domain/www.test.com", WWW, true),

    ("qcs::cdn::uin/100000000001:domain/www.test.com", REGIONAL, true),
    ("qcs::cdn:*:uin/100000000001:domain/www.test.com", REGIONAL, true),
    ("qcs::cdn:ap-guangzhou:uin/100000000001:domain/www.test.com", REGIONAL, true),
    ("qcs::cdn:ap-*:uin/100000000001:domain/www.test.com", REGIONAL, true),
    ("qcs::cdn:ap-shanghai:uin/100000000001:domain/www.test.com", REGIONAL, false),
    ("qcs::cdn:ap-guangzhou:uin/100000000001:domain/www.test.com", WWW, false),
    ("qcs::cdn:*:uin/100000000001:domain/www.test.com", WWW, true),

    ("qcs::cdn:::domain/www.test.com", WWW, true),
    ("qcs::cdn:::domain/www.test.com", FOREIGN, false),
    ("qcs::cdn::uin/:domain/www.test.com", WWW, true),
    ("qcs::cdn::uin/:domain/www.test.com", FOREIGN, false),
    ("qcs::cdn::*:domain/www.test.com", WWW, true),
    ("qcs::cdn::*:domain/www.test.com", FOREIGN, true),
    ("qcs::cdn::uin/*:domain/www.test.com", FOREIGN, true),
    ("qcs::cdn::uin/1000*:domain/www.test.com", WWW, true),
    ("qcs::cdn::uin/100000000001:domain/www.test.com", FOREIGN, false),
    ("qcs::cdn::uin/100000000009:domain/www.test.com", FOREIGN, true),
    ("qcs::cdn::100000000001:domain/www.test.com", WWW, false),
    ("qcs::cdn::uin/10000000000:domain/www.test.com", WWW, false),
    ("qcs::cdn::uin/${owner_uin}:domain/www.test.com", WWW, true),
    ("qcs::cdn::uin/${uin}:domain/www.test.com", WWW, false),

    ("qcs:id/7:cdn:::domain/www.test.com", PROJECT, true),
    ("qcs:id/*:cdn:::domain/www.test.com", PROJECT, true),
    ("qcs::cdn:::domain/www.test.com", PROJECT, true),
    ("qcs:id/8:cdn:::domain/www.test.com", PROJECT, false),
    ("qcs:id/7:cdn:::domain/www.test.com", WWW, false),

    ("qcs::cdn:::domain/${uin}.test.com", "qcs::cdn::uin/100000000001:domain/200000000002.test.com", true),
    ("qcs::cdn:::domain/${uin}.test.com", "qcs::cdn::uin/100000000001:domain/100000000001.test.com", false),
    ("qcs::cdn:::domain/${owner_uin}.test.com", "qcs::cdn::uin/100000000001:domain/100000000001.test.com", true),
    ("qcs::cdn:::domain/${app_id}.*", "qcs::cdn::uin/100000000001:domain/1251000001.test.com", true),
    ("qcs::cdn:::domain/${app_id}.*", "qcs::cdn::uin/100000000001:domain/12510000012.test.com", false),
    ("qcs::cdn:::domain/*${app_id}-${uin}*", "qcs::cdn::uin/100000000001:domain/a.1251000001-200000000002.b", true),
    ("qcs::cdn:::domain/*${app_id}-${uin}*", "qcs::cdn::uin/100000000001:domain/a.1251000001.200000000002.b", false),
];

/// Pattern, and whether it grants an operation that names no resource.
pub(crate) const OPERATION_LEVEL: &[(&str, bool)] = &[
    ("*", true),
    ("qcs:*:*:*:*:*", false),
    ("qcs::cdn:::*", false),
    ("qcs::cdn::uin/100000000001:domain/*", false),
    (WWW, false),
];

#[test]
fn a_resource_matches_segment_by_segment() {
    for (pattern, resource, expected) in MATCHING {
        let short = format!("allow * on {pattern}");
        let found = decide(&policies(&[&[&short]]), &sub_user(), PUSH, &[resource], &[]);
        assert_eq!(found == "allowed 1.1", *expected, "`{pattern}` `{resource}`: {found}");
    }
}

#[test]
fn an_operation_without_resource_needs_the_bare_wildcard() {
    for (pattern, expected) in OPERATION_LEVEL {
        let short = format!("allow * on {pattern}");
        let found = decide(&policies(&[&[&short]]), &sub_user(), PUSH, &[], &[]);
        assert_eq!(found == "allowed 1.1", *expected, "`{pattern}`: {found}");
    }
}

#[test]
fn any_of_several_resources_is_enough() {
    let policies = policies(&[&["allow * on qcs::cdn:::domain/a.com,qcs::teo:::zone/*"]]);
    assert_eq!(decide(&policies, &sub_user(), PUSH, &[ZONE], &[]), "allowed 1.1");
    assert_eq!(decide(&policies, &sub_user(), PUSH, &[WWW], &[]), "no match domain/www.test.com");
}

#[test]
fn a_resource_is_printed_as_the_vendor_does() {
    let resource = Resource::new("cdn", "100000000001", "domain/www.Test.com");
    assert_eq!(resource.to_string(), WWW);
    assert_eq!(WWW.parse(), Ok(resource));
    for text in ["", "*", "qcs::cdn:::domain/a", "qcs::cdn::uin/1:domain/*", "qcs::cdn::uin/1"] {
        assert!(text.parse::<Resource>().is_err(), "{text}");
    }
}
