//! The policy every organisation starts with.

pub(super) fn policy(organisation: &str) -> String {
    let contact = format!("the security team of {organisation}");
    include_str!("starter.toml").replace("\"CONTACT\"", &toml::Value::String(contact).to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn starter_policy_can_be_published_for_any_organisation() {
        for organisation in ["acme", "Ac\"me & Söhne \\ Co"] {
            let checked = crate::author::check_now(&super::policy(organisation));
            assert_eq!(checked.problems, [], "{organisation}");
        }
    }
}
