//! Files that options name, read up to a limit: a wrong path may lead to a device or a disk image.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// All of a file.
///
/// # Errors
/// It cannot be read, or has more bytes than `most`.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= most) {
        return Ok(content);
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {} KiB", most >> 10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_a_device_without_end_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, [b'a'; 2_048]).unwrap();
        assert_eq!(read(&path, 2_048).unwrap().len(), 2_048);
        assert_eq!(read(&path, 2_047).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(Path::new("/dev/zero"), 1 << 16).unwrap_err().to_string(), "it has more than 64 KiB");
    }
}
