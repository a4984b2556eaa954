//! The seeds of the fuzz targets, as they are and with a few bytes changed.

use std::{fs, path::Path};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 9] = [
    ("authorization", authorization),
    ("query", query),
    ("form", form),
    ("multipart", multipart),
    ("json", json),
    ("list", list),
    ("signature_admin", signature_admin),
    ("signature_tc3", signature_tc3),
    ("signature_v1", signature_v1),
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn every_property_holds_of_every_seed() {
    for (target, check) in TARGETS {
        for seed in seeds(target) {
            println!("{target}: {:?}", String::from_utf8_lossy(&seed));
            check(&seed);
        }
    }
}

#[test]
fn every_property_holds_of_seeds_with_a_few_bytes_changed() {
    const SEED: u64 = 0x5eed_f022;
    println!("seed {SEED:#x}");
    let mut random = StdRng::seed_from_u64(SEED);
    for (target, check) in TARGETS {
        let seeds = seeds(target);
        for _ in 0..300 {
            let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
            for _ in 0..random.random_range(1..4) {
                let place = random.random_range(0..=bytes.len());
                match random.random_range(0..3) {
                    0 => bytes.insert(place, random.random()),
                    1 if place < bytes.len() => bytes[place] = random.random(),
                    _ => bytes.truncate(place),
                }
            }
            println!("{target}: {bytes:?}");
            check(&bytes);
        }
    }
}
