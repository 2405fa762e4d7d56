//! A fixed number of buffers that travel between threads and come home when dropped. Their
//! number is what bounds the memory of the image path.

use std::ops::{Deref, DerefMut};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Buffers at home.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    free: Receiver<T>,
    home: Sender<T>,
}

impl<T> Pool<T> {
    /// A pool of `count` buffers.
    pub(crate) fn new(count: usize, make: impl Fn() -> T) -> Self {
        let (home, free) = channel();
        for _ in 0..count {
            // The receiver is alive: it is `free`.
            let _ = home.send(make());
        }
        Self { free, home }
    }

    /// A buffer, waiting until one is free. `None` never happens while the pool lives.
    pub(crate) fn take(&self) -> Option<Pooled<T>> {
        let value = self.free.recv().ok()?;
        Some(Pooled {
            value: Some(value),
            home: self.home.clone(),
        })
    }
}

/// A buffer away from home.
#[derive(Debug)]
pub(crate) struct Pooled<T> {
    value: Option<T>,
    home: Sender<T>,
}

impl<T> Deref for Pooled<T> {
    type Target = T;
    #[expect(clippy::expect_used, reason = "emptied only by drop")]
    fn deref(&self) -> &T {
        self.value
            .as_ref()
            .expect("a pooled buffer is full until dropped")
    }
}

impl<T> DerefMut for Pooled<T> {
    #[expect(clippy::expect_used, reason = "emptied only by drop")]
    fn deref_mut(&mut self) -> &mut T {
        self.value
            .as_mut()
            .expect("a pooled buffer is full until dropped")
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            // The pool may be gone; then so is the buffer.
            let _ = self.home.send(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_can_be_taken_again_and_never_more_than_there_are() {
        let pool = Pool::new(1, || vec![0u8; 4]);
        let mut first = pool.take().unwrap();
        first[0] = 7;
        assert!(pool.free.try_recv().is_err());
        drop(first);
        assert_eq!(pool.take().unwrap()[0], 7);
    }
}
