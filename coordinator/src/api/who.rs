//! Who asks, as handlers see it. Must not: be made by anything but admission. Called by handlers, as an extractor.

use super::error::ApiError;
use crate::people::Identity;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::HostGroupId;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// The person behind a request that admission let through.
#[derive(Debug, Clone)]
pub struct Who(pub Arc<Identity>);

impl Deref for Who {
    type Target = Identity;
    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl Who {
    /// Whether they may look at and act on something of this group.
    pub fn reaches(&self, group: Option<&HostGroupId>) -> bool {
        self.group().is_none_or(|own| group == Some(own))
    }
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let missing = || ApiError::internal("nobody is named for this request: please report this");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source(pub IpAddr);

impl Source {
    /// A request that came over no connection: tests call the router directly.
    pub const NOWHERE: Self = Self(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));

    /// Whose budget it uses: an IPv6 customer has a whole /64.
    pub fn budget(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            four => four,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self::NOWHERE))
    }
}
