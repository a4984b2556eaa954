//! For whom a reply is: for all who ask with the fields that its `Vary` names, for one viewer, or for
//! nobody, because fields of a task decided it.
//!
//! What is stored answers everybody. So the origin gets few fields of the viewer who happens to come
//! first; it is asked again with those that `Vary` names, and with all of them when what it answers
//! is not kept and may be about the viewer. A task may send what it likes, and what comes is kept
//! only where the origin answers the same without.

use http::{HeaderMap, HeaderName, StatusCode, header};
use stoker_domain::{
    http::{identifies_client, shares_with_cookies, varying},
    outcome::{Outcome, Uncacheable},
};

use super::{
    driver::{Driver, Stop},
    extent::Extent,
    head::is_content,
    opening::Judged,
    reply::Reply,
};
use crate::origin::Ask;

/// Why what a task asked for is not kept, for a person.
pub(super) const DEPENDS: &str = "without the request headers of the task the origin answers \
                                  otherwise, or cannot tell: `Vary` must name them";

impl Driver {
    /// As [`Self::judge`], and for whom it is; unless the origin has to be asked with other fields of
    /// the viewer.
    pub(super) async fn judged(&self, reply: Reply, selecting: &HeaderMap) -> Result<Judged, Stop> {
        self.check_vary(&reply.response.fields)?;
        let waits = self.keeps && self.fill.state().first_want(false).is_some();
        let (reply, extent, kept) = match self.judge(reply, selecting)? {
            Judged::Pass(_, _, outcome) if waits && self.may_be_about_viewer(outcome) => {
                return Err(Stop::Alone);
            }
            Judged::Keep(reply, ..) if self.hands_too_much(&reply) => return Err(Stop::Plain),
            Judged::Keep(reply, ..)
                if waits && self.request.has_own_fields() && self.depends_on_cookies(&reply) =>
            {
                return Err(Stop::Alone);
            }
            Judged::Keep(reply, extent, lifetime) => (reply, extent, Ok(lifetime)),
            Judged::Pass(reply, extent, outcome) if self.may_be_kept_behind(outcome) => {
                (reply, extent, Err(outcome))
            }
            judged => return Ok(judged),
        };
        if !self.depends_on_cookies(&reply) && self.is_for_all(&reply, &extent).await? {
            return Ok(match kept {
                Ok(lifetime) => Judged::Keep(reply, extent, lifetime),
                Err(outcome) => Judged::Pass(reply, extent, outcome),
            });
        }
        let status = reply.response.status;
        let outcome = match extent.is_partial || is_content(status) {
            true => Outcome::Uncacheable(Uncacheable::RequestFields),
            false => Outcome::OriginStatus(status.as_u16()),
        };
        Ok(Judged::Pass(reply, extent, outcome))
    }

    /// Whether a node behind this one may keep what this one does not, for `outcome` is no word about
    /// the response: it has to hear whom that is for.
    fn may_be_kept_behind(&self, outcome: Outcome) -> bool {
        let is_own =
            matches!(outcome, Outcome::TooLarge | Outcome::Uncacheable(Uncacheable::Unshared));
        is_own && !self.is_alone
    }

    /// Whether a field decided it unseen: the `Vary` of an earlier response named it.
    fn hands_too_much(&self, reply: &Reply) -> bool {
        !self.source.is_parent() && self.request.hands_more_than(&reply.response.fields)
    }

    /// Whether cookies selected it, and nobody says that it may be kept nevertheless.
    fn depends_on_cookies(&self, reply: &Reply) -> bool {
        let fields = &reply.response.fields;
        !self.source.is_parent()
            && varying(fields).any(|name| name == header::COOKIE)
            && self.request.sends_cookies()
            && !shares_with_cookies(fields, &self.request.policy())
    }

    /// Whether nodes behind this one are not to keep what comes either, whatever it says of itself.
    pub(super) fn is_for_nobody_else(&self, outcome: Outcome) -> bool {
        let is_of_task = match outcome {
            Outcome::Uncacheable(Uncacheable::RequestFields) => true,
            Outcome::OriginStatus(_) => !self.request.options.headers.is_empty(),
            _ => false,
        };
        self.is_alone || is_of_task
    }

    /// Whether `reply` is what everybody would get. Of a task with fields that `Vary` does not name,
    /// the origin is asked whether it answers the same without them; what is answered to
    /// `Authorization` needs leave instead.
    async fn is_for_all(&self, reply: &Reply, extent: &Extent) -> Result<bool, Stop> {
        let fields = &reply.response.fields;
        let is_named = |name: &HeaderName| varying(fields).any(|varying| varying == *name);
        let may_select = |name: &HeaderName| *name != header::AUTHORIZATION && !is_named(name);
        let without: Vec<HeaderName> = self.request.task_fields().filter(may_select).collect();
        if self.source.is_parent() || without.is_empty() {
            return Ok(true);
        }
        // who asks seldom selects: it counts what can be seen to differ
        let is_lenient = without.iter().all(identifies_client);
        let if_none_match = fields.get(header::ETAG).cloned();
        if if_none_match.is_none() && !fields.contains_key(header::LAST_MODIFIED) && !is_lenient {
            return Ok(false);
        }
        // one byte of content, where the origin has ranges
        let range = reply.asked.map(|(start, _)| (start, start));
        let ask = Ask { range, if_none_match, without, ..Ask::default() };
        let plain = match self.ask(ask).await {
            Ok(plain) => plain.response,
            // Some servers refuse whoever does not say who asks; that selects no content.
            Err(_) if is_lenient => return Ok(true),
            Err(stop) => return Err(stop),
        };
        if plain.status == StatusCode::NOT_MODIFIED {
            return Ok(true);
        }
        if is_lenient && !is_content(plain.status) && plain.status != StatusCode::PARTIAL_CONTENT {
            return Ok(true);
        }
        let is_same = |name: HeaderName| fields.get(&name) == plain.fields.get(&name);
        Ok(plain.status == reply.response.status
            && Extent::of(plain.status, &plain.fields, range)?.total == extent.total
            && [header::ETAG, header::LAST_MODIFIED, header::CONTENT_TYPE].into_iter().all(is_same))
    }

    /// A response that fields of the viewer select is right only if the origin got these.
    pub(super) fn check_vary(&self, fields: &HeaderMap) -> Result<(), Stop> {
        if self.source.is_parent() {
            return Ok(());
        }
        let withheld: Vec<_> =
            varying(fields).filter(|name| self.request.withholds(name)).collect();
        if withheld.is_empty() { Ok(()) } else { Err(Stop::Select(withheld)) }
    }

    /// Whether an answer that is not kept may be another one for the viewer, whose fields the origin
    /// did not get: what is for all can be kept, and what is not there is there for nobody, unless
    /// cookies tell who asks.
    fn may_be_about_viewer(&self, outcome: Outcome) -> bool {
        if self.source.is_parent() || !self.request.withholds_any() {
            return false;
        }
        match outcome {
            Outcome::Uncacheable(_) => true,
            Outcome::OriginStatus(404 | 410) => self.request.withholds(&header::COOKIE),
            Outcome::OriginStatus(status) => status < 500 && status != 429,
            _ => false,
        }
    }
}
