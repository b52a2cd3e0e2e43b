//! The one fact we need from an ELF file: does it ask for a dynamic loader?
//!
//! Reads 64-bit little-endian ELF, the only kind the agent is built as. Called by the parent module.

use anyhow::{Context, bail};

/// Type of the program header that names a loader.
const PT_INTERP: u32 = 3;
const MAGIC_64_LITTLE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
/// Offsets in the file header: where program headers start, their size, their number.
const PHOFF: usize = 32;
const PHENTSIZE: usize = 54;
const PHNUM: usize = 56;

/// True when the file has a `PT_INTERP` header, that is, when it is not static.
pub fn has_interpreter(image: &[u8]) -> anyhow::Result<bool> {
    if !image.starts_with(&MAGIC_64_LITTLE) {
        bail!("not a 64-bit little-endian ELF file");
    }
    let start =
        usize::try_from(u64::from_le_bytes(bytes_at(image, PHOFF)?)).context("program headers too far")?;
    let size = usize::from(u16::from_le_bytes(bytes_at(image, PHENTSIZE)?));
    let count = usize::from(u16::from_le_bytes(bytes_at(image, PHNUM)?));
    for index in 0..count {
        let at = index.checked_mul(size).and_then(|offset| offset.checked_add(start));
        let kind = u32::from_le_bytes(bytes_at(image, at.context("program header out of range")?)?);
        if kind == PT_INTERP {
            return Ok(true);
        }
    }
    Ok(false)
}

fn bytes_at<const N: usize>(image: &[u8], at: usize) -> anyhow::Result<[u8; N]> {
    let end = at.checked_add(N).context("offset out of range")?;
    let slice = image.get(at..end).with_context(|| format!("the ELF file ends before byte {end}"))?;
    slice.try_into().context("slice of the wrong length")
}
