//! Why a text is not a policy, said with the place: which statement, which key, which value.

use std::error;

/// Characters that a policy may have, blanks left out.
pub const MAX_LENGTH: usize = 4096;

/// Why a text is not a policy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More than [`MAX_LENGTH`] characters that are not blank.
    #[error("the policy has {0} characters, blanks left out: the limit is {MAX_LENGTH}")]
    TooLong(usize),
    /// The caller's parser does not take it; its complaint is the source.
    #[error("the policy cannot be parsed")]
    Syntax(#[source] Box<dyn error::Error + Send + Sync>),
    /// Parsed, but not an object.
    #[error("the policy is not an object")]
    NotAnObject,
    /// A key besides `version` and `statement`.
    #[error("unknown key `{0}`: a policy has `version` and `statement`, in lower case")]
    UnknownKey(String),
    /// A key that stands twice.
    #[error("key `{0}` stands twice")]
    RepeatedKey(String),
    /// A key that must be there.
    #[error("key `{0}` is missing")]
    Missing(&'static str),
    /// Any other version, or the number 2.0.
    #[error("the version must be the string `2.0`")]
    Version,
    /// Neither an object nor a list.
    #[error("`statement` must be an object or a list of objects")]
    StatementType,
    /// An empty list.
    #[error("the policy has no statement")]
    NoStatement,
    /// Something inside a statement.
    #[error("statement {number}: {problem}")]
    Statement {
        /// Which statement; the first is 1.
        number: usize,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else in the list of statements.
    #[error("is not an object")]
    NotAnObject,
    /// A key that no statement has.
    #[error(
        "unknown key `{0}`: a statement has `effect`, `action`, `resource` and `condition`, in \
         lower case"
    )]
    UnknownKey(String),
    /// The key of role policies.
    #[error("`principal` belongs to role policies: attach the policy to a user or a group instead")]
    Principal,
    /// A key that stands twice, in the statement or in its condition.
    #[error("key `{0}` stands twice")]
    RepeatedKey(String),
    /// A key that must be there.
    #[error("key `{0}` is missing")]
    Missing(&'static str),
    /// Neither `allow` nor `deny`.
    #[error("unknown effect `{0}`: it is `allow` or `deny`")]
    Effect(String),
    /// Something else than a string.
    #[error("`effect` must be a string")]
    EffectType,
    /// Something else than strings.
    #[error("`{0}` must be a string or a list of strings")]
    NotStrings(&'static str),
    /// An empty list.
    #[error("`{0}` is an empty list")]
    Empty(&'static str),
    /// Not one of the forms of an action.
    #[error("action `{0}` is none of `*`, `service:name`, `name/service:name` and `permid/number`")]
    Action(String),
    /// Not one of the forms of a resource.
    #[error(
        "resource `{0}` is neither `*` nor of the form `qcs::service:region:uin/number:resource`"
    )]
    Resource(String),
    /// A variable in a segment that takes none.
    #[error("resource `{0}` has a variable outside its last two segments")]
    VariablePlace(String),
    /// A variable that does not exist or does not end.
    #[error("unknown variable `{0}`: there are `${{uin}}`, `${{owner_uin}}` and `${{app_id}}`")]
    Variable(String),
    /// Something else than an object.
    #[error("`condition` must be an object of operators")]
    ConditionType,
    /// An operator that does not exist, or not with this prefix or suffix.
    #[error("unknown condition operator `{0}`")]
    Operator(String),
    /// An operator with something else than keys, or with none.
    #[error("`{0}` must be an object with at least one condition key")]
    OperatorType(String),
    /// A condition key without values, or with other things than values.
    #[error("`{operator}`: `{key}` must have a value or a list of values")]
    ConditionValues {
        /// The operator as written.
        operator: String,
        /// The condition key.
        key: String,
    },
    /// A value that the operator cannot compare with.
    #[error("`{operator}`: `{value}` is not {expected}")]
    ConditionValue {
        /// The operator as written.
        operator: String,
        /// The value as written.
        value: String,
        /// What would have been taken, as shown to a person.
        expected: &'static str,
    },
}
