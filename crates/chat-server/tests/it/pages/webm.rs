//! A `WebM` file (Matroska, RFC 9559) that a browser can seek in: one picture a second, and much that is skipped between.

/// A key frame of VP8 (RFC 6386), 64 × 64 pixels of one red.
const FRAME: [u8; 60] = [
    0x90, 0x03, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x00, 0x40, 0x00, 0x3f, 0x71, 0xb8, 0xd7, 0x64, 0x34, 0xaf, 0x2b, 0xa6,
    0xa2, 0x08, 0x02, 0x90, 0x2e, 0x09, 0x69, 0x00, 0x00, 0x10, 0x37, 0x53, 0x50, 0x05, 0x78, 0x85, 0xb9, 0x00, 0x00,
    0xfe, 0xdf, 0x80, 0x3e, 0x86, 0x8b, 0xd5, 0x3f, 0xfe, 0xa2, 0x7b, 0x08, 0xef, 0xbe, 0x61, 0x1d, 0x70, 0x2b, 0xc1,
    0xc0, 0x00, 0x00,
];

/// A video of so many seconds, each a cluster with `padding` bytes that mean nothing, and an index of all of them.
pub(super) fn video(seconds: u16, padding: usize) -> Vec<u8> {
    let info = element(
        0x1549_a966,
        &[
            element(0x002a_d7b1, &1_000_000_u32.to_be_bytes()),
            element(0x4489, &(f64::from(seconds) * 1_000.0).to_be_bytes()),
        ]
        .concat(),
    );
    let picture = element(0xe0, &[element(0xb0, &[64]), element(0xba, &[64])].concat());
    let track = element(
        0xae,
        &[element(0xd7, &[1]), element(0x73c5, &[1]), element(0x83, &[1]), element(0x86, b"V_VP8"), picture].concat(),
    );
    let tracks = element(0x1654_ae6b, &track);
    let void = element(0xec, &vec![0; padding]);
    let cluster = |second: u16| {
        let block = [&[0x81, 0, 0, 0x80], &FRAME[..]].concat();
        let time = (u32::from(second) * 1_000).to_be_bytes();
        element(0x1f43_b675, &[element(0xe7, &time), element(0xa3, &block), void.clone()].concat())
    };
    let clusters: Vec<Vec<u8>> = (0..seconds).map(cluster).collect();
    // All clusters have one length, and so have all entries of the index.
    let cue = |second: u16, position: usize| {
        let place = element(0xb7, &[element(0xf7, &[1]), element(0xf1, &(position as u64).to_be_bytes())].concat());
        element(0xbb, &[element(0xb3, &(u32::from(second) * 1_000).to_be_bytes()), place].concat())
    };
    let cues_size = element(0x1c53_bb6b, &cue(0, 0).repeat(seconds.into())).len();
    let before = info.len() + tracks.len() + cues_size;
    let entries: Vec<u8> =
        (0..seconds).flat_map(|second| cue(second, before + usize::from(second) * clusters[0].len())).collect();
    let cues = element(0x1c53_bb6b, &entries);
    assert_eq!(cues.len(), cues_size);
    let header = element(
        0x1a45_dfa3,
        &[element(0x4286, &[1]), element(0x4282, b"webm"), element(0x4287, &[2]), element(0x4285, &[2])].concat(),
    );
    let segment = element(0x1853_8067, &[info, tracks, cues, clusters.concat()].concat());
    [header, segment].concat()
}

/// An element of EBML (RFC 8794): its id, its size in eight bytes, and its content.
fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let id: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let size = (1_u64 << 56 | content.len() as u64).to_be_bytes();
    [&id[..], &size, content].concat()
}
