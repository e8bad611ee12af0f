import { defineConfig } from "tsdown";

/**
 * An `import` of a built-in module reads every lazy getter of it: `node:fs` alone costs 2 ms at a start that the wrapped
 * command waits for. `process.getBuiltinModule` reads only what is used, and the measured cost is gone.
 */
const lazyBuiltins = {
  name: "lazy-builtins",
  renderChunk: (code: string): string =>
    code.replaceAll(
      /^import (?:\{([^}]*)\}|\* as (\w+)|(\w+)) from "(node:[\w/]+)";$/gmu,
      (_, names: string | undefined, star: string | undefined, whole: string | undefined, module: string) => {
        const target = names === undefined ? (star ?? whole ?? "") : `{${names.replaceAll(" as ", ": ")}}`;
        // Some code imports `process` itself under that very name.
        return `const ${target} = globalThis.process.getBuiltinModule("${module}");`;
      },
    ),
};

// One bundle with lazy chunks: `main` is what bin/track runs, `recorder` is the program that main starts for a run.
export default defineConfig({
  entry: { main: "src/main.ts", recorder: "src/recorder/recorder-main.ts" },
  format: "esm",
  platform: "node",
  target: "node24",
  outDir: "dist",
  clean: true,
  fixedExtension: false,
  dts: false,
  deps: { alwaysBundle: [/^commander/u] },
  plugins: [lazyBuiltins],
});
