//! Faults in a file's format, each made in a small file with a value of every type and two tensors.

use monomorph_gguf::writer::{Tensor, Value, Writer};

use super::{Beginning, Cases, Class};
use monomorph_testing::files::{nested, small};

/// Values that no count or length should have.
const ABSURD: [u64; 6] = [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 61, 1 << 32, 1 << 20];

pub fn add(cases: &mut Cases) {
    counts(cases);
    sizes(cases);
    alignments(cases);
    tensors(cases);
    tensor_names(cases);
    keys(cases);
    values(cases);
    versions(cases);
}

fn with(key: &str, value: impl Into<Value>) -> Beginning {
    small().set(key, value).to_header()
}

fn with_raw(key: &str, type_id: u32, bytes: &[u8]) -> Beginning {
    with(key, Value::Raw(type_id, bytes.to_vec()))
}

fn with_tensor(change: impl FnOnce(&mut Tensor)) -> Beginning {
    let mut file = small();
    change(file.tensor_mut("second").unwrap());
    file.to_header()
}

/// The small file with other bytes from offset `at` on.
fn patched(at: usize, with: &[u8]) -> Beginning {
    let (mut bytes, file_len) = small().to_header();
    bytes[at..at + with.len()].copy_from_slice(with);
    (bytes, file_len)
}

fn whole(bytes: &[u8]) -> Beginning {
    (bytes.to_vec(), bytes.len() as u64)
}

fn counts(cases: &mut Cases) {
    let mut add = |what: String, file, place: &str, found: &str| {
        cases.add(Class::AbsurdCount, what, file, &[place, found]);
    };
    for absurd in ABSURD {
        let n = absurd.to_le_bytes();
        let found = format!("the file says {absurd}, but at most");
        let fields = [
            (8, "the number of tensors"),
            (16, "the number of metadata keys"),
            (24, "the name of metadata key number 0"),
        ];
        for (at, place) in fields {
            add(format!("{absurd} as {place}"), patched(at, &n), place, &found);
        }
        let string = with_raw("test.string", 8, &n);
        add(format!("a string of {absurd}"), string, "key test.string", &found);
        for element in 0..=12u32 {
            let array = [&element.to_le_bytes()[..], &n].concat();
            let what = format!("an array of {absurd} of type {element}");
            add(what, with_raw("test.array", 9, &array), "key test.array", &found);
        }
        let in_array = [&8u32.to_le_bytes()[..], &1u64.to_le_bytes(), &n].concat();
        let what = format!("a string of {absurd} in an array");
        add(what, with_raw("test.array", 9, &in_array), "key test.array", &found);
        let (mut bytes, file_len) = small().to_header();
        let at = find(&bytes, b"second") - 8;
        bytes[at..at + 8].copy_from_slice(&n);
        let place = "the name of tensor number 1";
        add(format!("a tensor's name of {absurd}"), (bytes, file_len), place, &found);
    }
    // 24 bytes that claim tensors or keys.
    for at in [8, 16] {
        let mut bytes = Writer::new().to_bytes()[..24].to_vec();
        bytes[at] = 1;
        add(
            format!("nothing after byte 24, 1 at {at}"),
            whole(&bytes),
            "the file says 1,",
            "at most 0",
        );
    }
    // A file of this size once made a Rust reader allocate 61 GB.
    for at in [8, 16] {
        let mut bytes = Writer::new().to_bytes()[..24].to_vec();
        bytes[at..at + 8].copy_from_slice(&(1u64 << 30).to_le_bytes());
        let what = format!("nothing after byte 24, 2^30 at {at}");
        add(what, whole(&bytes), "the file says 1073741824", "at most 0");
    }
}

fn sizes(cases: &mut Cases) {
    let dims: [&[u64]; 6] = [
        &[1 << 63, 2],
        &[u64::MAX - 31, 32],
        &[1 << 32, 1 << 32],
        &[1 << 20, 1 << 20, 1 << 20, 1 << 20],
        &[64, 1 << 62],
        &[32, u64::MAX],
    ];
    for dims in dims {
        let what = format!("dimensions {dims:?}");
        let file = with_tensor(|tensor| tensor.dims = dims.to_vec());
        let words = ["tensor second", &format!("{dims:?}"), "fits in 64 bits"];
        cases.add(Class::WrappingSize, what, file, &words);
    }
    let (bytes, file_len) = small().to_header();
    let data_len = file_len - (bytes.len() as u64).next_multiple_of(32);
    let wrapping = [u64::MAX - 31, 1 << 63, u64::MAX - 1024 + 1];
    let beyond = [64, data_len, data_len + 32, 1 << 40];
    let wrapping = wrapping.map(|offset| (Class::WrappingSize, offset)).into_iter();
    for (class, offset) in wrapping.chain(beyond.map(|offset| (Class::BeyondTheEnd, offset))) {
        let file = with_tensor(|tensor| tensor.offset = Some(offset));
        let end = u128::from(offset) + 1088;
        let words =
            ["tensor second", &format!("ends at data byte {end},"), "but the file has only"];
        cases.add(class, format!("offset {offset}"), file, &words);
    }
    let file = with_tensor(|tensor| tensor.dims = vec![64, 17]);
    let words = ["tensor second", "ends at data byte", "but the file has only"];
    cases.add(Class::BeyondTheEnd, "one row too many", file, &words);
    let words = ["tensor second", "but the file has only", "is the download complete?"];
    cases.add(Class::BeyondTheEnd, "one byte too few", (bytes, file_len - 1), &words);
}

fn alignments(cases: &mut Cases) {
    let mut add = |what: String, file, words: &[&str]| {
        let words = [&["key general.alignment", "a power of two"][..], words].concat();
        cases.add(Class::Alignment, what, file, &words);
    };
    for alignment in [0u32, 1, 4, 3, 24, 33, 1 << 30, u32::MAX, 1 << 31, 1 << 17] {
        let found = format!("u32 {alignment}");
        add(found.clone(), with("general.alignment", alignment), &[&found]);
    }
    let n = 32u64.to_le_bytes();
    for (type_id, len) in [(0, 1), (1, 1), (2, 2), (3, 2), (5, 4), (6, 4), (7, 1), (10, 8), (11, 8)]
    {
        // A bool is 0 or 1.
        let bytes = if type_id == 7 { &[1] } else { &n[..len] };
        let file = with_raw("general.alignment", type_id, bytes);
        add(format!("type {type_id}"), file, &["a u32"]);
    }
    add("a string".into(), with("general.alignment", "32"), &["string \"32\"", "a u32"]);
    let file = with_tensor(|tensor| tensor.offset = Some(33));
    let words = ["tensor second", "offset 33", "a multiple of the alignment 32"];
    cases.add(Class::Alignment, "a tensor at an odd offset", file, &words);
}

fn tensors(cases: &mut Cases) {
    for dims in [vec![0, 16], vec![64, 0], vec![0], vec![1, 1, 1, 0]] {
        let file = with_tensor(|tensor| (tensor.type_id, tensor.dims) = (0, dims.clone()));
        let words = ["tensor second", &format!("{dims:?}"), "dimensions of at least 1"];
        cases.add(Class::Dimensions, format!("dimensions {dims:?}"), file, &words);
    }
    for n_dims in [0, 5, 8] {
        let file = with_tensor(|tensor| tensor.dims = vec![1; n_dims]);
        let words = ["tensor second", &format!("{n_dims} dimensions"), "1 to 4"];
        cases.add(Class::Dimensions, format!("{n_dims} dimensions"), file, &words);
    }
    let (mut bytes, file_len) = small().to_header();
    let at = find(&bytes, b"second") + 6;
    bytes[at..at + 4].fill(0xff);
    let words = ["tensor second", "4294967295 dimensions", "1 to 4"];
    cases.add(Class::Dimensions, "2^32 - 1 dimensions", (bytes, file_len), &words);
    for row in [1, 31, 33, 63] {
        let file = with_tensor(|tensor| tensor.dims = vec![row, 16]);
        let words = ["tensor second", &format!("rows of {row}"), "a multiple of 32", "Q8_0"];
        cases.add(Class::Dimensions, format!("rows of {row}"), file, &words);
    }
    for (type_id, name) in [
        (4, "Q4_2"),
        (5, "Q4_3"),
        (31, "Q4_0_4_4"),
        (32, "Q4_0_4_8"),
        (33, "Q4_0_8_8"),
        (36, "IQ4_NL_4_4"),
        (37, "IQ4_NL_4_8"),
        (38, "IQ4_NL_8_8"),
    ] {
        let file = with_tensor(|tensor| tensor.type_id = type_id);
        let words = ["tensor second", &format!("type {type_id} ({name})"), "removed"];
        cases.add(Class::TensorType, name, file, &words);
    }
    for type_id in [42, 64, 1 << 31, u32::MAX] {
        let file = with_tensor(|tensor| tensor.type_id = type_id);
        let words = ["tensor second", &format!("unknown tensor type {type_id}")];
        cases.add(Class::TensorType, format!("type {type_id}"), file, &words);
    }
}

fn tensor_names(cases: &mut Cases) {
    let mut add = |what: &str, name: &[u8], words: &[&str]| {
        let file = with_tensor(|tensor| tensor.name = name.to_vec());
        cases.add(Class::Names, format!("a tensor's name: {what}"), file, words);
    };
    add("twice", b"first", &["tensor first", "twice"]);
    add("empty", b"", &["tensor number 1", "an empty name"]);
    add("not UTF-8", b"\xff", &["tensor number 1", "not UTF-8"]);
    add(
        "too long",
        &[b'x'; 65],
        &["tensor number 1", "the file says 65", "at most 64 are accepted"],
    );
    // The message stays on one line.
    let file = with_tensor(|tensor| {
        tensor.name = b"a\nb\x1b[31m".to_vec();
        tensor.dims = vec![0];
    });
    cases.add(Class::Names, "control characters", file, &["a\\nb\\u{1b}[31m"]);
}

fn keys(cases: &mut Cases) {
    let mut add = |what: &str, file, words: &[&str]| {
        cases.add(Class::Names, format!("a key: {what}"), file, words);
    };
    let mut file = small();
    file.metadata.push(("test.u32".to_owned(), Value::U32(1)));
    add("twice", file.to_header(), &["key test.u32", "twice"]);
    let mut file = small().set("general.alignment", 32).clone();
    file.metadata.push(("general.alignment".to_owned(), Value::U32(64)));
    add("the alignment twice", file.to_header(), &["key general.alignment", "twice"]);
    add("empty", with("", 1), &["key number 16", "an empty name"]);
    let long = with(&"k".repeat(65_536), 1);
    add("too long", long, &["key number 16", "the file says 65536", "at most 65535 are accepted"]);
    let (mut bytes, file_len) = with("zz", 1);
    let at = find(&bytes, b"zz");
    bytes[at] = 0xff;
    add("not UTF-8", (bytes, file_len), &["key number 16", "not UTF-8"]);
}

fn values(cases: &mut Cases) {
    let mut add = |what: String, file, words: &[&str]| {
        cases.add(Class::ValueType, what, file, &[&["key test.value"], words].concat());
    };
    for type_id in [13u32, 255, u32::MAX] {
        let found = format!("value type {type_id}");
        add(found.clone(), with_raw("test.value", type_id, &[0; 8]), &[&found]);
        let array = [&type_id.to_le_bytes()[..], &[0; 8]].concat();
        add(format!("an array of type {type_id}"), with_raw("test.value", 9, &array), &[&found]);
    }
    add("bool 2".into(), with_raw("test.value", 7, &[2]), &["bool 2", "0 or 1"]);
    let bools = [&7u32.to_le_bytes()[..], &3u64.to_le_bytes(), &[0, 1, 2]].concat();
    add("bool 2 in an array".into(), with_raw("test.value", 9, &bools), &["0 or 1"]);
    let text = [&1u64.to_le_bytes()[..], &[0xff]].concat();
    add("a string that is not UTF-8".into(), with_raw("test.value", 8, &text), &["not UTF-8"]);
    // A file must not decide how deep the stack grows.
    for depth in [5, 100, 10_000] {
        let file = with("test.value", nested(depth));
        add(format!("arrays {depth} deep"), file, &["nested more than 4 deep"]);
    }
}

fn versions(cases: &mut Cases) {
    let mut add = |what: String, file, words: &[&str]| cases.add(Class::Version, what, file, words);
    add("no byte".into(), whole(b""), &["ends inside the magic number"]);
    for (bytes, place) in [
        (&b"GG"[..], "the magic number"),
        (b"GGUF", "the version"),
        (b"GGUF\x03\0\0\0", "the number of tensors"),
        (b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0", "the number of metadata keys"),
    ] {
        add(format!("{} bytes", bytes.len()), whole(bytes), &["the file ends inside", place]);
    }
    for (bytes, words) in [
        (&b"GGML\x03\0\0\0"[..], "\"GGML\""),
        (b"FUGG\0\0\0\x03", "\"FUGG\""),
        (b"PK\x03\x04....", "zip archive"),
    ] {
        add(format!("magic {words}"), whole(bytes), &["not a GGUF file", words]);
    }
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
        add(format!("version {version:#x}"), file.to_header(), words);
    }
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}
