//! The confirm question, asked over a connection opened for it alone. Must not reuse any other.

use super::connect::{LinkError, connect};
use super::tls::Identity;
use crate::settings::Settings;
use proto::convert::{ConfirmQuestion, Verdict};
use std::time::Duration;

/// Longest time of one try at one coordinator, connection included.
pub const CONFIRM_TRY: Duration = Duration::from_secs(10);

/// Asks the coordinators in order; the first answer counts.
pub async fn confirm(settings: &Settings, question: &ConfirmQuestion) -> Result<Verdict, LinkError> {
    let mut last = None;
    for address in &settings.coordinators {
        let asked = tokio::time::timeout(CONFIRM_TRY, ask(settings, address, question)).await;
        match asked {
            Ok(Ok(verdict)) => return Ok(verdict),
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = Some(LinkError::Silent { address: address.clone(), after: CONFIRM_TRY }),
        }
    }
    Err(last.unwrap_or(LinkError::Ended { address: "none".to_owned() }))
}

async fn ask(settings: &Settings, address: &str, question: &ConfirmQuestion) -> Result<Verdict, LinkError> {
    let mut client = connect(settings, address, Identity::Host).await?;
    let response = client.confirm(proto::v1::ConfirmRequest::from(question.clone())).await;
    let response = response
        .map_err(|status| LinkError::Refused { address: address.to_owned(), status: Box::new(status) })?;
    Verdict::try_from(response.into_inner())
        .map_err(|source| LinkError::Wire { address: address.to_owned(), source })
}
