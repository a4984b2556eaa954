//! What is final, what is tried again, and what playlists lead to.

use std::time::Duration;

use stoker_domain::{
    area::AreaScope,
    job::{ItemReport, LeasedJob, Report},
    media::Child,
    outcome::{Block, OriginFault, Outcome, Uncacheable},
    quota::Limits,
    task::Progress,
};
use stoker_engine::{BatchLimit, Config, Submission};

use crate::fixture::{Fixture, domain, item, submission};

const UNREACHABLE: Outcome = Outcome::OriginError(OriginFault::Connect);

fn playlist(children: &[&str]) -> ItemReport {
    let child = |url: &&str| Child { url: (*url).into(), is_playlist: url.ends_with(".m3u8") };
    ItemReport { children: children.iter().map(child).collect(), ..item(0, Outcome::Filled) }
}

#[tokio::test]
async fn a_missing_resource_is_final_at_once() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&["http://www.example.com/a"]).await.task;
    let job = fixture.lease().await.remove(0);
    assert!(fixture.report(&job, vec![item(0, Outcome::OriginStatus(404))]).await);
    assert_eq!(fixture.targets(&task).await[0].row.progress, Progress::Failed);
    assert!(!fixture.report(&job, vec![item(0, Outcome::Filled)]).await);
    assert_eq!(fixture.targets(&task).await[0].row.progress, Progress::Failed);
}

#[tokio::test]
async fn leases_that_nobody_reported_use_up_no_attempt() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&["http://www.example.com/a"]).await.task;
    for _ in 0..20 {
        assert_eq!(fixture.lease().await.len(), 1);
        fixture.clock.advance(Duration::from_secs(31));
    }
    let job = fixture.lease().await.remove(0);
    assert!(fixture.report(&job, vec![item(0, UNREACHABLE)]).await);
    assert_eq!(fixture.targets(&task).await[0].row.progress, Progress::Processing);
}

#[tokio::test]
async fn only_what_failed_is_leased_again() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a", "http://www.example.com/b"]).await;
    let job = fixture.lease().await.remove(0);
    fixture.report(&job, vec![item(0, Outcome::Filled), item(1, UNREACHABLE)]).await;
    fixture.clock.advance(Duration::from_secs(1));
    let again = fixture.lease().await.remove(0);
    let positions: Vec<_> = again.items.iter().map(|item| item.position).collect();
    assert_eq!(positions, [1]);
}

#[tokio::test]
async fn items_without_a_report_are_handed_out_again_without_a_pause() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a", "http://www.example.com/b"]).await;
    let job = fixture.lease().await.remove(0);
    fixture.report(&job, vec![item(0, Outcome::Filled)]).await;
    assert_eq!(fixture.lease().await[0].items[0].position, 1);
}

#[tokio::test]
async fn children_are_fetched_if_they_are_ours_and_told_if_they_are_not() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&["http://www.example.com/m.m3u8"]).await.task;
    let job = fixture.lease().await.remove(0);
    let named = [
        "http://www.example.com/v.m3u8",
        "http://www.example.com/0.ts",
        "http://stranger.example.org/0.ts",
        "http://www.example.com/0.ts",
        "http://www.example.com/m.m3u8",
    ];
    assert!(fixture.report(&job, vec![playlist(&named)]).await);
    let found: Vec<_> = fixture
        .targets(&task)
        .await
        .into_iter()
        .map(|view| (view.row.url, view.row.progress, view.row.outcome))
        .collect();
    let blocked = Some(Outcome::Blocked(Block::Ownership));
    let expected = [
        ("http://www.example.com/m.m3u8", Progress::Done, Some(Outcome::Filled)),
        ("http://www.example.com/v.m3u8", Progress::Processing, None),
        ("http://www.example.com/0.ts", Progress::Processing, None),
        ("http://stranger.example.org/0.ts", Progress::Failed, blocked),
    ];
    assert_eq!(found, expected.map(|(url, progress, outcome)| (url.into(), progress, outcome)));
    assert_eq!(fixture.used().await.0, 3, "what is refused costs nothing");
    let levels: Vec<_> = fixture.lease().await[0].items.iter().map(|item| item.levels).collect();
    assert_eq!(levels, [2, 0]);
}

#[tokio::test]
async fn children_of_a_playlist_that_is_not_kept_are_fetched_all_the_same() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&["http://www.example.com/m"]).await.task;
    let job = fixture.lease().await.remove(0);
    let not_kept = Outcome::Uncacheable(Uncacheable::NoStore);
    let named = playlist(&["http://www.example.com/0.ts"]);
    assert!(fixture.report(&job, vec![ItemReport { outcome: not_kept, ..named }]).await);
    let rows = fixture.targets(&task).await;
    assert_eq!((rows[0].row.progress, rows[0].row.outcome), (Progress::Failed, Some(not_kept)));
    assert_eq!((rows.len(), rows[1].row.progress), (2, Progress::Processing));
}

#[tokio::test]
async fn a_fourth_level_of_playlists_is_refused() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&["http://www.example.com/1.m3u8"]).await.task;
    for level in 2..=4 {
        let job = fixture.lease().await.remove(0);
        let next = format!("http://www.example.com/{level}.m3u8");
        assert!(fixture.report(&job, vec![playlist(&[&next])]).await);
    }
    let last = fixture.targets(&task).await.pop().unwrap().row;
    assert_eq!(last.url, "http://www.example.com/4.m3u8");
    assert_eq!(last.outcome, Some(Outcome::Blocked(Block::TooDeep)));
    assert!(fixture.lease().await.is_empty());
}

#[tokio::test]
async fn children_beyond_the_quota_are_told() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&["http://www.example.com/m.m3u8"]).await.task;
    let job = fixture.lease().await.remove(0);
    let named: Vec<_> =
        (0..12).map(|number| format!("http://www.example.com/{number}.ts")).collect();
    let named: Vec<_> = named.iter().map(String::as_str).collect();
    assert!(fixture.report(&job, vec![playlist(&named)]).await);
    let rows = fixture.targets(&task).await;
    let refused: Vec<_> = rows
        .iter()
        .filter(|view| view.row.outcome == Some(Outcome::OverQuota))
        .map(|view| view.row.url.as_str())
        .collect();
    let last = [
        "http://www.example.com/9.ts",
        "http://www.example.com/10.ts",
        "http://www.example.com/11.ts",
    ];
    assert_eq!(refused, last);
    assert_eq!(fixture.used().await.0, 10);
}

#[tokio::test]
async fn a_playlist_that_names_too_much_is_not_followed() {
    let fixture = Fixture::with(Config { max_children: 2, ..Config::default() }).await;
    let task = fixture.submit(&["http://www.example.com/m.m3u8"]).await.task;
    let job = fixture.lease().await.remove(0);
    let named = [
        "http://www.example.com/0.ts",
        "http://www.example.com/1.ts",
        "http://www.example.com/2.ts",
    ];
    assert!(fixture.report(&job, vec![playlist(&named)]).await);
    let rows = fixture.targets(&task).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].row.outcome, Some(Outcome::Blocked(Block::TooManyChildren)));
    let told = fixture.engine.outcomes(&task, &[rows[0].row.id]).await.unwrap();
    let detail = told[0].1[0].report.as_ref().unwrap().detail.clone().unwrap();
    assert_eq!(detail, "the playlist names 3 children: the limit is 2");
}

#[tokio::test]
async fn playlists_of_a_full_task_fail_and_write_no_more_rows() {
    let fixture = Fixture::with(Config { max_targets_per_task: 5, ..Config::default() }).await;
    let task = fixture.submit(&["http://www.example.com/m.m3u8"]).await.task;
    let job = fixture.lease().await.remove(0);
    let variants = ["0", "1", "2"].map(|n| format!("http://www.example.com/{n}.m3u8"));
    let variants: Vec<_> = variants.iter().map(String::as_str).collect();
    assert!(fixture.report(&job, vec![playlist(&variants)]).await);
    // the first fills the task, and a little more; the others find it full
    let job = fixture.lease().await.remove(0);
    for (position, name) in (0..).zip(["a", "b", "c"]) {
        let named = [0, 1, 2].map(|n| format!("http://www.example.com/{name}{n}.ts"));
        let named: Vec<_> = named.iter().map(String::as_str).collect();
        let children = playlist(&named).children;
        let report = ItemReport { children, ..item(position, Outcome::Filled) };
        let is_last = position == 2;
        let report = Report { job: job.id, token: job.token, items: vec![report], is_last };
        assert!(fixture.engine.report(report).await.unwrap());
    }
    let rows = fixture.targets(&task).await;
    assert_eq!(rows.len(), 4 + 3, "{rows:?}");
    let outcomes: Vec<_> = rows.iter().map(|row| row.row.outcome).collect();
    let (done, beyond) = (Some(Outcome::Filled), Some(Outcome::Blocked(Block::TooManyChildren)));
    assert_eq!(outcomes, [done, done, beyond, beyond, None, beyond, beyond]);
    let told = fixture.engine.outcomes(&task, &[rows[2].row.id]).await.unwrap();
    let detail = told[0].1[0].report.as_ref().unwrap().detail.clone().unwrap();
    let expected =
        "3 children of the playlist are left out: the task has the 5 targets that it may have";
    assert_eq!(detail, expected);
    let job = fixture.lease().await.remove(0);
    assert!(fixture.report(&job, vec![item(0, Outcome::Filled)]).await);
    let task = fixture.task(&task).await;
    assert_eq!((task.row.done, task.row.failed, task.row.targets), (3, 4, 7));
    assert!(task.row.finished_at.is_some());
}

#[tokio::test]
async fn a_playlist_at_the_bound_is_followed_and_one_beyond_it_is_not_done() {
    let most = Config::default().max_children;
    let fixture = Fixture::new().await;
    let limits = Limits { batch: 500, daily: 10 * most as u64 };
    let account = fixture.engine.create_account("100000000002".into(), 2, limits).await.unwrap();
    let new = domain("large.example.com", AreaScope::Global);
    fixture.engine.add_domain(account.id, new).await.unwrap();
    for (name, named) in [("beyond", most + 1), ("at", most)] {
        let url = format!("http://large.example.com/{name}.m3u8");
        let task = fixture.engine.submit(&account, submission(&[&url])).await.unwrap().task;
        let jobs = fixture.lease().await;
        let job = jobs.iter().find(|job| job.task == task).unwrap();
        let child = |n| Child {
            url: format!("http://large.example.com/{name}/{n}.ts"),
            is_playlist: false,
        };
        let children = (0..named).map(child).collect();
        let report = ItemReport { children, ..item(0, Outcome::Filled) };
        assert!(fixture.report(job, vec![report]).await);
        let task = fixture.task(&task).await.row;
        match named > most {
            false => assert_eq!((task.targets, task.failed, task.done), (1 + most as u64, 0, 1)),
            true => assert_eq!((task.targets, task.failed, task.done), (1, 1, 0)),
        }
    }
}

/// Anything quadratic in here would take this test minutes.
#[tokio::test]
async fn a_full_call_leaves_room_for_the_largest_playlist() {
    const FULL: usize = 100_000;
    let fixture = Fixture::new().await;
    let limits = Limits { batch: 500, daily: 10 * FULL as u64 };
    let account = fixture.engine.create_account("100000000002".into(), 2, limits).await.unwrap();
    let new = domain("large.example.com", AreaScope::Global);
    fixture.engine.add_domain(account.id, new).await.unwrap();
    let url = |kind: &str, n: usize| format!("http://large.example.com/{kind}/{n}.ts");
    let mut urls: Vec<_> = (1..FULL).map(|n| url("given", n)).collect();
    urls.insert(0, "http://large.example.com/m.m3u8".into());
    let full = Submission { urls, batch_limit: BatchLimit::AtMost(FULL as u32), ..submission(&[]) };
    let receipt = fixture.engine.submit(&account, full).await.unwrap();
    assert_eq!(receipt.targets, FULL as u64);
    let jobs = fixture.lease().await;
    let is_playlist = |job: &&LeasedJob| job.items.iter().any(|item| item.levels > 0);
    let job = jobs.iter().find(is_playlist).unwrap();
    let children = (0..FULL).map(|n| Child { url: url("named", n), is_playlist: false }).collect();
    let report = ItemReport { children, ..item(0, Outcome::Filled) };
    assert!(fixture.report(job, vec![report]).await);
    let task = fixture.task(&receipt.task).await.row;
    assert_eq!((task.targets, task.failed), (2 * FULL as u64, 0));
}

#[tokio::test]
async fn children_go_no_further_than_the_submitter_may() {
    let fixture = Fixture::new().await;
    fixture
        .engine
        .add_domain(fixture.account.id, domain("other.example.com", AreaScope::Global))
        .await
        .unwrap();
    let mut submission = submission(&["http://www.example.com/m.m3u8"]);
    submission.options.playlist_hosts = Some(vec!["www.example.com".into()]);
    let task = fixture.engine.submit(&fixture.account, submission).await.unwrap().task;
    let job = fixture.lease().await.remove(0);
    assert_eq!(job.options.playlist_hosts, None, "nodes need not know");
    let named = ["http://www.example.com/0.ts", "http://other.example.com/0.ts"];
    assert!(fixture.report(&job, vec![playlist(&named)]).await);
    let rows = fixture.targets(&task).await;
    let outcomes: Vec<_> = rows.iter().map(|view| (&*view.row.url, view.row.outcome)).collect();
    let expected = [
        ("http://www.example.com/m.m3u8", Some(Outcome::Filled)),
        (named[0], None),
        (named[1], Some(Outcome::Blocked(Block::Policy))),
    ];
    assert_eq!(outcomes, expected);
}
