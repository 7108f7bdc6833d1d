//! The schedule of a scheduled action of Application Auto Scaling: an expression and a time zone.
//!
//! Sources: `PutScheduledAction`, Application Auto Scaling API reference; "Cron expressions reference", Amazon
//! `EventBridge` user guide.

mod cron;

use jiff::civil::DateTime;
use jiff::tz::TimeZoneDatabase;

use super::Problem;

const LIMIT: usize = 256;

pub(super) fn validate_expression(expression: &str, path: &str, problems: &mut Vec<Problem>) {
    let why = if expression.len() > LIMIT {
        Some(format!("has {} characters: at most {LIMIT} are allowed", expression.len()))
    } else {
        wrong(expression)
    };
    problems.extend(why.map(|why| Problem::new(path, format!("{expression:?} {why}"))));
}

pub(super) fn validate_timezone(name: &str, path: &str, problems: &mut Vec<Problem>) {
    // Not the machine's own zones: what is valid here has to be valid everywhere.
    let database = TimeZoneDatabase::bundled();
    let mut near = None;
    for zone in database.available() {
        if zone.as_str() == name {
            return;
        }
        if zone.as_str().eq_ignore_ascii_case(name) {
            near = Some(zone);
        }
    }
    let way_out = near.map_or_else(|| "take one such as Europe/Dublin".into(), |near| format!("write {near}"));
    problems.push(Problem::new(path, format!("{name:?} is not a time zone of the IANA database: {way_out}")));
}

fn wrong(expression: &str) -> Option<String> {
    let inside = |kind: &str| expression.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(time) = inside("at") {
        (!is_time(time)).then(|| "is not a time: at(yyyy-mm-ddThh:mm:ss), a date and time that exist".into())
    } else if let Some(rate) = inside("rate") {
        (!is_rate(rate)).then(|| {
            "is not a rate: rate(value unit) with a whole number above 0 and minutes, hours or days, or minute, hour or \
             day for 1"
                .into()
        })
    } else if let Some(fields) = inside("cron") {
        cron::wrong(fields)
    } else {
        Some(
            "is not a schedule: at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(minutes hours day-of-month month \
             day-of-week year)"
                .into(),
        )
    }
}

fn is_time(text: &str) -> bool {
    let digit_or = |(index, it): (usize, char)| match index {
        4 | 7 => it == '-',
        10 => it == 'T',
        13 | 16 => it == ':',
        _ => it.is_ascii_digit(),
    };
    // Reading forgives a leap second, which AWS does not.
    text.len() == 19
        && text.chars().enumerate().all(digit_or)
        && !text.ends_with("60")
        && text.parse::<DateTime>().is_ok()
}

fn is_rate(text: &str) -> bool {
    let Some((value, unit)) = text.split_once(' ') else { return false };
    let number = value.chars().all(|it| it.is_ascii_digit()) && !value.starts_with('0');
    let singular = value.parse() == Ok(1);
    let units = if singular { ["minute", "hour", "day"] } else { ["minutes", "hours", "days"] };
    number && value.parse::<u32>().is_ok() && units.contains(&unit)
}
