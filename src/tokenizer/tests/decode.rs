use super::*;

#[test]
fn decoding_gives_the_text_again() {
    let mut rng = Rng(5);
    let sample = words(special());
    for _ in 0..500 {
        let n_chars = rng.below(30);
        let text = rng.string("thecats \n\0é日👩<>0x", n_chars);
        let ids = sample.tokenizer.encode(&text, ALL).ids;
        assert_eq!(sample.tokenizer.decode(&ids, true), text);
        assert_eq!(sample.tokenizer.decode(&ids, false), format!("<bos>{text}<eos>"));
    }
    let prefixed = words(TokenizerSpec { add_space_prefix: true, ..special() });
    for text in ["the", " the", "", "\nthe"] {
        let ids = prefixed.tokenizer.encode(text, ALL).ids;
        assert_eq!(prefixed.tokenizer.decode(&ids, true), text);
    }
}

#[test]
fn decoding_takes_any_ids() {
    let sample = words(special());
    let byte = |byte: u8| sample.tokenizer.table.byte_id(byte).expect("a byte piece");
    let the = sample.tokenizer.encode(" the", ALL).ids[1];
    let decode = |ids: &[u32], skip| sample.tokenizer.decode(ids, skip);
    assert_eq!(decode(&[], true), "");
    assert_eq!(decode(&[0, the, u32::MAX, 1, the], true), " the the");
    // As the reference: of a run that is no UTF-8 as a whole, no byte is.
    assert_eq!(decode(&[byte(0xC3), byte(0xA9), the, byte(0xC3), the], true), "é the\u{FFFD} the");
    assert_eq!(decode(&[byte(b'a'), byte(0xC3)], true), "\u{FFFD}\u{FFFD}");
    assert!((0..3).all(|id| sample.tokenizer.is_special(id)));
    assert!(!sample.tokenizer.is_special(the) && !sample.tokenizer.is_special(u32::MAX));
}
