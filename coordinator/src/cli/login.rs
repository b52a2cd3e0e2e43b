//! `pointsman login|logout|whoami`: a session at the coordinator, kept for this account.
//!
//! With a password, or at the coordinator's OIDC provider: then an address is printed for a browser on this machine, which
//! comes back to a port of 127.0.0.1 with a code. Nothing is opened, and the code is worth nothing to anybody else.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::password::PasswordSource;
use super::screen::{Form, Screen, or_dash, printable};
use super::sessions::{KeptSession, Sessions};
use super::time::{now, stamp};
use crate::api::views::{
    AcceptedView, RedeemRequest, SessionView, SignInMethodsView, SignInRequest, WhoamiView,
};
use crate::people::fresh_secret;
use crate::people::oidc::challenge_of;
use crate::store::sessions::SessionKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long the browser may take.
const BROWSER_LIMIT: Duration = Duration::from_secs(5 * 60);
/// How long one request of the browser may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// Largest request of the browser, in bytes.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// What a code of ours looks like: so many hexadecimal digits.
const CODE_CHARS: usize = 64;

/// Arguments of `login`.
#[derive(Debug, clap::Args)]
pub struct LoginArgs {
    /// Sign in as this local user, with a password; without it at the OIDC provider, if there is one.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `logout` and `whoami`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub fn login(args: &LoginArgs, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let remote = &args.remote;
    let no_home =
        || CliError::Usage("there is no place to keep a session: name one with --session-file".to_owned());
    let mut sessions = Sessions::load(remote.session_file.as_ref())?.ok_or_else(no_home)?;
    let client = remote.nobody()?;
    let methods: SignInMethodsView = client.get("sign-in-methods")?;
    let session: SessionView = match (&args.user, &methods.oidc) {
        (Some(user), _) => {
            let password = args.password.read(&format!("Password of {user}: "), screen)?;
            let request = SignInRequest { user: user.clone(), password, kind: SessionKind::Cli };
            client.post("session", &request)?
        }
        (None, Some(_)) => {
            let request = by_browser(client.base(), screen)?;
            client.post("oidc/redeem", &request)?
        }
        (None, None) => {
            let message = "this coordinator has no OIDC provider: name a local user with --user";
            return Err(CliError::Usage(message.to_owned()));
        }
    };
    let SessionView { user, expires, token, csrf: _ } = session;
    let missing = || CliError::Failed("the coordinator's answer holds no session".to_owned());
    let kept = KeptSession { user: user.to_string(), token: token.ok_or_else(missing)?, expires };
    sessions.keep(client.base(), kept, now())?;
    match screen.form {
        Form::Json => screen.json(&serde_json::json!({ "user": user, "expires": expires }))?,
        Form::Text => screen.line(format_args!("signed in as {user} until {}", stamp(expires)))?,
    }
    Ok(Outcome::Clean)
}

/// Has a browser on this machine sign in, and takes the code it brings.
fn by_browser(base: &str, screen: &mut Screen<'_>) -> Result<RedeemRequest, CliError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
    let verifier = fresh_secret("").map_err(CliError::failed)?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).map_err(CliError::failed)?;
    let port = listener.local_addr().map_err(CliError::failed)?.port();
    let challenge = challenge_of(verifier.expose());
    screen.remark("Open this address in a browser on this machine:")?;
    screen.remark(format_args!("{base}/api/v1/oidc/login?port={port}&challenge={challenge}"))?;
    screen.err.flush()?;
    let code =
        runtime.block_on(async { tokio::time::timeout(BROWSER_LIMIT, wait_for_code(&listener)).await });
    let late =
        |_| CliError::Failed("nobody signed in within 5 minutes: run `pointsman login` again".to_owned());
    let code = code.map_err(late)?.map_err(CliError::failed)?;
    Ok(RedeemRequest { code, verifier: verifier.expose().to_owned() })
}

async fn wait_for_code(listener: &TcpListener) -> std::io::Result<String> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let request = tokio::time::timeout(REQUEST_LIMIT, read_request(&mut stream)).await;
        // What is slow or broken is not the browser we wait for.
        let Ok(Ok(request)) = request else { continue };
        let code = code_of(&request);
        let (status, text) = match &code {
            Some(_) => ("200 OK", "You are signed in. You can close this page.\n"),
            None => ("404 Not Found", "There is nothing here.\n"),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        // The code counts, also when the browser does not wait for our words.
        let _ = stream.write_all(answer.as_bytes()).await;
        if let Some(code) = code {
            return Ok(code);
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        match stream.read(&mut part).await? {
            0 => break,
            read => request.extend_from_slice(part.get(..read).unwrap_or_default()),
        }
    }
    Ok(String::from_utf8_lossy(&request).into_owned())
}

/// The code in `GET /?code=.. HTTP/1.1`.
fn code_of(request: &str) -> Option<String> {
    let target = request.lines().next()?.strip_prefix("GET ")?.split(' ').next()?;
    let code = target.strip_prefix("/?code=")?;
    let fits = code.len() == CODE_CHARS && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| code.to_owned())
}

pub fn logout(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let remote = &args.remote;
    let base = remote.base()?;
    let kept = Sessions::load(remote.session_file.as_ref())?;
    let Some(mut sessions) = kept.filter(|sessions| sessions.of(&base, now()).is_some()) else {
        screen.line("you are not signed in there")?;
        return Ok(Outcome::Clean);
    };
    let told: Result<AcceptedView, CliError> = remote.client().and_then(|client| client.delete("session"));
    // Forgotten here whatever the coordinator says: that is what was asked for.
    sessions.forget(&base)?;
    match told {
        Ok(_) => screen.line("signed out")?,
        Err(CliError::Refused { status: 401, .. }) => screen.line("the session was over already")?,
        Err(error) => return Err(error),
    }
    Ok(Outcome::Clean)
}

pub fn whoami(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let who: WhoamiView = args.remote.client()?.get("whoami")?;
    match screen.form {
        Form::Json => screen.json(&who)?,
        Form::Text => {
            let roles: Vec<&str> = who.roles.iter().map(|role| role.as_str()).collect();
            screen.line(format_args!("who    {}", printable(&who.actor)))?;
            screen.line(format_args!("roles  {}", roles.join(", ")))?;
            screen.line(format_args!("email  {}", or_dash(who.email.map(|email| printable(&email)))))?;
            if let Some(role) = who.token_role {
                screen.line(format_args!("token  {role}, group {}", or_dash(who.group)))?;
            }
        }
    }
    Ok(Outcome::Clean)
}
