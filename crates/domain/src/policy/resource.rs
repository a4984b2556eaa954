//! Resources: what a call touches, and the six-segment forms in which a statement names some.

use std::{fmt, str::FromStr};

use super::{caller::Caller, error::Problem, pattern::Pattern};

/// One thing that a call touches, in lower case: `qcs:<project>:<service>:<region>:<account>:<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    project: String,
    service: String,
    region: String,
    account: String,
    name: String,
    tags: Vec<String>,
}

impl Resource {
    /// The resource `name` (such as `domain/www.example.com`) of a service without regions, owned by
    /// the root user `owner_uin`.
    pub fn new(service: &str, owner_uin: &str, name: &str) -> Self {
        Self {
            project: String::new(),
            service: service.to_ascii_lowercase(),
            region: String::new(),
            account: format!("uin/{owner_uin}"),
            name: name.to_ascii_lowercase(),
            tags: Vec::new(),
        }
    }

    /// The resource with the tags bound to it, each as `key&value`. Conditions on
    /// `qcs:resource_tag` and `qcs:tag` read them here, so that a tag of one resource never speaks
    /// for another.
    #[must_use]
    pub fn with_tags(mut self, tags: Vec<String>) -> Self {
        self.tags = tags;
        self
    }

    pub(super) fn tags(&self) -> &[String] {
        &self.tags
    }
}

/// A text that does not name one resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("resource `{0}` is not of the form `qcs::service:region:uin/number:resource`")]
pub struct NotAResource(pub String);

impl FromStr for Resource {
    type Err = NotAResource;

    fn from_str(text: &str) -> Result<Self, NotAResource> {
        let lower = text.to_ascii_lowercase();
        match segments(&lower) {
            Some([project, service, region, account, name])
                if !account.is_empty() && !lower.contains('*') =>
            {
                Ok(Self {
                    project: project.into(),
                    service: service.into(),
                    region: region.into(),
                    account: account.into(),
                    name: name.into(),
                    tags: Vec::new(),
                })
            }
            _ => Err(NotAResource(text.into())),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, service, region, account, name, .. } = self;
        write!(f, "qcs:{project}:{service}:{region}:{account}:{name}")
    }
}

/// The resources that a statement names.
#[derive(Clone, Debug)]
pub(super) enum ResourcePattern {
    /// `*`: all, and calls that name none.
    Any,
    /// Those whose segments all match.
    Segments(Box<Segments>),
}

/// One pattern for each segment; absent where the segment is empty.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    project: Option<Pattern>,
    service: Pattern,
    region: Option<Pattern>,
    account: Option<Pattern>,
    name: Pattern,
}

impl ResourcePattern {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let [project, service, region, account, name] =
            segments(text).ok_or_else(|| Problem::Resource(text.into()))?;
        let unless_empty = |segment: &str| {
            (!segment.is_empty()).then(|| Pattern::parse_lower_case(segment)).transpose()
        };
        let segments = Segments {
            project: unless_empty(project)?,
            service: Pattern::parse_lower_case(service)?,
            region: unless_empty(region)?,
            // both forms without a number stand in policies that people write
            account: unless_empty(
                account.strip_prefix("uin/").filter(|it| it.is_empty()).unwrap_or(account),
            )?,
            name: Pattern::parse_lower_case(name)?,
        };
        let plain = [segments.project.as_ref(), Some(&segments.service), segments.region.as_ref()];
        if plain.into_iter().flatten().any(Pattern::has_variables) {
            return Err(Problem::VariablePlace(text.into()));
        }
        Ok(Self::Segments(Box::new(segments)))
    }

    /// Whether the resource is among them; `None` = the call names no resource.
    pub(super) fn matches(&self, resource: Option<&Resource>, caller: &Caller) -> bool {
        match (self, resource) {
            (Self::Any, _) => true,
            (Self::Segments(_), None) => false,
            (Self::Segments(segments), Some(resource)) => segments.match_all(resource, caller),
        }
    }
}

impl Segments {
    fn match_all(&self, resource: &Resource, caller: &Caller) -> bool {
        let matches = |pattern: &Pattern, segment: &str| pattern.matches(segment, caller);
        let is_owners = || resource.account.strip_prefix("uin/") == Some(&caller.owner_uin);
        matches(&self.service, &resource.service)
            && matches(&self.name, &resource.name)
            && self.account.as_ref().map_or_else(is_owners, |it| matches(it, &resource.account))
            && self.region.as_ref().is_none_or(|it| matches(it, &resource.region))
            && self.project.as_ref().is_none_or(|it| matches(it, &resource.project))
    }
}

/// The segments after `qcs`; the last may hold colons. Service and name are never empty.
fn segments(text: &str) -> Option<[&str; 5]> {
    let segments: Vec<&str> = text.strip_prefix("qcs:")?.splitn(5, ':').collect();
    let segments: [&str; 5] = segments.try_into().ok()?;
    (!segments[1].is_empty() && !segments[4].is_empty()).then_some(segments)
}
