//! Reading a source in blocks, of which the last few are kept: tables are looked up entry by entry, and compressed data
//! mostly lies in order.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::{Error, Source};

const BLOCK_BYTES: u64 = 512 << 10;
/// Enough for a table of each level, and for data that goes back and forth a little.
const BLOCKS: usize = 6;

pub(crate) struct Cache<'s, S> {
    source: &'s S,
    blocks: VecDeque<(u64, Bytes)>,
}

impl<'s, S: Source> Cache<'s, S> {
    pub(crate) fn new(source: &'s S) -> Self {
        Self { source, blocks: VecDeque::new() }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.source.size_bytes()
    }

    /// `length` bytes from `at` on; `what` is said to be truncated where the file ends before.
    pub(crate) async fn read(&mut self, at: u64, length: usize, what: &'static str) -> Result<Bytes, Error> {
        let end = at.checked_add(length as u64).filter(|end| *end <= self.source.size_bytes());
        let end = end.ok_or(Error::Truncated { what })?;
        let (first, last) = (at / BLOCK_BYTES, end.saturating_sub(1).max(at) / BLOCK_BYTES);
        if first == last {
            let block = self.block(first).await?;
            return Ok(slice(&block, at - first * BLOCK_BYTES, length as u64));
        }
        let mut gathered = BytesMut::with_capacity(length);
        let mut position = at;
        for index in first..=last {
            let block = self.block(index).await?;
            let from = position - index * BLOCK_BYTES;
            let part = (end - position).min(BLOCK_BYTES - from);
            gathered.extend_from_slice(&slice(&block, from, part));
            position += part;
        }
        Ok(gathered.freeze())
    }

    async fn block(&mut self, index: u64) -> Result<Bytes, Error> {
        if let Some(place) = self.blocks.iter().position(|(found, _)| *found == index) {
            // The most recently used one stands last.
            if place + 1 != self.blocks.len()
                && let Some(block) = self.blocks.remove(place)
            {
                self.blocks.push_back(block);
            }
            return Ok(self.blocks.back().map(|(_, block)| block.clone()).unwrap_or_default());
        }
        let start = index * BLOCK_BYTES;
        let length = BLOCK_BYTES.min(self.source.size_bytes().saturating_sub(start));
        let length = usize::try_from(length).unwrap_or(0);
        let block = self.source.read_at(start, length).await.map_err(Error::Source)?;
        if block.len() != length {
            return Err(Error::Source(format!("{length} bytes at {start} were asked for, {} came", block.len()).into()));
        }
        if self.blocks.len() == BLOCKS {
            self.blocks.pop_front();
        }
        self.blocks.push_back((index, block.clone()));
        Ok(block)
    }
}

fn slice(block: &Bytes, from: u64, length: u64) -> Bytes {
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(block.len());
    let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(block.len());
    block.slice(from..to)
}
