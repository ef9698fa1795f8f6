//! A clouds.yaml for the administrator, which `cuttle` and OpenStack's clients read.

use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::config::Config;
use crate::init::InitError;
use crate::init::files::write as write_file;

/// The first line of what is ours to replace.
const MARK: &str = "# Written by 'cuttle-api init'.";

/// Writes the file for its owner alone; says what it did.
pub fn write(path: &Path, cloud: &str, config: &Config, password: Option<&SecretString>) -> Result<String, InitError> {
    let known = fs::read_to_string(path).map(SecretString::from).ok();
    if known.as_ref().is_some_and(|known| !known.expose_secret().starts_with(MARK)) {
        return Err(InitError::ForeignFile { path: path.to_owned() });
    }
    let Some(password) = password else {
        return match known {
            Some(_) => Ok(format!("{} is kept", path.display())),
            None => Err(InitError::PasswordUnknown { path: config.identity.admin_password_file.clone() }),
        };
    };
    let text = content(cloud, config, password);
    if known.is_some_and(|known| known.expose_secret() == text.expose_secret()) {
        return Ok(format!("{} is kept", path.display()));
    }
    write_file(path, text.expose_secret().as_bytes(), 0o600)?;
    Ok(format!("wrote {}; use it with OS_CLIENT_CONFIG_FILE={} OS_CLOUD={cloud}", path.display(), path.display()))
}

/// JSON is YAML, and quotes whatever must be quoted.
fn content(cloud: &str, config: &Config, password: &SecretString) -> SecretString {
    let identity = &config.identity;
    let entry = json!({ "clouds": { cloud: {
        "auth": {
            "auth_url": format!("{}/identity/v3", url(config)),
            "username": identity.admin_user,
            "password": password.expose_secret(),
            "project_name": identity.admin_project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": identity.region,
        "identity_api_version": "3",
    } } });
    SecretString::from(format!("{MARK}\n{entry:#}\n"))
}

/// Where clients find the cloud: as it is configured, else this node.
fn url(config: &Config) -> String {
    if let Some(url) = &config.public.url {
        return url.trim_end_matches('/').to_owned();
    }
    let listen = config.public.listen;
    if !listen.ip().is_unspecified() {
        return format!("http://{listen}");
    }
    let elsewhere = config.agents.names.iter().find(|name| !matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"));
    format!("http://{}:{}", elsewhere.map_or("127.0.0.1", String::as_str), listen.port())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_for_its_owner_and_never_over_another() {
        let directory = std::env::temp_dir().join(format!("cuttle-clouds-yaml-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("clouds.yaml");
        let config: Config =
            toml::from_str("[database]\nurl = \"sqlite:/x\"\n[agents]\nnames = [\"localhost\", \"control1\"]\n").unwrap();
        let password = SecretString::from("it's \"quoted\": {");
        assert!(matches!(write(&path, "c", &config, None), Err(InitError::PasswordUnknown { .. })));
        assert!(write(&path, "c", &config, Some(&password)).unwrap().contains("wrote"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("http://control1:8774/identity/v3") && text.contains(r#""it's \"quoted\": {""#), "{text}");
        assert!(write(&path, "c", &config, Some(&password)).unwrap().contains("kept"));
        assert!(write(&path, "c", &config, None).unwrap().contains("kept"));
        fs::write(&path, "clouds: {}\n").unwrap();
        assert!(matches!(write(&path, "c", &config, Some(&password)), Err(InitError::ForeignFile { .. })));
        fs::remove_dir_all(&directory).unwrap();
    }
}
