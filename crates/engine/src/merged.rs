//! One page of targets that match any of several filters.
//!
//! The ledger answers one filter at a time, without sorting; here the answers are merged. The cost
//! grows with the number of filters and with the depth of the page, never with what matches.

use std::cmp::Reverse;

use stoker_ledger::{Error, Page, TargetFilter};

use crate::{Engine, TargetView};

impl Engine {
    /// Targets that match any of `filters`, of which no two may match the same target: newest task
    /// first. `offset` and `limit` of the filters themselves do not count.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn targets_of_any(
        &self,
        filters: &[TargetFilter],
        offset: u64,
        limit: u64,
    ) -> Result<Page<TargetView>, Error> {
        if let [only] = filters {
            return self.targets(&TargetFilter { offset, limit, ..only.clone() }).await;
        }
        let (mut rows, mut total) = (Vec::new(), 0);
        let deepest = offset.saturating_add(limit);
        for filter in filters {
            let filter = TargetFilter { offset: 0, limit: deepest, ..filter.clone() };
            let page = self.targets(&filter).await?;
            total += page.total;
            rows.extend(page.rows);
        }
        rows.sort_by(|a, b| {
            let key = |view: &TargetView| {
                (Reverse(view.row.task.created_at), Reverse(view.row.task.id.clone()), view.row.id)
            };
            key(a).cmp(&key(b))
        });
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Page { rows: rows.into_iter().skip(skip).take(take).collect(), total })
    }
}
