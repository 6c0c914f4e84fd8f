//! The code committed in `../src/grpc` must be what `tei.proto` generates. If it is not, this test writes the new text
//! and fails: look at the difference and commit it.

use prost::Message;
use std::fs;
use std::path::Path;

#[test]
fn the_committed_code_is_fresh() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = here.join("../src/grpc");
    let new = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let files = protox::compile(["tei.proto"], [here]).unwrap();
    // With comments: reflection shows the file as it is.
    fs::write(new.join("tei.descriptor"), files.encode_to_vec()).unwrap();
    tonic_prost_build::configure().build_client(false).out_dir(new).compile_fds(files).unwrap();
    let mut stale = Vec::new();
    for (made, name) in [("tei.v1.rs", "tei.rs"), ("tei.descriptor", "tei.descriptor")] {
        let (made, target) = (fs::read(new.join(made)).unwrap(), committed.join(name));
        if fs::read(&target).ok().as_deref() != Some(&made[..]) {
            fs::write(target, made).unwrap();
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "written anew: {stale:?}; look at the difference, and commit it");
}
