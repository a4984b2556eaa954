//! A ledger that fails: what a caller may do again after an answer was lost, and that nothing is done
//! while the ledger is unavailable.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    any::Any,
    sync::{Arc, Mutex},
};

use stoker_domain::{
    account::{AccessKey, User, UserId},
    area::{Area, AreaScope},
    outcome::Outcome,
    quota::{AreaLimits, Limits, Product},
    replay::ReplayWindow,
    time::Timestamp,
};
use stoker_ledger::{
    AdmittedCall, Error, ErrorKind, Fault, Faults, Ledger, NewLimits, Sqlite,
    suite::fixture::{Fixture, LEASE, T0, at, targets, urls},
};
use tempfile::TempDir;

/// The fault that the next verb meets, and the verbs that were asked for.
#[derive(Debug, Default)]
struct Next(Mutex<(Option<Fault>, Vec<&'static str>)>);

impl Next {
    fn fails(&self, fault: Fault) {
        self.0.lock().unwrap().0 = Some(fault);
    }

    fn verbs(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

impl Faults for Next {
    fn before(&self, verb: &'static str) -> Option<Fault> {
        let mut next = self.0.lock().unwrap();
        next.1.push(verb);
        next.0.take()
    }

    fn after(&self, _verb: &'static str, _reply: &dyn Any) {}
}

struct Setup {
    sqlite: Sqlite,
    next: Arc<Next>,
    fixture: Fixture,
    _dir: TempDir,
}

impl Setup {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(dir.path().join("ledger.db")).unwrap();
        let next = Arc::<Next>::default();
        let ledger = Arc::new(sqlite.with_faults(Arc::clone(&next) as _));
        let fixture = Fixture::new(ledger).await;
        next.verbs();
        Self { sqlite, next, fixture, _dir: dir }
    }

    /// The ledger, of which the next answer is lost.
    fn losing(&self) -> &dyn Ledger {
        self.next.fails(Fault::LostReply);
        &*self.fixture.ledger
    }
}

/// The answer was lost, and the caller cannot know whether it was done.
fn assert_lost<T>(result: Result<T, Error>) {
    assert_eq!(result.err().map(|error| error.kind), Some(ErrorKind::Unavailable));
}

#[tokio::test]
async fn a_submission_whose_answer_was_lost_is_there_and_charged_once() {
    let setup = Setup::new().await;
    let fixture = &setup.fixture;
    let new = || fixture.new_task(fixture.task("1"), targets(&urls("a.example", 3), &["edge"]));
    assert_lost(setup.losing().submit(new()).await);
    let again = fixture.ledger.submit(new()).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::Conflict);
    assert_eq!(fixture.used(Area::Mainland).await, 3);
    assert_eq!(fixture.row("1").await.targets, 3);
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_runs_out() {
    let setup = Setup::new().await;
    let fixture = &setup.fixture;
    fixture.submit("1", &urls("a.example", 1), &["edge"]).await;
    assert_lost(setup.losing().lease("edge", 1, T0, T0 + LEASE, 7).await);
    assert_eq!(fixture.lease("edge", 1, at(1)).await, []);
    let job = fixture.lease_one("edge", T0 + LEASE).await;
    assert_eq!(job.attempt, 2);
}

#[tokio::test]
async fn a_report_whose_answer_was_lost_changes_nothing_when_it_is_repeated() {
    let setup = Setup::new().await;
    let fixture = &setup.fixture;
    fixture.submit("1", &urls("a.example", 2), &["edge"]).await;
    let job = fixture.lease_one("edge", T0).await;
    setup.next.fails(Fault::LostReply);
    let items = || [(stoker_ledger::suite::fixture::item(0, Outcome::Filled), true)];
    assert_lost(fixture.report(&job, items(), false, at(1)).await);
    let row = fixture.row("1").await;
    assert_eq!((row.done, row.pulled_bytes), (1, 7));
    let again = fixture.report(&job, items(), false, at(2)).await.unwrap();
    assert_eq!((again.is_stale, again.settled, again.finished_targets), (false, 0, 0));
    assert_eq!(fixture.row("1").await, row, "the moment of its change too");
    setup.next.fails(Fault::LostReply);
    let last = || [(stoker_ledger::suite::fixture::item(1, Outcome::Timeout), true)];
    assert_lost(fixture.report(&job, last(), true, at(3)).await);
    assert!(fixture.report(&job, last(), true, at(4)).await.unwrap().is_stale);
    assert_eq!(fixture.row("1").await.finished_at, Some(at(3)));
}

#[tokio::test]
async fn an_order_whose_confirmation_was_lost_is_confirmed() {
    let setup = Setup::new().await;
    let fixture = &setup.fixture;
    let phases = vec![vec!["middle".to_owned()], vec!["edge".to_owned()]];
    let purge = fixture.purge("p", &urls("a.example", 1), phases);
    fixture.ledger.submit_purge(purge).await.unwrap();
    let order = fixture.ledger.purge_orders("middle", 9).await.unwrap().remove(0);
    assert_lost(setup.losing().purged("middle", order.number, at(1)).await);
    assert_eq!(fixture.ledger.purge_orders("edge", 9).await.unwrap().len(), 1);
    let again = fixture.ledger.purged("middle", order.number, at(2)).await.unwrap();
    assert_eq!((again.is_new, again.released), (false, vec![]));
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_was_taken() {
    let setup = Setup::new().await;
    for window in [ReplayWindow::Minutes, ReplayWindow::Hours] {
        let call = AdmittedCall { window, time: 5, call: [3; 16] };
        assert_lost(setup.losing().admit_once(call, 0).await);
        assert!(!setup.fixture.ledger.admit_once(call, 0).await.unwrap(), "it was taken then");
    }
}

#[tokio::test]
async fn limits_that_were_set_count_although_the_answer_was_lost() {
    let setup = Setup::new().await;
    let (account, product) = (setup.fixture.account, Product::PREFETCH[0]);
    let limits = async || setup.fixture.ledger.limits(account, product).await.unwrap();
    let before = limits().await;
    let limit = Limits { batch: 3, daily: 4 };
    let areas = AreaScope::Global;
    let new = NewLimits { product, areas, limits: limit, is_default: false };
    setup.next.fails(Fault::Unavailable);
    assert_lost(setup.fixture.ledger.set_limits(account, new).await);
    assert_eq!(limits().await, before);
    assert_lost(setup.losing().set_limits(account, new).await);
    assert_eq!(limits().await, AreaLimits::both(limit), "not what was read before");
    setup.next.fails(Fault::Unavailable);
    assert_lost(setup.fixture.ledger.limits(account, product).await);
}

/// Asks for verbs of every group, one by one.
async fn ask_for_all(ledger: &dyn Ledger, fixture: &Fixture, next: &Next, fault: Fault) {
    let account = fixture.account;
    let user = User {
        id: UserId(0),
        account,
        uin: "200000000001".into(),
        name: "u".into(),
        is_enabled: true,
        created_at: T0,
    };
    let key = AccessKey {
        secret_id: "key".into(),
        secret_key: "sealed".into(),
        account,
        user: None,
        is_enabled: true,
        created_at: T0,
        last_used_at: None,
        temporary: None,
    };
    let phases = vec![vec!["edge".to_owned()]];
    let new = fixture.new_task(fixture.task("1"), targets(&urls("a.example", 1), &["edge"]));
    let arm = || next.fails(fault);
    arm();
    assert_lost(ledger.create_user(&user).await);
    arm();
    assert_lost(ledger.put_key(key).await);
    arm();
    assert_lost(ledger.submit(new).await);
    arm();
    assert_lost(ledger.submit_purge(fixture.purge("p", &urls("a.example", 1), phases)).await);
    arm();
    assert_lost(ledger.reseal_keys(vec![("key".into(), "anew".into())]).await);
    arm();
    assert_lost(ledger.remove_tasks(at(9), 9).await);
    arm();
    assert_lost(ledger.accounts().await);
    arm();
    assert_lost(ledger.next_due("edge").await);
    arm();
    assert_lost(ledger.try_write().await);
}

const ASKED: [&str; 9] = [
    "create a user",
    "put a key",
    "submit a task",
    "submit a purge",
    "seal keys",
    "remove tasks",
    "list accounts",
    "find the next job",
    "write",
];

#[tokio::test]
async fn nothing_is_done_while_the_ledger_is_unavailable() {
    let setup = Setup::new().await;
    let before = setup.sqlite.stats();
    ask_for_all(&*setup.fixture.ledger, &setup.fixture, &setup.next, Fault::Unavailable).await;
    assert_eq!(setup.sqlite.stats(), before);
    assert_eq!(setup.next.verbs(), ASKED, "each verb is asked for once");
    let ledger: &dyn Ledger = &setup.sqlite;
    assert_eq!(ledger.users(setup.fixture.account).await.unwrap(), []);
    assert_eq!(ledger.next_due("edge").await.unwrap(), None);
    assert_eq!(ledger.purge_orders("edge", 9).await.unwrap(), []);
    assert_eq!(setup.next.verbs(), [""; 0], "a handle without faults meets none");
}

#[tokio::test]
async fn everything_is_done_although_no_answer_comes() {
    let setup = Setup::new().await;
    let before = setup.sqlite.stats().verbs;
    ask_for_all(&*setup.fixture.ledger, &setup.fixture, &setup.next, Fault::LostReply).await;
    assert_eq!(setup.sqlite.stats().verbs - before, 7, "those that write");
    assert_eq!(setup.next.verbs(), ASKED);
    let ledger: &dyn Ledger = &setup.sqlite;
    assert_eq!(ledger.users(setup.fixture.account).await.unwrap().len(), 1);
    let key = ledger.key("key").await.unwrap().unwrap();
    assert_eq!(key.secret_key, "anew");
    assert_eq!(setup.fixture.row("1").await.targets, 1);
    assert_eq!(ledger.next_due("edge").await.unwrap(), None, "the purge comes first");
    assert_eq!(ledger.purge_orders("edge", 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_file_is_closed_with_its_last_handle() {
    let setup = Setup::new().await;
    let path = setup._dir.path().join("ledger.db");
    let Setup { sqlite, fixture, next, _dir } = setup;
    drop(sqlite);
    assert!(Sqlite::open(&path).is_err(), "the other handle has it");
    let accounts = fixture.ledger.accounts().await.unwrap();
    drop(fixture);
    let reopened: Arc<dyn Ledger> = Arc::new(Sqlite::open(&path).unwrap());
    assert_eq!(reopened.accounts().await.unwrap(), accounts);
    assert_eq!(accounts[0].created_at, Timestamp::from_millis(T0.as_millis()));
    drop(next);
}
