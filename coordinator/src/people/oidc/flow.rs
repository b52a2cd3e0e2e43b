//! The way of a sign-in: begun here, at the provider, back, and, for a command line, redeemed. Each step is good once.
//!
//! Owns: what is remembered between the steps, users made from what the provider says, audit entries of refusals. Must
//! not: know HTTP. Called by the OIDC routes of `api`.

use super::claims::Vouched;
use super::provider::OidcProvider;
use super::refusal::OidcRefusal;
use super::text::{challenge_of, is_challenge};
use crate::people::secret::{fresh_secret, hash, hash_of, same};
use crate::people::service::{People, PeopleError, note};
use crate::people::sign_in::{SignedIn, begin_session};
use crate::store::logins::{self, LoginRecord, Waiting};
use crate::store::sessions::SessionKind;
use crate::store::users::{self, Account, NewUser, UserName, UserStatus};
use crate::store::{StoreError, Tx};
use model::{Millis, Secret, Wall};
use serde_json::json;
use std::collections::BTreeSet;

/// How long somebody may take at the provider: 10 minutes.
const LOGIN_LIFE: Millis = Millis(10 * 60 * 1000);
/// How long a command line may take to redeem: 1 minute.
const CODE_LIFE: Millis = Millis(60 * 1000);
/// Sign-ins under way at a time.
const LOGINS_MAX: u64 = 1000;
/// Longest code or state that is looked at, in bytes.
const WORD_BYTES_MAX: usize = 2048;

/// A sign-in that begins.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// What its cookie holds.
    pub browser: Secret,
}

/// What came back with the browser.
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// The state we gave.
    pub state: String,
    /// The provider's code.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// The provider's name.
    pub issuer: Option<String>,
    /// What the browser's cookie holds.
    pub browser: Option<String>,
    /// Where it came from.
    pub source: String,
}

/// A sign-in that came back.
#[derive(Debug)]
pub enum Finished {
    /// A session of the browser.
    Browser(SignedIn),
    /// A command line waits: send the browser there with the code.
    CommandLine {
        /// Its port, on the browser's machine.
        port: u16,
        /// The code.
        code: Secret,
    },
}

impl People {
    fn provider(&self) -> Result<&OidcProvider, PeopleError> {
        let missing =
            || PeopleError::Invalid("no OIDC provider is set up here: sign in with a password".to_owned());
        self.inner.oidc.as_deref().ok_or_else(missing)
    }

    /// The provider people can sign in at.
    #[must_use]
    pub fn oidc_issuer(&self) -> Option<&str> {
        self.inner.oidc.as_deref().map(OidcProvider::issuer)
    }

    /// Begins a sign-in, maybe for a command line that waits.
    pub async fn oidc_begin(&self, waiting: Option<Waiting>, now: Wall) -> Result<Begun, PeopleError> {
        let provider = self.provider()?;
        if waiting.as_ref().is_some_and(|waiting| waiting.port == 0 || !is_challenge(&waiting.challenge)) {
            let message = "the command line's port or challenge makes no sense: run `pointsman login` again";
            return Err(PeopleError::Invalid(message.to_owned()));
        }
        let (state, nonce) = (fresh_secret("")?, fresh_secret("")?);
        let (verifier, browser) = (fresh_secret("")?, fresh_secret("")?);
        let url = provider.sign_in_url(state.expose(), nonce.expose(), verifier.expose(), now).await;
        let url = url.map_err(|refusal| refused(&refusal))?;
        let mut tx = self.inner.db.begin().await?;
        logins::prune(&mut tx, now).await?;
        let login = LoginRecord {
            browser_hash: hash_of(&browser),
            nonce: nonce.expose().to_owned(),
            verifier: verifier.expose().to_owned(),
            waiting,
            expires: now.plus(LOGIN_LIFE),
        };
        logins::begin(&mut tx, &hash_of(&state), &login).await?;
        tx.commit().await?;
        if logins::count(&self.inner.db).await? > LOGINS_MAX {
            let mut tx = self.inner.db.begin().await?;
            logins::take(&mut tx, &hash_of(&state)).await?;
            tx.commit().await?;
            return Err(PeopleError::Busy);
        }
        Ok(Begun { url, browser })
    }

    /// Takes a sign-in back from the provider.
    pub async fn oidc_finish(&self, returned: Returned, now: Wall) -> Result<Finished, PeopleError> {
        let source = returned.source.clone();
        let provider = self.provider()?;
        let login = match self.take_login(&returned, now).await? {
            Ok(login) => login,
            Err(refusal) => return self.oidc_refuse(&refusal, &source, now).await,
        };
        match self.vouch(provider, &returned, &login, now).await {
            Ok(vouched) => self.admit(provider, vouched, login.waiting, &source, now).await,
            Err(refusal) => self.oidc_refuse(&refusal, &source, now).await,
        }
    }

    async fn take_login(
        &self,
        returned: &Returned,
        now: Wall,
    ) -> Result<Result<LoginRecord, OidcRefusal>, StoreError> {
        if returned.state.len() > WORD_BYTES_MAX {
            return Ok(Err(OidcRefusal::UnknownState));
        }
        let mut tx = self.inner.db.begin().await?;
        let login = logins::take(&mut tx, &hash(&returned.state)).await?;
        tx.commit().await?;
        let Some(login) = login.filter(|login| now < login.expires) else {
            return Ok(Err(OidcRefusal::UnknownState));
        };
        let browser = returned.browser.as_deref().map(hash);
        let its_own = browser.is_some_and(|browser| same(&browser, &login.browser_hash));
        Ok(if its_own { Ok(login) } else { Err(OidcRefusal::OtherBrowser) })
    }

    async fn vouch(
        &self,
        provider: &OidcProvider,
        returned: &Returned,
        login: &LoginRecord,
        now: Wall,
    ) -> Result<Vouched, OidcRefusal> {
        provider.check_source(returned.issuer.as_deref(), now).await?;
        if let Some(error) = &returned.error {
            return Err(OidcRefusal::ProviderSaidNo(super::http::word(error)));
        }
        let code = returned.code.as_deref().filter(|code| !code.is_empty() && code.len() <= WORD_BYTES_MAX);
        let code = code.ok_or(OidcRefusal::Malformed("it came without a code"))?;
        provider.redeem(code, &login.verifier, &login.nonce, now).await
    }

    /// Makes or renews the user, and begins what was asked for.
    async fn admit(
        &self,
        provider: &OidcProvider,
        vouched: Vouched,
        waiting: Option<Waiting>,
        source: &str,
        now: Wall,
    ) -> Result<Finished, PeopleError> {
        let roles = provider.settings.roles_of(&vouched.groups).0;
        let refusal = if roles.is_empty() { Some(OidcRefusal::NoRole) } else { None };
        let known = users::of_subject(&self.inner.db, provider.issuer(), &vouched.subject).await?;
        let refusal = match &known {
            Some(user) if user.status == UserStatus::Disabled => Some(OidcRefusal::Disabled),
            None if users::get(&self.inner.db, &vouched.name).await?.is_some() => {
                Some(OidcRefusal::NameTaken)
            }
            Some(_) | None => refusal,
        };
        if let Some(refusal) = refusal {
            return self.oidc_refuse(&refusal, source, now).await;
        }
        let mut tx = self.inner.db.begin().await?;
        let name = match known {
            Some(user) => {
                users::set_roles(&mut tx, &user.name, &roles).await?;
                users::set_email(&mut tx, &user.name, vouched.email.as_deref()).await?;
                user.name
            }
            None => make_user(&mut tx, provider, vouched, &roles, now).await?,
        };
        let finished = match waiting {
            None => {
                Finished::Browser(begin_session(&mut tx, &name, SessionKind::Browser, source, now).await?)
            }
            Some(Waiting { port, challenge }) => {
                let code = fresh_secret("")?;
                logins::add_code(&mut tx, &hash_of(&code), &name, &challenge, now.plus(CODE_LIFE)).await?;
                Finished::CommandLine { port, code }
            }
        };
        tx.commit().await?;
        Ok(finished)
    }

    /// Gives the command line that began a sign-in its session.
    pub async fn oidc_redeem(
        &self,
        code: &str,
        verifier: &str,
        source: &str,
        now: Wall,
    ) -> Result<SignedIn, PeopleError> {
        let mut tx = self.inner.db.begin().await?;
        let taken = logins::take_code(&mut tx, &hash(code)).await?;
        let good = taken
            .filter(|(_, challenge, expires)| now < *expires && same(&challenge_of(verifier), challenge));
        let Some((user, ..)) = good else {
            // The code is spent all the same.
            tx.commit().await?;
            return self.oidc_refuse(&OidcRefusal::Code, source, now).await;
        };
        let active = users::get(&self.inner.db, &user).await?;
        if active.is_none_or(|user| user.status == UserStatus::Disabled) {
            tx.commit().await?;
            return self.oidc_refuse(&OidcRefusal::Disabled, source, now).await;
        }
        let signed_in = begin_session(&mut tx, &user, SessionKind::Cli, source, now).await?;
        tx.commit().await?;
        Ok(signed_in)
    }

    async fn oidc_refuse<T>(&self, refusal: &OidcRefusal, source: &str, now: Wall) -> Result<T, PeopleError> {
        tracing::warn!(why = refusal.kind(), %refusal, "a sign-in at the OIDC provider was refused");
        let mut tx = self.inner.db.begin().await?;
        let detail = json!({ "why": refusal.kind(), "source": source, "means": "oidc" });
        note(&mut tx, now, "nobody", "session.refused", "user/unknown".to_owned(), detail).await?;
        tx.commit().await?;
        Err(refused(refusal))
    }
}

fn refused(refusal: &OidcRefusal) -> PeopleError {
    PeopleError::ProviderRefused(format!("the sign-in was refused: {refusal}"))
}

async fn make_user(
    tx: &mut Tx,
    provider: &OidcProvider,
    vouched: Vouched,
    roles: &BTreeSet<crate::store::users::Role>,
    now: Wall,
) -> Result<UserName, PeopleError> {
    let Vouched { subject, name, email, groups: _ } = vouched;
    let created_by = format!("oidc:{}", provider.issuer());
    let detail = json!({ "roles": roles, "email": email, "subject": subject });
    let user = NewUser {
        name: name.clone(),
        account: Account::Oidc { issuer: provider.issuer().to_owned(), subject },
        email,
        roles: roles.clone(),
        created_by: created_by.clone(),
        created: now,
    };
    users::create(tx, &user).await?;
    note(tx, now, &created_by, "user.created", format!("user/{name}"), detail).await?;
    Ok(name)
}
