//! Clients: their addresses, users and pools.

use super::Place;
use cuttle_rbd_backend::{Class, ClientCaps, PoolUse};
use secrecy::ExposeSecret;

pub async fn each_connection_has_addresses_of_its_own(place: Place) {
    let (ours, other) = (place.storage.addresses().await.unwrap(), place.connect().await.addresses().await.unwrap());
    assert!(!ours.is_empty() && ours != other, "{ours:?} {other:?}");
    for address in ours.iter().chain(&other) {
        let (socket, nonce) = address.split_once('/').unwrap();
        socket.parse::<std::net::SocketAddr>().unwrap();
        assert_ne!(nonce.parse::<u32>().unwrap(), 0, "{address}");
    }
    let whole = vec!["192.0.2.9:0/0".to_owned()];
    let refused = place.storage.fence(&whole, std::time::Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(refused.class(), Class::Refused, "a whole address is never fenced");
}

pub async fn users_are_made_once_and_removed(place: Place) {
    let name = format!("client.{}", place.name("user"));
    let caps = ClientCaps { mon: "profile rbd".into(), ..ClientCaps::default() };
    assert!(!place.storage.client_exists(&name).await.unwrap());
    let key = place.storage.ensure_client(&name, &caps).await.unwrap();
    let again = place.storage.ensure_client(&name, &caps).await.unwrap();
    assert_eq!(key.expose_secret(), again.expose_secret());
    assert!(place.storage.client_exists(&name).await.unwrap());
    for _ in 0..2 {
        place.storage.remove_client(&name).await.unwrap();
    }
    assert!(!place.storage.client_exists(&name).await.unwrap());
    for foreign in ["client.admin", "osd.0"] {
        assert_eq!(place.storage.ensure_client(foreign, &caps).await.unwrap_err().class(), Class::Refused);
    }
}

pub async fn a_pool_that_is_not_there_is_named(place: Place) {
    let missing = place.storage.pool("no-such-pool");
    let error = missing.info("x".into()).await.unwrap_err();
    assert!(error.class() == Class::Broken && error.to_string().contains("no-such-pool"), "{error}");
    assert_eq!(place.storage.pool_capacity("no-such-pool").await.unwrap_err().class(), Class::Broken);
    for _ in 0..2 {
        place.storage.create_pool(place.pool.name(), PoolUse::Images).await.unwrap();
    }
    assert!(place.storage.list_pools().await.unwrap().iter().any(|pool| pool == place.pool.name()));
    assert_eq!(place.storage.pool_capacity(place.pool.name()).await.unwrap().full, None);
}
