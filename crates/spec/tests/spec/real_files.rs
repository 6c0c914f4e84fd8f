//! The headers of the published model files, if they are in the user's cache.

use monomorph_testing::tiny::Variant;
use std::io::{Write, stderr};
use std::path::PathBuf;

use monomorph_gguf::{Header, PieceKind, TensorType, Vocabulary, read_prefix};
use monomorph_spec::{NormKind, Pooling, Spec, Window};

const FILES: [(&str, TensorType, Variant); 6] = [
    ("Q8_0", TensorType::Q8_0, Variant::WithDense),
    ("Q8_0-nodense", TensorType::Q8_0, Variant::WithoutDense),
    ("Q8_0-ollama", TensorType::Q8_0, Variant::Ollama),
    ("BF16", TensorType::BF16, Variant::WithDense),
    ("F16", TensorType::F16, Variant::WithDense),
    ("F32", TensorType::F32, Variant::WithDense),
];

/// The file's path; if it is absent, `None`, and a message on stderr.
fn find(variant: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("MODEL_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/embedding-models")
    });
    let path = folder.join(format!("embeddinggemma-300m-{variant}.gguf"));
    if !path.is_file() {
        // The test harness would capture what the print macros write.
        writeln!(stderr(), "SKIPPED, NOT TESTED: {} is absent", path.display()).expect("stderr");
        return None;
    }
    Some(path)
}

#[test]
fn every_published_shape_is_understood() {
    for (variant, kind, file) in FILES {
        let Some(path) = find(variant) else { continue };
        let prefix = read_prefix(&path).unwrap();
        let header = Header::parse(&prefix.bytes, prefix.file_len).unwrap();
        assert!(
            (prefix.bytes.len() as u64) < 3 * header.header_len,
            "{variant}: read far more than the header"
        );
        let spec = Spec::from_header(&header).unwrap();
        assert_eq!(spec.variant, file.words(), "{variant}");
        assert_eq!(
            (spec.n_embd, spec.n_ff, spec.n_head, spec.n_head_kv, spec.head_dim),
            (768, 1152, 3, 1, 256)
        );
        assert_eq!((spec.n_layer(), spec.n_vocab, spec.n_ctx), (24, 262_144, 2048));
        assert_eq!((spec.norm, spec.pooling), (NormKind::Rms(1e-6), Pooling::Mean));
        assert_eq!((spec.ropes[0].base, spec.ropes[1].base), (1e4, 1e6));
        for (i, layer) in spec.layers.iter().enumerate() {
            let full = [5, 11, 17, 23].contains(&i);
            assert_eq!(layer.window, if full { Window::Full } else { Window::Sliding(256) });
        }
        for (name, tensor) in spec.tensors() {
            let expected = if name.contains("norm") { TensorType::F32 } else { kind };
            assert_eq!(tensor.kind, expected, "{variant} {name}");
        }
        let heads: Vec<(usize, usize)> =
            spec.dense.iter().map(|head| (head.weight.rows, head.weight.cols)).collect();
        let dense = [(3072, 768), (768, 3072)];
        assert_eq!(heads, if file == Variant::WithoutDense { &dense[..0] } else { &dense[..] });
    }
}

#[test]
fn the_published_vocabulary_is_consistent() {
    let Some(path) = find("Q8_0") else { return };
    let prefix = read_prefix(&path).unwrap();
    let header = Header::parse(&prefix.bytes, prefix.file_len).unwrap();
    let vocabulary = Vocabulary::from_header(&header).unwrap();
    let count = |kind| vocabulary.iter().filter(|piece| piece.kind == kind).count();
    assert_eq!(count(PieceKind::Normal), 255_474);
    assert_eq!(count(PieceKind::Control), 6251);
    assert_eq!(count(PieceKind::UserDefined), 163);
    assert_eq!(count(PieceKind::Byte), 256);
    let piece = vocabulary.iter().nth(506).unwrap();
    assert_eq!((piece.bytes, piece.score), ("\u{2581}the".as_bytes(), -12.0));
}

/// A real header that is cut anywhere asks for more bytes; a real file that is cut is refused.
#[test]
fn published_headers_cut_short() {
    let Some(path) = find("Q8_0") else { return };
    let prefix = read_prefix(&path).unwrap();
    let header_len = Header::parse(&prefix.bytes, prefix.file_len).unwrap().header_len as usize;
    for len in (0..header_len).step_by(header_len / 97) {
        let found = Header::parse(&prefix.bytes[..len], prefix.file_len);
        assert!(
            matches!(found, Err(monomorph_gguf::Error::NeedMore { needed }) if needed > len as u64)
        );
        monomorph_testing::files::refused(
            Header::parse(&prefix.bytes[..len], len as u64),
            &["the file"],
        );
    }
    monomorph_testing::files::refused(
        Header::parse(&prefix.bytes, prefix.file_len - 33),
        &["but the file has only"],
    );
}
