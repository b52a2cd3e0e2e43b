//! Rules on the text of one file: size, opening words, and what may be named where.
//!
//! Owns the tables of what is allowed where (docs/ARCHITECTURE.md, "Dependency rules"). Pure: files in, problems out.

use super::Problem;
use super::files::SourceFile;

/// Most lines of a file with production code.
pub const LINES_MAX: usize = 600;
/// Most lines of a file with tests.
pub const TEST_LINES_MAX: usize = 800;
/// Crates that decide and therefore must not touch the world.
pub const PURE: [&str; 3] = ["model", "engine", "esxcli"];
/// Crates whose business is to run programs and read their environment.
const OUTER: [&str; 3] = ["xtask", "simulator", "tests"];
/// First folders that exist only on somebody's machine.
const MACHINE_ROOTS: [&str; 5] = ["work", "farm", "root", "home", "Users"];

/// A name that may be written only in some files.
struct Ban {
    rule: &'static str,
    /// Path in front, and what is reached through it; an empty list means anything.
    module: &'static str,
    items: &'static [&'static str],
    allowed: fn(&SourceFile) -> bool,
    hint: &'static str,
}

const BANS: [Ban; 11] = [
    Ban {
        rule: "sqlx-outside-store",
        module: "sqlx",
        items: &[],
        allowed: |file| file.path.starts_with("coordinator/src/store"),
        hint: "ask coordinator::store for what you need, and add the statement there",
    },
    Ban {
        rule: "tonic-outside-link",
        module: "tonic",
        items: &[],
        allowed: speaks_grpc,
        hint: "convert to a type of model in proto, agent::link or coordinator::fleet",
    },
    Ban {
        rule: "prost-outside-link",
        module: "prost",
        items: &[],
        allowed: speaks_grpc,
        hint: "convert to a type of model in proto, agent::link or coordinator::fleet",
    },
    Ban {
        rule: "process-spawn",
        module: "process",
        items: &["Command"],
        allowed: |file| {
            let spawners = [
                "agent/src/host/runner",
                "agent/src/guard",
                "coordinator/src/repo",
                "coordinator/src/cli/sign",
            ];
            is_outer(file) || file.is_test || spawners.iter().any(|start| file.path.starts_with(start))
        },
        hint: "run programs through agent::host::runner (or the ssh transport of coordinator::repo)",
    },
    Ban {
        rule: "environment-outside-settings",
        module: "env",
        items: &["var", "var_os", "vars", "vars_os", "set_var", "remove_var"],
        allowed: |file| is_outer(file) || file.is_test || is_build_script(file) || is_settings(file),
        hint: "read it in a `settings` module and pass the value",
    },
    Ban { rule: "pure-crate", module: "ring", items: &["rand"], allowed: is_not_pure, hint: VERIFIES_ONLY },
    Ban {
        rule: "pure-crate",
        module: "signature",
        items: &["Ed25519KeyPair", "EcdsaKeyPair", "RsaKeyPair"],
        allowed: is_not_pure,
        hint: VERIFIES_ONLY,
    },
    Ban { rule: "pure-crate", module: "tokio", items: &[], allowed: is_not_pure, hint: PURE_HINT },
    Ban {
        rule: "pure-crate",
        module: "std",
        items: &["fs", "process", "thread", "net::TcpStream", "net::TcpListener", "net::UdpSocket"],
        allowed: is_not_pure,
        hint: PURE_HINT,
    },
    Ban {
        rule: "pure-crate",
        module: "time",
        items: &["Instant", "SystemTime"],
        allowed: is_not_pure,
        hint: "take `now` as an argument of a type of model::time",
    },
    Ban {
        rule: "pure-crate",
        module: "collections",
        items: &["HashMap", "HashSet", "hash_map", "hash_set"],
        allowed: is_not_pure,
        hint: "use BTreeMap or BTreeSet: the order of iteration is part of the result",
    },
];

const VERIFIES_ONLY: &str = "a pure crate verifies; keys and dice belong to agent and coordinator";
const PURE_HINT: &str = "move it to agent or coordinator and pass the result in; this crate only decides";

/// Texts that are forbidden wherever they stand, with what to do.
const NEVER: [(&str, &str, &str); 5] = [
    ("allow-attribute", "#[allow(", "use #[expect(lint, reason = \"...\")]"),
    ("allow-attribute", "#![allow(", "use #![expect(lint, reason = \"...\")]"),
    ("unfinished", "todo!", "finish it, or take it out"),
    ("unfinished", "unimplemented!", "finish it, or take it out"),
    ("ignored-test", "#[ignore", "assert what happens today, or take the test out"),
];

fn speaks_grpc(file: &SourceFile) -> bool {
    ["proto/", "agent/src/link", "coordinator/src/fleet", "tests/src/bin/attack"]
        .iter()
        .any(|start| file.path.starts_with(start))
}

fn is_outer(file: &SourceFile) -> bool {
    OUTER.contains(&file.top_folder())
}

fn is_build_script(file: &SourceFile) -> bool {
    file.path.ends_with("/build.rs")
}

fn is_settings(file: &SourceFile) -> bool {
    file.path.split('/').any(|part| part == "settings" || part == "settings.rs")
}

fn is_not_pure(file: &SourceFile) -> bool {
    file.is_test || !PURE.contains(&file.top_folder())
}

/// Every problem of these files.
pub fn check(files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        machine_paths(file, &mut problems);
        if file.is_rust() {
            length(file, &mut problems);
            opening(file, &mut problems);
            inline_tests(file, &mut problems);
            never(file, &mut problems);
            for ban in &BANS {
                banned(file, ban, &mut problems);
            }
        }
    }
    problems
}

fn problem(file: &SourceFile, line: usize, rule: &'static str, message: String, hint: &str) -> Problem {
    Problem { file: file.path.clone(), line, rule, message, hint: hint.to_owned() }
}

fn length(file: &SourceFile, problems: &mut Vec<Problem>) {
    let lines = file.text.lines().count();
    let most = if file.is_test { TEST_LINES_MAX } else { LINES_MAX };
    if lines > most {
        let message = format!("{lines} lines, {most} are allowed");
        problems.push(problem(file, most + 1, "file-length", message, "split it by what its parts own"));
    }
}

fn opening(file: &SourceFile, problems: &mut Vec<Problem>) {
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !first.starts_with("//!") {
        let hint = "open with `//!`: what it owns, what it must not do, who calls it";
        problems.push(problem(file, 1, "module-doc", "does not open with a module comment".into(), hint));
    }
}

fn inline_tests(file: &SourceFile, problems: &mut Vec<Problem>) {
    for (at, found) in file.code.match_indices("#[cfg(test)]") {
        let rest = file.code.get(at + found.len()..).unwrap_or_default();
        let head = rest.split_once(['{', ';']).map_or("", |(head, _)| head);
        let is_module = head.split_whitespace().next() == Some("mod");
        let is_inline = rest.get(head.len()..).is_some_and(|after| after.starts_with('{'));
        if is_module && is_inline {
            let message = "tests below the code".to_owned();
            let hint = "write `#[cfg(test)] mod tests;` and move them to a sibling tests.rs";
            problems.push(problem(file, line_of(&file.code, at), "inline-tests", message, hint));
        }
    }
}

fn never(file: &SourceFile, problems: &mut Vec<Problem>) {
    for (rule, text, hint) in NEVER {
        for at in occurrences(&file.code, text) {
            problems.push(problem(file, line_of(&file.code, at), rule, format!("`{text}`"), hint));
        }
    }
}

fn banned(file: &SourceFile, ban: &Ban, problems: &mut Vec<Problem>) {
    if (ban.allowed)(file) {
        return;
    }
    let prefix = format!("{}::", ban.module);
    for at in occurrences(&file.code, &prefix) {
        let reached = file.code.get(at + prefix.len()..).unwrap_or_default();
        let Some(item) = reached_item(reached, ban.items) else { continue };
        let message = format!("`{prefix}{item}` is not allowed here");
        problems.push(problem(file, line_of(&file.code, at), ban.rule, message, ban.hint));
    }
}

/// Which of `items` is named right after `module::`, alone or in braces. An empty list means that anything is.
fn reached_item<'a>(reached: &str, items: &[&'a str]) -> Option<&'a str> {
    if items.is_empty() {
        return Some("");
    }
    let group = reached.strip_prefix('{').map(up_to_closing);
    items.iter().copied().find(|item| match group {
        // In braces a path may be split once more; its last word decides.
        Some(group) => {
            let word = item.rsplit("::").next().unwrap_or(item);
            occurrences(group, word).any(|at| ends_word(group, at + word.len()))
        }
        None => reached.starts_with(item) && ends_word(reached, item.len()),
    })
}

/// The text before the brace that closes the one already opened.
fn up_to_closing(text: &str) -> &str {
    let mut depth = 1usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(..at).unwrap_or(text);
        }
    }
    text
}

fn machine_paths(file: &SourceFile, problems: &mut Vec<Problem>) {
    let mut roots: Vec<&str> = MACHINE_ROOTS.to_vec();
    if file.is_rust() && !file.is_test {
        roots.push("tmp");
    }
    for root in roots {
        let text = format!("/{root}/");
        for (at, _) in file.text.match_indices(&text) {
            let before = file.text.get(..at).and_then(|head| head.chars().next_back());
            if before.is_none_or(|c| c.is_whitespace() || "\"'`(=:<[,".contains(c)) {
                let message = format!("a path of one machine: {text}");
                let hint = "use a relative path, a setting or the tempfile crate";
                problems.push(problem(file, line_of(&file.text, at), "machine-path", message, hint));
            }
        }
    }
}

/// Where `needle` stands in `code`, not in the middle of a longer name.
fn occurrences<'a>(code: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(needle).map(|(at, _)| at).filter(move |at| {
        let before = code.get(..*at).and_then(|head| head.chars().next_back());
        !(needle.starts_with(is_name) && before.is_some_and(is_name))
    })
}

fn ends_word(text: &str, at: usize) -> bool {
    !text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(is_name)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
