//! Who somebody is, by what they show: a password, an application credential's secret, or a token.
//!
//! What can be guessed at is counted, by the name that was given and where the guess came from.

use cuttle_model::clock::Timestamp;
use cuttle_model::identity::{ApplicationCredential, AuthMethod, User};
use secrecy::{ExposeSecret, SecretString};

use crate::error::ApiError;
use crate::identity::application_credentials::secret;
use crate::identity::tokens::request::{CredentialName, Proof, UserName};
use crate::shared::Shared;
use crate::web::caller::token_sha256;
use crate::web::peer::Peer;

/// Somebody who has shown who they are.
pub struct Known {
    pub user: User,
    pub methods: Vec<AuthMethod>,
    /// With what, if that limits what they get.
    pub credential: Option<ApplicationCredential>,
    /// When a token for this ends at the latest.
    pub expires_at: Timestamp,
}

pub async fn identify(shared: &Shared, peer: Peer, proof: Proof) -> Result<Known, ApiError> {
    match proof {
        Proof::Password { user, password } => by_password(shared, peer, user, password).await,
        Proof::ApplicationCredential { named, secret } => by_credential(shared, peer, named, secret).await,
        Proof::Token(token) => by_token(shared, token).await,
    }
}

async fn by_password(shared: &Shared, peer: Peer, user: UserName, password: SecretString) -> Result<Known, ApiError> {
    let name = user.to_string();
    let guess = shared.throttle().begin(peer, &name, shared.now())?;
    let found = match user {
        UserName::Id(id) => shared.database.get_credentials(id).await?,
        UserName::Name(name) => shared.database.find_credentials(&name).await?,
        UserName::Nobody => None,
    };
    let hash = found.as_ref().map(|credentials| credentials.password_hash.clone());
    let is_right = shared.passwords.verify(password, hash).await?;
    let Some(user) = found.map(|credentials| credentials.user).filter(|user| is_right && user.enabled) else {
        guess.failed();
        return Err(ApiError::Unauthorized);
    };
    let expires_at = shared.now().plus(shared.token_lifetime);
    Ok(Known { user, methods: vec![AuthMethod::Password], credential: None, expires_at })
}

async fn by_credential(shared: &Shared, peer: Peer, named: CredentialName, secret: SecretString) -> Result<Known, ApiError> {
    let name = match &named {
        CredentialName::Id(id) => id.to_string(),
        CredentialName::OfUser(user, name) => format!("{user}/{name}"),
        CredentialName::Nothing => String::from("?"),
    };
    let guess = shared.throttle().begin(peer, &name, shared.now())?;
    let found = match named {
        CredentialName::Id(id) => shared.database.get_application_credential(id).await?,
        CredentialName::OfUser(UserName::Id(id), name) => shared.database.find_application_credential(id, &name).await?,
        CredentialName::OfUser(UserName::Name(user), name) => match shared.database.find_credentials(&user).await? {
            Some(found) => shared.database.find_application_credential(found.user.id, &name).await?,
            None => None,
        },
        CredentialName::OfUser(UserName::Nobody, _) | CredentialName::Nothing => None,
    };
    let (credential, hash) = found.unzip();
    let is_right = secret::verify(&shared.passwords, secret, hash).await?;
    let now = shared.now();
    let is_valid = |credential: &ApplicationCredential| is_right && credential.expires_at.is_none_or(|end| end > now);
    let Some(credential) = credential.filter(is_valid) else {
        guess.failed();
        return Err(ApiError::Unauthorized);
    };
    let owner = shared.database.get_credentials(credential.user_id).await?.map(|found| found.user);
    let user = owner.filter(|user| user.enabled).ok_or(ApiError::Unauthorized)?;
    let usual = now.plus(shared.token_lifetime);
    let expires_at = credential.expires_at.map_or(usual, |end| end.min(usual));
    Ok(Known { user, methods: vec![AuthMethod::ApplicationCredential], credential: Some(credential), expires_at })
}

/// A token for a token ends when the first one does, and reaches no further than what that was made with.
async fn by_token(shared: &Shared, token: SecretString) -> Result<Known, ApiError> {
    let hash = token_sha256(token.expose_secret());
    let grant = shared.tokens().get(&shared.database, &hash, shared.now()).await?.ok_or(ApiError::Unauthorized)?;
    let credential = match &grant.application_credential {
        None => None,
        Some(used) => {
            let found = shared.database.get_application_credential(used.id).await?;
            Some(found.ok_or(ApiError::Unauthorized)?.0)
        }
    };
    let mut methods = grant.methods.clone();
    if !methods.contains(&AuthMethod::Token) {
        methods.push(AuthMethod::Token);
    }
    Ok(Known { user: grant.user.clone(), methods, credential, expires_at: grant.expires_at })
}
