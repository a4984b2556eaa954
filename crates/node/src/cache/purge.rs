//! Carrying out a purge order in the store, and among the fills that run.
//!
//! The number of the order becomes durable after all of it: an order that comes again after that
//! changes nothing, and what was lost on the way is carried out again before anything else.

use std::sync::Arc;

use stoker_domain::{
    host::covers,
    key::Key,
    purge::{PurgeOrder, Scope, is_below, split_tagged, wildcard_of_root},
    target::Target,
};

use crate::{
    fill::Fills,
    history::History,
    store::{Store, Ticket, WriteError},
};

/// Carries out purge orders.
pub(super) struct Purger {
    store: Store,
    fills: Fills,
    history: Arc<History>,
}

impl Purger {
    pub(super) fn new(store: Store, fills: Fills, history: Arc<History>) -> Self {
        Self { store, fills, history }
    }

    /// See [`stoker_agent::Cache::purge`].
    pub(super) async fn carry_out(&self, order: &PurgeOrder) -> Result<(), WriteError> {
        if order.number <= self.store.order() {
            return Ok(());
        }
        // the ledger holds none that cannot be read
        let read = |target: &String| named(order.scope, target);
        let targets: Vec<(Key, String)> = order.targets.iter().filter_map(read).collect();
        let purge = |(key, url): &(Key, String)| -> Ticket {
            match order.scope {
                Scope::Url => self.store.remove(*key),
                Scope::Path | Scope::Tag => self.store.purge(url, order.method),
            }
        };
        let tickets: Vec<Ticket> = targets.iter().map(purge).collect();
        self.note(order.scope, &targets);
        // only now: a fill that starts from here on takes a generation above the purge's
        self.fills.detach(|key, url| {
            targets.iter().any(|(purged, name)| match order.scope {
                Scope::Url => *purged == key,
                Scope::Path => is_below(name, url),
                // what a fill that runs is tagged with may not be known yet
                Scope::Tag => split_tagged(name).is_some_and(|(host, _)| {
                    let own = url.split('/').next().unwrap_or_default();
                    own == host || covers(host, own)
                }),
            })
        });
        for ticket in tickets {
            match ticket.durable().await {
                // a newer generation, or another purge, has taken its place
                Ok(()) | Err(WriteError::Superseded) => {}
                Err(error) => return Err(error),
            }
        }
        self.store.order_done(order.number).await
    }

    /// For people who ask why something is not here.
    fn note(&self, scope: Scope, targets: &[(Key, String)]) {
        for (key, name) in targets {
            match scope {
                Scope::Url => self.history.purged_one(*key),
                Scope::Path | Scope::Tag => self.history.purged_below(name),
            }
        }
    }
}

/// The key of the target, and what the URLs that the store keeps of it begin with; a tag has no key,
/// and a wildcard neither.
fn named(scope: Scope, target: &str) -> Option<(Key, String)> {
    if scope == Scope::Tag {
        split_tagged(target)?;
        return Some((Key([0; 16]), target.into()));
    }
    if scope == Scope::Path
        && let Some(name) = wildcard_of_root(target)
    {
        return Some((Key([0; 16]), format!("{name}/")));
    }
    let target = Target::parse(target, false).ok()?;
    Some((target.key(), format!("{}{}", target.host, target.path_and_query)))
}
