//! Purges: accepted with all their orders, handed out phase by phase, confirmed node by node.
//!
//! Orders get their numbers when they are handed out, so the numbers of one node ascend in the
//! order in which it sees them, and a node that remembers the last one knows what is new.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use serde_json::json;
use stoker_domain::{
    area::AreaScope,
    purge::{Method, PurgeOrder, Scope, tagged},
    quota::Product,
    task::TaskId,
    time::Timestamp,
    view::{Page, PurgeFilter, PurgeNode, PurgeRow, PurgeState},
};

use super::{
    Sqlite,
    columns::{maybe_moment, moment, one_of, signed, unsigned, word},
    failure::Failure,
    names, quota,
    session::Session,
    tally,
};
use crate::{Error, NewPurge, Purged, Purges};

#[async_trait]
impl Purges for Sqlite {
    async fn submit_purge(&self, purge: NewPurge) -> Result<(), Error> {
        let rows = purge.targets.len();
        self.write("submit a purge", rows, move |c| submit(c, &purge)).await
    }

    async fn purge_orders(&self, node: &str, limit: usize) -> Result<Vec<PurgeOrder>, Error> {
        let node = node.to_owned();
        self.read("read purge orders", move |c| orders(c, &node, limit)).await
    }

    async fn purged(&self, node: &str, number: u64, now: Timestamp) -> Result<Purged, Error> {
        let node = node.to_owned();
        let work = move |c: &Session| confirm(c, &node, number, now);
        self.write("confirm a purge order", 1, work).await
    }

    async fn release_phase_early(
        &self,
        silent: &[String],
        now: Timestamp,
    ) -> Result<Vec<String>, Error> {
        let silent = silent.to_vec();
        let work = move |c: &Session| release_phase_early(c, &silent, now);
        self.write("hand out orders early", 1, work).await
    }

    async fn purges(&self, filter: &PurgeFilter) -> Result<Page<PurgeRow>, Error> {
        let filter = filter.clone();
        self.read("list purges", move |c| page(c, &filter)).await
    }

    async fn purge_nodes(&self, purge: &TaskId) -> Result<Vec<PurgeNode>, Error> {
        let id = purge.clone();
        self.read("list the nodes of a purge", move |c| nodes(c, &id)).await
    }
}

/// The next number of an order: microseconds, but always greater than the last one, so that numbers
/// ascend under a clock that is set back and in a ledger that begins anew.
const NUMBER: &str =
    "/* purge: number */ UPDATE purge_number SET last = max(last + 1, ?1) RETURNING last";

pub(super) fn submit(connection: &Connection, purge: &NewPurge) -> Result<(), Failure> {
    if purge.phases.first().is_none_or(Vec::is_empty) || purge.targets.is_empty() {
        return Err(Failure::not_found("the purge names no node or no target"));
    }
    for (charge, units) in &purge.charges {
        let charge = std::slice::from_ref(charge);
        if let Some(refusal) = quota::refusal(connection, purge.account, charge, *units)? {
            return Err(refusal);
        }
    }
    for (charge, units) in &purge.charges {
        quota::charge(connection, purge.account, std::slice::from_ref(charge), *units)?;
    }
    let id: i64 = connection
        .prepare_cached(
            "/* purge: submit */ INSERT INTO purge
                 (public_id, account, scope, method, areas, created_at, finished_at, product)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7) RETURNING id",
        )?
        .query_row(
            params![
                purge.id.0,
                purge.account.0,
                purge.scope.as_str(),
                purge.method.as_str(),
                purge.areas.as_str(),
                purge.created_at.as_millis(),
                purge.product.as_str(),
            ],
            |row| row.get(0),
        )?;
    let mut statement = connection.prepare_cached(
        "/* purge: target */ INSERT INTO purge_target (purge, host, url) VALUES (?1, ?2, ?3)",
    )?;
    for target in &purge.targets {
        statement.execute(params![id, target.host, target.url])?;
    }
    insert_orders(connection, id, purge)?;
    release(connection, id, 0, purge.created_at)?;
    Ok(())
}

fn insert_orders(connection: &Connection, id: i64, purge: &NewPurge) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* purge: order */ INSERT INTO purge_order
             (purge, account, node, phase, state, number, done_at)
         VALUES (?1, ?2, ?3, ?4, 0, 0, NULL)",
    )?;
    for (phase, nodes) in (0i64..).zip(&purge.phases) {
        for node in nodes {
            let node = names::node(connection, node)?;
            statement.execute(params![id, purge.account.0, node, phase])?;
        }
    }
    Ok(())
}

/// Hands out the orders of a phase; the names of their nodes.
fn release(
    connection: &Connection,
    purge: i64,
    phase: i64,
    now: Timestamp,
) -> Result<Vec<String>, Failure> {
    let mut held = connection.prepare_cached(
        "/* purge: held back */ SELECT o.id, n.name FROM purge_order o JOIN node n ON n.id = o.node
         WHERE o.purge = ?1 AND o.phase = ?2 AND o.state = 0 ORDER BY o.id",
    )?;
    let held: Vec<(i64, String)> = held
        .query_map([purge, phase], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut number = connection.prepare_cached(NUMBER)?;
    let mut hand_out = connection.prepare_cached(
        "/* purge: hand out */ UPDATE purge_order SET state = 1, number = ?2 WHERE id = ?1",
    )?;
    let now = now.as_millis().saturating_mul(1000);
    for (order, _) in &held {
        let number: i64 = number.query_row([now], |row| row.get(0))?;
        hand_out.execute([*order, number])?;
    }
    Ok(held.into_iter().map(|(_, node)| node).collect())
}

pub(super) fn orders(
    connection: &Connection,
    node: &str,
    limit: usize,
) -> Result<Vec<PurgeOrder>, Failure> {
    let Some(node) = names::find_node(connection, node)? else { return Ok(Vec::new()) };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut open = connection.prepare_cached(
        "/* purge: open orders */ SELECT o.number, p.scope, p.method, p.id
         FROM purge_order o INDEXED BY purge_order_open JOIN purge p ON p.id = o.purge
         WHERE o.state < 2 AND o.node = ?1 AND o.number > 0 ORDER BY o.number LIMIT ?2",
    )?;
    let mut targets = connection.prepare_cached(
        "/* purge: targets */ SELECT url, host FROM purge_target WHERE purge = ?1 ORDER BY id",
    )?;
    let mut rows = open.query([node, limit])?;
    let mut orders = Vec::new();
    while let Some(row) = rows.next()? {
        let purge: i64 = row.get(3)?;
        let scope = scope(row, 1)?;
        let target = |row: &Row<'_>| -> rusqlite::Result<String> {
            Ok(match scope {
                Scope::Url | Scope::Path => row.get(0)?,
                Scope::Tag => tagged(row.get_ref(1)?.as_str()?, row.get_ref(0)?.as_str()?),
            })
        };
        let targets = targets.query_map([purge], target)?.collect::<Result<_, _>>()?;
        let (number, method) = (unsigned(row, 0)?, method(row, 2)?);
        orders.push(PurgeOrder { number, scope, method, targets });
    }
    Ok(orders)
}

pub(super) fn confirm(
    connection: &Connection,
    node: &str,
    number: u64,
    now: Timestamp,
) -> Result<Purged, Failure> {
    let Some(node) = names::find_node(connection, node)? else { return Ok(Purged::default()) };
    let confirmed: Option<i64> = connection
        .prepare_cached(
            "/* purge: confirm */ UPDATE purge_order SET state = 2, done_at = ?3
             WHERE state = 1 AND state < 2 AND node = ?1 AND number = ?2 RETURNING purge",
        )?
        .query_row(params![node, signed(number), now.as_millis()], |row| row.get(0))
        .optional()?;
    let Some(purge) = confirmed else { return Ok(Purged::default()) };
    // orders given early belong to the last phase: they are not waited for until their turn has come,
    // which is when no order is held back
    let (waited_for, next): (i64, Option<i64>) = connection
        .prepare_cached(
            "/* purge: what is left */ SELECT
                 count(*) FILTER (WHERE state = 1 AND (held.phase IS NULL OR o.phase < held.phase)),
                 held.phase
             FROM (SELECT min(phase) AS phase FROM purge_order WHERE purge = ?1 AND state = 0) held,
                 purge_order o
             WHERE o.purge = ?1",
        )?
        .query_row([purge], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut purged = Purged { is_new: true, ..Purged::default() };
    match next {
        _ if waited_for > 0 => {}
        Some(phase) => purged.released = release(connection, purge, phase, now)?,
        None => {
            let name = connection
                .prepare_cached(
                    "/* purge: finish */ UPDATE purge SET finished_at = ?2 WHERE id = ?1
                     RETURNING public_id",
                )?
                .query_row(params![purge, now.as_millis()], |row| row.get(0))?;
            purged.finished = Some(TaskId(name));
        }
    }
    Ok(purged)
}

pub(super) fn release_phase_early(
    connection: &Connection,
    silent: &[String],
    now: Timestamp,
) -> Result<Vec<String>, Failure> {
    // stuck = some silent node has an order; early = nodes of the last phase that have none yet, where
    // nothing but silent nodes is waited for
    let mut early = connection.prepare_cached(
        "/* purge: early */ WITH silent AS (
             SELECT id FROM node WHERE name IN (SELECT value FROM json_each(?1))),
         stuck AS (
             SELECT DISTINCT purge FROM purge_order INDEXED BY purge_order_open
             WHERE state < 2 AND node IN silent AND number > 0)
         SELECT o.purge, o.account, o.node, o.phase, n.name
         FROM stuck s JOIN purge_order o ON o.purge = s.purge JOIN node n ON n.id = o.node
         WHERE o.state = 0 AND o.node NOT IN silent
             AND o.phase = (SELECT max(phase) FROM purge_order WHERE purge = o.purge)
             AND NOT EXISTS (SELECT 1 FROM purge_order e
                 WHERE e.purge = o.purge AND e.phase = o.phase AND e.node = o.node AND e.state > 0)
             AND NOT EXISTS (SELECT 1 FROM purge_order w
                 WHERE w.purge = o.purge AND w.state = 1 AND w.node NOT IN silent)
         LIMIT 1000",
    )?;
    let found = early.query_map([json!(silent).to_string()], |row| {
        Ok(([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?], row.get(4)?))
    })?;
    let found: Vec<([i64; 4], String)> = found.collect::<Result<_, _>>()?;
    let mut number = connection.prepare_cached(NUMBER)?;
    let mut insert = connection.prepare_cached(
        "/* purge: order early */ INSERT INTO purge_order
             (purge, account, node, phase, state, number, done_at)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, NULL)",
    )?;
    let now = now.as_millis().saturating_mul(1000);
    for ([purge, account, node, phase], _) in &found {
        let number: i64 = number.query_row([now], |row| row.get(0))?;
        insert.execute([*purge, *account, *node, *phase, number])?;
    }
    Ok(found.into_iter().map(|(_, node)| node).collect())
}

pub(super) fn page(
    connection: &Connection,
    filter: &PurgeFilter,
) -> Result<Page<PurgeRow>, Failure> {
    let (conditions, mut values) = conditions(filter);
    let from = format!(
        "FROM purge k JOIN purge_target t ON t.purge = k.id WHERE 1{conditions}{}",
        tally::area_condition(filter.area)
    );
    let count = format!("/* purge: count */ SELECT count(*) {from}");
    let total = connection
        .prepare_cached(&count)?
        .query_row(params_from_iter(&values), |row| unsigned(row, 0))?;
    let targets = match filter.is_per_purge {
        true => "(SELECT count(*) FROM purge_target c WHERE c.purge = k.id)",
        false => "NULL",
    };
    let older = match filter.after {
        Some(_) => {
            "AND k.id < (SELECT a.id FROM purge a
                 WHERE a.public_id = ? AND a.account = coalesce(?, a.account))"
        }
        None => "",
    };
    let account = filter.account.map_or(Value::Null, |account| Value::Integer(account.0));
    let after =
        filter.after.iter().flat_map(|after| [Value::Text(after.0.clone()), account.clone()]);
    let list = format!(
        "/* purge: list */ SELECT k.public_id, t.url, k.scope, k.method, k.areas, k.created_at,
             k.finished_at, t.host, k.product, {targets} {from} {older} ORDER BY k.id DESC, t.id
         LIMIT ? OFFSET ?"
    );
    values.extend(after);
    values.extend([Value::Integer(signed(filter.limit)), Value::Integer(signed(filter.offset))]);
    let mut statement = connection.prepare_cached(&list)?;
    let rows = statement.query_map(params_from_iter(&values), |row| {
        let created_at = moment(row, 5)?;
        let finished_at = maybe_moment(row, 6)?;
        Ok(PurgeRow {
            id: TaskId(row.get(0)?),
            url: row.get(1)?,
            scope: scope(row, 2)?,
            method: method(row, 3)?,
            areas: word::<AreaScope>(row, 4)?,
            created_at,
            finished_at,
            host: row.get(7)?,
            targets: row.get::<_, Option<i64>>(9)?.map(i64::unsigned_abs),
            product: one_of(row, 8, &Product::ALL, Product::as_str)?,
            state: match finished_at {
                Some(_) => PurgeState::Done,
                None if filter.overdue.is_some_and(|late| created_at < late) => PurgeState::Overdue,
                None => PurgeState::Processing,
            },
        })
    })?;
    Ok(Page { rows: rows.collect::<Result<_, _>>()?, total })
}

/// The conditions of a filter, each behind an `AND`, and their values in order.
fn conditions(filter: &PurgeFilter) -> (String, Vec<Value>) {
    let (mut conditions, mut values) = (String::new(), Vec::new());
    let text = |text: &str| Value::Text(text.to_owned());
    let moment = |moment: Timestamp| Value::Integer(moment.as_millis());
    // one value, however many hosts there are
    let list = |names: &Vec<String>| Value::Text(json!(names).to_string());
    let products = |products: &Vec<Product>| {
        Value::Text(json!(products.iter().map(|one| one.as_str()).collect::<Vec<_>>()).to_string())
    };
    let given = [
        (" AND k.account = ?", filter.account.map(|account| Value::Integer(account.0))),
        (" AND k.public_id = ?", filter.id.as_ref().map(|id| text(&id.0))),
        (" AND k.created_at >= ?", filter.from.map(moment)),
        (" AND k.created_at <= ?", filter.to.map(moment)),
        (" AND t.host IN (SELECT value FROM json_each(?))", filter.hosts.as_ref().map(list)),
        (" AND t.url IN (SELECT value FROM json_each(?))", filter.urls.as_ref().map(list)),
        (" AND instr(t.url, ?) > 0", filter.text.as_deref().map(text)),
        (" AND k.scope = ?", filter.scope.map(|scope| text(scope.as_str()))),
        (
            " AND k.product IN (SELECT value FROM json_each(?))",
            filter.products.as_ref().map(products),
        ),
    ];
    for (condition, value) in given {
        if let Some(value) = value {
            conditions.push_str(condition);
            values.push(value);
        }
    }
    if filter.is_per_purge {
        conditions.push_str(" AND t.id = (SELECT min(id) FROM purge_target WHERE purge = k.id)");
    }
    if let Some(states) = &filter.states {
        let late = Value::Integer(filter.overdue.map_or(i64::MIN, Timestamp::as_millis));
        let mut any = vec!["0"];
        for state in states {
            any.push(match state {
                PurgeState::Done => "k.finished_at IS NOT NULL",
                PurgeState::Overdue => "(k.finished_at IS NULL AND k.created_at < ?)",
                PurgeState::Processing => "(k.finished_at IS NULL AND k.created_at >= ?)",
            });
            if *state != PurgeState::Done {
                values.push(late.clone());
            }
        }
        conditions.push_str(&format!(" AND ({})", any.join(" OR ")));
    }
    (conditions, values)
}

pub(super) fn nodes(connection: &Connection, purge: &TaskId) -> Result<Vec<PurgeNode>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* purge: nodes */ SELECT n.name, o.phase, o.done_at FROM purge_order o
         JOIN node n ON n.id = o.node
         WHERE o.purge = (SELECT id FROM purge WHERE public_id = ?1) ORDER BY o.phase, n.name",
    )?;
    let rows = statement.query_map([&purge.0], |row| {
        Ok(PurgeNode { node: row.get(0)?, phase: row.get(1)?, done_at: maybe_moment(row, 2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn scope(row: &Row<'_>, column: usize) -> rusqlite::Result<Scope> {
    one_of(row, column, &[Scope::Url, Scope::Path, Scope::Tag], Scope::as_str)
}

fn method(row: &Row<'_>, column: usize) -> rusqlite::Result<Method> {
    one_of(row, column, &[Method::Delete, Method::Invalidate], Method::as_str)
}
