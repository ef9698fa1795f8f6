//! Everything that says which cloud and who asks, in the words of clouds.yaml.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use crate::Error;
use crate::arguments::CloudOptions;
use crate::auth::clouds;
use crate::auth::environment::Environment;

/// One cloud of clouds.yaml, or what the environment says. Keys that only other clients need are left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub auth_type: Option<String>,
    pub auth: Auth,
    pub region_name: Option<String>,
    pub interface: Option<String>,
    pub cacert: Option<PathBuf>,
    /// `false` trusts any certificate, as OpenStack's clients do then.
    pub verify: Option<bool>,
}

/// Who asks, and for which project.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Auth {
    pub auth_url: Option<String>,
    pub username: Option<String>,
    pub user_id: Option<String>,
    pub password: Option<SecretString>,
    pub project_name: Option<String>,
    pub project_id: Option<String>,
    pub user_domain_name: Option<String>,
    pub user_domain_id: Option<String>,
    pub project_domain_name: Option<String>,
    pub project_domain_id: Option<String>,
    pub token: Option<SecretString>,
    pub application_credential_id: Option<String>,
    pub application_credential_name: Option<String>,
    pub application_credential_secret: Option<SecretString>,
}

/// How the user is known to be who they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Password,
    Token,
    ApplicationCredential,
}

impl Settings {
    /// Finds the cloud that is meant. The command line wins over the file, and a named cloud over the
    /// environment, which then lends only what the file lacks: a secret, a region, certificates.
    pub fn find(options: &CloudOptions, environment: &Environment) -> Result<Self, Error> {
        let name = options.os_cloud.clone().or_else(|| environment.get("OS_CLOUD"));
        let from_environment = environment.settings();
        let mut found = match name {
            Some(name) => clouds::named(&name, environment)?.completed(from_environment),
            None if from_environment.auth.auth_url.is_some() => from_environment,
            None => clouds::only(environment)?.ok_or(Error::NoCloud)?.completed(from_environment),
        };
        found.region_name = options.os_region_name.clone().or(found.region_name);
        found.cacert = options.os_cacert.clone().or(found.cacert);
        Ok(found)
    }

    fn completed(mut self, environment: Self) -> Self {
        let auth = &mut self.auth;
        // Only for the user whom the file names, so that two users' halves are never mixed.
        if auth.username.is_some() || auth.user_id.is_some() {
            auth.password = auth.password.take().or(environment.auth.password);
        }
        if auth.application_credential_id.is_some() || auth.application_credential_name.is_some() {
            auth.application_credential_secret =
                auth.application_credential_secret.take().or(environment.auth.application_credential_secret);
        }
        self.region_name = self.region_name.or(environment.region_name);
        self.interface = self.interface.or(environment.interface);
        self.cacert = self.cacert.or(environment.cacert);
        self
    }

    /// How to authenticate: as it is said, else as what is there suggests.
    pub fn method(&self) -> Result<Method, Error> {
        match self.auth_type.as_deref() {
            Some("password" | "v3password") => Ok(Method::Password),
            Some("token" | "v3token") => Ok(Method::Token),
            Some("v3applicationcredential") => Ok(Method::ApplicationCredential),
            Some(other) => Err(Error::Setting(format!(
                "the auth_type '{other}' is not known: password, token and v3applicationcredential are"
            ))),
            None if self.auth.token.is_some() => Ok(Method::Token),
            None if self.auth.application_credential_id.is_some() || self.auth.application_credential_name.is_some() => {
                Ok(Method::ApplicationCredential)
            }
            None => Ok(Method::Password),
        }
    }

    /// Identity's address, with its version.
    pub fn identity_url(&self) -> Result<String, Error> {
        let url = self.auth.auth_url.as_deref().ok_or(Error::Missing("OS_AUTH_URL (auth_url)"))?.trim_end_matches('/');
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Error::Setting(format!("the auth_url '{url}' begins neither with http:// nor with https://")));
        }
        Ok(if url.ends_with("/v3") { url.to_owned() } else { format!("{url}/v3") })
    }
}
