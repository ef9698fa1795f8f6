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

/// Makes project, user and role, or sets the password anew; says which.
pub async fn make(database: &Database, identity: &Identity) -> Result<String, InitError> {
    let password = read_password(&identity.admin_password_file)?;
    let project = project(database, &identity.admin_project).await.map_err(InitError::Admin)?;
    let (user, done) = user(database, &identity.admin_user, &project, password).await?;
    database.assign_role(user.id, project.id, Role::Admin).await.map_err(InitError::Admin)?;
    Ok(format!("user {} in project {}: {done}", user.name, project.name))
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
    password: SecretString,
) -> Result<(User, &'static str), InitError> {
    loop {
        if let Some(found) = database.find_credentials(name).await.map_err(InitError::Admin)? {
            if passwords::compare(&password, &found.password_hash) {
                return Ok((found.user, "kept"));
            }
            database.set_password(found.user.id, &hash(&password)?).await.map_err(InitError::Admin)?;
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
        if database.insert_user(&user, &hash(&password)?).await.map_err(InitError::Admin)? == Inserted::Inserted {
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
