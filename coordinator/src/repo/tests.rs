//! Snapshots of honest and hostile trees, and what lies between commits.

use git2::{ObjectType, Oid};
use tempfile::TempDir;

use super::testkit::{DIRECTORY, FILE, Node, Source, file, mirrored, noise, settings, tree};
use super::{
    ChangeKind, ChangedPath, CommitId, FetchRepoError, Mirror, ReadCommitError, Refusal, RepoLimits,
    Snapshot, SnapshotError,
};

fn snapshot_of(root: Node) -> Snapshot {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let commit = source.commit_node(root);
    mirrored(&home, &source).snapshot(commit).unwrap()
}

fn failure_of(root: Node, limits: RepoLimits) -> SnapshotError {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let commit = source.commit_node(root);
    let mut mirror =
        Mirror::open(super::MirrorSettings { limits, ..settings(&home, &source.url()) }).unwrap();
    mirror.fetch().unwrap();
    mirror.snapshot(commit).unwrap_err()
}

fn refused(snapshot: &Snapshot) -> Vec<(&str, &Refusal)> {
    snapshot.refused.iter().map(|entry| (entry.path.as_str(), &entry.reason)).collect()
}

fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.files.keys().map(String::as_str).collect()
}

#[test]
fn a_snapshot_holds_the_state_files_and_counts_the_rest() {
    let snapshot = snapshot_of(tree([
        (".github", tree([("workflow.yml", file("x"))])),
        (".gitignore", file("x")),
        ("README.md", file("x")),
        ("groups", tree([(".gitattributes", file("x")), ("a", tree([("b.yaml", file("one"))]))])),
        ("pointsman.yaml", file("two")),
        ("rfcs", tree([("0001-vlan.md", file("three"))])),
        ("tools", tree([("run", Node::Moded(0o100_755, vec![])), ("link", Node::Moded(0o120_000, vec![]))])),
    ]));
    assert_eq!(paths(&snapshot), ["groups/a/b.yaml", "pointsman.yaml", "rfcs/0001-vlan.md"]);
    assert_eq!(snapshot.files["groups/a/b.yaml"], b"one");
    assert!(snapshot.refused.is_empty(), "{:?}", snapshot.refused);
    // .github and its file, .gitignore, README.md, .gitattributes, tools and its two entries.
    assert_eq!(snapshot.ignored, 8);
}

#[test]
fn an_empty_tree_is_an_empty_snapshot() {
    let snapshot = snapshot_of(Node::Tree(vec![]));
    assert!(snapshot.files.is_empty() && snapshot.refused.is_empty());
}

#[test]
fn every_mode_but_plain_files_and_directories_is_refused() {
    let nowhere = Oid::from_str("1234567890123456789012345678901234567890").unwrap();
    let snapshot = snapshot_of(tree([
        ("groups", Node::Moded(0o120_000, b"/etc".to_vec())),
        ("pointsman.yaml", Node::Moded(0o100_755, b"x".to_vec())),
        (
            "rfcs",
            tree([
                ("link", Node::Moded(0o120_000, b"../../etc/passwd".to_vec())),
                ("module", Node::Raw(0o160_000, nowhere)),
                ("odd", Node::Moded(0o100_664, b"x".to_vec())),
                ("run.md", Node::Moded(0o100_755, b"x".to_vec())),
            ]),
        ),
    ]));
    assert!(snapshot.files.is_empty());
    assert_eq!(
        refused(&snapshot),
        [
            ("groups", &Refusal::Symlink),
            ("pointsman.yaml", &Refusal::Executable),
            ("rfcs/link", &Refusal::Symlink),
            ("rfcs/module", &Refusal::Submodule),
            ("rfcs/odd", &Refusal::Mode(0o100_664)),
            ("rfcs/run.md", &Refusal::Executable),
        ]
    );
}

#[test]
fn names_that_git_or_a_file_system_could_act_on_are_refused() {
    let names: [&[u8]; 8] =
        [b"..", b".GIT", b".git", b".gitmodules", b"a b", b"a\nb", b"caf\xc3\xa9", b"\xff"];
    let entries = names.iter().map(|name| (name.to_vec(), file("x"))).collect();
    let snapshot = snapshot_of(Node::Tree(vec![
        (b".gitmodules".to_vec(), file("x")),
        (b"groups".to_vec(), Node::Tree(entries)),
    ]));
    assert!(snapshot.files.is_empty());
    assert_eq!(
        refused(&snapshot),
        [
            (".gitmodules", &Refusal::GitName),
            ("groups/..", &Refusal::Name),
            ("groups/.GIT", &Refusal::CaseClash),
            ("groups/.git", &Refusal::CaseClash),
            ("groups/.gitmodules", &Refusal::GitName),
            ("groups/a b", &Refusal::Name),
            ("groups/a\\nb", &Refusal::Name),
            ("groups/café", &Refusal::Name),
            ("groups/\u{fffd}", &Refusal::NotUtf8),
        ]
    );
}

#[test]
fn a_git_directory_below_state_is_refused_whole() {
    let snapshot =
        snapshot_of(tree([("rfcs", tree([(".git", tree([("config", file("[core] fsmonitor = evil"))]))]))]));
    assert_eq!(refused(&snapshot), [("rfcs/.git", &Refusal::GitName)]);
}

#[test]
fn entries_that_differ_in_case_only_are_all_refused() {
    let snapshot = snapshot_of(tree([
        (
            "groups",
            tree([
                ("A.yaml", file("1")),
                ("a.yaml", file("2")),
                ("b.yaml", file("3")),
                ("b.yaml", file("4")),
            ]),
        ),
        ("rfcs", tree([("x", tree([("1.md", file("5"))])), ("X", file("6")), ("y.md", file("7"))])),
    ]));
    assert_eq!(paths(&snapshot), ["rfcs/y.md"]);
    assert!(refused(&snapshot).iter().all(|(_, reason)| **reason == Refusal::CaseClash));
    assert_eq!(snapshot.refused.len(), 6);
}

#[test]
fn state_names_in_another_case_or_kind_are_refused_at_the_root() {
    let snapshot = snapshot_of(tree([
        ("Pointsman.yaml", file("1")),
        ("groups", file("2")),
        ("RFCS", tree([("1.md", file("3"))])),
        ("rfcs", tree([("1.md", file("4"))])),
    ]));
    assert_eq!(
        refused(&snapshot),
        [
            ("Pointsman.yaml", &Refusal::WrongCase { expected: "pointsman.yaml" }),
            ("groups", &Refusal::WrongKind { expected: "a directory" }),
            ("RFCS", &Refusal::CaseClash),
            ("rfcs", &Refusal::CaseClash),
        ]
    );
}

#[test]
fn depth_is_limited_to_six_components() {
    let deep = |inner| tree([("b", tree([("c", tree([("d", tree([("e", inner)]))]))]))]);
    let snapshot = snapshot_of(tree([("groups", tree([("a", deep(file("six")))]))]));
    assert_eq!(paths(&snapshot), ["groups/a/b/c/d/e"]);
    let snapshot = snapshot_of(tree([("groups", tree([("a", deep(tree([("f", file("seven"))])))]))]));
    assert_eq!(refused(&snapshot), [("groups/a/b/c/d/e", &Refusal::TooDeep { limit: 6 })]);
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let limit = RepoLimits::default().blob_bytes;
    let bytes = |size: u64| Node::File(vec![b'x'; usize::try_from(size).unwrap()]);
    let snapshot =
        snapshot_of(tree([("groups", tree([("fits", bytes(limit)), ("huge", bytes(limit + 1))]))]));
    assert_eq!(paths(&snapshot), ["groups/fits"]);
    assert_eq!(refused(&snapshot), [("groups/huge", &Refusal::TooBig { bytes: limit + 1, limit })]);
}

#[test]
fn limits_on_the_whole_tree_fail_the_snapshot() {
    let limits = RepoLimits { files: 4, total_bytes: 5, ..RepoLimits::default() };
    let many = tree([("a", file("")), ("b", file("")), ("groups", tree([("1", file("")), ("2", file(""))]))]);
    assert!(matches!(failure_of(many, limits.clone()), SnapshotError::TooManyFiles { limit: 4, .. }));
    let heavy = tree([("groups", tree([("1", file("123")), ("2", file("456"))]))]);
    assert!(matches!(failure_of(heavy, limits), SnapshotError::TooManyBytes { limit: 5, .. }));
}

#[test]
fn a_tree_bomb_is_stopped_by_the_entry_limit() {
    let source = Source::new();
    for place in ["groups", "docs"] {
        let mut level = source.write(tree([("x", file("x"))])).1;
        for _ in 0..4 {
            let entries = (0..32).map(|n| (format!("d{n:02}").into_bytes(), Node::Raw(DIRECTORY, level)));
            level = source.write(Node::Tree(entries.collect())).1;
        }
        let commit = source.commit_node(tree([(place, Node::Raw(DIRECTORY, level))]));
        let home = TempDir::new().unwrap();
        let error = mirrored(&home, &source).snapshot(commit).unwrap_err();
        assert!(matches!(error, SnapshotError::TooManyFiles { limit: 10_000, .. }), "{place}: {error}");
    }
}

#[test]
fn a_commit_that_is_not_there_is_named() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    source.commit(&[("pointsman.yaml", "x")]);
    let mirror = mirrored(&home, &source);
    let commit: CommitId = "1234567890123456789012345678901234567890".parse().unwrap();
    assert_eq!(mirror.snapshot(commit), Err(SnapshotError::UnknownCommit { commit }));
    assert_eq!(mirror.commit_info(commit), Err(ReadCommitError::UnknownCommit { commit }));
    assert!("1234".parse::<CommitId>().is_err());
    // A tree is not a commit.
    let tree: CommitId =
        mirror.snapshot(mirror.head().unwrap().unwrap()).unwrap().tree.to_string().parse().unwrap();
    assert_eq!(mirror.snapshot(tree), Err(SnapshotError::UnknownCommit { commit: tree }));
}

#[test]
fn changed_paths_are_state_files_by_kind() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let old = source.commit(&[
        ("groups/a.yaml", "1"),
        ("groups/b.yaml", "1"),
        ("README.md", "1"),
        ("rfcs/1.md", "1"),
    ]);
    let new = source.commit(&[
        ("groups/a.yaml", "2"),
        ("groups/c.yaml", "1"),
        ("README.md", "2"),
        ("rfcs/1.md", "1"),
    ]);
    let mirror = mirrored(&home, &source);
    let changed = |path: &str, kind| ChangedPath { path: path.to_owned(), kind };
    assert_eq!(
        mirror.changed_paths(Some(old), new).unwrap(),
        [
            changed("groups/a.yaml", ChangeKind::Modified),
            changed("groups/b.yaml", ChangeKind::Removed),
            changed("groups/c.yaml", ChangeKind::Added),
        ]
    );
    assert_eq!(mirror.changed_paths(None, old).unwrap().len(), 3);
    assert!(mirror.changed_paths(Some(new), new).unwrap().is_empty());
}

#[test]
fn commits_between_are_first_parent_newest_first_and_bounded() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let first = source.commit(&[("pointsman.yaml", "1")]);
    let second = source.commit(&[("pointsman.yaml", "2")]);
    let tree = source.plain_tree([("pointsman.yaml", b"3".to_vec())].into());
    let side = source.commit_on("refs/heads/side", tree, &[Some(first.oid())], "Side\n");
    let merge = source.commit_tree(tree, &[Some(second.oid()), Some(side.oid())]);
    let mirror = mirrored(&home, &source);
    let ids = |old, limit| {
        let range = mirror.commits_between(old, merge, limit).unwrap();
        (range.commits.iter().map(|commit| commit.id).collect::<Vec<_>>(), range.truncated)
    };
    assert_eq!(ids(Some(first), 10), (vec![merge, second], false));
    assert_eq!(ids(None, 10), (vec![merge, second, first], false));
    assert_eq!(ids(None, 2), (vec![merge, second], true));
    assert_eq!(ids(Some(merge), 2), (vec![], false));
    assert!(mirror.is_ancestor(first, merge).unwrap());
    assert!(mirror.is_ancestor(merge, merge).unwrap());
    assert!(!mirror.is_ancestor(merge, first).unwrap());
    assert!(!mirror.is_ancestor(side, second).unwrap());
}

#[test]
fn commit_facts_are_read_even_from_a_malformed_commit() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let honest = source.commit(&[("pointsman.yaml", "1")]);
    let tree = source.plain_tree([("pointsman.yaml", b"2".to_vec())].into());
    let text = format!(
        "tree {tree}\nparent {honest}\nauthor \u{202e}nobody\ncommitter x\n\n\u{1b}[31mRed\n\nline\ttwo\u{7}\n"
    );
    let mut mirror = mirrored(&home, &source);
    let odd = source.raw_commit_on("refs/heads/main", text.as_bytes());
    assert!(matches!(mirror.fetch(), Err(FetchRepoError::BadReply { .. })), "not as the head");
    // If one is in the mirror all the same, it can be looked at.
    mirror.repo().odb().unwrap().write(ObjectType::Commit, text.as_bytes()).unwrap();
    assert!(matches!(mirror.commits_between(None, odd, 10), Err(ReadCommitError::Corrupt { .. })));
    let info = mirror.commit_info(honest).unwrap();
    assert_eq!(
        (info.author_name.as_str(), info.author_email.as_str(), info.time_unix_s),
        ("An Author", "author@example.org", 1_700_000_000)
    );
    assert_eq!(
        (info.summary.as_str(), info.message.as_str()),
        ("Change the network", "Change the network\n\nBecause.")
    );
    assert!(info.parents.is_empty());
    let info = mirror.commit_info(odd).unwrap();
    assert_eq!((info.author_name.as_str(), info.time_unix_s), ("nobody", 0));
    assert_eq!(info.message, "[31mRed\n\nline\ttwo");
    assert_eq!(info.parents, [honest]);
}

#[test]
fn noise_does_not_compress_into_a_smaller_limit() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let commit = source.commit_node(Node::Tree(vec![(
        b"groups".to_vec(),
        Node::Tree(vec![(b"n".to_vec(), Node::Moded(FILE, noise(1000)))]),
    )]));
    assert_eq!(mirrored(&home, &source).snapshot(commit).unwrap().files["groups/n"], noise(1000));
}
