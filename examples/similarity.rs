//! How alike texts are: each with each. `cargo run --release --example similarity`

use monomorph::{EmbedOptions, Embedder, Error, Prompt};

/// Runs the example.
pub fn main() -> Result<(), Error> {
    let texts = ["A cat sat on the mat.", "A kitten lay on the rug.", "Stocks fell on Monday."];
    let embedder = Embedder::open_built()?;
    let options =
        EmbedOptions { prompt: Some(Prompt::SentenceSimilarity), ..EmbedOptions::default() };
    let embeddings = embedder.run(&texts, &options)?;
    for (text, a) in texts.iter().zip(&embeddings) {
        // The vectors have length 1, so their dot product is their cosine.
        let cosines = embeddings.iter().map(|b| dot(&a.vector, &b.vector));
        let row: Vec<String> = cosines.map(|cosine| format!("{cosine:6.3}")).collect();
        println!("{}  {text}", row.join(" "));
    }
    Ok(())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
