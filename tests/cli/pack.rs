//! `pack`: the packed file gives the same vectors as the model, and is checked like a model file.

use super::support::*;
use monomorph::Embedder;
use monomorph::built::{IMAGE_FORM, IS_EMBEDDED, SOURCE};
use std::fs;

const TEXTS: [&str; 4] = ["embed", "--format", "raw", "Which planet is known as the Red Planet?"];

#[test]
fn a_packed_file_gives_the_same_vectors() {
    let folder = Folder::new("pack");
    let want = run(&TEXTS).good();
    for (name, more) in [("panels", &[][..]), ("blocks", &["--blocks", "--model", SOURCE])] {
        let packed = folder.argument(name);
        let pack = [&["pack", "--output", &packed][..], more].concat();
        let said = run(&pack).stderr;
        let bytes = fs::read(&packed).expect("what was written");
        assert!(said.contains(&format!("{} bytes of ", bytes.len())), "{said}");
        assert_eq!(run(&[&TEXTS[..], &["--model", &packed]].concat()).good(), want, "{name}");
        assert!(run(&["verify", "--model", &packed]).stderr.contains("is the file"));

        // The same from memory, wherever the bytes begin.
        let text = TEXTS[3];
        let vector = |bytes: Vec<u8>| {
            let embedder = Embedder::options().threads(1).open_bytes(bytes).expect("it fits");
            embedder.embed(text).expect("a vector")
        };
        let of_file = Embedder::options().threads(1).open(&packed).expect("it fits");
        let of_file = of_file.embed(text).expect("a vector");
        let [raw, of_bytes]: [Vec<u32>; 2] = [of_file, vector(bytes.clone())]
            .map(|vector| vector.iter().map(|x| x.to_bits()).collect());
        assert_eq!(raw, of_bytes);
        let want: Vec<u32> =
            want.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        assert_eq!(raw, want);

        // Packed again, it is the same file.
        let again = folder.argument("again");
        let repack =
            [&["pack", "--output", &again, "--model", &packed][..], &more[..more.len().min(1)]];
        run(&repack.concat()).good();
        assert!(fs::read(&again).expect("what was written") == bytes, "{name}");
    }
}

#[test]
fn damaged_and_other_packed_files_are_refused() {
    let folder = Folder::new("unfit");
    let packed = folder.argument("model.bin");
    run(&["pack", "--output", &packed]).good();
    let bytes = fs::read(&packed).expect("what was written");
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        let path = folder.write("other.bin", &bytes);
        let line = run(&["embed", "a", "--model", &path]).failure(1).to_owned();
        let error = Embedder::options().open_bytes(bytes).err().expect("it does not fit");
        assert_eq!(error.to_string(), line.replace(&path, "the given bytes"));
        line
    };
    let cut = refused(&|bytes| bytes.truncate(bytes.len() - 1));
    let (found, expected) = (bytes.len() - 1, bytes.len());
    assert!(
        cut.ends_with(&format!(
            "it has {found} bytes instead of {expected}; fetch or pack it again"
        ))
    );
    assert!(
        refused(&|bytes| bytes.truncate(100)).contains("its first page is truncated or damaged")
    );
    assert!(refused(&|bytes| bytes[8] = 2).contains("or another version"));
    assert!(refused(&|bytes| bytes[32] ^= 1).contains("packed for another model"));
    // The length of what follows.
    assert!(
        refused(&|bytes| bytes[48..56].fill(0xff))
            .contains("its first page is truncated or damaged")
    );

    // What only `verify` reads.
    let mut damaged = bytes.clone();
    damaged[4096 + 17] ^= 1;
    let damaged = folder.write("damaged.bin", &damaged);
    assert!(run(&["verify", "--model", &damaged]).failure(1).contains("its content differs"));
    let outcome = run(&["pack", "--model", &damaged, "--output", &folder.argument("never")]);
    assert!(outcome.failure(1).contains("its content differs"));
    assert!(fs::metadata(folder.argument("never")).is_err());
}

#[test]
fn pack_keeps_what_it_reads_and_what_is_there() {
    let folder = Folder::new("pack-safely");
    let model = folder.argument("model.gguf");
    fs::copy(SOURCE, &model).expect("the model");
    let outcome = run(&["pack", "--model", &model, "--output", &model]);
    assert!(outcome.failure(2).contains("is also the model; name another file"));
    assert!(fs::read(&model).expect("the model") == fs::read(SOURCE).expect("the model"));

    let old = folder.write("old.bin", b"old");
    let outcome = run(&["pack", "--model", &folder.argument("none.gguf"), "--output", &old]);
    assert!(outcome.failure(1).contains("none.gguf"));
    assert_eq!(fs::read(&old).expect("it is there"), b"old");

    let panels = folder.argument("panels.bin");
    run(&["pack", "--model", &model, "--output", &panels]).good();
    let outcome = run(&["pack", "--blocks", "--model", &panels, "--output", &old]);
    assert!(outcome.failure(1).contains("stored as panels"));
    if IS_EMBEDDED && IMAGE_FORM == monomorph::Form::Panels {
        assert!(
            run(&["pack", "--blocks", "--output", &old]).failure(1).contains("stored as panels")
        );
    }
    assert_eq!(fs::read(&old).expect("it is there"), b"old");
}
