//! The error that a command ends with: one sentence with its causes, and a hint.
//!
//! The chain of causes is joined here, once; errors below print only their own level.

use std::{error::Error, fmt::Write, process::ExitCode};

use crate::output;

/// Exit code for wrong usage, as clap has it.
const USAGE: u8 = 2;

/// Exit code of a command that Ctrl-C ended, as shells have it.
const INTERRUPTED: u8 = 130;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// A failure with exit code 1 that appends `error` and its causes to `message`.
    pub(crate) fn because(message: impl Into<String>, error: &dyn Error) -> Self {
        let mut message = message.into();
        let mut cause = Some(error);
        while let Some(error) = cause {
            // writing to a string cannot fail
            let _ = write!(message, ": {error}");
            cause = error.source();
        }
        Self::new(message)
    }

    /// A failure with exit code 1 that is `error` with its causes.
    pub(crate) fn because_of(error: &dyn Error) -> Self {
        match error.source() {
            Some(cause) => Self::because(error.to_string(), cause),
            None => Self::new(error.to_string()),
        }
    }

    /// Wrong usage: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(message).into_usage()
    }

    /// Ctrl-C ended the command; the message says what continues: exit code 130.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Self { code: INTERRUPTED, ..Self::new(message) }
    }

    /// The same as wrong usage: exit code 2.
    #[must_use]
    pub(crate) fn into_usage(self) -> Self {
        Self { code: USAGE, ..self }
    }

    /// Adds a hint, which is printed on its own line.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As [`Self::hint`], when there is one.
    #[must_use]
    pub(crate) fn maybe_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }

    /// The sentence, without the hint.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The hint, if there is one.
    pub(crate) fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Writes it to standard error.
    pub(crate) fn print(&self) {
        match self.code {
            INTERRUPTED => output::note(&self.message),
            _ => output::error(&self.message),
        }
        if let Some(hint) = &self.hint {
            output::hint(hint);
        }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}
