//! What only `RUNNER_DEBUG=1` shows: each request, and why something was asked again.

/// The target of such lines; `log` shows it or not.
pub(crate) const TARGET: &str = "detail";

/// Tells a line that only `RUNNER_DEBUG=1` shows. Its level is `info`: a release is built without
/// everything below, so that the AWS SDK's own traces, which can hold signed headers, are not in it.
macro_rules! detail {
    ($($argument:tt)*) => {
        tracing::info!(target: crate::detail::TARGET, $($argument)*)
    };
}

/// Whether it is shown, for what would be costly or long to tell.
pub(crate) fn is_shown() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}
