//! The files tidy looks at, read once.
//!
//! Owns the walk and the question "is this test code?". Knows no rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::mask::mask;

/// Endings of files that are read; recorded output and generated files are not ours to police.
const ENDINGS: [&str; 9] = ["rs", "toml", "md", "yaml", "yml", "sh", "sql", "proto", "service"];
/// Files without an ending that are read.
const NAMES: [&str; 1] = [".ci/run"];
/// Hidden folders that are ours.
const HIDDEN_DIRS: [&str; 2] = [".ci", ".cargo"];
/// Folders of recorded data.
const DATA_DIRS: [&str; 2] = ["fixtures", "cases"];

/// One file of the workspace.
pub struct SourceFile {
    /// Path from the workspace root, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// For Rust: comments and literals blanked. Otherwise empty.
    pub code: String,
    /// Test code: below `tests/`, named `tests.rs`, or declared by `#[cfg(test)] mod`.
    pub is_test: bool,
}

impl SourceFile {
    /// A file from its path and text; whether another file declares it as test code is found by [`mark_declared_tests`].
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let is_rust = path.ends_with(".rs");
        let code = if is_rust { mask(&text) } else { String::new() };
        let is_test = path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "benches");
        SourceFile { path, text, code, is_test }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The workspace folder it is in.
    pub fn top_folder(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }
}

/// Every file of the workspace that tidy looks at.
pub fn read_all(root: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    mark_declared_tests(&mut files);
    Ok(files)
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> anyhow::Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
        let kind = entry.file_type().with_context(|| format!("cannot look at {}", entry.path().display()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = format!("{prefix}{name}");
        if kind.is_dir() && is_ours(name, prefix) {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() && is_read(&path) {
            // Test cases may hold bytes that are no text; they are read as far as they go.
            let text = match fs::read(entry.path()) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                // An editor's temporary file may vanish between listing and reading.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
            };
            files.push(SourceFile::new(path, text));
        }
    }
    Ok(())
}

fn is_ours(name: &str, prefix: &str) -> bool {
    let built = prefix.is_empty() && name.starts_with("target");
    let hidden = name.starts_with('.') && !HIDDEN_DIRS.contains(&name);
    !built && !hidden && !DATA_DIRS.contains(&name)
}

fn is_read(path: &str) -> bool {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
    ENDINGS.contains(&ending) || NAMES.contains(&path)
}

/// Marks the files that some file declares with `#[cfg(test)] mod name;`, with all below them.
pub fn mark_declared_tests(files: &mut [SourceFile]) {
    let mut declared = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for part in file.code.split("#[cfg(test)]").skip(1) {
            if let Some(name) = declared_module(part) {
                declared.insert(format!("{}/{name}", module_folder(&file.path)));
            }
        }
    }
    for file in files.iter_mut().filter(|file| file.is_rust()) {
        let stem = file.path.trim_end_matches(".rs");
        file.is_test |= declared.iter().any(|module| {
            stem == module || stem.strip_prefix(module.as_str()).is_some_and(|r| r.starts_with('/'))
        });
    }
}

/// The name in `mod name;`, possibly `pub` or `pub(crate)`, at the start of `code`.
fn declared_module(code: &str) -> Option<&str> {
    let (head, _) = code.split_once(';')?;
    let mut words = head.split_whitespace().skip_while(|word| word.starts_with("pub"));
    let (keyword, name, end) = (words.next()?, words.next()?, words.next());
    (keyword == "mod" && end.is_none()).then_some(name)
}

/// The folder in which a file's child modules are.
fn module_folder(path: &str) -> &str {
    let is_folder_file = ["/mod.rs", "/lib.rs", "/main.rs"].iter().any(|name| path.ends_with(name));
    match path.rsplit_once('/') {
        Some((folder, _)) if is_folder_file => folder,
        _ => path.trim_end_matches(".rs"),
    }
}
