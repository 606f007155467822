//! Rights, and which of them a role has.

/// A right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Start executions and act on them.
    Execute,
    /// Read what belongs to the account.
    Read,
    /// Administer the installation.
    Admin,
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

/// What a person is for its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May do everything within the account.
    Admin,
    /// Starts executions and acts on them.
    User,
    /// Looks.
    Viewer,
}

impl Scope {
    /// The word in `api_keys` and in replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Scopes {
    /// The scopes of these words; one that is not known gives no right.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let all = [Scope::Execute, Scope::Read, Scope::Admin];
        let known = words.into_iter().filter_map(|word| all.iter().find(|s| s.as_str() == word));
        Self::of(known.copied())
    }

    /// These scopes.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Whether `scope` is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// What either of the two has.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A scope that these have and `others` lack.
    pub fn beyond(self, others: Self) -> Option<Scope> {
        let all = [Scope::Execute, Scope::Read, Scope::Admin];
        all.into_iter().find(|scope| self.contains(*scope) && !others.contains(*scope))
    }
}

impl Role {
    /// The word in `users` and in replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Admin, Self::User, Self::Viewer].into_iter().find(|role| role.as_str() == word)
    }

    /// What it allows.
    pub fn scopes(self) -> Scopes {
        match self {
            Self::Admin => Scopes::of([Scope::Execute, Scope::Read, Scope::Admin]),
            Self::User => Scopes::of([Scope::Execute, Scope::Read]),
            Self::Viewer => Scopes::of([Scope::Read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_the_rights_of_its_word() {
        for (word, scopes) in [
            ("admin", &["execute", "read", "admin"][..]),
            ("user", &["execute", "read"]),
            ("viewer", &["read"]),
        ] {
            let role = Role::parse(word).unwrap();
            assert_eq!(role.as_str(), word);
            assert_eq!(role.scopes(), Scopes::parse(scopes.iter().copied()), "{word}");
        }
        assert_eq!(Role::parse("root"), None);
    }

    #[test]
    fn what_goes_beyond_is_named() {
        let user = Role::User.scopes();
        assert_eq!(user.beyond(Role::Viewer.scopes()), Some(Scope::Execute));
        assert_eq!(Role::Admin.scopes().beyond(user), Some(Scope::Admin));
        assert_eq!(user.beyond(user), None);
        assert_eq!(Scopes::parse(["admin"]).union(user), Role::Admin.scopes());
    }
}
