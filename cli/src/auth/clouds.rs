//! clouds.yaml, and secure.yaml, which holds the secrets apart. The first file that is found counts, as
//! for OpenStack's own clients.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;
use crate::auth::environment::Environment;
use crate::auth::settings::{Auth, Settings};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    clouds: BTreeMap<String, Settings>,
}

/// The cloud of that name.
pub fn named(name: &str, environment: &Environment) -> Result<Settings, Error> {
    let (mut clouds, looked) = read_all(environment)?;
    clouds.remove(name).ok_or_else(|| {
        let known: Vec<&str> = clouds.keys().map(String::as_str).collect();
        let looked = if known.is_empty() { looked } else { format!("{looked}, which knows {}", known.join(", ")) };
        Error::UnknownCloud { name: name.to_owned(), looked }
    })
}

/// The cloud of a file that names just one.
pub fn only(environment: &Environment) -> Result<Option<Settings>, Error> {
    let (clouds, _) = read_all(environment)?;
    let mut clouds = clouds.into_values();
    Ok(clouds.next().filter(|_| clouds.next().is_none()))
}

/// The clouds with their secrets, and where they were looked for.
fn read_all(environment: &Environment) -> Result<(BTreeMap<String, Settings>, String), Error> {
    let chosen = environment.get("OS_CLIENT_CONFIG_FILE").map(PathBuf::from);
    let paths = chosen.map_or_else(|| candidates(environment, "clouds"), |path| vec![path]);
    let found = first(&paths)?;
    let looked = match &found {
        Some((path, _)) => path.display().to_string(),
        None => paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
    };
    let mut clouds = found.map(|(_, file)| file.clouds).unwrap_or_default();
    let secure = environment.get("OS_CLIENT_SECURE_FILE").map(PathBuf::from);
    let secure = secure.map_or_else(|| candidates(environment, "secure"), |path| vec![path]);
    for (name, secret) in first(&secure)?.map(|(_, file)| file.clouds).unwrap_or_default() {
        if let Some(cloud) = clouds.get_mut(&name) {
            *cloud = overlay(cloud.clone(), secret);
        }
    }
    Ok((clouds, looked))
}

fn candidates(environment: &Environment, name: &str) -> Vec<PathBuf> {
    environment.folders.iter().flat_map(|folder| ["yaml", "yml"].map(|end| folder.join(format!("{name}.{end}")))).collect()
}

fn first(paths: &[PathBuf]) -> Result<Option<(PathBuf, File)>, Error> {
    for path in paths {
        match fs::read_to_string(path) {
            Ok(text) => return parse(path, &text).map(|file| Some((path.clone(), file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::File { path: path.clone(), source }),
        }
    }
    Ok(None)
}

fn parse(path: &Path, text: &str) -> Result<File, Error> {
    // Without a piece of the file in the message: passwords are in it.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Error::BadFile { path: path.to_owned(), problem: error.to_string() })
}

/// What `secret` says, and otherwise what `open` says.
fn overlay(open: Settings, secret: Settings) -> Settings {
    let (a, b) = (secret.auth, open.auth);
    Settings {
        auth_type: secret.auth_type.or(open.auth_type),
        auth: Auth {
            auth_url: a.auth_url.or(b.auth_url),
            username: a.username.or(b.username),
            user_id: a.user_id.or(b.user_id),
            password: a.password.or(b.password),
            project_name: a.project_name.or(b.project_name),
            project_id: a.project_id.or(b.project_id),
            user_domain_name: a.user_domain_name.or(b.user_domain_name),
            user_domain_id: a.user_domain_id.or(b.user_domain_id),
            project_domain_name: a.project_domain_name.or(b.project_domain_name),
            project_domain_id: a.project_domain_id.or(b.project_domain_id),
            token: a.token.or(b.token),
            application_credential_id: a.application_credential_id.or(b.application_credential_id),
            application_credential_name: a.application_credential_name.or(b.application_credential_name),
            application_credential_secret: a.application_credential_secret.or(b.application_credential_secret),
        },
        region_name: secret.region_name.or(open.region_name),
        interface: secret.interface.or(open.interface),
        cacert: secret.cacert.or(open.cacert),
        verify: secret.verify.or(open.verify),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::arguments::CloudOptions;
    use crate::auth::Method;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let folder = std::env::temp_dir().join(format!("cuttle-clouds-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            for (file, text) in files {
                fs::write(folder.join(file), text).unwrap();
            }
            Self(folder)
        }

        fn environment(&self, variables: impl IntoIterator<Item = (&'static str, &'static str)>) -> Environment {
            Environment::new(variables, vec![self.0.join("none"), self.0.clone()])
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const CLOUDS: &str = "
clouds:
  one:
    auth:
      auth_url: http://one:8774/identity
      username: admin
      password: 123456
      project_name: admin
    region_name: RegionOne
    compute_api_version: '2.100'
  robot:
    auth_type: v3applicationcredential
    auth: {auth_url: 'https://two/identity/v3', application_credential_id: abc}
    verify: false
";

    fn found(environment: &Environment, options: &CloudOptions) -> Result<Settings, Error> {
        Settings::find(options, environment)
    }

    fn cloud(name: &str) -> CloudOptions {
        CloudOptions { os_cloud: Some(name.to_owned()), ..CloudOptions::default() }
    }

    #[test]
    fn a_cloud_is_found_by_name_with_its_secrets() {
        let secure = "clouds: {robot: {auth: {application_credential_secret: hidden}}}";
        let folder = Folder::new("named", &[("clouds.yaml", CLOUDS), ("secure.yaml", secure)]);
        let one =
            found(&folder.environment([("OS_CLOUD", "one"), ("OS_REGION_NAME", "other")]), &CloudOptions::default()).unwrap();
        assert_eq!(one.identity_url().unwrap(), "http://one:8774/identity/v3");
        assert_eq!(one.auth.password.as_ref().unwrap().expose_secret(), "123456", "a number is a password too");
        assert_eq!((one.region_name.as_deref(), one.method().unwrap()), (Some("RegionOne"), Method::Password));
        let robot = found(&folder.environment([("OS_CLOUD", "one")]), &cloud("robot")).unwrap();
        assert_eq!(robot.auth.application_credential_secret.as_ref().unwrap().expose_secret(), "hidden");
        assert_eq!((robot.method().unwrap(), robot.verify), (Method::ApplicationCredential, Some(false)));
        assert!(!format!("{one:?} {robot:?}").contains("123456") && !format!("{robot:?}").contains("hidden"));
    }

    #[test]
    fn an_unknown_cloud_is_named_with_those_that_are_known() {
        let folder = Folder::new("unknown", &[("clouds.yaml", CLOUDS)]);
        let error = found(&folder.environment([]), &cloud("three")).unwrap_err().to_string();
        assert!(error.contains("'three'") && error.contains("one, robot"), "{error}");
        assert!(matches!(found(&folder.environment([]), &CloudOptions::default()), Err(Error::NoCloud)), "two are no choice");
    }

    #[test]
    fn one_cloud_needs_no_name_and_the_environment_needs_no_file() {
        let folder = Folder::new("only", &[("clouds.yml", "clouds: {one: {auth: {auth_url: 'http://one', username: u}}}")]);
        let one =
            found(&folder.environment([("OS_PASSWORD", "lent"), ("OS_USERNAME", "other")]), &CloudOptions::default()).unwrap();
        assert_eq!(one.auth.username.as_deref(), Some("u"));
        assert_eq!(one.auth.password.unwrap().expose_secret(), "lent");
        let variables = [("OS_AUTH_URL", "http://env/identity/v3"), ("OS_TOKEN", "t"), ("OS_CACERT", "/ca.pem")];
        let from_environment = found(&folder.environment(variables), &CloudOptions::default()).unwrap();
        assert_eq!(from_environment.identity_url().unwrap(), "http://env/identity/v3");
        assert_eq!((from_environment.method().unwrap(), from_environment.cacert), (Method::Token, Some("/ca.pem".into())));
    }

    #[test]
    fn a_broken_file_is_named_without_what_is_in_it() {
        let folder = Folder::new("broken", &[("clouds.yaml", "clouds:\n  one:\n    auth: {password: hunter2\n")]);
        let error = found(&folder.environment([]), &cloud("one")).unwrap_err().explained();
        assert!(error.contains("clouds.yaml") && !error.contains("hunter2"), "{error}");
        let folder = Folder::new("shape", &[("clouds.yaml", "clouds:\n  one:\n    auth: [hunter2]\n")]);
        let error = found(&folder.environment([]), &cloud("one")).unwrap_err().explained();
        assert!(error.contains("clouds.yaml") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn odd_settings_are_refused_by_name() {
        let settings = |auth_type: &str, url: &str| Settings {
            auth_type: Some(auth_type.into()),
            auth: Auth { auth_url: Some(url.into()), ..Auth::default() },
            ..Settings::default()
        };
        assert!(settings("v2password", "").method().unwrap_err().to_string().contains("v2password"));
        assert!(settings("", "ftp://x").identity_url().unwrap_err().to_string().contains("ftp://x"));
    }
}
