//! Test material: real repositories (honest and hostile), an HTTP server over `git http-backend`, and an ssh program
//! that is a shell script over `git upload-pack`.
//!
//! Must not: be used outside of tests.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use git2::{ObjectType, Oid, Repository, RepositoryInitOptions};
use tempfile::TempDir;

use super::{Auth, CommitId, Mirror, MirrorSettings, RepoLimits};

pub const FILE: u32 = 0o100_644;
pub const DIRECTORY: u32 = 0o040_000;

/// One entry of a tree under construction.
pub enum Node {
    File(Vec<u8>),
    Moded(u32, Vec<u8>),
    Tree(Vec<(Vec<u8>, Node)>),
    /// Any mode with any object, existing or not.
    Raw(u32, Oid),
}

pub fn file(text: &str) -> Node {
    Node::File(text.as_bytes().to_vec())
}

pub fn tree<const N: usize>(entries: [(&str, Node); N]) -> Node {
    Node::Tree(entries.into_iter().map(|(name, node)| (name.as_bytes().to_vec(), node)).collect())
}

/// A bare repository that plays the forge.
pub struct Source {
    pub dir: TempDir,
    pub repo: Repository,
}

impl Source {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let repo = init(&dir.path().join("net.git"));
        Self { dir, repo }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("net.git")
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Commits plain files (path, text) as the whole tree on top of `main`.
    pub fn commit(&self, files: &[(&str, &str)]) -> CommitId {
        let files = files.iter().map(|(path, text)| (*path, text.as_bytes().to_vec())).collect();
        let tree = self.plain_tree(files);
        self.commit_tree(tree, &[self.head()])
    }

    pub fn commit_node(&self, root: Node) -> CommitId {
        let (_, tree) = self.write(root);
        self.commit_tree(tree, &[self.head()])
    }

    pub fn commit_tree(&self, tree: Oid, parents: &[Option<Oid>]) -> CommitId {
        self.commit_on("refs/heads/main", tree, parents, "Change the network\n\nBecause.\n")
    }

    pub fn commit_on(&self, reference: &str, tree: Oid, parents: &[Option<Oid>], message: &str) -> CommitId {
        let parents: Vec<Oid> = parents.iter().flatten().copied().collect();
        let mut text = format!("tree {tree}\n");
        for parent in &parents {
            text.push_str(&format!("parent {parent}\n"));
        }
        let who = "An Author <author@example.org> 1700000000 +0000";
        text.push_str(&format!("author {who}\ncommitter {who}\n\n{message}"));
        self.raw_commit_on(reference, text.as_bytes())
    }

    pub fn raw_commit_on(&self, reference: &str, content: &[u8]) -> CommitId {
        let commit = self.repo.odb().unwrap().write(ObjectType::Commit, content).unwrap();
        self.repo.reference(reference, commit, true, "test").unwrap();
        CommitId::new(commit)
    }

    pub fn head(&self) -> Option<Oid> {
        self.repo.refname_to_id("refs/heads/main").ok()
    }

    pub fn plain_tree(&self, files: BTreeMap<&str, Vec<u8>>) -> Oid {
        let mut root = Vec::new();
        let mut inner: BTreeMap<&str, BTreeMap<&str, Vec<u8>>> = BTreeMap::new();
        for (path, bytes) in files {
            match path.split_once('/') {
                Some((first, rest)) => drop(inner.entry(first).or_default().insert(rest, bytes)),
                None => root.push((path.as_bytes().to_vec(), Node::File(bytes))),
            }
        }
        for (name, files) in inner {
            let id = self.plain_tree(files);
            root.push((name.as_bytes().to_vec(), Node::Raw(DIRECTORY, id)));
        }
        root.sort_by(|one, other| one.0.cmp(&other.0));
        self.write(Node::Tree(root)).1
    }

    /// Writes objects byte by byte, so that libgit2's own checks on names and modes do not get in the way.
    pub fn write(&self, node: Node) -> (u32, Oid) {
        let odb = self.repo.odb().unwrap();
        match node {
            Node::File(bytes) => (FILE, odb.write(ObjectType::Blob, &bytes).unwrap()),
            Node::Moded(mode, bytes) => (mode, odb.write(ObjectType::Blob, &bytes).unwrap()),
            Node::Raw(mode, oid) => (mode, oid),
            Node::Tree(entries) => {
                let mut content = Vec::new();
                for (name, node) in entries {
                    let (mode, oid) = self.write(node);
                    content.extend(format!("{mode:o} ").into_bytes());
                    content.extend(name);
                    content.push(0);
                    content.extend(oid.as_bytes());
                }
                (DIRECTORY, odb.write(ObjectType::Tree, &content).unwrap())
            }
        }
    }
}

fn init(path: &Path) -> Repository {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).initial_head("main");
    Repository::init_opts(path, &options).unwrap()
}

/// Bytes that do not compress, always the same.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(bytes)
    .collect()
}

pub fn settings(home: &TempDir, url: &str) -> MirrorSettings {
    MirrorSettings {
        path: home.path().join("mirror"),
        url: url.to_owned(),
        branch: "main".to_owned(),
        auth: Auth::None,
        limits: RepoLimits::default(),
    }
}

/// A mirror of `source` that has fetched it.
pub fn mirrored(home: &TempDir, source: &Source) -> Mirror {
    let mut mirror = Mirror::open(settings(home, &source.url())).unwrap();
    mirror.fetch().unwrap();
    mirror
}

/// Whether the tests that need the real `git` can run; says so when they cannot.
pub fn git_is_here() -> bool {
    let found = Command::new("git").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: no git program on this machine");
    }
    found
}

pub fn install_tls_provider() {
    // Fails when another test was first, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Writes a shell script that plays ssh and gives the settings that run it: the interpreter is the program, so
/// nothing executes a file that was just written.
pub fn ssh_script(home: &TempDir, body: &str) -> Auth {
    let script = home.path().join("ssh.sh");
    fs::write(&script, body).unwrap();
    Auth::SshCommand { program: "/bin/sh".into(), args: vec![script.display().to_string()] }
}

/// How the HTTP server answers.
#[derive(Clone)]
pub enum Manner {
    Serve,
    Demand(String),
    Redirect(String),
    /// Answers `/short/...` by a redirect to `/net.git/...` on itself.
    RedirectWithin,
    Page,
    /// Accepts the connection and never answers.
    Stall,
    /// Starts an honest answer and never ends it.
    StallWithin,
}

/// The beginning of a ref advertisement.
const HALF_AN_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: application/x-git-upload-pack-advertisement\r\n\
    Content-Length: 1000\r\n\r\n001e# service=git-upload-pack\n";

/// Requests seen: first line and the `Authorization` header.
type Seen = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A small HTTP/1.1 server in front of `git http-backend`.
pub struct Server {
    address: SocketAddr,
    pub seen: Seen,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(root: &Path, manner: Manner) -> Self {
        install_tls_provider();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (Seen::default(), Arc::new(AtomicBool::new(false)));
        let (root, record, end) = (root.to_owned(), Arc::clone(&seen), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let mut stream = stream.unwrap();
                if matches!(manner, Manner::Stall | Manner::StallWithin) {
                    if matches!(manner, Manner::StallWithin) {
                        let _ = read_request(&stream).and_then(|_| stream.write_all(HALF_AN_ANSWER));
                    }
                    held.push(stream);
                } else {
                    // A client that gives up in the middle is part of the tests.
                    let _ = answer(stream, &root, &manner, &record);
                }
            }
        });
        Self { address, seen, stop, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn seen(&self) -> Vec<(String, Option<String>)> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn read_request(stream: &TcpStream) -> std::io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { line: line.trim().to_owned(), headers, body })
}

fn answer(mut stream: TcpStream, root: &Path, manner: &Manner, seen: &Seen) -> std::io::Result<()> {
    let request = read_request(&stream)?;
    let authorization = request.headers.get("authorization").cloned();
    seen.lock().unwrap().push((request.line.clone(), authorization.clone()));
    let target = request.line.split(' ').nth(1).unwrap_or("/").to_owned();
    let empty = |status: &str, header: &str| {
        format!("HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let reply = match manner {
        Manner::Demand(expected) if authorization.as_deref() != Some(expected) => {
            empty("401 Unauthorized", "WWW-Authenticate: Basic realm=\"git\"\r\n")
        }
        Manner::Redirect(place) => empty("302 Found", &format!("Location: {place}{target}\r\n")),
        Manner::RedirectWithin if target.starts_with("/short") => {
            let target = target.replacen("/short", "/net.git", 1);
            empty("301 Moved Permanently", &format!("Location: {target}\r\n"))
        }
        Manner::Page => {
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
                .to_vec()
        }
        _ => backend(root, &request, &target)?,
    };
    stream.write_all(&reply)
}

/// Runs `git http-backend` as a CGI program and turns its answer into HTTP.
fn backend(root: &Path, request: &Request, target: &str) -> std::io::Result<Vec<u8>> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", request.line.split(' ').next().unwrap_or("GET"))
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().unwrap();
    let body = request.body.clone();
    let writer = thread::spawn(move || input.write_all(&body));
    let output = child.wait_with_output()?.stdout;
    let _ = writer.join();
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0);
    let headers = String::from_utf8_lossy(&output[..end]).into_owned();
    let body = &output[(end + 4).min(output.len())..];
    let status =
        headers.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let kept: String = headers
        .lines()
        .filter(|line| !line.starts_with("Status: "))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let mut reply =
        format!("HTTP/1.1 {status}\r\n{kept}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())
            .into_bytes();
    reply.extend(body);
    Ok(reply)
}
