//! Why a file of keys is refused.

/// Why a file of public keys is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// It is neither of the two.
    #[error("it holds no public key: neither PEM (-----BEGIN PUBLIC KEY-----) nor a JWK Set ({{\"keys\":[…]}})")]
    NoKeys,
    /// It looks like PEM and is none.
    #[error("it is not valid PEM: {0}")]
    Pem(String),
    /// A part begins and does not end, as in a file that was not copied whole.
    #[error(
        "part {number}, which begins in line {line}, is cut off: its -----BEGIN {label}----- has no -----END \
         {label}----- behind it"
    )]
    CutOff {
        /// Its place.
        number: usize,
        /// The line of its beginning, from 1.
        line: usize,
        /// What it should be, such as `PUBLIC KEY`.
        label: String,
    },
    /// The set has more keys than are looked at.
    #[error("the JWK Set has {found} keys, and at most {most} are read; remove those that no token is signed with")]
    TooManyKeys {
        /// How many it has.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// It looks like JSON and is no JWK Set.
    #[error("it is not a JWK Set: {0}")]
    JwkSet(String),
    /// None of the keys of the set can be used.
    #[error("no key of the JWK Set can be used ({0})")]
    NoUsableKey(String),
    /// A key that cannot be used, by its place in the file.
    #[error("key {number} cannot be used: {problem}")]
    Key {
        /// Its place.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Private keys belong to the issuer alone.
    #[error(
        "key {number} is a private key, which no verifier needs; `openssl pkey -in private.pem -pubout` prints the \
         public one"
    )]
    PrivateKey {
        /// Its place.
        number: usize,
    },
    /// A certificate holds a key, and more that is not checked here.
    #[error("part {number} is a certificate; `openssl x509 -in certificate.pem -pubkey -noout` prints its public key")]
    Certificate {
        /// Its place.
        number: usize,
    },
}
