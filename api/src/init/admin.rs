//! The first administrator: a user with the role admin in a project of its own, whose password is what
//! the file says.

use std::fs;
use std::path::Path;

use cuttle_database::{Database, Inserted};
use cuttle_model::identity::{Project, Role, User};
use cuttle_model::ids::{ProjectId, RandomIds, UserId};
use secrecy::{ExposeSecret, SecretString};

use crate::config::Identity;
use crate::identity::passwords;
use crate::init::InitError;
use crate::init::files::{in_file, write};

/// Makes project, user and role, or sets the password anew; answers the password, where it is known, and
/// says what was done. Where there is no password's file, one is made for a new user, and a user who is
/// there is left alone: another node may have the file.
pub async fn make(database: &Database, identity: &Identity) -> Result<(Option<SecretString>, String), InitError> {
    let path = &identity.admin_password_file;
    let known = database.find_credentials(&identity.admin_user).await.map_err(InitError::Admin)?;
    let (password, made_here) = match (known, path.exists()) {
        (Some(found), false) => {
            return Ok((None, format!("user {}: kept ({} is not there)", found.user.name, path.display())));
        }
        (None, false) => (generate(path)?, true),
        (_, true) => (read_password(path)?, false),
    };
    let project = project(database, &identity.admin_project).await.map_err(InitError::Admin)?;
    let (user, done) = user(database, &identity.admin_user, &project, &password, made_here).await?;
    if made_here && done == KEPT {
        // Another node was first, and its password counts.
        in_file(path, "removed", fs::remove_file(path))?;
        return Ok((None, format!("user {}: kept", user.name)));
    }
    database.assign_role(user.id, project.id, Role::Admin).await.map_err(InitError::Admin)?;
    let where_to = if made_here { format!("; the password is in {}", path.display()) } else { String::new() };
    Ok((Some(password), format!("user {} in project {}: {done}{where_to}", user.name, project.name)))
}

const KEPT: &str = "kept";

/// A new password, in the file that is meant for it.
fn generate(path: &Path) -> Result<SecretString, InitError> {
    let text: String = rand::random::<[u8; 16]>().iter().map(|byte| format!("{byte:02x}")).collect();
    write(path, format!("{text}\n").as_bytes(), 0o600)?;
    Ok(SecretString::from(text))
}

async fn project(database: &Database, name: &str) -> Result<Project, cuttle_database::Error> {
    loop {
        if let Some(project) = database.find_project(name).await? {
            return Ok(project);
        }
        let project = Project {
            id: ProjectId::new(&RandomIds),
            name: name.to_owned(),
            description: "The administrators' project".into(),
            enabled: true,
        };
        // Another node may be doing the same.
        if database.insert_project(&project).await? == Inserted::Inserted {
            return Ok(project);
        }
    }
}

async fn user(
    database: &Database,
    name: &str,
    project: &Project,
    password: &SecretString,
    made_here: bool,
) -> Result<(User, &'static str), InitError> {
    loop {
        if let Some(found) = database.find_credentials(name).await.map_err(InitError::Admin)? {
            if made_here || passwords::compare(password, &found.password_hash) {
                return Ok((found.user, KEPT));
            }
            database.set_password(found.user.id, &hash(password)?).await.map_err(InitError::Admin)?;
            return Ok((found.user, "set the password anew"));
        }
        let user = User {
            id: UserId::new(&RandomIds),
            name: name.to_owned(),
            enabled: true,
            default_project_id: Some(project.id),
            description: None,
            email: None,
        };
        if database.insert_user(&user, &hash(password)?).await.map_err(InitError::Admin)? == Inserted::Inserted {
            return Ok((user, "made"));
        }
    }
}

fn hash(password: &SecretString) -> Result<String, InitError> {
    passwords::hash(password).map_err(|error| InitError::Hash(error.to_string()))
}

/// The file's first line.
pub fn read_password(path: &Path) -> Result<SecretString, InitError> {
    let text = fs::read_to_string(path).map(SecretString::from);
    let text = text.map_err(|source| InitError::File { path: path.to_owned(), done: "read", source })?;
    let line = SecretString::from(text.expose_secret().lines().next().unwrap_or(""));
    match line.expose_secret().is_empty() {
        true => Err(InitError::NoPassword { path: path.to_owned() }),
        false => Ok(line),
    }
}
