//! Handing on what is not kept: the first reader gets it as it comes, and a failure is remembered.
//!
//! An error that is kept counts only while it is an answer to those who ask now.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header};
use stoker_domain::{
    http::{Lifetime, age_by_field},
    media::{Manifest, manifest},
    outcome::{Outcome, Uncacheable},
};

use super::{
    driver::{Driver, Stop},
    extent::Extent,
    failures::{Failure, LONGEST_PAGE},
    head::{FillHead, Filled, is_content},
    passing::PassThrough,
    reply::{Reply, made},
    selection::DEPENDS,
};
use crate::store::Stored;

/// How long the content of an error page is waited for before its head is passed on.
const PEEK_TIME: Duration = Duration::from_millis(100);

impl Driver {
    /// Whether path or media type say that it is a playlist.
    pub(super) fn is_playlist(&self, fields: &HeaderMap) -> bool {
        let media_type = fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        manifest(&self.request.path_and_query, media_type) == Some(Manifest::Hls)
    }

    /// Hands the reply to the first reader as it comes.
    pub(super) async fn pass(
        &self,
        reply: Reply,
        extent: &Extent,
        outcome: Outcome,
        by: &HeaderMap,
    ) -> Result<Filled, Stop> {
        let is_playlist = self.is_playlist(&reply.response.fields);
        let is_wanted = self.fill.state().first_want(is_playlist).is_some();
        let hold = match is_wanted {
            true => Some(self.fills.memory().passing(extent.total).await?),
            false => None,
        };
        // whoever keeps it further on has to know how long caches before have
        let corrected_initial_age =
            age_by_field(&reply.response.fields, reply.request_time, reply.response_time);
        let lifetime = Lifetime { lifetime: Duration::ZERO, corrected_initial_age };
        let forward_status = reply.response.status;
        let is_alone = reply.response.alone.is_some() || self.is_for_nobody_else(outcome);
        let answered = format!("{} answered {forward_status}", reply.response.content.sender());
        let detail = match (outcome, self.note()) {
            (Outcome::Uncacheable(Uncacheable::RequestFields), _) => DEPENDS.to_owned(),
            (Outcome::Uncacheable(Uncacheable::NoLifetime), Some(note)) => {
                format!("{answered}: {note}")
            }
            _ => answered,
        };
        let retry_after = reply.response.retry_after;
        let (response, content) = made(reply, extent, lifetime, by);
        let mut filled = self.ended(outcome, &response);
        (filled.size, filled.retry_after) = (extent.total, retry_after);
        filled.detail = Some(detail);
        let head = FillHead {
            response,
            size: extent.total,
            not_kept: Some(outcome),
            is_alone,
            is_revalidated: false,
            forward_status,
            note: self.note(),
        };
        let mut passing = PassThrough::new(content, extent.start, hold);
        if let Outcome::OriginStatus(_) = outcome
            && let Some(content) = passing.peek(LONGEST_PAGE, PEEK_TIME).await
        {
            self.fills.0.failures.remember(Failure {
                request: Arc::clone(&self.request),
                head: Some(head.clone()),
                content,
                broken: None,
                is_exposed: self.is_exposed(),
                filled: filled.clone(),
                asked_at: self.fill.asked_at(),
                is_kept: false,
            });
        }
        if self.keeps && is_content(head.response.status) {
            self.forget_error().await;
        }
        // Before the head is shown: whoever comes from now on asks anew, this is the first one's.
        self.leave_registry();
        if self.fill.state().first_want(is_playlist).is_some() {
            // Before the head too: the first reader takes it as soon as it sees that.
            self.fill.state().passing = Some(passing);
        }
        self.show(head);
        Ok(filled)
    }

    /// `stored`, or what another fill has stored since in its place, unless that is an error that is
    /// too old to be an answer.
    pub(super) async fn without_old_error(&self, stored: Option<Stored>) -> Option<Stored> {
        let Some(since) = self.request.errors_since else { return stored };
        if stored.as_ref().is_some_and(|stored| !is_error(stored)) {
            return stored;
        }
        let key = self.fill.key;
        let stored = self.fills.store().lookup(key, &self.fill.url).await?;
        let is_answer = !is_error(&stored) || self.fills.0.failures.is_kept_since(key, since);
        is_answer.then_some(stored)
    }

    /// The content is there now, though it may not be kept: an error that is kept hides it no more.
    async fn forget_error(&self) {
        let (store, key) = (self.fills.store(), self.fill.key);
        if store.lookup(key, &self.fill.url).await.as_ref().is_some_and(is_error) {
            // should that fail, it is there until it is stale
            let _ = store.remove(key).written().await;
        }
    }
}

fn is_error(stored: &Stored) -> bool {
    stored.response().is_some_and(|response| !is_content(response.status))
}
