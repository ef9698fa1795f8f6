//! Roles that administrators make, and who has which role where.

use async_trait::async_trait;
use cuttle_model::identity::{AnyRole, Assignment, CustomRole};
use cuttle_model::ids::{ProjectId, RoleId, UserId};

use crate::Result;
use crate::flavors::Inserted;
use crate::identity::Updated;

/// Roles and assignments. Taking a role away voids the tokens that were made with it at once.
#[async_trait]
pub trait Assignments {
    async fn insert_role(&self, role: &CustomRole) -> Result<Inserted>;
    /// The custom roles, by name.
    async fn list_roles(&self) -> Result<Vec<CustomRole>>;
    /// Writes name and description.
    async fn update_role(&self, role: &CustomRole) -> Result<Updated<CustomRole>>;
    /// Removes a custom role and whatever assigns it; false if there was none.
    async fn delete_role(&self, id: RoleId) -> Result<bool>;

    /// Gives a user a role in a project; giving it again changes nothing. False if one of the three
    /// does not exist.
    async fn assign(&self, user: UserId, project: ProjectId, role: &AnyRole) -> Result<bool>;
    /// Takes a role away, with the tokens of the user in that project and the application credentials
    /// that hold the role; false if the user did not have it.
    async fn unassign(&self, user: UserId, project: ProjectId, role: &AnyRole) -> Result<bool>;
    /// The roles of a user in a project.
    async fn roles_in(&self, user: UserId, project: ProjectId) -> Result<Vec<AnyRole>>;
    /// Assignments by project, user and role. One query.
    async fn list_assignments(&self, query: &AssignmentQuery) -> Result<Vec<Assignment>>;
}

/// Which assignments are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct AssignmentQuery {
    pub user: Option<UserId>,
    pub project: Option<ProjectId>,
}
