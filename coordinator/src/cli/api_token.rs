//! `pointsman api-token create|list|revoke`: tokens for programs. A token is shown once.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen, or_dash};
use super::time::{ago, now, parse_span, stamp};
use crate::api::views::{AcceptedView, ApiTokenRequest, ApiTokenView, PageView};
use crate::people::Role;
use model::HostGroupId;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a token with one of the roles you have.
    Create {
        /// What it is for.
        name: String,
        /// Its one role.
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// Only hosts of this group.
        #[arg(long)]
        group: Option<HostGroupId>,
        /// How long it is good: 12h, 30d; at most 90d.
        #[arg(long, default_value = "30d", value_parser = parse_span)]
        ttl: u64,
        #[command(flatten)]
        remote: Remote,
    },
    /// List your tokens; an admin sees everybody's.
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Make a token worthless.
    Revoke {
        /// Its id, from `api-token list`.
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
}

pub fn run(args: Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match args.verb {
        Verb::Create { name, role, group, ttl, remote } => {
            let request = ApiTokenRequest { name, role, group, ttl_secs: ttl };
            let token: ApiTokenView = remote.client()?.post("api-tokens", &request)?;
            match screen.form {
                Form::Json => screen.json(&token)?,
                Form::Text => {
                    screen.line(token.token.as_deref().unwrap_or_default())?;
                    let ApiTokenView { id, role, expires, .. } = &token;
                    screen.remark(format_args!(
                        "id {id}, {role}, until {}; it is not shown again",
                        stamp(*expires)
                    ))?;
                }
            }
        }
        Verb::List { remote } => {
            let page: PageView<ApiTokenView> = remote.client()?.get("api-tokens")?;
            match screen.form {
                Form::Json => screen.json(&page.items)?,
                Form::Text => table(page.items, screen)?,
            }
        }
        Verb::Revoke { id, remote } => {
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(CliError::Usage(format!("`{id}` is no id: see `pointsman api-token list`")));
            }
            let done: AcceptedView = remote.client()?.delete(&format!("api-tokens/{id}"))?;
            match screen.form {
                Form::Json => screen.json(&done)?,
                Form::Text => screen.line(&done.message)?,
            }
        }
    }
    Ok(Outcome::Clean)
}

fn table(tokens: Vec<ApiTokenView>, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let now = now();
    let rows = tokens.into_iter().map(|token| {
        let state = match token.revoked {
            Some(_) => "revoked".to_owned(),
            None if now >= token.expires => "expired".to_owned(),
            None => format!("until {}", stamp(token.expires)),
        };
        let (role, group) = (token.role.to_string(), or_dash(token.group));
        vec![token.id, token.name, role, group, token.created_by, state, ago(token.last_used, now)]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    screen.table(&["id", "for", "role", "group", "made by", "state", "used"], rows, "there are no API tokens")
}
