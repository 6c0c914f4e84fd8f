//! Raw bytes as the beginning of a file: the parser, the specification, the vocabulary.

#![no_main]

use libfuzzer_sys::fuzz_target;
use monomorph_fuzz::judge;
use monomorph_testing::counting_allocator::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fuzz_target!(|bytes: &[u8]| {
    judge(bytes, bytes.len() as u64);
    // The beginning of a file that goes on: counts are not refused for what the file holds.
    judge(bytes, 1 << 40);
    judge(bytes, u64::MAX);
});
