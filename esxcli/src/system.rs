//! Records about the host itself.
//!
//! Owns: `system version get`, `system hostname get`, `hardware platform get`.

use crate::records::{Fields, FromRecord, RecordError};

/// Release of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemVersion {
    /// `VMware ESXi`.
    pub product: String,
    /// Version, e.g. `8.0.3`.
    pub version: String,
    /// Build number, e.g. `25205845` (printed as `Releasebuild-25205845`).
    pub build: String,
    /// Update number.
    pub update: Option<String>,
    /// Patch number.
    pub patch: Option<String>,
    /// Maintenance number (9.0 and later).
    pub maintenance: Option<String>,
}

impl FromRecord for SystemVersion {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let build = fields.text("Build")?;
        let number = build.rsplit('-').next().unwrap_or_default().to_owned();
        Ok(Self {
            product: fields.text("Product")?,
            version: fields.text("Version")?,
            build: number,
            update: fields.text_opt("Update")?,
            patch: fields.text_opt("Patch")?,
            maintenance: fields.text_opt("Maintenance")?,
        })
    }
}

/// Names of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    /// Short name.
    pub host: String,
    /// Domain.
    pub domain: Option<String>,
    /// Fully qualified name; the short one when there is no domain.
    pub fully_qualified: Option<String>,
}

impl FromRecord for HostName {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            host: fields.text("HostName")?,
            domain: fields.text_opt("DomainName")?,
            fully_qualified: fields.text_opt("FullyQualifiedDomainName")?,
        })
    }
}

/// The hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// UUID of the machine in the usual form; `None` when it is not 16 bytes.
    pub uuid: Option<String>,
    /// Vendor.
    pub vendor: String,
    /// Model.
    pub product: String,
    /// Serial number.
    pub serial: Option<String>,
}

impl FromRecord for Platform {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            uuid: uuid_of_bytes(&fields.text("UUID")?),
            vendor: fields.text("VendorName")?,
            product: fields.text("ProductName")?,
            serial: fields.text_opt("SerialNumber")?,
        })
    }
}

/// `0xff 0x0 ...` (16 bytes) as `ff00...-....`.
fn uuid_of_bytes(printed: &str) -> Option<String> {
    let byte = |word: &str| u8::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let bytes: Vec<u8> = printed.split_whitespace().map(byte).collect::<Option<_>>()?;
    if bytes.len() != 16 {
        return None;
    }
    let mut uuid = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        uuid.push_str(&format!("{byte:02x}"));
    }
    Some(uuid)
}

#[cfg(test)]
mod tests;
