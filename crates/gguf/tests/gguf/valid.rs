//! Valid files, and what a reader must find in them.

use monomorph_gguf::{Error, Header, TensorType, Value, ValueType, read_prefix};
use monomorph_testing::files::{parse, refused, small};
use std::path::PathBuf;

#[test]
fn every_kind_of_value_is_read() {
    let bytes = small().to_bytes();
    let header = parse(&bytes).unwrap();
    let metadata = &header.metadata;
    assert_eq!((header.version, header.alignment, metadata.len()), (3, 32, 16));
    assert_eq!(metadata.str("general.architecture"), Ok("test"));
    assert_eq!(metadata.required::<u32>("test.u32"), Ok(24));
    assert_eq!(metadata.required::<u32>("test.u8"), Ok(8));
    assert_eq!(metadata.required::<u32>("test.u16"), Ok(272));
    assert_eq!(metadata.required::<u64>("test.u64"), Ok(1 << 63));
    assert_eq!(metadata.required::<f32>("test.f32"), Ok(1e-6));
    assert_eq!(metadata.required::<f32>("test.f64"), Ok(0.5));
    assert_eq!(metadata.required::<bool>("test.bool"), Ok(true));
    for (key, expected) in [("test.i8", -1), ("test.i16", -2), ("test.i32", -3), ("test.i64", -4)] {
        assert_eq!(metadata.get(key).and_then(Value::integer), Some(expected));
        refused(metadata.required::<u32>(key), &[key, "-", "a non-negative integer"]);
    }
    refused(
        metadata.required::<u32>("test.u64"),
        &["test.u64", "9223372036854775808", "below 2^32"],
    );
    refused(metadata.required::<u32>("test.absent"), &["test.absent", "missing"]);
    assert_eq!(metadata.optional::<u32>("test.absent"), Ok(None));

    let strings: Vec<&[u8]> = metadata.array("test.strings").unwrap().strings().collect();
    assert_eq!(strings, [&b"a"[..], b"", "\u{2581}the".as_bytes()]);
    assert!(metadata.array("test.f32s").unwrap().f32s().eq([0.0, -1.0]));
    assert!(metadata.array("test.i32s").unwrap().i32s().eq([1, -6]));
    assert_eq!(metadata.array("test.nested").unwrap().element_type(), ValueType::Array);
    // An array that is read as another type yields nothing rather than garbage.
    assert_eq!(metadata.array("test.i32s").unwrap().f32s().count(), 0);
    refused(
        metadata.array_of("test.i32s", ValueType::F32),
        &["test.i32s", "array of 2 i32", "an array of f32"],
    );
}

#[test]
fn tensors_lie_where_they_were_written() {
    for alignment in [8, 32, 64, 4096] {
        for version in [2, 3] {
            let mut file = small();
            (file.alignment, file.version) = (alignment, version);
            let bytes = file.to_bytes();
            let header = parse(&bytes).unwrap();
            assert_eq!((header.version, header.alignment), (version, alignment.into()));
            assert!(header.data_offset.is_multiple_of(alignment.into()));
            let second = header.tensor("second").unwrap();
            assert_eq!(
                (second.kind, second.shape(), second.n_bytes),
                (TensorType::Q8_0, &[64, 16][..], 1088)
            );
            let at = second.absolute_offset as usize;
            assert!(bytes[at..at + 1088].iter().all(|&b| b == 2), "alignment {alignment}");
            assert_ne!(bytes[at - 1], 2, "alignment {alignment}");
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    let mut file = small();
    file.alignment = 8;
    let bytes = file.to_bytes();
    for len in 0..bytes.len() {
        refused(parse(&bytes[..len]), &[if len < 4 { "magic" } else { "the file" }]);
    }
    parse(&bytes).unwrap();
}

/// A reader that has only the beginning of a file must be asked for more, but never for more than the header.
#[test]
fn every_prefix_asks_for_more_until_the_header_is_whole() {
    let bytes = small().to_bytes();
    let (file_len, header_len) = (bytes.len() as u64, parse(&bytes).unwrap().header_len);
    for len in 0..bytes.len() {
        match Header::parse(&bytes[..len], file_len) {
            Ok(_) => assert!(len as u64 >= header_len),
            Err(Error::NeedMore { needed }) => {
                assert!(len < needed as usize && needed <= header_len)
            }
            Err(other) => panic!("{len} bytes: {other}"),
        }
    }
}

#[test]
fn bytes_behind_the_file_are_not_read() {
    let bytes = small().to_bytes();
    let longer = [bytes.clone(), vec![0xff; 100]].concat();
    let header = Header::parse(&longer, bytes.len() as u64).unwrap();
    assert_eq!(header.file_len, bytes.len() as u64);
    refused(Header::parse(&longer, 100), &["the file"]);
}

#[test]
fn a_file_without_metadata_and_tensors_is_empty() {
    let bytes = monomorph_gguf::writer::Writer::new().to_bytes();
    let header = parse(&bytes).unwrap();
    assert!(header.metadata.is_empty() && header.tensors.is_empty());
    assert_eq!((header.header_len, header.data_offset), (24, 32));
}

/// ggml's table as gguf-py lists it, except for Q8_1 (see the table in the crate).
#[test]
fn tensor_types_are_those_of_ggml() {
    #[rustfmt::skip]
    let table = [
        ("F32", 0, 1, 4), ("F16", 1, 1, 2), ("Q4_0", 2, 32, 18), ("Q4_1", 3, 32, 20), ("Q5_0", 6, 32, 22),
        ("Q5_1", 7, 32, 24), ("Q8_0", 8, 32, 34), ("Q8_1", 9, 32, 36), ("Q2_K", 10, 256, 84), ("Q3_K", 11, 256, 110),
        ("Q4_K", 12, 256, 144), ("Q5_K", 13, 256, 176), ("Q6_K", 14, 256, 210), ("Q8_K", 15, 256, 292),
        ("IQ2_XXS", 16, 256, 66), ("IQ2_XS", 17, 256, 74), ("IQ3_XXS", 18, 256, 98), ("IQ1_S", 19, 256, 50),
        ("IQ4_NL", 20, 32, 18), ("IQ3_S", 21, 256, 110), ("IQ2_S", 22, 256, 82), ("IQ4_XS", 23, 256, 136),
        ("I8", 24, 1, 1), ("I16", 25, 1, 2), ("I32", 26, 1, 4), ("I64", 27, 1, 8), ("F64", 28, 1, 8),
        ("IQ1_M", 29, 256, 56), ("BF16", 30, 1, 2), ("TQ1_0", 34, 256, 54), ("TQ2_0", 35, 256, 66),
        ("MXFP4", 39, 32, 17), ("NVFP4", 40, 64, 36), ("Q1_0", 41, 128, 18),
    ];
    let ours =
        TensorType::ALL.iter().map(|t| (t.name(), *t as u32, t.block_len(), t.block_bytes()));
    assert!(ours.eq(table));
    for id in 0..64 {
        let known = table.iter().any(|row| row.1 == id);
        assert_eq!(TensorType::from_id(id).is_ok(), known, "type {id}");
    }
}

#[test]
fn read_prefix_reads_files_and_nothing_else() {
    let folder = scratch("read_prefix");
    let path = folder.join("small.gguf");
    let mut file = small();
    // A header longer than the first read.
    let long = "x".repeat(3 << 20);
    file.set("test.long", long.as_str());
    let bytes = file.to_bytes();
    std::fs::write(&path, &bytes).unwrap();
    let prefix = read_prefix(&path).unwrap();
    assert_eq!(prefix.file_len, bytes.len() as u64);
    assert_eq!(prefix.bytes, bytes[..prefix.bytes.len()]);
    let header = Header::parse(&prefix.bytes, prefix.file_len).unwrap();
    assert_eq!(header.metadata.str("test.long"), Ok(long.as_str()));

    refused(read_prefix(&folder), &["read_prefix", "is a directory"]);
    refused(read_prefix(&folder.join("absent.gguf")), &["cannot read", "absent.gguf"]);
    std::fs::write(&path, b"").unwrap();
    refused(read_prefix(&path), &["ends inside the magic number"]);
    #[cfg(unix)]
    refused(read_prefix("/dev/null".as_ref()), &["/dev/null", "not a regular file"]);
    std::fs::remove_dir_all(folder).unwrap();
}

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
