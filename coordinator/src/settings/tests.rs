//! Tests of the settings: the shipped sample, defaults, merging, and what is refused.

use super::*;

const SMALL: &str = r#"
state_dir = "/var/lib/pointsman"
server_names = ["pointsman.example.net"]
trust_domain = "example.net"
[repository]
url = "https://git.example.net/net.git"
"#;

fn from(texts: &[&str]) -> Result<Settings, SettingsError> {
    let mut input = Input::default();
    for (number, text) in texts.iter().enumerate() {
        let file = PathBuf::from(format!("{number}.toml"));
        input.add(&file, parse(&file, text)?);
    }
    Settings::from_input(input)
}

#[test]
fn the_sample_is_valid_and_says_the_defaults() {
    let sample = include_str!("../../../packaging/coordinator.toml");
    let settings = from(&[sample]).unwrap();
    let mut expected = from(&[SMALL]).unwrap();
    expected.repository.url.clone_from(&settings.repository.url);
    assert_eq!(settings, expected);
    // Every knob is explained: what is commented out is valid too.
    let shown: String = sample
        .lines()
        .map(|line| line.strip_prefix("#= ").unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let fragment = parse(Path::new("sample"), &shown).unwrap();
    assert!(fragment.database_url.is_some() && fragment.repository.ssh_known_hosts_file.is_some());
    assert!(fragment.listen_metrics.is_some() && fragment.operators_key_file.is_some());
    assert!(fragment.oidc.ca_file.is_some() && fragment.oidc.roles.is_some_and(|roles| roles.len() == 5));
    assert!(fragment.heartbeat_secs.is_some() && fragment.repository.token_file.is_some());
    assert!(fragment.host_certificate_secs.is_some() && fragment.ca_passphrase_file.is_some());
}

#[test]
fn defaults_are_filled_in() {
    let settings = from(&[SMALL]).unwrap();
    assert_eq!(settings.database_url.expose(), "sqlite:///var/lib/pointsman/pointsman.db");
    assert_eq!(settings.listen_operators.to_string(), LISTEN_OPERATORS_DEFAULT);
    assert!(settings.listen_operators.ip().is_loopback());
    assert_eq!(settings.repository.poll, Duration::from_secs(10));
    assert_eq!(settings.repository.auth, Auth::None);
}

#[test]
fn the_passphrase_of_the_authority_is_read_from_its_file_and_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("passphrase");
    let saying = format!("ca_passphrase_file = {file:?}\n{SMALL}");
    assert!(from(&[&saying]).unwrap_err().to_string().contains("cannot be read"));
    std::fs::write(&file, "short\n").unwrap();
    assert!(from(&[&saying]).unwrap_err().to_string().contains("at least"));
    std::fs::write(&file, "long enough to seal\n").unwrap();
    let settings = from(&[&saying]).unwrap();
    assert!(settings.ca_passphrase.is_some());
    assert!(!format!("{settings:?}").contains("long enough"));
}

#[test]
fn a_later_file_wins_key_by_key() {
    let settings = from(&[SMALL, "heartbeat_secs = 5\n[repository]\nbranch = \"live\""]).unwrap();
    assert_eq!(settings.heartbeat, Duration::from_secs(5));
    assert_eq!(settings.repository.branch, "live");
    assert_eq!(settings.repository.url, "https://git.example.net/net.git");
}

#[test]
fn drop_ins_are_read_in_order_of_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("coordinator.toml");
    std::fs::write(&file, SMALL).unwrap();
    std::fs::create_dir(dir.path().join(DROP_IN_FOLDER)).unwrap();
    std::fs::write(dir.path().join(DROP_IN_FOLDER).join("20.toml"), "heartbeat_secs = 20").unwrap();
    std::fs::write(dir.path().join(DROP_IN_FOLDER).join("10.toml"), "heartbeat_secs = 10").unwrap();
    std::fs::write(dir.path().join(DROP_IN_FOLDER).join("notes.txt"), "not settings").unwrap();
    assert_eq!(Settings::load(&file).unwrap().heartbeat, Duration::from_secs(20));
}

#[test]
fn mistakes_name_the_file_and_the_key() {
    let cases = [
        ("heartbeat = 5", "0.toml"),
        ("heartbeat_secs = 0", "`heartbeat_secs` is 0: use 1 to 300"),
        ("listen_agents = \"7443\"", "`listen_agents` is `7443`"),
        ("database_url = \"mysql://x\"", "`database_url` is no database"),
        ("server_names = []", "`server_names` is empty"),
        ("[repository]\ntoken_file = \"/nowhere/token\"", "`repository.token_file` names /nowhere/token"),
        ("[repository]\nssh_known_hosts_file = \"/x\"", "needs `repository.ssh_key_file`"),
        ("listen_operators = \"0.0.0.0:7480\"", "`listen_operators` is 0.0.0.0:7480, which others can reach"),
        ("listen_operators = \"[::]:7480\"", "set `operators_tls = \"own\"`"),
        ("operators_tls = \"yes\"", "`operators_tls` is `yes`"),
        ("operators_tls = \"files\"", "set operators_certificate_file and operators_key_file too"),
        ("operators_key_file = \"/k\"", "belongs beside the other one"),
        (
            "operators_tls = \"off\"\noperators_key_file = \"/k\"\noperators_certificate_file = \"/c\"",
            "files only with `files`",
        ),
        ("listen_metrics = \"here\"", "`listen_metrics` is `here`"),
        ("[repository]\npoll_secs = 0", "`repository.poll_secs` is 0"),
    ];
    for (text, expected) in cases {
        let error = from(&[SMALL, text])
            .map_or_else(|error| error.to_string(), |settings| panic!("{text}: accepted as {settings:?}"));
        let expected = expected.replace("0.toml", "1.toml");
        assert!(error.contains("1.toml") && error.contains(&expected), "{text}: {error}");
    }
    let error = from(&["state_dir = \"/x\""]).unwrap_err().to_string();
    assert!(error.contains("no settings file says `server_names`"), "{error}");
}

#[test]
fn a_password_is_not_shown() {
    let settings = from(&[SMALL, "database_url = \"postgres://p:secret@db/net\""]).unwrap();
    assert!(!format!("{settings:?}").contains("secret"));
}

fn forge_with(lines: &str) -> Result<Settings, SettingsError> {
    from(&[&format!("{SMALL}\n[forge]\n{lines}")])
}

#[test]
fn a_forge_is_named_whole_or_not_at_all() {
    use crate::forge::{Credential, ForgeKind};
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let (token, hooks) = (file("token", "t-1\n"), file("hooks", "one\n\ntwo\n"));
    assert_eq!(from(&[SMALL]).unwrap().forge, None);
    let lines = format!(
        "kind = \"forgejo\"\nurl = \"https://forge.example\"\nrepository = \"net/esxi\"\ntoken_file = \"{token}\"\nwebhook_secret_file = \"{hooks}\""
    );
    let forge = forge_with(&lines).unwrap().forge.unwrap();
    assert_eq!((forge.kind, forge.poll.as_secs()), (ForgeKind::Gitea, FORGE_POLL_SECS_DEFAULT));
    assert_eq!(forge.credential, Credential::Token(Secret::new("t-1")));
    assert_eq!(forge.webhook_secrets, [Secret::new("one"), Secret::new("two")]);
    assert!(!format!("{forge:?}").contains("t-1"));

    for (wrong, named) in [
        ("repository = \"net/esxi\"".to_owned(), "forge.kind"),
        ("kind = \"bitbucket\"".to_owned(), "bitbucket"),
        ("kind = \"gitea\"".to_owned(), "forge.url"),
        ("kind = \"github\"".to_owned(), "forge.repository"),
        ("kind = \"github\"\nrepository = \"net/esxi\"".to_owned(), "forge.token_file"),
        (format!("{lines}\napp_id = \"1\""), "not both"),
        (lines.replace("https:", "http:"), "use https"),
        (lines.replace("net/esxi", "esxi"), "owner/name"),
        (format!("{lines}\npoll_secs = 1"), "forge.poll_secs"),
        (lines.replace("/token", "/none"), "cannot be read"),
        (format!("{lines}\nsecret = \"x\""), "unknown field"),
    ] {
        let error = forge_with(&wrong).unwrap_err().to_string();
        assert!(error.contains(named), "{wrong}: {error}");
    }
    file("hooks", "one\ntwo\nthree");
    assert!(forge_with(&lines).unwrap_err().to_string().contains("more than 2 lines"));
}

const OIDC: &str = r#"
[oidc]
issuer = "https://id.example.net/realms/net"
client_id = "pointsman"
redirect_url = "https://pointsman.example.net/api/v1/oidc/callback"
[oidc.roles]
admin = ["net-admins"]
viewer = ["net-all", "audit"]
"#;

#[test]
fn the_operators_listener_is_protected_where_others_can_reach_it() {
    let open = "listen_operators = \"192.0.2.1:7480\"\n";
    let own = from(&[SMALL, &format!("{open}operators_tls = \"own\"")]).unwrap();
    assert_eq!(own.operators_tls, OperatorsTls::Own);
    let named = format!("{open}operators_certificate_file = \"/c\"\noperators_key_file = \"/k\"");
    let files = OperatorsTls::Files { certificate: "/c".into(), key: "/k".into() };
    assert_eq!(from(&[SMALL, &named]).unwrap().operators_tls, files);
    assert_eq!(from(&[SMALL, &format!("operators_tls = \"files\"\n{named}")]).unwrap().operators_tls, files);
    for local in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        let settings = from(&[SMALL, &format!("listen_operators = \"{local}\"")]).unwrap();
        assert_eq!(settings.operators_tls, OperatorsTls::Off, "{local}");
    }
    assert_eq!(from(&[SMALL]).unwrap().listen_metrics, None);
}

#[test]
fn a_provider_is_read_with_its_defaults() {
    assert_eq!(from(&[SMALL]).unwrap().oidc, None);
    let oidc = from(&[SMALL, OIDC]).unwrap().oidc.unwrap();
    assert_eq!((oidc.name_claim.as_str(), oidc.groups_claim.as_str()), ("preferred_username", "groups"));
    assert_eq!((oidc.scopes.len(), oidc.roles.len(), oidc.client_secret), (2, 2, None));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    let named = format!("[oidc]\nclient_secret_file = \"{}\"", path.display());
    let refused = || from(&[SMALL, OIDC, &named]).unwrap_err().to_string();
    assert!(refused().contains("cannot be read"), "{}", refused());
    std::fs::write(&path, "hush\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(refused().contains("chmod 600"), "{}", refused());
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let settings = from(&[SMALL, OIDC, &named]).unwrap();
    assert!(!format!("{settings:?}").contains("hush"));
    assert_eq!(settings.oidc.unwrap().client_secret.unwrap().expose(), "hush");
}

#[test]
fn mistakes_about_the_provider_are_told() {
    for (before, after, expected) in [
        ("https://id", "http://id", "`oidc.issuer` is"),
        ("https://id", "http://127.0.0.1.evil", "`oidc.issuer` is"),
        ("realms/net", "realms/net?x=1", "`oidc.issuer` is"),
        ("oidc/callback", "other", "has to end with /api/v1/oidc/callback"),
        ("https://pointsman", "http://pointsman", "`oidc.redirect_url` is"),
        ("admin =", "king =", "`king` is no role"),
        ("client_id", "#client_id", "no settings file says `oidc.client_id`"),
        ("redirect_url", "#redirect_url", "no settings file says `oidc.redirect_url`"),
        ("[oidc.roles]", "[oidc.other]", "unknown field `other`"),
        (
            "admin = [\"net-admins\"]\nviewer = [\"net-all\", \"audit\"]",
            "viewer = []",
            "nobody could sign in",
        ),
    ] {
        let error = from(&[SMALL, &OIDC.replace(before, after)])
            .map_or_else(|error| error.to_string(), |_| panic!("{after}: accepted"));
        assert!(error.contains(expected), "{after}: {error}");
    }
    for local in ["http://127.0.0.1:5556/dex", "http://localhost:5556", "http://[::1]:5556"] {
        from(&[SMALL, &OIDC.replace("https://id.example.net/realms/net", local)]).unwrap();
    }
}
