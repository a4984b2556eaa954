//! The property of the same name in `stoker_domain::fuzzing`, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stoker_domain::fuzzing::dns(data));
