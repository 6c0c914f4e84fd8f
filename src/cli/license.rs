//! `monomorph --license`: the terms of the program and of the model, for anyone who redistributes the binary.

use monomorph::built;
use monomorph_spec::Spec;

use super::failure::Failure;
use super::output;

/// The MIT licence requires its text in every copy; the binary may be the only file.
const MIT: &str = include_str!("../../LICENSE-MIT");

/// The notice that section 3.1 of the Gemma Terms of Use requires with every copy of a Gemma model, and the
/// restrictions of section 3.2.
const GEMMA: &str = "\
Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms

Everyone who receives a copy of this model is bound by these terms, and must not use it for what the Gemma Prohibited
Use Policy restricts: https://ai.google.dev/gemma/prohibited_use_policy
";

pub fn run() -> Result<(), Failure> {
    let program = format!(
        "monomorph {} is yours under the MIT licence, below, or the Apache License, Version 2.0\n\
         (https://www.apache.org/licenses/LICENSE-2.0), at your option.\n\n{MIT}\n\
         Its tables of the IQ formats are those of ggml (https://github.com/ggml-org/ggml), under the same MIT licence:\n\
         Copyright (c) 2023-2026 The ggml authors\n",
        env!("CARGO_PKG_VERSION")
    );
    let model = of_model(&built::SPEC, built::IS_EMBEDDED);
    output::print(format!("{program}\n{model}").as_bytes())
}

/// The notice of a model; `inside` if its weights are inside the binary.
fn of_model(spec: &Spec, inside: bool) -> String {
    let mut out = format!("The model: {}\n\n", spec.name);
    if is_gemma(spec) {
        out += GEMMA;
    } else {
        out += &format!("Its file states the licence: {}\n", stated(spec).join(", "));
    }
    let place = if inside {
        "Its weights are inside this binary, rearranged by monomorph for its kernels; their values are those of the file."
    } else {
        "Its weights are in a separate file; this binary contains its vocabulary and the shapes of its tensors."
    };
    out + "\n" + place + "\n"
}

/// Whether the Gemma Terms of Use apply. The file's licence decides; without one it is one of Google's models, since
/// all supported architectures are theirs.
fn is_gemma(spec: &Spec) -> bool {
    let names_gemma = |text: &&str| {
        let text = text.to_lowercase();
        text == "gemma"
            || text.contains("gemma terms of use")
            || text.contains("ai.google.dev/gemma/terms")
    };
    let stated = stated(spec);
    stated.is_empty() || stated.iter().any(names_gemma)
}

/// The licence, its name and its link, as far as the file has them.
fn stated(spec: &Spec) -> Vec<&str> {
    let stated = [&spec.license, &spec.license_name, &spec.license_link];
    stated.into_iter().filter_map(Option::as_deref).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(license: Option<&str>, link: Option<&str>) -> Spec {
        let owned = |text: Option<&str>| text.map(|text| text.to_owned().into());
        Spec {
            license: owned(license),
            license_name: None,
            license_link: owned(link),
            ..built::SPEC.clone()
        }
    }

    #[test]
    fn the_file_says_which_terms_hold() {
        let terms_link = Some("https://ai.google.dev/gemma/terms");
        for (license, link, want) in [
            (Some("gemma"), None, true),
            (Some("Gemma"), None, true),
            (Some("other"), terms_link, true),
            (None, None, true),
            (Some("apache-2.0"), None, false),
        ] {
            assert_eq!(is_gemma(&with(license, link)), want, "{license:?} {link:?}");
        }
    }

    #[test]
    fn gemma_goes_with_its_notice() {
        let notice = of_model(&with(Some("gemma"), None), true);
        for words in [
            "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms\n",
            "https://ai.google.dev/gemma/prohibited_use_policy",
            "inside this binary",
        ] {
            assert!(notice.contains(words), "{notice}");
        }
    }

    #[test]
    fn other_terms_are_told_as_the_file_states_them() {
        let notice = of_model(&with(Some("other"), Some("https://example.com")), false);
        assert!(notice.contains("states the licence: other, https://example.com\n"), "{notice}");
        assert!(!notice.contains("Gemma Terms"), "{notice}");
    }
}
