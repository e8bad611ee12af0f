import { join } from "node:path";
import { defineConfig, type UserConfig } from "tsdown";

/**
 * An `import` of a built-in module reads every lazy getter of it: `node:fs` alone costs 2 ms of every program that imports the library.
 * `process.getBuiltinModule` reads only what is used.
 */
const lazyBuiltins: NonNullable<UserConfig["plugins"]> = {
  name: "lazy-builtins",
  renderChunk: (code: string): string =>
    code.replaceAll(
      /^import (?:\* as ([\w$]+)|\{([^}]*)\}) from "(node:[\w/]+)";$/gmu,
      (_, star: string | undefined, names = "", module: string) =>
        `const ${star ?? `{${names.replaceAll(" as ", ": ")}}`} = globalThis.process.getBuiltinModule("${module}");`,
    ),
};

/** Code that was compiled before knows no `import()`; what is asked for so is built into Node, or CommonJS as well. */
const requireInstead: NonNullable<UserConfig["plugins"]> = {
  name: "require-instead",
  renderChunk: (code: string): string => code.replaceAll(/\bimport\(("[^"]+")\)/gu, "Promise.resolve(require($1))"),
};

/** V8 keeps a file of plain ASCII in half the memory, and Node reads it faster, at every start. */
const plainAscii: NonNullable<UserConfig["plugins"]> = {
  name: "plain-ascii",
  generateBundle: (_options, bundle) => {
    // No comments are left: such a character stands in a string, a template or a regular expression, which know the escape.
    for (const output of Object.values(bundle)) if (output.type === "chunk") output.code = escapeUnicode(output.code);
  },
};

const escapeUnicode = (code: string): string =>
  code.replaceAll(/[\u0080-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

const shared: UserConfig = {
  platform: "node",
  target: "node24",
  outDir: "dist",
  dts: false,
  deps: { alwaysBundle: [/^(?:commander|smol-toml|re2js|@bufbuild)/u] },
};

/** As CommonJS: only such a file can be run from code that V8 has compiled before (src/node-boot.cjs). */
const program: UserConfig = { ...shared, format: "cjs", shims: true, plugins: [requireInstead, plainAscii] };

/** What is evaluated at a start lies in one file: each further one costs half a millisecond. */
const startOf = (name: string, test: RegExp): NonNullable<UserConfig["outputOptions"]> => ({
  codeSplitting: { groups: [{ name, test }] },
  comments: false,
});

const isAlwaysNeeded = (id: string): boolean =>
  !/\/src\/(?:intake\/(?:scrape|tensorboard|metric-name)|recorder\/console-metrics)|\/node_modules\/(?:re2js|@bufbuild)/u.test(id) &&
  !isForMlflowClients.test(id);

/** What serves MLflow clients: a command that has none never loads it. */
const isForMlflowClients =
  /\/src\/(?:server\/|recorder\/endpoint\/(?!endpoint\.ts)|wire\/(?:rest-json-models|rest-json-registry)|artifacts\/local-streamed|http\/forwarder|store\/sqlite\/(?:sqlite-registry|registered-models|model-versions|search-registry))/u;

/** The hook, alone in its folder since that is on PYTHONPATH, and what it loads once a program uses MLflow. */
const python = (outDir: string): { from: string; to: string }[] => [
  { from: "src/python-hook/sitecustomize.py", to: join(outDir, "python-hook") },
  { from: "src/python-keeper/run_keeper.py", to: join(outDir, "python-keeper") },
  { from: "src/python-keeper/tracking_uri.py", to: join(outDir, "python-keeper") },
  { from: "src/python-keeper/client_requests.py", to: join(outDir, "python-keeper") },
  { from: "src/python-keeper/async_logging.py", to: join(outDir, "python-keeper") },
  { from: "src/python-keeper/autolog.py", to: join(outDir, "python-keeper") },
];

export default defineConfig([
  // What bin/track runs; all commands but `run` are lazy chunks.
  {
    ...program,
    entry: { main: "src/boot.ts" },
    clean: true,
    copy: ({ outDir }) => [{ from: "src/node-boot.cjs", to: outDir }, ...python(outDir)],
    outputOptions: startOf("main", /\/src\/(?:boot|main)\.ts$/u),
  },
  // What bin/track runs for `track log`; where that is not enough it goes on with main.
  {
    ...program,
    entry: { log: "src/boot-log.ts" },
    clean: false,
    outputOptions: startOf("log", /\/src\/boot-log\.ts$/u),
  },
  // The library; what one needs for its first run lies in a chunk beside it.
  {
    ...shared,
    format: "esm",
    fixedExtension: false,
    entry: { index: "src/index.ts" },
    clean: false,
    dts: { sourcemap: false },
    plugins: [lazyBuiltins],
  },
  // The program that main starts for a run.
  {
    ...program,
    entry: { recorder: "src/recorder/recorder-main.ts" },
    clean: false,
    // What only some runs ask for (scraping, event files, serving MLflow clients) lies beside it; all else is in one file, which no upgrade can take away.
    outputOptions: {
      codeSplitting: { groups: [{ name: "recorder", test: isAlwaysNeeded, includeDependenciesRecursively: false }] },
      comments: false,
    },
  },
]);
