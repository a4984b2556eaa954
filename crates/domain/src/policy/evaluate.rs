//! Evaluation: which statement decides about a call.

use super::{
    action::Action,
    caller::Caller,
    condition::Context,
    document::{Document, Effect, Statement},
    resource::Resource,
};

/// A document under the name by which it is attached.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The name that a [`Decision`] gives.
    pub name: String,
    /// What it says.
    pub document: Document,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The operation.
    pub action: &'a Action,
    /// All that it touches; empty for an operation that names no resource, such as a query of
    /// quotas.
    pub resources: &'a [Resource],
    /// What else is known of it.
    pub context: &'a Context,
}

/// What was decided, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Allowed: the root user may do everything.
    Root,
    /// Allowed by this statement; of several resources, the first one's.
    Allowed {
        /// The policy's name.
        policy: &'a str,
        /// Which of its statements; the first is 1.
        statement: usize,
    },
    /// Refused by this statement.
    Denied {
        /// The policy's name.
        policy: &'a str,
        /// Which of its statements; the first is 1.
        statement: usize,
        /// What it is about; absent for a call without resources.
        resource: Option<&'a Resource>,
    },
    /// Refused: no statement applies.
    NoMatch {
        /// The first resource to which none applies; absent for a call without resources.
        resource: Option<&'a Resource>,
    },
}

impl Decision<'_> {
    /// Whether the call may go on.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Root | Self::Allowed { .. })
    }
}

/// A statement with its place.
struct Candidate<'a> {
    policy: &'a str,
    number: usize,
    statement: &'a Statement,
}

/// Decides about a call, given all policies of the caller and of its groups.
///
/// Every resource must be allowed; a denied one is reported before one that nothing allows. Whether
/// the resources belong to the caller's account is not looked at: `*` matches those of others.
pub fn evaluate<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    caller: &Caller,
    call: &Call<'a>,
) -> Decision<'a> {
    if caller.is_root() {
        return Decision::Root;
    }
    evaluate_as_bound(policies, caller, call)
}

/// As [`evaluate`], but the root user too may do only what the policies allow: how the policy of a
/// temporary key narrows what its user may do.
pub fn evaluate_as_bound<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    caller: &Caller,
    call: &Call<'a>,
) -> Decision<'a> {
    let candidates: Vec<_> = candidates(policies, caller, call.action).collect();
    let decide = |resource| decide(&candidates, caller, resource, call.context);
    if call.resources.is_empty() {
        return decide(None);
    }
    let mut worst: Option<Decision<'a>> = None;
    for resource in call.resources {
        let decision = decide(Some(resource));
        match decision {
            Decision::Denied { .. } => return decision,
            Decision::NoMatch { .. } if worst.is_none_or(|worst| worst.is_allowed()) => {
                worst = Some(decision);
            }
            _ => {
                worst.get_or_insert(decision);
            }
        }
    }
    worst.unwrap_or(Decision::NoMatch { resource: None })
}

/// Whether some statement allows the operation on some resource, conditions aside. Tells a caller
/// that may not do this at all from one that may not do it here.
pub fn allows_somewhere<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    caller: &Caller,
    action: &Action,
) -> bool {
    caller.is_root() || allows_somewhere_as_bound(policies, caller, action)
}

/// As [`allows_somewhere`] for policies that bind the root user too.
pub fn allows_somewhere_as_bound<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    caller: &Caller,
    action: &Action,
) -> bool {
    candidates(policies, caller, action).any(|it| it.statement.effect == Effect::Allow)
}

/// Whether some statement denies the operation on some resource, conditions aside. Tells a caller
/// who may do this everywhere from one who only may where somebody looked.
pub fn denies_somewhere<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    caller: &Caller,
    action: &Action,
) -> bool {
    candidates(policies, caller, action).any(|it| it.statement.effect == Effect::Deny)
}

/// The statements that name the operation.
fn candidates<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    caller: &Caller,
    action: &Action,
) -> impl Iterator<Item = Candidate<'a>> {
    let lower = Action {
        service: action.service.to_ascii_lowercase(),
        name: action.name.to_ascii_lowercase(),
    };
    let all = policies.into_iter().flat_map(|policy| {
        let statements = policy.document.statements.iter().zip(1..);
        statements.map(|(statement, number)| Candidate { policy: &policy.name, number, statement })
    });
    all.filter(move |it| it.statement.actions.iter().any(|action| action.matches(&lower, caller)))
}

fn decide<'a>(
    candidates: &[Candidate<'a>],
    caller: &Caller,
    resource: Option<&'a Resource>,
    context: &Context,
) -> Decision<'a> {
    let mut decision = Decision::NoMatch { resource };
    for &Candidate { policy, number, statement } in candidates {
        let applies = || {
            statement.resources.iter().any(|pattern| pattern.matches(resource, caller))
                && statement.condition.holds(caller, resource, context)
        };
        match statement.effect {
            Effect::Deny if applies() => {
                return Decision::Denied { policy, statement: number, resource };
            }
            Effect::Allow if !decision.is_allowed() && applies() => {
                decision = Decision::Allowed { policy, statement: number };
            }
            _ => {}
        }
    }
    decision
}
