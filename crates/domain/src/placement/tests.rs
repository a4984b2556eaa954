//! Placement holds what its header promises, for any set of nodes.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

use proptest::prelude::*;

use super::*;
use crate::{account::AccountId, domain::Domain, time::Timestamp};

fn node(name: &str, area: Area, tier: Tier, cluster: &str) -> Node {
    Node { name: name.into(), area, tier, cluster: cluster.into(), address: String::new() }
}

fn domain(areas: AreaScope, shield: Shield) -> NodeDomain {
    let origin = "http://origin.example.com".parse().unwrap();
    let domain = Domain::new("www.example.com", AccountId(1), origin, Timestamp::default());
    Domain { areas, shield, ..domain }.for_nodes()
}

/// The names of the holders of a key.
fn holders(fleet: &Arc<Fleet>, key: Key, areas: AreaScope, tier: Option<Tier>) -> Vec<String> {
    let holders = fleet.holders(key, areas, tier);
    assert_eq!(holders.len(), fleet.count_holders(areas, tier));
    assert_eq!(holders.is_empty(), holders.iter().count() == 0);
    holders.names().map(Into::into).collect()
}

fn keys() -> impl Iterator<Item = Key> {
    (0..500).map(|number| Key::new("www.example.com", &format!("/{number}")))
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
    let fleet = Arc::new(Fleet::new(four()));
    let holders = |areas, tier| holders(&fleet, Key([7; 16]), areas, tier).join(" ");
    let (mainland, overseas, global) =
        (AreaScope::Mainland, AreaScope::Overseas, AreaScope::Global);
    assert_eq!(holders(mainland, None), "middle-mainland");
    assert_eq!(holders(overseas, None), "edge-overseas");
    assert_eq!(holders(global, None), "edge-overseas middle-mainland");
    assert_eq!(holders(global, Some(Tier::Edge)), "edge-mainland edge-overseas");
    assert_eq!(holders(global, Some(Tier::Middle)), "middle-mainland middle-overseas");
    for (areas, area) in [(mainland, "mainland"), (overseas, "overseas")] {
        for tier in [Tier::Edge, Tier::Middle] {
            assert_eq!(holders(areas, Some(tier)), format!("{tier}-{area}"));
        }
    }
    let nobody = Arc::new(Fleet::default());
    let none = nobody.holders(Key([7; 16]), global, None);
    assert!(none == NodeSet::default() && none.is_empty());
}

#[test]
fn a_key_lives_on_one_node_of_each_cluster() {
    let nodes = (0..12).map(|number| {
        let cluster = format!("cluster-{}", number % 3);
        node(&format!("edge-{number}"), Area::Overseas, Tier::Edge, &cluster)
    });
    let fleet = Arc::new(Fleet::new(nodes));
    let mut used = BTreeSet::new();
    for key in keys() {
        let holders = holders(&fleet, key, AreaScope::Overseas, None);
        let cluster = |name: &String| fleet.node(name).unwrap().cluster.clone();
        let mut clusters: Vec<_> = holders.iter().map(cluster).collect();
        clusters.sort();
        assert_eq!(clusters, ["cluster-0", "cluster-1", "cluster-2"]);
        assert!(holders.is_sorted(), "ordered by name");
        used.extend(holders);
    }
    assert_eq!(used.len(), 12, "every node holds some keys");
}

#[test]
fn a_node_that_joins_or_leaves_moves_only_its_own_keys() {
    let edge = |number| node(&format!("edge-{number}"), Area::Mainland, Tier::Edge, "one");
    let of = |count: usize| Arc::new(Fleet::new((0..count).map(edge)));
    let (five, six) = (of(5), of(6));
    let mut moved = 0;
    for key in keys() {
        let holder = |fleet: &Arc<Fleet>| {
            holders(fleet, key, AreaScope::Mainland, Some(Tier::Edge)).remove(0)
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
    let forwards = Arc::new(Fleet::new(four()));
    let backwards = Arc::new(Fleet::new(four().into_iter().rev()));
    let mut one_by_one = Fleet::default();
    for node in four().into_iter().chain(four()) {
        one_by_one.put(node);
    }
    let one_by_one = Arc::new(one_by_one);
    assert_eq!(one_by_one.nodes(), forwards.nodes());
    let domain = domain(AreaScope::Global, Shield::Global);
    for key in keys() {
        let both = |fleet: &Arc<Fleet>| {
            let shield = Arc::clone(fleet.shield(&domain, key, Area::Mainland).unwrap());
            (holders(fleet, key, AreaScope::Global, None), shield)
        };
        assert_eq!(both(&forwards), both(&backwards));
        assert_eq!(both(&forwards), both(&one_by_one));
    }
}

#[test]
fn one_shield_for_all_areas_or_one_in_each() {
    let up = Fleet::new(four());
    let global = domain(AreaScope::Global, Shield::Global);
    let per_area = domain(AreaScope::Global, Shield::PerArea);
    let mainland_only = domain(AreaScope::Mainland, Shield::Global);
    let mut used = BTreeSet::new();
    for key in keys() {
        let shield = |domain: &NodeDomain, area| up.shield(domain, key, area).unwrap();
        let one = shield(&global, Area::Mainland);
        assert_eq!(one, shield(&global, Area::Overseas));
        used.insert(one.name.clone());
        for area in Area::ALL {
            assert_eq!(shield(&per_area, area).area, area);
            assert_eq!(shield(&mainland_only, area).area, Area::Mainland);
        }
    }
    assert_eq!(used.len(), 2, "both middle nodes shield some keys");
    let edges = Fleet::new(four().into_iter().filter(|n| n.tier == Tier::Edge));
    assert_eq!(edges.shield(&global, Key([1; 16]), Area::Mainland), None);
}

#[test]
fn a_node_that_registers_again_takes_its_own_place() {
    let mut fleet = Fleet::new(four());
    let moved = Node {
        address: "127.0.0.1:1".into(),
        ..node("edge-overseas", Area::Mainland, Tier::Edge, "mainland-1")
    };
    fleet.put(moved.clone());
    assert_eq!(fleet.nodes().len(), 4);
    assert_eq!(**fleet.node("edge-overseas").unwrap(), moved);
    assert_eq!(fleet.node("edge"), None);
    assert!(!fleet.has(Area::Overseas, Tier::Edge) && fleet.has(Area::Mainland, Tier::Edge));
    let fleet = Arc::new(fleet);
    assert_eq!(fleet.count_holders(AreaScope::Overseas, None), 0);
    // both edges are in one cluster now, and share its keys
    let edges = |key| holders(&fleet, key, AreaScope::Mainland, Some(Tier::Edge));
    let used: BTreeSet<_> = keys().flat_map(edges).collect();
    assert_eq!(used.len(), 2);
}

#[test]
fn where_no_cluster_has_a_choice_all_keys_share_one_list() {
    let fleet = Arc::new(Fleet::new(four()));
    let of = |fleet: &Arc<Fleet>, key| fleet.holders(Key([key; 16]), AreaScope::Global, None);
    let (one, other) = (of(&fleet, 1), of(&fleet, 2));
    assert!(Arc::ptr_eq(&one.members, &other.members));
    assert_eq!(one.names().collect::<Vec<_>>(), ["edge-overseas", "middle-mainland"]);
    assert_eq!(format!("{one:?}"), r#"{"edge-overseas", "middle-mainland"}"#);
    let again = Arc::new(Fleet::new(four()));
    assert_eq!(one, of(&again, 1));
    assert_ne!(one, NodeSet::all(again));
}

/// Nodes of different builds work together only as long as this holds: a change moves content.
#[test]
fn the_holders_of_a_key_are_stable() {
    let edge = |number| node(&format!("edge-{number}"), Area::Overseas, Tier::Edge, "one");
    let fleet = Arc::new(Fleet::new((0..10).map(edge)));
    let of = |key| holders(&fleet, key, AreaScope::Overseas, None).remove(0);
    let found: Vec<_> = keys().take(8).map(of).collect();
    assert_eq!(
        found,
        ["edge-5", "edge-8", "edge-9", "edge-7", "edge-8", "edge-1", "edge-4", "edge-0"]
    );
}

#[test]
fn nodes_of_a_cluster_share_its_keys_evenly_and_so_do_those_left_when_one_goes() {
    const NODES: usize = 16;
    const KEYS: usize = 32_000;
    let edge = |number| node(&format!("edge-{number}"), Area::Overseas, Tier::Edge, "one");
    let of = |numbers: Range<usize>| Arc::new(Fleet::new(numbers.map(edge)));
    let (all, fewer) = (of(0..NODES), of(1..NODES));
    let (mut held, mut inherited) = (HashMap::new(), HashMap::new());
    for number in 0..KEYS {
        let key = Key::new("www.example.com", &format!("/{number}"));
        let holder = |fleet| holders(fleet, key, AreaScope::Overseas, None).remove(0);
        let (first, second) = (holder(&all), holder(&fewer));
        *held.entry(first.clone()).or_insert(0) += 1;
        if first == "edge-0" {
            *inherited.entry(second).or_insert(0) += 1;
        }
    }
    // four standard deviations of a fair draw
    let is_fair = |count: &i32, of: usize, among: usize| {
        let mean = of as f64 / among as f64;
        (f64::from(*count) - mean).abs() < 4.0 * mean.sqrt()
    };
    assert!(held.values().all(|count| is_fair(count, KEYS, NODES)), "{held:?}");
    let left: i32 = inherited.values().sum();
    let is_fair = |count: &i32| is_fair(count, left as usize, NODES - 1);
    assert!(inherited.len() == NODES - 1 && inherited.values().all(is_fair), "{inherited:?}");
}

proptest! {
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
        let fleet = Fleet::new(nodes);
        let shield = if per_area { Shield::PerArea } else { Shield::Global };
        let domain = domain(areas, shield);
        let key = Key::new("www.example.com", &path);
        for start in fleet.nodes() {
            let mut at = Arc::clone(start);
            let mut way = vec![at.name.clone()];
            while let Parent::Node(next) = fleet.parent(&at, &domain, key) {
                prop_assert_eq!(next.tier, Tier::Middle);
                prop_assert!(!way.contains(&next.name), "{:?} then {}", way, next.name);
                way.push(next.name.clone());
                at = next;
            }
            prop_assert!(way.len() <= 3, "{:?}", way);
            if let Some(shield) = fleet.shield(&domain, key, start.area) {
                prop_assert_eq!(&at, shield, "{:?}", way);
            }
        }
    }
}
