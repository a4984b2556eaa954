//! Placement holds what its header promises, for any set of nodes.

use proptest::prelude::*;

use super::*;
use crate::{account::AccountId, domain::CacheRules, host, setting::Status, time::Timestamp};

fn node(name: &str, area: Area, tier: Tier, cluster: &str) -> Node {
    Node { name: name.into(), area, tier, cluster: cluster.into(), address: String::new() }
}

fn directory(nodes: impl IntoIterator<Item = Node>) -> Directory {
    Directory { nodes: nodes.into_iter().map(Arc::new).collect(), ..Directory::default() }
}

fn domain(areas: AreaScope, shield: Shield) -> Domain {
    Domain {
        name: "www.example.com".into(),
        account: AccountId(1),
        origin: "http://origin.example.com".parse().unwrap(),
        areas,
        status: Status::Online,
        shield,
        cache: CacheRules::default(),
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        zone: None,
        content_epoch: 0,
        origin_limits: Vec::new(),
        patience_seconds: None,
        settings: Default::default(),
        lock: None,
        ownership: Default::default(),
    }
}

fn keys() -> impl Iterator<Item = Key> {
    (0..500).map(|number| Key::new("www.example.com", &format!("/{number}")))
}

fn names(nodes: &[Arc<Node>]) -> Vec<&str> {
    nodes.iter().map(|node| node.name.as_str()).collect()
}

/// The four nodes of `stoker up`.
fn four() -> Vec<Node> {
    vec![
        node("edge-mainland", Area::Mainland, Tier::Edge, "mainland-1"),
        node("edge-overseas", Area::Overseas, Tier::Edge, "overseas-1"),
        node("middle-mainland", Area::Mainland, Tier::Middle, "mainland-1"),
        node("middle-overseas", Area::Overseas, Tier::Middle, "overseas-1"),
    ]
}

#[test]
fn each_area_and_tier_has_its_holders() {
    let directory = directory(four());
    let holders = |areas, tier| {
        let holders = directory.holders(Key([7; 16]), areas, tier);
        names(&holders).join(" ")
    };
    let (mainland, overseas, global) =
        (AreaScope::Mainland, AreaScope::Overseas, AreaScope::Global);
    assert_eq!(holders(mainland, None), "middle-mainland");
    assert_eq!(holders(overseas, None), "edge-overseas");
    assert_eq!(holders(global, None), "edge-overseas middle-mainland");
    assert_eq!(holders(global, Some(Tier::Edge)), "edge-mainland edge-overseas");
    assert_eq!(holders(global, Some(Tier::Middle)), "middle-mainland middle-overseas");
    assert_eq!(Directory::default().holders(Key([7; 16]), global, None), []);
}

#[test]
fn a_key_lives_on_one_node_of_each_cluster() {
    let nodes = (0..12).map(|number| {
        let cluster = format!("cluster-{}", number % 3);
        node(&format!("edge-{number}"), Area::Overseas, Tier::Edge, &cluster)
    });
    let directory = directory(nodes);
    let mut used = std::collections::BTreeSet::new();
    for key in keys() {
        let holders = directory.holders(key, AreaScope::Overseas, None);
        let mut clusters: Vec<_> = holders.iter().map(|node| node.cluster.clone()).collect();
        clusters.sort();
        assert_eq!(clusters, ["cluster-0", "cluster-1", "cluster-2"]);
        used.extend(holders.iter().map(|node| node.name.clone()));
    }
    assert_eq!(used.len(), 12, "every node holds some keys");
}

#[test]
fn a_node_that_joins_or_leaves_moves_only_its_own_keys() {
    let of = |count: usize| {
        directory(
            (0..count)
                .map(|number| node(&format!("edge-{number}"), Area::Mainland, Tier::Edge, "one")),
        )
    };
    let (five, six) = (of(5), of(6));
    let mut moved = 0;
    for key in keys() {
        let holder = |directory: &Directory| {
            let holders = directory.holders(key, AreaScope::Mainland, Some(Tier::Edge));
            holders.into_iter().next().unwrap().name.clone()
        };
        let (before, after) = (holder(&five), holder(&six));
        if before != after {
            assert_eq!(after, "edge-5");
            moved += 1;
        }
    }
    assert!((500 / 12..500 / 3).contains(&moved), "about a sixth moves: {moved}");
}

#[test]
fn the_order_in_which_nodes_are_known_does_not_matter() {
    let forwards = directory(four());
    let mut nodes = four();
    nodes.reverse();
    let backwards = directory(nodes);
    let domain = domain(AreaScope::Global, Shield::Global);
    for key in keys() {
        let both = |directory: &Directory| {
            let shield = directory.shield(&domain, key, Area::Mainland).unwrap();
            (directory.holders(key, AreaScope::Global, None), shield)
        };
        assert_eq!(both(&forwards), both(&backwards));
    }
}

#[test]
fn one_shield_for_all_areas_or_one_in_each() {
    let up = directory(four());
    let global = domain(AreaScope::Global, Shield::Global);
    let per_area = domain(AreaScope::Global, Shield::PerArea);
    let mainland_only = domain(AreaScope::Mainland, Shield::Global);
    let mut used = std::collections::BTreeSet::new();
    for key in keys() {
        let shield = |domain: &Domain, area| up.shield(domain, key, area).unwrap();
        let one = shield(&global, Area::Mainland);
        assert_eq!(one, shield(&global, Area::Overseas));
        used.insert(one.name.clone());
        for area in Area::ALL {
            assert_eq!(shield(&per_area, area).area, area);
            assert_eq!(shield(&mainland_only, area).area, Area::Mainland);
        }
    }
    assert_eq!(used.len(), 2, "both middle nodes shield some keys");
    let edges = directory(four().into_iter().filter(|n| n.tier == Tier::Edge));
    assert_eq!(edges.shield(&global, Key([1; 16]), Area::Mainland), None);
}

#[test]
fn a_domain_is_found_whatever_the_case_and_the_port() {
    let domain = Arc::new(domain(AreaScope::Global, Shield::Global));
    let mut directory = Directory::default();
    directory.domains.insert(domain.name.clone(), domain);
    for host in ["www.example.com", "WWW.Example.com:80", "www.example.com."] {
        assert!(directory.domain(host).is_some(), "{host}");
    }
    assert!(directory.domain("example.com").is_none());
    assert!(directory.domain("a.www.example.com").is_none());
}

fn with_domains(names: &[&str]) -> Directory {
    let mut directory = Directory::default();
    for name in names {
        let domain = Domain { name: (*name).into(), ..domain(AreaScope::Global, Shield::Global) };
        directory.domains.insert((*name).into(), Arc::new(domain));
    }
    directory
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

    #[test]
    fn the_way_to_the_origin_never_loops_and_ends_at_the_shield(
        nodes in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..3u8), 1..9),
        areas in prop_oneof![
            Just(AreaScope::Mainland), Just(AreaScope::Overseas), Just(AreaScope::Global)],
        per_area in any::<bool>(),
        path in "/[a-z]{0,8}",
    ) {
        let nodes = nodes.into_iter().enumerate().map(|(number, (overseas, middle, cluster))| {
            let area = if overseas { Area::Overseas } else { Area::Mainland };
            let tier = if middle { Tier::Middle } else { Tier::Edge };
            node(&format!("node-{number}"), area, tier, &format!("cluster-{cluster}"))
        });
        let directory = directory(nodes);
        let shield = if per_area { Shield::PerArea } else { Shield::Global };
        let domain = domain(areas, shield);
        let key = Key::new("www.example.com", &path);
        for start in &directory.nodes {
            let mut at = Arc::clone(start);
            let mut way = vec![at.name.clone()];
            while let Parent::Node(next) = directory.parent(&at, &domain, key) {
                prop_assert_eq!(next.tier, Tier::Middle);
                prop_assert!(!way.contains(&next.name), "{:?} then {}", way, next.name);
                way.push(next.name.clone());
                at = next;
            }
            prop_assert!(way.len() <= 3, "{:?}", way);
            if let Some(shield) = directory.shield(&domain, key, start.area) {
                prop_assert_eq!(&at, &shield, "{:?}", way);
            }
        }
    }
}
