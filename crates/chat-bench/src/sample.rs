//! Which sessions a load goes to: drawn at random, with repetition, the same in every run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// A prime, so that each connection of any number of them comes to all draws in time.
const DRAWS: usize = 19_997;

/// Writes draws from some ids to a file, one a line.
pub(super) fn draw(file: PathBuf, ids: &[String]) -> anyhow::Result<PathBuf> {
    ensure!(!ids.is_empty(), "there is no id to draw");
    let mut state = 0_u64;
    let mut lines = String::new();
    for _ in 0..DRAWS {
        let place = usize::try_from(next(&mut state) % ids.len() as u64).unwrap_or_default();
        lines.push_str(ids.get(place).context("a place beyond the ids")?);
        lines.push('\n');
    }
    write(&file, &lines)?;
    Ok(file)
}

/// Writes each id once, one a line.
pub(super) fn each(file: PathBuf, ids: &[String]) -> anyhow::Result<PathBuf> {
    write(&file, &(ids.join("\n") + "\n"))?;
    Ok(file)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_about_even_and_not_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let ids: Vec<String> = (0..10).map(|id| id.to_string()).collect();
        let text = fs::read_to_string(draw(directory.path().join("ids"), &ids).unwrap()).unwrap();
        let drawn: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
        let mut counts = [0_u32; 10];
        for id in &drawn {
            counts[*id] += 1;
        }
        assert!(counts.iter().all(|count| (1_800..2_200).contains(count)), "{counts:?}");
        assert!(drawn.windows(2).any(|two| two[0] == two[1]), "with repetition");
        assert_ne!(drawn[..10], drawn[10..20]);
    }
}
