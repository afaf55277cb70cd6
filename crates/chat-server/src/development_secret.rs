//! The secret of development mode: what tokens are signed with unless the operator sets a secret.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::SecretString;

use crate::data_dir;
use crate::private_file::{PrivateFile, random_hex};

/// Where the secret is, inside the data directory.
const SECRET_FILE: &str = "development-secret";
const SECRET_BYTES: usize = 32;

/// The secret of the data directory. The first caller makes it; all later ones get the same.
///
/// # Errors
/// The file cannot be made or read, or others may read it.
pub(crate) fn read_or_make(data_dir: &Path) -> anyhow::Result<SecretString> {
    data_dir::make(data_dir)?;
    let path = data_dir.join(SECRET_FILE);
    if !path.try_exists().with_context(|| format!("cannot look for {}", path.display()))? {
        make_secret(data_dir, &path).with_context(|| format!("cannot make the secret {}", path.display()))?;
    }
    read_secret(&path)
}

/// Whether the data directory has its secret already.
pub(crate) fn exists(data_dir: &Path) -> bool {
    data_dir.join(SECRET_FILE).exists()
}

/// Writes the secret beside its place and links it there, so that the file is either missing or whole, and of two
/// processes that start at the same time one makes the secret of both.
fn make_secret(data_dir: &Path, path: &Path) -> anyhow::Result<()> {
    let file = PrivateFile::new(data_dir, SECRET_FILE, &random_hex::<SECRET_BYTES>()?)?;
    match fs::hard_link(file.path(), path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    drop(file);
    Ok(File::open(data_dir)?.sync_all()?)
}

fn read_secret(path: &Path) -> anyhow::Result<SecretString> {
    let shown = path.display();
    let mode = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!(
            "others may read the secret {shown} (mode {mode:04o}); run `chmod 600 {shown}`, or delete it to \
             get a new one"
        );
    }
    let secret = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    if secret.trim().len() < SECRET_BYTES {
        bail!("the secret {shown} is too short; delete it to get a new one");
    }
    Ok(SecretString::from(secret.trim()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn callers_at_the_same_time_get_the_same_secret() {
        let dir = tempfile::tempdir().unwrap();
        let secrets: Vec<String> = thread::scope(|scope| {
            let askers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| read_or_make(dir.path()).unwrap().expose_secret().to_owned())).collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(secrets[0].len(), 2 * SECRET_BYTES);
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, [SECRET_FILE]);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        read_or_make(dir.path()).unwrap();
        let path = dir.path().join(SECRET_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = read_or_make(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
