//! Fetching artifacts to files, verified, with their signatures beside them.
