//! Reviews of branches that are not merged: what would become of the fleet.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::views::ReviewRequest;
use super::Answer;
use crate::review::ReviewFacts;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

/// Longest name of a branch, in bytes.
const BRANCH_BYTES_MAX: usize = 250;

pub async fn create(
    State(parts): State<ApiParts>,
    body: Result<Json<ReviewRequest>, JsonRejection>,
) -> Answer<ReviewFacts> {
    let Json(ReviewRequest { branch }) = body?;
    if branch.is_empty() || branch.len() > BRANCH_BYTES_MAX {
        return Err(ApiError::bad_request("name a branch of the configuration repository"));
    }
    parts.operations.review_branch(branch).await.map(Json).map_err(ApiError::from)
}
