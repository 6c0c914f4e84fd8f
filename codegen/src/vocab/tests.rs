use monomorph_gguf::MERGES as MERGES_KEY;
use monomorph_gguf::writer::Value::{F32s, I32s, Raw, Strings};
use monomorph_gguf::writer::Writer;
use monomorph_spec::WordNormalizer;
use monomorph_spec::byte_alphabet::ALPHABET;
use monomorph_spec::characters::{Class, Entry};
use monomorph_spec::vocab_layout::Sections;

use super::*;

const SPECIAL: TokenizerSpec = TokenizerSpec {
    algorithm: Algorithm::ScoredBpe,
    bos: 0,
    eos: 1,
    unknown: Some(1),
    add_bos: true,
    add_eos: false,
    add_space_prefix: false,
};

fn piece(text: &'static str, score: f32, kind: PieceKind) -> Piece<'static> {
    Piece { bytes: text.as_bytes(), score, kind }
}

fn small() -> Vec<Piece<'static>> {
    vec![
        piece("<bos>", 0.0, PieceKind::Control),
        piece("<unk>", 0.0, PieceKind::Unknown),
        piece("   ", -1000.0, PieceKind::UserDefined),
        piece("  ", -1000.0, PieceKind::UserDefined),
        piece("a", -3.0, PieceKind::Normal),
        piece("ab", -1.0, PieceKind::Normal),
        piece("▁ab", -0.0, PieceKind::Normal),
        piece("<0x41>", 0.0, PieceKind::Byte),
        piece("never", 0.0, PieceKind::Unused),
        Piece { bytes: b"\xff", score: 0.0, kind: PieceKind::Normal },
    ]
}

fn header_of(blob: &[u8]) -> [u32; HEADER_BYTES / 4] {
    std::array::from_fn(|i| u32::from_le_bytes(blob[4 * i..4 * i + 4].try_into().unwrap()))
}

#[test]
fn the_header_describes_the_blob() {
    let blob = build_from(&small(), &[], &SPECIAL).unwrap();
    let header = header_of(&blob);
    let field = |field: Field| header[field as usize];
    assert_eq!(blob.len(), HEADER_BYTES + sum(&Sections::of(&header)));
    assert_eq!((field(Field::Magic), field(Field::Version)), (MAGIC, VERSION));
    assert_eq!((field(Field::NVocab), field(Field::NRanked)), (10, 7));
    assert_eq!((field(Field::Bos), field(Field::Eos), field(Field::Unknown)), (0, NONE, 1));
    assert_eq!(field(Field::LongestMerged), 3);
    assert!(Sections::of(&header).slots / 8 >= 2 * field(Field::NRanked) as usize);
}

/// Not where pieces are merged.
#[test]
fn a_normaliser_has_a_table_of_characters() {
    let uncased = WordNormalizer { lowercase: true, strip_accents: true };
    let special = TokenizerSpec { algorithm: Algorithm::WordPiece(uncased), ..SPECIAL };
    let blob = build_from(&small(), &[], &special).unwrap();
    let sections = Sections::of(&header_of(&blob));
    assert_eq!(blob.len(), HEADER_BYTES + sum(&sections));
    assert!(sections.pages < 256 << 10, "{} bytes of pages", sections.pages);
    assert!(sections.mapped > 0);
    let without = Sections::of(&header_of(&build_from(&small(), &[], &SPECIAL).unwrap()));
    assert_eq!((without.page_numbers, without.pages, without.mapped), (0, 0, 0));
}

/// The file's bytes of the map are signed in some files; and a mask that the file's vocabulary lacks is put back.
#[test]
fn a_unigram_model_comes_with_a_map_of_characters() {
    let map = include_bytes!("../../../testdata/golden/families/xlm-roberta.charsmap");
    let special = TokenizerSpec { algorithm: Algorithm::Unigram, ..SPECIAL };
    let built = |element: u32, mask: u32| {
        let mut file = Writer::new();
        let n = map.len() as u64 / if element == 5 { 4 } else { 1 };
        let map = [&element.to_le_bytes()[..], &n.to_le_bytes(), map].concat();
        let texts = small().iter().map(|piece| piece.bytes.to_vec()).collect();
        file.set("tokenizer.ggml.tokens", Strings(texts))
            .set("tokenizer.ggml.scores", F32s(small().iter().map(|piece| piece.score).collect()))
            .set(
                "tokenizer.ggml.token_type",
                I32s(small().iter().map(|piece| piece.kind as i32).collect()),
            )
            .set("tokenizer.ggml.precompiled_charsmap", Raw(9, map))
            .set("tokenizer.ggml.mask_token_id", mask);
        let bytes = file.to_bytes();
        build(&Header::parse(&bytes, bytes.len() as u64).unwrap(), &special)
    };
    let (unsigned, signed) = (built(0, 1).unwrap(), built(1, 1).unwrap());
    assert!(unsigned == signed && unsigned == build_from(&small(), map, &special).unwrap());
    let header = header_of(&unsigned);
    let field = |field: Field| header[field as usize];
    assert_eq!(unsigned.len(), HEADER_BYTES + sum(&Sections::of(&header)));
    assert_eq!((field(Field::NScores), field(Field::NRanked)), (7, 7));
    assert_eq!(f32::from_bits(field(Field::LowestScore)), -1000.0);
    // Of the map's 224,712 keys, so many can match more than one character.
    assert_eq!(field(Field::NClusters), 675);

    let restored = built(0, 8).unwrap();
    assert!(restored.windows(6).any(|bytes| bytes == b"<mask>"));
    assert_eq!(header_of(&restored)[Field::NRanked as usize], 8);
    assert!(!unsigned.windows(6).any(|bytes| bytes == b"<mask>"));
    assert_eq!(
        built(5, 1).unwrap_err().to_string(),
        "metadata key tokenizer.ggml.precompiled_charsmap: found array of 59386 i32, expected an array of bytes"
    );
}

const BYTE_LEVEL: TokenizerSpec =
    TokenizerSpec { algorithm: Algorithm::ByteLevel(Split::Gpt2), unknown: None, ..SPECIAL };

/// The bytes, three pieces that merging forms, one that it does not, and two tokens that are cut out.
fn byte_level() -> Vec<Piece<'static>> {
    let bytes = ALPHABET.iter().map(|c| c.to_string().leak() as &str);
    let normal = bytes.chain(["ab", "Ġab", "abc", "cab"]);
    let normal = normal.map(|text| piece(text, 0.0, PieceKind::Normal));
    let others = [("  ", PieceKind::UserDefined), ("[MASK]", PieceKind::Control)];
    normal.chain(others.map(|(text, kind)| piece(text, 0.0, kind))).collect()
}

#[test]
fn byte_level_bpe_comes_with_merges() {
    let listed: [&[u8]; 4] = [b"a b", "Ġ ab".as_bytes(), b"ab c", b"c ab"];
    let blob = build_from_merges(&byte_level(), &listed[..3], &BYTE_LEVEL).unwrap();
    let header = header_of(&blob);
    let field = |field: Field| header[field as usize];
    assert_eq!(blob.len(), HEADER_BYTES + sum(&Sections::of(&header)));
    assert_eq!((field(Field::NMerges), field(Field::MergeBits)), (3, 3));
    assert_eq!((field(Field::Unknown), field(Field::Mask)), (NONE, 261));
    assert_eq!((field(Field::LongestMerged), field(Field::NScores)), (3, 0));
    // All but the piece that no merge forms.
    assert_eq!((field(Field::NVocab), field(Field::NRanked)), (262, 261));
    let all = build_from_merges(&byte_level(), &listed, &BYTE_LEVEL).unwrap();
    assert_eq!(header_of(&all)[Field::NRanked as usize], 262);

    let mut file = Writer::new();
    let texts = byte_level().iter().map(|piece| piece.bytes.to_vec()).collect();
    file.set("tokenizer.ggml.tokens", Strings(texts))
        .set(
            "tokenizer.ggml.token_type",
            I32s(byte_level().iter().map(|piece| piece.kind as i32).collect()),
        )
        .set(MERGES_KEY, Strings(listed.iter().map(|merge| merge.to_vec()).collect()));
    let bytes = file.to_bytes();
    let header = Header::parse(&bytes, bytes.len() as u64).unwrap();
    assert!(build(&header, &BYTE_LEVEL).unwrap() == all);
}

const LISTED: TokenizerSpec =
    TokenizerSpec { algorithm: Algorithm::ListedMerges, unknown: None, ..SPECIAL };

/// The bytes, characters, pieces that merging forms, one that it does not, and a token that is cut out.
fn listed() -> Vec<Piece<'static>> {
    let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>").leak() as &str);
    let bytes = bytes.map(|text| piece(text, 0.0, PieceKind::Byte));
    let normal = ["a", "b", "▁", "ab", "▁ab", "▁▁", "bab"];
    let normal = normal.map(|text| piece(text, 0.0, PieceKind::Normal));
    let cut = [piece("<bos>", 0.0, PieceKind::Control), piece("a b", 0.0, PieceKind::UserDefined)];
    cut.into_iter().chain(bytes).chain(normal).collect()
}

#[test]
fn characters_come_with_merges() {
    let merges: [&[u8]; 3] = [b"a b", "▁ ab".as_bytes(), "▁ ▁".as_bytes()];
    let blob = build_from_merges(&listed(), &merges, &LISTED).unwrap();
    let header = header_of(&blob);
    let field = |field: Field| header[field as usize];
    assert_eq!(blob.len(), HEADER_BYTES + sum(&Sections::of(&header)));
    assert_eq!(field(Field::Algorithm), LISTED_MERGES);
    assert_eq!((field(Field::NMerges), field(Field::MergeBits)), (3, 3));
    assert_eq!((field(Field::Unknown), field(Field::Mask)), (NONE, NONE));
    assert_eq!((field(Field::LongestMerged), field(Field::NPages)), (3, 0));
    // Three characters and two tokens; what merging forms is found by the merges.
    assert_eq!(field(Field::NRanked), 5);
}

#[test]
fn bad_lists_of_merges_are_refused_in_words() {
    let message = |pieces: &[Piece<'_>], merge: &str| {
        build_from_merges(pieces, &[merge.as_bytes()], &LISTED).unwrap_err().to_string()
    };
    let key = "metadata key tokenizer.ggml.merges: found merge 0,";
    let pieces = "expected two pieces of the vocabulary that form a third";
    assert_eq!(message(&listed(), "b a"), format!("{key} \"b a\", {pieces}"));
    // Nor does merging form a token that is cut out.
    assert_eq!(message(&listed(), "<bo s>"), format!("{key} \"<bo s>\", {pieces}"));
    let mut without = listed();
    without.remove(2 + 0x41);
    for unknown in [None, Some(0)] {
        let special = TokenizerSpec { unknown, ..LISTED };
        assert_eq!(
            build_from_merges(&without, &[], &special).unwrap_err().to_string(),
            "metadata key tokenizer.ggml.tokens: found a byte without a piece, expected all of <0x00> to <0xFF>"
        );
    }
}

/// The counts are those of the original's Oniguruma, which were found by asking it about every character: a package with
/// another version of Unicode has others.
#[test]
fn letters_and_numbers_are_those_of_unicode_16() {
    let characters = Characters::of_classes().unwrap();
    let class = |c: char| {
        let page = characters.page_numbers[c as usize / PAGE] as usize;
        Entry(characters.pages[page * PAGE + c as usize % PAGE]).class()
    };
    let count = |of: Class| ('\0'..=char::MAX).filter(|&c| class(c) == of).count();
    assert_eq!([Class::Letter, Class::Number, Class::Space].map(count), [141_028, 1_911, 25]);
}

#[test]
fn bad_merges_are_refused_in_words() {
    let message = |merge: &str| {
        let merges: [&[u8]; 2] = [b"a b", merge.as_bytes()];
        build_from_merges(&byte_level(), &merges, &BYTE_LEVEL).unwrap_err().to_string()
    };
    let key = "metadata key tokenizer.ggml.merges: found merge 1,";
    let pieces = "expected two pieces of the vocabulary that form a third";
    assert_eq!(message("b a"), format!("{key} \"b a\", {pieces}"));
    assert_eq!(message("a b c"), format!("{key} \"a b c\", {pieces}"));
    assert_eq!(message(" a"), format!("{key} \" a\", {pieces}"));
    assert_eq!(
        message("ab"),
        format!("{key} \"ab\", expected two pieces with a space between them")
    );
    let without = &byte_level()[1..];
    assert_eq!(
        build_from_merges(without, &[], &BYTE_LEVEL).unwrap_err().to_string(),
        "metadata key tokenizer.ggml.tokens: found no piece \"Ā\" for byte 0, expected one for each byte"
    );
}

fn sum(sections: &Sections) -> usize {
    let Sections { slots, ids, ends, byte_ids, cut_starts, cut_lengths, .. } = sections;
    let Sections { page_numbers, pages, mapped, clusters, scores, merges, merged, .. } = sections;
    let lists = slots + ids + ends + byte_ids + cut_starts + cut_lengths + merges + merged;
    lists + page_numbers + pages + mapped + clusters + scores + sections.pairs + sections.bytes
}

#[test]
fn runs_of_spaces_merge_first_and_cut_pieces_never() {
    let pieces = small();
    let merges = Algorithm::ScoredBpe;
    let texts: Vec<String> = pieces.iter().map(|piece| text_of(piece, merges)).collect();
    let ranked = rank(&pieces, &texts, &Merges::default(), merges).unwrap();
    let ids: Vec<u32> = ranked.iter().map(|piece| piece.id).collect();
    assert_eq!(ids, [2, 3, 6, 5, 4, 0, 1]);
}

#[test]
fn runs_of_spaces_are_stored_as_the_reference_writes_them() {
    let blob = build_from(&small(), &[], &SPECIAL).unwrap();
    let bytes = Sections::of(&header_of(&blob)).bytes;
    let want = ["<bos><unk>▁▁▁▁▁aab▁ab<0x41>never".as_bytes(), b"\xff"].concat();
    assert_eq!(&blob[blob.len() - bytes..], want);
}

#[test]
fn the_same_pieces_give_the_same_bytes() {
    assert_eq!(build_from(&small(), &[], &SPECIAL), build_from(&small(), &[], &SPECIAL));
}

#[test]
fn bad_vocabularies_are_refused_in_words() {
    let message = |piece: Piece<'static>, special: &TokenizerSpec| {
        let pieces = [small(), vec![piece]].concat();
        build_from(&pieces, &[], special).unwrap_err().to_string()
    };
    let key = "metadata key tokenizer.ggml.tokens: found";
    assert_eq!(
        message(piece("ab", 7.0, PieceKind::UserDefined), &SPECIAL),
        format!("{key} \"ab\" as piece 5 and piece 10, expected each piece once"),
    );
    assert_eq!(
        message(piece("▁▁", 7.0, PieceKind::Normal), &SPECIAL),
        format!("{key} \"▁▁\" as piece 3 and piece 10, expected each piece once"),
    );
    // These two strings were made to have the same hash, whatever the seed.
    let collision = [small(), vec![piece("崀崀崀崀崀崀", 0.0, PieceKind::Normal)]].concat();
    assert!(build_from(&collision, &[], &SPECIAL).is_ok());
    let collision = [collision, vec![piece("娎怨媷嵼弆廍", 0.0, PieceKind::Normal)]].concat();
    assert_eq!(
        build_from(&collision, &[], &SPECIAL).unwrap_err().to_string(),
        format!(
            "{key} pieces that collide under 64 hash seeds, expected a vocabulary without such collisions"
        ),
    );
    assert_eq!(
        message(piece("x".repeat(256).leak(), 7.0, PieceKind::Normal), &SPECIAL),
        format!("{key} piece 10 of 256 characters, expected at most 255"),
    );
    assert_eq!(
        message(piece("x", 7.0, PieceKind::Normal), &TokenizerSpec { unknown: None, ..SPECIAL }),
        format!(
            "{key} a byte without a piece and no unknown piece, expected all of <0x00> to <0xFF>"
        ),
    );
}

/// A vocabulary without the usual parts still gives a table.
#[test]
fn nothing_is_needed() {
    for pieces in [
        vec![],
        vec![piece("a", 0.0, PieceKind::Normal)],
        vec![piece("<b>", 0.0, PieceKind::Control)],
    ] {
        let header = header_of(&build_from(&pieces, &[], &SPECIAL).unwrap());
        assert_eq!(header[Field::NRanked as usize] as usize, pieces.len());
    }
}
