//! Random cases, shrunk when one fails. A shrunk failure becomes a named test in `regressions`.

use proptest::{
    prelude::ProptestConfig,
    test_runner::{RngAlgorithm, RngSeed, TestRunner},
};

use crate::{arbitrary::ops, run::run};

#[test]
fn whatever_happens_nothing_accepted_is_lost_and_nothing_is_done_twice() {
    let seed = number("STOKER_SIMULATION_SEED").unwrap_or(20_251_121);
    let cases = number("STOKER_SIMULATION_CASES").unwrap_or(200) as u32;
    println!("STOKER_SIMULATION_SEED={seed} STOKER_SIMULATION_CASES={cases}");
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2000,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    if let Err(failure) = runner.run(&ops(), |ops| {
        run(&ops);
        Ok(())
    }) {
        panic!("seed {seed}: {failure}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a nightly run chooses its seed and its length")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
