//! The schedules and time zones that Application Auto Scaling takes.

use super::Problem;
use crate::platform::schedule::{validate_expression, validate_timezone};

fn reported(check: impl FnOnce(&mut Vec<Problem>)) -> Option<String> {
    let mut problems = Vec::new();
    check(&mut problems);
    assert!(problems.len() < 2, "{problems:?}");
    problems.pop().map(|problem| problem.message)
}

fn expression(expression: &str) -> Option<String> {
    reported(|problems| validate_expression(expression, "x", problems))
}

fn are_fine(expressions: &[&str]) {
    for each in expressions {
        assert_eq!(expression(each), None, "{each}");
    }
}

fn are_refused(expressions: &[&str], telling: &str) {
    for each in expressions {
        let reported = expression(each).unwrap_or_else(|| panic!("{each} should be refused"));
        assert!(reported.starts_with(&format!("{each:?} ")) && reported.contains(telling), "{each}: {reported}");
    }
}

#[test]
fn a_schedule_is_a_time_a_rate_or_a_cron_expression() {
    are_refused(
        &["", "daily", "every(1 day)", "0 7 ? * MON-FRI *", "cron", "cron()x", "Rate(1 day)", "rate(1 day"],
        "is not a schedule: at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(",
    );
    are_refused(&[&format!("cron({})", "x".repeat(256))], "has 262 characters");
}

#[test]
fn a_time_exists() {
    are_fine(&["at(2030-01-01T07:00:00)", "at(2028-02-29T23:59:59)"]);
    are_refused(
        &[
            "at()",
            "at(2030-01-01)",
            "at(2030-02-30T07:00:00)",
            "at(2027-02-29T07:00:00)",
            "at(2030-13-01T07:00:00)",
            "at(2030-01-01T24:00:00)",
            "at(2030-01-01T07:00:60)",
            "at(2030-01-01 07:00:00)",
            "at(2030-1-1T07:00:00)",
            "at(2030-01-01T07:00:00Z)",
            "at(2030-01-01T07:00)",
            "at( 2030-01-01T07:00:00)",
            "at(２030-01-01T07:00:00)",
        ],
        "is not a time: at(yyyy-mm-ddThh:mm:ss)",
    );
}

#[test]
fn a_rate_has_a_number_and_a_unit_that_agree() {
    are_fine(&["rate(1 minute)", "rate(1 hour)", "rate(1 day)", "rate(2 minutes)", "rate(12 hours)", "rate(30 days)"]);
    are_refused(
        &[
            "rate()",
            "rate(day)",
            "rate(1)",
            "rate(1 days)",
            "rate(2 day)",
            "rate(0 days)",
            "rate(01 day)",
            "rate(+1 day)",
            "rate(-1 days)",
            "rate(1.5 hours)",
            "rate(5 weeks)",
            "rate(5  minutes)",
            "rate( 5 minutes)",
            "rate(99999999999 days)",
        ],
        "is not a rate: rate(value unit)",
    );
}

#[test]
fn a_cron_expression_has_six_fields_as_aws_writes_them() {
    are_fine(&[
        "cron(0 7 ? * MON-FRI *)",
        "cron(0/15 * * * ? *)",
        "cron(*/5 8-18/2 * * ? *)",
        "cron(0 22-2 ? * FRI-MON *)",
        "cron(0 0 1,15 JAN-MAR ? 2030)",
        "cron(0 12 1 jan,6,DEC ? 2030-2035)",
        "cron(0 12 L * ? *)",
        "cron(0 12 L-3 * ? *)",
        "cron(0 12 LW * ? *)",
        "cron(0 12 15W * ? *)",
        "cron(0 12 ? * L *)",
        "cron(0 12 ? * 6L *)",
        "cron(0 12 ? * FRIL *)",
        "cron(0 12 ? * 2#1 *)",
        "cron(0 12 ? * MON#5 *)",
        "cron(0 12 ? * * 1970,2199)",
        "cron(0 12 ? * 2-6 2026/2)",
    ]);
    are_refused(
        &[
            "cron()",
            "cron(0 7 * * *)",
            "cron(0 7 ? * MON * *)",
            "cron(0  7 ? * MON *)",
            "cron( 0 7 ? * MON *)",
            "cron(0 7 ? * MON *\u{a0})",
        ],
        "",
    );
    are_refused(
        &["cron(0 7 * * MON *)", "cron(0 7 1 * * *)", "cron(0 7 ? * ? *)", "cron(0 7 * * * *)"],
        "does not have ? in exactly one of day-of-month and day-of-week",
    );
}

#[test]
fn a_wrong_field_of_a_cron_expression_is_named() {
    for (field, telling, expressions) in [
        (
            "minutes",
            "0 to 59",
            ["cron(60 7 ? * MON *)", "cron(*/0 7 ? * MON *)", "cron(0/60 7 ? * MON *)", "cron(? 7 ? * MON *)"],
        ),
        (
            "hours",
            "0 to 23",
            ["cron(0 24 ? * MON *)", "cron(0 7, ? * MON *)", "cron(0 1-2-3 ? * MON *)", "cron(0 -1 ? * MON *)"],
        ),
        (
            "day-of-month",
            "1 to 31",
            ["cron(0 7 0 * ? *)", "cron(0 7 32W * ? *)", "cron(0 7 L-31 * ? *)", "cron(0 7 1,L * ? *)"],
        ),
        (
            "month",
            "1 to 12 or JAN to DEC",
            ["cron(0 7 ? 13 MON *)", "cron(0 7 ? JANUARY MON *)", "cron(0 7 ? 0 MON *)", "cron(0 7 ? L MON *)"],
        ),
        (
            "day-of-week",
            "1 to 7 or SUN to SAT",
            ["cron(0 7 ? * MOO *)", "cron(0 7 ? * 0 *)", "cron(0 7 ? * 8 *)", "cron(0 7 ? * 2#6 *)"],
        ),
        (
            "year",
            "1970 to 2199",
            ["cron(0 7 ? * MON 1969)", "cron(0 7 ? * MON 2200)", "cron(0 7 ? * MON 2031-2030)", "cron(0 7 ? * MON 26)"],
        ),
    ] {
        are_refused(&expressions, &format!(" for {field}: *, {telling}"));
    }
}

#[test]
fn a_time_zone_is_known_whatever_machine_asks() {
    let zone = |name: &str| reported(|problems| validate_timezone(name, "x", problems));
    for good in ["UTC", "Europe/Dublin", "Etc/GMT+9", "Pacific/Tahiti", "America/Argentina/Buenos_Aires"] {
        assert_eq!(zone(good), None, "{good}");
    }
    for bad in ["", "Europe", "Europe/Atlantis", "Etc/Unknown", "../../etc/localtime", "localtime"] {
        let reported = zone(bad).unwrap();
        assert!(
            reported.contains("is not a time zone of the IANA database: take one such as Europe/Dublin"),
            "{reported}"
        );
    }
    assert!(zone("europe/dublin").unwrap().ends_with("write Europe/Dublin"), "AWS knows one way to write it");
}
