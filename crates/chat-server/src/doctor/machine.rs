//! What the machine has: a directory that can be written, free space, descriptors.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::Diagnosis;
use crate::config::{AttachmentsUrl, Config, DatabaseUrl, units};
use crate::descriptors::DescriptorLimits;
use crate::private_file::random_hex;

/// Below this many open files, a busy desk comes to the limit.
const FEW_DESCRIPTORS: u64 = 4_096;

/// Whether the data directory is there and can be written.
pub(super) fn data_directory(config: &Config) -> Diagnosis {
    const CHECK: &str = "data directory";
    let path = &config.data_dir;
    let shown = path.display();
    let remedy = "choose another with --data-dir (CHAT_DATA_DIR), or let the user of the node write there";
    if !path.exists() {
        let above = nearest_above(path);
        return match try_to_write(above) {
            Ok(()) => Diagnosis::warn(CHECK, format!("{shown} is not there yet"), "start the node, which creates it"),
            Err(error) => Diagnosis::fail(
                CHECK,
                format!("{shown} is not there, and cannot be made in {}: {error}", above.display()),
                remedy,
            ),
        };
    }
    if !path.is_dir() {
        return Diagnosis::fail(CHECK, format!("{shown} is no directory"), remedy);
    }
    let readable = access(path, Access::READ_OK | Access::EXEC_OK).map_err(io::Error::from);
    match readable.and_then(|()| try_to_write(path)) {
        Ok(()) => Diagnosis::ok(CHECK, format!("{shown} can be written")),
        Err(error) => Diagnosis::fail(CHECK, format!("{shown} cannot be written: {error}"), remedy),
    }
}

/// The nearest existing directory above a directory that will be made.
fn nearest_above(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."))
}

/// Makes an empty directory there and removes it: rights alone say nothing of a file system that takes no files, nor to
/// root.
fn try_to_write(directory: &Path) -> io::Result<()> {
    let trial = directory.join(format!(".doctor-{}", random_hex::<8>().map_err(io::Error::other)?));
    fs::create_dir(&trial)?;
    fs::remove_dir(&trial)
}

/// How much is free where the node writes.
pub(super) fn disks(config: &Config, min_free: u64) -> Vec<Diagnosis> {
    let mut places = vec![config.data_dir.clone()];
    match &config.attachments_url {
        AttachmentsUrl::File(attachments) => places.push(attachments.clone()),
        AttachmentsUrl::S3(_) => {}
    }
    match &config.database_url {
        DatabaseUrl::Sqlite(file) => places.extend(file.parent().map(Path::to_path_buf)),
        DatabaseUrl::Postgres(_) => {}
    }
    let mut looked_at: Vec<PathBuf> = Vec::new();
    let mut found = Vec::new();
    for place in places {
        // What lies in another of them is not looked at again.
        if !looked_at.iter().any(|other| place.starts_with(other)) {
            found.push(disk(&place, min_free));
            looked_at.push(place);
        }
    }
    found
}

fn disk(place: &Path, min_free: u64) -> Diagnosis {
    const CHECK: &str = "disk";
    // A directory that will be made lies where its parent does.
    let there = nearest_above(place);
    let shown = place.display();
    let room = match statvfs(there) {
        Ok(room) => room,
        Err(error) => {
            return Diagnosis::warn(CHECK, format!("{shown}: {error}"), "look at the free space by hand");
        }
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let text = format!("{} MiB are free at {shown}", free >> 20);
    let remedy = "free some space, or move what lies there to a larger disk";
    if free < min_free {
        let least = units::show_size(min_free);
        return Diagnosis::warn(CHECK, format!("{text}, less than {least} (--min-free)"), remedy);
    }
    // Some file systems have no fixed number of files, and say 0.
    if room.f_files > 0 && room.f_favail.saturating_mul(100) < room.f_files {
        return Diagnosis::warn(CHECK, format!("{text}, and room for {} more files", room.f_favail), remedy);
    }
    Diagnosis::ok(CHECK, text)
}

/// How many connections the limit of open files leaves room for.
pub(super) fn descriptors(config: &Config) -> Diagnosis {
    const CHECK: &str = "descriptors";
    let (limit, room) = DescriptorLimits::foresee(config);
    let DescriptorLimits { http, sockets } = room;
    let finding =
        format!("the limit of open files is {limit}: at most {http} HTTP connections and {sockets} sockets at once");
    let remedy = "raise the hard limit, such as with LimitNOFILE=65536 of systemd or ulimit -Hn 65536";
    if DescriptorLimits::is_too_low(config, limit) {
        Diagnosis::fail(CHECK, finding, remedy)
    } else if limit < FEW_DESCRIPTORS {
        Diagnosis::warn(CHECK, finding, remedy)
    } else {
        Diagnosis::ok(CHECK, finding)
    }
}
