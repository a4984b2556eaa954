//! The property of the same name in `stoker_listen::fuzzing`, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stoker_listen::fuzzing::requests(data));
