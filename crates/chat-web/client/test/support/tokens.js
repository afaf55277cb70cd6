// Tokens that look like JSON Web Tokens; the model server trusts them by their text.

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
let issued = 0;

export const tokenOf = (sub, role, exp) => `${part({ alg: "none" })}.${part({ sub, role, exp, jti: ++issued })}.x`;

export function claimsOf(token) {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
  } catch {
    return null;
  }
}
