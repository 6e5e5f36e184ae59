//! A clock that moves when it is told to.
