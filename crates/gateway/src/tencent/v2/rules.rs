//! The rules of API v2, one for each action. Policies allow an action under its own name or under
//! that of the newer action that took its place.

use super::action::Action;
use crate::tencent::access::{Rule, Touches};

/// The rule of an action, whose codes are numbers that the errors of this API know.
pub(crate) const fn rule(action: Action) -> Rule {
    use Action as A;
    let (also, touches) = match action {
        A::CdnPusherV2 | A::CdnOverseaPushser => ("PushUrlsCache", Touches::Urls("urls")),
        A::CdnUrlPusher | A::FlushOrPushOverall => ("PushUrlsCache", Touches::NotForUsers),
        A::GetPushLogs => ("DescribePushTasks", Touches::Domains(&["hosts"])),
        A::GetCdnOverseaPushLogs => ("DescribePushTasks", Touches::Domains(&[])),
        A::GetFlushQuota => ("DescribePushQuota", Touches::Nothing),
        A::RefreshCdnUrl | A::RefreshCdnOverSeaUrl => ("PurgeUrlsCache", Touches::Urls("urls")),
        A::RefreshCdnDir | A::RefreshCdnOverSeaDir => ("PurgePathCache", Touches::Urls("dirs")),
        A::GetCdnRefreshLog => ("DescribePurgeTasks", Touches::Domains(&["host", "url"])),
    };
    Rule::new("cdn", action.name(), touches, ["", ""]).or_allowed_as(also)
}
