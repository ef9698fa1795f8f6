//! Images on a real Ceph and a real database: every format, hostile files, control nodes that die in the middle, and
//! deletion while clones live.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]
// Other tests use the rest of it.
#![allow(dead_code, unused_imports)]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cuttle_database::OperationQuery;
use cuttle_model::disk::{image_name, root_disk_name, upload_name};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::operation::Subject;
use cuttle_operations::ImportError;
use futures::StreamExt;
use sha2::Digest;
use support::{Life, World};

const MIB: usize = 1 << 20;

/// Data that does not compress, and holes.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; 24 * MIB];
    let mut state = 88_172_645_463_325_252_u64;
    for start in [0, 5 * MIB + 4096, 13 * MIB] {
        for word in disk[start..start + 3 * MIB].chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
    }
    disk
}

/// The disk as an image file, by `qemu-img`.
fn made(disk: &[u8], format: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("disk"), disk).unwrap();
    let arguments = [&["convert", "-f", "raw", "-O"], format, &["disk", "image"]].concat();
    let done = Command::new("qemu-img").args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read(folder.path().join("image")).unwrap()
}

/// An image without data whose format is declared.
fn queued(life: &Life, world: &World, format: &str) -> Image {
    let image = life.queued_image(world);
    let declared = Image { disk_format: Some(format.to_owned()), ..image.clone() };
    let written = life.block_on(async { life.control.database().update_image(&declared, None).await.unwrap() });
    assert_eq!(written, cuttle_database::Written::Done);
    row(life, &image)
}

fn row(life: &Life, image: &Image) -> Image {
    life.block_on(async { life.control.database().get_image(image.id).await.unwrap().unwrap() })
}

fn chunks(file: &[u8]) -> Vec<Result<Bytes, String>> {
    file.chunks(100_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect()
}

fn import(life: &Life, world: &World, image: Image, file: &[u8]) -> Result<Image, ImportError> {
    let (data, size) = (futures::stream::iter(chunks(file)), Some(file.len() as u64));
    life.block_on(cuttle_operations::image::import(&life.control, &world.who, image, data, size))
}

fn content(life: &Life, image: &Image) -> Vec<u8> {
    life.block_on(async {
        let data = cuttle_operations::image::data(&life.control, image).await.unwrap().unwrap();
        let size = data.size_bytes();
        let mut stream = Box::pin(data.stream(0, size));
        let mut content = Vec::new();
        while let Some(part) = stream.next().await {
            content.extend_from_slice(&part.unwrap());
        }
        content
    })
}

/// Neither the image nor its upload is in the pool.
fn assert_nothing_left(life: &Life, world: &World, image: &Image) {
    for name in [image_name(image.id), upload_name(image.id)] {
        let pool = life.control.ceph().pool(&world.settings.images_pool);
        let info = life.block_on(async { pool.info(name.as_str().into()).await.unwrap() });
        assert!(info.is_none(), "{name} is still there");
    }
}

/// Names in the trash of the pool of images.
fn trash(life: &Life, world: &World) -> Vec<String> {
    let pool = life.control.ceph().pool(&world.settings.images_pool);
    life.block_on(async { pool.trash_list().await.unwrap() }).into_iter().map(|entry| entry.name).collect()
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_format_becomes_the_disk_that_it_holds() {
    let world = World::new();
    let life = world.begin();
    let disk = disk();
    for (format, options) in [
        ("raw", &["raw"][..]),
        ("qcow2", &["qcow2"]),
        ("qcow2", &["qcow2", "-c", "-o", "compression_type=zstd"]),
        ("vmdk", &["vmdk", "-o", "subformat=streamOptimized"]),
        ("vdi", &["vdi"]),
        ("vhd", &["vpc", "-o", "force_size=on"]),
    ] {
        let file = made(&disk, options);
        let image = import(&life, &world, queued(&life, &world, format), &file).unwrap();
        assert_eq!((image.status, image.failure.as_ref()), (ImageStatus::Active, None), "{format}");
        assert_eq!((image.size_bytes, image.virtual_size_bytes), (Some(file.len() as u64), Some(disk.len() as u64)), "{format}");
        assert!(content(&life, &image) == disk, "{options:?}: the disk differs");
        let sha512: String = sha2::Sha512::digest(&disk).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(image.sha512, Some(sha512), "{options:?}: it is the disk's");
        let pool = life.control.ceph().pool(&world.settings.images_pool);
        let upload = life.block_on(async { pool.info(upload_name(image.id).into()).await.unwrap() });
        assert!(upload.is_none(), "the upload of {options:?} is still there");
        life.block_on(cuttle_operations::image::delete(&life.control, &world.who, image.clone())).unwrap();
        assert_nothing_left(&life, &world, &image);
    }
    life.stop();
}

#[test]
fn files_that_are_not_taken_leave_a_reason_and_nothing_else() {
    let world = World::new();
    let life = world.begin();
    let good = made(&vec![7; 4 * MIB], &["qcow2"]);
    let mut backed = good.clone();
    backed[8..16].copy_from_slice(&100_u64.to_be_bytes());
    let mut huge = good.clone();
    huge[24..32].copy_from_slice(&(1_u64 << 60).to_be_bytes());
    for (format, file, reason) in [
        ("raw", &good[..], "qcow2, not raw"),
        ("vmdk", &good[..], "qcow2, not vmdk"),
        ("qcow2", &[1; 5000][..], "raw, not qcow2"),
        ("qcow2", &backed[..], "backing file"),
        ("qcow2", &huge[..], "virtual size"),
        ("qcow2", &good[..good.len() / 2], "truncated"),
        ("iso", &[0; 5000][..], "raw, not iso"),
    ] {
        let image = queued(&life, &world, format);
        let error = import(&life, &world, image.clone(), file).unwrap_err();
        assert!(matches!(&error, ImportError::BadFile(text) if text.contains(reason)), "{format}: {error}");
        let row = row(&life, &image);
        assert_eq!(row.status, ImageStatus::Queued, "{format}");
        assert!(row.failure.as_ref().is_some_and(|failure| failure.contains(reason)), "{:?}", row.failure);
        assert_nothing_left(&life, &world, &image);
        // It can still be given its data, and then the reason goes.
        if format == "qcow2" {
            let image = import(&life, &world, row, &good).unwrap();
            assert_eq!((image.status, image.failure), (ImageStatus::Active, None));
        }
    }
    life.stop();
}

#[test]
fn more_than_is_allowed_is_refused_while_it_comes() {
    let mut world = World::new();
    world.settings.max_image_gib = 0;
    let life = world.begin();
    let image = queued(&life, &world, "raw");
    let data = futures::stream::iter(chunks(&[1; 1000]));
    let error = life.block_on(cuttle_operations::image::import(&life.control, &world.who, image.clone(), data, None));
    assert!(matches!(error, Err(ImportError::TooLarge { limit: 0 })), "{error:?}");
    assert_nothing_left(&life, &world, &image);
    life.stop();
}

/// Begins an import in the background, of data that ends after `file` or never.
fn begin_import(
    life: &Life,
    world: &World,
    image: &Image,
    file: &[u8],
    ends: bool,
) -> tokio::task::JoinHandle<Result<Image, ImportError>> {
    let (control, who, image) = (life.control.clone(), world.who.clone(), image.clone());
    let (size, data) = (file.len() as u64, futures::stream::iter(chunks(file)));
    let runtime = life.block_on(async { tokio::runtime::Handle::current() });
    runtime.spawn(async move {
        match ends {
            true => cuttle_operations::image::import(&control, &who, image, data, Some(size)).await,
            false => {
                let endless = data.chain(futures::stream::pending());
                cuttle_operations::image::import(&control, &who, image, endless, None).await
            }
        }
    })
}

/// Waits until the image's import is at this step.
fn until_step(life: &Life, image: &Image, step: u32) {
    let query = OperationQuery { subject: Some(Subject::Image(image.id)), ..OperationQuery::default() };
    until("the step", || {
        let operations = life.block_on(async { life.control.database().find_operations(&query).await.unwrap() });
        operations.first().is_some_and(|operation| operation.next_step >= step)
    });
}

#[test]
fn a_conversion_is_finished_by_the_next_process() {
    let world = World::new();
    let life = world.begin();
    let disk = disk();
    let image = queued(&life, &world, "qcow2");
    let import = begin_import(&life, &world, &image, &made(&disk, &["qcow2", "-c"]), true);
    until_step(&life, &image, 2);
    life.kill();
    drop(import);

    let next = world.begin();
    until("the image is active", || row(&next, &image).status == ImageStatus::Active);
    let image = row(&next, &image);
    assert!(content(&next, &image) == disk, "the disk differs");
    let pool = next.control.ceph().pool(&world.settings.images_pool);
    assert!(next.block_on(async { pool.info(upload_name(image.id).into()).await.unwrap() }).is_none());
    next.stop();
}

#[test]
fn an_upload_whose_node_died_is_queued_again_and_leaves_nothing() {
    for format in ["raw", "qcow2"] {
        let world = World::new();
        let life = world.begin();
        let image = queued(&life, &world, format);
        let file = made(&disk(), &[format]);
        let import = begin_import(&life, &world, &image, &file, false);
        until_step(&life, &image, 1);
        life.kill();
        drop(import);

        let next = world.begin();
        until("the image is queued", || row(&next, &image).status == ImageStatus::Queued);
        assert!(row(&next, &image).failure.unwrap().contains("broke off"), "{format}");
        assert_nothing_left(&next, &world, &image);
        next.stop();
    }
}

#[test]
fn an_image_can_be_deleted_while_its_data_comes_in() {
    for format in ["raw", "qcow2"] {
        let world = World::new();
        let life = world.begin();
        let image = queued(&life, &world, format);
        let import = begin_import(&life, &world, &image, &made(&disk(), &[format]), false);
        until_step(&life, &image, 1);
        let saving = row(&life, &image);
        assert_eq!(saving.status, ImageStatus::Saving);
        life.block_on(cuttle_operations::image::delete(&life.control, &world.who, saving)).unwrap();
        let ended = life.block_on(import).unwrap();
        assert!(matches!(ended, Err(ImportError::Deleted)), "{ended:?}");
        assert!(life.block_on(async { life.control.database().get_image(image.id).await.unwrap() }).is_none());
        assert_nothing_left(&life, &world, &image);
        life.stop();
    }
}

#[test]
fn a_deleted_image_goes_when_the_last_clone_of_it_is_gone() {
    let mut world = World::new();
    world.settings.trash_delay_seconds = 0;
    world.settings.purge_interval_seconds = 1;
    let life = world.begin();
    let image = life.image(&world);
    let id = life.create(&world, &image);
    life.settled(id);
    life.block_on(cuttle_operations::image::delete(&life.control, &world.who, image.clone())).unwrap();
    let name = image_name(image.id);
    // The purge has tried: the image has lost its snapshot for good, and is kept by Ceph for its clone.
    let pool = life.control.ceph().pool(&world.settings.images_pool);
    let entry = life.block_on(async { pool.trash_list().await.unwrap() }).into_iter().find(|entry| entry.name == name).unwrap();
    until("the purge has tried", || {
        let snapshots = life.block_on(async { pool.list_snapshots(cuttle_rbd_backend::ImageRef::id(&entry.id)).await.unwrap() });
        snapshots.is_some_and(|snapshots| snapshots.is_empty())
    });
    assert!(trash(&life, &world).contains(&name), "it was purged under its clone");
    let disks = life.control.ceph().pool(&world.settings.vms_pool);
    let bytes = life.block_on(async {
        let reader = disks.open_reader(root_disk_name(id).into(), None).await.unwrap().unwrap();
        reader.read_at(4 << 20, 4096).await.unwrap()
    });
    assert!(bytes.iter().all(|byte| *byte == 7), "the clone reads what its parent has");

    life.block_on(cuttle_operations::power::request(&life.control, &world.who, id, cuttle_model::machine::Request::Delete))
        .unwrap();
    until("the image is purged", || !trash(&life, &world).contains(&name));
    life.stop();
}
