//! Tests of the start-up probe.

use super::{Formatter, ProbeOutput, accepts, choose, probes};

fn output(formatter: Formatter, exit_code: i32, stdout: &str) -> ProbeOutput {
    ProbeOutput { formatter, exit_code: Some(exit_code), stdout: stdout.to_owned(), stderr: String::new() }
}

#[test]
fn probes_put_global_options_first() {
    let lines: Vec<String> = probes().into_iter().map(|p| p.argv.join(" ")).collect();
    assert_eq!(
        lines,
        [
            "--debug --formatter=json system version get",
            "--formatter=xml system version get",
            "--formatter=keyvalue system version get",
            "system version get",
        ]
    );
}

#[test]
fn the_first_format_that_proves_itself_is_taken() {
    let json = output(
        Formatter::Json,
        0,
        r#"{"Build": "Releasebuild-25205845", "Patch": "95", "Product": "VMware ESXi", "Update": "3", "Version": "8.0.3"}"#,
    );
    let refused = output(Formatter::Json, 1, "Error: Unable to find requested formatter: json");
    let text = output(
        Formatter::Text,
        0,
        "   Product: VMware ESXi\n   Version: 6.7.0\n   Build: Releasebuild-8169922\n",
    );
    let broken = output(Formatter::Xml, 0, "<output><root></root></output>");
    assert!(accepts(&json) && accepts(&text) && !accepts(&refused) && !accepts(&broken));
    assert_eq!(choose(&[refused.clone(), broken.clone(), text.clone()]), Some(Formatter::Text));
    assert_eq!(choose(&[text, json]), Some(Formatter::Json));
    assert_eq!(choose(&[refused, broken]), None);
    assert_eq!(choose(&[]), None);
}

#[test]
fn text_read_as_a_machine_format_is_not_accepted() {
    let text = "   Product: VMware ESXi\n   Version: 6.7.0\n   Build: Releasebuild-8169922\n";
    for formatter in [Formatter::Json, Formatter::Xml, Formatter::KeyValue] {
        assert!(!accepts(&output(formatter, 0, text)), "{formatter}");
    }
}
