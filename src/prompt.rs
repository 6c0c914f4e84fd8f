//! The prompts a model was trained with, by name.
//!
//! A prompt is a prefix that tells the model what the vector is for. No prompt is the default, and a search works best
//! with the prompt `query` on the question and `document` on what is searched.

use crate::error::Error;
use monomorph_spec::{Prompt, Spec};

/// The model's prompt of that name. Case does not matter, and `_` or a space may stand for `-`.
///
/// ```
/// use monomorph::{built, prompt_by_name};
///
/// # fn main() -> Result<(), monomorph::Error> {
/// for prompt in built::SPEC.prompts.iter() {
///     let upper_case = prompt.name().to_uppercase();
///     assert_eq!(prompt_by_name(&built::SPEC, &upper_case)?, *prompt);
/// }
/// assert!(prompt_by_name(&built::SPEC, "poetry").is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Prompt`] for a name that is none of the model's, [`Error::NoPrompts`] where none are known.
pub fn prompt_by_name(spec: &Spec, name: &str) -> Result<Prompt, Error> {
    let prompts = &spec.prompts;
    if prompts.is_empty() {
        return Err(Error::NoPrompts { model: spec.name.to_string() });
    }
    Prompt::by_name(prompts, name).ok_or_else(|| {
        let known = prompts.iter().flat_map(|prompt| prompt.names).copied().collect();
        Error::Prompt { name: name.to_owned(), known }
    })
}
