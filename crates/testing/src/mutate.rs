//! Damaged copies of a file's header, the same on every machine.

#![allow(clippy::ptr_arg)] // All kinds of damage share one signature.

use crate::Random;
use monomorph_gguf::Header;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// A damaged file: its beginning and its length.
pub struct Mutant {
    pub what: String,
    pub bytes: Vec<u8>,
    pub file_len: u64,
}

impl Mutant {
    /// Writes the file; everything after its beginning is a hole.
    pub fn write(&self, path: &Path) {
        let mut file = File::create(path).expect("the folder should be writable");
        file.write_all(&self.bytes).expect("the beginning should be written");
        file.set_len(self.file_len).expect("the file should be extended");
    }
}

/// `n` damaged copies of a file with this header, with each kind of damage in turn.
pub fn mutants(header: &[u8], n: usize) -> Vec<Mutant> {
    let map = Map::of(header);
    (0..n).map(|number| map.mutant(header, number)).collect()
}

/// Where the fields of a header are, in bytes from its start.
struct Map {
    file_len: u64,
    data_offset: usize,
    /// The 64-bit length fields: of keys, strings, arrays and names, and the two counts.
    lengths: Vec<usize>,
    /// The metadata values, each just after its type.
    values: Vec<usize>,
    /// For each tensor's description: its name's length, its number of dimensions, and its end.
    tensors: Vec<[usize; 3]>,
}

/// Damages a header's bytes or the file's length, and describes the damage.
type Damage = fn(&Map, &mut Vec<u8>, &mut u64, &mut Random) -> String;

const KINDS: [Damage; 8] = [
    Map::flip_bits,
    Map::change_a_length,
    Map::swap_fields,
    Map::truncate,
    Map::splice_tensors,
    Map::change_a_value,
    Map::overwrite,
    Map::remove_or_repeat,
];

impl Map {
    fn of(bytes: &[u8]) -> Map {
        let header = Header::parse(bytes, u64::MAX).expect("the header is valid");
        let at = |text: &str| text.as_ptr() as usize - bytes.as_ptr() as usize;
        let mut lengths = vec![8, 16];
        let mut values = Vec::new();
        for (key, value) in header.metadata.iter() {
            let value_at = at(key) + key.len() + 4;
            lengths.push(at(key) - 8);
            values.push(value_at);
            match value {
                monomorph_gguf::Value::Str(_) => lengths.push(value_at),
                monomorph_gguf::Value::Array(_) => lengths.push(value_at + 4),
                _ => {}
            }
        }
        let tensors = header.tensors.iter().map(|tensor| {
            let name = at(tensor.name);
            let dims = name + tensor.name.len();
            lengths.push(name - 8);
            [name - 8, dims, dims + 4 + 8 * tensor.shape().len() + 12]
        });
        let tensors: Vec<[usize; 3]> = tensors.collect();
        let ends = header.tensors.iter().map(|tensor| tensor.absolute_offset + tensor.n_bytes);
        Map {
            file_len: ends
                .max()
                .expect("the header has tensors")
                .next_multiple_of(header.alignment),
            data_offset: header.data_offset as usize,
            lengths,
            values,
            tensors,
        }
    }

    fn mutant(&self, header: &[u8], number: usize) -> Mutant {
        let mut random = Random(number as u64);
        let (mut bytes, mut file_len) = (header.to_vec(), self.file_len);
        let what = KINDS[number % KINDS.len()](self, &mut bytes, &mut file_len, &mut random);
        Mutant { what: format!("{number}: {what}"), bytes, file_len }
    }

    /// Flips bits, half of the time only in the tensors' descriptions, which matter most, and in what follows them.
    fn flip_bits(&self, bytes: &mut Vec<u8>, _: &mut u64, random: &mut Random) -> String {
        let from = if random.below(2) == 0 { self.tensors[0][0] } else { 0 };
        let n = 1 + random.below(4);
        for _ in 0..n {
            let at = from + random.below(bytes.len() - from);
            bytes[at] ^= 1 << random.below(8);
        }
        format!("{n} bits flipped from byte {from} on")
    }

    fn change_a_length(&self, bytes: &mut Vec<u8>, _: &mut u64, random: &mut Random) -> String {
        let at = self.lengths[random.below(self.lengths.len())];
        let field: &mut [u8; 8] =
            (&mut bytes[at..at + 8]).try_into().expect("the slice has eight bytes");
        let old = u64::from_le_bytes(*field);
        let new = match random.below(6) {
            0 => old.wrapping_add(1),
            1 => old.wrapping_sub(1),
            2 => 0,
            3 => 1 << 63,
            4 => u64::MAX,
            _ => old.wrapping_mul(2),
        };
        *field = new.to_le_bytes();
        format!("length {old} at byte {at} changed to {new}")
    }

    /// Swaps the types, the offsets or the first dimensions of two tensors, or the values of two keys.
    fn swap_fields(&self, bytes: &mut Vec<u8>, _: &mut u64, random: &mut Random) -> String {
        let [a, b] = [0; 2].map(|_| random.below(self.tensors.len()));
        let (what, len, at): (_, _, fn([usize; 3]) -> usize) = match random.below(4) {
            0 => ("types", 4, |[_, _, end]| end - 12),
            1 => ("offsets", 8, |[_, _, end]| end - 8),
            2 => ("first dimensions", 8, |[_, dims, _]| dims + 4),
            _ => {
                let [a, b] = [0; 2].map(|_| self.values[random.below(self.values.len())]);
                swap(bytes, a, b, 4);
                return format!("values at bytes {a} and {b} swapped");
            }
        };
        swap(bytes, at(self.tensors[a]), at(self.tensors[b]), len);
        format!("{what} of tensors {a} and {b} swapped")
    }

    /// Cuts the file off in the header or in the data.
    fn truncate(&self, bytes: &mut Vec<u8>, file_len: &mut u64, random: &mut Random) -> String {
        *file_len = match random.below(2) {
            0 => random.below(self.data_offset) as u64,
            _ => self.file_len - 1 - random.bits() % (self.file_len - self.data_offset as u64),
        };
        bytes.truncate(*file_len as usize);
        format!("cut to {file_len} bytes")
    }

    /// Puts one tensor's description in the place of another's.
    fn splice_tensors(&self, bytes: &mut Vec<u8>, _: &mut u64, random: &mut Random) -> String {
        let [a, b] = [0; 2].map(|_| random.below(self.tensors.len()));
        let ([from, _, end], [to, _, to_end]) = (self.tensors[a], self.tensors[b]);
        let description = bytes[from..end].to_vec();
        bytes.splice(to..to_end, description);
        format!("tensor {a} in the place of tensor {b}")
    }

    fn change_a_value(&self, bytes: &mut Vec<u8>, _: &mut u64, random: &mut Random) -> String {
        let at = self.values[random.below(self.values.len())];
        let type_too = random.below(4) == 0;
        let at = if type_too { at - 4 } else { at };
        let new = [0, 1, 13, u32::MAX, random.bits() as u32][random.below(5)];
        bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
        format!("{} at byte {at} changed to {new}", if type_too { "type" } else { "value" })
    }

    fn overwrite(&self, bytes: &mut Vec<u8>, _: &mut u64, random: &mut Random) -> String {
        let n = 1 + random.below(200);
        let [from, to] = [0; 2].map(|_| random.below(bytes.len() - n));
        bytes.copy_within(from..from + n, to);
        format!("{n} bytes from byte {from} copied to byte {to}")
    }

    fn remove_or_repeat(&self, bytes: &mut Vec<u8>, _: &mut u64, random: &mut Random) -> String {
        let n = 1 + random.below(64);
        let at = random.below(bytes.len() - n);
        if random.below(2) == 0 {
            bytes.drain(at..at + n);
            return format!("{n} bytes at byte {at} removed");
        }
        let repeated = bytes[at..at + n].to_vec();
        bytes.splice(at..at, repeated);
        format!("{n} bytes at byte {at} repeated")
    }
}

fn swap(bytes: &mut [u8], a: usize, b: usize, len: usize) {
    (0..len).for_each(|i| bytes.swap(a + i, b + i));
}
