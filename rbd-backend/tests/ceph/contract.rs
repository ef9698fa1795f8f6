//! What every storage must do, on the real one; and that the administrator's own tool sees the same.

use std::future::Future;
use std::sync::Arc;

use crate::support::{self, admin, metadata, rbd};
use cuttle_fakes::contract::storage::Place;
use cuttle_rbd_backend::{ClusterAddress, Limits};

async fn with_place<F, Fut>(part: F)
where
    F: FnOnce(Place) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    support::with_place(|place| async move {
        let cluster = Arc::new(ClusterAddress { config: admin(), limits: Limits::default() });
        let (storage, pool) = (Arc::new(place.cluster.clone()), Arc::new(place.pool.clone()));
        part(Place { storage, pool, prefix: place.prefix.clone(), cluster }).await;
    })
    .await;
}

cuttle_fakes::storage_contract!(with_place);

#[tokio::test]
async fn the_administrators_tool_sees_the_owner() {
    support::with_place(|place| async move {
        let name = place.name("disk");
        place.pool.create_image(&name, 8 << 20, &metadata(&[("cuttle.instance", "one")])).await.unwrap();
        let shown = rbd(&["image-meta", "list", &format!("{}/{name}", place.pool.name())]);
        assert!(shown.contains("cuttle.instance") && shown.contains("one"), "{shown}");
    })
    .await;
}
