// Idempotency keys.

/** 128 random bits as text. `crypto.randomUUID` is missing on pages over plain http. */
export const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
