//! How a token looks on the wire.

use cuttle_model::identity::{AnyRole, DEFAULT_DOMAIN, DEFAULT_DOMAIN_NAME, Role, TokenGrant};
use serde_json::{Value, json};

use crate::identity::catalog::catalog;
use crate::shared::Shared;
use crate::web::address::Address;

/// What a token grants, with the implied roles; the catalog only in scoped tokens, as in Keystone.
pub fn token(shared: &Shared, grant: &TokenGrant, address: &Address, with_catalog: bool) -> Value {
    let domain = json!({ "id": DEFAULT_DOMAIN, "name": DEFAULT_DOMAIN_NAME });
    let mut shown = json!({
        "methods": grant.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
        "user": { "id": grant.user.id, "name": grant.user.name, "domain": domain, "password_expires_at": null },
        "audit_ids": [grant.audit_id],
        "issued_at": grant.issued_at.to_micros_z(),
        "expires_at": grant.expires_at.to_micros_z(),
    });
    if let Some(project) = &grant.project {
        let implied = grant.role.into_iter().flat_map(Role::implied).map(AnyRole::Known);
        let roles = implied.chain(grant.custom_roles.iter().cloned().map(AnyRole::Custom));
        let roles = roles.map(|role| json!({ "id": role.id(), "name": role.name() }));
        shown["project"] = json!({ "id": project.id, "name": project.name, "domain": domain });
        shown["is_domain"] = json!(false);
        shown["roles"] = roles.collect();
        if with_catalog {
            shown["catalog"] = catalog(&shared.region, address);
        }
    }
    if let Some(credential) = &grant.application_credential {
        shown["application_credential"] =
            json!({ "id": credential.id, "name": credential.name, "restricted": !credential.may_delegate });
    }
    json!({ "token": shown })
}
