//! Users, projects, roles, tokens, settings.

use cuttle_database::{AssignmentQuery, CredentialInserted, Event, Inserted, ProjectChange, ProjectDeleted, Updated, UserChange};
use cuttle_model::identity::{
    AnyRole, ApplicationCredential, AuthMethod, CustomRole, Project, Role, TokenCredential, TokenGrant, User,
};
use cuttle_model::ids::{ApplicationCredentialId, RoleId, UserId};

use crate::lab::Lab;
use crate::rows;

fn project(name: &str) -> Project {
    Project { id: rows::project(), name: name.to_owned(), description: "of tests".to_owned(), enabled: true }
}

fn user(name: &str, default_project: &Project) -> User {
    let default_project_id = Some(default_project.id);
    User {
        id: UserId::from_uuid(rows::uuid()),
        name: name.to_owned(),
        enabled: true,
        default_project_id,
        description: Some("a user".to_owned()),
        email: None,
    }
}

fn grant(user: &User, project: Option<&Project>, role: Option<Role>) -> TokenGrant {
    TokenGrant {
        user: user.clone(),
        project: project.cloned(),
        role,
        custom_roles: Vec::new(),
        methods: vec![AuthMethod::Password, AuthMethod::Token],
        application_credential: None,
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
async fn roles_are_assigned_and_taken_away() {
    let lab = Lab::new().await;
    let (user, project) = member(&lab).await;
    let watcher = CustomRole { id: RoleId::from_uuid(rows::uuid()), name: "watcher".to_owned(), description: None };
    assert_eq!(lab.database.insert_role(&watcher).await.unwrap(), Inserted::Inserted);
    assert_eq!(lab.database.insert_role(&watcher).await.unwrap(), Inserted::SameId);
    let custom = AnyRole::Custom(watcher.clone());
    for role in [&AnyRole::Known(Role::Admin), &custom, &custom] {
        assert!(lab.database.assign(user.id, project.id, role).await.unwrap());
    }
    let unknown = CustomRole { id: RoleId::from_uuid(rows::uuid()), ..watcher.clone() };
    assert!(!lab.database.assign(user.id, project.id, &AnyRole::Custom(unknown)).await.unwrap());
    assert!(!lab.database.assign(user.id, rows::project(), &custom).await.unwrap());
    assert!(!lab.database.assign(UserId::from_uuid(rows::uuid()), project.id, &custom).await.unwrap());
    let mut roles = lab.database.roles_in(user.id, project.id).await.unwrap();
    roles.sort_by_key(|role| role.name().to_owned());
    assert_eq!(roles, [AnyRole::Known(Role::Admin), AnyRole::Known(Role::Member), custom.clone()]);
    let of_others = AssignmentQuery { user: Some(UserId::from_uuid(rows::uuid())), project: None };
    assert!(lab.database.list_assignments(&of_others).await.unwrap().is_empty());
    assert_eq!(lab.database.list_assignments(&AssignmentQuery::default()).await.unwrap().len(), 3);

    let renamed = CustomRole { name: "looker".to_owned(), description: Some("looks".to_owned()), ..watcher.clone() };
    assert_eq!(lab.database.update_role(&renamed).await.unwrap(), Updated::Done(renamed.clone()));
    assert_eq!(lab.database.list_roles().await.unwrap(), [renamed]);
    assert!(lab.database.unassign(user.id, project.id, &AnyRole::Known(Role::Admin)).await.unwrap());
    assert!(!lab.database.unassign(user.id, project.id, &AnyRole::Known(Role::Admin)).await.unwrap());
    assert!(lab.database.delete_role(watcher.id).await.unwrap());
    assert!(!lab.database.delete_role(watcher.id).await.unwrap());
    assert_eq!(lab.database.roles_in(user.id, project.id).await.unwrap(), [AnyRole::Known(Role::Member)]);
}

#[tokio::test]
async fn changes_are_partial_and_void_tokens_for_good() {
    let lab = Lab::new().await;
    let (user, project) = member(&lab).await;
    let token = grant(&user, Some(&project), Some(Role::Member));
    let mut events = lab.database.events();
    let disable = UserChange { enabled: Some(false), ..UserChange::default() };
    let enable = UserChange { enabled: Some(true), email: Some(Some("me@here".to_owned())), ..UserChange::default() };
    let password = UserChange { password_hash: Some("$argon2id$3".to_owned()), ..UserChange::default() };
    for changes in [&[&disable, &enable][..], &[&password]] {
        assert!(lab.database.insert_token(&[1; 32], &token).await.unwrap());
        for change in changes {
            assert!(matches!(lab.database.update_user(user.id, change).await.unwrap(), Updated::Done(_)));
            assert_eq!(rows::heard(&mut events).await, Event::UserChanged(user.id));
        }
        assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), None);
    }
    let changed = lab.database.get_credentials(user.id).await.unwrap().unwrap();
    assert_eq!(changed.user, User { email: Some("me@here".to_owned()), ..user.clone() });
    let cleared = UserChange { description: Some(None), ..UserChange::default() };
    let Updated::Done(cleared) = lab.database.update_user(user.id, &cleared).await.unwrap() else { panic!("it is there") };
    assert_eq!((cleared.description, cleared.default_project_id), (None, Some(project.id)));
    assert_eq!(rows::heard(&mut events).await, Event::UserChanged(user.id));

    assert!(lab.database.insert_token(&[1; 32], &token).await.unwrap());
    for enabled in [false, true] {
        let change = ProjectChange { enabled: Some(enabled), ..ProjectChange::default() };
        assert!(matches!(lab.database.update_project(project.id, &change).await.unwrap(), Updated::Done(_)));
        assert_eq!(rows::heard(&mut events).await, Event::ProjectChanged(project.id));
    }
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), None);
    assert!(lab.database.insert_token(&[1; 32], &token).await.unwrap());
    assert!(lab.database.unassign(user.id, project.id, &AnyRole::Known(Role::Member)).await.unwrap());
    lab.database.assign_role(user.id, project.id, Role::Member).await.unwrap();
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), None);

    let other = project_named(&lab, "other").await;
    let taken = ProjectChange { name: Some("other".to_owned()), ..ProjectChange::default() };
    assert_eq!(lab.database.update_project(project.id, &taken).await.unwrap(), Updated::SameName);
    assert_eq!(lab.database.update_project(rows::project(), &taken).await.unwrap(), Updated::Missing);
    assert_eq!(lab.database.delete_project(other.id).await.unwrap(), ProjectDeleted::Done);
    assert_eq!(lab.database.delete_project(other.id).await.unwrap(), ProjectDeleted::Missing);
    assert!(lab.database.delete_user(user.id).await.unwrap());
    assert!(!lab.database.delete_user(user.id).await.unwrap());
    assert!(!lab.database.insert_token(&[9; 32], &token).await.unwrap());
}

async fn project_named(lab: &Lab, name: &str) -> Project {
    let project = project(name);
    assert_eq!(lab.database.insert_project(&project).await.unwrap(), Inserted::Inserted);
    project
}

#[tokio::test]
async fn a_project_that_owns_something_stays() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let project = Project { id: instance.project_id, ..project("owner") };
    lab.database.insert_project(&project).await.unwrap();
    let refused = ProjectDeleted::InUse { instances: 1, images: 0 };
    assert_eq!(lab.database.delete_project(project.id).await.unwrap(), refused);
    assert_eq!(lab.database.get_project(project.id).await.unwrap(), Some(project));
}

#[tokio::test]
async fn an_application_credential_reaches_no_further_than_its_user() {
    let lab = Lab::new().await;
    let (user, project) = member(&lab).await;
    let credential = ApplicationCredential {
        id: ApplicationCredentialId::from_uuid(rows::uuid()),
        user_id: user.id,
        project_id: project.id,
        name: "robot".to_owned(),
        description: None,
        roles: vec![AnyRole::Known(Role::Member)],
        expires_at: Some(rows::at(50)),
        may_delegate: false,
        created_at: rows::at(0),
    };
    let insert =
        async |credential: &ApplicationCredential| lab.database.insert_application_credential(credential, "hash").await.unwrap();
    assert_eq!(insert(&credential).await, CredentialInserted::Inserted);
    let again = ApplicationCredential { id: ApplicationCredentialId::from_uuid(rows::uuid()), ..credential.clone() };
    assert_eq!(insert(&again).await, CredentialInserted::SameName);
    let orphan = ApplicationCredential { user_id: UserId::from_uuid(rows::uuid()), ..again };
    assert_eq!(insert(&orphan).await, CredentialInserted::NoOwner);
    let found = (credential.clone(), "hash".to_owned());
    assert_eq!(lab.database.get_application_credential(credential.id).await.unwrap(), Some(found.clone()));
    assert_eq!(lab.database.find_application_credential(user.id, "robot").await.unwrap(), Some(found));
    assert_eq!(lab.database.list_application_credentials(user.id).await.unwrap(), std::slice::from_ref(&credential));

    let used = TokenCredential { id: credential.id, name: "robot".to_owned(), may_delegate: false };
    let token = TokenGrant {
        methods: vec![AuthMethod::ApplicationCredential],
        application_credential: Some(used),
        ..grant(&user, Some(&project), Some(Role::Member))
    };
    lab.database.insert_token(&[1; 32], &token).await.unwrap();
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), Some(token.clone()));
    let mut events = lab.database.events();
    assert!(lab.database.delete_application_credential(credential.id).await.unwrap());
    assert_eq!(rows::heard(&mut events).await, Event::UserChanged(user.id));
    assert!(!lab.database.delete_application_credential(credential.id).await.unwrap());
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), None);

    // The role goes, and with it what holds it.
    assert_eq!(insert(&credential).await, CredentialInserted::Inserted);
    lab.database.insert_token(&[1; 32], &token).await.unwrap();
    assert!(lab.database.unassign(user.id, project.id, &AnyRole::Known(Role::Member)).await.unwrap());
    assert!(lab.database.list_application_credentials(user.id).await.unwrap().is_empty());
    assert_eq!(lab.database.get_token(&[1; 32], rows::at(1)).await.unwrap(), None);
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
