//! Stop words: words that say nothing about what a text is about, by language.

use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The languages that this crate has word lists for. Others have no stop words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    English,
    German,
    French,
    Spanish,
    Other,
}

impl Language {
    /// From an ISO 639-1 code, with or without a region ("de-AT").
    pub fn from_code(code: &str) -> Self {
        let primary = code.split(['-', '_']).next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" | "eng" => Self::English,
            "de" | "deu" | "ger" => Self::German,
            "fr" | "fra" | "fre" => Self::French,
            "es" | "spa" => Self::Spanish,
            _ => Self::Other,
        }
    }

    fn stop_words(self) -> Option<&'static BTreeSet<&'static str>> {
        static SETS: [OnceLock<BTreeSet<&str>>; 4] = [const { OnceLock::new() }; 4];
        let (set, words) = match self {
            Self::English => (&SETS[0], ENGLISH),
            Self::German => (&SETS[1], GERMAN),
            Self::French => (&SETS[2], FRENCH),
            Self::Spanish => (&SETS[3], SPANISH),
            Self::Other => return None,
        };
        Some(set.get_or_init(|| words.split_ascii_whitespace().collect()))
    }
}

/// Whether a folded word is a stop word of the language.
pub fn is_stop(folded: &str, language: Language) -> bool {
    language.stop_words().is_some_and(|words| words.contains(folded))
}

const ENGLISH: &str = "
a about above according across actually after afterwards again against ago all almost alone along
already also although always am amid among amongst an and another any anybody anyone anything
anyway anywhere are aren't around as at away back be became because become becomes been before
began behind being below beside besides between beyond both but by came can can't cannot come comes
could couldn't despite did didn't do does doesn't doing don't done down due during each either else
enough especially etc even eventually ever every everybody everyone everything everywhere except
few for former from further furthermore get gets getting give given gives go goes going gone got
had hadn't has hasn't have haven't having he he'd he'll he's hence her here here's hers herself him
himself his how however i i'd i'll i'm i've if in indeed instead into is isn't it it'd it'll it's
its itself just keep keeps kept know known last later latter least less let let's like likely made
make makes making many may maybe me meanwhile might mine more moreover most mostly much must my
myself near nearly neither never nevertheless next no nobody none nor not nothing now nowhere of
off often on once one ones only onto or other others otherwise ought our ours ourselves out over
own per perhaps please put quite rather re really regarding said same saw say saying says see
seem seemed seems seen several shall she she'd she'll she's should shouldn't since so some somebody
someone something sometimes somewhere soon still such take taken takes taking than that that's the
their theirs them themselves then there there's therefore these they they'd they'll they're they've
thing things this those though through throughout thus to together told too took toward towards
under unless until up upon us use used uses using very via want wants was wasn't way we we'd we'll
we're we've well went were weren't what what's whatever when whenever where whereas wherever whether
which while who who's whoever whole whom whose why will with within without won't would wouldn't yes
yet you you'd you'll you're you've your yours yourself
";

const GERMAN: &str = "
ab aber alle allem allen aller alles als also am an andere anderen anderer anderes auch auf aus
ausserdem bei beim bereits bin bis bisher bist da dabei dadurch dafur dagegen daher damit danach
dann daran darauf darf darum darunter das dass davon dazu dein deine dem den denn dennoch der deren
des deshalb dessen die dies diese diesem diesen dieser dieses doch dort du durch durfen ein eine
einem einen einer eines einige einmal er erst es etwa etwas euch euer fur ganz gegen gegenuber
geht gewesen gibt gilt hab habe haben hat hatte hatten heute hier hin hinter ich ihm ihn ihnen ihr
ihre ihrem ihren ihrer im immer in indem innerhalb ins ist ja jede jedem jeden jeder jedes jedoch
jetzt kann kein keine keinem keinen keiner konnen konnte konnten laut machen macht man mehr mein
meine mich mir mit mochte musse mussen musste muss nach nachdem nicht nichts noch nun nur ob oder
ohne schon sehr sei seien sein seine seinem seinen seiner seit sich sie sind so sogar solche soll
sollen sollte sollten sondern sonst sowie statt trotz uber um und uns unser unsere unter viel viele
vom von vor wahrend war waren warum was weg weil weiter weitere weiteren welche welchem welchen
welcher wenn wer werde werden wie wieder will wir wird wo wollen wollte worden wurde wurden zu zum
zur zwar zwischen
";

const FRENCH: &str = "
a ai ainsi alors apres au aucun aujourd'hui aussi autre autres aux avait avant avec avoir c'est car
ce ceci cela celle celui ces cet cette ceux chaque chez comme comment contre d'un d'une dans de deja
depuis derriere des dont donc du elle elles en encore enfin entre est et etaient etait ete etes etre
eu faire fait font hors ici il ils j'ai je jusqu l'on la le les leur leurs lors lui ma mais me meme
memes mes moi moins mon ne ni non nos notre nous on ont or ou par parce pas pendant peu peut peuvent
plus plusieurs pour pourquoi pres puis qu'il qu'elle qu'un qu'une quand que quel quelle quelles
quels qui quoi sa sans se sera serait ses si soit son sont sous sur ta tandis te tel telle tes toi
ton toujours tous tout toute toutes tres trop tu un une vers voici vos votre vous y
";

const SPANISH: &str = "
a al algo algun alguna algunas alguno algunos alla ante antes aquel aquella asi aun aunque bajo
bien cada casi como con contra cual cuales cuando cuanto de del desde despues donde dos durante e
el ella ellas ellos en entonces entre era eran es esa esas ese eso esos esta estaba estan estar
estas este esto estos fue fueron ha habia hace hacia han hasta hay he hemos incluso la las le les lo
los luego mas me mediante mejor mi mientras mis misma mismo mucho muchos muy nada ni ningun no nos
nosotros o os otra otras otro otros para pero poco por porque primera pues puede pueden que quien
quienes se sea segun ser si sido siempre sin sino sobre solo son su sus tal tambien tan tanto te
tiene tienen toda todas todavia todo todos tras tu un una unas uno unos usted ya yo
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_folded_so_that_it_can_match() {
        for list in [ENGLISH, GERMAN, FRENCH, SPANISH] {
            for word in list.split_ascii_whitespace() {
                let folded = crate::fold(word);
                assert!(folded == word || word.ends_with("'s"), "{word}");
            }
        }
    }

    #[test]
    fn codes_with_regions_are_read() {
        assert_eq!(Language::from_code("de-AT"), Language::German);
        assert_eq!(Language::from_code("EN_us"), Language::English);
        assert_eq!(Language::from_code("ja"), Language::Other);
    }

    #[test]
    fn a_language_without_a_list_keeps_every_word() {
        assert!(!is_stop("the", Language::Other));
        assert!(is_stop("the", Language::English));
    }
}
