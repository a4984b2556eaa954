//! Every action of API 3.0, whichever product has it.

use super::{
    cdn::{self, domain, purge, push},
    teo,
};

/// An action of one of the products.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    CdnPush(push::Action),
    CdnDomain(domain::Action),
    CdnPurge(purge::Action),
    Teo(teo::Action),
}

impl Action {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CdnPush(action) => action.name(),
            Self::CdnDomain(action) => action.name(),
            Self::CdnPurge(action) => action.name(),
            Self::Teo(action) => action.name(),
        }
    }

    /// The version that names its API.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::CdnPush(_) | Self::CdnDomain(_) | Self::CdnPurge(_) => cdn::VERSION,
            Self::Teo(_) => teo::VERSION,
        }
    }

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let pushes = push::Action::ALL.into_iter().map(Self::CdnPush);
        let domains = domain::Action::ALL.into_iter().map(Self::CdnDomain);
        let purges = purge::Action::ALL.into_iter().map(Self::CdnPurge);
        let teo = teo::Action::ALL.iter().copied().map(Self::Teo);
        pushes.chain(domains).chain(purges).chain(teo)
    }

    /// The action with this name; `None` = the version does not have it.
    ///
    /// # Errors
    /// [`NoVersion`] where no product has the version.
    pub(crate) fn find(name: &str, version: &str) -> Result<Option<Self>, NoVersion> {
        match version {
            cdn::VERSION => Ok(push::Action::from_name(name)
                .map(Self::CdnPush)
                .or_else(|| domain::Action::from_name(name).map(Self::CdnDomain))
                .or_else(|| purge::Action::from_name(name).map(Self::CdnPurge))),
            teo::VERSION => Ok(teo::Action::from_name(name).map(Self::Teo)),
            _ => Err(NoVersion),
        }
    }
}

/// That a version is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoVersion;
