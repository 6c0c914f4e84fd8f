//! The map as a page: the points as JSON, and a script that draws them.

use serde::Serialize;

use super::Map;
use super::picture::{COLORS, color, radius, scaled};
use super::svg::escaped;

const PAGE: &str = include_str!("page.html");

#[derive(Serialize)]
struct Drawn<'a> {
    x: f32,
    y: f32,
    color: &'static str,
    group: Option<usize>,
    name: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    color: &'static str,
}

#[derive(Serialize)]
struct Data<'a> {
    radius: f32,
    groups: Vec<Group<'a>>,
    points: Vec<Drawn<'a>>,
}

/// The whole page.
pub fn html(map: &Map) -> String {
    let points = map.points.iter().zip(scaled(&map.points)).map(|(point, [x, y])| Drawn {
        x,
        y,
        color: color(point.group, map),
        group: point.group,
        name: &point.name,
        text: &point.text,
    });
    let groups = map.groups.iter().zip(COLORS).map(|(name, color)| Group { name, color });
    let data = Data {
        radius: radius(map.points.len()),
        groups: groups.collect(),
        points: points.collect(),
    };
    // Of strings and finite numbers, JSON can always be made. No text ends the script.
    let json = serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c");
    let (before, rest) = PAGE.split_once("{data}").unwrap_or((PAGE, ""));
    before.replace("{title}", &escaped(&map.title)) + &json + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plot::Point;

    #[test]
    fn no_text_ends_the_script() {
        let text = "</script><script>alert(1)</script>{title}".to_owned();
        let point = Point { x: 1.0, y: 2.0, name: "a".into(), text: text.clone(), group: Some(0) };
        let map = Map { title: text, points: vec![point], groups: vec!["<!--".into()] };
        let page = html(&map);
        assert_eq!(page.matches("</script>").count(), 1);
        assert!(!page.contains("<!--") && page.contains("&lt;/script&gt;"));
        assert!(page.contains("alert(1)\\u003c/script>{title}"));
        assert!(!page.contains("http://") && !page.contains("https://"));
    }
}
