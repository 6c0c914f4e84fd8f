//! Files that attack a reader: each gives an error that names the key or tensor, never a panic. `allocations.rs`
//! asserts that none makes the reader allocate much.
//!
//! Two classes of published faults are tested elsewhere in this repository: text that makes the tokenizer misbehave
//! (src/tokenizer/tests.rs and fuzz/), and scales that are NaN or infinite (tests/model/not_finite.rs).

use crate::cases::{self, Class};
use monomorph_gguf::{Error, Header, Vocabulary};
use monomorph_spec::Spec;
use monomorph_testing::Random;
use monomorph_testing::files::{nested, parse, small};
use monomorph_testing::mutate::mutants;
use monomorph_testing::tiny;

/// Everything a build asks of a file whose beginning and length are known.
fn judge(bytes: &[u8], file_len: u64) -> Result<Spec, Error> {
    let header = Header::parse(bytes, file_len)?;
    Vocabulary::from_header(&header)?;
    Spec::from_header(&header)
}

#[test]
fn every_case_is_refused_in_words() {
    let cases = cases::all();
    let mut failures = Vec::new();
    for case in &cases {
        let message = match judge(&case.bytes, case.file_len) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        let names = case.class == Class::Version
            || ["key ", "tensor", "the number of", "bytes follow", " is "]
                .iter()
                .any(|place| message.contains(place));
        let says = case.words.iter().all(|word| message.contains(word.as_str()));
        let one_line = !message.contains('\n') && message.len() < 450;
        if !names || !says || !one_line {
            failures.push(format!("{:?}, {}: {message}", case.class, case.what));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for class in Class::ALL {
        let count = cases.iter().filter(|case| case.class == class).count();
        println!("{class:?}: {count} files refused");
        assert!(count >= 4, "{class:?} has {count} cases only");
    }
}

/// The files that the cases are made from are accepted, also with values at the limits.
#[test]
fn their_neighbours_are_read() {
    parse(&small().to_bytes()).unwrap();
    parse(&small().set("test.nested", nested(4)).to_bytes()).unwrap();
    parse(&small().set(&"k".repeat(65_535), 1).to_bytes()).unwrap();
    let mut file = small();
    file.tensor_mut("second").unwrap().name = vec![b'x'; 64];
    parse(&file.to_bytes()).unwrap();
    let (bytes, file_len) = tiny::writer(tiny::Options::default()).to_header();
    judge(&bytes, file_len).unwrap();
}

/// A file that is cut at any byte of the header, or around the beginning or end of any tensor, is refused as cut.
#[test]
fn every_truncation_of_a_model_is_an_error() {
    every_truncation_is_an_error(&tiny::tiny(monomorph_gguf::TensorType::Q8_0));
    every_truncation_is_an_error(&gemma_embedding2());
}

/// A small model with arrays of a value for each layer.
fn gemma_embedding2() -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/families");
    std::fs::read(format!("{folder}/gemma-embedding2-tiny.gguf")).unwrap()
}

/// Damage of every kind to its header.
#[test]
fn damaged_headers_never_panic() {
    let whole = gemma_embedding2();
    let header_len = parse(&whole).unwrap().header_len as usize;
    let mut refused = 0;
    for mutant in mutants(&whole[..header_len], 4000) {
        if let Err(error) = judge(&mutant.bytes, mutant.file_len) {
            let message = error.to_string();
            assert!(!message.contains('\n') && message.len() < 450, "{}: {message}", mutant.what);
            refused += 1;
        }
    }
    assert!((3000..4000).contains(&refused), "{refused} of 4000 refused");
}

fn every_truncation_is_an_error(whole: &[u8]) {
    let header = parse(whole).unwrap();
    let ends = header.tensors.iter().flat_map(|tensor| {
        [tensor.absolute_offset, tensor.absolute_offset + tensor.n_bytes]
            .into_iter()
            .flat_map(|edge| edge.saturating_sub(33)..edge + 33)
    });
    let mut lens: Vec<usize> =
        (0..=header.data_offset + 33).chain(ends).map(|len| len as usize).collect();
    lens.retain(|&len| len < whole.len());
    lens.sort_unstable();
    lens.dedup();
    for &len in &lens {
        // The reader gets all that is left of the file, as if it were mapped.
        let found = judge(&whole[..len], len as u64);
        let message = found.expect_err("a cut file").to_string();
        let says = ["the file ends inside", "in the rest of the file", "is the download complete?"];
        assert!(says.iter().any(|words| message.contains(words)), "{len} bytes: {message}");
    }
    println!("{} lengths below {} refused", lens.len(), whole.len());
    judge(whole, whole.len() as u64).unwrap();
}

/// Changes a few bytes anywhere, to anything, to find what the cases miss. Only a panic is a failure.
#[test]
fn mutations_never_panic() {
    let whole = small().to_bytes();
    let header_len = parse(&whole).unwrap().header_len as usize;
    let mut random = Random(1);
    let mut accepted = 0;
    for _ in 0..100_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(header_len);
            bytes[at] = match random.below(3) {
                0 => random.below(256) as u8,
                1 => bytes[at] ^ 1 << random.below(8),
                _ => [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            };
        }
        bytes.truncate(if random.below(8) == 0 { random.below(bytes.len()) } else { bytes.len() });
        match parse(&bytes) {
            Ok(header) => {
                accepted += 1;
                header.metadata.iter().for_each(|(_, value)| drop(value.to_string()));
                assert!(
                    header.tensors.iter().all(|t| t.absolute_offset + t.n_bytes <= header.file_len)
                );
            }
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
    assert!(
        accepted > 1000,
        "only {accepted} mutations were accepted: the rest of the reader went untested"
    );
}
