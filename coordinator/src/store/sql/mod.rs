//! Every SQL statement of the store, one text for both engines.
//!
//! Owns: the texts and the registry that a test prepares on SQLite and on PostgreSQL. Must not run anything. Named by the
//! aggregates. Rules: parameters are `$1`, `$2`; `ON CONFLICT` and `RETURNING` are fine; sums and parameters without a column
//! beside them get a CAST; nothing that only one engine knows.

/// Declares statements and a registry of them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*
        /// Name and text of every statement of this file.
        #[cfg(test)]
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

/// Declares multi-row statements and a registry of them.
macro_rules! bulk_statements {
    ($($(#[$doc:meta])* $name:ident = $head:expr, $row:expr, $tail:expr;)*) => {
        $($(#[$doc])* pub const $name: Bulk = Bulk { head: $head, row: $row, tail: $tail };)*
        /// Name and form of every multi-row statement of this file.
        #[cfg(test)]
        pub const BULK: &[(&str, Bulk)] = &[$((stringify!($name), $name)),*];
    };
}

mod changes;
mod fleet;
mod identities;
mod observed;
mod people;
mod pulls;
mod records;
mod releases;

pub use changes::*;
pub use fleet::*;
pub use identities::*;
pub use observed::*;
pub use people::*;
pub use pulls::*;
pub use records::*;
pub use releases::*;

/// Starts a unit of work on SQLite: takes the write lock at once, so that it cannot fail half way.
pub const LITE_BEGIN: &str = "BEGIN IMMEDIATE";
/// Limits how long a statement waits for a lock on PostgreSQL (the only text of one engine besides `LITE_BEGIN`).
pub const PG_LOCK_LIMIT: &str = "SELECT set_config('lock_timeout', $1, FALSE)";

/// A statement whose number of rows is known only at run time: head, the form of one row (`#` stands for a parameter), tail.
#[derive(Clone, Copy)]
pub struct Bulk {
    head: &'static str,
    row: &'static str,
    tail: &'static str,
}

impl Bulk {
    /// The text for so many rows, with numbered parameters. Holds nothing but the constants above.
    pub fn text(self, rows: usize) -> String {
        let mut text = String::from(self.head);
        let mut parameter = 0_usize;
        for row in 0..rows {
            text.push_str(if row == 0 { " " } else { ", " });
            for part in self.row.chars() {
                if part == '#' {
                    parameter += 1;
                    text.push('$');
                    text.push_str(&parameter.to_string());
                } else {
                    text.push(part);
                }
            }
        }
        text.push(' ');
        text.push_str(self.tail);
        text
    }
}

/// Every statement with its name; multi-row ones with two rows.
#[cfg(test)]
pub fn registry() -> Vec<(&'static str, String)> {
    let single = [
        fleet::ALL,
        identities::ALL,
        observed::ALL,
        changes::ALL,
        records::ALL,
        people::ALL,
        pulls::ALL,
        releases::ALL,
    ];
    let single = single.concat();
    let bulk = [fleet::BULK, observed::BULK, changes::BULK, releases::BULK].concat();
    let single = single.into_iter().map(|(name, text)| (name, text.to_owned()));
    single.chain(bulk.into_iter().map(|(name, form)| (name, form.text(2)))).collect()
}
