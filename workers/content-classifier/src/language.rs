//! Decides which language an article is written in. It must not translate or normalise text.

use text::{Language, fold, stop, words};
use whatlang::Lang;

/// The code for "undetermined" (ISO 639-2).
pub const UNKNOWN: &str = "und";

/// Shorter texts say too little.
const CHARS_MIN: usize = 24;
/// More text than this does not change the answer.
const CHARS_READ_MAX: usize = 400;
/// Below this a feed's own claim is believed instead.
const CONFIDENCE_MIN: f64 = 0.6;

/// From this confidence on the detector is right on texts of any length.
const CERTAIN: f64 = 0.9;
/// How many function words must speak for a language, and by how much it must lead the next.
const VOTES_MIN: usize = 3;
const VOTES_LEAD: usize = 2;

/// The ISO 639-1 code of the text, else what the feed declared, else [`UNKNOWN`]. Feeds often
/// declare the language of their software, so a clear text wins over its declaration. Trigrams
/// decide on long texts; on short ones the function words of the larger languages are the better
/// witness.
pub fn detect(title: &str, body: &str, declared: Option<&str>) -> String {
    let declared = declared.and_then(primary_code);
    let mut sample: String = title.to_owned();
    sample.push_str(". ");
    sample.extend(body.chars().take(CHARS_READ_MAX));
    let guess = if sample.chars().count() < CHARS_MIN { None } else { whatlang::detect(&sample) };
    let guess = guess.and_then(|info| Some((iso_639_1(info.lang())?, info.confidence())));
    match (guess, by_function_words(&sample)) {
        (Some((code, confidence)), _) if confidence >= CERTAIN => code.to_owned(),
        (_, Some(voted)) => voted.to_owned(),
        (Some((code, _)), None) if declared.as_deref() == Some(code) => code.to_owned(),
        (Some((code, confidence)), None) if confidence >= CONFIDENCE_MIN => code.to_owned(),
        (Some(_) | None, None) => declared.unwrap_or_else(|| UNKNOWN.to_owned()),
    }
}

fn by_function_words(sample: &str) -> Option<&'static str> {
    const VOTERS: [(&str, Language); 4] = [
        ("en", Language::English),
        ("de", Language::German),
        ("fr", Language::French),
        ("es", Language::Spanish),
    ];
    let words: Vec<String> = words(sample).map(|word| fold(word.text)).collect();
    let mut votes = VOTERS.map(|(code, language)| {
        (words.iter().filter(|word| stop::is_stop(word, language)).count(), code)
    });
    votes.sort_unstable_by(|a, b| b.cmp(a));
    let [(first, code), (second, _), ..] = votes;
    (first >= VOTES_MIN && first >= VOTES_LEAD * second).then_some(code)
}

/// "en-US", "EN_gb" and "en" are "en"; what is no language tag is nothing.
fn primary_code(tag: &str) -> Option<String> {
    let primary = tag.trim().split(['-', '_']).next()?.to_ascii_lowercase();
    let plausible =
        (2..=3).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_lowercase());
    (plausible && primary != UNKNOWN).then_some(primary)
}

fn iso_639_1(lang: Lang) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == lang).map(|(_, code)| *code)
}

#[rustfmt::skip]
const CODES: &[(Lang, &str)] = &[
    (Lang::Eng, "en"), (Lang::Deu, "de"), (Lang::Fra, "fr"), (Lang::Spa, "es"), (Lang::Por, "pt"),
    (Lang::Ita, "it"), (Lang::Nld, "nl"), (Lang::Cat, "ca"), (Lang::Dan, "da"), (Lang::Swe, "sv"),
    (Lang::Nob, "nb"), (Lang::Fin, "fi"), (Lang::Est, "et"), (Lang::Lav, "lv"), (Lang::Lit, "lt"),
    (Lang::Pol, "pl"), (Lang::Ces, "cs"), (Lang::Slk, "sk"), (Lang::Slv, "sl"), (Lang::Hrv, "hr"),
    (Lang::Srp, "sr"), (Lang::Mkd, "mk"), (Lang::Bul, "bg"), (Lang::Ron, "ro"), (Lang::Hun, "hu"),
    (Lang::Ell, "el"), (Lang::Tur, "tr"), (Lang::Aze, "az"), (Lang::Rus, "ru"), (Lang::Ukr, "uk"),
    (Lang::Bel, "be"), (Lang::Heb, "he"), (Lang::Yid, "yi"), (Lang::Ara, "ar"), (Lang::Pes, "fa"),
    (Lang::Urd, "ur"), (Lang::Hin, "hi"), (Lang::Ben, "bn"), (Lang::Mar, "mr"), (Lang::Guj, "gu"),
    (Lang::Pan, "pa"), (Lang::Tam, "ta"), (Lang::Tel, "te"), (Lang::Kan, "kn"), (Lang::Mal, "ml"),
    (Lang::Ori, "or"), (Lang::Sin, "si"), (Lang::Nep, "ne"), (Lang::Tha, "th"), (Lang::Mya, "my"),
    (Lang::Khm, "km"), (Lang::Vie, "vi"), (Lang::Ind, "id"), (Lang::Jav, "jv"), (Lang::Tgl, "tl"),
    (Lang::Cmn, "zh"), (Lang::Jpn, "ja"), (Lang::Kor, "ko"), (Lang::Kat, "ka"), (Lang::Hye, "hy"),
    (Lang::Amh, "am"), (Lang::Afr, "af"), (Lang::Lat, "la"), (Lang::Epo, "eo"), (Lang::Zul, "zu"),
    (Lang::Sna, "sn"), (Lang::Aka, "ak"), (Lang::Uzb, "uz"), (Lang::Tuk, "tk"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_speak_for_themselves() {
        for (code, text) in [
            ("en", "The council agreed on Monday to build three new schools near the river."),
            ("de", "Der Stadtrat beschloss, drei neue Schulen in der Nähe des Flusses zu bauen."),
            ("fr", "Le conseil a décidé de construire trois nouvelles écoles près de la rivière."),
            (
                "es",
                "El ayuntamiento decidió el lunes construir tres escuelas nuevas cerca del río.",
            ),
            ("ja", "市議会は月曜日に川の近くに三つの新しい学校を建てることを決めました。"),
            ("ru", "Городской совет решил в понедельник построить три новые школы у реки."),
        ] {
            assert_eq!(detect("", text, None), code, "{text}");
        }
    }

    #[test]
    fn a_wrong_declaration_yields_to_a_clear_text() {
        let german = "Die Regierung hat heute ein neues Gesetz zur Förderung der Windkraft \
            beschlossen.";
        assert_eq!(detect("Windkraft", german, Some("en-US")), "de");
    }

    #[test]
    fn short_headlines_are_known_by_their_function_words() {
        let text = "A large language model now counts letters, its makers say.";
        assert_eq!(detect("Language models learn to count", text, None), "en");
        assert_eq!(detect("Das Ende der Kohle ist nah und keiner weint", "", None), "de");
    }

    #[test]
    fn short_texts_follow_the_declaration() {
        assert_eq!(detect("Voilà", "", Some("fr-FR")), "fr");
        assert_eq!(detect("OK", "", None), UNKNOWN);
        assert_eq!(detect("OK", "", Some("no such tag")), UNKNOWN);
    }
}
