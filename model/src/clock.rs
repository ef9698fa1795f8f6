//! Time as a parameter: a point in time, and where the present one comes from.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A point in time in whole microseconds since 1970 UTC: what PostgreSQL keeps, and no more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 UTC.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This much later. Stays at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2026-01-02T03:04:05Z`: OpenStack's plain form.
    pub fn to_seconds_z(self) -> String {
        let mut text = self.seconds();
        text.push('Z');
        text
    }

    /// `2026-01-02T03:04:05.000000`: OpenStack's form of extended attributes, without a zone.
    pub fn to_micros_naive(self) -> String {
        let mut text = self.seconds();
        text.push('.');
        push_digits(&mut text, self.0.rem_euclid(1_000_000), 6);
        text
    }

    /// `2026-01-02T03:04:05.000000Z`: identity's form.
    pub fn to_micros_z(self) -> String {
        let mut text = self.to_micros_naive();
        text.push('Z');
        text
    }

    /// Reads ISO 8601 with or without fraction and zone (without: UTC).
    pub fn parse_iso(text: &str) -> Option<Self> {
        let zoned = text.parse::<jiff::Timestamp>().ok();
        let found = zoned.or_else(|| {
            let civil = text.parse::<jiff::civil::DateTime>().ok()?;
            Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        })?;
        Some(Self(found.as_microsecond()))
    }

    /// `2026-01-02T03:04:05`. By hand: lists have several of these for each of their items.
    fn seconds(self) -> String {
        // The range is i64 microseconds, wider than the calendar's: what lies outside is clamped.
        let shown = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        let shown = jiff::tz::Offset::UTC.to_datetime(shown);
        let mut text = String::with_capacity("2026-01-02T03:04:05.000000Z".len());
        if shown.year() < 0 {
            text.push('-');
        }
        push_digits(&mut text, i64::from(shown.year()).abs(), 4);
        let parts = [('-', shown.month()), ('-', shown.day()), ('T', shown.hour()), (':', shown.minute()), (':', shown.second())];
        for (before, number) in parts {
            text.push(before);
            push_digits(&mut text, i64::from(number), 2);
        }
        text
    }
}

/// The last `count` digits of a number that is not negative.
fn push_digits(text: &mut String, number: i64, count: u32) {
    for place in (0..count).rev() {
        let digit = u8::try_from(number / 10_i64.pow(place) % 10).unwrap_or(0);
        text.push(char::from(b'0' + digit));
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_micros_z())
    }
}

/// Where the present comes from.
pub trait Clock: Send + Sync {
    /// The present, by the wall.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms() {
        let time = Timestamp::from_micros(1_767_323_045_000_007);
        assert_eq!(time.to_seconds_z(), "2026-01-02T03:04:05Z");
        assert_eq!(time.to_micros_naive(), "2026-01-02T03:04:05.000007");
        assert_eq!(time.to_micros_z(), "2026-01-02T03:04:05.000007Z");
    }

    #[test]
    fn times_far_away_are_written_as_they_are_read() {
        for text in ["1969-12-31T23:59:59.999999Z", "0001-02-03T04:05:06.000007Z", "9999-12-30T21:59:59.999999Z"] {
            assert_eq!(Timestamp::parse_iso(text).unwrap().to_micros_z(), text);
        }
    }

    #[test]
    fn iso_is_read_with_and_without_zone() {
        let expected = Some(Timestamp::from_micros(1_767_323_045_000_000));
        for text in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02T04:04:05+01:00", "2026-01-02 03:04:05"] {
            assert_eq!(Timestamp::parse_iso(text), expected, "{text}");
        }
        assert_eq!(Timestamp::parse_iso("yesterday"), None);
    }

    #[test]
    fn arithmetic_does_not_overflow() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::from_micros(0).since(end), Duration::ZERO);
        assert!(!format!("{end:?}").is_empty());
    }
}
