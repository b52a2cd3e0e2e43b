//! Settings files: what is accepted, and which key a refusal names.

use super::*;

fn parse(text: &str) -> Result<Settings, SettingsError> {
    Settings::parse(Path::new("agent.toml"), text)
}

const LEAST: &str = "host_id = \"esx1\"\nstate_dir = \"state\"\ncoordinators = [\"127.0.0.1:7443\"]\n";

#[test]
fn the_least_settings_get_defaults() {
    let settings = parse(LEAST).unwrap();
    assert_eq!(settings.host_id.as_str(), "esx1");
    assert_eq!(settings.ca_file, Path::new("state/ca.pem"));
    assert_eq!(settings.max_parallel_reads, 4);
    assert_eq!(settings.esxcli, Path::new("/bin/esxcli"));
    assert_eq!(settings.log_level, tracing::Level::INFO);
    assert_eq!(settings.socket, Path::new("state/agent.sock"));
    assert_eq!(settings.program, None);
    assert_eq!((settings.approval, settings.approvers_file), (ApprovalMode::Enforce, None));
}

#[test]
fn the_sample_says_the_defaults() {
    let sample = include_str!("../../../packaging/agent.toml");
    let settings = parse(sample).unwrap();
    let is_setting = |line: &&str| {
        line.strip_prefix("# ").is_some_and(|rest| {
            rest.split_once(" = ")
                .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        })
    };
    let commented: String =
        sample.lines().filter(is_setting).map(|line| format!("{}\n", &line[2..])).collect();
    let least =
        "host_id = \"esx01\"\nstate_dir = \"/opt/pointsman/state\"\ncoordinators = [\"10.10.0.5:7443\"]\n";
    let mut said = parse(&format!("{least}{commented}")).unwrap();
    assert_eq!(said.coordinator_address.take(), Some(Ipv4Addr::new(10, 10, 0, 5)));
    assert_eq!(said, settings);
}

#[test]
fn every_key_is_taken() {
    let text = format!(
        "{LEAST}server_name = \"c\"\nca_file = \"a\"\ncertificate_file = \"b\"\nkey_file = \"k\"\n\
         esxcli = \"/e\"\nsocket = \"/s\"\nprogram = \"/p\"\nauto_backup = \"/b\"\ncoordinator_address = \"10.0.0.1\"\nobserve_period_secs = 5\n\
         full_read_period_secs = 6\nstep_timeout_secs = 7\nread_timeout_secs = 8\nmax_parallel_reads = 2\n\
         reconnect_max_secs = 9\nboot_id_file = \"/boot\"\napproval = \"warn\"\napprovers_file = \"/set\"\nlog_level = \"debug\"\n\
         [extra_env]\nPOINTSMAN_SIM_HOST = \"/host\"\n"
    );
    let settings = parse(&text).unwrap();
    assert_eq!(settings.coordinator_address, Some(Ipv4Addr::new(10, 0, 0, 1)));
    assert_eq!((settings.socket.to_str(), settings.program), (Some("/s"), Some("/p".into())));
    assert_eq!(settings.read_timeout, Duration::from_secs(8));
    assert_eq!((settings.approval, settings.approvers_file), (ApprovalMode::Warn, Some("/set".into())));
    assert_eq!(settings.extra_env.get("POINTSMAN_SIM_HOST").map(String::as_str), Some("/host"));
}

#[test]
fn what_cannot_be_used_is_named() {
    for (text, part) in [
        ("state_dir = \"s\"\ncoordinators = [\"a:1\"]", "host_id"),
        ("host_id = \"h\"\ncoordinators = [\"a:1\"]", "state_dir"),
        ("host_id = \"h\"\nstate_dir = \"s\"", "coordinators"),
        ("host_id = \"h\"\nstate_dir = \"s\"\ncoordinators = [\"a\"]", "coordinators"),
    ] {
        assert!(parse(text).unwrap_err().to_string().contains(part), "{text}");
    }
    assert!(parse(&format!("{LEAST}observe_period_secs = 0")).is_err());
    assert!(parse(&format!("{LEAST}max_parallel_reads = 99")).is_err());
    assert!(parse(&format!("{LEAST}log_level = \"loud\"")).is_err());
    let trusting = parse(&format!("{LEAST}approval = \"trust\"")).unwrap_err().to_string();
    assert!(trusting.contains("approval is not one of enforce, warn, off"), "{trusting}");
    let error = parse(&format!("{LEAST}surprise = 1")).unwrap_err();
    assert!(matches!(error, SettingsError::Malformed { .. }));
}
