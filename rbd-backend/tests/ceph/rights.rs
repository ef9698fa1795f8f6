//! Rights that are missing are named, with what gives them; and finding that out changes nothing.

use crate::support::{POOL, conf, metadata, unique, with_place};
use cuttle_rbd_backend::{Class, ClientCaps, ClonePlan, Cluster, ClusterConfig, KeySource, Limits, MissingRight, Reason, Right};

/// What a deployment gives the control plane.
const CAPS: &str = include_str!("../../../ansible/roles/control/files/ceph-caps.json");

fn monitors_caps() -> String {
    let caps: serde_json::Value = serde_json::from_str(CAPS).unwrap();
    caps["mon"].as_str().unwrap().to_owned()
}

async fn as_user(place: &crate::support::Place, mon: &str, osd: &str) -> (Cluster, String) {
    // The prefix of what it may make users of.
    let name = format!("client.{}", unique("control"));
    let caps = ClientCaps { mon: mon.into(), osd: osd.into(), mgr: "allow r".into() };
    let key = place.cluster.ensure_client(&name, &caps).await.unwrap();
    let config = ClusterConfig { conf_file: Some(conf()), monitors: None, client_name: name.clone(), key: KeySource::Key(key) };
    (Cluster::connect(config, Limits::default()).await.unwrap(), name)
}

fn rights(missing: &[MissingRight]) -> Vec<Right> {
    let right = |missing: &MissingRight| match missing {
        MissingRight::Pool { right, .. } => Some(*right),
        MissingRight::Command { .. } => None,
    };
    missing.iter().filter_map(right).collect()
}

#[tokio::test]
async fn the_rights_of_a_deployment_are_enough_and_each_that_is_missing_is_named() {
    with_place(|place| async move {
        let clients = "client.cuttle.";
        let (whole, name) = as_user(&place, &monitors_caps(), &format!("profile rbd pool={POOL}")).await;
        assert_eq!(whole.check_caps(&[POOL], clients).await.unwrap(), []);
        let gone = whole.check_caps(&["no-such-pool"], clients).await.unwrap_err();
        assert!(matches!(gone.reason(), Reason::NoPool) && gone.to_string().contains("no-such-pool"), "{gone}");
        place.cluster.remove_client(&name).await.unwrap();

        for (osd, expected) in [
            (format!("profile rbd-read-only pool={POOL}"), vec![Right::Write, Right::Execute]),
            (format!("allow rw pool={POOL}"), vec![Right::Execute]),
            ("profile rbd pool=another".to_owned(), vec![Right::Read, Right::Write, Right::Execute]),
        ] {
            let (limited, name) = as_user(&place, "allow r", &osd).await;
            let missing = limited.check_caps(&[POOL], clients).await.unwrap();
            assert_eq!(rights(&missing), expected, "{osd}: {missing:?}");
            let commands: Vec<_> = missing.iter().map(ToString::to_string).collect();
            for command in ["auth get-or-create", "auth caps", "auth get", "auth rm", "osd blocklist"] {
                let named = format!("{name} is not permitted to run '{command}' on the monitors");
                assert!(commands.contains(&named), "{named}: {commands:?}");
            }
            assert!(!commands.iter().any(|command| command.contains("'df'")), "{commands:?}");
            place.cluster.remove_client(&name).await.unwrap();
        }
        assert!(!place.cluster.client_exists("client.cuttle.cuttle-probe-of-rights").await.unwrap(), "a probe made a user");
    })
    .await;
}

#[tokio::test]
async fn what_is_denied_says_which_right_in_which_pool_is_missing() {
    with_place(|place| async move {
        let parent = place.name("parent");
        place.pool.create_image(&parent, 8 << 20, &metadata(&[])).await.unwrap();
        place.pool.create_snapshot(&parent, "snap").await.unwrap();
        place.pool.protect_snapshot(&parent, "snap").await.unwrap();
        let plan = ClonePlan {
            parent_pool: POOL.into(),
            parent_image: parent.clone(),
            parent_snapshot: "snap".into(),
            name: place.name("disk"),
            size_bytes: 8 << 20,
            metadata: metadata(&[]),
        };
        let (reader, name) = as_user(&place, "profile rbd", &format!("profile rbd-read-only pool={POOL}")).await;
        let pool = reader.pool(POOL);
        let expected = format!("{name} is not permitted to write to pool {POOL}; add 'profile rbd pool={POOL}' to the osd caps");
        let errors = [
            pool.create_clone(plan).await.unwrap_err(),
            pool.create_image(&place.name("other"), 8 << 20, &metadata(&[])).await.unwrap_err(),
            pool.trash_move(&parent, std::time::Duration::ZERO).await.unwrap_err(),
            pool.set_metadata(&parent, &metadata(&[("cuttle.x", "y")])).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.class(), Class::Broken);
            assert!(error.to_string().contains(&expected), "{error}");
        }
        place.cluster.remove_client(&name).await.unwrap();
    })
    .await;
}
