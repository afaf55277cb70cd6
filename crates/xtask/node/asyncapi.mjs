// Reads an AsyncAPI document with the reference parser, which also compares its examples with its schemas.
// Fails on every error and warning. Hints, such as that there is a newer version of AsyncAPI, are no findings.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, path] = process.argv.slice(2);
const { Parser } = createRequire(join(modules, "package.json"))("@asyncapi/parser");
const WARNING = 1;

const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"));
const findings = diagnostics.filter(({ severity }) => severity <= WARNING);
for (const { code, message, path: place } of findings) {
  console.error(`${path}: ${place.join(".")}: ${message} (${code})`);
}
// Generators call a type without a name AnonymousSchema_n.
const nameless = (document?.allMessages().all() ?? []).filter((message) => !message.payload()?.$id());
for (const message of nameless) {
  console.error(`${path}: the frame ${message.id()} has no $id`);
}
const messages = document?.allMessages().length ?? 0;
if (findings.length > 0 || nameless.length > 0 || messages === 0) {
  console.error(`${path} is not a valid AsyncAPI document`);
  process.exit(1);
}
console.log(`${path} is valid: ${document.allChannels().length} channels, ${messages} messages`);
