//! Checks of the file descriptors and the memory that the server divided at its last start.

use std::path::Path;

use super::Findings;
use crate::{
    server::{
        descriptors::{Descriptors, FEW},
        limits::Limits,
        memory::{BASE, Memory, machine},
    },
    size::show,
};

/// Checks the division that `up` has written.
pub(super) fn check_limits(data: &Path, findings: &mut Findings) {
    let Some(Limits { descriptors, memory }) = Limits::read(data) else { return };
    check_descriptors(&descriptors, findings);
    check_memory(&memory, machine(), findings);
}

fn check_descriptors(descriptors: &Descriptors, findings: &mut Findings) {
    let Descriptors { limit, api, viewers, origins, files, .. } = descriptors;
    let text = format!(
        "the server may open {limit} file descriptors: {api} connections of the API, and for each \
         node {viewers} of viewers, {origins} to origins and {files} files"
    );
    if *limit < FEW {
        let hint =
            format!("run `ulimit -n {FEW}` before `stoker up`, or set LimitNOFILE= in its unit");
        findings.warn(text, hint);
    } else {
        findings.ok(text);
    }
}

fn check_memory(memory: &Memory, machine: Option<u64>, findings: &mut Findings) {
    let Memory { limit, node, .. } = memory;
    let text = format!(
        "the server takes up to {} of memory for content ({} for each node) and {} for everything else",
        show(*limit),
        show(*node),
        show(BASE)
    );
    let Some(machine) = machine else { return findings.ok(text) };
    let text = format!("{text}; the machine has {}", show(machine));
    let hint = "start `stoker up` with a smaller --memory, or on a larger machine";
    let most = limit.saturating_add(BASE);
    if most > machine {
        findings.fail(text, hint);
    } else if most > machine / 10 * 9 {
        findings.warn(text, hint);
    } else {
        findings.ok(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    const GIB: u64 = 1 << 30;

    #[test]
    fn memory_is_compared_with_that_of_the_machine() {
        for (limit, machine, verdict) in [
            (2 * GIB, Some(4 * GIB), "ok"),
            (7 * GIB / 2, Some(4 * GIB), "warn"),
            (4 * GIB, Some(4 * GIB), "fail"),
            (u64::MAX, Some(4 * GIB), "fail"),
            (4 * GIB, None, "ok"),
        ] {
            let mut findings = Findings::default();
            let memory = Memory { limit, api: limit / 16, node: limit / 5 };
            check_memory(&memory, machine, &mut findings);
            assert_eq!(word(&findings), [verdict], "{limit} of {machine:?}");
        }
    }

    #[test]
    fn few_descriptors_are_worth_a_warning() {
        for (limit, verdict) in [(1024, "warn"), (FEW, "ok")] {
            let mut findings = Findings::default();
            check_descriptors(&Descriptors::divide(limit).unwrap(), &mut findings);
            assert_eq!(word(&findings), [verdict], "{limit}");
        }
    }

    fn word(findings: &Findings) -> Vec<&'static str> {
        let words = findings.0.iter().map(|line| match line.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        });
        words.collect()
    }
}
