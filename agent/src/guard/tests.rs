//! The arguments of a guard; its decisions are tested beside `machine`, the rest with real processes.

use super::*;

#[test]
fn only_the_whole_line_of_a_guard_is_one() {
    let read = |words: &[&str]| own_arguments(words.iter().map(OsString::from));
    let (program, config) = read(&["agent", "guard", "/bin/agent", "/etc/agent.toml"]).unwrap();
    assert_eq!((program, config), ("/bin/agent".into(), "/etc/agent.toml".into()));
    for other in [
        &["agent"][..],
        &["agent", "guard"],
        &["agent", "guard", "/bin/agent"],
        &["agent", "guard", "/bin/agent", "/etc/agent.toml", "more"],
        &["agent", "run", "--config", "/etc/agent.toml"],
    ] {
        assert_eq!(read(other), None, "{other:?}");
    }
}
