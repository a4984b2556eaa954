//! Texts with variables, and patterns with wildcards: how an action, a resource or a condition
//! value is compared with what a call names.
//!
//! Matching takes time linear in pattern and subject: no policy can make a call slow.

use std::borrow::Cow;

use super::{caller::Caller, error::Problem};

#[derive(Clone, Copy, Debug)]
enum Variable {
    Uin,
    OwnerUin,
    AppId,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// A text in which variables may stand.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

impl Template {
    /// Reads `text`, in which every `${` begins a variable.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let end = rest[start..].find('}').map_or(rest.len(), |length| start + length + 1);
            let variable = match &rest[start..end] {
                "${uin}" => Variable::Uin,
                "${owner_uin}" => Variable::OwnerUin,
                "${app_id}" => Variable::AppId,
                unknown => return Err(Problem::Variable(unknown.into())),
            };
            let text = &rest[..start];
            if !text.is_empty() {
                parts.push(Part::Text(text.into()));
            }
            parts.push(Part::Variable(variable));
            rest = &rest[end..];
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Self(parts))
    }

    /// The text, with the caller's values for its variables.
    pub(super) fn resolve<'a>(&'a self, caller: &'a Caller) -> Cow<'a, str> {
        match self.0.as_slice() {
            [part] => part.resolve(caller),
            parts => parts.iter().map(|part| part.resolve(caller)).collect::<String>().into(),
        }
    }

    /// The text itself, if no variable stands in it.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    fn lower_case(&mut self) {
        for part in &mut self.0 {
            if let Part::Text(text) = part {
                text.make_ascii_lowercase();
            }
        }
    }
}

impl Part {
    fn resolve<'a>(&'a self, caller: &'a Caller) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Variable(Variable::Uin) => caller.uin.as_str().into(),
            Self::Variable(Variable::OwnerUin) => caller.owner_uin.as_str().into(),
            Self::Variable(Variable::AppId) => caller.app_id.to_string().into(),
        }
    }
}

/// A text in which `*` stands for any characters, or none.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// What stands before, between and after the wildcards; one more than there are wildcards.
    pieces: Vec<Template>,
}

impl Pattern {
    /// Reads a pattern that regards case.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        Ok(Self { pieces: text.split('*').map(Template::parse).collect::<Result<_, _>>()? })
    }

    /// Reads a pattern for subjects in lower case.
    pub(super) fn parse_lower_case(text: &str) -> Result<Self, Problem> {
        let mut pattern = Self::parse(text)?;
        pattern.pieces.iter_mut().for_each(Template::lower_case);
        Ok(pattern)
    }

    /// Whether a variable stands in it.
    pub(super) fn has_variables(&self) -> bool {
        self.pieces.iter().any(|piece| piece.literal().is_none())
    }

    /// Whether the pattern, with the caller's values for its variables, is the whole of `subject`.
    pub(super) fn matches(&self, subject: &str, caller: &Caller) -> bool {
        self.find(subject, caller).is_some()
    }

    fn find(&self, subject: &str, caller: &Caller) -> Option<()> {
        let (first, rest) = self.pieces.split_first()?;
        let first = first.resolve(caller);
        let Some((last, middle)) = rest.split_last() else {
            return (first == subject).then_some(());
        };
        let inner = subject.strip_prefix(first.as_ref())?;
        let mut inner = inner.strip_suffix(last.resolve(caller).as_ref())?;
        // The leftmost place for each piece leaves most to those after it: no need to go back.
        for piece in middle {
            let piece = piece.resolve(caller);
            let start = inner.find(piece.as_ref())?;
            inner = &inner[start + piece.len()..];
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caller() -> Caller {
        Caller { uin: "200*".into(), owner_uin: "100".into(), app_id: 7 }
    }

    fn matches(pattern: &str, subject: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(subject, &caller())
    }

    /// Tries every length for every wildcard.
    fn naive(pattern: &[char], subject: &[char]) -> bool {
        match pattern.split_first() {
            None => subject.is_empty(),
            Some(('*', rest)) => (0..=subject.len()).any(|skip| naive(rest, &subject[skip..])),
            Some((first, rest)) => subject.first() == Some(first) && naive(rest, &subject[1..]),
        }
    }

    #[test]
    fn a_wildcard_stands_for_any_characters_or_none() {
        for (pattern, subject, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "x", true),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*b*", "abc", true),
            ("*ab*bc*", "abc", false),
            ("*ab*bc*", "abbc", true),
            ("中*文", "中国文", true),
        ] {
            assert_eq!(matches(pattern, subject), expected, "`{pattern}` `{subject}`");
        }
    }

    #[test]
    fn a_wildcard_in_a_variables_value_is_a_plain_character() {
        assert!(matches("u/${uin}", "u/200*"));
        assert!(!matches("u/${uin}", "u/2001"));
        assert!(matches("${owner_uin}-${app_id}*", "100-7x"));
    }

    #[test]
    fn a_variable_that_does_not_exist_or_end_is_named() {
        for (text, named) in
            [("a${Uin}b", "${Uin}"), ("${", "${"), ("x${uin", "${uin"), ("${uin}${}", "${}")]
        {
            assert_eq!(Pattern::parse(text).unwrap_err(), Problem::Variable(named.into()));
        }
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let pattern = format!("{}b", "*a".repeat(2000));
        assert!(!matches(&pattern, &"a".repeat(1 << 20)));
        let pattern = format!("*{}b*", "a".repeat(2000));
        assert!(!matches(&pattern, &"a".repeat(1 << 20)));
    }

    proptest! {
        #[test]
        fn matching_agrees_with_trying_everything(pattern in "[ab*]{0,8}", subject in "[ab]{0,10}") {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                matches(&pattern, &subject),
                naive(&characters(&pattern), &characters(&subject))
            );
        }
    }
}
