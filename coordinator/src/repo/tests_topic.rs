//! Proposals: fetched by their ref, merged in memory.

use super::testkit::{Node, Source, file, mirrored, settings, tree};
use super::{CommitId, FetchRepoError, Merge, Mirror, RepoLimits, SnapshotError};
use git2::Oid;
use tempfile::TempDir;

fn propose(source: &Source, reference: &str, root: Node, parent: Option<Oid>) -> CommitId {
    let (_, tree) = source.write(root);
    source.commit_on(reference, tree, &[parent], "Propose\n")
}

fn net(text: &str) -> Node {
    tree([("groups", tree([("net.yaml", file(text))])), ("pointsman.yaml", file("schema: 1\n"))])
}

#[test]
fn a_topic_is_fetched_and_the_branch_stays() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let main = source.commit_node(net("a\n"));
    let mut mirror = mirrored(&home, &source);
    let topic = propose(&source, "refs/pull/7/head", net("b\n"), source.head());
    assert_eq!(mirror.fetch_topic("refs/pull/7/head").unwrap(), topic);
    assert_eq!(mirror.head().unwrap(), Some(main));
    assert_eq!(mirror.snapshot(topic).unwrap().files["groups/net.yaml"], b"b\n");
    // The next fetch of the branch keeps the commit readable, and no ref to it.
    mirror.fetch().unwrap();
    assert!(mirror.snapshot(topic).is_ok());
    assert_eq!(mirror.repo().references().unwrap().count(), 1);
    for name in ["refs/pull/8/head", "refs/heads/../x", "", "refs/heads/a b"] {
        let error = mirror.fetch_topic(name).unwrap_err();
        assert!(matches!(error, FetchRepoError::BranchMissing { .. }), "{name}: {error}");
    }
    assert_eq!(mirror.head().unwrap(), Some(main));
}

#[test]
fn a_topic_on_top_of_the_branch_is_its_own_merge_result() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let main = source.commit_node(net("a\n"));
    let mut mirror = mirrored(&home, &source);
    propose(&source, "refs/heads/topic", net("b\n"), source.head());
    let topic = mirror.fetch_topic("refs/heads/topic").unwrap();
    assert_eq!(mirror.merge(main, topic).unwrap(), Merge::Clean(topic));
    assert_eq!(mirror.merge(topic, main).unwrap(), Merge::Contained);
    assert!(mirror.contains(topic, main) && mirror.contains(main, main) && !mirror.contains(main, topic));
    assert!(!mirror.contains(main, "7".repeat(40).parse().unwrap()));
}

#[test]
fn changes_of_both_sides_are_in_the_result_and_equal_commits_give_an_equal_one() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let lines = |first: &str, last: &str| net(&format!("{first}\n1\n2\n3\n4\n5\n{last}\n"));
    source.commit_node(lines("a", "z"));
    let begun = source.head();
    let main = source.commit_node(lines("main", "z"));
    let mut mirror = mirrored(&home, &source);
    propose(&source, "refs/heads/topic", lines("a", "topic"), begun);
    let topic = mirror.fetch_topic("refs/heads/topic").unwrap();
    let Merge::Clean(result) = mirror.merge(main, topic).unwrap() else { panic!("it is clean") };
    assert!(result != topic && result != main);
    assert_eq!(mirror.snapshot(result).unwrap().files["groups/net.yaml"], b"main\n1\n2\n3\n4\n5\ntopic\n");
    assert_eq!(mirror.merge(main, topic).unwrap(), Merge::Clean(result));
    assert_eq!(mirror.commit_info(result).unwrap().parents, [main, topic]);
    assert_eq!(mirror.head().unwrap(), Some(main));
}

#[test]
fn a_conflict_names_its_paths() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    source.commit_node(net("a\n"));
    let begun = source.head();
    let main = source.commit_node(net("b\n"));
    let mut mirror = mirrored(&home, &source);
    propose(&source, "refs/heads/topic", net("c\n"), begun);
    let topic = mirror.fetch_topic("refs/heads/topic").unwrap();
    let expected = Merge::Conflicts { paths: vec!["groups/net.yaml".to_owned()], count: 1 };
    assert_eq!(mirror.merge(main, topic).unwrap(), expected);
    // Without a common history every file of both is in conflict, or added: never a panic.
    propose(&source, "refs/heads/other", net("d\n"), None);
    let other = mirror.fetch_topic("refs/heads/other").unwrap();
    assert!(matches!(mirror.merge(main, other).unwrap(), Merge::Conflicts { count: 1, .. }));
}

#[test]
fn a_tree_beyond_the_limits_is_not_merged() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    source.commit_node(net("a\n"));
    let begun = source.head();
    let main = source.commit_node(net("b\n"));
    let mut limited = settings(&home, &source.url());
    limited.limits = RepoLimits { files: 5, ..RepoLimits::default() };
    let mut mirror = Mirror::open(limited).unwrap();
    mirror.fetch().unwrap();
    let names: Vec<(Vec<u8>, Node)> = (0..9).map(|at| (format!("f{at}").into_bytes(), file("x"))).collect();
    propose(&source, "refs/heads/topic", Node::Tree(names), begun);
    let topic = mirror.fetch_topic("refs/heads/topic").unwrap();
    assert!(matches!(mirror.merge(main, topic), Err(SnapshotError::TooManyFiles { .. })));
}
