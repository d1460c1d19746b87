// Compiles the operators' page of ../../operators into the folder of the argument, with the tools of this folder.

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(dirname(fileURLToPath(import.meta.url)));

const home = "../../operators";
const folder = resolve(process.argv[2] ?? `${home}/glottis_operators/static`);

await build({
  entryPoints: [`${home}/javascript/main.ts`], outfile: join(folder, "page.js"),
  bundle: true, minify: true, format: "esm", target: "es2022", legalComments: "none", logLevel: "warning",
});
