//! The terms of the program and of the model, for anyone who redistributes the binary.

use crate::built;
use monomorph_spec::Spec;

/// The MIT licence requires its text in every copy; the binary may be the only file.
const MIT: &str = include_str!("../LICENSE-MIT");

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

/// The notice of a model; `inside` if its weights are inside the binary.
fn of_model(spec: &Spec, inside: bool) -> String {
    let mut out = format!("The model: {}\n\n", spec.name);
    let stated: Vec<&str> = spec.license.stated().collect();
    out += &match (&spec.license.notice, &stated[..]) {
        (Some(notice), _) => notice.to_string(),
        (None, []) => "Its file does not state a licence.\n".to_owned(),
        (None, stated) => format!("Its file states the licence: {}\n", stated.join(", ")),
    };
    let place = if inside {
        "Its weights are inside this binary, rearranged by monomorph for its kernels; their values are those of the file."
    } else {
        "Its weights are in a separate file; this binary contains its vocabulary and the shapes of its tensors."
    };
    out + "\n" + place + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_spec::License;

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
