// Reads an OpenAPI document with Redocly's linter. Every error and warning is a finding, but for those that are listed here
// with a reason; one that is listed and not found is a finding too.
import { createRequire } from "node:module";
import { join } from "node:path";

const EXCEPTIONS = [
  {
    rule: "operation-2xx-response",
    place: "#/paths/~1ws~1chat/get/responses",
    reason: "the handshake of a WebSocket succeeds with 101",
  },
  {
    rule: "operation-2xx-response",
    place: "#/paths/~1ws~1chat~1{sessionId}/get/responses",
    reason: "the handshake of a WebSocket succeeds with 101",
  },
];

const [modules, path] = process.argv.slice(2);
const { createConfig, lint } = createRequire(join(modules, "package.json"))("@redocly/openapi-core");

const config = await createConfig({ extends: ["recommended-strict"] });
const problems = await lint({ ref: path, config });
const found = problems.map(({ ruleId, message, location }) => ({ rule: ruleId, message, place: location[0]?.pointer }));
const isSame = (a) => (b) => a.rule === b.rule && a.place === b.place;
const findings = found.filter((one) => !EXCEPTIONS.some(isSame(one)));
for (const { rule, message, place } of findings) {
  console.error(`${path}: ${place}: ${message} (${rule})`);
}
const unused = EXCEPTIONS.filter((one) => !found.some(isSame(one)));
for (const { rule, place } of unused) {
  console.error(`${path}: ${place}: is listed as an exception from ${rule}, and is none any more`);
}
if (findings.length > 0 || unused.length > 0) {
  process.exit(1);
}
console.log(`${path} breaks no rule of the linter, but for ${EXCEPTIONS.length} listed`);
