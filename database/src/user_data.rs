//! User data, what guests run when they first boot: written with the instance, read when its config drive
//! is made, removed when it is deleted. Never part of a list of instances.

use std::collections::HashMap;

use async_trait::async_trait;
use cuttle_model::ids::InstanceId;

use crate::Result;

/// What is known of user data. It is as it was sent: base64.
#[async_trait]
pub trait UserData {
    /// This instance's.
    async fn get_user_data(&self, instance: InstanceId) -> Result<Option<String>>;

    /// That of those of the instances that have some; one query.
    async fn list_user_data(&self, instances: &[InstanceId]) -> Result<HashMap<InstanceId, String>>;

    /// Forgets it. What is gone already is a success.
    async fn delete_user_data(&self, instance: InstanceId) -> Result<()>;
}
