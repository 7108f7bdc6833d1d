//! The six fields of a cron expression, as Application Auto Scaling reads them.

/// One of the fields.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Words that stand for numbers, from `least` on.
    words: &'static [&'static str],
    /// True when a range may run past the end, as from Friday to Monday.
    round: bool,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field { name: "minutes", least: 0, most: 59, words: &[], round: true },
    Field { name: "hours", least: 0, most: 23, words: &[], round: true },
    Field { name: "day-of-month", least: 1, most: 31, words: &[], round: true },
    Field { name: "month", least: 1, most: 12, words: &MONTHS, round: true },
    Field { name: "day-of-week", least: 1, most: 7, words: &WEEKDAYS, round: true },
    Field { name: "year", least: 1970, most: 2199, words: &[], round: false },
];

const DAY_OF_MONTH: usize = 2;
const DAY_OF_WEEK: usize = 4;

/// The reason for which AWS would refuse the fields between the parentheses of `cron(...)`.
pub(super) fn wrong(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(' ').collect();
    if parts.len() != FIELDS.len() || parts.contains(&"") {
        return Some(
            "does not have six fields with a space between each: minutes hours day-of-month month day-of-week year"
                .into(),
        );
    }
    if (parts[DAY_OF_MONTH] == "?") == (parts[DAY_OF_WEEK] == "?") {
        return Some(
            "does not have ? in exactly one of day-of-month and day-of-week, which leaves that one open".into(),
        );
    }
    FIELDS.iter().zip(parts).enumerate().find_map(|(index, (field, part))| {
        let good = match index {
            DAY_OF_MONTH => part == "?" || is_special_day(field, part) || field.takes(part),
            DAY_OF_WEEK => part == "?" || is_special_weekday(field, part) || field.takes(part),
            _ => field.takes(part),
        };
        (!good).then(|| field.refusal(part))
    })
}

/// The last day of the month or one so many days before it, its last working day, or the working day nearest to one.
fn is_special_day(field: &Field, text: &str) -> bool {
    const MOST_BEFORE: u32 = 30;
    let before = |text: &str| number(text).is_some_and(|days| days <= MOST_BEFORE);
    matches!(text, "L" | "LW")
        || text.strip_prefix("L-").is_some_and(before)
        || text.strip_suffix('W').is_some_and(|day| field.value(day).is_some())
}

/// The last day of the week, or the last or n-th such day of the month.
fn is_special_weekday(field: &Field, text: &str) -> bool {
    let is_nth =
        |(day, nth): (&str, &str)| field.value(day).is_some() && number(nth).is_some_and(|nth| (1..=5).contains(&nth));
    text == "L"
        || text.strip_suffix('L').is_some_and(|day| field.value(day).is_some())
        || text.split_once('#').is_some_and(is_nth)
}

impl Field {
    /// A list of values, ranges and steps.
    fn takes(&self, text: &str) -> bool {
        text.split(',').all(|item| {
            let (base, step) = item.split_once('/').map_or((item, None), |(base, step)| (base, Some(step)));
            let stepped = step.is_none_or(|step| number(step).is_some_and(|step| (1..=self.most).contains(&step)));
            stepped && (base == "*" || self.takes_values(base))
        })
    }

    fn takes_values(&self, text: &str) -> bool {
        let Some((from, to)) = text.split_once('-') else { return self.value(text).is_some() };
        match (self.value(from), self.value(to)) {
            (Some(from), Some(to)) => self.round || from <= to,
            _ => false,
        }
    }

    fn value(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().zip(self.least..).find(|(word, _)| word.eq_ignore_ascii_case(text));
        let value = word.map(|(_, value)| value).or_else(|| number(text))?;
        (self.least..=self.most).contains(&value).then_some(value)
    }

    fn refusal(&self, part: &str) -> String {
        let Self { name, least, most, words, .. } = self;
        let words = match words {
            [first, .., last] => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        let more = match *name {
            "day-of-month" => ", or L, LW, L-3 or 15W",
            "day-of-week" => ", or L, 6L or 2#1",
            _ => "",
        };
        format!(
            "has {part:?} for {name}: *, {least} to {most}{words}, in lists (1,2), ranges (1-5) and steps (0/15){more}"
        )
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.chars().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
