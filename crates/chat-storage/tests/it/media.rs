//! Small files of many formats, written byte by byte.

/// A PNG header with an empty body.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    file.extend(width.to_be_bytes());
    file.extend(height.to_be_bytes());
    file.extend(b"\x08\x06\0\0\0\0\0\0\0\0\0\0\0IEND\xae\x42\x60\x82");
    file
}

pub(crate) fn gif(width: u16, height: u16) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend(b"\x80\0\0\0\0\0\xff\xff\xff");
    file.extend(b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0\x3b");
    file
}

/// A JPEG with an EXIF segment of this length before its dimensions.
pub(crate) fn jpeg(width: u16, height: u16, exif: u16) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xe1".to_vec();
    file.extend((exif + 2).to_be_bytes());
    file.extend(vec![0; usize::from(exif)]);
    file.extend(b"\xff\xc0\0\x11\x08");
    file.extend(height.to_be_bytes());
    file.extend(width.to_be_bytes());
    file.extend(b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9");
    file
}

/// The extended form, 24 bits for each side.
pub(crate) fn webp(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
    file.extend(&(width - 1).to_le_bytes()[..3]);
    file.extend(&(height - 1).to_le_bytes()[..3]);
    file
}

pub(crate) fn wav(byte_rate: u32, claimed: u32, sound: usize) -> Vec<u8> {
    let mut file = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend((byte_rate / 2).to_le_bytes());
    file.extend(byte_rate.to_le_bytes());
    file.extend(b"\x02\0\x10\0LIST\x03\0\0\0abc\0data");
    file.extend(claimed.to_le_bytes());
    file.extend(vec![0; sound]);
    file
}

/// MPEG 1 layer III, 128 kbit/s, 44.1 kHz, stereo: 417 bytes a frame.
pub(crate) fn mp3_frame() -> Vec<u8> {
    let mut frame = b"\xff\xfb\x90\0".to_vec();
    frame.resize(417, 0);
    frame
}

/// A first frame that states how many frames there are.
pub(crate) fn xing_frame(frames: u32) -> Vec<u8> {
    let mut frame = mp3_frame();
    frame[36..44].copy_from_slice(b"Xing\0\0\0\x01");
    frame[44..48].copy_from_slice(&frames.to_be_bytes());
    frame
}

/// An ID3 tag of this many bytes.
pub(crate) fn id3(size: u32) -> Vec<u8> {
    let mut tag = b"ID3\x04\0\0".to_vec();
    tag.extend([21, 14, 7, 0].map(|shift| u8::try_from(size >> shift & 0x7f).unwrap()));
    tag
}

pub(crate) fn flac(rate: u64, samples: u64) -> Vec<u8> {
    let mut file = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0".to_vec();
    file.extend((rate << 44 | 1 << 41 | 15 << 36 | samples).to_be_bytes());
    file.extend([0; 16]);
    file.extend(b"\xff\xf8".repeat(64));
    file
}

/// An Opus stream of two pages, the last ending at this position.
pub(crate) fn opus(position: u64) -> Vec<u8> {
    let mut file = ogg_page(0, b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0");
    file.extend(ogg_page(position, &[0; 100]));
    file
}

fn ogg_page(position: u64, packet: &[u8]) -> Vec<u8> {
    let mut page = b"OggS\0\0".to_vec();
    page.extend(position.to_le_bytes());
    page.extend(b"\x01\x02\x03\x04\0\0\0\0\0\0\0\0\x01");
    page.push(u8::try_from(packet.len()).unwrap());
    page.extend(packet);
    page
}

/// A box of an MP4.
pub(crate) fn mp4_box(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut file = u32::try_from(content.len() + 8).unwrap().to_be_bytes().to_vec();
    file.extend(kind);
    file.extend(content);
    file
}

pub(crate) fn ftyp() -> Vec<u8> {
    mp4_box(*b"ftyp", b"isom\0\0\x02\0isomiso2")
}

pub(crate) fn mvhd(scale: u32, duration: u32) -> Vec<u8> {
    let mut content = vec![0; 12];
    content.extend(scale.to_be_bytes());
    content.extend(duration.to_be_bytes());
    content.resize(100, 0);
    mp4_box(*b"mvhd", &content)
}

/// A track of this size; turned by 90 degrees on request.
pub(crate) fn trak(width: u32, height: u32, turned: bool) -> Vec<u8> {
    let mut content = vec![0; 40];
    let one = 0x1_0000_u32;
    let matrix = if turned { [0, one, 0, 0_u32.wrapping_sub(one), 0, 0] } else { [one, 0, 0, 0, one, 0] };
    for value in matrix.into_iter().chain([0, 0, 0x4000_0000, width << 16, height << 16]) {
        content.extend(value.to_be_bytes());
    }
    mp4_box(*b"trak", &[mp4_box(*b"edts", &[]), mp4_box(*b"tkhd", &content)].concat())
}

/// An MP4 whose movie box lies behind its data.
pub(crate) fn mp4(movie: &[Vec<u8>]) -> Vec<u8> {
    [ftyp(), mp4_box(*b"mdat", &[7; 3000]), mp4_box(*b"moov", &movie.concat())].concat()
}

/// An EBML element; sizes take two bytes.
pub(crate) fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let size = 0x4000 | u16::try_from(content.len()).unwrap();
    [id, &size.to_be_bytes(), content].concat()
}

/// A `WebM` with these tracks and a segment of unknown size, as recorders write it.
pub(crate) fn webm(milliseconds: f64, tracks: &[u8]) -> Vec<u8> {
    let header = element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm");
    let info = element(b"\x15\x49\xa9\x66", &element(b"\x44\x89", &milliseconds.to_be_bytes()));
    let tracks = element(b"\x16\x54\xae\x6b", tracks);
    let cluster = [b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff".as_slice(), &[0; 5000]].concat();
    [header, b"\x18\x53\x80\x67\xff".to_vec(), info, tracks, cluster].concat()
}

pub(crate) fn video_track(width: u16, height: u16) -> Vec<u8> {
    let size = [element(b"\xb0", &width.to_be_bytes()), element(b"\xba", &height.to_be_bytes())].concat();
    element(b"\xae", &[element(b"\xd7", &[1]), element(b"\xe0", &size)].concat())
}

pub(crate) fn audio_track() -> Vec<u8> {
    element(b"\xae", &[element(b"\xd7", &[1]), element(b"\xe1", b"\x9f\x42\0\x01")].concat())
}
