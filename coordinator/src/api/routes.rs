//! Routes that say who may use them. There is no other way to add one, and admission refuses what is not declared.
//!
//! Owns: the list of declared routes. Must not: decide about a request (`admission` does). Called by `v1`.

use super::ApiParts;
use crate::people::Permission;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use std::collections::BTreeMap;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, also who has not said who they are. For signing in and for "are you alive".
    Open,
    /// Who has this permission for the whole fleet.
    Needs(Permission),
    /// As `Needs`; also API tokens that are limited to one group: the handler asks [`super::who::Who::group`].
    InGroup(Permission),
}

impl From<Permission> for Access {
    fn from(permission: Permission) -> Self {
        Self::Needs(permission)
    }
}

/// Routes and who may use them.
pub struct Routes {
    router: Router<ApiParts>,
    declared: Declared,
}

/// Who may use which route: path below the prefix, then method.
#[derive(Debug, Clone, Default)]
pub struct Declared(BTreeMap<&'static str, Vec<(Method, Access)>>);

impl Routes {
    pub fn new() -> Self {
        Self { router: Router::new(), declared: Declared::default() }
    }

    pub fn get<H, T>(self, path: &'static str, access: impl Into<Access>, handler: H) -> Self
    where
        H: Handler<T, ApiParts>,
        T: 'static,
    {
        self.add(Method::GET, MethodFilter::GET, (path, access.into()), handler)
    }

    pub fn post<H, T>(self, path: &'static str, access: impl Into<Access>, handler: H) -> Self
    where
        H: Handler<T, ApiParts>,
        T: 'static,
    {
        self.add(Method::POST, MethodFilter::POST, (path, access.into()), handler)
    }

    pub fn patch<H, T>(self, path: &'static str, access: impl Into<Access>, handler: H) -> Self
    where
        H: Handler<T, ApiParts>,
        T: 'static,
    {
        self.add(Method::PATCH, MethodFilter::PATCH, (path, access.into()), handler)
    }

    pub fn delete<H, T>(self, path: &'static str, access: impl Into<Access>, handler: H) -> Self
    where
        H: Handler<T, ApiParts>,
        T: 'static,
    {
        self.add(Method::DELETE, MethodFilter::DELETE, (path, access.into()), handler)
    }

    fn add<H, T>(
        mut self,
        method: Method,
        filter: MethodFilter,
        (path, access): (&'static str, Access),
        handler: H,
    ) -> Self
    where
        H: Handler<T, ApiParts>,
        T: 'static,
    {
        self.declared.0.entry(path).or_default().push((method, access));
        Self { router: self.router.route(path, on(filter, handler)), declared: self.declared }
    }

    /// The parts: what serves, and who may.
    pub fn split(self) -> (Router<ApiParts>, Declared) {
        (self.router, self.declared)
    }
}

/// What is declared about a method of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Who may use it.
    Declared(Access),
    /// The path is there, with other methods.
    OtherMethod,
    /// Nothing: nobody may.
    Nothing,
}

impl Declared {
    /// What is declared. HEAD is as GET.
    pub fn find(&self, method: &Method, path: &str) -> Found {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let Some(methods) = self.0.get(path) else { return Found::Nothing };
        methods
            .iter()
            .find(|(known, _)| known == method)
            .map_or(Found::OtherMethod, |(_, access)| Found::Declared(*access))
    }

    /// Everything, for the test that walks it.
    #[cfg(test)]
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Method, Access)> {
        self.0
            .iter()
            .flat_map(|(path, methods)| methods.iter().map(move |(method, access)| (*path, method, *access)))
    }
}
