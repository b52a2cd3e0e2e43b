//! A progress bar for long work on terminals, nothing elsewhere. Must not: know a verb. Called by `import`.

use super::screen::{Form, Screen, Surface};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How the bar looks.
const BAR: &str = "{prefix} [{bar:30}] {pos}/{len}, {elapsed}";

/// A bar over `length` pieces of work, on the side of the remarks.
pub fn bar(screen: &Screen<'_>, length: usize, what: &'static str) -> ProgressBar {
    let shows_bar = screen.surface == Surface::Terminal && screen.form == Form::Text;
    let target = if shows_bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(length as u64), target).with_prefix(what);
    match ProgressStyle::with_template(BAR) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
