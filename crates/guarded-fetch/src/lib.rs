//! Fetches URLs that someone else chose: scheme, address, redirects, size and time are guarded.
