/** Makes `client/dist`: the library as the one file that is served as `/client.js`. */

import path from "node:path";
import { fileURLToPath } from "node:url";

import { scripts, writeDist } from "../bundle.js";

const here = path.dirname(fileURLToPath(import.meta.url));

await writeDist(
  "client",
  await scripts("client", { entryPoints: { client: path.join(here, "src/index.js") }, format: "esm" }),
);
