//! The option grammar of esxcli.

use super::*;

const OPTS: &[Opt] = &[
    Opt { short: Some('n'), long: "name", kind: Kind::Text, required: true, help: "" },
    Opt { short: Some('v'), long: "vlan-id", kind: Kind::LongUpTo(4095), required: true, help: "" },
    Opt { short: Some('e'), long: "enabled", kind: Kind::Bool, required: false, help: "" },
    Opt { short: Some('u'), long: "use-vswitch", kind: Kind::Flag, required: false, help: "" },
    Opt { short: Some('c'), long: "cdp", kind: Kind::Word(&["down", "both"]), required: false, help: "" },
];

fn problem(words: &[&str]) -> String {
    parse(OPTS, words).unwrap_err().join("; ")
}

#[test]
fn long_and_short_forms_are_the_same() {
    for words in [
        ["--name=a b", "--vlan-id", "7", "-u", "-e=TRUE"].as_slice(),
        &["-n", "a b", "-v=7", "--use-vswitch", "--enabled", "y"],
    ] {
        let args = parse(OPTS, words).unwrap();
        assert_eq!(args.required("name"), "a b");
        assert_eq!(args.long("vlan-id"), Some(7));
        assert_eq!(args.boolean("enabled"), Some(true));
        assert!(args.flag("use-vswitch"));
    }
}

#[test]
fn every_missing_parameter_is_listed() {
    assert_eq!(problem(&[]), "Missing required parameter -n|--name; Missing required parameter -v|--vlan-id");
}

#[test]
fn a_value_that_looks_like_an_option_is_none() {
    assert_eq!(problem(&["--name", "-x"]), "--name must have value");
    assert_eq!(problem(&["--name=--x"]), "--name must have value");
    assert_eq!(problem(&["-n"]), "-n must have value");
    assert_eq!(parse(OPTS, &["-n", "-", "-v", "-1"]).unwrap().long("vlan-id"), Some(-1));
    assert_eq!(parse(OPTS, &["-n", "", "-v", "1"]).unwrap().required("name"), "");
}

#[test]
fn problems_have_the_words_of_the_tool() {
    assert_eq!(problem(&["--zone=1"]), "Invalid option --zone");
    assert_eq!(problem(&["-nx"]), "Invalid option -nx");
    assert_eq!(problem(&["word"]), "Invalid option word");
    assert_eq!(problem(&["-n", "a", "--name", "b"]), "Duplicated option --name");
    assert_eq!(problem(&["-u=1"]), "'-u' is a flag and cannot accept any values.");
    assert_eq!(
        problem(&["--vlan-id=x"]),
        "While processing '--vlan-id'. Argument type mismatch. Expecting integer value. Got 'x'"
    );
    assert_eq!(problem(&["-v", "9999"]), "While processing '-v'. '9999' > 4095");
    assert_eq!(
        problem(&["-e", "maybe"]),
        "While processing '-e'. Argument type mismatch. Expecting one of {0, 1, n[o], y[es], f[alse], t[rue], off, on}. Got 'maybe'"
    );
    assert_eq!(problem(&["-c", "up"]), "While processing '-c'. 'up' must be one of [down|both]");
}

#[test]
fn comma_lists_may_be_empty() {
    let args = parse(OPTS, &["-n", "vmnic1,vmnic2", "-v", "1"]).unwrap();
    assert_eq!(args.comma_list("name").unwrap(), ["vmnic1", "vmnic2"]);
    let args = parse(OPTS, &["-n", "", "-v", "1"]).unwrap();
    assert!(args.comma_list("name").unwrap().is_empty());
    assert!(args.comma_list("enabled").is_none());
}
