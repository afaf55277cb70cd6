/**
 * Waits until something holds. What takes long on a busy machine is no failure, so the limit is there to end a test that
 * would never end.
 *
 * @param {() => unknown} holds is asked again and again; a promise is waited for
 * @param {{ within?: number, what?: string }} [options] milliseconds, and what the failure says, its source by default
 */
export async function until(holds, { within = 60_000, what = String(holds) } = {}) {
  const end = Date.now() + within;
  for (;;) {
    if (await holds()) return;
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
