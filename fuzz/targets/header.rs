//! Gives raw bytes, as the beginning of a file, to the parser, the specification and the vocabulary.

#![no_main]

use libfuzzer_sys::fuzz_target;
use monomorph_fuzz::judge;
use monomorph_testing::counting_allocator::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fuzz_target!(|bytes: &[u8]| {
    judge(bytes, bytes.len() as u64);
    // Here the file is longer than the bytes given, so no count is refused for exceeding the file.
    judge(bytes, 1 << 40);
    judge(bytes, u64::MAX);
});
