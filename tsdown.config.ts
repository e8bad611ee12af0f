import { join } from "node:path";
import { defineConfig, type UserConfig } from "tsdown";

/**
 * An `import` of a built-in module reads every lazy getter of it: `node:fs` alone costs 2 ms at a start that the wrapped
 * command waits for. `process.getBuiltinModule` reads only what is used, and the measured cost is gone.
 */
const lazyBuiltins = {
  name: "lazy-builtins",
  renderChunk: (code: string): string =>
    code.replaceAll(
      /^import (?:(\w+)(?:, )?)?(?:\* as (\w+)|\{([^}]*)\})? ?from "(node:[\w/]+)";$/gmu,
      (_, whole: string | undefined, star: string | undefined, names: string | undefined, module: string) => {
        const targets = [whole, star, names === undefined ? undefined : `{${names.replaceAll(" as ", ": ")}}`];
        return (
          targets
            .filter((target) => target !== undefined)
            // Some code imports `process` itself under that very name.
            .map((target) => `const ${target} = globalThis.process.getBuiltinModule("${module}");`)
            .join("\n")
        );
      },
    ),
};

const shared: UserConfig = {
  format: "esm",
  platform: "node",
  target: "node24",
  outDir: "dist",
  dts: false,
  fixedExtension: false,
  deps: { alwaysBundle: [/^(?:commander|smol-toml)/u] },
  plugins: [lazyBuiltins],
};

/** What is evaluated at a start lies in one file: each further one costs half a millisecond. */
const startOf = (name: string, test: RegExp): NonNullable<UserConfig["outputOptions"]> => ({
  codeSplitting: { groups: [{ name, test }] },
});

/** The hook, alone in its folder since that is on PYTHONPATH, and what it loads once a program uses MLflow. */
const python = (outDir: string): { from: string; to: string }[] => [
  { from: "src/python-hook/sitecustomize.py", to: join(outDir, "python-hook") },
  { from: "src/python-keeper/run_keeper.py", to: join(outDir, "python-keeper") },
  { from: "src/python-keeper/autolog.py", to: join(outDir, "python-keeper") },
];

export default defineConfig([
  // What bin/track runs; all commands but `run` are lazy chunks.
  {
    ...shared,
    entry: { main: "src/boot.ts" },
    clean: true,
    copy: ({ outDir }) => python(outDir),
    outputOptions: startOf(
      "run",
      /\/src\/(?:main|cli\/commands\/run|store\/open-store|store\/sqlite\/sqlite-store)\.ts$/u,
    ),
  },
  // The program that main starts for a run.
  {
    ...shared,
    entry: { recorder: "src/recorder/recorder-main.ts" },
    clean: false,
    outputOptions: { codeSplitting: false },
  },
]);
