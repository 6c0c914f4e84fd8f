//! What the page and the pictures share: colours, and where points lie.

use super::{Map, Point};

/// Colours that people with any kind of colour vision tell apart (Okabe and Ito, and Tol's muted ones), on light and on
/// dark ground; the last is for all other values.
pub const COLORS: [&str; 11] = [
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999933", "#882255",
    "#44aa99", "#aa4499", "#8a8a8a",
];

/// Width and height of a picture, in units.
pub const SIZE: f32 = 1000.0;
const MARGIN: f32 = 30.0;
/// How much of what is behind a point it covers.
pub const OPACITY: f32 = 0.7;

/// The legend: the centre of the first group's dot, its radius, the distance to the next, and where names begin.
pub const LEGEND: [f32; 2] = [16.0, 19.0];
pub const LEGEND_RADIUS: f32 = 5.0;
pub const LEGEND_LINE: f32 = 20.0;
pub const LEGEND_NAMES: f32 = 28.0;

/// The centres of the points in a picture.
pub fn centres(map: &Map) -> impl Iterator<Item = [f32; 2]> {
    let centre = |at: [f32; 2]| at.map(|x| MARGIN + x * (SIZE - 2.0 * MARGIN));
    scaled(&map.points).into_iter().map(centre)
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
