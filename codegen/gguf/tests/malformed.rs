//! Files that attack a reader: every one is an error that names key or tensor, never a panic or a large allocation.
//! The classes are those of published faults in other readers; each test names some.

mod support;

use monomorph_gguf::writer::{Tensor, Value, Writer};
use support::{Random, nested, parse, refused, small};

/// Numbers that a count or length should never be.
const ABSURD: [u64; 6] = [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 61, 1 << 32, 1 << 20];

fn with(key: &str, type_id: u32, bytes: &[u8]) -> Vec<u8> {
    small().set(key, Value::Raw(type_id, bytes.to_vec())).to_bytes()
}

fn with_tensor(change: impl FnOnce(&mut Tensor)) -> Vec<u8> {
    let mut file = small();
    change(file.tensor_mut("second").unwrap());
    file.to_bytes()
}

/// CVE-2024-23605, CVE-2024-21825, CVE-2024-21836, CVE-2025-0315.
#[test]
fn absurd_counts_and_lengths() {
    for absurd in ABSURD {
        let n = absurd.to_le_bytes();
        let found = format!("declares {absurd}, but at most");
        let mut bytes = small().to_bytes();
        bytes[8..16].copy_from_slice(&n);
        refused(parse(&bytes), &["the number of tensors", &found]);
        let mut bytes = small().to_bytes();
        bytes[16..24].copy_from_slice(&n);
        refused(parse(&bytes), &["the number of metadata keys", &found]);
        let mut bytes = small().to_bytes();
        bytes[24..32].copy_from_slice(&n);
        refused(parse(&bytes), &["the name of metadata key number 0", &found]);

        refused(parse(&with("test.string", 8, &n)), &["key test.string", &found]);
        for element in 0..=12u32 {
            let array = [&element.to_le_bytes()[..], &n].concat();
            refused(parse(&with("test.array", 9, &array)), &["key test.array", &found]);
        }
        let string_in_array = [&8u32.to_le_bytes()[..], &1u64.to_le_bytes(), &n].concat();
        refused(parse(&with("test.array", 9, &string_in_array)), &["key test.array", &found]);
    }
    // One more than the file holds, in a file that is nothing but header: 24 bytes that promise tensors or keys.
    for at in [8, 16] {
        let mut bytes = Writer::new().to_bytes()[..24].to_vec();
        bytes[at] = 1;
        refused(parse(&bytes), &["declares 1, but at most 0"]);
    }
}

/// CVE-2024-21802, CVE-2025-53630, CVE-2026-27940, CVE-2026-33298.
#[test]
fn sizes_that_wrap() {
    let dims: [&[u64]; 6] = [
        &[1 << 63, 2],
        &[u64::MAX - 31, 32],
        &[1 << 32, 1 << 32],
        &[1 << 20, 1 << 20, 1 << 20, 1 << 20],
        &[64, 1 << 62],
        &[32, u64::MAX],
    ];
    for dims in dims {
        let bytes = with_tensor(|tensor| tensor.dims = dims.to_vec());
        refused(parse(&bytes), &["tensor second", &format!("{dims:?}"), "fits in 64 bits"]);
    }
    for offset in [u64::MAX - 31, 1 << 63, u64::MAX - 1024 + 1] {
        let bytes = with_tensor(|tensor| tensor.offset = Some(offset));
        refused(parse(&bytes), &["tensor second", &offset.to_string(), "an end inside the file"]);
    }
}

/// CVE-2026-7482.
#[test]
fn tensors_beyond_the_end_of_the_file() {
    let whole = small().to_bytes();
    let data_len = whole.len() as u64 - parse(&whole).unwrap().data_offset;
    for offset in [64, data_len, data_len + 32, 1 << 40] {
        let bytes = with_tensor(|tensor| tensor.offset = Some(offset));
        refused(
            parse(&bytes),
            &["tensor second", &format!("at data offset {offset}"), "an end inside the file"],
        );
    }
    let bytes = with_tensor(|tensor| tensor.dims = vec![64, 17]);
    refused(parse(&bytes), &["tensor second", "1156 bytes", "an end inside the file"]);
    let bytes = with_tensor(|tensor| tensor.offset = Some(33));
    refused(parse(&bytes), &["tensor second", "offset 33", "a multiple of the alignment 32"]);
}

/// CVE-2025-0317.
#[test]
fn absurd_alignments() {
    for alignment in [0u32, 1, 4, 3, 24, 33, 1 << 30, u32::MAX, 1 << 31, 1 << 17] {
        let bytes = small().set("general.alignment", alignment).to_bytes();
        refused(
            parse(&bytes),
            &["key general.alignment", &format!("u32 {alignment}"), "a power of two"],
        );
    }
    let n = 32u64.to_le_bytes();
    for (type_id, len) in [(0, 1), (2, 2), (5, 4), (10, 8), (11, 8), (6, 4)] {
        refused(
            parse(&with("general.alignment", type_id, &n[..len])),
            &["key general.alignment", "a u32"],
        );
    }
    let bytes = small().set("general.alignment", "32").to_bytes();
    refused(parse(&bytes), &["key general.alignment", "string \"32\"", "a u32"]);
}

#[test]
fn dimensions_that_divide_by_zero_or_index_too_far() {
    for dims in [vec![0, 16], vec![64, 0], vec![0], vec![1, 1, 1, 0]] {
        let bytes = with_tensor(|tensor| {
            (tensor.type_id, tensor.dims) = (0, dims.clone());
        });
        refused(parse(&bytes), &["tensor second", &format!("{dims:?}"), "none of them 0"]);
    }
    for n_dims in [0, 5, 8] {
        let bytes = with_tensor(|tensor| tensor.dims = vec![1; n_dims]);
        refused(parse(&bytes), &["tensor second", &format!("{n_dims} dimensions"), "1 to 4"]);
    }
    for row in [1, 31, 33, 63] {
        let bytes = with_tensor(|tensor| tensor.dims = vec![row, 16]);
        refused(
            parse(&bytes),
            &["tensor second", &format!("rows of {row}"), "a multiple of 32", "Q8_0"],
        );
    }
}

#[test]
fn tensor_types_that_are_unknown_or_removed() {
    for (type_id, name) in
        [(4, "Q4_2"), (5, "Q4_3"), (31, "Q4_0_4_4"), (33, "Q4_0_8_8"), (36, "IQ4_NL_4_4")]
    {
        let bytes = with_tensor(|tensor| tensor.type_id = type_id);
        refused(parse(&bytes), &["tensor second", &format!("type {type_id} ({name})"), "removed"]);
    }
    for type_id in [42, 64, 1 << 31, u32::MAX] {
        let bytes = with_tensor(|tensor| tensor.type_id = type_id);
        refused(parse(&bytes), &["tensor second", &format!("unknown tensor type {type_id}")]);
    }
}

#[test]
fn names_that_are_twice_empty_long_or_not_utf8() {
    refused(parse(&with_tensor(|t| t.name = b"first".to_vec())), &["tensor first", "twice"]);
    refused(parse(&with_tensor(|t| t.name = Vec::new())), &["tensor number 1", "an empty name"]);
    refused(parse(&with_tensor(|t| t.name = b"\xff".to_vec())), &["tensor number 1", "not UTF-8"]);
    refused(
        parse(&with_tensor(|t| t.name = vec![b'x'; 65])),
        &["tensor number 1", "65", "the 64 accepted"],
    );
    parse(&with_tensor(|t| t.name = vec![b'x'; 64])).unwrap();
    // A name with control characters stays on one line.
    refused(
        parse(&with_tensor(|t| {
            t.name = b"a\nb\x1b[31m".to_vec();
            t.dims = vec![0];
        })),
        &["a\\nb\\u{1b}[31m"],
    );

    let mut file = small();
    file.metadata.push(("test.u32".to_owned(), Value::U32(1)));
    refused(parse(&file.to_bytes()), &["key test.u32", "twice"]);
    refused(parse(&small().set("", 1).to_bytes()), &["key number 16", "an empty name"]);
    let long = "k".repeat(65_536);
    refused(
        parse(&small().set(&long, 1).to_bytes()),
        &["key number 16", "65536", "the 65535 accepted"],
    );
    let mut bytes = small().set("zz", 1).to_bytes();
    let at = bytes.windows(2).position(|pair| pair == b"zz").unwrap();
    bytes[at] = 0xff;
    refused(parse(&bytes), &["key number 16", "not UTF-8"]);
}

#[test]
fn values_of_no_type() {
    for type_id in [13, 255, u32::MAX] {
        refused(
            parse(&with("test.value", type_id, &[0; 8])),
            &["key test.value", &format!("value type {type_id}")],
        );
        let array = [&type_id.to_le_bytes()[..], &[0; 8]].concat();
        refused(
            parse(&with("test.value", 9, &array)),
            &["key test.value", &format!("value type {type_id}")],
        );
    }
    refused(parse(&with("test.value", 7, &[2])), &["key test.value", "bool 2", "0 or 1"]);
    let bools = [&7u32.to_le_bytes()[..], &3u64.to_le_bytes(), &[0, 1, 2]].concat();
    refused(parse(&with("test.value", 9, &bools)), &["key test.value", "0 or 1"]);
    let text = [&1u64.to_le_bytes()[..], &[0xff]].concat();
    refused(parse(&with("test.value", 8, &text)), &["key test.value", "not UTF-8"]);
}

/// A file must not choose how deep our stack grows.
#[test]
fn arrays_of_arrays() {
    parse(&small().set("test.nested", nested(4)).to_bytes()).unwrap();
    for depth in [5, 100, 10_000] {
        let bytes = small().set("test.nested", nested(depth)).to_bytes();
        refused(parse(&bytes), &["key test.nested", "nested more than 4 deep"]);
    }
}

/// CVE-2024-39720.
#[test]
fn magic_and_version() {
    refused(parse(b""), &["magic"]);
    refused(parse(b"GGUF"), &["ends inside the version"]);
    refused(parse(b"GGML\x03\0\0\0"), &["not a GGUF file", "\"GGML\""]);
    refused(parse(b"FUGG\0\0\0\x03"), &["not a GGUF file", "\"FUGG\""]);
    refused(parse(b"PK\x03\x04...."), &["not a GGUF file", "PK\\x03\\x04"]);
    for (version, words) in [
        (0u32, &["version 0", "versions 2 and 3"][..]),
        (1, &["version 1", "too old"]),
        (4, &["version 4", "versions 2 and 3"]),
        (u32::MAX, &["version 4294967295"]),
        (3u32.swap_bytes(), &["big-endian", "version 3"]),
        (2u32.swap_bytes(), &["big-endian", "version 2"]),
    ] {
        let mut file = small();
        file.version = version;
        refused(parse(&file.to_bytes()), words);
    }
}

/// What nobody thought of: a few bytes changed anywhere, to anything. Only a panic fails here.
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
