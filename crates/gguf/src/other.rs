//! Files that are given as models and are something else, by how they begin.

/// What a file is that is no GGUF file, and what to do, where that is known.
pub fn known(bytes: &[u8]) -> Option<&'static str> {
    let begins =
        |with: &[u8]| bytes.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    // The length of the header, in eight bytes, and the header, in JSON.
    let is_safetensors = bytes.get(5..9) == Some(b"\0\0\0{");
    if is_safetensors {
        return Some("safetensors; convert the model with llama.cpp's convert_hf_to_gguf.py");
    }
    KNOWN.iter().find(|(signature, _)| begins(signature)).map(|(_, what)| *what)
}

const KNOWN: &[(&[u8], &str)] = &[
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer; git lfs pull fetches the file itself",
    ),
    (b"<!doctype html", WEB_PAGE),
    (b"<html", WEB_PAGE),
    (
        b"PK\x03\x04",
        "a zip archive, as PyTorch writes; convert the model with llama.cpp's convert_hf_to_gguf.py",
    ),
    (b"lmgg", OLD),
    (b"fmgg", OLD),
    (b"tjgg", OLD),
];

const WEB_PAGE: &str =
    "a web page; a model that asks for a login is downloaded with one, as hf download does";
const OLD: &str = "a GGML file from before GGUF; fetch the model again, or convert its original";
