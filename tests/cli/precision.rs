//! `--precision` and `ranges`. That the values are those of sentence-transformers is tested in
//! tests/model/precision.rs.

use std::fs;

use super::support::*;

#[test]
fn precisions_have_their_types_in_every_format() {
    let folder = Folder::new("precision");
    let input = folder.write("in.txt", b"one\ntwo\nthree\n");
    let ranges = folder.argument("ranges.npy");
    let outcome = run(&["ranges", "--input", &input, "--output", &ranges]);
    assert!(outcome.stderr.ends_with("ranges of 3 texts\n"));
    let header = fs::read(&ranges).unwrap();
    assert!(String::from_utf8_lossy(&header[..128]).contains(&format!("(2, {})", dimensions())));
    for (precision, descr, width, values) in [
        ("float32", "<f4", 4, dimensions()),
        ("float16", "<f2", 2, dimensions()),
        ("int8", "|i1", 1, dimensions()),
        ("uint8", "|u1", 1, dimensions()),
        ("binary", "|i1", 1, dimensions() / 8),
        ("ubinary", "|u1", 1, dimensions() / 8),
    ] {
        let embed = |format: &str| {
            let mut arguments = vec!["embed", "--input", &input, "--precision", precision];
            arguments.extend(["--format", format]);
            if precision.ends_with("int8") {
                arguments.extend(["--ranges", &ranges]);
            }
            run(&arguments).good()
        };
        let npy = embed("npy");
        let header = String::from_utf8_lossy(&npy[..128]).into_owned();
        assert!(header.contains(&format!("'{descr}'")), "{header}");
        assert!(header.contains(&format!("(3, {values})")), "{header}");
        assert_eq!(npy.len(), 128 + 3 * values * width);
        assert!(npy[128..] == embed("raw"));
        let csv = String::from_utf8(embed("csv")).unwrap();
        assert!(csv.lines().all(|line| line.split(',').count() == 1 + values), "{precision}");
    }
    let bits = |order| {
        let arguments = ["embed", "--input", &input, "--precision", "ubinary", "--format", "raw"];
        run(&[&arguments[..], &["--bit-order", order]].concat()).good()
    };
    assert!(bits("msb").iter().map(|byte| byte.reverse_bits()).eq(bits("lsb")));
}

#[test]
fn ranges_must_be_there_and_fit() {
    let folder = Folder::new("ranges");
    let input = folder.write("in.txt", b"one\ntwo\n");
    let ranges = folder.argument("ranges.npy");
    run(&["ranges", "--input", &input, "--output", &ranges, "--dimensions", "16"]).good();
    let embed = |more: &[&str]| run(&[&["embed", "one", "--precision"], more].concat());
    for (arguments, code, message) in [
        (&["int8"][..], 2, "--precision int8 needs --ranges FILE"),
        (&["binary", "--ranges", &ranges], 2, "--ranges: binary does not use ranges"),
        (&["uint8", "--ranges", &ranges], 2, "--ranges: the ranges are of 16 dimensions"),
        (&["uint8", "--ranges", &input], 1, "not a NumPy array"),
    ] {
        let outcome = embed(arguments);
        assert!(outcome.failure(code).contains(message), "{}", outcome.stderr);
    }
    embed(&["uint8", "--ranges", &ranges, "--dimensions", "16"]).good();
    let one = folder.write("one.txt", b"one\n");
    let outcome = run(&["ranges", "--input", &one, "--output", &ranges]);
    assert!(outcome.failure(1).contains("needs at least two texts"), "{}", outcome.stderr);
}
