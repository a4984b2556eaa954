//! The words of closed lists: what is shown, stored and read is the same everywhere.

use std::{fmt::Display, str::FromStr};

use stoker_domain::{
    account::{AccountId, Feature, Service, UserId},
    area::{Area, AreaScope, Tier},
    domain::Lock,
    outcome::Uncacheable,
    ownership::{Method, Ownership},
    purge::{self, Scope},
    task::{Progress, TaskId},
    view::TargetState,
    zone::ZoneId,
};

/// Each is shown as its word, and read from that word alone.
fn are_read_as_shown<T>(words: &[(T, &str)])
where
    T: Display + FromStr + PartialEq + Copy + std::fmt::Debug,
{
    for (value, word) in words {
        assert_eq!(value.to_string(), *word);
        assert_eq!(word.parse::<T>().ok(), Some(*value), "{word}");
        for other in [word.to_uppercase(), format!("{word} "), word[1..].into()] {
            assert!(other.parse::<T>().is_err(), "{other:?}");
        }
    }
}

#[test]
fn areas_and_tiers_are_read_as_they_are_shown() {
    are_read_as_shown(&[(Area::Mainland, "mainland"), (Area::Overseas, "overseas")]);
    are_read_as_shown(&[
        (AreaScope::Mainland, "mainland"),
        (AreaScope::Overseas, "overseas"),
        (AreaScope::Global, "global"),
    ]);
    are_read_as_shown(&[(Tier::Edge, "edge"), (Tier::Middle, "middle")]);
    assert_eq!(
        format!("{:>9}|{:<7}|{:>7}", Area::Mainland, Tier::Edge, AreaScope::Global),
        " mainland|edge   | global"
    );
}

#[test]
fn a_scope_contains_its_areas() {
    for (scope, mainland, overseas) in [
        (AreaScope::Mainland, true, false),
        (AreaScope::Overseas, false, true),
        (AreaScope::Global, true, true),
    ] {
        assert_eq!(scope.contains(Area::Mainland), mainland, "{scope}");
        assert_eq!(scope.contains(Area::Overseas), overseas, "{scope}");
    }
}

#[test]
fn numbers_are_shown_as_numbers() {
    assert_eq!((AccountId(7).to_string(), UserId(-1).to_string()), ("7".into(), "-1".into()));
}

#[test]
fn names_are_shown_as_they_are() {
    assert_eq!(TaskId("1-a".into()).to_string(), "1-a");
    assert_eq!(ZoneId("zone-1".into()).to_string(), "zone-1");
    let scopes = [Scope::Url, Scope::Path, Scope::Tag];
    assert_eq!(scopes.map(|scope| scope.to_string()), ["url", "path", "tag"]);
    assert_eq!(scopes.map(Scope::as_str), ["url", "path", "tag"]);
    let methods = [purge::Method::Delete, purge::Method::Invalidate];
    assert_eq!(methods.map(purge::Method::as_str), ["delete", "invalidate"]);
}

#[test]
fn every_state_of_a_target_belongs_to_one_progress() {
    let of = TargetState::of;
    assert_eq!(Progress::Done.as_str(), "done");
    assert_eq!(Progress::Failed.as_str(), "failed");
    assert_eq!(Progress::Processing.as_str(), "processing");
    assert_eq!(of(Progress::Processing), [TargetState::Processing]);
    assert_eq!(of(Progress::Done), [TargetState::Done]);
    let failed = [
        TargetState::FailedByOrigin,
        TargetState::FailedByTimeout,
        TargetState::Canceled,
        TargetState::FailedOtherwise,
    ];
    assert_eq!(of(Progress::Failed), failed);
}

#[test]
fn features_are_shown_as_they_are_stored() {
    let words = ["edge-prefetch", "media-segments", "disable-range", "origin-limit"];
    for (feature, word) in Feature::ALL.into_iter().zip(words) {
        assert_eq!(feature.to_string(), word);
        assert_eq!(serde_json::to_value(feature).unwrap(), word);
    }
}

#[test]
fn phrases_complete_the_sentences_that_they_stand_in() {
    let services = [Service::Active, Service::Suspended, Service::AwaitingApproval];
    assert_eq!(services.map(Service::as_str), ["active", "suspended", "awaiting approval"]);
    assert_eq!([Lock::Locked, Lock::Changing].map(Lock::as_str), ["locked", "being changed"]);
    assert_eq!([Method::Dns, Method::File].map(Method::as_str), ["dns", "file"]);
    let proofs = [Method::Dns, Method::File].map(Ownership::from);
    assert_eq!(proofs, [Ownership::Dns, Ownership::File]);
    let all =
        [Ownership::Earlier, Ownership::Owner, Ownership::Waived, Ownership::Dns, Ownership::File];
    let phrases = ["before verification began", "as the owner's", "by waiver", "by DNS", "by file"];
    assert_eq!(all.map(Ownership::as_str), phrases);
}

#[test]
fn every_cause_names_something_else() {
    let causes = Uncacheable::ALL.iter().map(|reason| reason.cause());
    let mut causes: Vec<_> = causes.collect();
    assert!(causes.iter().all(|cause| cause.len() > 5), "{causes:?}");
    assert!(causes.contains(&"`Cache-Control: no-store`"));
    causes.sort_unstable();
    let count = causes.len();
    causes.dedup();
    assert_eq!(causes.len(), count);
}
