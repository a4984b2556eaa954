//! Pages of targets: by task, time, host, URL, area and progress, newest task first.
//!
//! Rows are walked in the order of one index until the page is full, never sorted; the index is
//! chosen here. Several hosts or states are one walk each, merged as they go. Totals come from the
//! task's row or from the tally; only the targets with one URL, or of one host within one task, are
//! counted one by one.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Rows, ToSql, params, types::Value};
use stoker_domain::{
    area::Area,
    task::{Progress, Task},
    view::{Page, TargetFilter, TargetRow},
};

use super::{
    Sqlite,
    columns::{
        DONE, FAILED, PROCESSING, maybe_moment, moment, progress_number, signed, unsigned, word,
    },
    failure::Failure,
    names,
    tally::{self, KIND, read_counts},
    views,
};
use crate::{
    Error, TargetViews,
    chunk::{Pending, url_hash},
    merge::{Walk as NextTarget, merge},
    tally::{ALL_HOSTS, Counts, Kind, states},
};

const HOUR: i64 = 3_600_000;

#[async_trait]
impl TargetViews for Sqlite {
    async fn targets(&self, filter: &TargetFilter) -> Result<Page<TargetRow>, Error> {
        let filter = filter.clone();
        self.read("list targets", move |c| page(c, &filter)).await
    }
}

/// A filter in the numbers of the tables: of one host or of any, in one state or in any.
#[derive(Clone, Debug)]
struct Scope<'a> {
    account: Option<i64>,
    task: Option<i64>,
    host: Option<i64>,
    url: Option<&'a str>,
    area: Option<Area>,
    progress: Option<Progress>,
    kind: Option<Kind>,
    /// Creation of the task, in milliseconds, `from..to`.
    from: i64,
    to: i64,
}

/// The index along which rows are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    Url,
    Host,
    Progress,
    /// As `Progress`, for those that failed, by the kind of failure.
    Failed,
    /// Tasks, their chunks, their targets.
    Tasks,
}

pub(super) fn page(
    connection: &Connection,
    filter: &TargetFilter,
) -> Result<Page<TargetRow>, Failure> {
    let (walks, total) = walks(connection, filter)?;
    // no more than there are: a walk whose rows are used up would look through all that is left
    let limit = filter.limit.min(total.saturating_sub(filter.offset));
    let rows = match walks.as_slice() {
        [(scope, walk)] => scope.rows(connection, *walk, limit, filter.offset)?,
        several => merged(connection, several, limit, filter.offset)?,
    };
    Ok(Page { rows, total })
}

/// What is walked, and how many targets that is; no two walks find the same target.
fn walks<'a>(
    connection: &Connection,
    filter: &'a TargetFilter,
) -> Result<(Vec<(Scope<'a>, Walk)>, u64), Failure> {
    let mut walks = Vec::new();
    let mut total = 0;
    for scope in Scope::all(connection, filter)? {
        // walks that find nothing are left out: each would be stepped through for every page
        let (matching, walk) = scope.total(connection)?;
        if matching > 0 {
            walks.push((scope, walk));
            total += matching;
        }
    }
    Ok((walks, total))
}

/// A page of several walks, no two of which find the same target.
fn merged(
    connection: &Connection,
    walks: &[(Scope<'_>, Walk)],
    limit: u64,
    offset: u64,
) -> Result<Vec<TargetRow>, Failure> {
    let mut statements = Vec::with_capacity(walks.len());
    for (scope, walk) in walks {
        // each walk may have to give the whole page and all before it; the merge decides
        let end = offset.saturating_add(limit);
        let query = scope.page_query(*walk, "t.task, t.id", Skip::default(), end, 0);
        statements.push((connection.prepare_cached(&query.sql)?, query));
    }
    let mut cursors = Vec::with_capacity(statements.len());
    for (statement, query) in &mut statements {
        cursors.push(Cursor(statement.query(&*query.values())?));
    }
    let mut statement = connection.prepare_cached(&format!(
        "/* targets: one */ SELECT {COLUMNS}
         FROM target AS t CROSS JOIN chunk AS c ON c.id = t.id >> 9 WHERE t.id = ?1"
    ))?;
    let mut targets = Targets::default();
    for id in merge(cursors, offset, limit)? {
        let mut rows = statement.query([id])?;
        let row = rows.next()?.ok_or_else(|| Failure::corrupt("a target without its chunk"))?;
        targets.push(connection, row)?;
    }
    Ok(targets.rows)
}

impl<'a> Scope<'a> {
    /// One scope for each host and state that is asked for; no two match the same target.
    fn all(connection: &Connection, filter: &'a TargetFilter) -> Result<Vec<Self>, Failure> {
        let Some(any) = Self::new(connection, filter)? else { return Ok(Vec::new()) };
        let hosts = match &filter.hosts {
            None => vec![None],
            Some(names) => hosts(connection, names, any.url)?,
        };
        let states = states(filter.states.as_deref());
        let mut scopes = Vec::with_capacity(hosts.len() * states.len());
        for host in hosts {
            for (progress, kind) in &states {
                let (progress, kind) = (*progress, *kind);
                scopes.push(Self { host, progress, kind, ..any.clone() });
            }
        }
        Ok(scopes)
    }

    /// Of any host and in any state; `None` when nothing can match.
    fn new(connection: &Connection, filter: &'a TargetFilter) -> Result<Option<Self>, Failure> {
        let mut scope = Self {
            account: filter.account.map(|account| account.0),
            task: None,
            host: None,
            url: filter.url.as_deref(),
            area: filter.area,
            progress: None,
            kind: None,
            from: filter.from.map_or(-names::LATEST, names::task_millis),
            // a whole hour after the latest, so that an open end is cut into hours alone
            to: filter.to.map_or(names::LATEST + HOUR, |to| names::task_millis(to) + 1),
        };
        if let Some(id) = &filter.task {
            let Some(number) = views::find_task(connection, id)? else { return Ok(None) };
            let task = views::task(connection, number)?;
            let millis = names::task_millis(task.created_at);
            let matches = scope.account.is_none_or(|account| account == task.account.0)
                && scope.area.is_none_or(|area| task.areas.contains(area))
                && (scope.from..scope.to).contains(&millis);
            if !matches {
                return Ok(None);
            }
            scope.task = Some(number);
            scope.account = Some(task.account.0);
        }
        Ok(Some(scope))
    }

    /// How many targets match, and the index that finds them soonest.
    fn total(&self, connection: &Connection) -> Result<(u64, Walk), Failure> {
        let matching = |counts: Counts| counts.matching(self.progress, self.kind);
        // the indexes of states begin with the account
        let by_progress = match self.account.and(self.progress) {
            Some(Progress::Failed) if self.kind.is_some() => Walk::Failed,
            Some(_) => Walk::Progress,
            None => Walk::Tasks,
        };
        if self.url.is_some() {
            return Ok((self.count(connection, Walk::Url)?, Walk::Url));
        }
        if let Some(task) = self.task {
            if self.host.is_some() {
                return Ok((self.count(connection, Walk::Host)?, Walk::Host));
            }
            return Ok((matching(task_counts(connection, task)?), by_progress));
        }
        let Some(host) = self.host else {
            return Ok((matching(self.tally(connection, ALL_HOSTS)?), by_progress));
        };
        let of_host = self.tally(connection, host)?;
        // the few failed of an account are found sooner than the many targets of a host; both
        // counts are read from the tally, which is cheap
        let is_rare = by_progress != Walk::Tasks
            && matching(self.tally(connection, ALL_HOSTS)?) < of_host.targets;
        Ok((matching(of_host), if is_rare { by_progress } else { Walk::Host }))
    }

    fn tally(&self, connection: &Connection, host: i64) -> Result<Counts, Failure> {
        let range = tally::Range {
            account: self.account,
            host,
            area: self.area,
            from: self.from,
            to: self.to,
        };
        tally::count(connection, &range)
    }

    fn count(&self, connection: &Connection, walk: Walk) -> Result<u64, Failure> {
        let query = self.query(walk);
        let sql = format!("/* targets: count */ SELECT count(*) {}", query.sql);
        let count =
            connection.prepare_cached(&sql)?.query_row(&*query.values(), |row| unsigned(row, 0))?;
        Ok(count)
    }

    fn rows(
        &self,
        connection: &Connection,
        walk: Walk,
        limit: u64,
        offset: u64,
    ) -> Result<Vec<TargetRow>, Failure> {
        let query = self.rows_query(connection, walk, limit, offset)?;
        let mut statement = connection.prepare_cached(&query.sql)?;
        let mut rows = statement.query(&*query.values())?;
        let mut targets = Targets::default();
        while let Some(row) = rows.next()? {
            targets.push(connection, row)?;
        }
        Ok(targets.rows)
    }

    /// The statement of a page that one walk finds.
    fn rows_query(
        &self,
        connection: &Connection,
        walk: Walk,
        limit: u64,
        offset: u64,
    ) -> Result<Query, Failure> {
        let query = match (walk, self.task) {
            // what comes before the page is not even looked at
            (Walk::Tasks, Some(task)) => {
                let skip = Skip { first: first_chunk(connection, task, offset)?, targets: offset };
                self.page_query(walk, COLUMNS, skip, limit, 0)
            }
            _ => self.page_query(walk, COLUMNS, Skip::default(), limit, offset),
        };
        Ok(query)
    }

    /// The statement of a page.
    fn page_query(&self, walk: Walk, columns: &str, skip: Skip, limit: u64, offset: u64) -> Query {
        let mut query = self.query(walk);
        if walk == Walk::Tasks {
            query.add(":skip", Value::Integer(signed(skip.targets)));
            let first = Value::Integer(signed(skip.first));
            query.condition(" AND c.first >= :first", ":first", first);
        }
        query.add(":limit", Value::Integer(signed(limit)));
        query.add(":offset", Value::Integer(signed(offset)));
        let order = match walk {
            // the order of the index that is walked; spelt otherwise, SQLite would sort
            Walk::Tasks => "k.id DESC, c.first, t.id",
            _ => "t.task DESC, t.id",
        };
        query.sql = format!(
            "/* targets */ SELECT {columns} {} ORDER BY {order} LIMIT :limit OFFSET :offset",
            query.sql
        );
        query
    }

    /// Tables and conditions.
    fn query(&self, walk: Walk) -> Query {
        let mut query = Query { sql: from(walk, self.account), values: Vec::new() };
        let (account, task) = match walk {
            Walk::Tasks => (" AND k.account = :account", "k.id"),
            _ => (" AND t.account = :account", "t.task"),
        };
        let (first, end) = match self.task {
            Some(task) => (task, task + 1),
            None => (names::first_task(self.from), names::first_task(self.to)),
        };
        query.sql.push_str(&format!(" WHERE {task} >= :first_task AND {task} < :end_task"));
        query.add(":first_task", Value::Integer(first));
        query.add(":end_task", Value::Integer(end));
        query.sql.push_str(tally::area_condition(self.area));
        if let Some(number) = self.account {
            query.condition(account, ":account", Value::Integer(number));
        }
        if let Some(number) = self.host {
            query.condition(" AND t.host = :host", ":host", Value::Integer(number));
        }
        if let Some(url) = self.url {
            // the index has hashes, which may collide: the URL decides
            let hash = Value::Integer(url_hash(url));
            query.condition(" AND t.url_hash = :hash", ":hash", hash);
            query.condition(" AND t.url = :url", ":url", Value::Text(url.into()));
        }
        if walk == Walk::Failed {
            // spelt out as in the index, which has only these
            query.sql.push_str(" AND t.progress = 2");
        } else if let Some(progress) = self.progress {
            let number = Value::Integer(progress_number(progress));
            query.condition(" AND t.progress = :progress", ":progress", number);
        }
        if let Some(kind) = self.kind {
            let condition = format!(" AND {KIND} = :kind");
            query.condition(&condition, ":kind", Value::Integer(kind.number()));
        }
        query
    }
}

/// What [`target_row`] reads.
const COLUMNS: &str = "t.id, t.task, t.url, t.parent, t.progress, t.outcome, t.nodes,
                 t.size_bytes, t.finished_at, c.created_at, c.pending";

/// The numbers of those of `names` that have targets; if there is a URL, its host at most.
fn hosts(
    connection: &Connection,
    names: &[String],
    url: Option<&str>,
) -> Result<Vec<Option<i64>>, Failure> {
    let mut numbers = BTreeSet::new();
    for name in names {
        numbers.extend(names::find_host(connection, name)?);
    }
    if let Some(url) = url {
        let host: Option<i64> = connection
            .prepare_cached(
                "/* targets: host of a URL */ SELECT host FROM target INDEXED BY target_by_url
                 WHERE url_hash = ?1 AND url = ?2 LIMIT 1",
            )?
            .query_row(params![url_hash(url), url], |row| row.get(0))
            .optional()?;
        // one URL has one host: the others would be walks that find nothing
        numbers.retain(|number| Some(*number) == host);
    }
    Ok(numbers.into_iter().map(Some).collect())
}

/// Rows of a page in the making.
#[derive(Debug, Default)]
struct Targets {
    rows: Vec<TargetRow>,
    /// Number and task of the last row: neighbours mostly share their task.
    task: Option<(i64, Task)>,
}

impl Targets {
    fn push(&mut self, connection: &Connection, row: &Row<'_>) -> Result<(), Failure> {
        let number = row.get(1)?;
        let task = match self.task.take() {
            Some((last, task)) if last == number => task,
            _ => views::task(connection, number)?,
        };
        self.rows.push(target_row(row, task.clone())?);
        self.task = Some((number, task));
        Ok(())
    }
}

/// Targets of one task that come before a page.
#[derive(Clone, Copy, Debug, Default)]
struct Skip {
    /// `chunk.first` of the chunk in which the page begins.
    first: u64,
    /// How many they are.
    targets: u64,
}

/// A statement that is stepped through; its first columns are the numbers of task and target.
struct Cursor<'s>(Rows<'s>);

impl NextTarget for Cursor<'_> {
    type Error = rusqlite::Error;

    fn next(&mut self) -> rusqlite::Result<Option<(i64, i64)>> {
        let row = self.0.next()?;
        row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
    }
}

/// A statement in the making.
struct Query {
    sql: String,
    values: Vec<(&'static str, Value)>,
}

impl Query {
    fn add(&mut self, name: &'static str, value: Value) {
        self.values.push((name, value));
    }

    fn condition(&mut self, sql: &str, name: &'static str, value: Value) {
        self.sql.push_str(sql);
        self.add(name, value);
    }

    fn values(&self) -> Vec<(&str, &dyn ToSql)> {
        self.values.iter().map(|(name, value)| (*name, value as &dyn ToSql)).collect()
    }
}

/// The tables in the order in which they are walked.
///
/// SQLite would choose order and index by its statistics, which it does not have, and sort; a page
/// would then cost as much as the whole. `CROSS JOIN` keeps it to the order given, `INDEXED BY` to
/// the index, and a statement that cannot be run so fails in the tests instead of being slow.
fn from(walk: Walk, account: Option<i64>) -> String {
    let index = match walk {
        Walk::Url => "target_by_url",
        Walk::Host => "target_by_host",
        Walk::Progress => "target_by_progress",
        Walk::Failed => "target_failed",
        Walk::Tasks => {
            let tasks = account.map_or("", |_| "INDEXED BY task_by_account");
            // the targets of a chunk are a range of row numbers: see `names`
            return format!(
                "FROM task AS k {tasks}
             CROSS JOIN chunk AS c INDEXED BY chunk_by_task ON c.task = k.id
             CROSS JOIN target AS t NOT INDEXED
                 ON t.id BETWEEN (c.id << 9) + max(:skip - c.first, 0) AND (c.id << 9) + 511"
            );
        }
    };
    format!(
        "FROM target AS t INDEXED BY {index}
             CROSS JOIN task AS k ON k.id = t.task CROSS JOIN chunk AS c ON c.id = t.id >> 9"
    )
}

/// How many targets of the task lie in chunks before the one that holds number `offset`.
fn first_chunk(connection: &Connection, task: i64, offset: u64) -> Result<u64, Failure> {
    let first = connection
        .prepare_cached(
            "/* targets: first chunk */ SELECT coalesce(max(first), 0)
             FROM chunk INDEXED BY chunk_by_task WHERE task = ?1 AND first <= ?2",
        )?
        .query_row([task, signed(offset)], |row| unsigned(row, 0))?;
    Ok(first)
}

fn task_counts(connection: &Connection, task: i64) -> Result<Counts, Failure> {
    let counts = connection
        .prepare_cached(
            "/* targets: of a task */ SELECT targets, done, failed, failed_origin,
                 failed_timeout, failed_canceled FROM task
             WHERE id = ?1",
        )?
        .query_row([task], |row| read_counts(row, 0))?;
    Ok(counts)
}

fn target_row(row: &Row<'_>, task: Task) -> Result<TargetRow, Failure> {
    let id = row.get(0)?;
    let progress = match row.get(4)? {
        PROCESSING => Progress::Processing,
        DONE => Progress::Done,
        FAILED => Progress::Failed,
        other => return Err(Failure::corrupt(format!("{other} is no progress"))),
    };
    let outcome = match progress {
        Progress::Processing => None,
        Progress::Done | Progress::Failed => Some(word(row, 5)?),
    };
    let nodes: u32 = row.get(6)?;
    let pending = Pending::from_bytes(row.get_ref(10)?.as_blob().map_err(Failure::corrupt)?);
    let (_, position) = names::chunk_and_position(id);
    Ok(TargetRow {
        id,
        task,
        url: row.get(2)?,
        parent: row.get(3)?,
        progress,
        outcome,
        nodes,
        settled_nodes: nodes.saturating_sub(pending.get(position).into()),
        size_bytes: row.get::<_, Option<i64>>(7)?.map(|_| unsigned(row, 7)).transpose()?,
        created_at: moment(row, 9)?,
        finished_at: maybe_moment(row, 8)?,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use stoker_domain::{
        account::AccountId,
        area::AreaScope,
        plan::CHUNK,
        quota::Product,
        task::{FetchOptions, TaskId},
        view::TargetState,
    };

    use super::*;
    use crate::{
        NewTask,
        budget::Plan,
        sqlite::{schema, session::Session, submit},
        suite::fixture::{T0, targets, urls},
    };

    /// A ledger with one account, number 1.
    fn ledger() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let fill = "INSERT INTO account (id, uin, app_id, created_at) VALUES (1, 'u', 1, 1)";
        connection.execute_batch(fill).unwrap();
        connection
    }

    /// Every combination of conditions, with the indexes that `Scope::total` may choose for it.
    fn scopes() -> Vec<(Scope<'static>, Vec<Walk>)> {
        let mut scopes = Vec::new();
        for bits in 0..64 {
            let has = |bit: u32| bits & (1 << bit) != 0;
            let by_progress = has(0) && has(3);
            let walks = match (has(2), has(1)) {
                (true, _) => vec![Walk::Url],
                (false, true) if by_progress => vec![Walk::Host, Walk::Progress],
                (false, true) => vec![Walk::Host],
                (false, false) if by_progress => vec![Walk::Progress],
                (false, false) => vec![Walk::Tasks],
            };
            let scope = Scope {
                account: has(0).then_some(1),
                host: has(1).then_some(1),
                url: has(2).then_some("http://a.example/"),
                progress: has(3).then_some(Progress::Done),
                task: has(4).then_some(1),
                area: has(5).then_some(Area::Mainland),
                kind: None,
                from: 0,
                to: 60_000,
            };
            if walks.contains(&Walk::Progress) {
                let progress = Some(Progress::Failed);
                let refused = Scope { progress, kind: Some(Kind::OriginStatus), ..scope.clone() };
                scopes.push((refused, vec![Walk::Failed]));
            }
            scopes.push((scope, walks));
        }
        scopes
    }

    #[test]
    fn the_shortest_walks_are_chosen_and_those_that_find_nothing_left_out() {
        use TargetState as S;
        let connection = ledger();
        // all of them in one hour; columns from `targets` on as in `Counts`
        let fill = "INSERT INTO host (id, name) VALUES (1, 'a'), (2, 'b');
            INSERT INTO tally (account, host, span, bucket, areas, targets, done, failed,
                    failed_origin, failed_timeout) VALUES
                (1, 0, 3600000, 1, 'global', 8, 4, 3, 1, 0),
                (1, 1, 3600000, 1, 'global', 6, 4, 1, 1, 0),
                (1, 2, 3600000, 1, 'global', 2, 0, 2, 0, 0);";
        connection.execute_batch(fill).unwrap();
        let failed = &S::of(Progress::Failed)[..];
        let (mine, anybody) = (Some(AccountId(1)), None);
        for (account, hosts, states, expected, total) in [
            (mine, "", &[S::Done][..], &[Walk::Progress][..], 4),
            (anybody, "", &[S::Done], &[Walk::Tasks], 4),
            (mine, "a", &[S::Done], &[Walk::Progress], 4),
            (anybody, "a", &[S::Done], &[Walk::Host], 4),
            (mine, "a", failed, &[Walk::Progress], 1),
            (mine, "a", &[S::FailedByOrigin], &[Walk::Failed], 1),
            // the account has more that failed than the host has targets, or as many
            (mine, "b", failed, &[Walk::Host], 2),
            (mine, "b", &[S::FailedOtherwise], &[Walk::Host], 2),
            (mine, "a b", &[S::Done], &[Walk::Progress], 4),
            (mine, "a b", failed, &[Walk::Progress, Walk::Host], 3),
            (mine, "a b", &[S::FailedByTimeout], &[], 0),
        ] {
            let hosts: Vec<_> = hosts.split_whitespace().map(String::from).collect();
            let filter = TargetFilter {
                account,
                hosts: (!hosts.is_empty()).then_some(hosts),
                states: Some(states.to_vec()),
                ..TargetFilter::default()
            };
            let (found, matching) = walks(&connection, &filter).unwrap();
            let found: Vec<_> = found.into_iter().map(|(_, walk)| walk).collect();
            assert_eq!((&found[..], matching), (expected, total), "{filter:?}");
        }
    }

    #[test]
    fn the_last_page_of_a_task_costs_no_more_than_its_first() {
        let session = Session::new(ledger());
        let task = Task {
            id: TaskId("1".into()),
            account: AccountId(1),
            product: Product::DomainPrefetch,
            areas: AreaScope::Mainland,
            tier: None,
            options: FetchOptions::default(),
            created_at: T0,
        };
        let targets = targets(&urls("a.example", 9 * CHUNK), &["edge"]);
        let plan = Plan::new(NewTask { task, targets, charges: Vec::new(), retry_of: None });
        submit::submit(&session, &[plan]).unwrap();
        let filter = TargetFilter { task: Some(TaskId("1".into())), ..TargetFilter::default() };
        let scope = Scope::all(&session, &filter).unwrap().remove(0);
        let steps = |offset: usize| {
            let query = scope.rows_query(&session, Walk::Tasks, 5, offset as u64).unwrap();
            let mut statement = session.prepare(&query.sql).unwrap();
            let urls = statement
                .query_map(&*query.values(), |row| row.get::<_, String>(2))
                .unwrap()
                .collect::<Result<Vec<_>, _>>()
                .unwrap();
            assert_eq!(urls.len(), 5);
            assert_eq!(urls[0], format!("http://a.example/{offset}"));
            statement.get_status(StatementStatus::VmStep)
        };
        let first = steps(0);
        assert!(first > 0);
        for offset in [5, CHUNK, 4 * CHUNK + 7, 9 * CHUNK - 5] {
            assert!(steps(offset) <= first, "{offset}: {} > {first}", steps(offset));
        }
    }

    #[test]
    fn no_page_is_sorted_and_no_table_is_read_whole() {
        let connection = ledger();
        for (scope, walks) in scopes() {
            for walk in walks {
                let skip = Skip { first: 500, targets: 503 };
                let query = scope.page_query(walk, COLUMNS, skip, 20, 3);
                let sql = format!("EXPLAIN QUERY PLAN {}", query.sql);
                let mut statement = connection.prepare(&sql).unwrap();
                let steps = statement
                    .query_map(&*query.values(), |row| row.get::<_, String>(3))
                    .unwrap()
                    .collect::<Result<Vec<_>, _>>()
                    .unwrap();
                let is_search = steps.iter().all(|step| step.starts_with("SEARCH "));
                assert!(is_search, "{scope:?} {walk:?}: {steps:#?}");
            }
        }
    }
}
