//! Several servers of one request: as many as were asked for; or as the quota has room for, if these are
//! enough; or none.

use std::time::Duration;

use cuttle_model::instance::Instance;
use cuttle_model::machine::Request;
use cuttle_operations::config_drive::password::AdminPassword;
use cuttle_operations::create::{CreateInstance, create};
use cuttle_operations::{RequestError, power};
use futures::future::join_all;
use secrecy::SecretString;

use crate::error::ApiError;
use crate::shared::{Controlled, Shared};
use crate::web::caller::Caller;

/// How long an answer waits for the config drive that carries the password; later, it is not told.
const PASSWORD_PATIENCE: Duration = Duration::from_secs(30);

/// What is made so many times.
pub struct Order {
    pub template: CreateInstance,
    /// For the servers' administrators.
    pub password: Option<SecretString>,
    /// Fewer are none.
    pub least: u64,
    pub most: u64,
    /// Each has its number behind its name.
    pub is_numbered: bool,
}

/// The servers, and whether their guests have the password.
pub async fn make(state: &Controlled, caller: &Caller, order: &Order) -> Result<(Vec<Instance>, bool), ApiError> {
    let requester = caller.requester()?;
    let (mut made, mut deliveries) = (Vec::new(), Vec::new());
    for index in 0..order.most {
        let (admin_password, delivery) = order.password.clone().map(AdminPassword::new).unzip();
        let mut request = order.of(index);
        request.guest.admin_password = admin_password;
        match create(&state.control, &requester, request).await {
            Ok(instance) => made.push(instance),
            // Others were quicker.
            Err(RequestError::OverQuota(_)) if u64::try_from(made.len()).is_ok_and(|made| made >= order.least) => break,
            Err(error @ RequestError::OverQuota(_)) => {
                for instance in &made {
                    power::request(&state.control, &requester, instance.id, Request::Delete).await?;
                }
                return Err(error.into());
            }
            Err(error) => return Err(super::create::refused(error, &order.template.flavor, &order.template.image)),
        }
        deliveries.extend(delivery);
    }
    let delivered = join_all(deliveries.into_iter().map(|delivery| delivery.within(PASSWORD_PATIENCE))).await;
    Ok((made, delivered.into_iter().all(|delivered| delivered)))
}

impl Order {
    fn of(&self, index: u64) -> CreateInstance {
        let template = self.template.clone();
        if !self.is_numbered {
            return template;
        }
        let numbered = |name: String| format!("{name}-{}", index + 1);
        let (name, hostname) = (numbered(template.name), template.hostname.map(numbered));
        CreateInstance { name, hostname, launch_index: u32::try_from(index).unwrap_or(u32::MAX), ..self.template.clone() }
    }
}

/// `r-` and eight characters: names the servers of one request.
pub fn reservation_id(shared: &Shared) -> String {
    format!("r-{}", &shared.ids.uuid().simple().to_string()[..8])
}
