//! The alphabet in which byte-level BPE writes bytes: a visible character for each (GPT-2's `bytes_to_unicode`).
//!
//! Bytes that are visible characters in Latin-1 stand for themselves; the other 68 are U+0100 and those after it, in
//! ascending order. A space is U+0120, `Ġ`, and a line feed U+010A, `Ċ`.

/// The character of each byte.
pub static ALPHABET: [char; 256] = {
    let mut alphabet = ['\0'; 256];
    let (mut byte, mut next) = (0u8, 0x100u32);
    loop {
        alphabet[byte as usize] = match byte {
            0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => byte as char,
            _ => {
                next += 1;
                match char::from_u32(next - 1) {
                    Some(c) => c,
                    None => panic!("not a character"),
                }
            }
        };
        if byte == u8::MAX {
            break alphabet;
        }
        byte += 1;
    }
};

/// The byte that a character stands for; `None` for one that is not of the alphabet.
pub fn byte_of(c: char) -> Option<u8> {
    static BYTES: [Option<u8>; 0x144] = {
        let mut bytes = [None; 0x144];
        let mut byte = 0;
        while byte < 256 {
            bytes[ALPHABET[byte] as usize] = Some(byte as u8);
            byte += 1;
        }
        bytes
    };
    BYTES.get(c as usize).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        for byte in 0..=u8::MAX {
            assert_eq!(byte_of(ALPHABET[usize::from(byte)]), Some(byte));
        }
        assert_eq!(('\0'..=char::MAX).filter_map(byte_of).count(), 256);
        let known = [(b'a', 'a'), (b' ', 'Ġ'), (b'\n', 'Ċ'), (0x7f, 'ġ'), (0xad, 'Ń'), (0xff, 'ÿ')];
        assert!(known.iter().all(|&(byte, c)| ALPHABET[usize::from(byte)] == c));
    }
}
