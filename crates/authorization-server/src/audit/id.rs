//! Ids of events, in order of time: the second, a number within it, and chance, for replicas that write at once. Digits and
//! small letters alone, of one length, so that they are in order in every collation.

use hallpass_protocol::time::Timestamp;

/// What ids of this second begin with; no id of an earlier one is behind it.
pub(crate) fn first_id_of(at: Timestamp) -> String {
    format!("{:012}", at.unix().max(0))
}

/// The id of an event of this second.
pub(crate) fn id_of(at: Timestamp, number: u32) -> String {
    format!("{}{number:09}{:08x}", first_id_of(at), rand::random::<u32>())
}

/// The number after that of the last event of its second.
pub(crate) fn number_after(last: Option<&str>) -> u32 {
    let number = last.and_then(|id| id.get(12..21)).and_then(|digits| digits.parse::<u32>().ok());
    number.map_or(0, |number| number.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_of_time() {
        let mut ids = Vec::new();
        for (second, number) in [(5, 0), (5, 1), (5, 10), (6, 0), (1_000_000_000, 0), (10_000_000_000, 0)] {
            ids.push(id_of(Timestamp::from_unix(second), number));
        }
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 29), "{ids:?}");
        let six = first_id_of(Timestamp::from_unix(6));
        assert!(six > ids[2] && six < ids[3]);
        assert_eq!((number_after(Some(&ids[2])), number_after(None)), (11, 0));
    }
}
