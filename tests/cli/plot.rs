//! Maps of vectors.

use std::fs;

use super::support::*;

/// Vectors of sixty texts in a Parquet file, or in npy without that feature.
fn vectors(folder: &Folder) -> String {
    let kinds = ["red", "green", "blue"];
    let line = |i: usize| format!("{i},{} thing number {i},{}\n", kinds[i % 3], kinds[i % 3]);
    let table = (0..60).map(line).collect::<String>();
    let input = folder.write("in.csv", format!("id,text,kind\n{table}").as_bytes());
    let extension = if cfg!(feature = "parquet") { "parquet" } else { "npy" };
    let vectors = folder.argument(&format!("vectors.{extension}"));
    run(&["batch", "--input", &input, "--output", &vectors]).good();
    vectors
}

#[test]
fn a_page_needs_nothing_else() {
    let folder = Folder::new("plot-page");
    let (vectors, page) = (vectors(&folder), folder.argument("map.html"));
    let has_columns = cfg!(feature = "parquet");
    let color: &[&str] = if has_columns { &["--color", "kind"] } else { &[] };
    run(&[&["plot", "--in", &vectors, "--output", &page][..], color].concat()).good();
    let html = fs::read_to_string(&page).unwrap();
    assert!(!html.contains("://") && !html.contains("src=") && !html.contains("{data}"));
    let data = html.split("const data = ").nth(1).and_then(|rest| rest.split(";\n").next());
    let data: serde_json::Value = serde_json::from_str(data.unwrap()).unwrap();
    let points = data["points"].as_array().unwrap();
    assert_eq!(points.len(), 60);
    let within = |x: &serde_json::Value| (0.0..=1.0).contains(&x.as_f64().unwrap());
    assert!(points.iter().all(|point| within(&point["x"]) && within(&point["y"])));
    if has_columns {
        assert_eq!(points[1]["text"], "green thing number 1");
        assert_eq!(data["groups"].as_array().unwrap().len(), 3);
        assert!(points.iter().all(|point| point["group"].is_u64()));
    }
}

#[test]
fn a_picture_has_a_circle_for_each_vector() {
    let folder = Folder::new("plot-picture");
    let (vectors, picture) = (vectors(&folder), folder.argument("map.svg"));
    let fixed = ["plot", "--in", &vectors, "--output", &picture];
    for (more, circles) in [
        (&[][..], 60),
        (&["--method", "pca"], 60),
        (&["--limit", "20"], 15),
        (&["--limit", "1"], 1),
    ] {
        let outcome = run(&[&fixed[..], more].concat());
        let note = format!("{circles} of 60 vectors are drawn; --limit draws more");
        assert_eq!(outcome.stderr.contains(&note), circles < 60, "{}", outcome.stderr);
        outcome.good();
        let svg = fs::read_to_string(&picture).unwrap();
        assert_eq!(svg.matches("<circle").count(), circles, "{more:?}");
    }
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let folder = Folder::new("plot-bad");
    let vectors = vectors(&folder);
    let empty = folder.write("empty.jsonl", b"");
    let page = folder.argument("map.html");
    for (arguments, code, message) in [
        (&["--in", &vectors, "--output", "map.png"][..], 2, "--output map.png: its extension says"),
        (&["--in", &empty, "--output", &page], 1, "has no vectors to draw"),
        (&["--in", &empty, "--output", &page, "--color", "kind"], 2, "--color kind: "),
        (
            &["--in", &vectors, "--output", &page, "--color", "none"],
            if cfg!(feature = "parquet") { 1 } else { 2 },
            "none",
        ),
    ] {
        let outcome = run(&[&["plot"][..], arguments].concat());
        assert!(outcome.failure(code).contains(message), "{}", outcome.stderr);
    }
    assert!(!folder.path("map.html").exists());
}
