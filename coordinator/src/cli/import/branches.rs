//! One branch per adopted group, each with its own RFC document.
//!
//! Owns: names of branches, numbers of RFCs, commit messages. Must not: push, or speak to a forge: whoever opens the
//! pull requests takes the list of [`Branch`]es that comes out of here. Called by `mine`.

use super::target::Target;
use crate::cli::failure::CliError;
use crate::repo::WorkingCopy;
use engine::adopt::{Adopted, Files, request};
use engine::documents::parse_repository;
use model::{Finding, RfcId};
use serde::Serialize;

/// A branch that waits for its pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// Its commit.
    pub commit: String,
    /// Number of its RFC.
    pub rfc: RfcId,
    /// Path of the RFC document.
    pub rfc_file: String,
}

/// Commits each group on a branch of its own, from the last commit. Nothing is made when anything is in the way.
pub fn commit(target: &Target, groups: &[&Adopted]) -> Result<Vec<Branch>, CliError> {
    let copy = WorkingCopy::open(&target.dir).map_err(CliError::failed)?;
    copy.check_clean().map_err(CliError::failed)?;
    let author = copy.author().map_err(CliError::failed)?;
    let mut wanted = Vec::new();
    for (adopted, number) in groups.iter().zip(target.next_rfc().0..) {
        let rfc = RfcId(number);
        let (rfc_file, text) = request(rfc, adopted, &author);
        let mut files: Files = adopted.files.clone();
        files.extend(target.site());
        files.insert(rfc_file.clone(), text);
        check(target, &files)?;
        let name = format!("adopt/{}", adopted.group);
        copy.check_free(&name).map_err(CliError::failed)?;
        wanted.push((name, rfc, rfc_file, files));
    }
    let mut branches = Vec::new();
    for (name, rfc, rfc_file, files) in wanted {
        let message = format!("{rfc}: {}\n", name.replacen('/', " group ", 1));
        let commit = copy.commit_on_new_branch(&name, &message, &files).map_err(CliError::failed)?;
        branches.push(Branch { name, commit: commit.to_string(), rfc, rfc_file });
    }
    Ok(branches)
}

/// What one branch alone would bring has no error of its own.
fn check(target: &Target, files: &Files) -> Result<(), CliError> {
    let repository = parse_repository(&target.with(files));
    let mut errors = repository.findings.iter().filter(|finding: &&Finding| finding.is_error());
    match errors.find(|finding| super::is_in(finding, files)) {
        Some(error) => Err(CliError::Failed(format!("no branch was made: {error}"))),
        None => Ok(()),
    }
}
