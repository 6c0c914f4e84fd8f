//! The image of the weights that the build put into the executable, for the loader to map, or none.

#![allow(unsafe_code)]

/// The image; none if the build left them in a file.
pub fn bytes() -> Option<&'static [u8]> {
    #[cfg(monomorph_embed)]
    return Some(inside::bytes());
    #[cfg(not(monomorph_embed))]
    None
}

/// The hash (XXH3, 128 bits) of what the build put there.
pub fn hash() -> Option<u128> {
    let hexadecimal = option_env!("MONOMORPH_WEIGHTS_HASH")?;
    u128::from_str_radix(hexadecimal, 16).ok()
}

/// The assembler includes the image: it takes a second and a half and 1.4 GB for 330 MB, where `include_bytes` takes a
/// minute and 5.8 GB (rustc 1.95). The hash stands in the text because nothing else in it changes with the file.
#[cfg(all(monomorph_embed, any(unix, windows)))]
mod inside {
    use std::arch::global_asm;

    // Where constants lie in the formats of object files: ELF, Mach-O and COFF.
    #[cfg(all(unix, not(target_vendor = "apple")))]
    macro_rules! section {
        (begin) => {
            ".pushsection .rodata.monomorph_weights, \"a\", %progbits
            .hidden monomorph_weights"
        };
        (label) => {
            "monomorph_weights"
        };
        (end) => {
            ".popsection"
        };
    }
    #[cfg(target_vendor = "apple")]
    macro_rules! section {
        (begin) => {
            ".pushsection __TEXT,__const
            .private_extern _monomorph_weights"
        };
        (label) => {
            "_monomorph_weights"
        };
        (end) => {
            ".popsection"
        };
    }
    #[cfg(windows)]
    macro_rules! section {
        (begin) => {
            ".section .rdata,\"dr\""
        };
        (label) => {
            "monomorph_weights"
        };
        (end) => {
            ".text"
        };
    }

    global_asm!(
        concat!("/* ", env!("MONOMORPH_WEIGHTS_HASH"), " */"),
        section!(begin),
        ".p2align 12",
        concat!(".globl ", section!(label)),
        concat!(section!(label), ":"),
        concat!(".incbin ", env!("MONOMORPH_WEIGHTS")),
        section!(end),
        options(raw),
    );

    unsafe extern "C" {
        #[link_name = "monomorph_weights"]
        static WEIGHTS: [u8; LEN];
    }

    /// Length of the file, as the build script wrote it.
    const LEN: usize = match usize::from_str_radix(env!("MONOMORPH_WEIGHTS_BYTES"), 10) {
        Ok(len) => len,
        Err(_) => panic!("a number of bytes"),
    };

    pub fn bytes() -> &'static [u8] {
        // SAFETY: at the label above lies the file that the build script wrote, LEN bytes long, in a section that is
        // loaded and never written to. Any bytes are valid u8.
        unsafe { &WEIGHTS }
    }
}

/// `include_bytes` includes the image where no assembler's syntax for it is known to work.
#[cfg(all(monomorph_embed, not(any(unix, windows))))]
mod inside {
    #[repr(C, align(4096))]
    struct Page<T: ?Sized>(T);

    static WEIGHTS: &Page<[u8]> = &Page(*include_bytes!(concat!(env!("OUT_DIR"), "/model.bin")));

    pub fn bytes() -> &'static [u8] {
        &WEIGHTS.0
    }
}
