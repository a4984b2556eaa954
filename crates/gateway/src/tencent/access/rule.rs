//! What an action touches, and the refusal of a caller who may not use it.

use std::fmt;

use stoker_domain::policy::Action;

use crate::tencent::message::Message;

/// The rule of an action.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The service that policies name.
    pub(super) service: &'static str,
    /// The action's own name.
    pub(super) name: &'static str,
    /// The newer action whose permission covers it too.
    pub(super) also: Option<&'static str>,
    /// What it touches.
    pub(super) touches: Touches,
    /// The parameter that has playlists followed, which may lead to further resources.
    pub(super) playlists: Option<&'static str>,
    /// Codes of a refusal: of the action everywhere, and of a resource.
    pub(super) codes: [&'static str; 2],
}

impl Rule {
    /// The rule of an action of `service`.
    pub(crate) const fn new(
        service: &'static str,
        name: &'static str,
        touches: Touches,
        codes: [&'static str; 2],
    ) -> Self {
        Self { service, name, also: None, touches, playlists: None, codes }
    }

    /// The same, allowed also by who may use the newer action `also`.
    pub(crate) const fn or_allowed_as(self, also: &'static str) -> Self {
        Self { also: Some(also), ..self }
    }

    /// Whether no policy can grant the action.
    pub(crate) const fn is_root_only(&self) -> bool {
        matches!(self.touches, Touches::NotForUsers)
    }

    /// The same, with a parameter that has playlists followed.
    pub(crate) const fn following(self, playlists: &'static str) -> Self {
        Self { playlists: Some(playlists), ..self }
    }

    /// The names under which policies allow the action; at least one.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let action = |name: &str| Action { service: self.service.into(), name: name.into() };
        [Some(self.name), self.also].into_iter().flatten().map(action).collect()
    }
}

/// What an action touches. Texts are names of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touches {
    /// Nothing that a policy can name: needs the resource `*`.
    Nothing,
    /// What no policy can grant.
    NotForUsers,
    /// The domains of a list of URLs.
    Urls(&'static str),
    /// One domain.
    Domain(&'static str),
    /// It shows domains: those that its parameters name, otherwise those that the caller may see.
    Domains(&'static [&'static str]),
    /// The zone of `ZoneId`; `*` is every zone.
    Zone,
    /// It shows the zone of `ZoneId`, otherwise the zones that the caller may see.
    Zones,
}

/// Why a caller may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No statement allows the action on anything.
    Action,
    /// The action is not allowed on this.
    Resource,
    /// The action is for the root user only.
    User,
}

/// That a caller may not do what was asked for. What is printed is the vendor's sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) kind: Kind,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) codes: [&'static str; 2],
    /// The statement that denies it; absent when merely nothing allows it.
    pub(super) denied_by: Option<String>,
}

impl Refused {
    /// The code of API 3.0.
    pub(crate) const fn code(&self) -> &'static str {
        match self.kind {
            Kind::Action | Kind::User => self.codes[0],
            Kind::Resource => self.codes[1],
        }
    }

    /// What the caller reads.
    pub(crate) fn message(&self) -> Message {
        let Self { action, resource, .. } = self;
        let zh = format!(
            "您没有执行操作 ({action}) 的权限\n资源 ({resource}) 未授权，请联系主账号授权\n"
        );
        Message::new(self.to_string(), zh)
    }

    /// What the log reads.
    pub(crate) fn for_log(&self) -> String {
        let Self { action, resource, denied_by, .. } = self;
        let by = denied_by.as_deref().unwrap_or("no statement allows it");
        format!("{action} on {resource}: {by}")
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, resource, .. } = self;
        writeln!(f, "you are not authorized to perform operation ({action})")?;
        writeln!(f, "resource ({resource}) has no permission")
    }
}

impl std::error::Error for Refused {}
