//! Builds the vocabulary's table, which the tokenizer uses in place; [`monomorph_spec::vocab_layout`] describes its
//! layout.

mod characters;
mod charsmap;
mod merges;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use monomorph_gguf::{Error, Header, MASK, Metadata, Piece, PieceKind, Vocabulary};
use monomorph_spec::characters::{Cluster, PAGE};
use monomorph_spec::vocab_layout::{
    CUT, CUT_LATER, Field, GPT2, HEADER_BYTES, HashPlace, LISTED_MERGES, MAGIC, MAX_MERGED_CHARS,
    MERGED, NONE, QWEN2, RANK_MASK, SCORED_BPE, SPACE, SPECIAL, UNIGRAM, VERSION, WORD_PIECE, hash,
    pair_bit,
};
use monomorph_spec::{Algorithm, Split, TokenizerSpec};

use characters::Characters;
use merges::Merges;

/// Longer keys of a map of characters never match: see [`Characters::of_map`].
const LONGEST_KEY: usize = Cluster::MAX_BYTES;

/// The blob for the vocabulary and the tokenizer of a file. The same header gives the same bytes.
pub fn build(header: &Header<'_>, special: &TokenizerSpec) -> Result<Vec<u8>, Error> {
    let mut pieces: Vec<Piece<'_>> = Vocabulary::from_header(header)?.iter().collect();
    match special.algorithm {
        Algorithm::ScoredBpe | Algorithm::WordPiece(_) => build_from(&pieces, &[], special),
        Algorithm::Unigram => {
            restore_mask(&header.metadata, &mut pieces)?;
            build_from(&pieces, charsmap::bytes(&header.metadata)?, special)
        }
        Algorithm::ByteLevel(_) | Algorithm::ListedMerges => {
            build_from_merges(&pieces, &merges::listed(&header.metadata)?, special)
        }
    }
}

/// The blob for these pieces and listed merges; a merge is written as its two pieces with a space between them.
pub fn build_from_merges(
    pieces: &[Piece<'_>],
    merges: &[&[u8]],
    special: &TokenizerSpec,
) -> Result<Vec<u8>, Error> {
    blob(pieces, &[], &Merges::new(pieces, merges, special.algorithm)?, special)
}

/// The blob for these pieces; a piece's position is its id. `charsmap` is the unigram model's map of characters in
/// SentencePiece's format, empty where there is none.
pub fn build_from(
    pieces: &[Piece<'_>],
    charsmap: &[u8],
    special: &TokenizerSpec,
) -> Result<Vec<u8>, Error> {
    blob(pieces, charsmap, &Merges::default(), special)
}

fn blob(
    pieces: &[Piece<'_>],
    charsmap: &[u8],
    merges: &Merges,
    special: &TokenizerSpec,
) -> Result<Vec<u8>, Error> {
    let algorithm = special.algorithm;
    let texts: Vec<String> = pieces.iter().map(|piece| text_of(piece, algorithm)).collect();
    let ranked = rank(pieces, &texts, merges, algorithm)?;
    let (number, characters) = match algorithm {
        Algorithm::ScoredBpe => (SCORED_BPE, Characters::default()),
        Algorithm::ListedMerges => (LISTED_MERGES, Characters::default()),
        Algorithm::WordPiece(normalizer) => (WORD_PIECE, Characters::of_words(normalizer)?),
        Algorithm::Unigram => {
            (UNIGRAM, Characters::of_map(&charsmap::read(charsmap, LONGEST_KEY)?)?)
        }
        Algorithm::ByteLevel(Split::Gpt2) => (GPT2, Characters::of_classes()?),
        Algorithm::ByteLevel(Split::Qwen2) => (QWEN2, Characters::of_classes()?),
    };
    let is_unigram = algorithm == Algorithm::Unigram;
    let scores: Vec<u32> =
        ranked.iter().filter(|_| is_unigram).map(|piece| piece.score.to_bits()).collect();
    let lowest = ranked.iter().map(|piece| piece.score).fold(0.0, f32::min);
    let (seed, slots) = hash_table(&ranked)?;
    let byte_ids = byte_ids(pieces, merges);
    let (cut_starts, cut_lengths) = cut_lengths(&ranked);
    let is_byte_level = algorithm.is_byte_level();
    let merged = || merges.merged.iter().map(|&id| texts[id as usize].as_str());
    // Bytes do not stand side by side in a text as they do in a byte-level piece.
    let joined = |piece: &&Ranked<'_>| !is_byte_level || piece.flags & (CUT | CUT_LATER) != 0;
    let joined = ranked.iter().filter(joined).map(|piece| piece.text);
    let pairs = pair_map(joined.chain(merged().filter(|_| !is_byte_level)));
    // Only where pieces are merged do those of single bytes stand in for what is no piece.
    let has_bytes =
        matches!(algorithm, Algorithm::ScoredBpe | Algorithm::ListedMerges) || is_byte_level;
    let every_byte = has_bytes && !byte_ids.contains(&NONE);
    // The original makes one unknown token of several characters that are none, where Gemma's have the bytes.
    let may_lack_bytes = special.unknown.is_some() && algorithm != Algorithm::ListedMerges;
    if !every_byte && !may_lack_bytes {
        let found = match algorithm {
            Algorithm::ListedMerges => "a byte without a piece",
            _ => "a byte without a piece and no unknown piece",
        };
        return Err(refuse(found.into(), "all of <0x00> to <0xFF>"));
    }

    let ends = ends(pieces, &texts)?;
    let ranked_merged = ranked.iter().filter(|piece| piece.flags & MERGED != 0);
    let longest =
        ranked_merged.map(|piece| piece.text).chain(merged()).map(|text| text.chars().count());
    let mut header = [0; HEADER_BYTES / 4];
    let mut set = |field: Field, value: u32| header[field as usize] = value;
    set(Field::Magic, MAGIC);
    set(Field::Version, VERSION);
    set(Field::NVocab, pieces.len() as u32);
    set(Field::NRanked, ranked.len() as u32);
    set(Field::SlotBits, (slots.len() / 2).ilog2());
    set(Field::PairBits, (pairs.len() * 32).ilog2());
    set(Field::NCutLengths, cut_lengths.len() as u32);
    set(Field::NBytes, ends.last().map_or(0, |end| end & !SPECIAL));
    set(Field::Seed, seed);
    set(Field::LongestMerged, longest.max().unwrap_or(1) as u32);
    set(Field::Bos, if special.add_bos { special.bos } else { NONE });
    set(Field::Eos, if special.add_eos { special.eos } else { NONE });
    set(Field::Unknown, if every_byte { NONE } else { special.unknown.unwrap_or(NONE) });
    set(Field::SpacePrefix, special.add_space_prefix.into());
    set(Field::Algorithm, number);
    set(Field::NPages, (characters.pages.len() / PAGE) as u32);
    set(Field::NMapped, characters.mapped.len() as u32);
    set(Field::NClusters, characters.clusters.len() as u32);
    set(Field::NScores, scores.len() as u32);
    set(Field::LowestScore, lowest.to_bits());
    set(Field::MergeBits, merges.slots.len().checked_ilog2().unwrap_or(0));
    set(Field::NMerges, merges.merged.len() as u32);
    set(Field::Mask, if is_byte_level { mask(pieces) } else { NONE });

    let ids: Vec<u32> = ranked.iter().map(|piece| piece.id).collect();
    let Characters { page_numbers, pages, mapped, clusters, .. } = &characters;
    let clusters: Vec<u32> = clusters.iter().flat_map(|cluster| halves(cluster.0)).collect();
    let merge_slots: Vec<u32> = merges.slots.iter().flat_map(|merge| halves(merge.0)).collect();
    let words: [&[u32]; 15] = [
        &header,
        &slots,
        &ids,
        &ends,
        &byte_ids,
        &cut_starts,
        &cut_lengths,
        page_numbers,
        pages,
        mapped,
        &clusters,
        &scores,
        &merge_slots,
        &merges.merged,
        &pairs,
    ];
    let mut blob: Vec<u8> = words.concat().into_iter().flat_map(u32::to_le_bytes).collect();
    for (piece, text) in pieces.iter().zip(&texts) {
        blob.extend_from_slice(stored(piece, text));
    }
    Ok(blob)
}

/// The original cuts its mask out of texts, but SentencePiece's own file of the vocabulary lacks it: a GGUF file made from
/// that has a filler in its place, and says that it is the mask.
fn restore_mask(metadata: &Metadata<'_>, pieces: &mut [Piece<'_>]) -> Result<(), Error> {
    let mask = metadata.optional::<u32>(MASK)?;
    if let Some(piece) = mask.and_then(|id| pieces.get_mut(id as usize))
        && piece.kind == PieceKind::Unused
    {
        *piece = Piece { bytes: b"<mask>", score: 0.0, kind: PieceKind::Control };
    }
    Ok(())
}

/// The mask of a byte-level vocabulary. It takes the white space before it, which only its name tells: a file does not say
/// what the original's `lstrip` does.
fn mask(pieces: &[Piece<'_>]) -> u32 {
    let is_mask = |piece: &Piece<'_>| {
        piece.kind == PieceKind::Control && matches!(piece.bytes, b"[MASK]" | b"<mask>")
    };
    pieces.iter().position(is_mask).map_or(NONE, |id| id as u32)
}

/// A number of 64 bits in the order of the blob.
fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// A piece that tokenizing can produce.
struct Ranked<'a> {
    id: u32,
    flags: u32,
    score: f32,
    text: &'a str,
}

impl Ranked<'_> {
    /// Compares pieces by the order of merging. Runs of spaces come first, the longest before all others: the
    /// reference's list of merges puts them there, whatever their score in the file. Pieces that are only cut out never
    /// merge and come last. Scores tie in no known file; if they do, the lower id comes first.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let class = |flags: u32| [CUT | MERGED, MERGED, CUT].iter().position(|&c| c == flags);
        let run_length = |piece: &Self| {
            if piece.flags == CUT | MERGED { piece.text.len() } else { 0 }
        };
        class(self.flags)
            .cmp(&class(other.flags))
            .then_with(|| Reverse(run_length(self)).cmp(&Reverse(run_length(other))))
            // Adding zero turns a negative zero into a positive one.
            .then_with(|| (other.score + 0.0).total_cmp(&(self.score + 0.0)))
            .then_with(|| self.id.cmp(&other.id))
    }
}

/// The pieces that tokenizing can produce: in the order of merging, or of their ids where nothing is merged.
fn rank<'a>(
    pieces: &[Piece<'_>],
    texts: &'a [String],
    merges: &Merges,
    algorithm: Algorithm,
) -> Result<Vec<Ranked<'a>>, Error> {
    let mut ranked = Vec::with_capacity(pieces.len());
    for (id, (piece, text)) in (0..).zip(pieces.iter().zip(texts)) {
        let flags = match algorithm {
            Algorithm::ScoredBpe | Algorithm::WordPiece(_) => flags(piece, text),
            Algorithm::Unigram => match flags(piece, text) {
                // The original's lattice has special tokens too: normalising can make one of other characters.
                flags if flags & CUT != 0 => CUT | MERGED,
                flags => flags,
            },
            Algorithm::ByteLevel(split) => byte_level_flags(id, piece, text, merges, split),
            Algorithm::ListedMerges => character_flags(piece, text),
        };
        if flags & MERGED != 0 && text.chars().count() > MAX_MERGED_CHARS {
            let found = format!("piece {id} of {} characters", text.chars().count());
            return Err(refuse(found, &format!("at most {MAX_MERGED_CHARS}")));
        }
        if flags != 0 {
            ranked.push(Ranked { id, flags, score: piece.score, text });
        }
    }
    if ranked.len() > RANK_MASK as usize {
        return Err(refuse(format!("{} pieces", ranked.len()), &format!("at most {RANK_MASK}")));
    }
    if algorithm == Algorithm::ScoredBpe {
        ranked.sort_by(Ranked::order);
    }
    Ok(ranked)
}

/// How tokenizing can produce this piece; 0 if it cannot.
fn flags(piece: &Piece<'_>, text: &str) -> u32 {
    if text.is_empty() {
        return 0;
    }
    match piece.kind {
        // Merging never sees a space, because spaces have been replaced by then.
        PieceKind::Normal if text.contains(' ') => 0,
        PieceKind::Normal => MERGED,
        PieceKind::Unknown | PieceKind::Control | PieceKind::UserDefined if is_run(text, SPACE) => {
            CUT | MERGED
        }
        PieceKind::Unknown | PieceKind::Control | PieceKind::UserDefined => CUT,
        PieceKind::Unused | PieceKind::Byte => 0,
    }
}

/// How a piece begins the merging of characters, or is cut out before; 0 if it does neither.
fn character_flags(piece: &Piece<'_>, text: &str) -> u32 {
    let is_character = text.chars().nth(1).is_none();
    match piece.kind {
        _ if text.is_empty() => 0,
        PieceKind::Normal if is_character => MERGED,
        PieceKind::Unknown | PieceKind::Control | PieceKind::UserDefined => CUT,
        PieceKind::Normal | PieceKind::Unused | PieceKind::Byte => 0,
    }
}

/// How byte-level BPE can produce this piece as a whole; 0 if it cannot.
fn byte_level_flags(id: u32, piece: &Piece<'_>, text: &str, merges: &Merges, split: Split) -> u32 {
    if text.is_empty() {
        return 0;
    }
    match piece.kind {
        PieceKind::Normal if merges.form(id, text) => MERGED,
        PieceKind::Unknown | PieceKind::Control => CUT,
        // What the originals' `normalized` says of these, and no file does.
        PieceKind::UserDefined if split == Split::Gpt2 => CUT_LATER,
        PieceKind::UserDefined => CUT,
        PieceKind::Normal | PieceKind::Unused | PieceKind::Byte => 0,
    }
}

/// The piece in the form that text is compared with; empty if it is not UTF-8. The original vocabulary writes runs of
/// spaces as runs of U+2581, and only in that form are they cut out of the raw text; GGUF writes them with spaces.
/// Where merges are listed, pieces are as they are.
fn text_of(piece: &Piece<'_>, algorithm: Algorithm) -> String {
    let text = std::str::from_utf8(piece.bytes).unwrap_or_default();
    let cut_out =
        matches!(piece.kind, PieceKind::Unknown | PieceKind::Control | PieceKind::UserDefined);
    let lists_merges = algorithm.is_byte_level() || algorithm == Algorithm::ListedMerges;
    if cut_out && !lists_merges && is_run(text, ' ') {
        text.replace(' ', SPACE.encode_utf8(&mut [0; 4]))
    } else {
        text.to_owned()
    }
}

fn is_run(text: &str, of: char) -> bool {
    text.chars().all(|c| c == of) && text.chars().nth(1).is_some()
}

/// The piece's bytes in the blob.
fn stored<'a>(piece: &Piece<'a>, text: &'a str) -> &'a [u8] {
    if text.is_empty() { piece.bytes } else { text.as_bytes() }
}

fn ends(pieces: &[Piece<'_>], texts: &[String]) -> Result<Vec<u32>, Error> {
    let mut end = 0u32;
    let mut grow = |(piece, text): (&Piece<'_>, &String)| {
        let length = u32::try_from(stored(piece, text).len()).ok()?;
        end = end.checked_add(length).filter(|end| end & SPECIAL == 0)?;
        let special = matches!(piece.kind, PieceKind::Control | PieceKind::Unknown);
        Some(if special { end | SPECIAL } else { end })
    };
    let ends: Option<Vec<u32>> =
        pieces.iter().zip(texts).map(|(piece, text)| grow((piece, text))).collect();
    ends.ok_or_else(|| refuse("more than 2 GiB of pieces".into(), "less"))
}

/// The seed and the slots. At most half of the slots are full, so that most lookups of strings that are not pieces read
/// only one.
fn hash_table(ranked: &[Ranked<'_>]) -> Result<(u32, Vec<u32>), Error> {
    /// One seed fails for about one in a thousand vocabularies.
    const SEEDS: u32 = 64;
    let hashes: Vec<u64> = ranked.iter().map(|piece| hash(piece.text)).collect();
    for seed in 0..SEEDS {
        if let Some(slots) = try_seed(seed, ranked, &hashes)? {
            return Ok((seed, slots));
        }
    }
    Err(refuse(
        format!("pieces that collide under {SEEDS} hash seeds"),
        "a vocabulary without such collisions",
    ))
}

fn try_seed(seed: u32, ranked: &[Ranked<'_>], hashes: &[u64]) -> Result<Option<Vec<u32>>, Error> {
    let n_slots = (2 * ranked.len()).next_power_of_two().max(2);
    let mut slots = vec![NONE; 2 * n_slots];
    for (rank, (piece, &hash)) in ranked.iter().zip(hashes).enumerate() {
        let place = HashPlace::of(hash, seed, n_slots.ilog2());
        let mut slot = place.slot;
        while slots[2 * slot + 1] != NONE {
            if slots[2 * slot] == place.fingerprint {
                let other = &ranked[(slots[2 * slot + 1] & RANK_MASK) as usize];
                if other.text != piece.text {
                    return Ok(None);
                }
                let (first, second) = (other.id.min(piece.id), other.id.max(piece.id));
                let found = format!(
                    "\"{}\" as piece {first} and piece {second}",
                    piece.text.escape_debug()
                );
                return Err(refuse(found, "each piece once"));
            }
            slot = (slot + 1) % n_slots;
        }
        slots[2 * slot] = place.fingerprint;
        slots[2 * slot + 1] = piece.flags | rank as u32;
    }
    Ok(Some(slots))
}

fn byte_ids(pieces: &[Piece<'_>], merges: &Merges) -> [u32; 256] {
    let mut ids = [NONE; 256];
    // If several pieces stand for a byte, the first one is used.
    for (id, piece) in (0..pieces.len() as u32).zip(pieces).rev() {
        if let Some(byte) = piece.byte() {
            ids[byte as usize] = id;
        }
    }
    ids.iter_mut().zip(&merges.bytes).for_each(|(id, &of_byte)| *id = of_byte);
    ids
}

fn cut_lengths(ranked: &[Ranked<'_>]) -> ([u32; 257], Vec<u32>) {
    let cut = ranked.iter().filter(|piece| piece.flags & (CUT | CUT_LATER) != 0);
    let lengths: BTreeSet<(u8, u32)> =
        cut.map(|piece| (piece.text.as_bytes()[0], piece.text.len() as u32)).collect();
    let before =
        |byte: usize| lengths.iter().filter(|(first, _)| (*first as usize) < byte).count() as u32;
    (std::array::from_fn(before), lengths.iter().map(|&(_, length)| length).collect())
}

/// The bitmap of pairs, with sixteen bits or more per pair. About one in twenty other pairs also seems to occur, which
/// costs some speed.
fn pair_map<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u32> {
    let neighbours = |text: &'a str| text.chars().zip(text.chars().skip(1));
    let mut pairs: Vec<(char, char)> = texts.flat_map(neighbours).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let n_bits = (16 * pairs.len()).next_power_of_two().max(32);
    let mut map = vec![0; n_bits / 32];
    for (left, right) in pairs {
        let bit = pair_bit(left, right, n_bits.ilog2());
        map[bit / 32] |= 1 << (bit % 32);
    }
    map
}

fn refuse(found: String, expected: &str) -> Error {
    Error::Key { key: "tokenizer.ggml.tokens".into(), found, expected: expected.into() }
}

#[cfg(test)]
mod tests;
