//! Users: what one may be, and who may make it so.

use super::*;
use crate::auth::tests::{issued, operator};

fn ada() -> User {
    User {
        email: "Ada@example.com".into(),
        name: "Ada".into(),
        role: "user".into(),
        ..fresh("acme")
    }
}

fn patch(patch: Value, caller: &Caller) -> Result<User, ApiError> {
    patched(&ada(), JsonDocument::of(patch), caller)
}

fn pointer(error: ApiError) -> String {
    let reply = error.reply("r", String::new());
    reply.violations.first().map_or(reply.code, |it| format!("{} {}", it.pointer, it.code))
}

fn wanted(role: Option<UserRole>, account: Option<&str>) -> NewUser {
    NewUser {
        email: "b@example.com".into(),
        password: "correct horse".into(),
        role,
        account: account.map(str::to_owned),
        ..NewUser::default()
    }
}

#[test]
fn a_new_user_is_of_the_callers_account_and_called_as_it_is_written_to() {
    let (user, password) =
        new(wanted(None, None), &issued("acme", &["execute", "read", "admin"])).unwrap();
    assert_eq!((user.account_id.as_str(), user.role.as_str()), ("acme", "user"));
    assert_eq!((user.name.as_str(), user.active), ("b@example.com", true));
    assert_eq!(password, "correct horse");
    let (user, _) = new(wanted(Some(UserRole::Admin), Some("acme")), &operator()).unwrap();
    assert_eq!((user.account_id.as_str(), user.role.as_str()), ("acme", "admin"));
}

#[test]
fn nobody_makes_or_changes_one_who_may_do_more() {
    let weak = issued("acme", &["admin", "read"]);
    let strong = issued("acme", &["admin", "read", "execute"]);
    let made = |role, account, caller: &Caller| new(wanted(role, account), caller).map(|_| ());
    assert_eq!(pointer(made(None, None, &weak).unwrap_err()), "auth.scope_missing");
    assert!(made(Some(UserRole::Viewer), None, &weak).is_ok());
    assert!(made(Some(UserRole::Admin), None, &strong).is_ok());
    let elsewhere = made(None, Some("other"), &strong).unwrap_err();
    assert_eq!(pointer(elsewhere), "/account account.unknown");
    let raise = json!({ "role": "admin" });
    assert_eq!(pointer(patch(raise.clone(), &weak).unwrap_err()), "auth.scope_missing");
    assert_eq!(patch(raise, &strong).unwrap().role, "admin");
    let lower = json!({ "role": "viewer" });
    assert_eq!(pointer(patch(lower, &weak).unwrap_err()), "auth.scope_missing", "it is above");
    let moved = json!({ "account": "other" });
    assert_eq!(pointer(patch(moved.clone(), &strong).unwrap_err()), "/account account.unknown");
    assert_eq!(patch(moved, &operator()).unwrap().account_id, "other");
}

#[test]
fn a_patch_changes_what_it_names_and_null_brings_the_default_back() {
    let was = ada();
    assert_eq!(patched(&was, JsonDocument::of(json!({})), &operator()).unwrap(), was);
    let changed = patch(json!({ "role": "viewer", "active": false }), &operator()).unwrap();
    assert_eq!((changed.role.as_str(), changed.active), ("viewer", false));
    assert_eq!(changed.name, "Ada");
    let back = patch(json!({ "role": null, "name": null }), &operator()).unwrap();
    assert_eq!((back.role.as_str(), back.name.as_str()), ("user", "Ada@example.com"));
    for (bad, expected) in [
        (json!({ "email": null }), "/email required"),
        (json!({ "account": null }), "/account required"),
        (json!({ "name": " Ada" }), "/name name"),
        (json!({ "name": "eve@example.com" }), "/name name.at"),
        (json!({ "password": "hush-hush" }), "/password unknown_field"),
    ] {
        assert_eq!(pointer(patch(bad.clone(), &operator()).unwrap_err()), expected, "{bad}");
    }
}

#[test]
fn a_name_that_is_the_email_goes_on_being_it() {
    let was = User { name: "ada@EXAMPLE.com".into(), ..ada() };
    let moved = JsonDocument::of(json!({ "email": "ada@example.org" }));
    let moved = patched(&was, moved, &operator()).unwrap();
    assert_eq!(moved.name, "ada@example.org");
    let same = JsonDocument::of(json!({ "role": "viewer" }));
    assert_eq!(patched(&was, same, &operator()).unwrap().name, "ada@EXAMPLE.com");
}

#[test]
fn a_password_is_refused_without_being_repeated() {
    let error = check_password(&ada(), ("/password", "ada@EXAMPLE.com")).unwrap_err();
    let reply = serde_json::to_string(&error.reply("r", String::new())).unwrap();
    assert!(reply.contains("password.known") && !reply.contains("EXAMPLE"), "{reply}");
    assert!(check_password(&ada(), ("/password", "correct horse")).is_ok());
}

#[test]
fn the_log_says_what_became_of_a_user() {
    let was = ada();
    let off = User { active: false, role: "viewer".into(), ..was.clone() };
    assert_eq!(verb(&was, &off), "user.deactivated");
    assert_eq!(verb(&off, &was), "user.activated");
    let viewer = User { role: "viewer".into(), ..was.clone() };
    assert_eq!(verb(&was, &viewer), "user.role_changed");
    assert_eq!(verb(&was, &User { name: "B".into(), ..was.clone() }), "user.updated");
    assert!(!document(&was).to_string().contains("password"));
}

#[test]
fn only_an_active_administrator_of_the_first_account_operates() {
    let admin = User { role: "admin".into(), account_id: "default".into(), ..ada() };
    assert!(operates(&admin));
    for other in [
        User { active: false, ..admin.clone() },
        User { role: "user".into(), ..admin.clone() },
        User { account_id: "acme".into(), ..admin.clone() },
    ] {
        assert!(!operates(&other), "{other:?}");
    }
}
