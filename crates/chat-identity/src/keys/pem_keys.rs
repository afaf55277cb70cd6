//! Public keys as PEM (RFC 7468, 13): one or several, in one file.

use super::algorithm::TokenAlgorithm;
use super::error::KeyFileError;
use super::verifying_key::{KeyProblem, VerifyingKey};

/// The algorithm of each kind of key. An RSA key could be for several; PEM has no place to name one.
const BY_KIND: [TokenAlgorithm; 4] =
    [TokenAlgorithm::Rs256, TokenAlgorithm::Es256, TokenAlgorithm::Es384, TokenAlgorithm::EdDsa];

/// Reads all keys.
///
/// # Errors
/// A part is not a public key, or it is a key of which no signatures are accepted.
pub(super) fn read_pem_keys(text: &str) -> Result<Vec<VerifyingKey>, KeyFileError> {
    require_whole_parts(text)?;
    let sections = pem::parse_many(text).map_err(|error| KeyFileError::Pem(error.to_string()))?;
    sections.iter().enumerate().map(|(index, section)| read_section(index + 1, section)).collect()
}

/// The library passes over a part without an end, so that its key would be missing and nothing said so.
fn require_whole_parts(text: &str) -> Result<(), KeyFileError> {
    let (mut number, mut open) = (0, None);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        // The line itself may be cut off.
        if let Some(label) = line.strip_prefix("-----B") {
            if let Some(cut_off) = open {
                return Err(cut_off);
            }
            number += 1;
            let label = label.trim_start_matches("EGIN").trim_matches(['-', ' ']).to_owned();
            open = Some(KeyFileError::CutOff { number, line: index + 1, label });
        } else if line.strip_prefix("-----END ").is_some_and(|rest| rest.ends_with("-----")) {
            open = None;
        }
    }
    open.map_or(Ok(()), Err)
}

fn read_section(number: usize, section: &pem::Pem) -> Result<VerifyingKey, KeyFileError> {
    match section.tag() {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => {
            read_key(section.contents()).map_err(|problem| KeyFileError::Key { number, problem: problem.to_string() })
        }
        tag if tag.ends_with("PRIVATE KEY") => Err(KeyFileError::PrivateKey { number }),
        "CERTIFICATE" => Err(KeyFileError::Certificate { number }),
        _ => Err(KeyFileError::Key { number, problem: KeyProblem::Malformed.to_string() }),
    }
}

fn read_key(der: &[u8]) -> Result<VerifyingKey, KeyProblem> {
    let mut problem = KeyProblem::Malformed;
    for algorithm in BY_KIND {
        match VerifyingKey::public(None, algorithm, der) {
            Ok(key) => return Ok(key),
            Err(KeyProblem::Malformed) => {}
            Err(reason) => problem = reason,
        }
    }
    Err(problem)
}
