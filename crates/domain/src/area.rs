//! Areas and tiers, and which of them a prefetch reaches.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of the two areas in which nodes stand and quotas are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Mainland China.
    Mainland,
    /// Everywhere else.
    Overseas,
}

impl Area {
    /// Both areas, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Mainland, Self::Overseas];

    /// The word used on the wire and in the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mainland => "mainland",
            Self::Overseas => "overseas",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Area {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|area| area.as_str() == word);
        found.ok_or_else(|| UnknownWord { given: word.into(), expected: "`mainland`, `overseas`" })
    }
}

/// A choice of areas: one of them, or `global` for both.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum AreaScope {
    /// Mainland only. The vendor's default.
    #[default]
    Mainland,
    /// Overseas only.
    Overseas,
    /// Both areas.
    Global,
}

impl AreaScope {
    /// The areas in the scope.
    pub const fn areas(self) -> &'static [Area] {
        match self {
            Self::Mainland => &[Area::Mainland],
            Self::Overseas => &[Area::Overseas],
            Self::Global => &Area::ALL,
        }
    }

    /// Whether `area` is in the scope.
    pub fn contains(self, area: Area) -> bool {
        self.areas().contains(&area)
    }

    /// The word used on the wire and in the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mainland => "mainland",
            Self::Overseas => "overseas",
            Self::Global => "global",
        }
    }
}

impl fmt::Display for AreaScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is not one of a closed list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not one of {expected}")]
pub struct UnknownWord {
    /// What was given.
    pub given: String,
    /// The words that would have been taken, as shown to a person.
    pub expected: &'static str,
}

impl FromStr for AreaScope {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "mainland" => Ok(Self::Mainland),
            "overseas" => Ok(Self::Overseas),
            "global" => Ok(Self::Global),
            _ => Err(UnknownWord {
                given: word.into(),
                expected: "`mainland`, `overseas`, `global`",
            }),
        }
    }
}

/// How far from the origin a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Answers viewers.
    Edge,
    /// Stands between edges and origin.
    Middle,
}

impl Tier {
    /// The word used on the wire and in the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Middle => "middle",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "edge" => Ok(Self::Edge),
            "middle" => Ok(Self::Middle),
            _ => Err(UnknownWord { given: word.into(), expected: "`edge`, `middle`" }),
        }
    }
}

/// The tier at which a target of `area` must be held, given the tier that was asked for.
///
/// Where no tier is named, mainland stops at the middle tier and overseas at the edge.
pub const fn tier_for(area: Area, requested: Option<Tier>) -> Tier {
    match (requested, area) {
        (Some(tier), _) => tier,
        (None, Area::Mainland) => Tier::Middle,
        (None, Area::Overseas) => Tier::Edge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_tier_mainland_stops_at_the_middle_and_overseas_at_the_edge() {
        assert_eq!(tier_for(Area::Mainland, None), Tier::Middle);
        assert_eq!(tier_for(Area::Overseas, None), Tier::Edge);
        assert_eq!(tier_for(Area::Overseas, Some(Tier::Middle)), Tier::Middle);
        assert_eq!(tier_for(Area::Mainland, Some(Tier::Edge)), Tier::Edge);
    }

    #[test]
    fn words_are_read_back_as_written() {
        for scope in [AreaScope::Mainland, AreaScope::Overseas, AreaScope::Global] {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert!("Global".parse::<AreaScope>().is_err());
        assert!("shield".parse::<Tier>().is_err());
    }
}
