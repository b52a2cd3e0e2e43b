//! Fetching over file, http and ssh from real repositories; limits, failures, and mirrors that were cut short.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::testkit::{Manner, Node, Server, Source, git_is_here, mirrored, noise, settings, ssh_script};
use super::transport::Endpoint;
use super::{
    Auth, FetchRepoError, Mirror, MirrorOrigin, MirrorSettings, OpenMirrorError, RepoLimits, Rewrite,
    SnapshotError,
};
use model::Secret;

/// A limit that a test may wait for.
const SHORT: Duration = Duration::from_millis(200);
/// Runs the remote command that ssh would run on the other host.
const HONEST_SSH: &str = "for last; do :; done\nprintf '%s\\n' \"$@\" > \"$0.args\"\nexec sh -c \"$last\"\n";

fn fetch_error(settings: MirrorSettings) -> FetchRepoError {
    Mirror::open(settings).unwrap().fetch().unwrap_err()
}

fn short(settings: MirrorSettings) -> MirrorSettings {
    MirrorSettings { limits: RepoLimits { fetch_time: SHORT, ..RepoLimits::default() }, ..settings }
}

/// The whole life of a mirror over one transport.
fn clone_refetch_grow(source: &Source, settings: MirrorSettings) {
    let first = source.commit(&[("pointsman.yaml", "1"), ("groups/a.yaml", "1")]);
    let mut mirror = Mirror::open(settings.clone()).unwrap();
    assert_eq!(mirror.origin(), MirrorOrigin::Created);
    let report = mirror.fetch().unwrap();
    assert_eq!((report.head, report.previous, report.changed), (Some(first), None, true));
    assert!(report.bytes > 0);
    let again = mirror.fetch().unwrap();
    assert_eq!((again.head, again.changed, again.rewritten), (Some(first), false, None));
    let second = source.commit(&[("pointsman.yaml", "2"), ("groups/a.yaml", "1")]);
    let grown = mirror.fetch().unwrap();
    assert_eq!((grown.head, grown.previous, grown.changed), (Some(second), Some(first), true));
    assert_eq!(grown.rewritten, None);
    assert_eq!(mirror.snapshot(second).unwrap().files["pointsman.yaml"], b"2");
    assert_eq!(mirror.snapshot(first).unwrap().files["pointsman.yaml"], b"1");
    drop(mirror);
    let mirror = Mirror::open(settings).unwrap();
    assert_eq!((mirror.origin(), mirror.head().unwrap()), (MirrorOrigin::Opened, Some(second)));
}

#[test]
fn file_urls_and_plain_paths_work_and_other_branches_and_tags_stay_out() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    clone_refetch_grow(&source, settings(&home, &source.url()));
    let home = TempDir::new().unwrap();
    let odd = home.path().join("a b:c%41.git");
    fs::rename(source.path(), &odd).unwrap();
    let repo = git2::Repository::open_bare(&odd).unwrap();
    let head = repo.find_reference("refs/heads/main").unwrap().peel_to_commit().unwrap();
    repo.branch("other", &head, false).unwrap();
    repo.tag_lightweight("v1", head.as_object(), false).unwrap();
    let mut mirror = Mirror::open(settings(&home, odd.to_str().unwrap())).unwrap();
    mirror.fetch().unwrap();
    let refs: Vec<String> =
        mirror.repo().references().unwrap().names().map(|name| name.unwrap().to_owned()).collect();
    assert_eq!(refs, ["refs/heads/main"]);
}

#[test]
fn smart_http_works() {
    if !git_is_here() {
        return;
    }
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let server = Server::start(source.dir.path(), Manner::Serve);
    clone_refetch_grow(&source, settings(&home, &server.url("net.git")));
    let posts = server.seen().iter().filter(|(line, _)| line.starts_with("POST")).count();
    assert_eq!(posts, 2, "the refetch without a change asks for the refs only: {:?}", server.seen());
}

#[test]
fn http_credentials_are_sent_and_their_absence_is_told() {
    if !git_is_here() {
        return;
    }
    let source = Source::new();
    let head = source.commit(&[("pointsman.yaml", "1")]);
    for (auth, expected) in [
        (Auth::Token(Secret::new("s3cret")), "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0"),
        (Auth::Bearer(Secret::new("s3cret")), "Bearer s3cret"),
        (Auth::Basic { user: "u".to_owned(), password: Secret::new("p") }, "Basic dTpw"),
    ] {
        let server = Server::start(source.dir.path(), Manner::Demand(expected.to_owned()));
        let home = TempDir::new().unwrap();
        let plain = settings(&home, &server.url("net.git"));
        assert!(matches!(fetch_error(plain.clone()), FetchRepoError::AuthRefused { .. }));
        let mut mirror = Mirror::open(MirrorSettings { auth, ..plain }).unwrap();
        assert_eq!(mirror.fetch().unwrap().head, Some(head));
    }
}

#[test]
fn redirects_stay_within_the_host() {
    if !git_is_here() {
        return;
    }
    let source = Source::new();
    let head = source.commit(&[("pointsman.yaml", "1")]);
    let within = Server::start(source.dir.path(), Manner::RedirectWithin);
    let home = TempDir::new().unwrap();
    let mut mirror = Mirror::open(settings(&home, &within.url("short"))).unwrap();
    assert_eq!(mirror.fetch().unwrap().head, Some(head));

    let other = Server::start(source.dir.path(), Manner::Serve);
    let away =
        Server::start(source.dir.path(), Manner::Redirect(other.url("").trim_end_matches('/').to_owned()));
    let home = TempDir::new().unwrap();
    let auth = Auth::Token(Secret::new("s3cret"));
    let error = fetch_error(MirrorSettings { auth, ..settings(&home, &away.url("net.git")) });
    assert!(
        matches!(&error, FetchRepoError::Unreachable { reason, .. } if reason.contains("redirect")),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("s3cret"));
    assert!(other.seen().is_empty(), "nothing, and above all no token, reaches the other place");
}

#[test]
fn http_failures_are_told_apart() {
    if !git_is_here() {
        return;
    }
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    source.commit(&[("pointsman.yaml", "1")]);
    let page = Server::start(source.dir.path(), Manner::Page);
    assert!(matches!(fetch_error(settings(&home, &page.url("net.git"))), FetchRepoError::BadReply { .. }));
    let server = Server::start(source.dir.path(), Manner::Serve);
    let error = fetch_error(settings(&home, &server.url("absent.git")));
    assert!(
        matches!(&error, FetchRepoError::Unreachable { reason, .. } if reason.contains("404")),
        "{error}"
    );
    for manner in [Manner::Stall, Manner::StallWithin] {
        let stall = Server::start(source.dir.path(), manner);
        let error = fetch_error(short(settings(&home, &stall.url("net.git"))));
        assert!(matches!(error, FetchRepoError::TimedOut { .. }), "{error}");
    }
    let gone = page.url("net.git");
    drop(page);
    assert!(matches!(fetch_error(settings(&home, &gone)), FetchRepoError::Unreachable { .. }));
}

#[test]
fn ssh_works_with_checked_options() {
    if !git_is_here() {
        return;
    }
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let auth = ssh_script(&home, HONEST_SSH);
    let path = source.path().display().to_string();
    let url = format!("ssh://git@forge.example.org:2222{path}");
    clone_refetch_grow(&source, MirrorSettings { auth: auth.clone(), ..settings(&home, &url) });
    let args = fs::read_to_string(home.path().join("ssh.sh.args")).unwrap();
    for expected in ["BatchMode=yes", "StrictHostKeyChecking=yes", "2222", "--\ngit@forge.example.org\n"] {
        assert!(args.contains(expected), "{expected} in {args}");
    }
    assert!(args.ends_with(&format!("git-upload-pack '{path}'\n")), "{args}");
    let other = TempDir::new().unwrap();
    let url = format!("forge.example.org:{path}");
    let mut mirror = Mirror::open(MirrorSettings { auth, ..settings(&other, &url) }).unwrap();
    assert!(mirror.fetch().unwrap().changed);
}

#[test]
fn ssh_failures_are_told_apart() {
    let home = TempDir::new().unwrap();
    let remote = settings(&home, "git@forge.example.org:net.git");
    let playing = |script: &str| MirrorSettings { auth: ssh_script(&home, script), ..remote.clone() };
    let refused = fetch_error(playing("echo 'git@forge: Permission denied (publickey).' >&2; exit 255"));
    assert!(matches!(&refused, FetchRepoError::AuthRefused { reason, .. } if reason.contains("publickey")));
    let unknown = fetch_error(playing("printf 'ERROR: no such repository\\000\\033[31m\\n' >&2; exit 1"));
    assert!(
        matches!(&unknown, FetchRepoError::Unreachable { reason, .. } if reason.starts_with("ERROR: no such"))
    );
    assert!(!unknown.to_string().contains('\u{1b}'));
    let garbage = fetch_error(playing("echo garbage"));
    assert!(
        matches!(garbage, FetchRepoError::BadReply { .. } | FetchRepoError::Unreachable { .. }),
        "{garbage}"
    );
    // Waits for input that never comes, and so never speaks.
    let silent = fetch_error(short(playing("exec cat")));
    assert!(matches!(silent, FetchRepoError::TimedOut { .. }), "{silent}");
    let absent = Auth::SshCommand { program: home.path().join("absent"), args: vec![] };
    let error = fetch_error(MirrorSettings { auth: absent, ..remote });
    assert!(matches!(&error, FetchRepoError::Unreachable { reason, .. } if reason.contains("cannot run")));
}

#[test]
fn too_much_data_is_stopped_and_leaves_nothing() {
    let source = Source::new();
    let first = source.commit(&[("pointsman.yaml", "1")]);
    let server = git_is_here().then(|| Server::start(source.dir.path(), Manner::Serve));
    let urls = std::iter::once(source.url()).chain(server.as_ref().map(|server| server.url("net.git")));
    let homes: Vec<(TempDir, MirrorSettings)> = urls
        .map(|url| {
            let home = TempDir::new().unwrap();
            let limits = RepoLimits { pack_bytes: 100_000, ..RepoLimits::default() };
            let settings = MirrorSettings { limits, ..settings(&home, &url) };
            assert_eq!(Mirror::open(settings.clone()).unwrap().fetch().unwrap().head, Some(first));
            (home, settings)
        })
        .collect();
    let second = source.commit_node(Node::Tree(vec![(b"huge".to_vec(), Node::File(noise(2_000_000)))]));
    for (_home, settings) in homes {
        let mut mirror = Mirror::open(settings.clone()).unwrap();
        let error = mirror.fetch().unwrap_err();
        assert!(matches!(error, FetchRepoError::TooBig { limit: 100_000, unit: "bytes", .. }), "{error}");
        assert_eq!(mirror.head().unwrap(), Some(first));
        assert!(size_of(&settings.path) < 100_000, "{}", size_of(&settings.path));
        drop(mirror);
        let mut mirror = Mirror::open(MirrorSettings { limits: RepoLimits::default(), ..settings }).unwrap();
        assert_eq!(mirror.fetch().unwrap().head, Some(second));
    }
}

fn size_of(path: &Path) -> u64 {
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
    entries
        .map(
            |entry| {
                if entry.path().is_dir() { size_of(&entry.path()) } else { entry.metadata().unwrap().len() }
            },
        )
        .sum()
}

#[test]
fn too_many_objects_are_stopped() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    source.commit(&[("pointsman.yaml", "1"), ("groups/a.yaml", "2"), ("groups/b.yaml", "3")]);
    let limits = RepoLimits { pack_objects: 3, ..RepoLimits::default() };
    let error = fetch_error(MirrorSettings { limits, ..settings(&home, &source.url()) });
    assert!(matches!(error, FetchRepoError::TooBig { limit: 3, unit: "objects", .. }), "{error}");
}

#[test]
fn an_empty_remote_is_no_error_but_a_missing_branch_is() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let mut mirror = Mirror::open(settings(&home, &source.url())).unwrap();
    let report = mirror.fetch().unwrap();
    assert_eq!((report.head, report.changed), (None, false));
    let head = source.commit(&[("pointsman.yaml", "1")]);
    assert_eq!(mirror.fetch().unwrap().head, Some(head));
    source.repo.reference("refs/heads/renamed", head.oid(), false, "test").unwrap();
    source.repo.find_reference("refs/heads/main").unwrap().delete().unwrap();
    let error = mirror.fetch().unwrap_err();
    assert!(matches!(&error, FetchRepoError::BranchMissing { branch, .. } if branch == "main"), "{error}");
    assert_eq!(mirror.head().unwrap(), Some(head), "the last known head stays");
    let absent = fetch_error(settings(&TempDir::new().unwrap(), "file:///nonexistent/net.git"));
    assert!(matches!(absent, FetchRepoError::Unreachable { .. }), "{absent}");
}

#[test]
fn a_rewritten_history_is_reported_with_both_heads() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let base = source.commit(&[("pointsman.yaml", "1")]);
    let old = source.commit(&[("pointsman.yaml", "2")]);
    let mut mirror = mirrored(&home, &source);
    let tree = source.plain_tree([("pointsman.yaml", b"3".to_vec())].into());
    let new = source.commit_tree(tree, &[Some(base.oid())]);
    let report = mirror.fetch().unwrap();
    assert_eq!(report.rewritten, Some(Rewrite { old, new }));
    assert_eq!((report.head, report.previous, report.changed), (Some(new), Some(old), true));
    assert_eq!(mirror.changed_paths(Some(old), new).unwrap().len(), 1, "the old commit stays readable");
}

#[test]
fn ref_names_that_are_not_utf8_do_no_harm() {
    if !git_is_here() {
        return;
    }
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let head = source.commit(&[("pointsman.yaml", "1")]);
    let packed = [format!("{head} refs/heads/").as_bytes(), b"caf\xe9\n"].concat();
    fs::write(source.path().join("packed-refs"), packed).unwrap();
    let server = Server::start(source.dir.path(), Manner::Serve);
    let mut mirror = Mirror::open(settings(&home, &server.url("net.git"))).unwrap();
    assert_eq!(mirror.fetch().unwrap().head, Some(head));
}

#[test]
fn mirrors_that_were_cut_short_are_repaired() {
    let source = Source::new();
    let head = source.commit(&[("pointsman.yaml", "1")]);
    let cut = |damage: &dyn Fn(&Path), expected: MirrorOrigin| {
        let home = TempDir::new().unwrap();
        let path = settings(&home, "").path;
        drop(mirrored(&home, &source));
        damage(&path);
        let mut mirror = Mirror::open(settings(&home, &source.url())).unwrap();
        assert_eq!(mirror.origin(), expected);
        assert_eq!(mirror.fetch().unwrap().head, Some(head));
        assert_eq!(mirror.snapshot(head).unwrap().files.len(), 1);
        source.repo.find_commit(head.oid()).unwrap();
    };
    let remove =
        |path: &Path| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    cut(&|path| remove(&path.join("config")), MirrorOrigin::Rebuilt);
    cut(&|path| fs::write(path.join("config"), "[core]\n\tbare = true\n").unwrap(), MirrorOrigin::Rebuilt);
    cut(&|path| remove(&path.join("HEAD")), MirrorOrigin::Rebuilt);
    cut(&|path| fs::write(path.join("refs/heads/main"), "").unwrap(), MirrorOrigin::Rebuilt);
    cut(&|path| remove(&path.join("objects/pack")), MirrorOrigin::Rebuilt);
    cut(&|path| fs::write(path.join("refs/heads/main.lock"), "").unwrap(), MirrorOrigin::Opened);
    cut(
        &|path| {
            fs::create_dir_all(path.join("refs/pointsman")).unwrap();
            fs::write(path.join("refs/pointsman/incoming"), format!("{head}\n")).unwrap();
        },
        MirrorOrigin::Opened,
    );
    let leave_marker_only = |path: &Path| {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            if entry.file_name() != "pointsman-mirror" {
                remove(&entry.path());
            }
        }
    };
    cut(&leave_marker_only, MirrorOrigin::Rebuilt);
    cut(&|path| [remove(path), fs::create_dir(path).unwrap()].into_iter().collect(), MirrorOrigin::Created);
}

#[test]
fn leftovers_of_a_killed_fetch_are_removed() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    source.commit(&[("pointsman.yaml", "1")]);
    drop(mirrored(&home, &source));
    let leftover = settings(&home, "").path.join("objects/pack/pack_git2_a1b2c3");
    fs::write(&leftover, noise(1000)).unwrap();
    drop(Mirror::open(settings(&home, &source.url())).unwrap());
    assert!(!leftover.exists());
}

#[test]
fn damaged_objects_are_told_and_a_rebuild_heals_them() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let head = source.commit(&[("pointsman.yaml", "1")]);
    let mut mirror = mirrored(&home, &source);
    // A head whose tree names an object that was never sent.
    let odb = mirror.repo().odb().unwrap();
    let missing = git2::Oid::from_str("1234567890123456789012345678901234567890").unwrap();
    let tree = [b"100644 pointsman.yaml\0".as_slice(), missing.as_bytes()].concat();
    let tree = odb.write(git2::ObjectType::Tree, &tree).unwrap();
    let text = format!("tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n");
    let broken = super::CommitId::new(odb.write(git2::ObjectType::Commit, text.as_bytes()).unwrap());
    drop(odb);
    assert!(matches!(mirror.snapshot(broken), Err(SnapshotError::Corrupt { .. })));
    mirror.rebuild().unwrap();
    assert_eq!(mirror.head().unwrap(), None);
    assert!(matches!(mirror.snapshot(broken), Err(SnapshotError::UnknownCommit { .. })));
    assert_eq!(mirror.fetch().unwrap().head, Some(head));
    assert_eq!(mirror.snapshot(head).unwrap().files.len(), 1);
}

#[test]
fn a_directory_of_something_else_is_refused_and_a_mirror_has_one_owner() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    let settings = settings(&home, &source.url());
    fs::create_dir(&settings.path).unwrap();
    fs::write(settings.path.join("thesis.tex"), "years of work").unwrap();
    assert!(matches!(Mirror::open(settings.clone()), Err(OpenMirrorError::NotAMirror { .. })));
    assert!(settings.path.join("thesis.tex").exists());
    fs::remove_file(settings.path.join("thesis.tex")).unwrap();
    let owner = Mirror::open(settings.clone()).unwrap();
    assert!(matches!(Mirror::open(settings.clone()), Err(OpenMirrorError::InUse { .. })));
    drop(owner);
    assert!(Mirror::open(settings).is_ok());
}

#[test]
fn a_changed_branch_setting_follows_the_other_branch() {
    let (home, source) = (TempDir::new().unwrap(), Source::new());
    source.commit(&[("pointsman.yaml", "1")]);
    let tree = source.plain_tree([("pointsman.yaml", b"2".to_vec())].into());
    let other = source.commit_on("refs/heads/team/net", tree, &[], "Other\n");
    drop(mirrored(&home, &source));
    let branch = "team/net".to_owned();
    let mut mirror = Mirror::open(MirrorSettings { branch, ..settings(&home, &source.url()) }).unwrap();
    assert_eq!(mirror.head().unwrap(), None);
    assert_eq!(mirror.fetch().unwrap().head, Some(other));
    assert_eq!(mirror.repo().references().unwrap().count(), 1);
    let bad =
        MirrorSettings { branch: "a..b".to_owned(), ..settings(&TempDir::new().unwrap(), &source.url()) };
    assert!(matches!(Mirror::open(bad), Err(OpenMirrorError::BadBranch { .. })));
}

#[test]
fn addresses_are_checked_before_use() {
    for good in [
        "/srv/net.git",
        "file:///srv/net.git",
        "https://forge.example.org/team/net.git",
        "https://forge.example.org:8443/net",
        "ssh://git@forge.example.org:2222/net.git",
        "ssh://forge.example.org/~me/net.git",
        "git@forge.example.org:team/net.git",
        "forge:net.git",
    ] {
        assert!(Endpoint::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "net.git",
        "./net.git",
        "a/b:c",
        "file://host/net.git",
        "git://forge.example.org/net.git",
        "ext::sh -c id",
        "https://user:pass@forge.example.org/net.git",
        "https://forge.example.org/net.git?x=1",
        "ssh://-oProxyCommand=id/net.git",
        "ssh://git:pass@forge.example.org/net.git",
        "ssh://forge.example.org",
        "-oProxyCommand=id:net.git",
        "-l@forge:net.git",
        "git:pass@forge.example.org:net.git",
        "forge:--upload-pack=id",
        "forge:a\nb",
    ] {
        let error = Endpoint::parse(bad).unwrap_err().to_string();
        assert!(!error.contains(":pass"), "{error}");
    }
    let Ok(Endpoint::Ssh(target)) = Endpoint::parse("ssh://forge/~me/net.git") else { panic!("ssh") };
    assert_eq!(target.path, "~me/net.git");
}

#[test]
fn credentials_fit_the_address_and_stay_secret() {
    let token = Auth::Token(Secret::new("s3cret"));
    let key = Auth::SshKey { private_key: "/etc/key".into(), known_hosts: None };
    assert!(!format!("{token:?}").contains("s3cret"));
    for (url, auth, fits) in [
        ("https://forge.example.org/net.git", &token, true),
        ("http://127.0.0.1/net.git", &token, true),
        ("http://forge.example.org/net.git", &token, false),
        ("git@forge.example.org:net.git", &token, false),
        ("/srv/net.git", &token, false),
        ("git@forge.example.org:net.git", &key, true),
        ("https://forge.example.org/net.git", &key, false),
        ("http://forge.example.org/net.git", &Auth::None, true),
    ] {
        assert_eq!(Endpoint::parse(url).unwrap().check_auth(url, auth).is_ok(), fits, "{url} {auth:?}");
    }
}
