//! Points in time and durations, as people read them.

use std::time::Duration;

use jiff::Timestamp;

/// `12 s ago`, in the largest unit that fits; `-` for never.
pub fn ago(now: Timestamp, then: Option<Timestamp>) -> String {
    let Some(then) = then else { return "-".to_owned() };
    let seconds = now.duration_since(then).as_secs();
    let (count, unit) = match u64::try_from(seconds).unwrap_or(0) {
        seconds @ 0..=119 => (seconds, "s"),
        seconds @ 120..=7199 => (seconds / 60, "min"),
        seconds @ 7200..=172_799 => (seconds / 3600, "h"),
        seconds => (seconds / 86_400, "d"),
    };
    format!("{count} {unit} ago")
}

/// `2026-11-21 15:04:05` in UTC, or `-`.
pub fn point(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// `3.2 ms`, `1.25 s`, `4 min 10 s`.
pub fn span(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..=999 => format!("{micros} µs"),
        1000..=99_999 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        100_000..=999_999 => format!("{} ms", micros / 1000),
        1_000_000..=119_999_999 => format!("{:.2} s", duration.as_secs_f64()),
        _ => format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60),
    }
}

/// From `start` to `end`, or to `now` where it goes on.
pub fn between(start: Timestamp, end: Option<Timestamp>, now: Timestamp) -> Duration {
    Duration::try_from(end.unwrap_or(now).duration_since(start)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let before = |seconds| Some(now - jiff::SignedDuration::from_secs(seconds));
        assert_eq!(ago(now, None), "-");
        assert_eq!(ago(now, before(0)), "0 s ago");
        assert_eq!(ago(now, before(-5)), "0 s ago", "clocks may differ");
        assert_eq!(ago(now, before(119)), "119 s ago");
        assert_eq!(ago(now, before(120)), "2 min ago");
        assert_eq!(ago(now, before(7200)), "2 h ago");
        assert_eq!(ago(now, before(864_000)), "10 d ago");
        assert_eq!(point(Some(now)), "2026-11-21 12:00:00");
    }

    #[test]
    fn spans_have_a_unit() {
        let shown = |micros| span(Duration::from_micros(micros));
        assert_eq!(shown(12), "12 µs");
        assert_eq!(shown(3210), "3.2 ms");
        assert_eq!(shown(432_100), "432 ms");
        assert_eq!(shown(1_250_000), "1.25 s");
        assert_eq!(shown(250_000_000), "4 min 10 s");
    }
}
