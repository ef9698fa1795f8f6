//! Keypairs: each user's own, by name, and no more than the quota.

use cuttle_database::{KeypairInsertion, QuotaScope};
use cuttle_model::ids::UserId;
use cuttle_model::keypair::{Keypair, KeypairKind, PublicKey};
use cuttle_model::quota::{Amounts, Resource, UNLIMITED};

use crate::lab::Lab;
use crate::rows;

fn keypair(user: UserId, name: &str) -> Keypair {
    Keypair {
        user_id: user,
        name: name.to_owned(),
        public_key: PublicKey { kind: KeypairKind::Ssh, text: format!("ssh-ed25519 AAAA {name}") },
        fingerprint: "00:11".to_owned(),
        created_at: rows::at(7),
    }
}

fn scope(user: UserId, limit: i64) -> QuotaScope {
    QuotaScope { project: rows::project(), user, configured: Amounts::all(UNLIMITED).with(Resource::KeyPairs, limit) }
}

#[tokio::test]
async fn each_user_has_names_of_its_own() {
    let lab = Lab::new().await;
    let (one, other) = (UserId::from_uuid(rows::uuid()), UserId::from_uuid(rows::uuid()));
    for (user, name) in [(one, "b"), (one, "a"), (one, "B"), (other, "a")] {
        let inserted = lab.database.insert_keypair(&keypair(user, name), &scope(user, 9)).await.unwrap();
        assert_eq!(inserted, KeypairInsertion::Inserted);
    }
    let again = lab.database.insert_keypair(&keypair(one, "a"), &scope(one, 9)).await.unwrap();
    assert_eq!(again, KeypairInsertion::SameName);

    let (number, found) = lab.database.get_keypair(one, "a").await.unwrap().unwrap();
    assert_eq!(found, keypair(one, "a"));
    assert_ne!(lab.database.get_keypair(other, "a").await.unwrap().unwrap().0, number);
    assert_eq!(lab.database.get_keypair(other, "b").await.unwrap(), None);

    let names = async |marker: Option<&str>, limit| -> Vec<String> {
        let found = lab.database.list_keypairs(one, marker, limit).await.unwrap();
        found.into_iter().map(|keypair| keypair.name).collect()
    };
    assert_eq!(names(None, None).await, ["B", "a", "b"]);
    assert_eq!(names(Some("B"), Some(1)).await, ["a"]);
    assert_eq!(lab.database.count_keypairs(one).await.unwrap(), 3);

    assert!(lab.database.delete_keypair(one, "a").await.unwrap());
    assert!(!lab.database.delete_keypair(one, "a").await.unwrap());
    assert!(lab.database.get_keypair(other, "a").await.unwrap().is_some());
}

#[tokio::test]
async fn many_at_once_give_exactly_the_quota() {
    let lab = Lab::new().await;
    let nodes = [lab.database.clone(), lab.another_node().await];
    let user = UserId::from_uuid(rows::uuid());
    let inserted = rows::at_once((0..30).map(|task| {
        let node = nodes[task % 2].clone();
        async move { node.insert_keypair(&keypair(user, &task.to_string()), &scope(user, 7)).await.unwrap() }
    }))
    .await;
    assert_eq!(inserted.iter().filter(|inserted| **inserted == KeypairInsertion::Inserted).count(), 7);
    assert_eq!(inserted.iter().filter(|inserted| **inserted == KeypairInsertion::OverQuota).count(), 23);
    assert_eq!(lab.database.count_keypairs(user).await.unwrap(), 7);
}
