//! Each rule on a bad sample that it must catch and a good one that it must leave alone; and the workspace itself.

use std::path::Path;

use super::files::{SourceFile, mark_declared_tests};
use super::mask::mask;
use super::{edges, rules};

/// Rule and line of every problem in one file.
fn found(path: &str, text: &str) -> Vec<(&'static str, usize)> {
    let file = SourceFile::new(path, text);
    rules::check(&[file]).into_iter().map(|problem| (problem.rule, problem.line)).collect()
}

/// Rule and line of every problem in a file that opens as it should; the given text begins on line 2.
fn found_in(path: &str, code: &str) -> Vec<(&'static str, usize)> {
    found(path, &format!("//! Sample.\n{code}\n"))
}

#[test]
fn masking_keeps_lines_and_hides_literals_and_comments() {
    let text = "let a = \"sqlx:: \\\" x\"; // sqlx::\n/* a /* b */ tokio:: */ let b = 'x';\nlet c = r#\"env::\"var\n\"#;\n";
    let masked = mask(text);
    assert_eq!(masked.lines().count(), text.lines().count());
    for hidden in ["sqlx", "tokio", "env", "var", "x'"] {
        assert!(!masked.contains(hidden), "{hidden} in {masked}");
    }
    for kept in ["let a", "let b", "let c"] {
        assert!(masked.contains(kept), "{kept} not in {masked}");
    }
}

#[test]
fn masking_tells_lifetimes_from_characters() {
    let masked = mask("fn f<'a>(x: &'a str) { let q = '\"'; let e = '\\''; let r#type = b\"x\"; g(x) }");
    assert!(masked.contains("fn f<'a>(x: &'a str)") && masked.contains("g(x)") && masked.contains("r#type"));
    assert!(!masked.contains("'\"'"));
}

#[test]
fn long_files_are_found_and_tests_may_be_longer() {
    let lines = |count: usize| format!("//! Sample.\n{}", "x\n".repeat(count - 1));
    assert_eq!(found("model/src/a.rs", &lines(600)), []);
    assert_eq!(found("model/src/a.rs", &lines(601)), [("file-length", 601)]);
    assert_eq!(found("model/src/a/tests.rs", &lines(800)), []);
    assert_eq!(found("tests/src/a.rs", &lines(801)), [("file-length", 801)]);
}

#[test]
fn every_file_opens_with_a_module_comment() {
    assert_eq!(found("agent/src/a.rs", "use std::fmt;\n//! Late.\n"), [("module-doc", 1)]);
    assert_eq!(found("agent/src/a.rs", ""), [("module-doc", 1)]);
    assert_eq!(found("agent/src/a.rs", "\n//! Fine.\n"), []);
}

#[test]
fn tests_stand_in_their_own_file() {
    let inline = "#[cfg(test)]\nmod tests {\n}";
    assert_eq!(found_in("agent/src/a.rs", inline), [("inline-tests", 2)]);
    assert_eq!(found_in("agent/src/a.rs", "#[cfg(test)]\nmod tests;\nmod b {}"), []);
    assert_eq!(found_in("agent/src/a.rs", "#[cfg(test)]\nfn helper() {}"), []);
}

#[test]
fn forbidden_marks_are_found_in_code_only() {
    assert_eq!(found_in("agent/src/a.rs", "#[allow(dead_code)]\nfn f() {}"), [("allow-attribute", 2)]);
    assert_eq!(found_in("agent/src/a.rs", "#![allow(dead_code)]"), [("allow-attribute", 2)]);
    assert_eq!(found_in("agent/src/a.rs", "fn f() {\n    todo!()\n}"), [("unfinished", 3)]);
    assert_eq!(found_in("agent/src/a.rs", "fn f() { unimplemented!() }"), [("unfinished", 2)]);
    assert_eq!(
        found_in("tests/tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
        [("ignored-test", 3)]
    );
    assert_eq!(found_in("agent/src/a.rs", "// todo! #[allow(x)]\nlet s = \"#[ignore\"; my_todo!()"), []);
}

#[test]
fn sqlx_stays_in_the_store() {
    let code = "use sqlx::Row;";
    assert_eq!(found_in("coordinator/src/api.rs", code), [("sqlx-outside-store", 2)]);
    assert_eq!(found_in("coordinator/src/store/hosts.rs", code), []);
    assert_eq!(found_in("coordinator/src/api.rs", "use mysqlx::Row;"), []);
}

#[test]
fn grpc_types_stay_at_the_link() {
    assert_eq!(found_in("agent/src/agent.rs", "fn f(s: tonic::Status) {}"), [("tonic-outside-link", 2)]);
    assert_eq!(found_in("coordinator/src/cli/a.rs", "use prost::Message;"), [("prost-outside-link", 2)]);
    for path in ["proto/src/lib.rs", "agent/src/link/stream.rs", "coordinator/src/fleet/mod.rs"] {
        assert_eq!(found_in(path, "use tonic::Status;\nuse prost::Message;"), []);
    }
}

#[test]
fn programs_are_run_in_two_places() {
    for code in [
        "use std::process::Command;",
        "use std::process::{Command, Stdio};",
        "tokio::process::Command::new(x)",
    ] {
        assert_eq!(found_in("agent/src/agent.rs", code), [("process-spawn", 2)], "{code}");
        for path in [
            "agent/src/host/runner.rs",
            "coordinator/src/repo/ssh.rs",
            "xtask/src/a.rs",
            "simulator/src/a.rs",
        ] {
            assert_eq!(found_in(path, code), [], "{path}");
        }
    }
    assert_eq!(found_in("agent/src/main.rs", "use std::process::ExitCode;"), []);
    assert_eq!(found_in("agent/src/a.rs", "let c = esxcli::Command::VswitchList;"), []);
}

#[test]
fn the_environment_is_read_in_settings() {
    for code in ["std::env::var(\"X\")", "use std::env::{args, var};", "env::vars()", "std::env::var_os(n)"] {
        assert_eq!(found_in("agent/src/agent.rs", code), [("environment-outside-settings", 2)], "{code}");
        for path in ["agent/src/settings/input.rs", "coordinator/src/settings.rs", "proto/build.rs"] {
            assert_eq!(found_in(path, code), [], "{path}");
        }
    }
    assert_eq!(found_in("agent/src/agent.rs", "std::env::args(); env!(\"X\"); env::various()"), []);
}

#[test]
fn pure_crates_touch_nothing() {
    for code in [
        "use std::time::Instant;",
        "use std::time::{Duration, SystemTime};",
        "std::fs::read(p)",
        "use std::{fmt, fs};",
        "use std::net::TcpStream;",
        "use std::collections::HashMap;",
        "tokio::spawn(f)",
        "use ring::{digest, rand};",
        "use ring::signature::{ED25519, Ed25519KeyPair};",
    ] {
        for path in ["model/src/a.rs", "engine/src/a.rs", "esxcli/src/a.rs"] {
            assert_eq!(found_in(path, code), [("pure-crate", 2)], "{path}: {code}");
        }
        assert_eq!(found_in("engine/src/plan/tests.rs", code), [], "{code}");
        assert_eq!(found_in("coordinator/src/app.rs", code), [], "{code}");
    }
    assert_eq!(
        found_in("model/src/a.rs", "use std::time::Duration;\nuse std::net::Ipv4Addr;\nuse std::fmt;"),
        []
    );
}

#[test]
fn paths_of_one_machine_are_found_in_any_text() {
    let home = format!("see `/{}/someone/notes`\n", "home");
    assert_eq!(found("docs/a.md", &home), [("machine-path", 1)]);
    let root = format!("let p = \"/{}/.cargo\";", "root");
    assert_eq!(found_in("agent/src/a.rs", &root), [("machine-path", 2)]);
    let scratch = format!("let p = \"/{}/x\";", "tmp");
    assert_eq!(found_in("agent/src/a.rs", &scratch), [("machine-path", 2)]);
    assert_eq!(found_in("agent/src/a/tests.rs", &scratch), []);
    assert_eq!(found("docs/a.md", "https://example.com/home/page and usr/root/x\n"), []);
}

#[test]
fn a_module_declared_for_tests_counts_as_test_code() {
    let mut files = vec![
        SourceFile::new(
            "engine/src/plan/mod.rs",
            "//! Plan.\n#[cfg(test)]\npub(crate) mod samples;\nmod order;\n",
        ),
        SourceFile::new("engine/src/plan/samples.rs", "//! S.\nuse std::fs;\n"),
        SourceFile::new("engine/src/plan/samples/deep.rs", "//! D.\nuse std::fs;\n"),
        SourceFile::new("engine/src/plan/order.rs", "//! O.\n#[cfg(test)]\nmod laws;\n"),
        SourceFile::new("engine/src/plan/order/laws.rs", "//! L.\nuse std::fs;\n"),
        SourceFile::new("engine/src/plan/samples2.rs", "//! N.\nuse std::time::Instant;\n"),
    ];
    mark_declared_tests(&mut files);
    let marked: Vec<&str> = files.iter().filter(|file| file.is_test).map(|file| file.path.as_str()).collect();
    assert_eq!(
        marked,
        ["engine/src/plan/samples.rs", "engine/src/plan/samples/deep.rs", "engine/src/plan/order/laws.rs"]
    );
    assert_eq!(rules::check(&files).len(), 1);
}

/// The output of `cargo metadata` for one crate with one dependency.
fn edge(from: &str, to: &str, kind: Option<&str>, path: Option<&str>) -> Vec<String> {
    let metadata = serde_json::json!({"packages": [{
        "name": from,
        "manifest_path": format!("ws/{from}/Cargo.toml"),
        "dependencies": [{"name": to, "kind": kind, "path": path}],
    }]});
    let problems = edges::check(Path::new("ws"), &metadata.to_string()).unwrap();
    problems
        .into_iter()
        .map(|problem| format!("{}:{} {}", problem.file, problem.rule, problem.message))
        .collect()
}

#[test]
fn crate_edges_follow_the_table() {
    for (from, to) in [
        ("model", "engine"),
        ("engine", "esxcli"),
        ("esxcli", "engine"),
        ("proto", "engine"),
        ("simulator", "esxcli"),
        ("coordinator", "simulator"),
        ("newcomer", "model"),
    ] {
        assert_eq!(edge(from, to, None, Some("x")).len(), 1, "{from} -> {to}");
    }
    for (from, to) in
        [("engine", "model"), ("agent", "proto"), ("coordinator", "esxcli"), ("tests", "simulator")]
    {
        assert_eq!(edge(from, to, None, Some("x")), [] as [&str; 0], "{from} -> {to}");
    }
    assert_eq!(edge("engine", "simulator", Some("dev"), Some("x")), [] as [&str; 0]);
    assert_eq!(
        edge("agent", "coordinator", Some("dev"), Some("x")),
        ["agent/Cargo.toml:crate-edge agent must never see coordinator"]
    );
}

#[test]
fn pure_crates_have_no_worldly_dependency() {
    for library in ["tokio", "sqlx", "tonic", "reqwest", "git2"] {
        for from in ["model", "engine", "esxcli"] {
            assert_eq!(edge(from, library, None, None).len(), 1, "{from} -> {library}");
            assert_eq!(edge(from, library, Some("dev"), None).len(), 0, "{from} -> {library} in tests");
        }
        assert_eq!(edge("coordinator", library, None, None).len(), 0);
    }
    assert_eq!(edge("model", "serde", None, None).len(), 0);
}

#[test]
fn the_workspace_crates_are_all_in_the_table() {
    let root = crate::process::workspace_root().unwrap();
    let metadata = crate::process::output_of(crate::process::cargo(&root).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]));
    let problems = edges::check(&root, &metadata.unwrap()).unwrap();
    assert!(problems.iter().all(|problem| !problem.message.contains("not in the table")), "{problems:?}");
}
