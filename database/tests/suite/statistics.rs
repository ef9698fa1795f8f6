//! Numbers for metrics.

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn what_there_is_is_counted_by_state() {
    let lab = Lab::new().await;
    for _ in 0..3 {
        rows::insert_instance(&lab.database).await;
    }
    let counts = lab.database.counts().await.unwrap();
    let number = |what: &str| counts.iter().filter(|count| count.what == what).map(|count| count.number).sum::<u64>();
    assert_eq!((number("instance"), number("image"), number("command")), (3, 0, 0));
    let pools = lab.database.connections();
    assert!(pools.iter().all(|pool| pool.open >= pool.idle), "{pools:?}");
}
