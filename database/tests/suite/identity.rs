//! Users, projects, roles, tokens, settings.

use cuttle_database::Inserted;
use cuttle_model::identity::{Project, Role, TokenGrant, User};
use cuttle_model::ids::UserId;

use crate::lab::Lab;
use crate::rows;

fn project(name: &str) -> Project {
    Project { id: rows::project(), name: name.to_owned(), description: "of tests".to_owned(), enabled: true }
}

fn user(name: &str, default_project: &Project) -> User {
    let default_project_id = Some(default_project.id);
    User { id: UserId::from_uuid(rows::uuid()), name: name.to_owned(), enabled: true, default_project_id }
}

fn grant(user: &User, project: Option<&Project>, role: Option<Role>) -> TokenGrant {
    TokenGrant {
        user: user.clone(),
        project: project.cloned(),
        role,
        audit_id: "audit".to_owned(),
        issued_at: rows::at(0),
        expires_at: rows::at(60),
    }
}

/// A user who is a member of a project.
async fn member(lab: &Lab) -> (User, Project) {
    let project = project("ours");
    let user = user("me", &project);
    assert_eq!(lab.database.insert_project(&project).await.unwrap(), Inserted::Inserted);
    assert_eq!(lab.database.insert_user(&user, "$argon2id$1").await.unwrap(), Inserted::Inserted);
    lab.database.assign_role(user.id, project.id, Role::Member).await.unwrap();
    (user, project)
}

#[tokio::test]
async fn users_and_projects_are_known_by_id_and_name() {
    let lab = Lab::new().await;
    let (me, ours) = member(&lab).await;
    let theirs = project("theirs");
    lab.database.insert_project(&theirs).await.unwrap();
    assert_eq!(lab.database.insert_project(&ours).await.unwrap(), Inserted::SameId);
    assert_eq!(lab.database.insert_project(&project("ours")).await.unwrap(), Inserted::SameName);
    assert_eq!(lab.database.insert_user(&me, "").await.unwrap(), Inserted::SameId);
    assert_eq!(lab.database.insert_user(&user("me", &ours), "").await.unwrap(), Inserted::SameName);
    assert_eq!(lab.database.get_project(ours.id).await.unwrap(), Some(ours.clone()));
    assert_eq!(lab.database.find_project("ours").await.unwrap(), Some(ours.clone()));
    assert_eq!(lab.database.list_projects().await.unwrap(), [ours.clone(), theirs]);
    assert_eq!(lab.database.projects_of(me.id).await.unwrap(), [ours]);
    assert_eq!(lab.database.list_users().await.unwrap(), std::slice::from_ref(&me));

    assert!(lab.database.set_password(me.id, "$argon2id$2").await.unwrap());
    assert!(!lab.database.set_password(UserId::from_uuid(rows::uuid()), "").await.unwrap());
    for found in [lab.database.get_credentials(me.id).await.unwrap(), lab.database.find_credentials("me").await.unwrap()] {
        let found = found.unwrap();
        assert_eq!((&found.user, found.password_hash.as_str()), (&me, "$argon2id$2"));
        assert!(!format!("{found:?}").contains("argon2"));
    }
    assert!(lab.database.find_credentials("ME").await.unwrap().is_none());
}

#[tokio::test]
async fn the_most_powerful_role_counts() {
    let lab = Lab::new().await;
    let (user, project) = member(&lab).await;
    assert_eq!(lab.database.role_in(user.id, project.id).await.unwrap(), Some(Role::Member));
    for role in [Role::Admin, Role::Reader, Role::Admin] {
        lab.database.assign_role(user.id, project.id, role).await.unwrap();
    }
    assert_eq!(lab.database.role_in(user.id, project.id).await.unwrap(), Some(Role::Admin));
    assert_eq!(lab.database.role_in(user.id, rows::project()).await.unwrap(), None);
}

#[tokio::test]
async fn a_token_grants_what_it_was_made_for_until_it_expires() {
    let lab = Lab::new().await;
    let (user, project) = member(&lab).await;
    let scoped = grant(&user, Some(&project), Some(Role::Member));
    let unscoped = grant(&user, None, None);
    lab.database.insert_token(&[1; 32], &scoped).await.unwrap();
    lab.database.insert_token(&[2; 32], &unscoped).await.unwrap();
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(59)).await.unwrap(), Some(scoped.clone()));
    assert_eq!(lab.database.get_token(&[2; 32], rows::at(59)).await.unwrap(), Some(unscoped));
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(60)).await.unwrap(), None);
    assert_eq!(lab.database.get_token(&[3; 32], rows::at(1)).await.unwrap(), None);

    // More power later does not make an old token more powerful.
    lab.database.assign_role(user.id, project.id, Role::Admin).await.unwrap();
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), Some(scoped));

    assert!(lab.database.delete_token(&[1; 32]).await.unwrap());
    assert!(!lab.database.delete_token(&[1; 32]).await.unwrap());
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), None);
    assert_eq!(lab.database.purge_tokens(rows::at(59)).await.unwrap(), 0);
    assert_eq!(lab.database.purge_tokens(rows::at(60)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_token_is_void_when_user_project_or_role_went() {
    for (damage, unscoped_too) in [
        ("UPDATE users SET enabled = 0", true),
        ("UPDATE projects SET enabled = 0", false),
        ("DELETE FROM role_assignments", false),
        ("UPDATE role_assignments SET role = 'reader'", false),
        ("DELETE FROM users", true),
    ] {
        let lab = Lab::new().await;
        let (user, project) = member(&lab).await;
        lab.database.insert_token(&[1; 32], &grant(&user, Some(&project), Some(Role::Member))).await.unwrap();
        lab.database.insert_token(&[2; 32], &grant(&user, None, None)).await.unwrap();
        lab.execute(match damage {
            // SQLite asks for the cascade on each connection.
            "DELETE FROM users" => "DELETE FROM tokens; DELETE FROM role_assignments; DELETE FROM users",
            other => other,
        })
        .await;
        assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), None, "{damage}");
        assert_eq!(lab.database.get_token(&[2; 32], rows::at(1)).await.unwrap().is_none(), unscoped_too, "{damage}");
    }
}

#[tokio::test]
async fn the_first_value_of_a_setting_stands() {
    let lab = Lab::new().await;
    assert_eq!(lab.database.get_or_insert_setting("cloud", "one").await.unwrap(), "one");
    assert_eq!(lab.database.get_or_insert_setting("cloud", "two").await.unwrap(), "one");
}
