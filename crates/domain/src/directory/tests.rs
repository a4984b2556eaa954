//! Which domain answers for a host, and what a change copies.

use proptest::prelude::*;

use super::*;
use crate::{
    account::AccountId,
    area::{Area, Tier},
    time::Timestamp,
};

fn domain(name: &str) -> NodeDomain {
    let origin = "http://origin.example.com".parse().unwrap();
    Domain::new(name, AccountId(1), origin, Timestamp::default()).for_nodes()
}

fn with_domains(names: &[&str]) -> Directory {
    let mut directory = Directory::default();
    for name in names {
        directory.put_domain(domain(name));
    }
    directory
}

#[test]
fn a_domain_is_found_whatever_the_case_and_the_port() {
    let directory = with_domains(&["www.example.com"]);
    for host in ["www.example.com", "WWW.Example.com:80", "www.example.com."] {
        assert!(directory.domain(host).is_some(), "{host}");
    }
    assert!(directory.domain("example.com").is_none());
    assert!(directory.domain("a.www.example.com").is_none());
}

#[test]
fn a_wildcard_answers_for_every_host_below_it_that_has_no_domain_of_its_own() {
    let directory =
        with_domains(&["*.a.example", "own.a.example", "*.deep.a.example", "b.example"]);
    let found = |host: &str| directory.domain(host).map(|domain| domain.name.as_str());
    for (host, domain) in [
        ("x.a.example", Some("*.a.example")),
        ("X.A.Example.:80", Some("*.a.example")),
        ("y.x.a.example", Some("*.a.example")),
        ("own.a.example", Some("own.a.example")),
        ("x.own.a.example", Some("*.a.example")),
        ("deep.a.example", Some("*.a.example")),
        ("x.deep.a.example", Some("*.deep.a.example")),
        ("a.example", None),
        ("xa.example", None),
        ("x.b.example", None),
        // what a Host field may hold and no host is
        ("*.a.example", None),
        ("*.x.a.example", None),
        (".a.example", None),
        ("x..a.example", None),
        ("victim.example/x.a.example", None),
        ("x y.a.example", None),
    ] {
        assert_eq!(found(host), domain, "{host}");
    }
    let named = |name: &str| directory.named(name).map(|domain| domain.name.as_str());
    assert_eq!(named("*.A.example"), Some("*.a.example"));
    assert_eq!(named("x.a.example"), None);
}

#[test]
fn a_change_copies_only_the_part_that_changes() {
    let before = with_domains(&["a.example", "b.example"]);
    let node = |name: &str| Node {
        name: name.into(),
        area: Area::Mainland,
        tier: Tier::Edge,
        cluster: "one".into(),
        address: String::new(),
    };
    let mut after = before.clone();
    after.put_node(node("edge"));
    assert!(Arc::ptr_eq(&before.domains, &after.domains), "a node registers");
    assert!(before.fleet().nodes().is_empty() && after.fleet().node("edge").is_some());
    let with_limits = {
        let mut directory = after.clone();
        directory.set_task_limits(HashMap::from([("a.example".into(), 8)]));
        directory
    };
    assert!(Arc::ptr_eq(&after.domains, &with_limits.domains), "a task has a limit");
    assert!(Arc::ptr_eq(&after.fleet, &with_limits.fleet));
    assert_eq!(
        (after.task_limit("a.example"), with_limits.task_limit("a.example")),
        (None, Some(8))
    );
    assert_eq!(with_limits.task_limit("b.example"), None);
    assert_eq!(*with_limits.task_limits(), HashMap::from([("a.example".into(), 8)]));
    let mut fewer = with_limits.clone();
    fewer.remove_domain("a.example");
    assert!(Arc::ptr_eq(&fewer.fleet, &with_limits.fleet), "a domain goes");
    assert_eq!((fewer.domains().count(), with_limits.domains().count()), (1, 2));
    assert!(fewer.named("a.example").is_none() && with_limits.named("a.example").is_some());
    // a domain that did not change is the same one
    let same = |directory: &Directory| Arc::clone(directory.named("b.example").unwrap());
    assert!(Arc::ptr_eq(&same(&fewer), &same(&before)));
}

#[test]
fn nodes_are_replaced_together() {
    let node = |name: &str| Node {
        name: name.into(),
        area: Area::Overseas,
        tier: Tier::Middle,
        cluster: "one".into(),
        address: String::new(),
    };
    let mut directory: Directory = Directory::default();
    directory.put_node(node("old"));
    directory.set_fleet(Fleet::new([node("new")]));
    let names: Vec<&str> = directory.fleet().nodes().iter().map(|node| &*node.name).collect();
    assert_eq!(names, ["new"]);
}

#[test]
fn whole_domains_are_found_as_those_of_nodes_are() {
    let origin = "http://origin.example.com".parse().unwrap();
    let whole = Domain::new("a.example", AccountId(1), origin, Timestamp::default());
    let mut directory: Directory<Domain> = Directory::default();
    directory.put_domain(whole);
    assert!(directory.domain("a.example").is_some() && directory.domain("b.example").is_none());
}

#[test]
fn a_domain_is_found_by_its_name_or_else_by_what_it_answers_for() {
    let directory = with_domains(&["*.a.example", "b.example"]);
    let found = |name: &str| directory.named_or_over(name).map(|domain| domain.name.as_str());
    assert_eq!(found("*.a.example"), Some("*.a.example"));
    assert_eq!(found("x.a.example"), Some("*.a.example"));
    assert_eq!(found("B.example:80"), Some("b.example"));
    assert_eq!(found("c.example"), None);
}

proptest! {
    #[test]
    fn the_most_specific_domain_answers(
        names in proptest::collection::btree_set("(\\*\\.)?([ab]\\.){1,4}[ab]", 0..12),
        host in "([ab]\\.){0,5}[ab]",
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let directory = with_domains(&names);
        let covering = || names.iter().copied().filter(|wild| host::covers(wild, &host));
        let expected = if names.contains(&&*host) {
            Some(&*host)
        } else {
            // of two names that end a host, the longer is the more specific
            covering().max_by_key(|wild| wild.len())
        };
        let found = directory.domain(&host).map(|domain| domain.name.as_str());
        prop_assert_eq!(found, expected, "{:?}", names);
    }
}
