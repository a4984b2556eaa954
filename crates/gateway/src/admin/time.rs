//! Times as this API writes them.

use jiff::Timestamp as Moment;
use stoker_domain::time::Timestamp;

/// A moment, always to the millisecond, so that texts sort as moments do; a moment beyond the calendar
/// becomes its beginning.
pub(super) fn rfc3339(moment: Timestamp) -> String {
    let moment = Moment::from_millisecond(moment.as_millis()).unwrap_or(Moment::UNIX_EPOCH);
    format!("{moment:.3}")
}
