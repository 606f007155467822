//! Passwords: what one may be, its hash, and the check of one.
//!
//! bcrypt reads 72 bytes. A longer password is refused rather than cut, so that each of its bytes
//! counts, and rather than hashed before, so that any other program can check what is stored. A
//! check takes as long whether the user exists or not, and whatever the cost of its hash.

use bcrypt::HashParts;

use crate::clock;
use crate::error::ApiError;

/// The least characters of a password.
pub const CHARS_MIN: usize = 8;
/// The most bytes of one: as many as bcrypt reads.
pub const BYTES_MAX: usize = 72;
/// The part of a hash behind the cost that no password gives: a salt and a hash of zeros.
const NOBODYS: &str = ".....................................................";
const COST_MIN: u32 = 4;
/// What everybody tries first, of those that are long enough (in lower case).
const COMMON: [&str; 24] = [
    "00000000",
    "11111111",
    "12341234",
    "12345678",
    "123456789",
    "1234567890",
    "1q2w3e4r",
    "1qaz2wsx",
    "87654321",
    "abc12345",
    "admin123",
    "adminadmin",
    "administrator",
    "baseball",
    "changeme",
    "iloveyou",
    "letmein1",
    "passw0rd",
    "password",
    "password1",
    "password123",
    "qwerty123",
    "qwertyuiop",
    "welcome1",
];

/// Whose password it is to be: it must not be what everybody knows of them.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Its e-mail.
    pub email: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// Why a text must not be a password; `None` where it may.
pub fn misfit(password: &str, owner: Owner<'_>) -> Option<(&'static str, &'static str)> {
    let lower = password.to_lowercase();
    let first = lower.chars().next();
    if password.chars().count() < CHARS_MIN {
        Some(("password.short", "has fewer than 8 characters"))
    } else if password.len() > BYTES_MAX {
        Some(("password.long", "has more than 72 bytes in UTF-8"))
    } else if password.contains('\0') {
        Some(("password.null", "contains the character U+0000"))
    } else if COMMON.contains(&lower.as_str()) || lower.chars().all(|c| Some(c) == first) {
        Some(("password.common", "is what everybody tries first"))
    } else if [owner.email, owner.name].iter().any(|known| known.to_lowercase() == lower) {
        Some(("password.known", "is the e-mail or the name"))
    } else {
        None
    }
}

/// The hash of a password that may be one.
pub fn hash(password: &str, cost: u32) -> Result<String, ApiError> {
    let mut salt = [0; 16];
    clock::fill(&mut salt);
    let parts = bcrypt::hash_with_salt(password, cost, salt);
    let parts = parts.map_err(|error| ApiError::Internal { cause: error.to_string() })?;
    Ok(parts.to_string())
}

/// Whether `password` has the hash `known`; `None` is a user that is not there.
///
/// It takes as long as a check at `cost` in every case that fails: what a cheaper hash leaves of
/// that is spent on checks that nobody can pass. A dearer hash, from before the cost was lowered,
/// takes longer.
pub fn check(password: &str, known: Option<&str>, cost: u32) -> bool {
    let known = known.and_then(|known| Some((known, cost_of(known)?)));
    // A longer password is nobody's: it is checked all the same, so that it takes as long.
    let (fits, cut) = match password.as_bytes().split_at_checked(BYTES_MAX) {
        Some((cut, rest)) => (rest.is_empty(), cut),
        None => (true, password.as_bytes()),
    };
    let (hash, found) = known.map_or_else(|| (nobodys(cost), cost), |(it, c)| (it.to_owned(), c));
    let matches = bcrypt::verify(cut, &hash).unwrap_or(false);
    if matches && fits && known.is_some() {
        return true;
    }
    // 2^c + 2^c + 2^(c+1) + … + 2^(cost-1) = 2^cost.
    for rest in found..cost {
        std::hint::black_box(bcrypt::verify(cut, &nobodys(rest)).unwrap_or(false));
    }
    false
}

/// Whether a hash is to be made anew: it is cheaper than what passwords cost now.
pub fn is_cheap(hash: &str, cost: u32) -> bool {
    cost_of(hash).is_none_or(|found| found < cost)
}

fn cost_of(hash: &str) -> Option<u32> {
    let parts: HashParts = hash.parse().ok()?;
    Some(parts.get_cost().max(COST_MIN))
}

/// A hash that no password has.
fn nobodys(cost: u32) -> String {
    format!("$2b${cost:02}${NOBODYS}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner { email: "Ada@Example.com", name: "ada lovelace" };

    fn code(password: &str) -> Option<&'static str> {
        misfit(password, OWNER).map(|(code, _)| code)
    }

    #[test]
    fn a_password_has_8_characters_to_72_bytes_and_is_not_what_is_tried_first() {
        assert_eq!(code("correct horse"), None);
        assert_eq!(code(&"äö".repeat(4)), None, "characters count");
        assert_eq!(code("1234567"), Some("password.short"));
        assert_eq!(code(&"x1".repeat(36)), None);
        assert_eq!(code(&format!("{}y", "x1".repeat(36))), Some("password.long"));
        assert_eq!(code(&"ä1".repeat(25)), Some("password.long"), "bytes count");
        assert_eq!(code("with\0inside"), Some("password.null"));
        for common in ["PassWord", "12345678", "zzzzzzzzzzz"] {
            assert_eq!(code(common), Some("password.common"), "{common}");
        }
        for known in ["ada@example.com", "Ada Lovelace"] {
            assert_eq!(code(known), Some("password.known"), "{known}");
        }
        assert!(COMMON.iter().all(|it| it.len() >= CHARS_MIN && it.to_lowercase() == **it));
    }

    #[test]
    fn a_hash_is_checked_and_no_two_are_alike() {
        let hash = |text: &str| hash(text, 4).unwrap();
        let first = hash("correct horse");
        assert!(first.starts_with("$2b$04$") && first.len() == 60);
        assert_ne!(first, hash("correct horse"));
        assert!(check("correct horse", Some(&first), 4));
        assert!(check("correct horse", Some(&first), 6), "whatever the cost is now");
        for wrong in ["Correct horse", "correct horse ", "", "correct hors"] {
            assert!(!check(wrong, Some(&first), 4), "{wrong:?}");
        }
        assert!(!check("correct horse", None, 4));
        assert!(!check("correct horse", Some("not a hash"), 4));
    }

    #[test]
    fn what_lies_behind_72_bytes_is_not_left_out() {
        let whole = "x1".repeat(36);
        let known = hash(&whole, 4).unwrap();
        assert!(check(&whole, Some(&known), 4));
        assert!(!check(&whole[..71], Some(&known), 4), "the last byte counts");
        assert!(!check(&format!("{whole}more"), Some(&known), 4), "nothing is cut");
    }

    #[test]
    fn a_hash_from_another_program_is_checked() {
        // Vectors of the OpenBSD implementation, as other programs publish them.
        let known = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert!(check("U*U", Some(known), 5));
        assert!(!check("U*V", Some(known), 5));
    }

    #[test]
    fn a_cheaper_hash_is_to_be_made_anew() {
        let known = hash("correct horse", 5).unwrap();
        assert!(is_cheap(&known, 6) && !is_cheap(&known, 5) && !is_cheap(&known, 4));
        assert!(is_cheap("not a hash", 4));
    }

    #[test]
    fn nobodys_hash_has_the_form_of_one() {
        for cost in [4, 10, 12] {
            assert_eq!(cost_of(&nobodys(cost)), Some(cost));
        }
    }
}
