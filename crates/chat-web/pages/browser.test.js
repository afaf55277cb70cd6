/** The browser, on a page of the site. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, serve, watch } from "./browser.js";

test("what a policy forbids is among the problems of a page", async (t) => {
  const headers = { "Content-Security-Policy": "default-src 'none'" };
  const site = await serve((path) => ({ body: `<!doctype html><title>${path}</title><script>1</script>`, headers }));
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());
  const page = await browser.newPage();
  const problems = watch(page);
  await page.goto(`${site.url}/shop`);
  assert.equal(await page.title(), "/shop");
  assert.match(problems.join("\n"), /Content Security Policy/);
});
