import { defineConfig } from "tsdown";

// One bundle with lazy chunks: `main` is what bin/track runs, `recorder` is the program that main starts for a run.
export default defineConfig({
  entry: { main: "src/main.ts", recorder: "src/recorder/recorder-main.ts" },
  format: "esm",
  platform: "node",
  target: "node24",
  outDir: "dist",
  clean: true,
  dts: false,
  minify: false,
  fixedExtension: false,
  deps: { alwaysBundle: [/^commander/u] },
  loader: { ".sql": "text" },
});
