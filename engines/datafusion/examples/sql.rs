//! Runs a query in which `embed(text)` is the model of this build:
//!
//! ```sh
//! MODEL_GGUF=model.gguf cargo run --release --example sql -- "SELECT id, embed(text) FROM 'texts.parquet'"
//! ```

use datafusion::prelude::SessionContext;
use monomorph::Embedder;
use monomorph_datafusion::embed_udf;
use std::error::Error;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let query = std::env::args().nth(1).ok_or("give a query")?;
    let embedder = Embedder::options().keep_panels(true).open_built()?;
    // So that it may name files as tables.
    let context = SessionContext::new().enable_url_table();
    context.register_udf(embed_udf(Arc::new(embedder)));
    context.sql(&query).await?.show().await?;
    Ok(())
}
