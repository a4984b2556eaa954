//! A table of codes with one row for each way to fail, and the rules that the tables of API 3.0 and of
//! API v2 keep.

use std::{collections::BTreeSet, fmt::Write};

use stoker_domain::target;
use stoker_engine::{Error as EngineError, ErrorKind, SubmitError};

use crate::auth::{token, v1::caller};

/// One way to fail.
pub(crate) struct Row {
    /// What the snapshot shows first: the code and all that stands beside it.
    pub(crate) head: String,
    /// The code as the compatibility document writes it.
    pub(crate) documented: String,
    pub(crate) english: String,
    pub(crate) chinese: String,
    pub(crate) log: String,
    /// The vendor's own sentence, which is English in both languages.
    pub(crate) is_vendors_own: bool,
}

/// The table as its snapshot pins it.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for Row { head, english, chinese, log, .. } in rows {
        writeln!(text, "{head}\n  {english}").unwrap();
        if chinese != english {
            writeln!(text, "  {chinese}").unwrap();
        }
        writeln!(text, "  log: {log}").unwrap();
    }
    text
}

pub(crate) fn assert_no_log_reads_a_url(rows: &[Row]) {
    for Row { log, .. } in rows {
        assert!(!log.contains("secret") && !log.contains("www.test.com/"), "{log}");
    }
}

pub(crate) fn assert_every_code_is_documented(rows: &[Row]) {
    let document = include_str!("../../../../../docs/compat/tencent.md");
    for Row { documented, .. } in rows {
        assert!(document.contains(documented), "{documented} is not in docs/compat/tencent.md");
    }
}

pub(crate) fn assert_each_sentence_is_in_one_language(rows: &[Row]) {
    for Row { english, chinese, is_vendors_own, .. } in rows {
        assert!(!is_chinese(english), "{english}");
        assert!(*is_vendors_own || is_chinese(chinese) && !has_english(chinese), "{chinese}");
    }
}

pub(crate) fn assert_both_languages_name_the_same(rows: &[Row]) {
    let named = |text: &str| -> BTreeSet<String> {
        text.split('`').skip(1).step_by(2).map(Into::into).collect()
    };
    for Row { english, chinese, .. } in rows {
        assert_eq!(named(chinese), named(english), "{chinese} / {english}");
    }
}

pub(crate) fn assert_no_sentence_names_a_command(rows: &[Row]) {
    for text in rows.iter().flat_map(|row| [&row.english, &row.chinese]) {
        assert!(!text.contains("stoker"), "{text}");
    }
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Whether two English words stand side by side outside of what is quoted.
fn has_english(text: &str) -> bool {
    let unquoted: String = text.split('`').step_by(2).collect();
    let is_word =
        |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words: Vec<&str> = unquoted.split(' ').collect();
    words.windows(2).any(|pair| pair.iter().all(is_word))
}

#[test]
fn english_in_a_chinese_sentence_is_two_words_side_by_side() {
    assert!(
        has_english("参数 must be one of") && !has_english("参数 `a b` 超过了 32 KB 的 GET 上限")
    );
}

/// A failure of the ledger.
pub(crate) fn ledger() -> EngineError {
    EngineError {
        verb: "submit a task",
        kind: ErrorKind::Unavailable,
        cause: Some("disk I/O error".into()),
    }
}

/// A URL that is refused; its query is what no log may read.
pub(crate) fn url(error: target::Error) -> SubmitError {
    SubmitError::Url { index: 2, url: "http://www.test.com/a?token=secret".into(), error }
}

/// Every way in which the caller of a call with signature v1 is refused.
pub(crate) fn callers() -> [caller::Error; 7] {
    use caller::Error as E;
    [
        E::Missing("Nonce"),
        E::Number("Nonce"),
        E::SecretId,
        E::Expired,
        E::Signature,
        E::Token(token::Error::Wrong),
        E::Ledger(ledger()),
    ]
}
