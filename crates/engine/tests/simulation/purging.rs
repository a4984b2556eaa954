//! What happens with purges: they are submitted, and nodes take, carry out and confirm orders. What
//! must come of it is in [`crate::purges`].

use std::time::Duration;

use stoker_domain::{
    area::AreaScope,
    purge::{Method, Scope, directory, is_tag, tagged},
    quota::Product,
    target::Target,
};
use stoker_engine::{BatchLimit, ErrorKind, PurgeError, PurgeSubmission, Receipt, SubmitError};

use crate::{
    arbitrary::Fate,
    model::{TAGS, URLS},
    purges::Asked,
    run::{APART, MAINLAND, WWW, World},
};

/// Small, so that cases run into it.
pub(crate) const DAILY_PURGES: u64 = 9;

/// What a caller purges.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The URLs with these numbers.
    Urls(Vec<usize>),
    Directory,
    Host {
        is_mainland: bool,
    },
    /// All hosts of a zone that not every host is in.
    Zone,
    /// The tag with this number, wherever the account has hosts.
    Tag(usize),
}

impl What {
    pub(crate) const fn scope(&self) -> Scope {
        match self {
            Self::Urls(_) => Scope::Url,
            Self::Directory | Self::Host { .. } | Self::Zone => Scope::Path,
            Self::Tag(_) => Scope::Tag,
        }
    }

    pub(crate) const fn product(&self) -> Product {
        match self {
            Self::Urls(_) => Product::DomainPurgeUrl,
            Self::Directory => Product::DomainPurgePath,
            Self::Host { .. } => Product::ZonePurgeHost,
            Self::Zone => Product::ZonePurgeAll,
            Self::Tag(_) => Product::ZonePurgeTag,
        }
    }

    /// Whether one bad target does not cost the others, and areas cannot be named.
    pub(crate) const fn is_partial(&self) -> bool {
        matches!(self, Self::Host { .. } | Self::Zone | Self::Tag(_))
    }

    /// The host that a target of every purge of this kind has.
    const fn host(&self) -> &'static str {
        match self {
            Self::Host { is_mainland: true } | Self::Zone => MAINLAND,
            _ => WWW,
        }
    }

    /// The targets as given; the last one tells by `number` which purge it is.
    fn texts(&self, number: usize) -> Vec<String> {
        let host = |host: &str| format!("http://{host}/");
        let mut texts = match self {
            Self::Urls(urls) => urls.iter().map(|url| URLS[*url].to_owned()).collect(),
            Self::Directory => vec![format!("http://{WWW}/dir")],
            Self::Host { .. } => vec![host(self.host())],
            Self::Zone => vec![host(WWW), host(MAINLAND)],
            Self::Tag(tag) => vec![TAGS[*tag].to_owned()],
        };
        let mark = format!("purge-{number}");
        texts.push(if is_tag(texts[0].as_str()) && self.scope() == Scope::Tag {
            mark
        } else {
            format!("http://{}/{mark}", self.host())
        });
        texts
    }

    /// What is purged, as orders name it, sorted.
    fn targets(&self, number: usize) -> Vec<String> {
        let texts = self.texts(number);
        let mut targets: Vec<String> = match self {
            Self::Urls(_) => {
                texts.iter().map(|url| Target::parse(url, false).unwrap().url).collect()
            }
            Self::Directory | Self::Host { .. } => {
                texts.iter().map(|path| directory(path, false).unwrap().url).collect()
            }
            // the other host is not in the zone
            Self::Zone => texts[1..].iter().map(|p| directory(p, false).unwrap().url).collect(),
            Self::Tag(_) => {
                [WWW, MAINLAND].iter().flat_map(|h| texts.iter().map(|t| tagged(h, t))).collect()
            }
        };
        targets.sort();
        targets.dedup();
        targets
    }

    /// Whether it concerns a domain of both areas, and not of the mainland alone.
    pub(crate) const fn reaches_www(&self) -> bool {
        !matches!(self, Self::Host { is_mainland: true } | Self::Zone)
    }
}

impl World {
    pub(crate) async fn purge(&mut self, what: &What, areas: Option<AreaScope>, method: Method) {
        let number = self.purges.asked.len();
        let areas = areas.filter(|_| !what.is_partial());
        let asked = Asked::new(what, areas, method, what.targets(number), self.moment);
        // what leaves the origin from now on is new
        self.moment += 1;
        let answer = self.submit_purge(what, areas, method, number).await;
        let receipt = match answer {
            Ok(receipt) => Some(receipt),
            Err(SubmitError::Ledger(error)) => {
                assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
                None
            }
            Err(SubmitError::OverQuota { available, needed, limit, .. }) => {
                assert!(available < needed && limit == DAILY_PURGES, "{available} {needed}");
                self.purges.refuse(asked);
                return;
            }
            Err(other) => panic!("{other}"),
        };
        if let Some(receipt) = &receipt {
            assert_eq!(receipt.targets, asked.targets.len() as u64);
        }
        self.purges.take(asked, receipt);
    }

    async fn submit_purge(
        &self,
        what: &What,
        areas: Option<AreaScope>,
        method: Method,
        number: usize,
    ) -> Result<Receipt, SubmitError> {
        let (targets, scope, product) = (what.texts(number), what.scope(), what.product());
        let batch_limit = BatchLimit::AtMost(100);
        let refused = |error| match error {
            PurgeError::Refused(error) => error,
            other => panic!("{other}"),
        };
        if what.is_partial() {
            let is_zone = matches!(what, What::Zone);
            let purge = PurgeSubmission {
                hosts: [WWW, MAINLAND, "stranger.example.org"].map(str::to_owned).to_vec(),
                zone: is_zone
                    .then(|| self.engine().zone(self.account.id, APART).unwrap().id.clone()),
                method,
                units: is_zone.then_some(1),
                batch_limit,
                ..PurgeSubmission::new(product, scope, targets)
            };
            let purged = self.engine().purge_what_can_be(&self.account, purge).await;
            let purged = purged.map_err(refused)?;
            assert_eq!(purged.refused.len(), usize::from(is_zone), "{:?}", purged.refused);
            return Ok(purged.receipt.unwrap());
        }
        let purge = PurgeSubmission::new(product, scope, targets);
        let purge = PurgeSubmission { method, areas, batch_limit, ..purge };
        self.engine().purge(&self.account, purge).await.map_err(refused)
    }

    pub(crate) async fn take_orders(&mut self, number: usize, is_lost: bool) {
        let node = &self.nodes[number];
        if !node.is_up || !node.orders.is_empty() {
            return;
        }
        let name = node.node.name.clone();
        let Ok(orders) = self.engine().purge_orders(&name, Duration::ZERO).await else { return };
        assert!(orders.windows(2).all(|pair| pair[0].number < pair[1].number), "{orders:?}");
        for order in &orders {
            self.purges.see(number, order);
        }
        if !is_lost {
            self.nodes[number].orders = orders;
        }
    }

    /// Carries out and confirms `orders` of those that the node has, until something fails.
    pub(crate) async fn carry_out(&mut self, number: usize, orders: usize, fate: Fate) {
        let count = orders.min(self.nodes[number].orders.len());
        for order in self.nodes[number].orders.drain(..count).collect::<Vec<_>>() {
            self.nodes[number].carry_out(&order);
            self.purges.told.push((number, order.number));
            if fate != Fate::RequestLost && self.confirm(number, order.number).await {
                if fate == Fate::Twice {
                    self.repeat_purged(self.purges.told.len() - 1).await;
                }
                if fate != Fate::ReplyLost {
                    continue;
                }
            }
            // as the agent: what is left is asked for again
            self.nodes[number].orders.clear();
            return;
        }
    }

    /// Whether the engine said that it knows.
    async fn confirm(&mut self, number: usize, order: u64) -> bool {
        let name = self.nodes[number].node.name.clone();
        let is_heard = self.engine().purged(&name, order).await.is_ok();
        if is_heard {
            self.purges.heard.insert((number, order));
        }
        is_heard
    }

    /// Sends an old confirmation again, or one that was lost.
    pub(crate) async fn repeat_purged(&mut self, message: usize) {
        let told = &self.purges.told;
        let Some(&(number, order)) = told.get(message % told.len().max(1)) else { return };
        if self.purges.heard.contains(&(number, order)) {
            self.confirm_in_vain(number, order).await;
        } else {
            self.confirm(number, order).await;
        }
    }

    /// Confirms, in the name of a node, an order that another was handed.
    pub(crate) async fn forge_purged(&mut self, number: usize, order: usize) {
        let of_others = self.purges.handed.iter().filter(|(node, _)| *node != number);
        let of_others: Vec<u64> = of_others.map(|(_, order)| *order).collect();
        if !of_others.is_empty() {
            self.confirm_in_vain(number, of_others[order % of_others.len()]).await;
        }
    }

    async fn confirm_in_vain(&self, number: usize, order: u64) {
        let before = self.all_purges().await;
        let name = &self.nodes[number].node.name;
        let _ = self.engine().purged(name, order).await;
        assert_eq!(self.all_purges().await, before, "order {order} confirmed by {name}");
    }

    /// A node that starts carries out all that it missed.
    pub(crate) async fn catch_up(&mut self, number: usize) {
        for _ in 0..100 {
            self.take_orders(number, false).await;
            if self.nodes[number].orders.is_empty() && !self.flaky().is_failing() {
                return;
            }
            self.carry_out(number, usize::MAX, Fate::Delivered).await;
        }
        panic!("orders without end");
    }
}
