//! Bytes in and out: streamed, sparse, bounded, and durable when `finish` says so.

use super::{Place, metadata};
use cuttle_rbd_backend::{Class, ImageRef, WriterOptions};

const MIB: usize = 1 << 20;

async fn image(place: &Place, what: &str, bytes: usize) -> String {
    let name = place.name(what);
    place.pool.create_image(&name, bytes as u64, &metadata(&[])).await.unwrap();
    name
}

async fn read_all(place: &Place, name: &str, snapshot: Option<&str>) -> Vec<u8> {
    let reader = place.pool.open_reader(ImageRef::from(name), snapshot).await.unwrap().unwrap();
    let mut read = Vec::new();
    while (read.len() as u64) < reader.size_bytes() {
        let part = reader.read_at(read.len() as u64, 3 * MIB + 17).await.unwrap();
        assert!(!part.is_empty());
        read.extend_from_slice(&part);
    }
    assert!(reader.read_at(reader.size_bytes(), 10).await.unwrap().is_empty());
    read
}

pub async fn zeroes_overwrite_what_is_not_fresh(place: Place) {
    let name = image(&place, "disk", 8 * MIB).await;
    let writer = place.pool.open_writer(ImageRef::from(&name), WriterOptions::default()).await.unwrap();
    writer.write_at(0, vec![7u8; 8 * MIB].into()).await.unwrap();
    writer.finish().await.unwrap();
    place.pool.create_snapshot(ImageRef::from(&name), "full").await.unwrap();
    let writer = place.pool.open_writer(ImageRef::from(&name), WriterOptions::default()).await.unwrap();
    writer.write_at(MIB as u64, vec![0u8; MIB].into()).await.unwrap();
    writer.discard(6 * MIB as u64, 2 * MIB as u64).await.unwrap();
    writer.finish().await.unwrap();
    let read = read_all(&place, &name, None).await;
    let zero = |range: std::ops::Range<usize>| read[range].iter().all(|byte| *byte == 0);
    let seven = |range: std::ops::Range<usize>| read[range].iter().all(|byte| *byte == 7);
    assert!(seven(0..MIB) && zero(MIB..2 * MIB) && seven(2 * MIB..6 * MIB) && zero(6 * MIB..8 * MIB));
    assert!(read_all(&place, &name, Some("full")).await.iter().all(|byte| *byte == 7));
    assert!(place.pool.open_reader(ImageRef::from(&name), Some("none")).await.unwrap().is_none());
    assert!(place.pool.open_reader(ImageRef::from(place.name("none")), None).await.unwrap().is_none());
}

pub async fn what_does_not_fit_is_refused_before_it_is_written(place: Place) {
    let name = image(&place, "disk", 4 * MIB).await;
    let mut writer = place.pool.open_writer(ImageRef::from(&name), WriterOptions::default()).await.unwrap();
    let error = writer.write_at(4 * MIB as u64 - 1, vec![1u8; 2].into()).await.unwrap_err();
    assert!(error.class() == Class::Refused && error.to_string().contains("beyond"), "{error}");
    assert_eq!(writer.write_at(u64::MAX, vec![1u8; 2].into()).await.unwrap_err().class(), Class::Refused);
    writer.append(vec![1u8; 4 * MIB].into()).await.unwrap();
    assert_eq!(writer.append(vec![1u8; 1].into()).await.unwrap_err().class(), Class::Refused);
    writer.finish().await.unwrap();
    let missing = place.pool.open_writer(ImageRef::from(place.name("none")), WriterOptions::default()).await.err().unwrap();
    assert_eq!(missing.class(), Class::Gone);
}
