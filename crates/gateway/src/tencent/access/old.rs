//! The rules of API v2, one for each action. Policies allow an action under its own name or under
//! that of the newer action that took its place.

use super::rule::{Rule, Touches};
use crate::tencent::v2::Action;

impl Rule {
    /// The rule of an action of API v2, whose codes are numbers that its own errors know.
    pub(crate) const fn of_old(action: Action) -> Self {
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
        Self {
            service: "cdn",
            name: action.name(),
            also: Some(also),
            touches,
            playlists: None,
            codes: ["", ""],
        }
    }
}
