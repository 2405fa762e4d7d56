//! A check at work on its own thread.
pub(crate) struct Feed;
pub(crate) struct Running;
