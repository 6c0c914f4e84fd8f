//! The command line, from the outside: the binary is run on the model it was built for, whichever that is.
//!
//! No vector is written down here. What can be known of any model is checked: shapes of the answers, agreement of
//! the formats with each other, messages and exit codes.

#[cfg(feature = "parquet")]
mod arrays;
mod batch;
mod commands;
mod dedupe;
mod embed;
mod failures;
mod folders;
mod formats;
mod input;
mod inspect;
mod kept;
mod license;
mod manual;
mod mutated;
mod mutated_tables;
mod pack;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "plot")]
mod plot;
#[cfg(feature = "parquet")]
mod postgres;
mod precision;
#[cfg(feature = "parquet")]
mod readback;
#[cfg(feature = "parquet")]
mod recipes;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod support;
#[cfg(feature = "parquet")]
mod table_columns;
mod table_formats;
mod table_json;
mod table_text;
mod transcripts;
