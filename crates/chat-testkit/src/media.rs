//! Small files of many formats, written byte by byte: what a header says, and as little as possible besides.

/// A PNG header with an empty body.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    file.extend(width.to_be_bytes());
    file.extend(height.to_be_bytes());
    file.extend(b"\x08\x06\0\0\0\0\0\0\0\0\0\0\0IEND\xae\x42\x60\x82");
    file
}

/// A whole PNG of 8 bits for each channel in which all of them are 0, of this type of colours (0 grey, 2 RGB, 6 RGB with
/// transparency). So many bytes more than it has are packed behind them. It is small, as what unpacks to much can be.
pub fn zeros_png(width: u32, height: u32, colours: u8, more: usize) -> Vec<u8> {
    let channels = match colours {
        0 => 1,
        2 => 3,
        _ => 4,
    };
    let row = usize::try_from(width).unwrap() * channels + 1;
    let packed = zeros(row * usize::try_from(height).unwrap() + more);
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, colours, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in [(b"IHDR", &header), (b"IDAT", &packed), (b"IEND", &Vec::new())] {
        let named = [&name[..], content].concat();
        file.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        file.extend(&named);
        file.extend(crc32(&named).to_be_bytes());
    }
    file
}

/// So many zeros, packed with zlib (RFC 1950 and 1951): one of them, and copies of it. Without the right checksum, which
/// decoders of PNG leave alone.
fn zeros(count: usize) -> Vec<u8> {
    let (mut packed, mut waiting, mut bits) = (vec![0x78, 0x9c], 0_u64, 0_u32);
    let mut push = |value: u64, length: u32| {
        waiting |= value << bits;
        bits += length;
        while bits >= 8 {
            packed.push(u8::try_from(waiting & 0xff).unwrap());
            waiting >>= 8;
            bits -= 8;
        }
    };
    // The last block, with the fixed codes; their bits come in reverse order.
    push(0b011, 3);
    push(0b0000_1100, 8);
    let copied = count - 1;
    for _ in 0..copied / 258 {
        push(0b1010_0011, 8);
        push(0, 5);
    }
    for _ in 0..copied % 258 {
        push(0b0000_1100, 8);
    }
    push(0, 7);
    push(0, 8);
    packed.extend([0; 4]);
    packed
}

/// The checksum of a chunk of a PNG (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

/// A GIF of one empty frame.
pub fn gif(width: u16, height: u16) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend(b"\x80\0\0\0\0\0\xff\xff\xff");
    file.extend(b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0\x3b");
    file
}

/// A JPEG with an EXIF segment of this length before its dimensions.
pub fn jpeg(width: u16, height: u16, exif: u16) -> Vec<u8> {
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
pub fn webp(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
    file.extend(&(width - 1).to_le_bytes()[..3]);
    file.extend(&(height - 1).to_le_bytes()[..3]);
    file
}

/// A WAV of 16 bits mono that claims so many bytes of sound, and has so many.
pub fn wav(byte_rate: u32, claimed: u32, sound: usize) -> Vec<u8> {
    let mut file = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend((byte_rate / 2).to_le_bytes());
    file.extend(byte_rate.to_le_bytes());
    file.extend(b"\x02\0\x10\0LIST\x03\0\0\0abc\0data");
    file.extend(claimed.to_le_bytes());
    file.extend(vec![0; sound]);
    file
}

/// MPEG 1 layer III, 128 kbit/s, 44.1 kHz, stereo: 417 bytes a frame.
pub fn mp3_frame() -> Vec<u8> {
    let mut frame = b"\xff\xfb\x90\0".to_vec();
    frame.resize(417, 0);
    frame
}

/// A first frame that states how many frames there are.
pub fn xing_frame(frames: u32) -> Vec<u8> {
    let mut frame = mp3_frame();
    frame[36..44].copy_from_slice(b"Xing\0\0\0\x01");
    frame[44..48].copy_from_slice(&frames.to_be_bytes());
    frame
}

/// An ID3 tag of this many bytes.
pub fn id3(size: u32) -> Vec<u8> {
    let mut tag = b"ID3\x04\0\0".to_vec();
    tag.extend([21, 14, 7, 0].map(|shift| u8::try_from(size >> shift & 0x7f).unwrap()));
    tag
}

/// A FLAC of so many samples a second, and so many in all.
pub fn flac(rate: u64, samples: u64) -> Vec<u8> {
    let mut file = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0".to_vec();
    file.extend((rate << 44 | 1 << 41 | 15 << 36 | samples).to_be_bytes());
    file.extend([0; 16]);
    file.extend(b"\xff\xf8".repeat(64));
    file
}

/// An Opus stream of two pages, the last ending at this position.
pub fn opus(position: u64) -> Vec<u8> {
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
pub fn mp4_box(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut file = u32::try_from(content.len() + 8).unwrap().to_be_bytes().to_vec();
    file.extend(kind);
    file.extend(content);
    file
}

/// The first box of an MP4.
pub fn ftyp() -> Vec<u8> {
    mp4_box(*b"ftyp", b"isom\0\0\x02\0isomiso2")
}

/// The header of a movie: ticks a second, and its duration in them.
pub fn mvhd(scale: u32, duration: u32) -> Vec<u8> {
    let mut content = vec![0; 12];
    content.extend(scale.to_be_bytes());
    content.extend(duration.to_be_bytes());
    content.resize(100, 0);
    mp4_box(*b"mvhd", &content)
}

/// A track of this size; turned by 90 degrees on request.
pub fn trak(width: u32, height: u32, turned: bool) -> Vec<u8> {
    let mut content = vec![0; 40];
    let one = 0x1_0000_u32;
    let matrix = if turned { [0, one, 0, 0_u32.wrapping_sub(one), 0, 0] } else { [one, 0, 0, 0, one, 0] };
    for value in matrix.into_iter().chain([0, 0, 0x4000_0000, width << 16, height << 16]) {
        content.extend(value.to_be_bytes());
    }
    mp4_box(*b"trak", &[mp4_box(*b"edts", &[]), mp4_box(*b"tkhd", &content)].concat())
}

/// An MP4 whose movie box lies behind its data.
pub fn mp4(movie: &[Vec<u8>]) -> Vec<u8> {
    [ftyp(), mp4_box(*b"mdat", &[7; 3000]), mp4_box(*b"moov", &movie.concat())].concat()
}

/// An EBML element; sizes take two bytes.
pub fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let size = 0x4000 | u16::try_from(content.len()).unwrap();
    [id, &size.to_be_bytes(), content].concat()
}

/// A `WebM` with these tracks and a segment of unknown size, as recorders write it.
pub fn webm(milliseconds: f64, tracks: &[u8]) -> Vec<u8> {
    let header = element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm");
    let info = element(b"\x15\x49\xa9\x66", &element(b"\x44\x89", &milliseconds.to_be_bytes()));
    let tracks = element(b"\x16\x54\xae\x6b", tracks);
    let cluster = [b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff".as_slice(), &[0; 5000]].concat();
    [header, b"\x18\x53\x80\x67\xff".to_vec(), info, tracks, cluster].concat()
}

/// A `WebM` track of pictures.
pub fn video_track(width: u16, height: u16) -> Vec<u8> {
    let size = [element(b"\xb0", &width.to_be_bytes()), element(b"\xba", &height.to_be_bytes())].concat();
    element(b"\xae", &[element(b"\xd7", &[1]), element(b"\xe0", &size)].concat())
}

/// A `WebM` track of sound.
pub fn audio_track() -> Vec<u8> {
    element(b"\xae", &[element(b"\xd7", &[1]), element(b"\xe1", b"\x9f\x42\0\x01")].concat())
}

/// A JPEG whose EXIF data say how to turn it; a JFIF segment comes first, as many programs write it.
pub fn turned_jpeg(width: u16, height: u16, orientation: u16, little_endian: bool) -> Vec<u8> {
    let short = |value: u16| if little_endian { value.to_le_bytes() } else { value.to_be_bytes() };
    let long = |value: u32| if little_endian { value.to_le_bytes() } else { value.to_be_bytes() };
    let mut tiff = if little_endian { b"II".to_vec() } else { b"MM".to_vec() };
    tiff.extend(short(42));
    tiff.extend(long(8));
    // Two fields: the maker's name, which lies elsewhere, and the orientation.
    tiff.extend(short(2));
    tiff.extend([short(0x010f), short(2)].concat());
    tiff.extend([long(9), long(38)].concat());
    tiff.extend([short(0x0112), short(3)].concat());
    tiff.extend(long(1));
    tiff.extend([short(orientation), short(0)].concat());
    tiff.extend(long(0));
    tiff.extend(b"Unnamed!\0");
    exif_jpeg(width, height, &tiff)
}

/// A JPEG with these TIFF data in an EXIF segment.
pub fn exif_jpeg(width: u16, height: u16, tiff: &[u8]) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xe1".to_vec();
    file.extend(u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
    file.extend(b"Exif\0\0");
    file.extend(tiff);
    file.extend(&jpeg(width, height, 0)[6..]);
    file
}

/// A `WebM` as a browser records it: neither the segment nor the clusters know their size, and no duration is stated.
/// A cluster is its time and the times of its blocks from there.
pub fn recorded_webm(tracks: &[u8], clusters: &[(u32, &[i16])]) -> Vec<u8> {
    let header = element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm");
    let info = element(b"\x15\x49\xa9\x66", &element(b"\x2a\xd7\xb1", b"\x0f\x42\x40"));
    let mut file = [header, b"\x18\x53\x80\x67\xff".to_vec(), info, element(b"\x16\x54\xae\x6b", tracks)].concat();
    for (time, blocks) in clusters {
        file.extend(b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff");
        file.extend(element(b"\xe7", &time.to_be_bytes()));
        for block in *blocks {
            file.extend(element(b"\xa3", &[&[0x81], &block.to_be_bytes()[..], b"\x80", &[9; 300]].concat()));
        }
    }
    file
}

/// A track of an MP4 that has an id and a time scale.
pub fn timed_trak(id: u32, scale: u32, width: u32, height: u32) -> Vec<u8> {
    let mut header = trak(width, height, false);
    // Behind the boxes `trak`, `edts` and `tkhd`, and the version and two times.
    header[36..40].copy_from_slice(&id.to_be_bytes());
    let mut times = vec![0; 12];
    times.extend(scale.to_be_bytes());
    times.extend([0; 8]);
    let media = mp4_box(*b"mdia", &mp4_box(*b"mdhd", &times));
    mp4_box(*b"trak", &[&header[8..], &media].concat())
}

/// The box that says that fragments follow, with the duration of a sample of the track.
pub fn mvex(id: u32, sample_ticks: u32) -> Vec<u8> {
    let defaults = [0, id, 1, sample_ticks, 0, 0].map(u32::to_be_bytes).concat();
    mp4_box(*b"mvex", &mp4_box(*b"trex", &defaults))
}

/// A fragment that begins at this time, where it says so, whose samples last as long as they say or as the track says.
pub fn fragment(id: u32, begin: Option<u64>, samples: Result<&[u32], u32>) -> Vec<u8> {
    let mut part = mp4_box(*b"tfhd", &[0x2_0000, id].map(u32::to_be_bytes).concat());
    if let Some(begin) = begin {
        part.extend(mp4_box(*b"tfdt", &[&[1, 0, 0, 0], &begin.to_be_bytes()[..]].concat()));
    }
    let run = match samples {
        // Durations and sizes.
        Ok(ticks) => {
            let mut run = [0x301, u32::try_from(ticks.len()).unwrap(), 0].to_vec();
            run.extend(ticks.iter().flat_map(|ticks| [*ticks, 100]));
            run
        }
        Err(count) => vec![1, count, 0],
    };
    part.extend(mp4_box(*b"trun", &run.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<u8>>()));
    let moof = mp4_box(*b"moof", &[mp4_box(*b"mfhd", &[0; 8]), mp4_box(*b"traf", &part)].concat());
    [moof, mp4_box(*b"mdat", &[7; 2000])].concat()
}

/// An MP4 in fragments, as Safari records it.
pub fn fragmented_mp4(movie: &[Vec<u8>], fragments: &[Vec<u8>]) -> Vec<u8> {
    let brands = mp4_box(*b"ftyp", b"iso5\0\0\x02\0iso5iso6mp41");
    [brands, mp4_box(*b"moov", &movie.concat()), fragments.concat()].concat()
}

/// A file of the ISO base media format with these brands.
pub fn branded(major: &[u8; 4], compatible: &[u8]) -> Vec<u8> {
    [mp4_box(*b"ftyp", &[major, &b"\0\0\0\0"[..], compatible].concat()), vec![0; 64]].concat()
}

/// A ZIP archive of entries that are not compressed.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let offset = u32::try_from(file.len()).unwrap();
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        let sizes = [size, size].concat();
        let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
        file.extend([b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0", &*sizes, &name_length, b"\0\0"].concat());
        file.extend([name.as_bytes(), content].concat());
        directory.extend([b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0", &*sizes, &name_length].concat());
        directory.extend([&[0; 12], &offset.to_le_bytes()[..], name.as_bytes()].concat());
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let (start, size) = (u32::try_from(file.len()).unwrap(), u32::try_from(directory.len()).unwrap());
    file.extend(directory);
    file.extend(
        [b"PK\x05\x06\0\0\0\0", &count[..], &count, &size.to_le_bytes(), &start.to_le_bytes(), b"\0\0"].concat(),
    );
    file
}

/// A header of Microsoft's ASF with streams of these kinds.
pub fn asf(streams: &[&[u8; 16]]) -> Vec<u8> {
    let mut objects = b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\0\xc0\x0c\x20\x53\x65\x68\0\0\0\0\0\0\0".to_vec();
    objects.resize(0x68, 0);
    for stream in streams {
        objects.extend(b"\x91\x07\xdc\xb7\xb7\xa9\xcf\x11\x8e\xe6\0\xc0\x0c\x20\x53\x65\x4e\0\0\0\0\0\0\0");
        objects.extend(*stream);
        objects.extend([0; 38]);
    }
    let size = u64::try_from(objects.len() + 30).unwrap();
    let mut file = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c".to_vec();
    file.extend(size.to_le_bytes());
    file.extend([&[2, 0, 0, 0, 1, 2], &*objects, &[0; 50]].concat());
    file
}

/// The kind of a stream of sound.
pub const ASF_AUDIO: &[u8; 16] = b"\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\0\x80\x5f\x5c\x44\x2b";
/// The kind of a stream of pictures.
pub const ASF_VIDEO: &[u8; 16] = b"\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\0\x80\x5f\x5c\x44\x2b";

/// A text in UTF-16 with its byte order mark.
pub fn utf16(text: &str, little_endian: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit| if little_endian { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}
