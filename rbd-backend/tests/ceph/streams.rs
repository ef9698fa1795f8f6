//! Bytes in and out: streamed, sparse, bounded, and durable when `finish` says so.

use crate::support::{Place, metadata, rbd, until_idle, with_place};
use bytes::Bytes;
use cuttle_rbd_backend::{FreshImage, WriterOptions};
use std::time::Instant;

const MIB: usize = 1 << 20;

async fn image(place: &Place, what: &str, bytes: usize) -> String {
    let name = place.name(what);
    place.pool.create_image(&name, bytes as u64, &metadata(&[])).await.unwrap();
    name
}

/// Data of which every position can be told, with whole objects and parts of objects zero.
fn pattern(bytes: usize) -> Vec<u8> {
    let mut data: Vec<u8> = (0..bytes).map(|place| (place / 4096 + place % 251) as u8 | 1).collect();
    data[4 * MIB..9 * MIB].fill(0);
    data[10 * MIB..10 * MIB + 128 * 1024].fill(0);
    data
}

async fn read_all(place: &Place, name: &str, snapshot: Option<&str>) -> Vec<u8> {
    let reader = place.pool.open_reader(name, snapshot).await.unwrap().unwrap();
    let mut read = Vec::new();
    while (read.len() as u64) < reader.size_bytes() {
        let part = reader.read_at(read.len() as u64, 3 * MIB + 17).await.unwrap();
        assert!(!part.is_empty());
        read.extend_from_slice(&part);
    }
    assert!(reader.read_at(reader.size_bytes(), 10).await.unwrap().is_empty());
    read
}

/// Bytes that the image really uses, as the administrator's tool counts them.
fn used(place: &Place, name: &str) -> u64 {
    let shown = rbd(&["du", "--format", "json", &format!("{}/{name}", place.pool.name())]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown["images"][0]["used_size"].as_u64().unwrap()
}

#[tokio::test]
async fn a_stream_of_odd_pieces_arrives_whole_and_sparse() {
    with_place(|place| async move {
        let data = pattern(18 * MIB + 12_345);
        for (what, fresh) in [("sparse", FreshImage::Yes), ("dense", FreshImage::No)] {
            let name = image(&place, what, 20 * MIB).await;
            let options = WriterOptions { fresh, in_flight: 3, ..WriterOptions::default() };
            let mut writer = place.pool.open_writer(&name, options).await.unwrap();
            let mut rest = Bytes::from(data.clone());
            let mut sizes = [1usize, 65_536, 5 * MIB, 777, 4 * MIB, 9 * MIB].into_iter().cycle();
            while !rest.is_empty() {
                let size = sizes.next().unwrap().min(rest.len());
                writer.append(rest.split_to(size)).await.unwrap();
            }
            assert_eq!(writer.position(), data.len() as u64);
            writer.finish().await.unwrap();
            let read = read_all(&place, &name, None).await;
            assert!(read[..data.len()] == data, "{what}: what was read is not what was written");
            assert!(read[data.len()..].iter().all(|byte| *byte == 0));
        }
        let (sparse, dense) = (used(&place, &place.name("sparse")), used(&place, &place.name("dense")));
        assert!(sparse + 4 * MIB as u64 <= dense, "sparse uses {sparse}, dense {dense}");
    })
    .await;
}

#[tokio::test]
async fn many_reads_and_writers_run_side_by_side() {
    with_place(|place| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..4u8 {
            let place = place.clone();
            tasks.spawn(async move {
                let name = image(&place, &format!("disk{number}"), 12 * MIB).await;
                let writer = place.pool.open_writer(&name, WriterOptions::default()).await.unwrap();
                for piece in 0..12u64 {
                    let data = vec![number * 12 + piece as u8 + 1; MIB];
                    writer.write_at(piece * MIB as u64, data.into()).await.unwrap();
                }
                writer.finish().await.unwrap();
                let reader = place.pool.open_reader(&name, None).await.unwrap().unwrap();
                let reads = (0..12u64).map(|piece| reader.read_at(piece * MIB as u64, MIB));
                let mut all = Vec::new();
                for read in reads {
                    all.push(read.await.unwrap());
                }
                assert!(
                    all.iter().enumerate().all(|(piece, read)| read.iter().all(|byte| *byte == number * 12 + piece as u8 + 1))
                );
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        until_idle(&place.cluster).await;
    })
    .await;
}

/// Not a benchmark: says how fast, and fails only on something absurd.
#[tokio::test]
async fn a_stream_is_not_slow() {
    with_place(|place| async move {
        let size = 128 * MIB;
        let name = image(&place, "disk", size).await;
        let mut writer = place.pool.open_writer(&name, WriterOptions::default()).await.unwrap();
        let piece = Bytes::from(vec![5u8; MIB]);
        let begun = Instant::now();
        for _ in 0..128 {
            writer.append(piece.clone()).await.unwrap();
        }
        writer.finish().await.unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        println!("wrote 128 MiB in {seconds:.2} s: {:.0} MiB/s", 128.0 / seconds);
        assert!(seconds < 120.0);
    })
    .await;
}
