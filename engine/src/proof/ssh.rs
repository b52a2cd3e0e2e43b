//! The data types of the SSH protocol (RFC 4251), read strictly: no length is trusted, nothing may be
//! left over. Must not know keys or signatures.

/// Largest field that is taken, in bytes; the largest key and signature are far smaller.
const FIELD_BYTES_MAX: usize = 8 * 1024;

/// Why bytes or text are not a key or a signature, or a signature proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// It ends inside a field.
    #[error("{what} ends too early")]
    Short {
        /// What was read.
        what: &'static str,
    },
    /// Something follows its end.
    #[error("{what} has surplus bytes")]
    Surplus {
        /// What was read.
        what: &'static str,
    },
    /// A field has a value it must not have.
    #[error("{what} {problem}")]
    Invalid {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An algorithm that is not accepted.
    #[error(
        "`{algorithm}` is not accepted: use ssh-ed25519, ecdsa-sha2-nistp256 or -nistp384, rsa, or a hardware key (sk-)"
    )]
    Algorithm {
        /// Its name, cut.
        algorithm: String,
    },
    /// The signature was made with another key, or over something else.
    #[error("the signature does not belong to this key and these bytes")]
    Wrong,
}

/// Longest name of an algorithm that is repeated in an error, in characters.
const ECHO_CHARS_MAX: usize = 64;

impl SshError {
    pub(super) fn algorithm(name: &[u8]) -> Self {
        let text = String::from_utf8_lossy(name);
        let shown = text.chars().take(ECHO_CHARS_MAX).flat_map(char::escape_default);
        Self::Algorithm { algorithm: shown.collect() }
    }
}

/// The rest of some bytes.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; `what` is for errors.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub fn invalid(&self, problem: &'static str) -> SshError {
        SshError::Invalid { what: self.what, problem }
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], SshError> {
        let short = SshError::Short { what: self.what };
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, SshError> {
        self.bytes(1).map(|one| one[0])
    }

    pub fn number(&mut self) -> Result<u32, SshError> {
        let bytes = self.bytes(4)?;
        Ok(bytes.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
    }

    /// `string`: a length and so many bytes.
    pub fn string(&mut self) -> Result<&'a [u8], SshError> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > FIELD_BYTES_MAX {
            return Err(self.invalid("has a field that is too long"));
        }
        self.bytes(length)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], SshError> {
        let string = self.string()?;
        string.try_into().map_err(|_| self.invalid("has a field of the wrong length"))
    }

    /// `mpint` that is not negative, in its one shortest form; without the sign byte.
    pub fn unsigned(&mut self) -> Result<&'a [u8], SshError> {
        match self.string()? {
            [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => Ok(rest),
            [] | [0, ..] => Err(self.invalid("has a number in a wrong form")),
            [first, ..] if first & 0x80 != 0 => Err(self.invalid("has a negative number")),
            digits => Ok(digits),
        }
    }

    /// A number of a known width, with leading zeros.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], SshError> {
        let digits = self.unsigned()?;
        let mut fixed = [0; N];
        let start =
            N.checked_sub(digits.len()).ok_or_else(|| self.invalid("has a number that is too large"))?;
        fixed[start..].copy_from_slice(digits);
        Ok(fixed)
    }

    /// Refuses anything that is left.
    pub fn end(self) -> Result<(), SshError> {
        if self.rest.is_empty() { Ok(()) } else { Err(SshError::Surplus { what: self.what }) }
    }
}

/// Appends a `string`.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // What is written here is far below 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
