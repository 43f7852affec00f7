//! Branches of a Neon project, over version 2 of its API.

use super::{Branch, BranchId, BranchName, Deleted, Kind, Provider, Urls, Wanted};
use crate::error::{Code, Failure};

/// A project at Neon.
#[derive(Debug, Clone)]
pub struct Neon {}

impl Provider for Neon {
    fn kind(&self) -> Kind {
        Kind::Neon
    }
    fn apart(&self) -> Self {
        self.clone()
    }
    async fn create(&self, _wanted: &Wanted) -> Result<Branch, Failure> {
        Err(unreachable())
    }
    async fn ready(&self, _branch: &Branch) -> Result<(), Failure> {
        Err(unreachable())
    }
    async fn urls(&self, _branch: &Branch) -> Result<Urls, Failure> {
        Err(unreachable())
    }
    async fn list(&self) -> Result<Vec<Branch>, Failure> {
        Err(unreachable())
    }
    async fn find(&self, _name: &BranchName) -> Result<Option<Branch>, Failure> {
        Err(unreachable())
    }
    async fn delete(&self, _branch: &BranchId) -> Result<Deleted, Failure> {
        Err(unreachable())
    }
    async fn undo(&self, _wanted: &Wanted) -> Result<Deleted, Failure> {
        Err(unreachable())
    }
}

fn unreachable() -> Failure {
    Failure::new(Code::BranchApi, "the API cannot be reached")
}
