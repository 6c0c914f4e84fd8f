//! The map as a PNG picture, for what shows neither pages nor SVG.

use std::io::{self, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};

use super::Map;
use super::picture::{
    COLORS, LEGEND, LEGEND_LINE, LEGEND_NAMES, LEGEND_RADIUS, OPACITY, SIZE, centres, color, radius,
};
use crate::cli::failure::Failure;

/// Pixels of a unit.
const SCALE: f32 = 2.0;
/// Pixels of a dot of the font, whose letters are eight dots wide and high.
const DOT: usize = 3;
const LETTER: usize = 8 * DOT;
const INK: [u8; 3] = [0x22; 3];
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// What stands for a letter that the font lacks: a box.
const UNKNOWN: [u8; 8] = [0x7e, 0x42, 0x42, 0x42, 0x42, 0x42, 0x7e, 0];

/// The whole picture.
pub fn png(map: &Map) -> Result<Vec<u8>, Failure> {
    let mut canvas = Canvas::new((SIZE * SCALE) as usize);
    let r = radius(map.points.len());
    for (point, centre) in map.points.iter().zip(centres(map)) {
        canvas.dot(centre, r, rgb(color(point.group, map)), OPACITY);
    }
    for (i, group) in map.groups.iter().enumerate() {
        let centre = [LEGEND[0], LEGEND[1] + LEGEND_LINE * i as f32];
        canvas.dot(centre, LEGEND_RADIUS, rgb(COLORS[i]), 1.0);
        let [x, y] = [LEGEND_NAMES, centre[1]].map(|x| (x * SCALE) as usize);
        canvas.line(group, x, y - LETTER / 2);
    }
    canvas.encoded().map_err(|error| Failure::Failed(format!("cannot encode the picture: {error}")))
}

/// A square of pixels.
struct Canvas {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    fn new(width: usize) -> Canvas {
        Canvas { width, pixels: vec![[0xff; 3]; width * width] }
    }

    /// Covers some of a pixel that is inside.
    fn blend(&mut self, x: usize, y: usize, color: [u8; 3], part: f32) {
        if x < self.width && y < self.width {
            let pixel = &mut self.pixels[y * self.width + x];
            let mix = |old: u8, new: u8| f32::from(old) + (f32::from(new) - f32::from(old)) * part;
            *pixel = [0, 1, 2].map(|i| mix(pixel[i], color[i]).round() as u8);
        }
    }

    /// A disc, in units. A pixel that its edge crosses is covered as far as its centre is inside.
    fn dot(&mut self, centre: [f32; 2], radius: f32, color: [u8; 3], opacity: f32) {
        let ([x, y], r) = (centre.map(|x| x * SCALE), radius * SCALE);
        let pixels = |x: f32| (x - r).max(0.0) as usize..=(x + r).max(0.0) as usize;
        for row in pixels(y) {
            for column in pixels(x) {
                let distance = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y);
                let covered = (r + 0.5 - distance).clamp(0.0, 1.0);
                self.blend(column, row, color, opacity * covered);
            }
        }
    }

    /// A line of letters from its left upper corner, as far as it fits.
    fn line(&mut self, text: &str, x: usize, y: usize) {
        for (i, letter) in text.chars().take(self.width / LETTER).enumerate() {
            let found = BASIC_FONTS.get(letter).or_else(|| LATIN_FONTS.get(letter));
            for (row, bits) in found.unwrap_or(UNKNOWN).into_iter().enumerate() {
                for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                    for dot in 0..DOT * DOT {
                        let (right, down) = (column * DOT + dot % DOT, row * DOT + dot / DOT);
                        self.blend(x + i * LETTER + right, y + down, INK, 1.0);
                    }
                }
            }
        }
    }

    /// The file: <https://www.w3.org/TR/png-3/>.
    fn encoded(&self) -> io::Result<Vec<u8>> {
        let side = (self.width as u32).to_be_bytes();
        // Eight bits for each of red, green and blue, nothing interlaced.
        let header = [&side[..], &side, &[8, 2, 0, 0, 0]].concat();
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        for row in self.pixels.chunks_exact(self.width) {
            // Each row as it is, without a filter.
            packed.write_all(&[0])?;
            packed.write_all(row.as_flattened())?;
        }
        let mut file = SIGNATURE.to_vec();
        for (kind, data) in [(b"IHDR", header), (b"IDAT", packed.finish()?), (b"IEND", Vec::new())]
        {
            let mut sum = Crc::new();
            sum.update(kind);
            sum.update(&data);
            file.extend((data.len() as u32).to_be_bytes());
            file.extend(kind);
            file.extend(data);
            file.extend(sum.sum().to_be_bytes());
        }
        Ok(file)
    }
}

/// The bytes of a colour such as `#0072b2`.
fn rgb(color: &str) -> [u8; 3] {
    let bits = u32::from_str_radix(color.trim_start_matches('#'), 16).unwrap_or_default();
    let [_, color @ ..] = bits.to_be_bytes();
    color
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::cli::plot::Point;

    #[test]
    fn a_picture_shows_points_and_names() {
        let point = |x, y, group| Point { x, y, name: String::new(), text: String::new(), group };
        let points = vec![point(0.0, 0.0, Some(0)), point(2.0, 2.0, None)];
        let map = Map { title: String::new(), points, groups: vec!["a\u{e9}\u{6c34}".into()] };
        let file = png(&map).unwrap();
        assert!(
            file.starts_with(
                b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x07\xd0\0\0\x07\xd0\x08\x02\0\0\0"
            )
        );
        // The sum of an empty chunk's name is in every PNG.
        assert!(file.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
        let data = &file[33 + 8..file.len() - 12 - 4];
        let mut rows = Vec::new();
        flate2::read::ZlibDecoder::new(data).read_to_end(&mut rows).unwrap();
        assert_eq!(rows.len(), 2000 * 6001);
        let at =
            |x: usize, y: usize| <[u8; 3]>::try_from(&rows[y * 6001 + 1 + 3 * x..][..3]).unwrap();
        // Seven tenths of the colour on white; at the corners of the map, and nothing between them.
        let mixed =
            |color: [u8; 3]| color.map(|x| (255.0 - 0.7 * (255.0 - f32::from(x))).round() as u8);
        assert_eq!(at(60, 60), mixed(rgb(COLORS[0])));
        assert_eq!(at(1940, 1940), mixed(rgb(COLORS[10])));
        assert_eq!(at(1000, 1000), [255; 3]);
        assert_eq!(at(32, 38), [0x00, 0x72, 0xb2]);
        // Each of the three letters has ink, and there is no fourth.
        let ink = |i: usize| {
            let letter = (0..LETTER * LETTER).map(|dot| (dot % LETTER, dot / LETTER));
            letter.filter(|(x, y)| at(56 + i * LETTER + x, 26 + y) == INK).count()
        };
        assert!((0..3).all(|i| ink(i) > 50) && ink(3) == 0);
    }
}
