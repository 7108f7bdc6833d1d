//! The roles that the guardrails let models run as, as IAM patterns. A glob of the guardrails is for the whole ARN and may
//! have its wildcards anywhere; IAM wants the parts of an ARN one by one.

use std::collections::BTreeSet;

use crate::guardrails::{Guardrails, glob};

/// The prefix of the ARN of every role in the partition that policies without files are for.
const BEFORE_ACCOUNT: &str = "arn:aws:iam::";

/// The text between the account and the path.
const BEFORE_PATH: &str = ":role/";

/// The digits of an account.
const ACCOUNT: usize = 12;

/// Patterns of the roles that models may run as instead of generated ones: all roles that a glob matches, and of accounts
/// that it leaves open no other path or name.
pub(super) fn execution_roles(guardrails: &Guardrails) -> BTreeSet<String> {
    let rules = guardrails.rules().unwrap_or_default();
    let all: BTreeSet<String> = rules.iter().flat_map(|rule| &rule.execution_roles).flat_map(|it| roles(it)).collect();
    let covers = |wide: &String, narrow: &String| wide != narrow && !wide.contains('?') && glob::matches(wide, narrow);
    all.iter().filter(|narrow| !all.iter().any(|wide| covers(wide, narrow))).cloned().collect()
}

/// True when a pattern is for every role of an account.
pub(super) fn is_for_every_role(pattern: &str) -> bool {
    pattern.ends_with(":role/*")
}

fn roles(glob: &str) -> BTreeSet<String> {
    let glob: Vec<char> = glob.chars().collect();
    let start = BTreeSet::from([(0, Some(String::new()))]);
    let at_account = fixed(&glob, start, BEFORE_ACCOUNT);
    let after_account = (0..ACCOUNT).fold(at_account, |places, _| digit(&glob, &places));
    let at_path = fixed(&glob, after_account, BEFORE_PATH);
    let arn = |(place, account): (usize, Option<String>)| {
        let path = path(&glob[place..])?;
        Some(format!("{BEFORE_ACCOUNT}{}{BEFORE_PATH}{path}", account.as_deref().unwrap_or("*")))
    };
    at_path.into_iter().filter_map(arn).collect()
}

/// Positions that a glob has been followed to, each with the account on the way: `None` where the glob leaves it open.
type Places = BTreeSet<(usize, Option<String>)>;

/// Positions in a glob before the next character: a star may also stand for nothing.
fn before_next<'a>(glob: &'a [char], places: &'a Places) -> impl Iterator<Item = (usize, &'a Option<String>)> {
    places.iter().flat_map(|(place, account)| {
        let stars = glob[*place..].iter().take_while(|sign| **sign == '*').count();
        (*place..=place + stars).map(move |place| (place, account))
    })
}

/// Follows a glob over this text.
fn fixed(glob: &[char], places: Places, text: &str) -> Places {
    text.chars().fold(places, |places, expected| {
        let step = |(place, account): (usize, &Option<String>)| {
            let next = match glob.get(place)? {
                '*' => place,
                sign if *sign == '?' || *sign == expected => place + 1,
                _ => return None,
            };
            Some((next, account.clone()))
        };
        before_next(glob, &places).filter_map(step).collect()
    })
}

/// Follows a glob over one digit of the account.
fn digit(glob: &[char], places: &Places) -> Places {
    let step = |(place, account): (usize, &Option<String>)| match glob.get(place)? {
        '*' => Some((place, None)),
        '?' => Some((place + 1, None)),
        digit if digit.is_ascii_digit() => {
            Some((place + 1, account.as_ref().map(|account| format!("{account}{digit}"))))
        }
        _ => None,
    };
    before_next(glob, places).filter_map(step).collect()
}

/// The rest of a glob as the path and name of a role, if there can be such a role.
fn path(rest: &[char]) -> Option<String> {
    let is_allowed = |sign: &char| sign.is_ascii_alphanumeric() || "_+=,.@/-*?".contains(*sign);
    if rest.is_empty() || !rest.iter().all(is_allowed) {
        return None;
    }
    let mut path = String::new();
    for sign in rest {
        if !(*sign == '*' && path.ends_with('*')) {
            path.push(*sign);
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_within_the_patterns_of_a_glob_if_the_glob_matches_it() {
        let accounts = ["123456789012", "210987654321"];
        let paths = ["x", "ml/rank", "ml/rank-2", "a/ml/rank", "ml-rank", "theirs"];
        let globs = [
            "*",
            "arn:*",
            "*:role/ml/*",
            "*rank*",
            "*rank",
            "arn:aws:iam::*",
            "arn:aws:iam::1*/rank",
            "*2:role/*",
            "*/ml/*",
            "arn:aws:iam::123456789012:role/m?/*",
            "arn:?ws:iam::*:role/**rank",
            "*l*",
        ];
        for glob in globs {
            for (account, path) in accounts.iter().flat_map(|account| paths.map(|path| (account, path))) {
                let role = format!("{BEFORE_ACCOUNT}{account}{BEFORE_PATH}{path}");
                let is_within = roles(glob).iter().any(|pattern| glob::matches(pattern, &role));
                if glob::matches(glob, &role) {
                    assert!(is_within, "{glob} matches {role}, and {:?} do not", roles(glob));
                }
                // The account alone may be wider than the glob.
                let matches_in_some = accounts
                    .iter()
                    .any(|account| glob::matches(glob, &format!("{BEFORE_ACCOUNT}{account}{BEFORE_PATH}{path}")));
                assert!(!is_within || matches_in_some, "{glob} does not match {role}, and {:?} do", roles(glob));
            }
        }
    }
}
