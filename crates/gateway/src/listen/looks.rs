//! Whether a connection gets on, looked at now and then.

/// What HTTP/2 writes on an idle connection between two looks, in bytes, and some more. Who takes no more than that of an
/// answer takes nothing.
const PINGS: u64 = 1024;

/// So often a connection is looked at within the time that a head may take.
pub(super) const LOOKS: u32 = 3;

/// What can be seen of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Requests that have begun.
    pub(super) begun: usize,
    /// Whether several may be under way at once (HTTP/2).
    pub(super) are_streams: bool,
    /// Whether any of them is under way.
    pub(super) under_way: bool,
    /// Bytes that were written.
    pub(super) written: u64,
    /// Whether more wait for the peer to take some.
    pub(super) waits: bool,
    /// How often a piece of an answer was asked for.
    pub(super) pieces: usize,
    /// Whether an answer has given a piece, and was not asked for the next: HTTP/2 has a window for each stream.
    pub(super) piece_waits: bool,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It gets on.
    GoesOn,
    /// Nothing is asked: its peer is asked to go.
    Leaves,
    /// Nothing was ever asked; or its peer was asked to go.
    Idle,
    /// Something waits for its peer, who takes nothing of it.
    Stuck,
}

/// Looks at one connection.
#[derive(Debug, Default)]
pub(super) struct Looks {
    quiet: Quiet,
    number: u32,
    last: Seen,
    waited: bool,
}

/// Whether a head is waited for. One timer for a connection tells it well enough: it is over between the time that a head has and
/// a look more.
#[derive(Debug, Default)]
struct Quiet {
    last: Seen,
    /// So many looks in a row nothing had happened since the one before.
    looks: u32,
}

impl Quiet {
    /// Whether nothing was asked for so long. An answer of which the peer still takes some is not at its end.
    fn is_too_long(&mut self, seen: Seen) -> bool {
        let same = seen.begun == self.last.begun && seen.written == self.last.written;
        let nothing = same && !seen.under_way && !seen.waits;
        self.looks = if nothing { self.looks + 1 } else { 0 };
        self.last = seen;
        self.looks >= LOOKS
    }
}

impl Looks {
    /// A connection on which so much was written before the first look.
    pub(super) fn from(written: u64) -> Self {
        let last = Seen { written, ..Seen::default() };
        Self { quiet: Quiet { last, looks: 0 }, last, ..Self::default() }
    }

    /// Looks once more: [`LOOKS`] times within the time that a head may take. Whether it is quiet is seen each time; over HTTP/2
    /// it may be for as long as its peer answers pings, and is asked to go first.
    pub(super) fn look(&mut self, seen: Seen, leaving: bool) -> Verdict {
        let quiet = self.quiet.is_too_long(seen);
        self.number = (self.number + 1) % LOOKS;
        match quiet && !seen.are_streams {
            true => Verdict::Idle,
            false if self.number == 0 => self.look_at_all(seen, leaving),
            false => Verdict::GoesOn,
        }
    }

    fn look_at_all(&mut self, seen: Seen, leaving: bool) -> Verdict {
        let Seen { begun, under_way, written, .. } = seen;
        // An answer that was handed over whole is still being taken by a slow reader.
        let reading = written.saturating_sub(self.last.written) > PINGS;
        let waits = seen.waits || (seen.piece_waits && seen.pieces == self.last.pieces);
        let stuck = waits && self.waited && !reading;
        let idle = begun == self.last.begun && !under_way && !reading;
        (self.last, self.waited) = (seen, waits);
        match (stuck, idle) {
            (true, _) => Verdict::Stuck,
            (_, true) if begun == 0 || leaving => Verdict::Idle,
            (_, true) => Verdict::Leaves,
            _ => Verdict::GoesOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{GoesOn, Idle, Leaves, Stuck};
    use super::*;

    fn verdicts(looks: &[Seen]) -> Vec<Verdict> {
        let mut looker = Looks::from(0);
        looks.iter().map(|seen| looker.look_at_all(*seen, false)).collect()
    }

    const UNDER_WAY: Seen = Seen {
        begun: 1,
        are_streams: false,
        under_way: true,
        written: 500_000,
        waits: true,
        pieces: 3,
        piece_waits: true,
    };

    /// How many looks it takes until that connection is cut.
    fn looks_until_idle(seen: &[Seen]) -> Option<usize> {
        let mut looker = Looks::from(0);
        seen.iter().position(|seen| looker.look(*seen, false) == Idle).map(|place| place + 1)
    }

    #[test]
    fn who_does_not_finish_a_head_is_cut_in_time() {
        let over = Seen { begun: 1, written: 500, ..Seen::default() };
        // No head ever came.
        assert_eq!(looks_until_idle(&[Seen::default(); 9]), Some(3));
        // Somewhere before the first look an answer ended.
        assert_eq!(looks_until_idle(&[over; 9]), Some(4));
        let again = |begun| Seen { begun, ..over };
        let asks: Vec<_> = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4].map(again).into();
        assert_eq!(looks_until_idle(&asks), None);
    }

    #[test]
    fn who_waits_for_an_answer_or_takes_one_waits_for_no_head() {
        let over = Seen { begun: 1, written: 500, ..Seen::default() };
        for seen in [
            Seen { under_way: true, ..over },
            Seen { waits: true, ..over },
            Seen { are_streams: true, ..over },
        ] {
            let mut looker = Looks::from(0);
            let cut = (0..5).any(|_| looker.look(seen, false) == Idle);
            assert!(!cut, "{seen:?}");
        }
        let takes: Vec<_> = (0..20).map(|at| Seen { written: 500 + at, ..over }).collect();
        assert_eq!(looks_until_idle(&takes), None);
    }

    #[test]
    fn who_takes_nothing_between_two_looks_is_stuck() {
        assert_eq!(verdicts(&[UNDER_WAY, UNDER_WAY]), [GoesOn, Stuck]);
        let pings = Seen { written: UNDER_WAY.written + PINGS, ..UNDER_WAY };
        assert_eq!(verdicts(&[UNDER_WAY, pings]), [GoesOn, Stuck]);
    }

    /// Slowly is not nothing.
    #[test]
    fn who_takes_slowly_is_kept() {
        let slow: Vec<_> = (0..60).map(|at| Seen { written: 500_000 + at * 1025, ..UNDER_WAY }).collect();
        assert!(verdicts(&slow).iter().all(|verdict| *verdict == GoesOn));
    }

    /// A stream of events on which nothing happens, and an upstream that thinks.
    #[test]
    fn who_has_taken_all_is_waited_for() {
        let quiet = Seen { waits: false, piece_waits: false, ..UNDER_WAY };
        assert_eq!(verdicts(&[quiet; 100]), [GoesOn; 100]);
    }

    /// One stream of several stands still while pieces of another are asked for.
    #[test]
    fn a_stream_without_a_window_is_stuck_when_nothing_else_moves() {
        let still = Seen { waits: false, ..UNDER_WAY };
        assert_eq!(verdicts(&[still, still, still]), [GoesOn, GoesOn, Stuck]);
        let moves: Vec<_> = (0..10).map(|pieces| Seen { pieces, ..still }).collect();
        assert!(verdicts(&moves).iter().all(|verdict| *verdict == GoesOn));
    }

    #[test]
    fn who_asks_nothing_leaves() {
        assert_eq!(verdicts(&[Seen::default()]), [Idle]);
        let over = Seen { begun: 1, written: 500, ..Seen::default() };
        assert_eq!(verdicts(&[over, over]), [GoesOn, Leaves]);
        assert_eq!(Looks::from(500).look_at_all(Seen { begun: 0, ..over }, true), Idle);
    }
}
