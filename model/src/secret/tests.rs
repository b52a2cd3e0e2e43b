//! A secret is shown as stars in every form.

use super::*;

#[test]
fn a_secret_is_never_shown() {
    let secret = Secret::new("canary");
    for shown in
        [format!("{secret}"), format!("{secret:?}"), format!("{:#?}", Some(&secret)), secret.to_string()]
    {
        assert!(!shown.contains("canary") && shown.contains(STARS), "{shown}");
    }
    assert_eq!(secret.expose(), "canary");
}
