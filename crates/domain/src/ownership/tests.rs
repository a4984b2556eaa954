//! Claims of two accounts, name by name and in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::host;

#[test]
fn claims_at_above_and_below_a_name_exclude_each_other() {
    for (a, b) in [
        ("example.com", "example.com"),
        ("www.example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("*.example.com", "example.com"),
        ("*.example.com", "*.example.com"),
        ("www.example.com", "*.example.com"),
        ("*.www.example.com", "*.example.com"),
        ("*.www.example.com", "www.example.com"),
        ("example.co.uk", "*.co.uk"),
        ("me.github.io", "github.io"),
        ("x.localhost", "localhost"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "[::1]"),
    ] {
        assert!(are_related(a, b) && are_related(b, a), "{a} {b}");
    }
    for (a, b) in [
        ("www.example.com", "img.example.com"),
        ("*.www.example.com", "img.example.com"),
        ("badexample.com", "example.com"),
        ("example.com.evil.net", "example.com"),
        ("example.com", "example.org"),
        ("10.0.0.1", "0.1"),
        ("10.0.0.1", "1"),
        ("[::1]", "1"),
        ("me.github.io", "you.github.io"),
    ] {
        assert!(!are_related(a, b) && !are_related(b, a), "{a} {b}");
    }
}

#[test]
fn what_may_be_claimed_depends_on_the_leave() {
    use ProofRule::{Owner, Required, Waived};
    use Unclaimable as U;
    for (name, waived, required) in [
        ("www.example.com", Ok(()), Ok(())),
        ("*.example.co.uk", Ok(()), Ok(())),
        ("me.github.io", Ok(()), Ok(())),
        ("xn--bcher-kva.de", Ok(()), Ok(())),
        ("a.unlisted", Ok(()), Ok(())),
        ("com", Err(U::PublicSuffix), Err(U::PublicSuffix)),
        ("co.uk", Err(U::PublicSuffix), Err(U::PublicSuffix)),
        ("*.co.uk", Err(U::PublicSuffix), Err(U::PublicSuffix)),
        ("github.io", Err(U::PublicSuffix), Err(U::PublicSuffix)),
        ("*.github.io", Err(U::PublicSuffix), Err(U::PublicSuffix)),
        // of `*.kawasaki.jp`
        ("x.kawasaki.jp", Err(U::PublicSuffix), Err(U::PublicSuffix)),
        // of `!city.kawasaki.jp`
        ("city.kawasaki.jp", Ok(()), Ok(())),
        ("localhost", Ok(()), Err(U::Reserved)),
        ("intranet", Ok(()), Err(U::Reserved)),
        ("a.localhost", Ok(()), Err(U::Reserved)),
        ("printer.local", Ok(()), Err(U::Reserved)),
        ("db.corp.internal", Ok(()), Err(U::Reserved)),
        ("a.test", Ok(()), Err(U::Reserved)),
        ("a.example", Ok(()), Err(U::Reserved)),
        ("a.invalid", Ok(()), Err(U::Reserved)),
        ("a.home.arpa", Ok(()), Err(U::Reserved)),
        ("x.onion", Ok(()), Err(U::Reserved)),
        ("127.0.0.1", Ok(()), Err(U::Address)),
        ("8.8.8.8", Ok(()), Err(U::Address)),
        ("[2606:4700::1111]", Ok(()), Err(U::Address)),
        ("example.1", Ok(()), Err(U::Address)),
    ] {
        assert_eq!(check_claim(name, Owner), Ok(()), "{name}");
        assert_eq!(check_claim(name, Waived), waived, "{name}");
        assert_eq!(check_claim(name, Required), required, "{name}");
    }
}

#[test]
fn the_registrable_domain_is_that_of_the_public_suffix_list() {
    for (host, name) in [
        ("www.example.com", Some("example.com")),
        ("example.com", Some("example.com")),
        ("*.example.com", Some("example.com")),
        ("a.b.c.example.net", Some("example.net")),
        ("www.example.co.uk", Some("example.co.uk")),
        ("a.b.example.com.cn", Some("example.com.cn")),
        ("a.me.github.io", Some("me.github.io")),
        ("a.b.c.kawasaki.jp", Some("b.c.kawasaki.jp")),
        ("www.city.kawasaki.jp", Some("city.kawasaki.jp")),
        ("x.com.io", Some("x.com.io")),
        ("www.t.co", Some("t.co")),
        ("x.unlisted", Some("x.unlisted")),
        ("co.uk", None),
        ("github.io", None),
        ("com.cn", None),
        ("localhost", None),
        ("127.0.0.1", None),
        ("[::1]", None),
        ("", None),
    ] {
        assert_eq!(registrable(host), name, "{host}");
    }
}

#[test]
fn a_record_stands_below_the_name_and_a_file_at_one_host() {
    let at = Timestamp::from_seconds(0);
    let record = VerificationRecord {
        account: AccountId(1),
        name: "example.com".into(),
        token: "t".into(),
        created_at: at,
        expires_at: at,
    };
    assert_eq!(record.dns_name(), "_cdnauth.example.com");
    assert!(has_file("example.com") && !has_file("*.example.com"));
}

#[test]
fn a_record_proves_what_is_below_and_a_file_one_host() {
    let at = Timestamp::from_seconds;
    let proof = |name: &str, method| Proof {
        account: AccountId(1),
        name: name.into(),
        method,
        proved_at: at(0),
        expires_at: at(10),
    };
    let dns = proof("example.com", Method::Dns);
    for domain in ["example.com", "*.example.com", "a.b.example.com", "*.a.example.com"] {
        assert!(dns.covers(domain, at(9)) && !dns.covers(domain, at(10)), "{domain}");
    }
    for domain in ["com", "badexample.com", "example.com.evil.net"] {
        assert!(!dns.covers(domain, at(0)), "{domain}");
    }
    let file = proof("www.example.com", Method::File);
    assert!(file.covers("www.example.com", at(9)) && !file.covers("www.example.com", at(10)));
    for domain in ["example.com", "*.www.example.com", "a.www.example.com", "img.example.com"] {
        assert!(!file.covers(domain, at(0)), "{domain}");
    }
}

/// Names that are often related.
fn names() -> impl Strategy<Value = String> {
    let label = prop_oneof!["a", "b", "ab", "co", "1"];
    let top = prop_oneof!["com", "uk", "1", "test"];
    let any_name = (any::<bool>(), prop::collection::vec(label, 0..4), top);
    let any_name = any_name.prop_map(|(star, labels, top)| {
        let host = [labels, vec![top]].concat().join(".");
        if star { format!("*.{host}") } else { host }
    });
    any_name.prop_filter("names of domains", |text| host::is_domain_name(text))
}

proptest! {
    #[test]
    fn relation_is_symmetric_and_holds_for_each_name_with_itself(a in names(), b in names()) {
        prop_assert_eq!(are_related(&a, &b), are_related(&b, &a));
        prop_assert!(are_related(&a, &a));
    }

    #[test]
    fn whatever_a_domain_answers_for_is_related_to_it(domain in names(), host in names()) {
        if host::covers(&domain, &host) {
            prop_assert!(are_related(&domain, &host));
        }
    }

    /// Two claims that are not related never answer for the same host.
    #[test]
    fn unrelated_claims_answer_for_no_common_host(a in names(), b in names(), host in names()) {
        let answers = |claim: &str| claim == host || host::covers(claim, &host);
        if !are_related(&a, &b) {
            prop_assert!(!(answers(&a) && answers(&b)));
        }
    }

    /// Claims made and given up in any order, each taken unless it is related to another's.
    #[test]
    fn no_two_accounts_ever_hold_related_names(
        steps in prop::collection::vec((names(), 0..3_u8, any::<bool>()), 0..40)
    ) {
        let mut held: BTreeMap<String, u8> = BTreeMap::new();
        for (name, account, gives_up) in steps {
            if gives_up {
                held.retain(|known, of| *of != account || *known != name);
            } else if held.iter().all(|(known, of)| *of == account || !are_related(known, &name)) {
                held.insert(name, account);
            }
            for (a, of_a) in &held {
                for (b, of_b) in &held {
                    prop_assert!(of_a == of_b || !are_related(a, b), "{} {}", a, b);
                }
            }
        }
    }

    /// What is registrable lies at or above the host, and is no public suffix.
    #[test]
    fn a_registrable_domain_is_never_a_public_suffix(host in names()) {
        if let Some(name) = registrable(&host) {
            prop_assert!(is_at_or_below(base_host(&host), name));
            prop_assert_eq!(check_claim(name, ProofRule::Waived), Ok(()));
        }
    }
}
