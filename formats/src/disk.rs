//! An image file, opened: how large its disk is, and its extents one after another.

use crate::cache::Cache;
use crate::detect::Format;
use crate::extent::{Data, Extent};
use crate::qcow2::Qcow2;
use crate::vdi::Vdi;
use crate::vhd::Vhd;
use crate::vmdk::Vmdk;
use crate::{Error, Source};

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest disk.
    pub virtual_bytes: u64,
}

/// An opened image file.
pub struct Disk<'s, S> {
    tables: Cache<'s, S>,
    layout: Layout,
    virtual_bytes: u64,
    /// Where the next extent is looked for.
    position: u64,
    /// The sum of what was stored as it is: a valid file has room for each part once.
    stored_bytes: u64,
}

enum Layout {
    Plain,
    Qcow2(Qcow2),
    Vmdk(Vmdk),
    Vdi(Vdi),
    Vhd(Vhd),
}

/// What is at some place of a disk.
pub(crate) struct Piece {
    /// How far it reaches from there.
    pub(crate) length: u64,
    /// `None`: zeroes.
    pub(crate) data: Option<Data>,
}

impl<'s, S: Source> Disk<'s, S> {
    /// Reads the headers and refuses what cannot be taken. The content was found to be `format` by [`crate::check`].
    pub async fn open(source: &'s S, format: Format, limits: Limits) -> Result<Self, Error> {
        let mut tables = Cache::new(source);
        let (layout, virtual_bytes) = match format {
            Format::Raw | Format::Iso => (Layout::Plain, source.size_bytes()),
            Format::Qcow2 => Qcow2::open(&mut tables).await.map(|(opened, size)| (Layout::Qcow2(opened), size))?,
            Format::Vmdk => Vmdk::open(&mut tables).await.map(|(opened, size)| (Layout::Vmdk(opened), size))?,
            Format::Vdi => Vdi::open(&mut tables).await.map(|(opened, size)| (Layout::Vdi(opened), size))?,
            Format::Vhd => Vhd::open(&mut tables).await.map(|(opened, size)| (Layout::Vhd(opened), size))?,
        };
        if virtual_bytes == 0 {
            return Err(Error::Damaged("its disk has no size"));
        }
        if virtual_bytes > limits.virtual_bytes {
            return Err(Error::TooLarge { size_bytes: virtual_bytes, limit_bytes: limits.virtual_bytes });
        }
        if let Layout::Qcow2(opened) = &layout {
            opened.check_size(virtual_bytes, source.size_bytes())?;
        }
        Ok(Self { tables, layout, virtual_bytes, position: 0, stored_bytes: 0 })
    }

    /// The size of the disk.
    pub fn virtual_bytes(&self) -> u64 {
        self.virtual_bytes
    }

    /// How far the disk was gone through.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next part that holds data; `None` at the disk's end. They come in order and do not overlap.
    pub async fn next(&mut self) -> Result<Option<Extent>, Error> {
        while self.position < self.virtual_bytes {
            let offset = self.position;
            let tables = &mut self.tables;
            let piece = match &mut self.layout {
                Layout::Plain => Piece { length: self.virtual_bytes, data: Some(Data::Stored { at: 0 }) },
                Layout::Qcow2(qcow2) => qcow2.piece(tables, offset).await?,
                Layout::Vmdk(vmdk) => vmdk.piece(tables, offset).await?,
                Layout::Vdi(vdi) => vdi.piece(tables, offset).await?,
                Layout::Vhd(vhd) => vhd.piece(tables, offset).await?,
            };
            let length = piece.length.min(self.virtual_bytes - offset);
            if length == 0 {
                return Err(Error::Damaged("a part of the disk has no length"));
            }
            self.position = offset + length;
            let Some(data) = piece.data else { continue };
            if let Data::Stored { at } = data {
                self.check_stored(at, length)?;
            }
            return Ok(Some(Extent { offset, length, data }));
        }
        Ok(None)
    }

    fn check_stored(&mut self, at: u64, length: u64) -> Result<(), Error> {
        let size = self.tables.size_bytes();
        if at.checked_add(length).is_none_or(|end| end > size) {
            return Err(Error::Truncated { what: "a part of the disk" });
        }
        self.stored_bytes = self.stored_bytes.saturating_add(length);
        match self.stored_bytes > size {
            // Otherwise a small file could be made to fill a pool.
            true => Err(Error::Damaged("parts of the disk share their place in the file")),
            false => Ok(()),
        }
    }
}
