//! One JSON value of a line, and its faults in one line of words.

use serde::de::DeserializeOwned;

/// What the line holds, or why it does not.
pub fn parse<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| {
        let message = error.to_string();
        // serde_json counts lines within what it was given, which is one line here.
        let reason =
            message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
        format!("column {}: {reason}", error.column())
    })
}
