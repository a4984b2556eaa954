//! What nodes have of URLs, as they say now.
//!
//! Where no tier is named, the nodes that a prefetch without a tier would reach are asked. Nothing is
//! fetched, charged or written.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use stoker_domain::{
    account::AccountId,
    area::{AreaScope, Tier},
    domain::Domain,
    holding::{Holding, Lack},
    placement::Node,
    target::Target,
};
use tokio::time::timeout;

use crate::{
    Engine, SubmitError,
    accept::{Named, Rules, check_count, parse, share_the_thread},
    catalog::Catalog,
};

/// How long a node is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks nodes what they have.
#[async_trait]
pub trait Inspect: Send + Sync + Debug {
    /// What `node` has of each of `targets`, in their order; `None` when it does not answer.
    async fn holdings(&self, node: &Node, targets: &[Target]) -> Option<Vec<Holding>>;
}

/// Which tiers are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckTiers {
    /// Those that a prefetch without a tier would reach: middle in the mainland, edge overseas.
    #[default]
    AsPrefetched,
    /// This one.
    One(Tier),
    /// Every one.
    All,
}

/// What is to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// URLs as given.
    pub urls: Vec<String>,
    /// Areas whose nodes are asked; absent = for each URL those of its domain.
    pub areas: Option<AreaScope>,
    /// Tiers whose nodes are asked.
    pub tiers: CheckTiers,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    pub encode: bool,
    /// URLs that this call may have.
    pub batch_limit: u32,
}

/// What the nodes say of one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The URL, normalised.
    pub url: String,
    /// The nodes that were asked, by tier and name.
    pub nodes: Vec<(Arc<Node>, Holding)>,
}

impl Engine {
    /// From now on nodes are asked through `inspect`; only the first call counts.
    pub fn inspect_through(&self, inspect: Arc<dyn Inspect>) {
        let _ = self.inspect.set(inspect);
    }

    /// Asks the nodes that must hold the URLs, in the order of these.
    ///
    /// # Errors
    /// A URL that is none, a domain that is not in the account, or no URL, or too many.
    pub async fn check(
        &self,
        account: AccountId,
        check: &Check,
    ) -> Result<Vec<Checked>, SubmitError> {
        check_count(check.urls.len(), check.batch_limit.into())?;
        let directory = self.directory.current();
        let rules = Rules { directory: &directory, account, zone: None, areas: None };
        let mut targets = Vec::with_capacity(check.urls.len());
        let mut nodes = Vec::with_capacity(check.urls.len());
        for (index, url) in check.urls.iter().enumerate() {
            let target = parse(index, url, check.encode)?;
            let named = Named::of(index, &target);
            let domain = rules.owned(directory.domain(&target.host), named)?;
            nodes.push(holders_of(&directory, check, domain, &target));
            targets.push(target);
            share_the_thread(index).await;
        }
        Ok(self.ask_holders(&targets, &nodes).await)
    }

    /// Asks each node once, for all that it must hold.
    async fn ask_holders(&self, targets: &[Target], nodes: &[Vec<Arc<Node>>]) -> Vec<Checked> {
        let mut by_node: BTreeMap<&str, (&Arc<Node>, Vec<usize>)> = BTreeMap::new();
        for (index, holders) in nodes.iter().enumerate() {
            for node in holders {
                by_node.entry(&node.name).or_insert_with(|| (node, Vec::new())).1.push(index);
            }
        }
        let mut answers: BTreeMap<(usize, &str), Holding> = BTreeMap::new();
        for (name, (node, indexes)) in &by_node {
            let asked: Vec<Target> = indexes.iter().map(|index| targets[*index].clone()).collect();
            let holdings = self.ask_one(node, &asked).await;
            answers.extend(indexes.iter().map(|index| (*index, *name)).zip(holdings));
        }
        let silent = || Holding { lack: Some(Lack::NoAnswer), ..Holding::default() };
        let of = |(index, (target, nodes)): (usize, (&Target, &Vec<Arc<Node>>))| Checked {
            url: target.url.clone(),
            nodes: nodes
                .iter()
                .map(|node| {
                    let holding = answers.get(&(index, node.name.as_str())).cloned();
                    (Arc::clone(node), holding.unwrap_or_else(silent))
                })
                .collect(),
        };
        targets.iter().zip(nodes).enumerate().map(of).collect()
    }

    /// Nothing from a node that does not answer in time.
    async fn ask_one(&self, node: &Node, targets: &[Target]) -> Vec<Holding> {
        let Some(inspect) = self.inspect.get() else { return Vec::new() };
        let answer = timeout(PATIENCE, inspect.holdings(node, targets)).await;
        answer.ok().flatten().unwrap_or_default()
    }
}

/// The nodes that are asked about `target` of `domain`.
fn holders_of(
    directory: &Catalog,
    check: &Check,
    domain: &Domain,
    target: &Target,
) -> Vec<Arc<Node>> {
    let areas = check.areas.unwrap_or(domain.areas);
    let tiers: &[Option<Tier>] = match check.tiers {
        CheckTiers::AsPrefetched => &[None],
        CheckTiers::One(tier) => &[Some(tier)],
        CheckTiers::All => &[Some(Tier::Edge), Some(Tier::Middle)],
    };
    let of = |tier: &Option<Tier>| directory.fleet().holders(target.key(), areas, *tier);
    tiers.iter().map(of).flat_map(|nodes| nodes.iter().cloned().collect::<Vec<_>>()).collect()
}
