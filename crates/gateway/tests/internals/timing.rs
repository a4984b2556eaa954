//! How long the refusal of a wrong signature takes, by how much of it was right from the start.
//!
//! Signatures are compared in constant time by construction; this measures it. As a test it shows
//! only that every one of them is refused: no timing decides. `bench/signature-timing.sh` runs it
//! with a million calls of each class and in release, where the figures mean something.

use std::{hint::black_box, time::Instant};

use http::{HeaderMap, Method};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use sha2::{Digest, Sha256};
use stoker_domain::time::Timestamp;

use super::{
    authorization::Authorization,
    outgoing::Outgoing,
    signing_keys::SigningKeys,
    tc3,
    v1::{self, pairs::Pair},
};

const SECRET: &str = "SKTESTTESTTESTTESTTESTTEST0001";
const HOST: &str = "cdn.example.com";
const CONTENT_TYPE: &str = "application/json";
const CONTENT: &[u8] = br#"{"Urls":["http://www.test.com/1.jpg"]}"#;
const TIME: i64 = 1_700_000_000;

/// How much of a signature is right: nothing, half, all but the last character that counts.
const CLASSES: [&str; 3] = ["nothing", "half", "all but one"];

/// Signatures of each class, so that none of them is predicted.
const POOL: usize = 64;

/// Calls of each class.
fn calls() -> usize {
    option_env!("STOKER_TIMING_CALLS").and_then(|text| text.parse().ok()).unwrap_or(500)
}

/// Signatures that begin like `right` and go on with wrong characters, with their classes, shuffled
/// so that none of these lies better in memory. The last character of Base64 with padding is the
/// one before `=`.
fn wrong(right: &str, random: &mut StdRng) -> Vec<(usize, String)> {
    let end = right.trim_end_matches('=').len();
    let mut found = Vec::new();
    for _ in 0..POOL {
        for (class, kept) in [0, end / 2, end - 1].into_iter().enumerate() {
            let mut bytes = right.as_bytes().to_vec();
            for byte in &mut bytes[kept..end] {
                let digit = b"0123456789abcdef"[random.random_range(0..16)];
                *byte = if digit == *byte { digit + 1 } else { digit };
            }
            found.push((class, String::from_utf8(bytes).expect("only ASCII was put in")));
        }
    }
    found.shuffle(random);
    found
}

/// Nanoseconds of each call, by class; they take turns at random.
fn measure<T>(
    random: &mut StdRng,
    calls_of: &[(usize, T)],
    mut passes: impl FnMut(&T) -> bool,
) -> [Vec<f64>; 3] {
    let mut found = [const { Vec::new() }; 3];
    for _ in 0..calls() * CLASSES.len() {
        let (class, call) = &calls_of[random.random_range(0..calls_of.len())];
        let started = Instant::now();
        let is_passed = black_box(passes(black_box(call)));
        let took = started.elapsed();
        assert!(!is_passed, "a wrong signature passed");
        found[*class].push(took.as_nanos() as f64);
    }
    found
}

/// Mean and variance of what lies below `limit`: interrupts are not what is measured.
fn moments(values: &[f64], limit: f64) -> (f64, f64, f64) {
    let kept: Vec<f64> = values.iter().copied().filter(|value| *value <= limit).collect();
    let count = kept.len() as f64;
    let mean = kept.iter().sum::<f64>() / count;
    let squares: f64 = kept.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (count - 1.0), count)
}

/// Prints the mean of each class and Welch's t of each against the first. Below 4.5 in amount, no
/// difference was found.
fn report(name: &str, times: &[Vec<f64>; 3]) {
    let mut all: Vec<f64> = times.concat();
    all.sort_by(f64::total_cmp);
    let limit = all[all.len() * 95 / 100];
    let first = moments(&times[0], limit);
    for (class, values) in CLASSES.iter().zip(times) {
        let (mean, variance, count) = moments(values, limit);
        let error = (variance / count + first.1 / first.2).sqrt();
        let difference = mean - first.0;
        println!(
            "{name:24} {class:12} mean {mean:8.1} ns  difference {difference:+6.2} ns  t {:+7.2}",
            difference / error
        );
    }
}

fn right_authorization() -> Authorization {
    let request = Outgoing {
        method: &Method::POST,
        path: "/",
        query: "",
        host: HOST,
        content: CONTENT,
        time: Timestamp::from_seconds(TIME),
    };
    Authorization::parse(&request.authorize("AKIDTEST", SECRET, CONTENT_TYPE, "cdn"))
        .expect("we wrote it")
}

fn tc3_passes(keys: &SigningKeys, authorization: &Authorization) -> bool {
    let fields = HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(CONTENT_TYPE),
    )]);
    let hash = tc3::hex(&Sha256::digest(CONTENT));
    let message = tc3::Message {
        method: &Method::POST,
        path: "/",
        query: "",
        fields: &fields,
        host: HOST.as_bytes(),
        content_hash: &hash,
        aliases: &[],
    };
    tc3::verify(keys, SECRET, authorization, &TIME.to_string(), &message)
}

#[test]
fn a_wrong_tc3_signature_is_refused_however_much_of_it_is_right() {
    let mut random = StdRng::seed_from_u64(0x5eed_7133);
    let right = right_authorization();
    let calls: Vec<(usize, Authorization)> = wrong(&right.signature, &mut random)
        .into_iter()
        .map(|(class, signature)| (class, Authorization { signature, ..right.clone() }))
        .collect();
    let keys = SigningKeys::default();
    assert!(tc3_passes(&keys, &right));
    report("TC3", &measure(&mut random, &calls, |call| tc3_passes(&keys, call)));
    // a refusal keeps no key, so that it is made anew for each call
    let none = SigningKeys::default();
    let times = measure(&mut random, &calls, |call| tc3_passes(&none, call));
    report("TC3, key made anew", &times);
    // a comparison that stops early, to show that the method would see one
    let stops_early = |given: &str| right.signature.bytes().zip(given.bytes()).all(|(a, b)| a == b);
    let times = measure(&mut random, &calls, |call| {
        tc3_passes(&keys, call) | stops_early(black_box(&call.signature))
    });
    report("control, stops early", &times);
}

#[test]
fn a_wrong_v1_signature_is_refused_however_much_of_it_is_right() {
    let mut random = StdRng::seed_from_u64(0x5eed_7131);
    for (algorithm, right) in [
        ("HmacSHA1", "Jwvv6E3taCNo97S5DhrJmkQdVKw="),
        ("HmacSHA256", "92EZWfULvG95iezoxmdxOkKh2WHkU8maEuHD8nMbTWA="),
    ] {
        let pairs = |signature: &str| -> Vec<Pair> {
            let pair =
                |(name, value): (&str, &str)| Pair { name: name.into(), value: value.into() };
            let all = [
                ("Action", "CdnPusherV2"),
                ("Nonce", "11111"),
                ("SecretId", "AKIDTEST"),
                ("SignatureMethod", algorithm),
                ("Timestamp", "1700000000"),
                ("urls.0", "http://www.test.com/1.jpg"),
                ("Signature", signature),
            ];
            all.into_iter().map(pair).collect()
        };
        let calls: Vec<(usize, Vec<Pair>)> = wrong(right, &mut random)
            .iter()
            .map(|(class, signature)| (*class, pairs(signature)))
            .collect();
        assert!(v1_passes(&pairs(right)), "{algorithm}");
        report(algorithm, &measure(&mut random, &calls, |pairs| v1_passes(pairs)));
    }
}

fn v1_passes(pairs: &[Pair]) -> bool {
    let message = v1::Message {
        method: &Method::POST,
        host: HOST.as_bytes(),
        path: "/v2/index.php",
        pairs,
        aliases: &[],
    };
    v1::verify(SECRET, &message).is_some()
}
