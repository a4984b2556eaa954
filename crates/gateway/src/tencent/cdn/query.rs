//! What the two lists of this product, of pushes and of purges, select by.

use std::time::Duration;

use stoker_domain::{
    area::{Area, AreaScope},
    host::is_domain_name,
    target::Target,
    task::TaskId,
    time::Timestamp,
};

use crate::tencent::{
    common::{
        clock,
        refusal::{self, Refusal},
    },
    message::Message,
    params::Params,
};

/// Rows of a page at most.
const MOST: i64 = 1000;

/// Why a list is refused, other than for one parameter alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Neither `TaskId` nor `StartTime`.
    #[error("one of `TaskId` and `StartTime` must be given")]
    NoSelection,
    /// The range ends before it begins.
    #[error("`EndTime` lies before `StartTime`")]
    DateOrder,
    /// Neither a domain nor a URL.
    #[error("parameter `Keyword` must be a domain or a full URL")]
    Keyword,
}

impl Error {
    /// What the caller reads.
    pub(super) fn message(self) -> Message {
        let zh = match self {
            Self::NoSelection => "`TaskId` 和 `StartTime` 必须填写其中之一",
            Self::DateOrder => "`EndTime` 早于 `StartTime`",
            Self::Keyword => "参数 `Keyword` 必须是域名或完整的 URL",
        };
        Message::new(self.to_string(), zh)
    }

    /// The rule that is broken, without what was given.
    pub(super) const fn for_log(self) -> &'static str {
        match self {
            Self::NoSelection => "neither TaskId nor StartTime",
            Self::DateOrder => "EndTime before StartTime",
            Self::Keyword => "Keyword",
        }
    }
}

/// What a list is asked for, without what only one of them has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// From then on.
    pub(super) from: Option<Timestamp>,
    /// Until then.
    pub(super) to: Option<Timestamp>,
    /// Only this task.
    pub(super) task: Option<TaskId>,
    /// Only what reaches this area; `None` also for `global`, which finds all.
    pub(super) area: Option<Area>,
    /// Only this URL.
    pub(super) url: Option<String>,
    /// Only this host.
    pub(super) host: Option<String>,
    pub(super) offset: u64,
    pub(super) limit: u64,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn read<E>(params: &mut Params) -> Result<Self, E>
    where
        E: From<Refusal> + From<Error>,
    {
        let from = time(params, "StartTime")?;
        // times have whole seconds, and the last one belongs to the range
        let to = time(params, "EndTime")?.map(|time| time + Duration::from_millis(999));
        let task = params.given("TaskId").map_err(Refusal::from)?.map(TaskId);
        let (offset, limit) = refusal::page(params, MOST)?;
        let area = match refusal::parsed(params, "Area")? {
            None | Some(AreaScope::Global) => None,
            Some(AreaScope::Mainland) => Some(Area::Mainland),
            Some(AreaScope::Overseas) => Some(Area::Overseas),
        };
        let keyword = params.given("Keyword").map_err(Refusal::from)?;
        let (url, host) = keyword.map_or(Ok((None, None)), |keyword| read_keyword(&keyword))?;
        let query = Self { from, to, task, area, url, host, offset, limit };
        query.check()?;
        Ok(query)
    }

    fn check(&self) -> Result<(), Error> {
        if self.task.is_none() && self.from.is_none() {
            return Err(Error::NoSelection);
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| to < from) {
            return Err(Error::DateOrder);
        }
        Ok(())
    }
}

fn time(params: &mut Params, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    refusal::time(params, name, "YYYY-MM-DD HH:MM:SS", clock::parse)
}

/// The URL or the host that a keyword is.
fn read_keyword(keyword: &str) -> Result<(Option<String>, Option<String>), Error> {
    if keyword.contains("://") {
        let target = Target::parse(keyword, true).map_err(|_| Error::Keyword)?;
        return Ok((Some(target.url), None));
    }
    let host = Some(keyword.to_ascii_lowercase()).filter(|host| is_domain_name(host));
    Ok((None, Some(host.ok_or(Error::Keyword)?)))
}
