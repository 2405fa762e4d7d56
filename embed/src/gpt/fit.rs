//! Moves a table to a disk of another size, and lets the last partition grow into the new room.

use super::{ALIGNMENT, GptError, Partition, Table};

impl Table {
    /// Makes the table describe a disk of `size` bytes. Returns whether anything changed.
    pub fn fit(&mut self, size: u64) -> Result<bool, GptError> {
        let disk = size / u64::from(self.sector.bytes());
        let last = self.entries.values().map(|entry| entry.last).max();
        let needed = last
            .unwrap_or(0)
            .saturating_add(self.array_sectors())
            .saturating_add(2);
        if needed > disk {
            return Err(GptError::DiskTooSmall { disk, needed });
        }
        let moved = self.last != disk - 1;
        self.last = disk - 1;
        Ok(moved)
    }

    /// Lets partition `number` reach to the last aligned usable sector, when nothing lies behind
    /// it. `None` when it cannot or need not grow.
    pub fn grow(&mut self, number: u32) -> Option<Partition> {
        let sector = u64::from(self.sector.bytes());
        let (_, last_usable) = self.usable(self.last.checked_add(1)?).ok()?;
        let end = (last_usable + 1).checked_mul(sector)? / ALIGNMENT * ALIGNMENT / sector;
        let entry = self.entries.get(&number)?;
        let behind = |other: &super::Entry| other.first > entry.first;
        if self.entries.values().any(behind) || end <= entry.last.saturating_add(1) {
            return None;
        }
        self.entries.get_mut(&number)?.last = end - 1;
        self.partitions()
            .find(|partition| partition.number == number)
    }
}
