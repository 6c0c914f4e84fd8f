//! Maps of vectors.

use std::fs;
use std::io::{Write, stderr};
use std::process::Command;

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

/// The data of a page.
fn data(page: &str) -> serde_json::Value {
    let html = fs::read_to_string(page).unwrap();
    let data = html.split("const data = ").nth(1).and_then(|rest| rest.split(";\n").next());
    serde_json::from_str(data.unwrap()).unwrap()
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
    let data = data(&page);
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
fn clusters_are_named_by_their_words() {
    let folder = Folder::new("plot-clusters");
    let (vectors, page) = (vectors(&folder), folder.argument("map.html"));
    let fixed = ["plot", "--in", &vectors, "--output", &page, "--method", "pca"];
    let mut pages = Vec::new();
    for _ in 0..2 {
        run(&[&fixed[..], &["--clusters", "3"]].concat()).good();
        pages.push(data(&page));
    }
    assert_eq!(pages[0], pages[1]);
    let groups = pages[0]["groups"].as_array().unwrap();
    let points = pages[0]["points"].as_array().unwrap();
    let sizes = (0..3).map(|group| points.iter().filter(|point| point["group"] == group).count());
    let sizes: Vec<usize> = sizes.collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes.iter().sum::<usize>() == 60, "{sizes:?}");
    for (number, group) in groups.iter().enumerate() {
        let name = group["name"].as_str().unwrap();
        let words = if cfg!(feature = "parquet") { ": " } else { "" };
        assert!(name.starts_with(&format!("{}{words}", number + 1)), "{name}");
    }
    // More clusters than vectors.
    let few = folder.write("few.jsonl", b"{\"embedding\":[0.5,0.1]}\n{\"embedding\":[0.1,1.5]}\n");
    run(&["plot", "--in", &few, "--output", &page, "--clusters", "8"]).good();
    assert_eq!(data(&page)["groups"].as_array().unwrap().len(), 2);
}

#[test]
fn a_png_is_a_picture() {
    let folder = Folder::new("plot-png");
    let (vectors, picture) = (vectors(&folder), folder.argument("map.png"));
    run(&["plot", "--in", &vectors, "--output", &picture, "--clusters", "4"]).good();
    let png = fs::read(&picture).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xae\x42\x60\x82"));
    assert!((2_000..500_000).contains(&png.len()), "{}", png.len());
}

/// A mouse over a point, a word in the search box and a click on the legend, in a headless Chromium.
#[test]
fn a_browser_shows_the_page() {
    let folder = Folder::new("plot-browser");
    let (vectors, page) = (vectors(&folder), folder.argument("map.html"));
    run(&["plot", "--in", &vectors, "--output", &page, "--clusters", "3"]).good();
    let picture = folder.argument("map.png");
    run(&["plot", "--in", &vectors, "--output", &picture, "--clusters", "3"]).good();
    let html = fs::read_to_string(&page).unwrap();
    fs::write(&page, html + include_str!("plot.html")).unwrap();
    for (scheme, ground) in [("0", "rgb(24, 26, 27)"), ("1", "rgb(255, 255, 255)")] {
        let mut chromium = Command::new("chromium");
        chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
        chromium.arg(format!("--blink-settings=preferredColorScheme={scheme}"));
        chromium.arg(format!("--user-data-dir={}", folder.argument("chromium")));
        let output = chromium.args(["--window-size=900,700", "--dump-dom", &page]).output();
        let Ok(output) = output else {
            let _ = writeln!(stderr(), "SKIPPED: the page of plot: there is no chromium");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(!said.contains("CONSOLE"), "{said}");
        let page = String::from_utf8_lossy(&output.stdout);
        let seen = page.split("<output>").nth(1).and_then(|rest| rest.split("</output>").next());
        let seen: serde_json::Value = serde_json::from_str(seen.expect("an answer")).unwrap();
        assert_eq!(seen["ground"], ground);
        assert_eq!(seen["all"], "60 of 60 points");
        if cfg!(feature = "parquet") {
            let hovered = seen["hovered"].as_str().unwrap();
            assert!(hovered.starts_with("7\n") && hovered.ends_with("\ngreen thing number 7"));
            assert_eq!(seen["found"], "1 of 60 points");
        }
        assert_eq!(seen["away"], "none");
        assert_eq!(seen["picture"], serde_json::json!([2000, 2000]));
        assert_eq!(seen["legend"], 3);
        let hidden = seen["hidden"].as_str().unwrap();
        assert!(hidden.ends_with(" of 60 points") && !hidden.starts_with("60 "), "{hidden}");
    }
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let folder = Folder::new("plot-bad");
    let vectors = vectors(&folder);
    let empty = folder.write("empty.jsonl", b"");
    let page = folder.argument("map.html");
    for (arguments, code, message) in [
        (&["--in", &vectors, "--output", "map.gif"][..], 2, "--output map.gif: its extension says"),
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
    for clusters in [&["--clusters", "11"][..], &["--clusters", "3", "--color", "kind"]] {
        let outcome = run(&[&["plot", "--in", &vectors, "--output", &page], clusters].concat());
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.stderr.contains("--clusters <N>"), "{}", outcome.stderr);
    }
    assert!(!folder.path("map.html").exists());
}
