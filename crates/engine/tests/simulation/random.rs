//! Random cases, shrunk when one fails. A shrunk failure becomes a named test in `regressions`.

use proptest::{
    prelude::ProptestConfig,
    test_runner::{RngAlgorithm, RngSeed, TestRunner},
};

use crate::{arbitrary::ops, run::run};

/// Cases wait for the disk most of the time, so some run beside each other.
const THREADS: u64 = 4;

#[test]
fn whatever_happens_nothing_accepted_is_lost_and_nothing_is_done_twice() {
    let seed = number("STOKER_SIMULATION_SEED").unwrap_or(20_251_121);
    let cases = number("STOKER_SIMULATION_CASES").unwrap_or(200);
    println!("STOKER_SIMULATION_SEED={seed} STOKER_SIMULATION_CASES={cases}");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || search(seed ^ (thread << 32), cases.div_ceil(THREADS) as u32));
        }
    });
}

fn search(seed: u64, cases: u32) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2000,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&ops(), |ops| {
        run(&ops);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("seed {seed}: {failure}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a nightly run chooses its seed and its length")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
