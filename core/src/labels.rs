//! Labels, annotations and label selectors, as the API server takes them. Source: the package `labels` and the functions
//! `IsQualifiedName`, `IsValidLabelValue` and `ValidateAnnotations` of k8s.io/apimachinery.

/// The most characters of a name in a key, and of a label's value.
const NAME_LIMIT: usize = 63;

/// The most characters of a domain in a key.
const DOMAIN_LIMIT: usize = 253;

/// The problem with the key of a label, in words that follow it.
///
/// # Errors
/// The rule that it breaks.
pub fn check_key(key: &str) -> Result<(), String> {
    const RULE: &str = "is not a key: up to 63 letters, digits, -, _ and ., with a letter or digit at both ends, and before it, \
                        if anything, a domain and a slash";
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let is_sound = is_name(name) && domain.is_none_or(is_domain);
    if is_sound { Ok(()) } else { Err(RULE.into()) }
}

/// The problem with the key of an annotation, whose case does not count, in words that follow it.
///
/// # Errors
/// The rule that it breaks.
pub fn check_annotation_key(key: &str) -> Result<(), String> {
    check_key(&key.to_lowercase())
}

/// The problem with the value of a label, in words that follow it.
///
/// # Errors
/// The rule that it breaks.
pub fn check_value(value: &str) -> Result<(), String> {
    const RULE: &str = "is not a label: up to 63 letters, digits, -, _ and ., with a letter or digit at both ends; what is longer \
                        or holds other signs can stand in an annotation";
    if value.is_empty() || is_name(value) { Ok(()) } else { Err(RULE.into()) }
}

fn is_name(name: &str) -> bool {
    let is_end = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_alphanumeric());
    name.len() <= NAME_LIMIT
        && is_end(name.chars().next())
        && is_end(name.chars().next_back())
        && name.chars().all(|sign| sign.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&sign))
}

fn is_domain(domain: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(|byte| is_inner(*byte))
            && bytes.last().is_some_and(|byte| is_inner(*byte))
            && bytes.iter().all(|byte| is_inner(*byte) || *byte == b'-')
    };
    domain.len() <= DOMAIN_LIMIT && domain.split('.').all(is_part)
}

/// An error in a label selector, such as `tier=prod,team in (a, b),!old`.
///
/// # Errors
/// The part that does not parse, and what is expected there.
pub fn check_selector(text: &str) -> Result<(), String> {
    let mut tokens = Tokens { rest: text };
    if tokens.clone().take() == Token::End {
        return Ok(());
    }
    loop {
        requirement(&mut tokens)?;
        match tokens.take() {
            Token::End => return Ok(()),
            Token::Sign(",") => {}
            other => return Err(unexpected(&other, "a comma or the end")),
        }
    }
}

fn requirement(tokens: &mut Tokens) -> Result<(), String> {
    let is_negated = tokens.take_if(&["!"]).is_some();
    let key = match tokens.take() {
        Token::Word(key) => key,
        other => return Err(unexpected(&other, "a key")),
    };
    check_key(key).map_err(|rule| format!("{key:?} {rule}"))?;
    if is_negated || matches!(tokens.clone().take(), Token::End | Token::Sign(",")) {
        return Ok(());
    }
    let check = |value: &str| check_value(value).map_err(|rule| format!("{value:?} {rule}"));
    match tokens.take() {
        Token::Sign("=" | "==" | "!=") => match tokens.clone().take() {
            Token::End | Token::Sign(",") => Ok(()),
            _ => match tokens.take() {
                Token::Word(value) => check(value),
                other => Err(unexpected(&other, "a value")),
            },
        },
        Token::Sign("<" | ">") => match tokens.take() {
            Token::Word(value) if value.parse::<i64>().is_ok() => check(value),
            other => Err(unexpected(&other, "a whole number")),
        },
        Token::Word("in" | "notin") => {
            tokens.take_if(&["("]).ok_or_else(|| unexpected(&tokens.clone().take(), "( before the values"))?;
            loop {
                match tokens.take() {
                    Token::Sign(")") => return Ok(()),
                    Token::Sign(",") => {}
                    Token::Word(value) => {
                        check(value)?;
                        let next = tokens.clone().take();
                        if !matches!(next, Token::Sign("," | ")")) {
                            return Err(unexpected(&next, "a comma or )"));
                        }
                    }
                    other => return Err(unexpected(&other, "a value or )")),
                }
            }
        }
        other => Err(unexpected(&other, "=, ==, !=, in, notin, < or >")),
    }
}

fn unexpected(token: &Token, expected: &str) -> String {
    let found = match token {
        Token::End => "it ends".into(),
        Token::Sign(text) | Token::Word(text) => format!("there is {text:?}"),
    };
    format!("{found} where {expected} is expected: write it like tier=prod,team in (a, b),!old")
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'text> {
    /// An operator, a comma or a bracket.
    Sign(&'text str),
    /// A key, a value, `in` or `notin`.
    Word(&'text str),
    End,
}

#[derive(Clone)]
struct Tokens<'text> {
    rest: &'text str,
}

impl<'text> Tokens<'text> {
    fn take(&mut self) -> Token<'text> {
        const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", "<", ">"];
        const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
        self.rest = self.rest.trim_start_matches(SPACE);
        if self.rest.is_empty() {
            return Token::End;
        }
        let is_end = |sign: char| SPACE.contains(&sign) || "=!(),<>".contains(sign);
        let sign = SIGNS.iter().find(|sign| self.rest.starts_with(**sign)).map(|sign| sign.len());
        let length = sign.unwrap_or_else(|| self.rest.find(is_end).unwrap_or(self.rest.len()));
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        if sign.is_some() { Token::Sign(token) } else { Token::Word(token) }
    }

    fn take_if(&mut self, signs: &[&str]) -> Option<()> {
        let mut ahead = self.clone();
        match ahead.take() {
            Token::Sign(sign) if signs.contains(&sign) => {
                *self = ahead;
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_follow_the_rules_of_the_api_server() {
        let long = "a".repeat(NAME_LIMIT);
        for key in ["a", "A.b_c-9", "example.com/a", "a-b.c/A_b", &long, &format!("{}/a", "a".repeat(DOMAIN_LIMIT))] {
            assert_eq!(check_key(key), Ok(()), "{key}");
        }
        for key in ["", "a b", "-a", "a-", "/a", "a/", "a/b/c", "A.com/b", "a_b/c", "ü", &format!("{long}a")] {
            assert!(check_key(key).is_err(), "{key}");
        }
        assert_eq!(check_annotation_key("Example.com/A"), Ok(()));
        for value in ["", "a", "A.b_c-9", &long] {
            assert_eq!(check_value(value), Ok(()), "{value}");
        }
        for value in ["a b", "a/b", "-a", "a.", "ü", &format!("{long}a")] {
            assert!(check_value(value).is_err(), "{value}");
        }
    }

    #[test]
    fn what_does_not_parse_is_reported_with_what_is_expected() {
        for (selector, reported) in [
            ("a b", "there is \"b\" where ="),
            ("a=b c", "there is \"c\" where a comma"),
            ("a=b,", "it ends where a key"),
            ("a in b", "there is \"b\" where ("),
            ("a in (b", "it ends where a comma"),
            ("-a", "\"-a\" is not a key"),
            ("a=b/c", "\"b/c\" is not a label"),
            ("a>-1", "\"-1\" is not a label"),
            ("a>x", "there is \"x\" where a whole number"),
        ] {
            let error = check_selector(selector).unwrap_err();
            assert!(error.contains(reported), "{selector}: {error}");
        }
    }
}
