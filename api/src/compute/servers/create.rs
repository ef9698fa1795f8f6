//! `POST /servers`: asks for one or several instances.

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cuttle_model::flavor::{Flavor, FlavorId, GIB};
use cuttle_model::ids::Ids;
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::Instance;
use cuttle_model::keypair::Keypair;
use cuttle_model::quota::Resource;
use cuttle_operations::RequestError;
use cuttle_operations::config_drive::GuestInputs;
use cuttle_operations::create::CreateInstance;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::compute::links::links;
use crate::compute::microversion::Microversion;
use crate::compute::servers::boot::Boot;
use crate::compute::servers::metadata::check_count;
use crate::compute::servers::schema;
use crate::compute::servers::several::{self, Order};
use crate::compute::{flavors, keypairs, quotas};
use crate::error::ApiError;
use crate::image::images;
use crate::shared::{Controlled, Shared};
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;

pub async fn handle(
    State(state): State<Controlled>,
    caller: Caller,
    version: Microversion,
    address: Address,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    schema::CREATE.check(version, &body)?;
    let boot = Boot::read(&body)?;
    let flavor = flavor(&state.shared, &caller, &boot).await?;
    let image = image(&state.shared, &caller, &boot).await?;
    check_fit(&flavor, &image)?;
    let keypair = match &boot.key_name {
        Some(name) => Some(keypairs::of_server(&state.shared, &caller, name).await?),
        None => None,
    };
    let password = admin_password(&state, &boot)?;
    let quota = quotas::scope(&state.shared, &caller)?;
    let limits = state.shared.database.get_quota(&quota).await?;
    check_count(boot.metadata.len(), limits.of_user(Resource::MetadataItems))?;
    let most = quotas::room::count(&state.shared, &quota, &limits, &flavor, boot.least, boot.count).await?;
    let wishes = boot.wanted.resolve(&state.shared, &caller).await?;
    let reservation_id = several::reservation_id(&state.shared);
    let template = CreateInstance {
        reservation_id: Some(reservation_id.clone()),
        quota: Some(quota),
        wishes,
        ..template(&boot, flavor, image, keypair)
    };
    let order = Order { template, password, least: boot.least, most, is_numbered: boot.count > 1 };
    let (made, is_told) = several::make(&state, &caller, &order).await?;
    let first = made.first().ok_or_else(|| ApiError::Internal("no server was asked for".into()))?;
    // Only what the guests have is told.
    let password = order.password.as_ref().filter(|_| is_told);
    match boot.return_reservation_id {
        true => Ok((StatusCode::ACCEPTED, Json(json!({ "reservation_id": reservation_id }))).into_response()),
        false => Ok(answer(first, password, &address)),
    }
}

/// The password for the servers' administrators: what the user chose, or a new one if there will be a
/// config drive to carry it.
fn admin_password(state: &Controlled, boot: &Boot) -> Result<Option<SecretString>, ApiError> {
    let policy = state.control.settings().config_drive;
    let carries = |field: &str, given: bool| match policy.decide(boot.config_drive, given) {
        Ok(drive) => Ok(drive),
        Err(error) => Err(ApiError::invalid(field, "…", format_args!("{error}: config_drive is false."))),
    };
    let drives = [
        carries("key_name", boot.key_name.is_some())?,
        carries("adminPass", boot.admin_password.is_some())?,
        carries("user_data", boot.user_data.is_some())?,
    ];
    let chosen = boot.admin_password.clone();
    Ok(chosen.or_else(|| drives.contains(&true).then(|| new_password(state.shared.ids.as_ref()))))
}

/// Twenty letters and digits, of which none looks like another.
fn new_password(ids: &dyn Ids) -> SecretString {
    const SIGNS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let random = Sha256::new().chain_update(ids.uuid().as_bytes()).chain_update(ids.uuid().as_bytes()).finalize();
    let sign = |byte: &u8| char::from(SIGNS[usize::from(byte % 32)]);
    SecretString::from(random.iter().take(20).map(sign).collect::<String>())
}

fn template(boot: &Boot, flavor: Flavor, image: Image, keypair: Option<Keypair>) -> CreateInstance {
    CreateInstance {
        name: boot.name.clone(),
        description: boot.description.clone(),
        hostname: boot.hostname.clone(),
        flavor,
        image,
        metadata: boot.metadata.clone(),
        keypair,
        availability_zone: boot.wanted.zone.clone(),
        tags: boot.tags.clone(),
        reservation_id: None,
        launch_index: 0,
        access_ipv4: boot.access_ipv4,
        access_ipv6: boot.access_ipv6,
        quota: None,
        guest: GuestInputs { config_drive: boot.config_drive, user_data: boot.user_data.clone(), admin_password: None },
        wishes: Default::default(),
    }
}

async fn flavor(shared: &Shared, caller: &Caller, boot: &Boot) -> Result<Flavor, ApiError> {
    let bad = |why: &str| ApiError::invalid("flavorRef", &boot.flavor, why);
    let flavor = flavors::find(shared, caller, &FlavorId(boot.flavor.clone())).await?;
    flavor.filter(|flavor| !flavor.is_disabled).ok_or_else(|| bad("Flavor could not be found."))
}

async fn image(shared: &Shared, caller: &Caller, boot: &Boot) -> Result<Image, ApiError> {
    let image = images::find(shared, caller, boot.image).await?;
    let image = image.ok_or_else(|| ApiError::invalid("imageRef", boot.image, "Can not find requested image."))?;
    match image.status {
        ImageStatus::Active => Ok(image),
        status => Err(not_active(&image, status)),
    }
}

fn not_active(image: &Image, status: ImageStatus) -> ApiError {
    ApiError::invalid("imageRef", image.id, format_args!("The image is {}, not active.", status.as_str()))
}

/// Is the flavor large enough for the image?
fn check_fit(flavor: &Flavor, image: &Image) -> Result<(), ApiError> {
    let bad = |why: String| Err(ApiError::invalid("flavorRef", &flavor.id, why));
    if flavor.ram_mib < image.min_ram_mib {
        return bad(format!(
            "Flavor's memory is too small for requested image: {} MiB of min_ram {}.",
            flavor.ram_mib, image.min_ram_mib
        ));
    }
    let bytes = image.virtual_size_bytes.or(image.size_bytes).unwrap_or(0);
    if flavor.root_disk_bytes(bytes).is_none() {
        let disk = flavor.disk_gib.saturating_mul(GIB);
        return bad(format!(
            "Flavor's disk is too small for requested image. Flavor disk is {disk} bytes, image is {bytes} bytes."
        ));
    }
    match flavor.disk_gib != 0 && flavor.disk_gib < image.min_disk_gib {
        true => bad(format!(
            "Flavor's disk is smaller than the minimum size specified in image metadata: {} GiB of min_disk {}.",
            flavor.disk_gib, image.min_disk_gib
        )),
        false => Ok(()),
    }
}

/// What was fine when it was looked at may have changed before it was used.
pub fn refused(error: RequestError, flavor: &Flavor, image: &Image) -> ApiError {
    match error {
        RequestError::ImageStatus(status) => not_active(image, status),
        RequestError::DiskTooSmall { .. } | RequestError::BadFlavor(_) => ApiError::invalid("flavorRef", &flavor.id, error),
        other => other.into(),
    }
}

fn answer(instance: &Instance, password: Option<&SecretString>, address: &Address) -> Response {
    let mut body = json!({ "server": {
        "id": instance.id,
        "links": links(address, "servers", &instance.id.to_string()),
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [],
    }});
    if let Some(password) = password {
        body["server"]["adminPass"] = json!(password.expose_secret());
    }
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if let Ok(url) = HeaderValue::from_str(&address.url(&format!("/compute/v2.1/servers/{}", instance.id))) {
        response.headers_mut().insert(LOCATION, url);
    }
    response
}
