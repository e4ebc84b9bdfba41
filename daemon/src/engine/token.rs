//! Consent to destroy: random, used once, bound to who asked, to the device and to the plan.
//!
//! Most live images answer every polkit question with yes, so this is the guard against a wrong
//! stick: nothing is erased by a caller who has not been told, moments before, what is on it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;
use wendy_sys::block::Identity;

use super::{Error, Result};

/// How long a token is good.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// How many tokens one caller may hold; the oldest gives way.
pub const PER_CALLER: usize = 8;

/// Proof that its holder has seen a plan. 122 random bits from the kernel, as lower case hex.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    fn random() -> Token {
        Token(Uuid::new_v4().simple().to_string())
    }

    /// The token as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Token {
    fn from(text: String) -> Token {
        Token(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// All tokens that are out, each for a plan of type `P`.
#[derive(Debug)]
pub struct Tokens<P> {
    issued: Mutex<HashMap<Token, Grant<P>>>,
}

#[derive(Debug)]
struct Grant<P> {
    caller: String,
    device: Identity,
    plan: P,
    since: Instant,
}

impl<P> Default for Tokens<P> {
    fn default() -> Self {
        Tokens {
            issued: Mutex::default(),
        }
    }
}

impl<P: PartialEq> Tokens<P> {
    /// A token for `caller`, a unique bus name, to carry out exactly this plan on this device.
    pub fn issue(&self, caller: &str, device: Identity, plan: P, now: Instant) -> Token {
        let mut issued = self.issued();
        issued.retain(|_, grant| grant.is_fresh(now));
        drop_oldest(&mut issued, caller);
        let token = Token::random();
        let caller = caller.to_owned();
        issued.insert(
            token.clone(),
            Grant {
                caller,
                device,
                plan,
                since: now,
            },
        );
        token
    }

    /// Uses the token up, and tells whether it allowed this.
    ///
    /// # Errors
    /// [`Error::StaleToken`], also when the token belongs to somebody else: its owner keeps it then.
    pub fn redeem(
        &self,
        token: &Token,
        caller: &str,
        use_: (Identity, &P),
        now: Instant,
    ) -> Result<()> {
        let mut issued = self.issued();
        if issued.get(token).is_none_or(|grant| grant.caller != caller) {
            return Err(Error::StaleToken);
        }
        let grant = issued.remove(token).ok_or(Error::StaleToken)?;
        let (device, plan) = use_;
        if grant.is_fresh(now) && grant.device == device && grant.plan == *plan {
            Ok(())
        } else {
            Err(Error::StaleToken)
        }
    }

    fn issued(&self) -> MutexGuard<'_, HashMap<Token, Grant<P>>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> Grant<P> {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < LIFETIME
    }
}

fn drop_oldest<P>(issued: &mut HashMap<Token, Grant<P>>, caller: &str) {
    let theirs = issued.iter().filter(|(_, grant)| grant.caller == caller);
    if theirs.clone().count() < PER_CALLER {
        return;
    }
    if let Some(oldest) = theirs
        .min_by_key(|(_, grant)| grant.since)
        .map(|(token, _)| token.clone())
    {
        issued.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use wendy_sys::DevNum;

    use super::*;

    const STICK: Identity = Identity {
        diskseq: 7,
        devnum: DevNum::new(0x801),
        size: 1 << 30,
    };

    fn redeem(
        tokens: &Tokens<&str>,
        token: &Token,
        caller: &str,
        use_: (Identity, &'static str),
        now: Instant,
    ) -> bool {
        tokens.redeem(token, caller, (use_.0, &use_.1), now).is_ok()
    }

    #[test]
    fn a_token_works_once() {
        let (tokens, now) = (Tokens::default(), Instant::now());
        let token = tokens.issue(":1.5", STICK, "erase", now);
        assert!(redeem(&tokens, &token, ":1.5", (STICK, "erase"), now));
        assert!(!redeem(&tokens, &token, ":1.5", (STICK, "erase"), now));
    }

    #[test]
    fn a_token_is_bound_to_device_plan_and_time() {
        let (tokens, now) = (Tokens::default(), Instant::now());
        let replugged = Identity {
            diskseq: 8,
            ..STICK
        };
        for (device, plan, at) in [
            (replugged, "erase", now),
            (STICK, "erase more", now),
            (STICK, "erase", now + LIFETIME),
        ] {
            let token = tokens.issue(":1.5", STICK, "erase", now);
            assert!(!redeem(&tokens, &token, ":1.5", (device, plan), at));
        }
    }

    #[test]
    fn another_caller_can_neither_use_nor_burn_a_token() {
        let (tokens, now) = (Tokens::default(), Instant::now());
        let token = tokens.issue(":1.5", STICK, "erase", now);
        assert!(!redeem(&tokens, &token, ":1.6", (STICK, "erase"), now));
        assert!(redeem(&tokens, &token, ":1.5", (STICK, "erase"), now));
    }

    #[test]
    fn a_caller_holds_a_bounded_number() {
        let (tokens, now) = (Tokens::default(), Instant::now());
        let other = tokens.issue(":1.6", STICK, "erase", now);
        let first = tokens.issue(":1.5", STICK, "erase", now);
        for later in 1..=PER_CALLER as u64 {
            tokens.issue(":1.5", STICK, "erase", now + Duration::from_millis(later));
        }
        assert_eq!(tokens.issued().len(), PER_CALLER + 1);
        assert!(!redeem(&tokens, &first, ":1.5", (STICK, "erase"), now));
        assert!(redeem(&tokens, &other, ":1.6", (STICK, "erase"), now));
    }

    #[test]
    fn old_tokens_are_forgotten() {
        let (tokens, now) = (Tokens::default(), Instant::now());
        for caller in 0..100 {
            tokens.issue(&format!(":1.{caller}"), STICK, "erase", now);
        }
        tokens.issue(":1.5", STICK, "erase", now + LIFETIME);
        assert_eq!(tokens.issued().len(), 1);
    }
}
