//! `pointsman user add|list|roles|disable|enable|password`: the people who may come in.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::password::PasswordSource;
use super::screen::{Form, Screen, or_dash, word};
use super::time::{ago, now, stamp};
use crate::api::views::{
    AcceptedView, PageView, PasswordRequest, UserChangeRequest, UserRequest, UserView, WhoamiView,
};
use crate::people::{Role, UserName};
use crate::store::users::UserStatus;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a local user.
    Add {
        /// Name: a-z, 0-9 and `.-_@+`.
        name: UserName,
        /// What they may: viewer, engineer, operator, approver, admin. May be given more than once.
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        /// Mail address, as in their commits: nobody approves their own change.
        #[arg(long)]
        email: Option<String>,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        remote: Remote,
    },
    /// List users.
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Give a user these roles and no others.
    Roles {
        /// Name.
        name: UserName,
        /// A role; may be given more than once.
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Let a user in no more: sessions end, API tokens are worthless.
    Disable {
        /// Name.
        name: UserName,
        #[command(flatten)]
        remote: Remote,
    },
    /// Let a user in again.
    Enable {
        /// Name.
        name: UserName,
        #[command(flatten)]
        remote: Remote,
    },
    /// Set a password: your own, or as an admin anybody's.
    Password {
        /// Name.
        name: UserName,
        /// Where the new password comes from.
        #[command(flatten)]
        password: PasswordSource,
        /// File that holds your password of before; asked for when absent.
        #[arg(long)]
        before_file: Option<std::path::PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
}

pub fn run(args: Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match args.verb {
        Verb::Add { name, roles, email, password, remote } => {
            let client = remote.client()?;
            let password = password.read_new(screen)?;
            done(&client.post("users", &UserRequest { name, email, roles, password })?, screen)
        }
        Verb::List { remote } => list(&remote, screen),
        Verb::Roles { name, roles, remote } => {
            change(&remote, &name, UserChangeRequest { roles: Some(roles), ..Default::default() }, screen)
        }
        Verb::Disable { name, remote } => set_status(&remote, &name, UserStatus::Disabled, screen),
        Verb::Enable { name, remote } => set_status(&remote, &name, UserStatus::Active, screen),
        Verb::Password { name, password, before_file, remote } => {
            let client = remote.client()?;
            let who: WhoamiView = client.get("whoami")?;
            let own = who.user.as_ref() == Some(&name);
            let before = PasswordSource { password_file: before_file };
            let before = if own { Some(before.read("Password of before: ", screen)?) } else { None };
            let request = PasswordRequest { before, password: password.read_new(screen)? };
            done(&client.post(&format!("users/{name}/password"), &request)?, screen)
        }
    }
}

fn set_status(
    remote: &Remote,
    name: &UserName,
    status: UserStatus,
    screen: &mut Screen<'_>,
) -> Result<Outcome, CliError> {
    change(remote, name, UserChangeRequest { status: Some(status), ..Default::default() }, screen)
}

fn change(
    remote: &Remote,
    name: &UserName,
    request: UserChangeRequest,
    screen: &mut Screen<'_>,
) -> Result<Outcome, CliError> {
    done(&remote.client()?.patch(&format!("users/{name}"), &request)?, screen)
}

fn done(view: &AcceptedView, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match screen.form {
        Form::Json => screen.json(view)?,
        Form::Text => screen.line(&view.message)?,
    }
    Ok(Outcome::Clean)
}

fn list(remote: &Remote, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let page: PageView<UserView> = remote.client()?.get("users")?;
    if screen.form == Form::Json {
        screen.json(&page.items)?;
        return Ok(Outcome::Clean);
    }
    let now = now();
    let rows = page.items.into_iter().map(|user| {
        let roles: Vec<&str> = user.roles.iter().map(|role| role.as_str()).collect();
        let locked = user.locked_until.filter(|until| now < *until);
        vec![
            user.name.to_string(),
            user.kind,
            locked.map_or_else(|| word(&user.status), |until| format!("locked until {}", stamp(until))),
            roles.join(", "),
            or_dash(user.email),
            ago(user.last_login, now),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    screen.table(
        &["name", "kind", "status", "roles", "email", "signed in"],
        rows,
        "there are no users yet",
    )?;
    Ok(Outcome::Clean)
}
