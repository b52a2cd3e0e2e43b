//! Users: listed, made, changed; passwords set.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::views::{
    AcceptedView, PageView, PasswordRequest, UserChangeRequest, UserRequest, UserView,
};
use super::super::who::Who;
use super::Answer;
use crate::people::{UserChange, UserName, UserToAdd};
use crate::store::users::{Account, UserRecord};
use crate::tasks::wall_now;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};

pub async fn list(State(parts): State<ApiParts>) -> Answer<PageView<UserView>> {
    let users = parts.people.users().await?;
    Ok(Json(PageView::whole(users.into_iter().map(view).collect())))
}

pub async fn add(
    State(parts): State<ApiParts>,
    who: Who,
    body: Result<Json<UserRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    let Json(UserRequest { name, email, roles, password }) = body?;
    let message = format!("user {name} was made");
    parts.people.add_user(&who, UserToAdd { name, email, roles, password }, wall_now()).await?;
    Ok(Json(AcceptedView { message }))
}

pub async fn change(
    State(parts): State<ApiParts>,
    who: Who,
    Path(name): Path<String>,
    body: Result<Json<UserChangeRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    let Json(UserChangeRequest { status, roles, email }) = body?;
    let name = known(&name)?;
    parts.people.change_user(&who, &name, UserChange { status, roles, email }, wall_now()).await?;
    Ok(Json(AcceptedView { message: format!("user {name} was changed") }))
}

pub async fn set_password(
    State(parts): State<ApiParts>,
    who: Who,
    Path(name): Path<String>,
    body: Result<Json<PasswordRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    let Json(PasswordRequest { before, password }) = body?;
    let name = known(&name)?;
    parts.people.set_password(&who, &name, (before, password), wall_now()).await?;
    Ok(Json(AcceptedView { message: format!("the password of {name} was set; their sessions ended") }))
}

fn known(name: &str) -> Result<UserName, ApiError> {
    name.parse().map_err(|_| ApiError::not_found("user", name))
}

fn view(record: UserRecord) -> UserView {
    let UserRecord {
        name,
        account,
        status,
        email,
        roles,
        failures: _,
        locked_until,
        created_by,
        created,
        last_login,
    } = record;
    let kind = match account {
        Account::Local { .. } => "local",
        Account::Oidc { .. } => "oidc",
    };
    UserView {
        name,
        kind: kind.to_owned(),
        status,
        roles: roles.into_iter().collect(),
        email,
        locked_until,
        created_by,
        created,
        last_login,
    }
}
