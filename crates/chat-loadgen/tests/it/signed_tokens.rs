//! Tokens that are signed with a private key: the service verifies them with the public one.

use chat_loadgen::token::{TokenRole, Tokens};
use chat_loadgen::token_signer::{SignedClaims, TokenSigner};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// Keys of tests, which nothing else has.
const EC: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/ps/khLMxPCpB+il
7WaxQYf4NiQc7pPFN5KNyI9iL7mhRANCAAT6Xgpp2X34GVB1T1lc9rm0DElc7hPA
7TAIEKzBZHTj+zlVNXeVlOJBOCzMHxfuHHBaJ4lqv9gmQ3QO2moSJpCh
-----END PRIVATE KEY-----
";
const EC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+l4Kadl9+BlQdU9ZXPa5tAxJXO4T
wO0wCBCswWR04/s5VTV3lZTiQTgszB8X7hxwWieJar/YJkN0DtpqEiaQoQ==
-----END PUBLIC KEY-----
";
const RSA: &str = "-----BEGIN PRIVATE KEY-----
MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQD7eTpnRipGfiml
fUkm/Qlc7lMf9kNHH3FnIk03IkTobS2ycBi4Deoxr9yvSm2zId2zQaELT+XYnsuM
ZHNzV0iVEL2f0w0xtMlIjME1ES+RY5II0bDsXnlWq7/Bu67C7piXiB0yMaxuMLWA
woMg0QDjy1OUZxjjNu1Kmq9+Le62Re/2VAvSazMCuYaR9caNdU0zE7eN1lolQ0oG
pkw6Se8/U9K+pOM5zTkfg25wZPCgCL5ulkR1uW9HN9h0QQZNyUXuiffOjAAq8A/l
QT9wHmsfUZ6ia3UdKQLkegJuzhXjQqD+YvGn1aaPkQl+9TWOZc3cetOJhsYsyOy5
vIzdtTU3AgMBAAECggEAB1f3HSdJj8JvwT3t4h4XOmgD9GsoHs5rwjPDESjxMzUR
AGTRS/qtYU297OkzApKqxekqOfQs2ve+1kw5VN/H0QE/+wgE8B5+lvLz/MfniDWM
q7DtRjx3YFERVKfVnCqvORRH/1G/s9NnUX8cqNuBolAAklUKadmOR2n0qwN4tPOP
aIQRdiivScMdiLeQabeoKuHFPos/zIrpiAU1PfnOjIkEWJpd442E3Q+dCnTnrOWg
LFGoHYYx5VzOTItHcPu5L5llpPhuKcKjLAX2+cqqNh9ZtQVl5PpEYgvqfw0mtTmb
s0PfyCdUPO73skuZlERR6/6F7F/GMSVc6pKNMe7DvQKBgQD+fcYEemo9DP6Z6El7
Jc7tUVf+PUQzR3yxtvXsx2Rov5cYkh9meQUpSQNiqYCELIlWNoU9B1jVmDwC3HC/
zoYawoo7MkYGjJ2yhnZxmWZJpUDxOq+UQylj5TKyZxAGJ8Bbz7FSlJRUyQKNhHI/
NlAhD6YukvELrq61AdgVbilTnQKBgQD89t/wcJ5t3PmCGTImzit77BX/Ow7oIxTQ
aVyaJWtDQncHwz5qan6SADcK2n7sqspqnKJqdVvAPoG1nxfc4OMmFx7wFRLWZBg7
QvODQP9WOuu29tLrTTxpppN2bLEB1nEuTbeF4SVmVwmj6o3bw+7ymsnSE87WIBT+
GPEX+cYF4wKBgQDy+0lOS0cWJUsNzeAiyVWJ9wmJwBtWzqF62JJz0WjILm1oU1PR
tii8Y27tC6OeDxvNid6rB1HFFkXuAWVRbTFTaX0ryfNcG3QR2RpLmkg0dqjL6dls
OLfTHinKdmaxSdD6mBHZI+2ACi/6yIOAYS4ect+bRkcJfW5nemxDAdxJbQKBgQDe
/w6omc6/0LXPP0DbvpHMu3Ekvz5D23EkzEzKwkPNVhEyMaabDugm8rOTCMws+95W
n1/58xz/2tpjbi0OFN2JHYazZBBoGHLYAwxB35F3xZc3glyq+zpPdH24PtbHZO//
PpmTFsfucLnZ2xJU8mN5UISrgbSrRDrdSMV4OkKbuwKBgQCHqomuxkETp+2uiZG9
FHe7tg9uVsepkmz5AF8K0wvhyR4SP46fIq/6nrfE7tYrRTUKrkcuuaSjrBYxvl2C
7WTzvHMDmHS8+Btz4ecbTbGo+qAl8ZGFEmgGsdcYFnlPUFFblQ31JAiPDZck8cdB
uX72bSuMA6UdxR1ywo3PT4hURA==
-----END PRIVATE KEY-----
";
const RSA_PKCS1: &str = "-----BEGIN RSA PRIVATE KEY-----
MIIEpQIBAAKCAQEA+3k6Z0YqRn4ppX1JJv0JXO5TH/ZDRx9xZyJNNyJE6G0tsnAY
uA3qMa/cr0ptsyHds0GhC0/l2J7LjGRzc1dIlRC9n9MNMbTJSIzBNREvkWOSCNGw
7F55Vqu/wbuuwu6Yl4gdMjGsbjC1gMKDINEA48tTlGcY4zbtSpqvfi3utkXv9lQL
0mszArmGkfXGjXVNMxO3jdZaJUNKBqZMOknvP1PSvqTjOc05H4NucGTwoAi+bpZE
dblvRzfYdEEGTclF7on3zowAKvAP5UE/cB5rH1Geomt1HSkC5HoCbs4V40Kg/mLx
p9Wmj5EJfvU1jmXN3HrTiYbGLMjsubyM3bU1NwIDAQABAoIBAAdX9x0nSY/Cb8E9
7eIeFzpoA/RrKB7Oa8IzwxEo8TM1EQBk0Uv6rWFNvezpMwKSqsXpKjn0LNr3vtZM
OVTfx9EBP/sIBPAefpby8/zH54g1jKuw7UY8d2BREVSn1ZwqrzkUR/9Rv7PTZ1F/
HKjbgaJQAJJVCmnZjkdp9KsDeLTzj2iEEXYor0nDHYi3kGm3qCrhxT6LP8yK6YgF
NT35zoyJBFiaXeONhN0PnQp056zloCxRqB2GMeVczkyLR3D7uS+ZZaT4binCoywF
9vnKqjYfWbUFZeT6RGIL6n8NJrU5m7ND38gnVDzu97JLmZREUev+hexfxjElXOqS
jTHuw70CgYEA/n3GBHpqPQz+mehJeyXO7VFX/j1EM0d8sbb17MdkaL+XGJIfZnkF
KUkDYqmAhCyJVjaFPQdY1Zg8Atxwv86GGsKKOzJGBoydsoZ2cZlmSaVA8TqvlEMp
Y+UysmcQBifAW8+xUpSUVMkCjYRyPzZQIQ+mLpLxC66utQHYFW4pU50CgYEA/Pbf
8HCebdz5ghkyJs4re+wV/zsO6CMU0GlcmiVrQ0J3B8M+amp+kgA3Ctp+7KrKapyi
anVbwD6BtZ8X3ODjJhce8BUS1mQYO0Lzg0D/VjrrtvbS6008aaaTdmyxAdZxLk23
heElZlcJo+qN28Pu8prJ0hPO1iAU/hjxF/nGBeMCgYEA8vtJTktHFiVLDc3gIslV
ifcJicAbVs6hetiSc9FoyC5taFNT0bYovGNu7Qujng8bzYneqwdRxRZF7gFlUW0x
U2l9K8nzXBt0EdkaS5pINHaoy+nZbDi30x4pynZmsUnQ+pgR2SPtgAov+siDgGEu
HnLfm0ZHCX1uZ3psQwHcSW0CgYEA3v8OqJnOv9C1zz9A276RzLtxJL8+Q9txJMxM
ysJDzVYRMjGmmw7oJvKzkwjMLPveVp9f+fMc/9raY24tDhTdiR2Gs2QQaBhy2AMM
Qd+Rd8WXN4Jcqvs6T3R9uD7Wx2Tv/z6ZkxbH7nC52dsSVPJjeVCEq4G0q0Q63UjF
eDpCm7sCgYEAh6qJrsZBE6ftromRvRR3u7YPblbHqZJs+QBfCtML4ckeEj+OnyKv
+p63xO7WK0U1Cq5HLrmko6wWMb5dgu1k87xzA5h0vPgbc+HnG02xqPqgJfGRhRJo
BrHXGBZ5T1BRW5UN9SQIjw2XJPHHQbl+9m0rjAOlHcUdcsKNz0+IVEQ=
-----END RSA PRIVATE KEY-----
";
const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA+3k6Z0YqRn4ppX1JJv0J
XO5TH/ZDRx9xZyJNNyJE6G0tsnAYuA3qMa/cr0ptsyHds0GhC0/l2J7LjGRzc1dI
lRC9n9MNMbTJSIzBNREvkWOSCNGw7F55Vqu/wbuuwu6Yl4gdMjGsbjC1gMKDINEA
48tTlGcY4zbtSpqvfi3utkXv9lQL0mszArmGkfXGjXVNMxO3jdZaJUNKBqZMOknv
P1PSvqTjOc05H4NucGTwoAi+bpZEdblvRzfYdEEGTclF7on3zowAKvAP5UE/cB5r
H1Geomt1HSkC5HoCbs4V40Kg/mLxp9Wmj5EJfvU1jmXN3HrTiYbGLMjsubyM3bU1
NwIDAQAB
-----END PUBLIC KEY-----
";

#[test]
fn tokens_are_signed_with_a_private_key_in_pem() {
    let der = |pem: &str| pem::parse(pem).unwrap().into_contents();
    let (ec, rsa) = (DecodingKey::from_ec_der(&der(EC_PUBLIC)), DecodingKey::from_rsa_der(&der(RSA_PUBLIC)));
    for (private, algorithm, public) in
        [(EC, Algorithm::ES256, &ec), (RSA, Algorithm::RS256, &rsa), (RSA_PKCS1, Algorithm::RS256, &rsa)]
    {
        let text = |text: &str| Some(text.to_owned());
        let claims = SignedClaims { key_id: text("one"), issuer: text("shop"), audience: text("chat") };
        let tokens = Tokens::Signed(TokenSigner::private_key(private, claims).unwrap());
        let token = tokens.of("alice", TokenRole::Agent).unwrap();
        assert_eq!(decode_header(&token).unwrap().kid.as_deref(), Some("one"));
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&["chat"]);
        rules.set_issuer(&["shop"]);
        let claims = decode::<Value>(&token, public, &rules).unwrap().claims;
        assert_eq!((&claims["sub"], &claims["role"]), (&"alice".into(), &"agent".into()));
    }
}

#[test]
fn a_file_without_a_private_key_is_refused_with_how_to_make_one() {
    let private_in_another_form = EC.replace("PRIVATE KEY", "EC PRIVATE KEY");
    for pem in ["", "secret", EC_PUBLIC, RSA_PUBLIC, &private_in_another_form, &EC[..100]] {
        let refusal = TokenSigner::private_key(pem, SignedClaims::default()).err().unwrap().to_string();
        assert!(refusal.contains("--key-file") && refusal.contains("openssl genpkey"), "{refusal}");
    }
}
