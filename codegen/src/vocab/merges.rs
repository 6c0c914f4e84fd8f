//! The merges that a file lists, of byte-level BPE and of BPE over characters.

use std::collections::HashMap;

use monomorph_gguf::{Error, MERGES, Metadata, Piece, PieceKind, ValueType};
use monomorph_spec::Algorithm;
use monomorph_spec::byte_alphabet::{ALPHABET, byte_of};
use monomorph_spec::vocab_layout::{MAX_MERGED_CHARS, Merge};

/// The merges of a vocabulary.
#[derive(Default)]
pub(super) struct Merges {
    /// The hash table, at most half full.
    pub slots: Vec<Merge>,
    /// The id that each merge gives.
    pub merged: Vec<u32>,
    /// The id of each byte's piece, if the pieces are written in the alphabet of bytes.
    pub bytes: Vec<u32>,
}

/// The merges that the file lists.
pub(super) fn listed<'a>(metadata: &Metadata<'a>) -> Result<Vec<&'a [u8]>, Error> {
    Ok(metadata.array_of(MERGES, ValueType::Str)?.strings().collect())
}

impl Merges {
    /// Finds the pieces of each merge, written as the two with a space between them. Of a pair that is listed twice, the
    /// last counts, as in the original.
    pub fn new(
        pieces: &[Piece<'_>],
        merges: &[&[u8]],
        algorithm: Algorithm,
    ) -> Result<Merges, Error> {
        let refuse = |found: String, expected: &str| Err(Error::key(MERGES, found, expected));
        if pieces.len() > Merge::MAX_PIECES || merges.len() > Merge::MAX_MERGES {
            let found = format!("{} merges of {} pieces", merges.len(), pieces.len());
            let expected =
                format!("at most {} of at most {}", Merge::MAX_MERGES, Merge::MAX_PIECES);
            return refuse(found, &expected);
        }
        let normal = (0..).zip(pieces).filter(|(_, piece)| piece.kind == PieceKind::Normal);
        let ids: HashMap<&[u8], u32> = normal.map(|(id, piece)| (piece.bytes, id)).collect();
        let bytes = if algorithm.is_byte_level() { alphabet(&ids)? } else { Vec::new() };
        let (mut pairs, mut merged) = (HashMap::new(), Vec::with_capacity(merges.len()));
        for (order, merge) in (0u32..).zip(merges) {
            let shown = || format!("merge {order}, \"{}\"", merge.escape_ascii());
            let Some(space) = merge.iter().position(|&byte| byte == b' ') else {
                return refuse(shown(), "two pieces with a space between them");
            };
            let (left, right) = (&merge[..space], &merge[space + 1..]);
            let joined = [left, right].concat();
            let found = [left, right, &joined].map(|piece| ids.get(piece));
            let [Some(&left), Some(&right), Some(&id)] = found else {
                return refuse(shown(), "two pieces of the vocabulary that form a third");
            };
            pairs.insert((left, right), order);
            merged.push(id);
        }
        Ok(Merges { slots: slots(pairs), merged, bytes })
    }

    /// Whether merging the bytes of this piece gives the piece itself. Of long pieces it is not known.
    pub fn form(&self, id: u32, piece: &str) -> bool {
        if piece.chars().count() > MAX_MERGED_CHARS {
            return false;
        }
        let Some(bytes) = piece.chars().map(byte_of).collect::<Option<Vec<u8>>>() else {
            return false;
        };
        let mut ids: Vec<u32> = bytes.iter().map(|&byte| self.bytes[usize::from(byte)]).collect();
        loop {
            let pairs = ids.windows(2).enumerate();
            let orders = pairs.filter_map(|(at, pair)| Some((self.order(pair[0], pair[1])?, at)));
            let Some((order, at)) = orders.min() else { break };
            ids[at] = self.merged[order as usize];
            ids.remove(at + 1);
        }
        ids == [id]
    }

    fn order(&self, left: u32, right: u32) -> Option<u32> {
        let bits = self.slots.len().checked_ilog2()?;
        let first = Merge::slot(left, right, bits);
        let slots = self.slots.iter().cycle().skip(first);
        let mut merges = slots.take_while(|&&slot| slot != Merge::EMPTY);
        merges.find_map(|merge| merge.order_of(left, right))
    }
}

/// The id of each byte's piece.
fn alphabet(ids: &HashMap<&[u8], u32>) -> Result<Vec<u32>, Error> {
    let id_of = |(byte, c): (usize, &char)| {
        ids.get(c.encode_utf8(&mut [0; 4]).as_bytes()).copied().ok_or_else(|| {
            super::refuse(format!("no piece \"{c}\" for byte {byte}"), "one for each byte")
        })
    };
    ALPHABET.iter().enumerate().map(id_of).collect()
}

/// The hash table of these pairs with their order; the same pairs give the same table.
fn slots(pairs: HashMap<(u32, u32), u32>) -> Vec<Merge> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut pairs: Vec<(u32, (u32, u32))> =
        pairs.into_iter().map(|(pair, order)| (order, pair)).collect();
    pairs.sort_unstable();
    let n_slots = (2 * pairs.len()).next_power_of_two();
    let mut slots = vec![Merge::EMPTY; n_slots];
    for (order, (left, right)) in pairs {
        let mut slot = Merge::slot(left, right, n_slots.ilog2());
        while slots[slot] != Merge::EMPTY {
            slot = (slot + 1) % n_slots;
        }
        slots[slot] = Merge::new(left, right, order);
    }
    slots
}
