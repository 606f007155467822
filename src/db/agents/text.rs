//! What people search for, as FTS5 takes it.

/// Words beyond these are not looked for.
const WORDS_MAX: usize = 32;

/// All words of `wanted`, within what belongs to `account`. Nothing that people write is an
/// operator, but for the `*` at the end of a word. `None` where there is no word.
pub fn query(account: &str, wanted: &str) -> Option<String> {
    let words: Vec<String> = wanted
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(WORDS_MAX)
        .map(|word| match word.strip_suffix('*') {
            Some(start) => format!("{}*", quoted(start)),
            None => quoted(word),
        })
        .collect();
    if words.is_empty() {
        return None;
    }
    let (account, words) = (quoted(account), words.join(" AND "));
    Some(format!("(account_id : {account}) AND (- account_id : ({words}))"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\"").replace('\0', ""))
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn words_are_words_whatever_they_look_like() {
        let found = |text| query("acme", text);
        let of =
            |words: &str| Some(format!("(account_id : \"acme\") AND (- account_id : ({words}))"));
        assert_eq!(found("feed fails"), of("\"feed\" AND \"fails\""));
        assert_eq!(found("NOT a:b (x)"), of("\"NOT\" AND \"a:b\" AND \"(x)\""));
        assert_eq!(found("say \"hi\""), of("\"say\" AND \"\"\"hi\"\"\""));
        assert_eq!(found("fee*"), of("\"fee\"*"));
        assert_eq!(found(" ** \" - "), None);
    }
}
