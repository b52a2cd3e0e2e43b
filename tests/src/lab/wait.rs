//! Waiting for a value, with a limit and a name for what is missing.

use anyhow::bail;
use std::time::{Duration, Instant};

/// Shortest time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A look starts programs and asks the coordinator: between two there are so many times as long as the last one took, so that
/// the looks do not slow down what is waited for.
const REST_PER_LOOK: u32 = 3;

/// The longest wait.
#[derive(Debug, Clone, Copy)]
pub struct Limit(Duration);

impl Limit {
    /// So many seconds.
    #[must_use]
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

/// Looks again and again until there is a value.
///
/// # Errors
/// When there is none within the limit, or a look fails.
pub fn wait_for<T>(
    limit: Limit,
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        let begun = Instant::now();
        if let Some(value) = look()? {
            return Ok(value);
        }
        if started.elapsed() > limit.0 {
            bail!("waited {} s for {what}", limit.0.as_secs());
        }
        std::thread::sleep(LOOK_EVERY.max(begun.elapsed() * REST_PER_LOOK));
    }
}
