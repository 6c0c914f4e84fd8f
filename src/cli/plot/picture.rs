//! The map as an SVG picture.

use std::fmt::Write;

use super::{Map, Point};

/// Colours that people with any kind of colour vision tell apart (Okabe and Ito, and Tol's muted ones), on light and on
/// dark ground; the last is for all other values.
pub const COLORS: [&str; 11] = [
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999933", "#882255",
    "#44aa99", "#aa4499", "#8a8a8a",
];

const SIZE: f32 = 1000.0;
const MARGIN: f32 = 30.0;

/// The whole picture.
pub fn svg(map: &Map) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIZE} {SIZE}\" font-family=\"sans-serif\">\n\
         <style>text{{fill:#222}}rect{{fill:#fff}}@media(prefers-color-scheme:dark){{text{{fill:#ddd}}rect{{fill:#181a1b}}}}</style>\n\
         <title>{}</title>\n<rect width=\"{SIZE}\" height=\"{SIZE}\"/>\n",
        escaped(&map.title)
    );
    let radius = radius(map.points.len());
    for (point, [x, y]) in map.points.iter().zip(scaled(&map.points)) {
        let (x, y) = (MARGIN + x * (SIZE - 2.0 * MARGIN), MARGIN + y * (SIZE - 2.0 * MARGIN));
        let color = color(point.group, map);
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{color}\" fill-opacity=\".7\"><title>{}</title></circle>",
            escaped(&format!("{}\n{}", point.name, point.text))
        );
    }
    for (i, group) in map.groups.iter().enumerate() {
        let y = 24 + 20 * i;
        let _ = writeln!(
            svg,
            "<circle cx=\"16\" cy=\"{}\" r=\"5\" fill=\"{}\"/><text x=\"28\" y=\"{}\" font-size=\"14\">{}</text>",
            y - 5,
            COLORS[i],
            y,
            escaped(group)
        );
    }
    svg + "</svg>\n"
}

/// The positions from 0 to 1, with the same scale for both axes.
pub fn scaled(points: &[Point]) -> Vec<[f32; 2]> {
    let ends = |of: fn(&Point) -> f32| {
        let least = points.iter().map(of).fold(f32::INFINITY, f32::min);
        (least, points.iter().map(of).fold(f32::NEG_INFINITY, f32::max))
    };
    let ((left, right), (top, bottom)) = (ends(|point| point.x), ends(|point| point.y));
    let size = (right - left).max(bottom - top).max(f32::MIN_POSITIVE);
    let [x, y] = [(left + right - size) / 2.0, (top + bottom - size) / 2.0];
    // Rounding may put a point at the edge just beyond it.
    let within = |offset: f32| (offset / size).clamp(0.0, 1.0);
    points.iter().map(|point| [within(point.x - x), within(point.y - y)]).collect()
}

/// The colour of a group; one without any is coloured as all are.
pub fn color(group: Option<usize>, map: &Map) -> &'static str {
    match group {
        Some(group) => COLORS[group],
        None if map.groups.is_empty() => COLORS[0],
        None => COLORS[COLORS.len() - 1],
    }
}

/// Smaller points where there are many.
pub fn radius(points: usize) -> f32 {
    match points {
        0..500 => 5.0,
        500..5000 => 3.5,
        _ => 2.0,
    }
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
