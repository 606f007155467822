//! Owns the light stemmer of the catalogue: it joins the inflections of a word (plural, `-ing`,
//! `-ed`, final `e`) and nothing more.
//!
//! `text::stem` follows Porter, which suits articles. Entries of a catalogue are a few dozen words
//! long, and there its derivational rules cost precision: they make one stem of "general" and
//! "generative", of "university" and "universe". Derivations that belong together stand in the
//! table of concepts instead.

/// Words whose ending is no inflection, or whose plain form means something else.
const KEPT: [&str; 8] =
    ["news", "series", "species", "marketing", "training", "meeting", "building", "housing"];
/// No stem is shorter.
const STEM_CHARS_MIN: usize = 3;

/// The stem of a folded word. What is not plain ASCII letters is returned unchanged.
pub(crate) fn stem(word: &str) -> String {
    let plain = word.bytes().all(|byte| byte.is_ascii_lowercase());
    if !plain || word.len() <= STEM_CHARS_MIN || KEPT.contains(&word) {
        return word.to_owned();
    }
    let mut stem = singular(word);
    if KEPT.contains(&stem.as_str()) {
        return stem;
    }
    if let Some(base) = stem.strip_suffix("ing").or_else(|| past(&stem))
        && base.len() >= STEM_CHARS_MIN
        && base.contains(is_vowel)
    {
        stem = undoubled(base).to_owned();
    }
    match stem.strip_suffix('e') {
        Some(base) if base.len() >= STEM_CHARS_MIN => base.to_owned(),
        _ => stem,
    }
}

fn singular(word: &str) -> String {
    if let Some(base) = word.strip_suffix("ies") {
        return if base.len() >= 2 { format!("{base}y") } else { word.to_owned() };
    }
    for ending in ["sses", "shes", "ches", "xes", "zzes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    let kept = ["ss", "us", "is"].iter().any(|ending| word.ends_with(ending));
    match word.strip_suffix('s') {
        Some(base) if !kept => base.to_owned(),
        _ => word.to_owned(),
    }
}

fn past(word: &str) -> Option<&str> {
    if word.ends_with("eed") { None } else { word.strip_suffix("ed") }
}

/// `shipp` from "shipping" is "ship"; `sell` and `hiss` keep their letters.
fn undoubled(base: &str) -> &str {
    let mut back = base.bytes().rev();
    match (back.next(), back.next()) {
        (Some(last), Some(before)) if last == before && !b"aeioulsz".contains(&last) => {
            &base[..base.len() - 1]
        }
        _ => base,
    }
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn the_inflections_of_a_word_share_a_stem() {
        for forms in [
            &["vaccine", "vaccines"][..],
            &["energy", "energies"],
            &["house", "houses", "housed"],
            &["game", "games", "gaming"],
            &["ship", "ships", "shipping", "shipped"],
            &["robotic", "robotics"],
            &["invest", "invests", "investing", "invested"],
            &["mine", "mines", "mining", "mined"],
            &["class", "classes"],
            &["box", "boxes"],
            &["computing", "compute", "computes"],
        ] {
            let stems: Vec<String> = forms.iter().map(|form| stem(form)).collect();
            assert!(stems.windows(2).all(|pair| pair[0] == pair[1]), "{forms:?}: {stems:?}");
        }
    }

    #[test]
    fn different_words_stay_apart() {
        for (one, other) in [
            ("university", "universe"),
            ("general", "generative"),
            ("organic", "organization"),
            ("policy", "police"),
            ("new", "news"),
            ("market", "marketing"),
            ("train", "training"),
            ("build", "buildings"),
            ("house", "housing"),
            ("spring", "spr"),
            ("speed", "spe"),
        ] {
            assert_ne!(stem(one), stem(other), "{one}, {other}");
        }
    }

    #[test]
    fn what_is_no_english_word_is_left_alone() {
        for word in ["ai", "c++", "5g", "virus", "crisis", "über", "人工", ""] {
            assert_eq!(stem(word), word);
        }
    }
}
