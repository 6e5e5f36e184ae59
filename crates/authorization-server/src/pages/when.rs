//! How long ago something was, as people say it.

use hallpass_protocol::time::Timestamp;

/// "just now", "5 minutes ago", "3 days ago".
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.until(now).as_secs();
    let (number, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        86_400..5_184_000 => (seconds / 86_400, "day"),
        _ => (seconds / 2_592_000, "month"),
    };
    format!("{number} {unit}{} ago", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_say_it() {
        let now = Timestamp::from_unix(100_000_000);
        for (before, said) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7_200, "2 hours ago"),
            (86_400, "1 day ago"),
            (5_184_000, "2 months ago"),
        ] {
            assert_eq!(ago(Timestamp::from_unix(100_000_000 - before), now), said);
        }
    }
}
