//! When a certificate is valid. Reads the few bytes of DER that are needed; must not judge. Called by the renewal and the doctor.

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Not before and not after, in seconds since 1970; none when it is not a certificate.
pub fn validity(der: &[u8]) -> Option<(u64, u64)> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (mut body, _) = element(outer, SEQUENCE)?;
    if let Some((_, rest)) = element(body, VERSION) {
        body = rest;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        body = any(body)?.2;
    }
    let (dates, _) = element(body, SEQUENCE)?;
    let (tag, from, rest) = any(dates)?;
    let from = seconds(tag, from)?;
    let (tag, until, _) = any(rest)?;
    Some((from, seconds(tag, until)?))
}

fn element(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = any(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// Tag, content, and what follows.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, mut bytes) = bytes.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7F);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = bytes.split_at_checked(count)?;
        length = digits.iter().fold(0usize, |sum, digit| (sum << 8) | usize::from(*digit));
        bytes = rest;
    }
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn seconds(tag: u8, content: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, at) = match tag {
        UTC_TIME => {
            let short = number(0, 2)?;
            (if short < 50 { 2000 + short } else { 1900 + short }, 2)
        }
        GENERALIZED_TIME => (number(0, 4)?, 4),
        _ => return None,
    };
    let (month, day) = (number(at, at + 2)?, number(at + 2, at + 4)?);
    let clock = number(at + 4, at + 6)? * 3600 + number(at + 6, at + 8)? * 60 + number(at + 8, at + 10)?;
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(days(year, month, day)? * 86_400 + clock)
}

/// Days since 1970-01-01. Years begin in March, so that the leap day comes last.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    (before + (month * 153 + 2) / 5 + day - 1).checked_sub(719_468)
}

/// When a certificate is to be renewed, in seconds since 1970: at half of its life.
#[must_use]
pub fn half(from: u64, until: u64) -> u64 {
    from + until.saturating_sub(from) / 2
}

/// From when on a certificate that was not renewed shows that something is wrong: at three quarters of its life.
#[must_use]
pub fn late(from: u64, until: u64) -> u64 {
    half(half(from, until), until)
}
