// Compiles page/ into the folder of the argument. The library stays the file beside it that the gateway serves anyway.

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(dirname(fileURLToPath(import.meta.url)));

const folder = resolve(process.argv[2] ?? "../glottis_web/static/page");
const library = {
  name: "library",
  setup: ({ onResolve }) => onResolve({ filter: /\/src\/index\.js$/ }, () => ({ path: "./client.js", external: true })),
};

mkdirSync(folder, { recursive: true });
for (const name of ["index.html", "page.css", "icon.svg"]) copyFileSync(join("page", name), join(folder, name));
await build({
  entryPoints: ["page/main.ts"], outfile: join(folder, "page.js"), plugins: [library],
  bundle: true, minify: true, format: "esm", target: "es2022", legalComments: "none", logLevel: "warning",
});
