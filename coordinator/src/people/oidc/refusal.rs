//! Why a sign-in at the provider was not taken: one word each for the audit trail.

/// Why a sign-in at the provider was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcRefusal {
    /// No such sign-in: never begun here, too old, or finished before.
    #[error("this sign-in was not begun here, is too old, or was used before")]
    UnknownState,
    /// Another browser began it.
    #[error("another browser began this sign-in")]
    OtherBrowser,
    /// The answer came from another provider.
    #[error("the answer names another provider")]
    OtherProvider,
    /// The provider said no.
    #[error("the provider refused: {0}")]
    ProviderSaidNo(String),
    /// The provider does not answer, or not as it must.
    #[error("the provider cannot be used: {0}")]
    Provider(String),
    /// The provider sends us elsewhere.
    #[error("the provider answers with a redirect, which is not followed")]
    Redirected,
    /// More bytes than any provider needs.
    #[error("the provider's answer is too large")]
    TooLarge,
    /// The signed answer is not of the form it must have.
    #[error("the signed answer is malformed: {0}")]
    Malformed(&'static str),
    /// Signed in a way we do not take.
    #[error("the signed answer uses an algorithm that is not taken here")]
    Algorithm,
    /// Signed with a key the provider does not list.
    #[error("the signed answer names a key that the provider does not list")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the signature does not fit")]
    Signature,
    /// Made by another provider.
    #[error("the signed answer is of another issuer")]
    Issuer,
    /// Made for somebody else.
    #[error("the signed answer is not for us")]
    Audience,
    /// Too old, or not yet good.
    #[error("the signed answer is out of its time: {0}")]
    Time(&'static str),
    /// Not the answer to our question.
    #[error("the signed answer is not the one to this sign-in")]
    Nonce,
    /// The access token beside it is another one.
    #[error("the signed answer does not belong to the access token beside it")]
    AccessToken,
    /// The provider shows somebody else than it signed for.
    #[error("the provider shows another person than it signed for")]
    OtherSubject,
    /// Nobody is named in a way we can use.
    #[error("the signed answer names nobody that can be a user here: {0}")]
    Name(&'static str),
    /// No group of theirs has a role.
    #[error("none of your groups has a role here: ask an administrator")]
    NoRole,
    /// An administrator shut them out.
    #[error("the user is disabled here")]
    Disabled,
    /// The name is somebody else's here.
    #[error("there is another user of that name here: ask an administrator")]
    NameTaken,
    /// The command line that redeems is not the one that began.
    #[error("the code is unknown, too old, or of another command line")]
    Code,
}

impl OidcRefusal {
    /// The word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UnknownState => "unknown_state",
            Self::OtherBrowser => "other_browser",
            Self::OtherProvider => "other_provider",
            Self::ProviderSaidNo(_) => "provider_said_no",
            Self::Provider(_) => "provider",
            Self::Redirected => "redirected",
            Self::TooLarge => "too_large",
            Self::Malformed(_) => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Time(_) => "time",
            Self::Nonce => "nonce",
            Self::AccessToken => "access_token",
            Self::OtherSubject => "other_subject",
            Self::Name(_) => "name",
            Self::NoRole => "no_role",
            Self::Disabled => "disabled",
            Self::NameTaken => "name_taken",
            Self::Code => "code",
        }
    }
}
