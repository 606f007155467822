//! The words that stand for a caller where people are named: as candidates of tasks, and as those
//! who began what others approve.

use super::Caller;
use super::caller::Client;

/// Whoever has the workers' secret gives itself any name: towards approvals all of them are one.
const ANY_WORKER: &str = "worker";

impl Caller {
    /// The words by which a caller can be a candidate; of a person its e-mail address is one, too.
    pub fn words(&self) -> Vec<String> {
        let worker = self.worker_id.as_ref().map(|_| self.worker_name());
        let role = self.person.as_ref().map(|person| format!("role:{}", person.role.as_str()));
        let selves = self.selves().into_iter().filter(|word| word != ANY_WORKER);
        selves.chain(role).chain(worker).collect()
    }

    /// Who the caller is, whichever credential it shows next: a key that was rotated stays who it
    /// was.
    pub fn selves(&self) -> Vec<String> {
        let keys = match &self.client {
            Some(Client::Bootstrap) => vec!["key:bootstrap".to_owned()],
            Some(Client::Issued(key)) if key.budget.id.is_empty() || key.budget.id == key.id => {
                vec![format!("key:{}", key.id)]
            }
            Some(Client::Issued(key)) => {
                vec![format!("key:{}", key.id), format!("key:{}", key.budget.id)]
            }
            None => Vec::new(),
        };
        let person = self.person.as_ref().map(|person| format!("user:{}", person.user_id));
        let worker = self.worker_id.as_ref().map(|_| ANY_WORKER.to_owned());
        person.into_iter().chain(keys).chain(worker).collect()
    }
}

#[cfg(test)]
mod tests {
    use engine::admission::KeyFunds;

    use super::super::{IssuedKey, Person, Role, Scopes};
    use super::*;

    fn issued(id: &str, root: &str) -> Caller {
        let key = IssuedKey {
            id: id.to_owned(),
            account: "acme".to_owned(),
            scopes: Scopes::parse(["execute"]),
            expires_at: None,
            rate_per_minute: None,
            budget: KeyFunds { id: root.to_owned(), ..KeyFunds::default() },
        };
        Caller { client: Some(Client::Issued(key)), ..Caller::default() }
    }

    #[test]
    fn a_rotated_key_is_still_who_it_was() {
        let (first, second) = (issued("k1", "k1"), issued("k2", "k1"));
        assert_eq!(first.selves(), ["key:k1"]);
        assert_eq!(second.selves(), ["key:k2", "key:k1"]);
        assert_eq!(second.words(), second.selves());
    }

    #[test]
    fn a_person_is_a_candidate_by_itself_and_by_its_role() {
        let person = Person {
            user_id: "u1".to_owned(),
            account: "acme".to_owned(),
            role: Role::User,
            session_id: "s1".to_owned(),
        };
        let caller = Caller { person: Some(person), ..issued("k1", "k1") };
        assert_eq!(caller.words(), ["user:u1", "key:k1", "role:user"]);
        assert_eq!(caller.selves(), ["user:u1", "key:k1"], "a role is nobody's self");
    }

    #[test]
    fn a_worker_is_a_candidate_by_its_name_and_no_other_self_by_another() {
        let worker = |id: &str| Caller { worker_id: Some(id.to_owned()), ..Caller::default() };
        assert_eq!(worker("a").words(), ["worker:a"]);
        assert_eq!(worker("a").selves(), worker("b").selves());
        assert_eq!(Caller::default().selves(), Vec::<String>::new());
    }
}
