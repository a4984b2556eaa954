//! Which documents are taken, and what is said of the others.

use std::error::Error as _;

use serde_json::json;
use stoker_domain::policy::{Document, MAX_LENGTH};

fn complaint(text: &str) -> String {
    match Document::parse(text, serde_json::from_str) {
        Ok(_) => "taken".into(),
        Err(error) => error.to_string(),
    }
}

/// What is said of a statement after a correct one.
fn complaint_about(statement: &str) -> String {
    let first = r#"{"effect":"allow","action":"*","resource":"*"}"#;
    complaint(&format!(r#"{{"version":"2.0","statement":[{first},{statement}]}}"#))
}

#[test]
fn the_documented_forms_are_taken() {
    for text in [
        r#"{"version":"2.0","statement":[
            {"effect":"allow","action":["cdn:PushUrlsCache","name/cdn:Describe*"],
             "resource":["qcs::cdn::uin/100000000001:domain/www.test.com"],
             "condition":{"ip_equal":{"qcs:ip":["10.0.0.0/8"]}}}]}"#,
        r#"{"version":"2.0","statement":{"effect":"deny","action":"*:*","resource":"*"}}"#,
        r#"{"statement":[{"resource":"*","action":"permid/280649","effect":"deny"}],"version":"2.0"}"#,
        r#"{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*","condition":{}}]}"#,
    ] {
        assert_eq!(complaint(text), "taken", "{text}");
    }
}

#[test]
fn a_document_that_breaks_a_rule_is_refused_with_the_rule() {
    for (text, expected) in [
        ("", "the policy cannot be parsed"),
        ("{", "the policy cannot be parsed"),
        ("[]", "the policy is not an object"),
        ("null", "the policy is not an object"),
        (r#""2.0""#, "the policy is not an object"),
        ("{}", "key `version` is missing"),
        (r#"{"statement":[]}"#, "key `version` is missing"),
        (r#"{"version":"2.0"}"#, "key `statement` is missing"),
        (r#"{"version":"1.0","statement":[]}"#, "the version must be the string `2.0`"),
        (r#"{"version":2.0,"statement":[]}"#, "the version must be the string `2.0`"),
        (r#"{"version":"2.0","statement":[]}"#, "the policy has no statement"),
        (
            r#"{"version":"2.0","statement":"x"}"#,
            "`statement` must be an object or a list of objects",
        ),
        (
            r#"{"Version":"2.0","statement":[]}"#,
            "unknown key `Version`: a policy has `version` and `statement`, in lower case",
        ),
        (r#"{"version":"2.0","version":"2.0","statement":[]}"#, "key `version` stands twice"),
    ] {
        assert_eq!(complaint(text), expected, "{text}");
    }
}

#[test]
fn a_statement_that_breaks_a_rule_is_named_by_its_number() {
    const FORM: &str =
        "a statement has `effect`, `action`, `resource` and `condition`, in lower case";
    for (statement, expected) in [
        ("7", "is not an object".into()),
        (
            r#"{"effect":"permit","action":"*","resource":"*"}"#,
            "unknown effect `permit`: it is `allow` or `deny`".into(),
        ),
        (
            r#"{"effect":"Allow","action":"*","resource":"*"}"#,
            "unknown effect `Allow`: it is `allow` or `deny`".into(),
        ),
        (r#"{"effect":["allow"],"action":"*","resource":"*"}"#, "`effect` must be a string".into()),
        (r#"{"action":"*","resource":"*"}"#, "key `effect` is missing".into()),
        (r#"{"effect":"allow","resource":"*"}"#, "key `action` is missing".into()),
        (r#"{"effect":"allow","action":"*"}"#, "key `resource` is missing".into()),
        (
            r#"{"effect":"allow","effect":"deny","action":"*","resource":"*"}"#,
            "key `effect` stands twice".into(),
        ),
        (r#"{"effect":"allow","action":[],"resource":"*"}"#, "`action` is an empty list".into()),
        (r#"{"effect":"allow","action":"*","resource":[]}"#, "`resource` is an empty list".into()),
        (
            r#"{"effect":"allow","action":7,"resource":"*"}"#,
            "`action` must be a string or a list of strings".into(),
        ),
        (
            r#"{"effect":"allow","action":"*","resource":["*",null]}"#,
            "`resource` must be a string or a list of strings".into(),
        ),
        (
            r#"{"effect":"allow","action":"*","resource":"*","Condition":{}}"#,
            format!("unknown key `Condition`: {FORM}"),
        ),
        (
            r#"{"effect":"allow","not_action":"*","resource":"*"}"#,
            format!("unknown key `not_action`: {FORM}"),
        ),
        (
            r#"{"effect":"allow","principal":{},"action":"*","resource":"*"}"#,
            "`principal` belongs to role policies: attach the policy to a user or a group instead"
                .into(),
        ),
    ] {
        assert_eq!(complaint_about(statement), format!("statement 2: {expected}"), "{statement}");
    }
}

#[test]
fn an_action_or_resource_of_no_known_form_is_named() {
    for action in
        ["", "cdn", "cdn:", ":x", "cdn:a:b", "cdn:a b", "permid/", "permid/x", "name/", "${uin}:a"]
    {
        let found = complaint_about(
            &json!({"effect": "allow", "action": action, "resource": "*"}).to_string(),
        );
        assert!(
            found.starts_with(&format!("statement 2: action `{action}` is none of")),
            "{found}"
        );
    }
    for resource in
        ["", "**", "domain/a", "qcs::cdn::uin/1", "QCS::cdn:::a", "qcs:::::a", "qcs::cdn:::"]
    {
        let found = complaint_about(
            &json!({"effect": "allow", "action": "*", "resource": resource}).to_string(),
        );
        assert!(
            found.starts_with(&format!("statement 2: resource `{resource}` is neither")),
            "{found}"
        );
    }
    for (resource, expected) in [
        (
            "qcs::${uin}:::a",
            "resource `qcs::${uin}:::a` has a variable outside its last two segments",
        ),
        (
            "qcs::cdn:${uin}::a",
            "resource `qcs::cdn:${uin}::a` has a variable outside its last two segments",
        ),
        (
            "qcs::cdn:::a/${user}",
            "unknown variable `${user}`: there are `${uin}`, `${owner_uin}` and `${app_id}`",
        ),
    ] {
        let found = complaint_about(
            &json!({"effect": "allow", "action": "*", "resource": resource}).to_string(),
        );
        assert_eq!(found, format!("statement 2: {expected}"));
    }
}

#[test]
fn a_condition_that_cannot_be_evaluated_is_named() {
    for (condition, expected) in [
        ("[]", "`condition` must be an object of operators"),
        (r#"{"string_equals":{"k":"a"}}"#, "unknown condition operator `string_equals`"),
        (r#"{"String_equal":{"k":"a"}}"#, "unknown condition operator `String_equal`"),
        (r#"{"date_not_less_than":{"k":"a"}}"#, "unknown condition operator `date_not_less_than`"),
        (r#"{"bool_not_equal":{"k":true}}"#, "unknown condition operator `bool_not_equal`"),
        (
            r#"{"null_equal_if_exist":{"k":true}}"#,
            "unknown condition operator `null_equal_if_exist`",
        ),
        (
            r#"{"for_any_value:null_equal":{"k":true}}"#,
            "unknown condition operator `for_any_value:null_equal`",
        ),
        (
            r#"{"for_any_values:string_equal":{"k":"a"}}"#,
            "unknown condition operator `for_any_values:string_equal`",
        ),
        (
            r#"{"for_any_value:for_all_value:string_equal":{"k":"a"}}"#,
            "unknown condition operator `for_any_value:for_all_value:string_equal`",
        ),
        (
            r#"{"string_equal_if_exist_if_exist":{"k":"a"}}"#,
            "unknown condition operator `string_equal_if_exist_if_exist`",
        ),
        (
            r#"{"string_equal":"a"}"#,
            "`string_equal` must be an object with at least one condition key",
        ),
        (
            r#"{"string_equal":{}}"#,
            "`string_equal` must be an object with at least one condition key",
        ),
        (
            r#"{"string_equal":{"k":[]}}"#,
            "`string_equal`: `k` must have a value or a list of values",
        ),
        (
            r#"{"string_equal":{"k":null}}"#,
            "`string_equal`: `k` must have a value or a list of values",
        ),
        (
            r#"{"string_equal":{"k":["a",["b"]]}}"#,
            "`string_equal`: `k` must have a value or a list of values",
        ),
        (r#"{"string_equal":{"k":"a","k":"b"}}"#, "key `k` stands twice"),
        (
            r#"{"string_equal":{"k":"a"},"string_equal":{"l":"b"}}"#,
            "key `string_equal` stands twice",
        ),
        (
            r#"{"string_equal":{"k":"${me}"}}"#,
            "unknown variable `${me}`: there are `${uin}`, `${owner_uin}` and `${app_id}`",
        ),
        (r#"{"numeric_equal":{"k":"ten"}}"#, "`numeric_equal`: `ten` is not a decimal number"),
        (
            r#"{"numeric_less_than":{"k":"NaN"}}"#,
            "`numeric_less_than`: `NaN` is not a decimal number",
        ),
        (
            r#"{"date_less_than":{"k":"2021-02-29"}}"#,
            "`date_less_than`: `2021-02-29` is not a moment such as `2030-01-31T00:00:00Z`",
        ),
        (r#"{"bool_equal":{"k":1}}"#, "`bool_equal`: `1` is not `true` or `false`"),
        (r#"{"null_equal":{"k":"no"}}"#, "`null_equal`: `no` is not `true` or `false`"),
        (r#"{"binary_equal":{"k":"aGk==="}}"#, "`binary_equal`: `aGk===` is not Base64"),
        (r#"{"binary_equal":{"k":"abcde"}}"#, "`binary_equal`: `abcde` is not Base64"),
        (r#"{"binary_equal":{"k":"a b"}}"#, "`binary_equal`: `a b` is not Base64"),
        (
            r#"{"for_all_value:ip_equal_if_exist":{"qcs:ip":["10.0.0.0/8","10.0.0.0/33"]}}"#,
            "`for_all_value:ip_equal_if_exist`: `10.0.0.0/33` is not an IP address or a block such as \
             `10.0.0.0/8`",
        ),
    ] {
        let statement =
            format!(r#"{{"effect":"allow","action":"*","resource":"*","condition":{condition}}}"#);
        assert_eq!(complaint_about(&statement), format!("statement 2: {expected}"), "{condition}");
    }
}

#[test]
fn a_number_too_large_to_compare_is_no_number() {
    let huge = "9".repeat(400);
    let condition = json!({"numeric_less_than": {"k": huge}});
    let statement =
        json!({"effect": "allow", "action": "*", "resource": "*", "condition": condition});
    let found = complaint_about(&statement.to_string());
    assert!(found.ends_with("99` is not a decimal number"), "{found}");
}

#[test]
fn the_parsers_own_complaint_is_the_source() {
    let error = Document::parse("{,}", serde_json::from_str).unwrap_err();
    assert!(error.source().unwrap().to_string().contains("line 1 column 2"));
}

#[test]
fn the_limit_counts_characters_that_are_not_blank() {
    let text = |length: usize| {
        let frame = r#"{"version":"2.0","statement":{"effect":"allow","action":"*","resource":"qcs::cdn:::"}}"#;
        let name = "域".repeat(length - frame.chars().count());
        frame.replace("cdn:::", &format!("cdn:::{name}"))
    };
    assert_eq!(complaint(&text(MAX_LENGTH)), "taken");
    assert_eq!(
        complaint(&text(MAX_LENGTH + 1)),
        "the policy has 4097 characters, blanks left out: the limit is 4096"
    );
    let blank = text(MAX_LENGTH).replace(',', &format!(",{}", " \t\n\u{3000}".repeat(2000)));
    // No JSON has an ideographic space between its tokens, but it is not what was too much.
    assert_eq!(complaint(&blank), "the policy cannot be parsed");
    assert_eq!(complaint(&blank.replace('\u{3000}', "\r")), "taken");
}
