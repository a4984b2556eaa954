//! How the progress of a task is shown: on a terminal two lines that fit its width, elsewhere a plain
//! line every few seconds.
//!
//! Rates come from what changed while the task was followed. What is unknown is left out: while the
//! size of the task is unknown there is no bar of bytes.

use std::{collections::VecDeque, io, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use stoker_gateway::admin::api::{TaskStatus, TaskView};
use tokio::time::Instant;

use crate::{
    output,
    size::{show, show_duration},
};

/// Shortest time between two plain lines.
const LINES_APART: Duration = Duration::from_secs(2);
/// Time over which a rate is measured.
const WINDOW: Duration = Duration::from_secs(10);
/// A rate needs at least this much time.
const SHORTEST: Duration = Duration::from_secs(1);
/// Width of a terminal that does not report its own.
const WIDTH: usize = 80;
const SHORTEST_BAR: usize = 10;
const LONGEST_BAR: usize = 40;

/// How progress is shown.
pub(super) trait Show {
    /// Shows the state of the task.
    fn update(&mut self, task: &TaskView, now: Instant);
    /// Prints a line that stays, above the lines that change.
    fn print(&mut self, line: &str);
    /// Removes the lines that change.
    fn clear(&mut self);
}

/// Bars for a terminal, plain lines otherwise.
pub(super) fn shown(is_quiet: bool) -> Box<dyn Show> {
    match (is_quiet, output::is_terminal()) {
        (true, _) => Box::new(Silence),
        (false, true) => Box::new(Bars::new()),
        (false, false) => Box::new(Lines { meter: Meter::default(), written: Instant::now() }),
    }
}

struct Silence;

impl Show for Silence {
    fn update(&mut self, _: &TaskView, _: Instant) {}
    fn print(&mut self, _: &str) {}
    fn clear(&mut self) {}
}

/// Two lines: targets, and bytes with their rate and, once it can be estimated, the time left. Below
/// them, what the task waits for.
struct Bars {
    all: MultiProgress,
    lines: [ProgressBar; 3],
    meter: Meter,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("{wide_msg}").expect("the template is ours");
        let lines = [(); 3].map(|()| all.add(ProgressBar::no_length().with_style(style.clone())));
        Self { all, lines, meter: Meter::default() }
    }
}

impl Show for Bars {
    fn update(&mut self, task: &TaskView, now: Instant) {
        self.meter.add(now, task);
        let texts = texts(task, &self.meter, width());
        for (line, text) in self.lines.iter().zip(texts.into_iter().chain([waiting(task)])) {
            line.set_message(text);
        }
    }

    fn print(&mut self, line: &str) {
        // a terminal that was closed shows nothing
        let _ = self.all.println(line);
    }

    fn clear(&mut self) {
        self.lines.iter().for_each(ProgressBar::finish_and_clear);
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}

struct Lines {
    meter: Meter,
    written: Instant,
}

impl Show for Lines {
    fn update(&mut self, task: &TaskView, now: Instant) {
        self.meter.add(now, task);
        if now.duration_since(self.written) >= LINES_APART {
            self.written = now;
            output::line(line(task, &self.meter));
            if task.waiting.is_some() {
                output::line(format!("  {}", waiting(task)));
            }
        }
    }

    fn print(&mut self, line: &str) {
        output::note(line);
    }

    fn clear(&mut self) {}
}

/// The state of a task at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    bytes: u64,
    settled: u64,
}

/// The speed of a task while it is followed.
#[derive(Debug, Default)]
struct Meter(VecDeque<Sample>);

impl Meter {
    fn add(&mut self, at: Instant, task: &TaskView) {
        self.0.push_back(Sample { at, bytes: task.done_bytes, settled: settled(task) });
        while self.0.get(1).is_some_and(|next| at.duration_since(next.at) >= WINDOW) {
            self.0.pop_front();
        }
    }

    /// How much `of` grew in a second.
    fn rate(&self, of: impl Fn(&Sample) -> u64) -> Option<f64> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let time = last.at.duration_since(first.at);
        (time >= SHORTEST).then(|| of(last).saturating_sub(of(first)) as f64 / time.as_secs_f64())
    }

    fn bytes_per_second(&self) -> Option<u64> {
        self.rate(|sample| sample.bytes).map(|rate| rate as u64)
    }

    /// From the size of the task where that is known, else from its targets.
    fn time_left(&self, task: &TaskView) -> Option<Duration> {
        let (left, rate) = match task.total_bytes {
            Some(total) => {
                (total.saturating_sub(task.done_bytes), self.rate(|sample| sample.bytes)?)
            }
            None => {
                (task.targets.saturating_sub(settled(task)), self.rate(|sample| sample.settled)?)
            }
        };
        let seconds = left as f64 / rate;
        // without a rate there is no estimate
        (left > 0 && seconds < 1e7).then(|| Duration::from_secs_f64(seconds))
    }
}

/// The two lines, neither longer than `width`.
fn texts(task: &TaskView, meter: &Meter, width: usize) -> [String; 2] {
    let settled = settled(task);
    let mut targets = vec![format!("{settled}/{}", task.targets), format!("{}%", task.percent)];
    targets.extend(state(task));
    targets.extend(failed(task));
    let share = settled as f64 / task.targets.max(1) as f64;
    let mut bytes = vec![match task.total_bytes {
        Some(total) => format!("{} of {}", show(task.done_bytes), show(total)),
        None => show(task.done_bytes),
    }];
    bytes.extend(meter.bytes_per_second().map(|rate| format!("{}/s", show(rate))));
    bytes.extend(meter.time_left(task).map(|left| format!("left {}", show_duration(left))));
    let of_bytes = task
        .total_bytes
        .filter(|total| *total > 0)
        .map(|total| task.done_bytes as f64 / total as f64);
    [fit("targets", Some(share), &targets, width), fit("bytes  ", of_bytes, &bytes, width)]
}

/// Empty when nothing waits. The terminal cuts it.
fn waiting(task: &TaskView) -> String {
    task.waiting.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// Targets that are final.
fn settled(task: &TaskView) -> u64 {
    task.done + task.failed + task.canceled
}

/// That it is not worked on.
fn state(task: &TaskView) -> Option<String> {
    match task.status {
        TaskStatus::Paused => Some("paused".into()),
        TaskStatus::Canceled => Some("canceled".into()),
        TaskStatus::Processing | TaskStatus::Done | TaskStatus::Failed => None,
    }
}

fn failed(task: &TaskView) -> Option<String> {
    (task.failed > 0).then(|| format!("{} failed", task.failed))
}

/// As many of `parts` as fit, and a bar in the remaining width; the bars are aligned.
fn fit(name: &str, share: Option<f64>, parts: &[String], width: usize) -> String {
    let bare = name.trim_end();
    let mut text = String::new();
    for part in parts {
        if bare.len() + text.len() + 2 + part.len() > width {
            break;
        }
        text.push_str("  ");
        text.push_str(part);
    }
    let room = width.saturating_sub(name.len() + 1 + text.len()).min(LONGEST_BAR);
    let text = match share {
        Some(share) if room >= SHORTEST_BAR => {
            let filled = ((share.clamp(0.0, 1.0) * room as f64) as usize).min(room);
            format!("{name} {}{}{text}", "█".repeat(filled), "░".repeat(room - filled))
        }
        _ => format!("{bare}{text}"),
    };
    text.chars().take(width).collect()
}

/// The plain line.
fn line(task: &TaskView, meter: &Meter) -> String {
    let settled = settled(task);
    let mut text = format!("task {}: {settled} of {}", task.id, counted(task.targets));
    let rate = meter.bytes_per_second().map(|rate| format!("{}/s", show(rate)));
    let size = Some(show(task.done_bytes));
    let parts = [state(task), failed(task), Some(format!("{}%", task.percent)), size, rate];
    for part in parts.into_iter().flatten() {
        text.push_str(", ");
        text.push_str(&part);
    }
    text
}

/// `1 target`, `2 targets`.
pub(super) fn counted(targets: u64) -> String {
    if targets == 1 { "1 target".into() } else { format!("{targets} targets") }
}

/// Columns of the terminal, the last of which is left free: some break the line there.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    let columns = size.map_or(WIDTH, |size| usize::from(size.ws_col));
    if columns == 0 { WIDTH - 1 } else { columns - 1 }
}

#[cfg(test)]
mod tests {
    use stoker_domain::{area::AreaScope, media::NotFollowed};

    use super::*;

    fn task(done: u64, failed: u64, done_bytes: u64, total_bytes: Option<u64>) -> TaskView {
        TaskView {
            id: "1".into(),
            status: TaskStatus::Processing,
            areas: AreaScope::Global,
            layer: None,
            targets: 300,
            done,
            failed,
            canceled: 0,
            percent: 4,
            done_bytes,
            total_bytes,
            pulled_bytes: 0,
            waiting: None,
            created_at: String::new(),
            updated_at: String::new(),
            finished_at: None,
            paused_at: None,
            canceled_at: None,
            retry_of: None,
            not_followed: NotFollowed::default(),
        }
    }

    /// Looks at the first task, and five seconds later at the second.
    fn meter(first: &TaskView, second: &TaskView) -> Meter {
        let (mut meter, start) = (Meter::default(), Instant::now());
        meter.add(start, first);
        meter.add(start + Duration::from_secs(5), second);
        meter
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_what_matters_most_stays() {
        let (first, now) = (task(2, 0, 0, Some(900 << 20)), task(10, 2, 50 << 20, Some(900 << 20)));
        let meter = meter(&first, &now);
        let most = texts(&now, &meter, 79);
        assert!(most[0].ends_with("  12/300  4%  2 failed"), "{most:?}");
        assert!(most[1].ends_with("  50.0 MiB of 900 MiB  10.0 MiB/s  left 1m 25s"), "{most:?}");
        assert!(most.iter().all(|line| line.contains('░')), "{most:?}");
        for width in [200, 79, 60, 39, 24, 10, 0] {
            for line in texts(&now, &meter, width) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
        let narrow = texts(&now, &meter, 39);
        assert!(narrow[0].ends_with("12/300  4%  2 failed"), "{narrow:?}");
        assert_eq!(narrow[1], "bytes  50.0 MiB of 900 MiB  10.0 MiB/s");
    }

    #[test]
    fn an_unknown_size_has_neither_bar_nor_a_time_of_its_own() {
        let (first, now) = (task(2, 0, 0, None), task(10, 2, 50 << 20, None));
        let [_, bytes] = texts(&now, &meter(&first, &now), 79);
        assert_eq!(bytes, "bytes  50.0 MiB  10.0 MiB/s  left 2m 24s", "left by targets");
        let stalled = meter(&now, &now);
        assert_eq!(texts(&now, &stalled, 79)[1], "bytes  50.0 MiB  0 B/s", "no end in sight");
    }

    #[test]
    fn a_rate_comes_from_what_changed_while_the_task_was_followed() {
        let late = task(100, 0, 8 << 30, None);
        let mut meter = Meter::default();
        let start = Instant::now();
        meter.add(start, &late);
        assert_eq!(meter.bytes_per_second(), None, "what was there before is no rate");
        for second in 1..=30 {
            let now = task(100, 0, (8 << 30) + second * 1000, None);
            meter.add(start + Duration::from_secs(second), &now);
            assert_eq!(meter.bytes_per_second(), Some(1000), "{second}");
        }
        assert!(meter.0.len() <= 12, "{}", meter.0.len());
        let again = task(100, 0, 0, None);
        meter.add(start + Duration::from_secs(31), &again);
        assert_eq!(meter.bytes_per_second(), Some(0), "a restarted server counts from zero");
    }

    #[test]
    fn a_plain_line_counts_failures() {
        let (first, now) = (task(2, 0, 0, None), task(10, 2, 5000, None));
        let line = line(&now, &meter(&first, &now));
        assert_eq!(line, "task 1: 12 of 300 targets, 2 failed, 4%, 4.9 KiB, 1.0 KiB/s");
    }

    #[test]
    fn a_task_that_is_not_worked_on_is_shown_as_such() {
        let paused = TaskView { status: TaskStatus::Paused, ..task(10, 2, 5000, None) };
        let meter = meter(&paused, &paused);
        let text = line(&paused, &meter);
        assert_eq!(text, "task 1: 12 of 300 targets, paused, 2 failed, 4%, 4.9 KiB, 0 B/s");
        assert!(texts(&paused, &meter, 79)[0].ends_with("  12/300  4%  paused  2 failed"));
        let canceled = TaskView { status: TaskStatus::Canceled, canceled: 88, ..paused };
        let text = line(&canceled, &meter);
        assert_eq!(text, "task 1: 100 of 300 targets, canceled, 2 failed, 4%, 4.9 KiB, 0 B/s");
    }
}
