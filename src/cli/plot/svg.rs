//! The map as an SVG picture.

use std::fmt::Write;

use super::Map;
use super::picture::{
    COLORS, LEGEND, LEGEND_LINE, LEGEND_NAMES, LEGEND_RADIUS, OPACITY, SIZE, centres, color, radius,
};

/// The whole picture.
pub fn svg(map: &Map) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIZE} {SIZE}\" font-family=\"sans-serif\">\n\
         <style>text{{fill:#222}}rect{{fill:#fff}}@media(prefers-color-scheme:dark){{text{{fill:#ddd}}rect{{fill:#181a1b}}}}</style>\n\
         <title>{}</title>\n<rect width=\"{SIZE}\" height=\"{SIZE}\"/>\n",
        escaped(&map.title)
    );
    let radius = radius(map.points.len());
    for (point, [x, y]) in map.points.iter().zip(centres(map)) {
        let color = color(point.group, map);
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{color}\" fill-opacity=\"{OPACITY}\"><title>{}</title></circle>",
            escaped(&format!("{}\n{}", point.name, point.text))
        );
    }
    for (i, group) in map.groups.iter().enumerate() {
        let [x, y] = [LEGEND[0], LEGEND[1] + LEGEND_LINE * i as f32];
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{LEGEND_RADIUS}\" fill=\"{}\"/><text x=\"{LEGEND_NAMES}\" y=\"{}\" font-size=\"14\">{}</text>",
            COLORS[i],
            y + 5.0,
            escaped(group)
        );
    }
    svg + "</svg>\n"
}

/// Text for XML and HTML, where control characters have no place.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' => escaped.push(c),
            '\u{FFFE}' | '\u{FFFF}' => {}
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_no_markup() {
        assert_eq!(
            escaped("<a href=\"x\">&\u{1b}[0m\n"),
            "&lt;a href=&quot;x&quot;&gt;&amp; [0m\n"
        );
    }
}
