//! What the claims of a genuine token say.

use std::time::Duration;

use chat_domain::model::{AvatarUrl, PersonName, Principal, Role, Timestamp, UserId};
use serde_json::Value;

use crate::rules::TokenRules;
use crate::unmapped_roles::UnmappedRoles;
use crate::verified_token::{TokenDefect, TokenError, VerifiedToken};

/// How far the clocks of issuers may be ahead.
const CLOCK_LEEWAY: Duration = Duration::from_secs(30);

pub(super) fn read(
    claims: &Value,
    rules: &TokenRules,
    unmapped: &UnmappedRoles,
    now: Timestamp,
) -> Result<VerifiedToken, TokenError> {
    let expires_at = claims.get("exp").and_then(moment).ok_or(TokenDefect::Claim("exp"))?;
    if let Some(not_before) = claims.get("nbf")
        && moment(not_before).ok_or(TokenDefect::Claim("nbf"))? > now.plus(CLOCK_LEEWAY)
    {
        return Err(TokenDefect::NotYet { leeway: CLOCK_LEEWAY }.into());
    }
    let issuer_fits = rules.issuer.as_deref().is_none_or(|issuer| claims.get("iss").is_some_and(|iss| iss == issuer));
    let audience_fits =
        rules.audience.as_deref().is_none_or(|audience| names(claims.get("aud")).any(|a| a == audience));
    if !issuer_fits {
        return Err(TokenDefect::Issuer.into());
    }
    if !audience_fits {
        return Err(TokenDefect::Audience.into());
    }
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(TokenDefect::Claim("sub"))?;
    let id = UserId::parse(subject).map_err(|_| TokenDefect::Subject)?;
    if expires_at <= now {
        return Err(TokenError::Expired);
    }
    let issued_at = issued_at(claims, now);
    if rules.requires_issued_at && issued_at.is_none() {
        return Err(TokenDefect::Claim("iat").into());
    }
    // The whole lifetime counts: a sign-out is remembered for as long as the tokens of before may live.
    if expires_at > issued_at.unwrap_or(now).min(now).plus(rules.max_lifetime) {
        return Err(TokenError::EndsTooLate { max_lifetime: rules.max_lifetime });
    }
    // What cannot be shown is as if it were not there: a name and a picture only decorate.
    let name = at_path(claims, &rules.name_claim).and_then(Value::as_str);
    let picture = at_path(claims, &rules.picture_claim).and_then(Value::as_str);
    let principal = Principal {
        name: name.and_then(|name| PersonName::parse(name).ok()),
        avatar_url: picture.and_then(|url| AvatarUrl::parse(url).ok()),
        token_issued_at: issued_at,
        ..Principal::new(id, role(claims, rules, unmapped))
    };
    Ok(VerifiedToken { principal, expires_at })
}

/// When the token was issued. A time in the future, such as a time in milliseconds, says nothing about it.
fn issued_at(claims: &Value, now: Timestamp) -> Option<Timestamp> {
    claims.get("iat").and_then(moment).filter(|issued_at| *issued_at <= now.plus(CLOCK_LEEWAY))
}

/// A `NumericDate`: seconds since 1970, possibly with a fraction (RFC 7519, 2).
fn moment(value: &Value) -> Option<Timestamp> {
    if let Some(seconds) = value.as_i64() {
        return Some(Timestamp::from_unix_ms(seconds.saturating_mul(1_000)));
    }
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite())?;
    let ms = seconds * 1_000.0;
    // Whole milliseconds come out a little beside themselves: a float of today's seconds is exact to 0.0003 ms.
    let ms = if (ms - ms.round()).abs() < 0.001 { ms.round() } else { ms.floor() };
    #[expect(clippy::cast_possible_truncation, reason = "a float beyond i64 saturates, and Timestamp clamps it")]
    Some(Timestamp::from_unix_ms(ms as i64))
}

/// The claim of that name, or at that path. A claim whose name itself contains dots, such as a URL, is found before the path
/// is tried.
fn at_path<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| path.split('.').try_fold(claims, |value, step| value.get(step)))
}

/// The highest role that is named; a person without one is a user.
fn role(claims: &Value, rules: &TokenRules, unmapped: &UnmappedRoles) -> Role {
    let claim = at_path(claims, &rules.role_claim);
    let role_named = |name| {
        if rules.role_names.is_empty() {
            return Role::parse(name);
        }
        let mapped = rules.role_names.get(name).copied();
        if mapped.is_none() {
            unmapped.found(name);
        }
        mapped
    };
    names(claim).filter_map(role_named).max().unwrap_or(Role::User)
}

/// A string or an array of strings.
fn names(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let many = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    value.into_iter().chain(many).filter_map(Value::as_str)
}
