//! When an AWS session ends, and what that means for an apply that is about to start.

use jiff::{SignedDuration, Timestamp};

/// An apply that is about to start should have at least this long.
const SHORT: SignedDuration = SignedDuration::from_mins(15);

/// The warning before an apply, if the session ends soon. `expiration` is what stands in
/// `AWS_CREDENTIAL_EXPIRATION`: RFC 3339. A value that is no time says nothing.
pub fn warning(expiration: &str, now: Timestamp) -> Option<String> {
    let end: Timestamp = expiration.trim().parse().ok()?;
    let left = end.duration_since(now);
    if left >= SHORT {
        return None;
    }
    let clock = end.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC");
    let when = match left.as_mins() {
        _ if left.is_negative() || left.is_zero() => format!("ended at {clock}"),
        0 => format!("ends at {clock}, in less than a minute"),
        minutes => format!("ends at {clock}, in {minutes} min"),
    };
    Some(format!(
        "The AWS session of these credentials {when}. An apply that takes longer cannot save its state. Let the session last \
         longer (`role-duration-seconds` of configure-aws-credentials, `DurationSeconds` elsewhere)."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_ends_within_a_quarter_of_an_hour_is_reported() {
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        for (expiration, expected) in [
            ("2026-11-30T12:14:59Z", Some("ends at 2026-11-30 12:14 UTC, in 14 min")),
            ("2026-11-30T13:09:00+01:00", Some("ends at 2026-11-30 12:09 UTC, in 9 min")),
            (" 2026-11-30T12:00:30Z\n", Some("in less than a minute")),
            ("2026-11-30T11:59:00Z", Some("ended at 2026-11-30 11:59 UTC")),
            ("2026-11-30T12:15:00Z", None),
            ("2026-11-30T18:00:00Z", None),
            ("in an hour", None),
            ("", None),
        ] {
            let told = warning(expiration, now);
            assert_eq!(told.is_some(), expected.is_some(), "{expiration:?}: {told:?}");
            assert!(told.unwrap_or_default().contains(expected.unwrap_or_default()), "{expiration:?}");
        }
    }
}
