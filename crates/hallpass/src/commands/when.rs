//! Times as people say them: how long ago, or in how long.

use hallpass_protocol::Timestamp;

/// "in 9 min", "3 days ago", "now".
pub(crate) fn when(at: Timestamp, now: Timestamp) -> String {
    let (distance, future) = match at > now {
        true => (now.until(at), true),
        false => (at.until(now), false),
    };
    let seconds = distance.as_secs();
    let (number, unit) = match seconds {
        0..60 => return if future { "within a minute" } else { "just now" }.to_owned(),
        60..3_600 => (seconds / 60, "min"),
        3_600..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    if future { format!("in {number} {unit}") } else { format!("{number} {unit} ago") }
}

/// "1 value", "2 values".
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_say_it() {
        let now = Timestamp::from_unix(1_000_000);
        for (at, said) in [
            (0, "just now"),
            (-59, "just now"),
            (30, "within a minute"),
            (599, "in 9 min"),
            (-7_200, "2 h ago"),
            (172_800, "in 2 days"),
            (-1_000_000, "11 days ago"),
        ] {
            assert_eq!(when(Timestamp::from_unix(1_000_000 + at), now), said);
        }
    }
}
