//! The runner against programs that hang, flood, fail or are missing.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// A program made of shell lines.
fn script(lines: &str) -> (tempfile::TempDir, Runner) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let env = BTreeMap::from([("EXTRA".to_owned(), "extra".to_owned())]);
    let runner = Runner::new(&path, &env);
    (dir, runner)
}

const LONG: Duration = Duration::from_secs(30);

/// Another test may be starting a program while this one's script is still open for writing.
fn run(runner: &Runner, argv: &[&str], timeout: Duration) -> Result<Finished, RunError> {
    let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    for _ in 0..100 {
        match runner.run(&argv, timeout) {
            Err(RunError::NotStarted { source, .. })
                if source.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
            other => return other,
        }
    }
    panic!("always busy");
}

#[test]
fn output_exit_status_and_arguments_arrive() {
    let (_dir, runner) = script("printf '%s|' \"$@\"; echo oops >&2; exit 3");
    let finished = run(&runner, &["a b", "$(id)", ""], LONG).unwrap();
    assert_eq!(finished.exit_code, Some(3));
    assert_eq!(finished.stdout, "a b|$(id)||");
    assert_eq!(finished.stderr, "oops\n");
}

#[test]
fn the_environment_is_fixed_and_the_input_is_empty() {
    let (_dir, runner) = script("echo \"$LANG $EXTRA [$HOME] [$CARGO]\"; cat");
    let finished = run(&runner, &[], LONG).unwrap();
    assert_eq!(finished.stdout, "en_US.UTF-8 extra [] []\n");
}

#[test]
fn a_program_that_hangs_is_killed() {
    let (_dir, runner) = script("exec sleep 600");
    let error = run(&runner, &[], Duration::from_millis(100)).unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
}

#[test]
fn a_program_that_closes_its_output_and_hangs_is_killed() {
    let (_dir, runner) = script("exec >&- 2>&-; exec sleep 600");
    let error = run(&runner, &[], Duration::from_millis(100)).unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
}

#[test]
fn a_missing_program_is_named() {
    let runner = Runner::new(Path::new("/nonexistent/esxcli"), &BTreeMap::new());
    let error = run(&runner, &[], LONG).unwrap_err();
    assert!(error.chain().contains("/nonexistent/esxcli"), "{}", error.chain());
}

#[test]
fn endless_output_is_cut_off() {
    let (_dir, runner) = script("exec cat /dev/zero");
    let error = run(&runner, &[], LONG).unwrap_err();
    assert!(matches!(error, RunError::TooMuchOutput { .. }), "{error}");
}

#[test]
fn large_output_on_both_streams_does_not_block() {
    let (_dir, runner) = script("head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero");
    let finished = run(&runner, &[], LONG).unwrap();
    assert_eq!((finished.stdout.len(), finished.stderr.len()), (300_000, 300_000));
}

#[test]
fn garbage_becomes_text_and_a_signal_is_no_exit_status() {
    let (_dir, runner) = script("printf '\\377\\376x'; kill -9 $$");
    let finished = run(&runner, &[], LONG).unwrap();
    assert_eq!(finished.exit_code, None);
    assert!(finished.stdout.ends_with('x'));
}
