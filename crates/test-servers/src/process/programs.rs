//! The directory with a server's programs.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The programs that a server needs, and where a developer may name their directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Programs {
    /// For errors.
    pub(crate) name: &'static str,
    /// A directory must hold them all.
    pub(crate) files: &'static [&'static str],
    /// The variable that names the directory.
    pub(crate) variable: Option<&'static str>,
    /// How to install or name them, for errors.
    pub(crate) remedy: &'static str,
}

impl Programs {
    /// The directory that the variable names; else the first of these that holds the programs; else the first one of
    /// `PATH`. `looked` names the places for the error.
    pub(crate) fn find(self, candidates: impl IntoIterator<Item = PathBuf>, looked: &str) -> Result<PathBuf, Error> {
        if let Some((variable, named)) = self.variable.and_then(|variable| Some((variable, env::var_os(variable)?))) {
            let directory = PathBuf::from(named);
            return match self.missing(&directory) {
                None => Ok(directory),
                Some(program) => Err(Error::IncompletePrograms { variable, directory, program }),
            };
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let mut directories = candidates.into_iter().chain(env::split_paths(&path));
        directories.find(|directory| self.missing(directory).is_none()).ok_or_else(|| Error::NoPrograms {
            programs: self.name,
            looked: self
                .variable
                .into_iter()
                .chain([looked, "PATH"])
                .filter(|place| !place.is_empty())
                .collect::<Vec<_>>()
                .join(", "),
            remedy: self.remedy,
        })
    }

    /// The first program that the directory does not hold.
    fn missing(self, directory: &Path) -> Option<&'static str> {
        self.files.iter().copied().find(|program| !directory.join(program).is_file())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_must_hold_every_program() {
        let programs = Programs { name: "", files: &["server", "client"], variable: None, remedy: "" };
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("server"), "").unwrap();
        assert_eq!(programs.missing(directory.path()), Some("client"));
        fs::write(directory.path().join("client"), "").unwrap();
        assert_eq!(programs.missing(directory.path()), None);
    }
}
