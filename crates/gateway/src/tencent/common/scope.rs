//! What a caller may be shown: an argument of every action, made by the check of policies.

/// What a caller may be shown of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All there is, and what was there before.
    #[default]
    Everything,
    /// Only these: hosts for actions of `cdn`, ids of zones for actions of `teo`.
    Only(Vec<String>),
}

impl Scope {
    /// The names that may be shown; `None` = all.
    pub(crate) fn names(&self) -> Option<&[String]> {
        match self {
            Self::Everything => None,
            Self::Only(names) => Some(names),
        }
    }

    /// Whether the host (of `teo`: zone) `name` may be shown.
    pub(crate) fn shows(&self, name: &str) -> bool {
        self.names().is_none_or(|names| names.iter().any(|shown| shown == name))
    }

    /// Those of `wanted` that may be shown; `None` = all.
    pub(crate) fn narrow(&self, wanted: Option<Vec<String>>) -> Option<Vec<String>> {
        narrow(self.names(), wanted)
    }
}

/// Those of `wanted` that stand in `within`; in both, `None` = all.
pub(crate) fn narrow(
    within: Option<&[String]>,
    wanted: Option<Vec<String>>,
) -> Option<Vec<String>> {
    match (within, wanted) {
        (None, wanted) => wanted,
        (Some(within), None) => Some(within.to_vec()),
        (Some(within), Some(mut wanted)) => {
            wanted.retain(|name| within.contains(name));
            Some(wanted)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_narrows_what_is_wanted() {
        let names = |list: &[&str]| list.iter().map(|name| String::from(*name)).collect::<Vec<_>>();
        let all = Scope::Everything;
        assert_eq!(all.narrow(None), None);
        assert_eq!(all.narrow(Some(names(&["a"]))), Some(names(&["a"])));
        let some = Scope::Only(names(&["a", "b"]));
        assert_eq!(some.narrow(None), Some(names(&["a", "b"])));
        assert_eq!(some.narrow(Some(names(&["b", "c"]))), Some(names(&["b"])));
        assert_eq!(some.narrow(Some(names(&["c"]))), Some(names(&[])));
        assert!(all.shows("c") && some.shows("b") && !some.shows("c"));
    }
}
