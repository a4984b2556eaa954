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
    search_all(false, 200);
}

#[test]
fn whatever_happens_what_was_purged_is_gone_where_it_was_confirmed() {
    search_all(true, 100);
}

#[expect(clippy::print_stdout, reason = "a failure is found again by its seed")]
fn search_all(has_purges: bool, usual_cases: u64) {
    let seed = number("STOKER_SIMULATION_SEED").unwrap_or(20_251_121);
    let cases = number("STOKER_SIMULATION_CASES").unwrap_or(usual_cases);
    println!("STOKER_SIMULATION_SEED={seed} STOKER_SIMULATION_CASES={cases}");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (seed, cases) = (seed ^ (thread << 32), cases.div_ceil(THREADS) as u32);
            scope.spawn(move || search(seed, cases, has_purges));
        }
    });
}

fn search(seed: u64, cases: u32, has_purges: bool) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2000,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&ops(has_purges), |ops| {
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
