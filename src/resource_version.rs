//! Versions of objects, as the API server counts them.

/// True when a version of an object came after another one. Versions of one resource can be compared as numbers; where
/// they are none, another one is taken for a later one.
#[must_use]
pub fn is_later(version: Option<&str>, than: Option<&str>) -> bool {
    let number = |version: Option<&str>| version.and_then(|version| version.parse::<u64>().ok());
    match (number(version), number(than)) {
        (Some(version), Some(than)) => version > than,
        _ => version != than,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_where_they_are_some() {
        assert!(is_later(Some("10"), Some("9")));
        assert!(!is_later(Some("9"), Some("10")));
        assert!(!is_later(Some("9"), Some("9")));
        assert!(is_later(Some("x"), Some("9")));
    }
}
