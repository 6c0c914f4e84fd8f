//! The terms of the program and of the model, for anyone who redistributes the binary.

use crate::built;
use monomorph_spec::Spec;

/// The MIT licence requires its text in every copy; the binary may be the only file.
const MIT: &str = include_str!("../LICENSE-MIT");
/// So does the Apache License, and a model may come under it alone.
const APACHE: &str = include_str!("../LICENSE-APACHE");

/// The terms of this program and of the model of the build, as text: what must go along with a binary.
pub fn license() -> String {
    let program = format!(
        "monomorph {} is yours under the MIT licence, below, or the Apache License, Version 2.0\n\
         (https://www.apache.org/licenses/LICENSE-2.0), at your option.\n\n{MIT}\n\
         Its tables of the IQ formats are those of ggml (https://github.com/ggml-org/ggml), under the same MIT licence:\n\
         Copyright (c) 2023-2026 The ggml authors\n",
        env!("CARGO_PKG_VERSION")
    );
    let model = of_model(&built::SPEC, built::IS_EMBEDDED);
    format!("{program}\n{model}")
}

/// The terms of a model, and what it was made from; `inside` if its weights are inside the binary.
fn of_model(spec: &Spec, inside: bool) -> String {
    let license = &spec.license;
    let mut out = format!("The model: {}\n\n", spec.name);
    let stated: Vec<&str> = license.stated().collect();
    out += &match (&license.notice, &stated[..]) {
        (Some(notice), _) => notice.to_string(),
        (None, []) => "Its file does not state a licence.\n".to_owned(),
        (None, stated) => format!("Its file states the licence: {}\n", stated.join(", ")),
    };
    if let Some(origin) = &license.origin {
        out += &format!("It was made from {origin}\n");
    }
    if let Some(description) = &license.description {
        out += &format!("{description}\n");
    }
    let place = if inside {
        "Its weights are inside this binary, rearranged by monomorph for its kernels; their values are those of the file."
    } else {
        "Its weights are in a separate file; this binary contains its vocabulary and the shapes of its tensors."
    };
    out += &format!("\n{place}\n");
    if license.id.as_deref() == Some("apache-2.0") {
        out += &format!("\n{APACHE}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_spec::License;

    #[test]
    fn a_changed_model_names_what_it_was_made_from() {
        let license = License {
            id: Some("apache-2.0".into()),
            origin: Some("that by them (there)".into()),
            description: Some("Changed: all.".into()),
            ..License::default()
        };
        let notice = of_model(&Spec { license, ..built::SPEC.clone() }, true);
        for part in ["made from that by them (there)\nChanged: all.\n", "4. Redistribution."] {
            assert!(notice.contains(part), "{notice}");
        }
    }

    fn with(id: Option<&'static str>, notice: Option<&'static str>) -> Spec {
        let license = License {
            id: id.map(Into::into),
            notice: notice.map(Into::into),
            ..License::default()
        };
        Spec { license, ..built::SPEC.clone() }
    }

    #[test]
    fn a_notice_goes_with_the_model() {
        let notice = of_model(&with(Some("its terms"), Some("Its notice\n")), true);
        assert!(
            notice.contains("Its notice\n") && notice.contains("inside this binary"),
            "{notice}"
        );
    }

    #[test]
    fn other_terms_are_told_as_the_file_states_them() {
        let notice = of_model(&with(Some("apache-2.0"), None), false);
        assert!(notice.contains("states the licence: apache-2.0\n"), "{notice}");
        let notice = of_model(&with(None, None), false);
        assert!(notice.contains("does not state a licence"), "{notice}");
    }
}
