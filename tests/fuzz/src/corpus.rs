//! The inputs that are kept: one file a border, so that thousands of small inputs make no thousands of
//! files. Each input is its length (32 bits, big-endian) and its bytes.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// What is kept of one border.
#[must_use]
pub fn path(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// # Errors
/// The file cannot be read, or is cut off.
pub fn read(target: &str) -> Result<Vec<Vec<u8>>> {
    let path = path(target);
    let packed = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut rest = packed.as_slice();
    let mut inputs = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if length > after.len() {
            bail!("{} is cut off", path.display());
        }
        let (input, after) = after.split_at(length);
        inputs.push(input.to_vec());
        rest = after;
    }
    Ok(inputs)
}

/// Writes all inputs, shortest first.
///
/// # Errors
/// The file cannot be written, or an input is longer than 4 GiB.
pub fn write(target: &str, mut inputs: Vec<Vec<u8>>) -> Result<()> {
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    inputs.dedup();
    let mut packed = Vec::new();
    for input in inputs {
        packed.extend_from_slice(&u32::try_from(input.len())?.to_be_bytes());
        packed.extend_from_slice(&input);
    }
    let path = path(target);
    std::fs::write(&path, packed).with_context(|| format!("cannot write {}", path.display()))
}
