//! Small GGUF files, and helpers that read them and check errors.

use monomorph_gguf::writer::{Value, Writer};
use monomorph_gguf::{Error, Header, TensorType};

/// A small valid file with a value of every kind and two tensors, the last of which ends the file without padding.
pub fn small() -> Writer {
    let mut file = Writer::new();
    file.set("general.architecture", "test")
        .set("test.u32", 24)
        .set("test.f32", 1e-6)
        .set("test.bool", true)
        .set("test.strings", strings(&["a", "", "\u{2581}the"]))
        .set("test.f32s", Value::F32s(vec![0.0, -1.0]))
        .set("test.i32s", Value::I32s(vec![1, -6]))
        .set("test.u8", Value::Raw(0, vec![8]))
        .set("test.i8", Value::Raw(1, vec![0xff]))
        .set("test.u16", Value::Raw(2, vec![16, 1]))
        .set("test.i16", Value::Raw(3, vec![0xfe, 0xff]))
        .set("test.i32", Value::Raw(5, vec![0xfd, 0xff, 0xff, 0xff]))
        .set("test.u64", Value::Raw(10, 1u64.rotate_right(1).to_le_bytes().to_vec()))
        .set("test.i64", Value::Raw(11, (-4i64).to_le_bytes().to_vec()))
        .set("test.f64", Value::Raw(12, 0.5f64.to_le_bytes().to_vec()))
        .set("test.nested", nested(3));
    file.tensor("first", TensorType::F32, &[3, 2], vec![1; 24]);
    file.tensor("second", TensorType::Q8_0, &[64, 16], vec![2; 64 / 32 * 34 * 16]);
    file
}

/// An array of these strings.
pub fn strings(texts: &[&str]) -> Value {
    Value::Strings(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
}

/// An array of an array of an array ... of one byte, `depth` levels deep.
pub fn nested(depth: usize) -> Value {
    let mut bytes = Vec::new();
    for level in 0..depth {
        let element: u32 = if level + 1 == depth { 0 } else { 9 };
        bytes.extend(element.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
    }
    bytes.push(7);
    Value::Raw(9, bytes)
}

/// Parses a whole file.
pub fn parse(bytes: &[u8]) -> Result<Header<'_>, Error> {
    Header::parse(bytes, bytes.len() as u64)
}

/// Asserts that the result is an error with a one-line message that contains all of `words`.
#[track_caller]
pub fn refused<T>(result: Result<T, Error>, words: &[&str]) {
    let message = match result {
        Ok(_) => panic!("accepted; expected an error with {words:?}"),
        Err(error) => error.to_string(),
    };
    for word in words {
        assert!(message.contains(word), "\"{message}\" does not say \"{word}\"");
    }
    assert!(!message.contains('\n'), "more than one line: {message:?}");
    assert!(message.len() < 400, "too long: {message}");
}
