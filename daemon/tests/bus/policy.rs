//! What an administrator may have decided, as rules of polkit.

/// Every action is allowed, as on most live images.
pub const ALLOW: &str = "polkit.addRule(function(action, subject) { return polkit.Result.YES; });";
/// No action is allowed.
pub const DENY: &str = "polkit.addRule(function(action, subject) { return polkit.Result.NO; });";
/// Every action needs a password.
pub const ASK: &str =
    "polkit.addRule(function(action, subject) { return polkit.Result.AUTH_ADMIN; });";

/// What an administrator may have decided.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub rules: &'static str,
    /// The error that somebody without rights gets then; none where everybody may.
    pub refusal: Option<&'static str>,
}

/// Each abuse is tried under each of these.
pub const POLICIES: [Policy; 3] = [
    Policy {
        rules: ALLOW,
        refusal: None,
    },
    Policy {
        rules: DENY,
        refusal: Some("org.ubuntu.Wendy.Error.NotAuthorized"),
    },
    Policy {
        rules: ASK,
        refusal: Some("org.ubuntu.Wendy.Error.NotAuthorizedCanObtain"),
    },
];

impl Policy {
    /// Whether this is how somebody without rights is refused. The proxies allow a prompt, which
    /// nobody is there to show.
    pub fn refuses_with(self, name: &str) -> bool {
        self.refusal.is_some() && name.contains("NotAuthorized")
    }

    /// The answer to somebody without rights, where it would be `own` if all were allowed.
    pub fn answer(self, own: &'static str) -> &'static str {
        self.refusal.unwrap_or(own)
    }
}
