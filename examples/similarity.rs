//! Compares every text with every other. `cargo run --release --example similarity`

use monomorph::{EmbedOptions, Embedder, Error, cosine};

/// Runs the example.
pub fn main() -> Result<(), Error> {
    let texts = ["A cat sat on the mat.", "A kitten lay on the rug.", "Stocks fell on Monday."];
    let embedder = Embedder::open_built()?;
    // The prompt for similarity, if the model has one.
    let options = EmbedOptions { prompt: embedder.prompt("sts").ok(), ..EmbedOptions::default() };
    let embeddings = embedder.run(&texts, &options)?;
    for (text, a) in texts.iter().zip(&embeddings) {
        let cosines = embeddings.iter().map(|b| cosine(&a.vector, &b.vector));
        let row: Vec<String> = cosines.map(|cosine| format!("{cosine:6.3}")).collect();
        println!("{}  {text}", row.join(" "));
    }
    Ok(())
}
