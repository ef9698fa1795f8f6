//! What the process was started with, as a value: tests give their own.

use std::collections::HashMap;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::auth::settings::{Auth, Settings};

/// Environment variables and the folders in which OpenStack's clients look for clouds.yaml.
pub struct Environment {
    variables: HashMap<String, String>,
    /// In the order of search.
    pub folders: Vec<PathBuf>,
}

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        // Variables that are no text cannot be ours.
        let variables: HashMap<String, String> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        let config = match (variables.get("XDG_CONFIG_HOME"), variables.get("HOME")) {
            (Some(config), _) if !config.is_empty() => Some(PathBuf::from(config)),
            (_, Some(home)) => Some(PathBuf::from(home).join(".config")),
            (_, None) => None,
        };
        let mut folders = vec![PathBuf::from(".")];
        folders.extend(config.map(|config| config.join("openstack")));
        folders.push("/etc/openstack".into());
        Self { variables, folders }
    }

    /// Made-up variables and folders.
    pub fn new(variables: impl IntoIterator<Item = (&'static str, &'static str)>, folders: Vec<PathBuf>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { variables, folders }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// What the `OS_*` variables say.
    pub fn settings(&self) -> Settings {
        let secret = |name: &str| self.get(name).map(SecretString::from);
        let domain = |kind: &str, what: &str| {
            self.get(&format!("OS_{kind}_DOMAIN_{what}")).or_else(|| self.get(&format!("OS_DEFAULT_DOMAIN_{what}")))
        };
        Settings {
            auth_type: self.get("OS_AUTH_TYPE"),
            auth: Auth {
                auth_url: self.get("OS_AUTH_URL"),
                username: self.get("OS_USERNAME"),
                user_id: self.get("OS_USER_ID"),
                password: secret("OS_PASSWORD"),
                project_name: self.get("OS_PROJECT_NAME"),
                project_id: self.get("OS_PROJECT_ID"),
                user_domain_name: domain("USER", "NAME"),
                user_domain_id: domain("USER", "ID"),
                project_domain_name: domain("PROJECT", "NAME"),
                project_domain_id: domain("PROJECT", "ID"),
                token: secret("OS_TOKEN"),
                application_credential_id: self.get("OS_APPLICATION_CREDENTIAL_ID"),
                application_credential_name: self.get("OS_APPLICATION_CREDENTIAL_NAME"),
                application_credential_secret: secret("OS_APPLICATION_CREDENTIAL_SECRET"),
            },
            region_name: self.get("OS_REGION_NAME"),
            interface: self.get("OS_INTERFACE").or_else(|| self.get("OS_ENDPOINT_TYPE")),
            cacert: self.get("OS_CACERT").map(PathBuf::from),
            verify: None,
        }
    }
}
