//! Compares the image that a build writes with the panels that the runtime makes.

use super::*;
use monomorph_codegen::image::write;
use monomorph_gguf::Header;
use monomorph_quant::image::{ALIGNMENT, length};
use monomorph_quant::{arrange, panel_kind};
use monomorph_simd::for_each_isa;
use std::fs;
use std::path::{Path, PathBuf};

/// The image of testdata/tiny.gguf, as a build writes it in this form.
fn image_of_tiny(test: &str, form: Form) -> (Spec, PathBuf, Weights) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/tiny.gguf");
    let bytes = fs::read(&file).expect("the tiny model");
    let header = Header::parse(&bytes, bytes.len() as u64).expect("a header");
    let spec = Spec::from_header(&header).expect("a model");
    let folder = std::env::temp_dir().join(format!("monomorph-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the test");
    let image = write(&file, &spec, form, &folder).expect("an image");
    let bytes = fs::read(&image.path).expect("what was written");
    fs::remove_dir_all(&folder).expect("the folder");
    assert_eq!(
        (image.n_bytes, image.hash),
        (bytes.len() as u64, xxhash_rust::xxh3::xxh3_128(&bytes))
    );
    let mut lines: Vec<Line> = vec![bytemuck::Zeroable::zeroed(); bytes.len() / size_of::<Line>()];
    bytemuck::cast_slice_mut(&mut lines).copy_from_slice(&bytes);
    let weights = Weights::image(&spec, form, bytemuck::cast_slice(lines.leak()));
    (spec, file, weights)
}

#[test]
fn panels_of_an_image_are_those_that_are_kept() {
    let (spec, file, image) = image_of_tiny("panels", Form::Panels);
    let threads = Threads::new(2).expect("threads");
    for_each_isa!(|isa| {
        let mut weights =
            Weights::map(&File::open(&file).expect("the tiny model")).expect("a mapping");
        weights.keep_panels(isa, &spec, &threads).expect("memory");
        assert_eq!(weights.panels.len(), spec.matrices().count(), "all but the token table");
        for (name, tensor) in spec.tensors() {
            let [inside, kept] = [&image, &weights].map(|home| {
                let located = home.locate(&tensor);
                (located.is_panels, home.tensor(located))
            });
            let ((is_panels, inside), (is_kept, kept)) = (inside, kept);
            assert_eq!(is_panels, is_kept, "{name}");
            if is_panels {
                let kept: &[Line] = bytemuck::cast_slice(kept);
                let mut arranged = vec![bytemuck::Zeroable::zeroed(); kept.len()];
                let inside = bytemuck::cast_slice(inside);
                arrange(isa, panel_kind(tensor.kind), inside, &mut arranged);
                let [arranged, kept]: [&[u8]; 2] =
                    [&arranged, kept].map(|lines| bytemuck::cast_slice(lines));
                assert!(arranged == kept, "{name}");
            } else {
                assert!(inside == kept, "{name}");
            }
        }
    });
}

#[test]
fn an_image_of_blocks_has_the_bytes_of_the_file() {
    let (spec, path, mut image) = image_of_tiny("blocks", Form::Blocks);
    let mut file = Weights::map(&File::open(&path).expect("the tiny model")).expect("a mapping");
    let threads = Threads::new(2).expect("threads");
    let same = |image: &Weights, file: &Weights| {
        for (name, tensor) in spec.tensors() {
            let [inside, beside] = [image, file].map(|home| {
                let located = home.locate(&tensor);
                (located.is_panels, home.tensor(located))
            });
            assert!(inside == beside, "{name}");
        }
    };
    same(&image, &file);
    let scalar = monomorph_simd::Scalar::detect().expect("it runs everywhere");
    for weights in [&mut image, &mut file] {
        weights.keep_panels(scalar, &spec, &threads).expect("memory");
    }
    same(&image, &file);
    assert!(image.kept_bytes() > 0);
    assert!(image.bytes().len() < image_of_tiny("larger", Form::Panels).2.bytes().len());
}

#[test]
fn tensors_of_an_image_lie_on_cache_lines_without_gaps() {
    let (spec, _, image) = image_of_tiny("layout", Form::Panels);
    let stored = layout(&spec, Form::Panels);
    assert_eq!(stored.len(), spec.tensors().count());
    assert_eq!((stored[0].tensor, stored[0].offset), (spec.embedding.tokens, 0));
    for pair in stored.windows(2) {
        assert_eq!(pair[1].offset, pair[0].end().next_multiple_of(ALIGNMENT));
    }
    assert_eq!(image.bytes().len() as u64, length(&stored));
    assert_eq!(image.kept_bytes(), 0);
}
