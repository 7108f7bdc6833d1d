//! Globs on whole names: `*` is any text, `?` any one character.

pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // After the last star: where the pattern goes on, and how much of the name the star holds so far.
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Some(expected) if *expected == '?' || *expected == name[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((after, held)) => {
                    star = Some((after, held + 1));
                    (at, seen) = (after, held + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_for_the_whole_name() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a.b/c", true),
            ("?", "", false),
            ("?", "é", true),
            ("ml-*", "ml-", true),
            ("ml-*", "ml", false),
            ("ml-*", "xml-a", false),
            ("*-ml", "a-ml", true),
            ("*-ml", "a-ml-b", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("*aab", "aaaab", true),
            ("a??d", "abcd", true),
            ("a??d", "abd", false),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
            ("a**b", "ab", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern:?} on {name:?}");
        }
    }
}
