//! Part of an image or disk as a read-only device of its own: what the GPT, ext4 and FAT readers
//! are given. Reads beyond the part fail; nothing here can write.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes `start .. start + length` of a file.
#[derive(Clone, Debug)]
pub struct Window {
    file: Arc<File>,
    start: u64,
    length: u64,
    position: u64,
}

impl Window {
    /// The whole of `file`, which may be a block device.
    pub fn whole(file: Arc<File>) -> io::Result<Self> {
        let length = (&*file).seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            start: 0,
            length,
            position: 0,
        })
    }

    /// A part of this window, or `None` when it would reach beyond it.
    pub fn part(&self, start: u64, length: u64) -> Option<Self> {
        let end = start.checked_add(length)?;
        let start = self.start.checked_add(start)?;
        (end <= self.length).then(|| Self {
            file: Arc::clone(&self.file),
            start,
            length,
            position: 0,
        })
    }

    /// Size in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Fills `buffer` from `offset` on.
    pub fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset
            .checked_add(buffer.len() as u64)
            .filter(|&end| end <= self.length);
        let at = end
            .and_then(|_| self.start.checked_add(offset))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        self.file.read_exact_at(buffer, at)
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let count = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.file.read_at(
            buffer.get_mut(..count).unwrap_or_default(),
            self.start + self.position,
        )?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The readers' traits ask for it; images are never written.
impl Write for Window {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ext4_view::Ext4Read for Window {
    fn read(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.read_exact_at(offset, buffer)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Window {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        Window::whole(Arc::new(file)).unwrap()
    }

    #[test]
    fn part_ends_where_it_was_told_to() {
        let mut part = window().part(2, 3).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        assert_eq!(text, "234");
        let mut byte = [0u8; 1];
        assert!(part.read_exact_at(2, &mut byte).is_ok());
        assert_eq!(
            part.read_exact_at(3, &mut byte).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(
            part.read_exact_at(u64::MAX, &mut byte).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }

    #[test]
    fn part_beyond_the_file_is_none() {
        assert!(window().part(2, 9).is_none());
        assert!(window().part(u64::MAX, 2).is_none());
        assert!(window().part(0, 10).unwrap().part(5, 6).is_none());
    }

    #[test]
    fn writing_is_refused() {
        assert_eq!(
            window().write(b"x").unwrap_err().kind(),
            io::ErrorKind::ReadOnlyFilesystem
        );
    }
}
