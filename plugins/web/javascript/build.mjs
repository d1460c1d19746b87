// Compiles src/ into the folder of the argument: one file each, as browsers load them. `--package` adds the hook for React and declarations.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(dirname(fileURLToPath(import.meta.url)));

const folder = resolve(process.argv[2] ?? "../glottis_web/static/client");
const common = { bundle: true, minify: true, target: "es2022", legalComments: "none", logLevel: "warning" };
mkdirSync(folder, { recursive: true });

await build({ ...common, entryPoints: ["src/index.ts"], format: "esm", outfile: join(folder, "index.js") });
await build({ ...common, entryPoints: ["src/index.ts"], format: "iife", globalName: "Glottis", outfile: join(folder, "glottis.js") });

const { outputFiles: [worklets] } = await build({ ...common, entryPoints: ["src/worklets.ts"], format: "esm", write: false });
const { WORKLETS } = await import(`data:text/javascript,${encodeURIComponent(worklets.text)}`);
writeFileSync(join(folder, "worklets.js"), WORKLETS.trimStart());

// The package for npm has more than the gateway serves.
if (process.argv.includes("--package")) {
  await build({ ...common, bundle: false, entryPoints: ["src/react.ts"], format: "esm", outfile: join(folder, "react.js") });
  const tsc = resolve("node_modules/.bin/tsc");
  execFileSync(tsc, ["--project", ".", "--outDir", join(folder, "types")], { stdio: "inherit" });
}
