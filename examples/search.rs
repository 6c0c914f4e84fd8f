//! Finds the best documents for a question. `cargo run --release --example search`

use monomorph::{EmbedOptions, Embedder, Error, cosine};

const DOCUMENTS: [&str; 4] = [
    "Venus is often called Earth's twin because of its similar size and proximity.",
    "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
    "Jupiter, the largest planet in our solar system, has a prominent red spot.",
    "Saturn, famous for its rings, is sometimes mistaken for the Red Planet.",
];

/// Runs the example.
pub fn main() -> Result<(), Error> {
    let embedder = Embedder::open_built()?;
    // Many models were trained with a prompt on each side of a search; the default model has none.
    let with =
        |prompt| EmbedOptions { prompt: embedder.prompt(prompt).ok(), ..EmbedOptions::default() };
    let documents = embedder.run(&DOCUMENTS, &with("document"))?;
    let question = "Which planet is known as the Red Planet?";
    let query = &embedder.run(&[question], &with("query"))?[0].vector;

    let mut scores: Vec<(f32, &str)> = documents
        .iter()
        .zip(DOCUMENTS)
        .map(|(document, text)| (cosine(query, &document.vector), text))
        .collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("{question}");
    for (score, text) in scores {
        println!("{score:.3}  {text}");
    }
    Ok(())
}
