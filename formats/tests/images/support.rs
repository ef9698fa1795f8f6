//! Files and disks in memory, and images made by `qemu-img`.

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use bytes::Bytes;
use cuttle_formats::{Disk, Error, Format, Limits, OutsideError, START_BYTES, Sink, Source, TAIL_BYTES, check, copy};

/// A file in memory.
pub struct Memory(pub Bytes);

impl Source for Memory {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, OutsideError> {
        let start = usize::try_from(offset).unwrap();
        assert!(start + length <= self.0.len(), "a reader asked for {length} bytes at {offset} of {}", self.0.len());
        Ok(self.0.slice(start..start + length))
    }
}

/// A disk in memory, which knows what was written.
#[derive(Default)]
pub struct Written {
    parts: Mutex<Vec<(Range<u64>, Bytes)>>,
}

impl Sink for Written {
    async fn write_at(&self, offset: u64, data: Bytes) -> Result<(), OutsideError> {
        self.parts.lock().unwrap().push((offset..offset + data.len() as u64, data));
        Ok(())
    }
}

impl Written {
    /// What was written, and where.
    pub fn places(&self) -> Vec<(u64, Bytes)> {
        self.parts.lock().unwrap().iter().map(|(range, data)| (range.start, data.clone())).collect()
    }

    pub fn bytes(&self) -> u64 {
        self.parts.lock().unwrap().iter().map(|(range, _)| range.end - range.start).sum()
    }

    /// No two writes touch the same bytes, and none leaves the disk.
    pub fn assert_tidy(&self, size: u64) {
        let mut ranges: Vec<_> = self.parts.lock().unwrap().iter().map(|(range, _)| range.clone()).collect();
        ranges.sort_by_key(|range| range.start);
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "writes overlap");
        assert!(ranges.last().is_none_or(|last| last.end <= size), "a write leaves the disk");
    }

    pub fn content(&self, size: u64) -> Vec<u8> {
        let mut disk = vec![0; usize::try_from(size).unwrap()];
        for (range, data) in self.parts.lock().unwrap().iter() {
            disk[range.start as usize..range.end as usize].copy_from_slice(data);
        }
        disk
    }
}

/// What import does with a file: look at its content, open it, copy it.
pub fn import(file: &Bytes, format: Format, virtual_bytes: u64) -> Result<(u64, Written), Error> {
    let start = &file[..file.len().min(START_BYTES)];
    let tail = &file[file.len().saturating_sub(TAIL_BYTES)..];
    check(format, start, tail)?;
    open_and_copy(file, format, virtual_bytes)
}

/// The same without the look, for files that are broken on purpose.
pub fn open_and_copy(file: &Bytes, format: Format, virtual_bytes: u64) -> Result<(u64, Written), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let source = Memory(file.clone());
        let mut disk = Disk::open(&source, format, Limits { virtual_bytes }).await?;
        let (size, written) = (disk.virtual_bytes(), Written::default());
        let mut last = 0;
        copy(&source, &mut disk, &written, |position| {
            assert!(position >= last && position <= size);
            last = position;
        })
        .await?;
        assert_eq!(last, size, "the whole disk was gone through");
        Ok((size, written))
    })
}

/// Runs `qemu-img` in `folder`.
pub fn qemu_img(folder: &Path, arguments: &[&str]) {
    let done = Command::new("qemu-img").args(arguments).current_dir(folder).output();
    let done = done.unwrap_or_else(|error| panic!("qemu-img is needed (package qemu-utils): {error}"));
    assert!(done.status.success(), "qemu-img {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Bytes that look random and do not compress; the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

/// A disk with data, text that compresses, holes of many sizes, and an end that is no multiple of anything large.
pub fn mixed() -> Vec<u8> {
    const MIB: usize = 1 << 20;
    let mut disk = vec![0; 21 * MIB + 3 * 512];
    let mut put = |at: usize, data: &[u8]| disk[at..at + data.len()].copy_from_slice(data);
    put(0, &noise(1, 3 * MIB + 5000));
    put(5 * MIB + 512, &b"the same words again and again ".repeat(40_000));
    put(9 * MIB, &noise(2, 512));
    put(9 * MIB + 64 * 1024 * 3, &noise(3, 70_000));
    put(12 * MIB, &noise(4, 4 * MIB));
    put(21 * MIB + 512, &noise(5, 1024));
    disk
}
