// Compiles page/ into the folder of the argument, beside the page's HTML and CSS, which are as they are written. The library
// stays the file that the gateway serves anyway.

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(dirname(fileURLToPath(import.meta.url)));

const folder = resolve(process.argv[2] ?? "../glottis_web/static/page");
const library = {
  name: "library",
  setup: ({ onResolve }) => onResolve({ filter: /\/src\/index\.js$/ }, () => ({ path: "./client.js", external: true })),
};

await build({
  entryPoints: ["page/main.ts"], outfile: join(folder, "page.js"), plugins: [library],
  bundle: true, minify: true, format: "esm", target: "es2022", legalComments: "none", logLevel: "warning",
});
