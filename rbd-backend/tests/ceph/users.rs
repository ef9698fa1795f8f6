//! Cephx users: made, changed, removed, each twice; and what their rights come to.

use crate::support::{POOL, ceph, conf, connect, metadata, unique, with_place};
use cuttle_rbd_backend::{Class, ClientCaps, Cluster, ClusterConfig, KeySource, Limits};
use secrecy::ExposeSecret;

fn as_user(name: &str, key: KeySource) -> ClusterConfig {
    ClusterConfig { conf_file: Some(conf()), monitors: None, client_name: name.into(), key }
}

#[tokio::test]
async fn a_user_is_made_changed_and_removed() {
    let cluster = connect().await;
    let name = format!("client.{}", unique("user"));
    assert!(!cluster.client_exists(&name).await.unwrap());
    let host = ClientCaps::for_host([POOL], ["images"]);
    let key = cluster.ensure_client(&name, &host).await.unwrap();
    let again = cluster.ensure_client(&name, &host).await.unwrap();
    assert_eq!(key.expose_secret(), again.expose_secret());
    assert!(cluster.client_exists(&name).await.unwrap());
    assert_eq!(cluster.list_clients(&name).await.unwrap(), Some(vec![name.clone()]));

    let less = ClientCaps { mon: "profile rbd".into(), osd: format!("profile rbd-read-only pool={POOL}"), mgr: String::new() };
    let changed = cluster.ensure_client(&name, &less).await.unwrap();
    assert_eq!(key.expose_secret(), changed.expose_secret());
    let shown = ceph(&["auth", "get", &name]);
    assert!(shown.contains("rbd-read-only") && !shown.contains("caps mgr"), "{shown}");
    for _ in 0..2 {
        cluster.remove_client(&name).await.unwrap();
    }
    assert!(!cluster.client_exists(&name).await.unwrap());
    assert_eq!(cluster.ensure_client("client.admin", &less).await.unwrap_err().class(), Class::Refused);
    assert_eq!(cluster.remove_client("osd.0").await.unwrap_err().class(), Class::Refused);
    let nonsense = ClientCaps { osd: "no such caps".into(), ..less };
    let error = cluster.ensure_client(&name, &nonsense).await.unwrap_err();
    assert!(error.to_string().contains(&name), "{error}");
    cluster.remove_client(&name).await.unwrap();
}

#[tokio::test]
async fn rights_reach_as_far_as_they_say() {
    with_place(|place| async move {
        let user = format!("client.{}", unique("user"));
        let disk = place.name("disk");
        place.pool.create_image(&disk, 8 << 20, &metadata(&[])).await.unwrap();
        let caps =
            ClientCaps { mon: "profile rbd".into(), osd: format!("profile rbd-read-only pool={POOL}"), mgr: String::new() };
        let key = place.cluster.ensure_client(&user, &caps).await.unwrap();
        let secret = key.expose_secret().to_owned();

        let limited = Cluster::connect(as_user(&user, KeySource::Key(key)), Limits::default()).await.unwrap();
        let pool = limited.pool(POOL);
        assert!(pool.info(&disk).await.unwrap().is_some());
        let error = pool.create_image(&place.name("other"), 8 << 20, &metadata(&[])).await.unwrap_err();
        assert_eq!(error.class(), Class::Broken);
        assert!(error.to_string().contains(&format!("{user} is not permitted to write to pool {POOL}")), "{error}");
        assert!(!format!("{error:?}").contains(&secret));
        assert_eq!(limited.list_clients("client.").await.unwrap(), None);
        let error = limited.ensure_client("client.more", &caps).await.unwrap_err();
        assert_eq!((error.class(), error.errno()), (Class::Broken, Some(13)), "{error}");
        place.cluster.remove_client(&user).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_said_and_not_shown() {
    let cluster = connect().await;
    let (user, other) = (format!("client.{}", unique("user")), format!("client.{}", unique("user")));
    let caps = ClientCaps { mon: "profile rbd".into(), ..ClientCaps::default() };
    let (_, foreign) = (cluster.ensure_client(&user, &caps).await.unwrap(), cluster.ensure_client(&other, &caps).await.unwrap());
    let secret = foreign.expose_secret().to_owned();
    for key in [KeySource::Key(foreign), KeySource::Key("garbage!".into()), KeySource::Keyring("/no/such/file".into())] {
        let error = Cluster::connect(as_user(&user, key), Limits::default()).await.err().unwrap();
        assert_eq!(error.class(), Class::Broken, "{error}");
        assert!(error.to_string().contains(&user));
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&secret) && !shown.contains("garbage"), "{shown}");
    }
    cluster.remove_client(&user).await.unwrap();
    cluster.remove_client(&other).await.unwrap();
}
