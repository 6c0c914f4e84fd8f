//! `tokenize`, `similarity`, `bench` and `verify`.

use super::support::*;

#[test]
fn tokenize_gives_ids_and_pieces() {
    let lines = run(&["tokenize", "--pieces", "Hello world", ""]).json_lines();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(line["ids"].as_array().unwrap().len(), line["pieces"].as_array().unwrap().len());
    }
    let without = run(&["tokenize", "Hello world"]).json_lines();
    assert_eq!(without[0]["ids"], lines[0]["ids"]);
    assert!(without[0].get("pieces").is_none());
    let embedded = run(&["embed", "Hello world"]).json_lines();
    assert_eq!(embedded[0]["tokens"], lines[0]["ids"].as_array().unwrap().len());
}

#[test]
fn tokenize_cuts_only_when_asked() {
    let text = long_text();
    let ids = |arguments: &[&str]| {
        run_with_input(arguments, text.as_bytes()).json_lines()[0]["ids"]
            .as_array()
            .unwrap()
            .clone()
    };
    let (all, cut) = (ids(&["tokenize"]), ids(&["tokenize", "--limit", "5"]));
    assert!(all.len() > monomorph::built::SPEC.n_ctx);
    assert_eq!(cut.len(), 5);
    assert_eq!(cut[..4], all[..4]);
    assert_eq!(cut[4], all[all.len() - 1]);
}

#[test]
fn similarity_reads_tables() {
    let folder = Folder::new("similarity");
    let texts = folder.write("texts.txt", b"one\ntwo\nthree\n");
    let matrix = run(&["similarity", "one", "two", "three"]).text();
    assert_eq!(run(&["similarity", "--input", &texts]).text(), matrix);
    let query = ["similarity", "--query", "one"];
    let scores = run(&[&query[..], &["one", "two", "three"]].concat()).text();
    assert_eq!(run(&[&query[..], &["--input", &texts]].concat()).text(), scores);

    let pairs = folder.write("pairs.csv", b"id,a,b\nx,one,two\ny,\"two\n\",two\n");
    let fixed = ["similarity", "--input", &pairs, "--column", "a", "--with", "b"];
    let lines = run(&fixed).text();
    let score = |a, b| run(&["similarity", "--json", a, b]).json_lines()[0]["matrix"][0][1].clone();
    let [first, second] = [score("one", "two"), score("two\n", "two")].map(|x| x.as_f64().unwrap());
    assert_eq!(lines, format!("{first:.4}\tx\tone\ttwo\n{second:.4}\ty\ttwo \ttwo\n"));
    let objects = run(&[&fixed[..], &["--json"]].concat()).json_lines();
    assert_eq!(objects[1]["texts"][0], "two\n");
    assert_eq!((objects[1]["row"].as_u64(), objects[1]["id"].as_str()), (Some(1), Some("y")));
    let outcome = run(&["similarity", "--input", &pairs, "--column", "a", "--with", "c"]);
    assert!(outcome.failure(1).contains("no column \"c\"; it has id, a, b"));
    let outcome = run(&["similarity", "--input", "-", "--with", "b"]);
    assert!(outcome.failure(2).contains("pairs are read from a file"));
}

#[test]
fn similarity_is_a_matrix() {
    let answer = run(&["similarity", "one", "two", "one"]).text();
    let rows: Vec<Vec<f64>> = answer
        .lines()
        .map(|row| row.split_whitespace().map(|x| x.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.len(), 3);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row.len(), 3);
        assert_eq!(row[i], 1.0);
        (0..3).for_each(|j| assert_eq!(row[j], rows[j][i]));
    }
    assert_eq!(rows[0][2], 1.0);

    let json = run(&["similarity", "--json", "one", "two"]).json_lines().remove(0);
    assert_eq!(json["texts"], serde_json::json!(["one", "two"]));
    assert!((json["matrix"][0][1].as_f64().unwrap() - rows[0][1]).abs() <= 0.5e-4);
}

#[test]
fn query_scores_documents_with_the_prompts_of_retrieval() {
    let (query, document) = ("Which planet is red?", "Mars\tis red.\n");
    let scores = run(&["similarity", "--query", query, document, "Venus is hot."]).text();
    let lines: Vec<&str> = scores.lines().collect();
    assert_eq!(lines.len(), 2);
    let (score, text) = lines[0].split_once('\t').unwrap();
    assert_eq!(text, "Mars is red. ");

    let vector =
        |prompt, text| vectors(&run(&["embed", "--prompt", prompt, text]).json_lines()).remove(0);
    let (query, document) = (vector("query", query), vector("document", document));
    let cosine: f64 = query.iter().zip(&document).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    assert!((score.parse::<f64>().unwrap() - cosine).abs() < 1e-4);
}

#[test]
fn bench_measures_passes() {
    let folder = Folder::new("bench");
    let input = folder.write("in.jsonl", b"{\"text\":\"one\"}\n{\"text\":\"two words\"}\n");
    let expected: usize = run(&["tokenize", "one", "two words"])
        .json_lines()
        .iter()
        .map(|line| line["ids"].as_array().unwrap().len())
        .sum();
    for mode in ["single", "batch"] {
        for path in ["specialized", "generic"] {
            let arguments = [
                "bench",
                "--input",
                &input,
                "--mode",
                mode,
                "--path",
                path,
                "--seconds",
                "0",
                "--threads",
                "1",
            ];
            let answer = run(&[&arguments[..], &["--json"]].concat()).json_lines().remove(0);
            assert_eq!(answer["texts"], 2);
            assert_eq!(answer["tokens"], expected);
            assert_eq!(answer["threads"], 1);
            // Plain Rust is never specialised.
            let ran = if answer["isa"] == "scalar" { "generic" } else { path };
            assert_eq!(answer["path"], ran);
            let seconds = answer["seconds"].as_array().unwrap();
            assert!(
                seconds.len() == 1 && seconds[0].as_f64().unwrap() > 0.0,
                "one pass even in no time"
            );
            assert_eq!(answer["peak_rss_bytes"].is_u64(), cfg!(target_os = "linux"));
            assert!(run(&arguments).text().contains("median pass"));
        }
    }
    let empty = folder.write("empty.txt", b"");
    assert!(run(&["bench", "--input", &empty, "--mode", "batch"]).failure(1).contains("no texts"));
}

#[test]
fn verify_knows_the_file_of_the_build() {
    let outcome = run(&["verify", "--model", monomorph::built::SOURCE]);
    assert!(
        outcome.stderr.contains("is the file this binary was built from"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.good(), b"");
}

#[test]
fn verify_takes_the_model_of_the_build_where_none_is_named() {
    let outcome = run(&["verify"]);
    let said = if monomorph::built::IS_EMBEDDED { "inside this binary" } else { "is the file" };
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    outcome.good();
}

#[test]
fn verify_reads_every_byte() {
    if skip_on_large_model() {
        return;
    }
    let folder = Folder::new("verify");
    let mut bytes = std::fs::read(monomorph::built::SOURCE).unwrap();
    let same = folder.write("same.gguf", &bytes);
    run(&["verify", "--model", &same]).good();
    *bytes.last_mut().unwrap() ^= 1;
    let changed = folder.write("changed.gguf", &bytes);
    assert!(run(&["verify", "--model", &changed]).failure(1).contains(&changed));
}
