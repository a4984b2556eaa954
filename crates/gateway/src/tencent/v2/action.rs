//! The actions of API v2, by name.

/// The actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    CdnPusherV2,
    CdnOverseaPushser,
    CdnUrlPusher,
    FlushOrPushOverall,
    GetPushLogs,
    GetCdnOverseaPushLogs,
    GetFlushQuota,
    RefreshCdnUrl,
    RefreshCdnOverSeaUrl,
    RefreshCdnDir,
    RefreshCdnOverSeaDir,
    GetCdnRefreshLog,
}

impl Action {
    pub(crate) const ALL: [Self; 12] = [
        Self::CdnPusherV2,
        Self::CdnOverseaPushser,
        Self::CdnUrlPusher,
        Self::FlushOrPushOverall,
        Self::GetPushLogs,
        Self::GetCdnOverseaPushLogs,
        Self::GetFlushQuota,
        Self::RefreshCdnUrl,
        Self::RefreshCdnOverSeaUrl,
        Self::RefreshCdnDir,
        Self::RefreshCdnOverSeaDir,
        Self::GetCdnRefreshLog,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CdnPusherV2 => "CdnPusherV2",
            Self::CdnOverseaPushser => "CdnOverseaPushser",
            Self::CdnUrlPusher => "CdnUrlPusher",
            Self::FlushOrPushOverall => "FlushOrPushOverall",
            Self::GetPushLogs => "GetPushLogs",
            Self::GetCdnOverseaPushLogs => "GetCdnOverseaPushLogs",
            Self::GetFlushQuota => "GetFlushQuota",
            Self::RefreshCdnUrl => "RefreshCdnUrl",
            Self::RefreshCdnOverSeaUrl => "RefreshCdnOverSeaUrl",
            Self::RefreshCdnDir => "RefreshCdnDir",
            Self::RefreshCdnOverSeaDir => "RefreshCdnOverSeaDir",
            Self::GetCdnRefreshLog => "GetCdnRefreshLog",
        }
    }

    /// The action with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}
