//! The type of files of the ISO base media format (ISO 14496-12), told from the brands of their first box.
//!
//! `infer` knows the common brands of MP4, and calls every picture of HEIF `image/heif`.

/// How many compatible brands are looked at.
const MAX_COMPATIBLE: usize = 32;

/// The type of a file that begins with `head`; `None` when it has no brands, or none that is known.
pub(crate) fn media_type(head: &[u8]) -> Option<&'static str> {
    let (size, rest) = head.split_first_chunk::<4>()?;
    let (major, rest) = rest.strip_prefix(b"ftyp")?.split_first_chunk::<4>()?;
    // The version of the major brand comes between.
    let compatible = rest.get(4..).unwrap_or_default();
    let count = usize::try_from(u32::from_be_bytes(*size)).ok()?.saturating_sub(16) / 4;
    let mut compatible =
        compatible.chunks_exact(4).take(count.min(MAX_COMPATIBLE)).filter_map(|brand| brand.first_chunk().copied());
    // A picture's major brand may only say that it is one; the compatible ones say how it is compressed.
    match major {
        b"mif1" | b"mif2" | b"miaf" => Some(compatible.find_map(of_still).unwrap_or("image/heif")),
        b"msf1" => Some(compatible.find_map(of_sequence).unwrap_or("image/heif-sequence")),
        known => of_brand(*known).or_else(|| compatible.find_map(of_brand)),
    }
}

fn of_still(brand: [u8; 4]) -> Option<&'static str> {
    match &brand {
        b"avif" => Some("image/avif"),
        b"heic" | b"heix" | b"heim" | b"heis" => Some("image/heic"),
        _ => None,
    }
}

fn of_sequence(brand: [u8; 4]) -> Option<&'static str> {
    match &brand {
        b"avis" => Some("image/avif"),
        b"hevc" | b"hevx" | b"hevm" | b"hevs" => Some("image/heic-sequence"),
        _ => None,
    }
}

fn of_brand(brand: [u8; 4]) -> Option<&'static str> {
    Some(match &brand {
        b"qt  " => "video/quicktime",
        b"M4A " | b"M4B " | b"M4P " => "audio/mp4",
        b"M4V "
        | b"M4VH"
        | b"M4VP"
        | b"mp41"
        | b"mp42"
        | b"mp71"
        | b"mmp4"
        | b"avc1"
        | b"dash"
        | b"MSNV"
        | b"f4v "
        | b"F4V "
        | b"F4P "
        | [b'i', b's', b'o', _]
        | [b'c', b'm', b'f', _] => "video/mp4",
        [b'3', b'g', b'2', _] => "video/3gpp2",
        [b'3', b'g', b'p' | b'r' | b's' | b'e' | b'g' | b'h', _] => "video/3gpp",
        _ => of_still(brand).or_else(|| of_sequence(brand))?,
    })
}
