//! Reading a header allocates in proportion to the bytes at hand, whatever the header claims.

use crate::cases;
use monomorph_gguf::{Header, Vocabulary};
use monomorph_spec::Spec;
use monomorph_testing::Random;
use monomorph_testing::counting_allocator::watch;
use monomorph_testing::files::small;
use monomorph_testing::tiny;
use std::hint::black_box;

/// The most bytes that may be allocated for each byte at hand. The densest metadata takes 14 bytes per entry, which
/// become 64 bytes in a list and, while names are compared, up to 40 in a set; tensors are less dense.
const FACTOR: usize = 8;

/// An allowance for messages and the like, whatever the file's length.
const FIXED: usize = 4096;

/// The peak of live memory in bytes while the file was judged.
fn judged(bytes: &[u8], file_len: u64) -> usize {
    let counts = watch(|| {
        let header = Header::parse(bytes, file_len);
        let spec = header.as_ref().map(Spec::from_header);
        let vocabulary = header.as_ref().map(Vocabulary::from_header);
        black_box((&spec, &vocabulary));
    });
    counts.peak_bytes
}

/// Asserts the bound and returns the measured factor.
#[track_caller]
fn check(what: &str, bytes: &[u8], file_len: u64) -> f64 {
    let peak = judged(bytes, file_len);
    let bound = FACTOR * bytes.len() + FIXED;
    assert!(peak <= bound, "{what}: {peak} bytes for a header of {}", bytes.len());
    peak.saturating_sub(FIXED) as f64 / bytes.len().max(1) as f64
}

#[test]
fn the_counter_counts() {
    let counts = watch(|| drop(black_box((vec![1u8; 1000], vec![1u8; 24]))));
    assert_eq!((counts.allocations, counts.peak_bytes, counts.largest), (2, 1024, 1000));
    assert_eq!(watch(|| ()).allocations, 0);
}

#[test]
fn malformed_files() {
    let factors = cases::all().into_iter().map(|case| {
        let what = format!("{:?}, {}", case.class, case.what);
        let own = check(&what, &case.bytes, case.file_len);
        // As if the file had the greatest possible length: then no count is refused because the file is too short.
        own.max(check(&what, &case.bytes, u64::MAX))
    });
    let largest = factors.fold(0.0, f64::max);
    println!("at most {largest:.2} bytes for each byte at hand");
    assert!(largest > 0.0, "some case is large enough to count");
}

/// Headers cut anywhere, both in a file that ends there and in one that continues.
#[test]
fn truncations() {
    for bytes in [small().to_header().0, tiny::writer(tiny::Options::default()).to_header().0] {
        let step = if bytes.len() > 4096 { 17 } else { 1 };
        for len in (0..bytes.len()).step_by(step) {
            check("cut", &bytes[..len], len as u64);
            check("cut", &bytes[..len], u64::MAX);
        }
    }
}

/// The densest possible headers: nothing but the smallest entries, with counts that claim more of them.
#[test]
fn dense_headers() {
    for entries in [1000usize, 10_000, 50_000] {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(0u64.to_le_bytes());
        bytes.extend((entries as u64).to_le_bytes());
        for number in 0..entries {
            let key = format!("{number:x}");
            bytes.extend((key.len() as u64).to_le_bytes());
            bytes.extend(key.as_bytes());
            bytes.extend([0, 0, 0, 0, 1]);
        }
        let mut largest = check("entries", &bytes, bytes.len() as u64);
        bytes[16..24].copy_from_slice(&(entries as u64 + 1).to_le_bytes());
        largest = largest.max(check("one entry more", &bytes, u64::MAX));
        bytes[16..24].copy_from_slice(&(1u64 << 40).to_le_bytes());
        largest = largest.max(check("2^40 entries", &bytes, u64::MAX));
        println!("{entries} entries: at most {largest:.2} bytes for each byte at hand");
    }
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((1u64 << 40).to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    for number in 0..10_000 {
        let name = format!("{number:x}");
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    let largest = check("2^40 tensors", &bytes, u64::MAX);
    println!("10000 tensors: at most {largest:.2} bytes for each byte at hand");
}

/// Random bytes in a small file, whose counts and lengths they change.
#[test]
fn mutations() {
    let (whole, file_len) = small().to_header();
    let mut random = Random(3);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        let file_len = [file_len, 1 << 40, u64::MAX][random.below(3)];
        check("mutation", &bytes, file_len);
    }
}
