//! Reads any bytes as a table in parquet: it is read or refused, without a panic and in bounded memory.

#![no_main]

use libfuzzer_sys::fuzz_target;
use monomorph_fuzz::cli::read_table;

fuzz_target!(|bytes: &[u8]| read_table("parquet", bytes));
