//! JSON in which a name stands for one thing.
//!
//! What is read is what everyone else reads, whichever of two equal names they take; and nothing else is refused than
//! what is no JSON or repeats a name.

use hallpass_protocol::json::from_slice_unique;

use crate::twins;

/// Takes one input.
pub fn check(data: &[u8]) {
    let others = twins::read(data);
    match from_slice_unique(data) {
        Ok(read) => {
            let Some((first, last)) = others else { panic!("nobody else reads it") };
            assert_eq!((&read, &read), (&first, &last));
            assert!(!twins::repeats(data));
            let theirs: serde_json::Value = serde_json::from_slice(data).expect("JSON");
            assert_eq!(read, theirs);
            // Taken apart once more, as documents are, it is still the same.
            assert_eq!(serde_json::from_value::<serde_json::Value>(read.clone()).expect("JSON"), read);
        }
        Err(error) => {
            let refusable = others.is_none() || twins::repeats(data);
            assert!(refusable || error.to_string().contains("private"), "refused: {error}");
        }
    }
}
