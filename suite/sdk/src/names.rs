//! Nearest valid names for error messages.

/// The candidate most similar to `name`, if one is close enough to be a likely typing error.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|left, right| left.0.total_cmp(&right.0).then_with(|| right.1.cmp(left.1)))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn offers_the_likely_name_and_nothing_far() {
        assert_eq!(nearest("anira-f", ["fixed", "anira-e", "random"]), Some("anira-e"));
        assert_eq!(nearest("ANIRA-E", ["fixed", "anira-e", "random"]), Some("anira-e"));
        assert_eq!(nearest("mano-steam", ["mano", "mano-stream"]), Some("mano-stream"));
        assert_eq!(nearest("zzz", ["fixed", "anira-e"]), None);
    }
}
