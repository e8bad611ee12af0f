"use strict";
// Where Node starts: `node node-boot.cjs <program> ...` runs a CommonJS file of this folder as the main program, from compiled code
// that is kept in .cache. Node's own cache holds what it compiles while it loads a file, this one holds what a whole run has
// compiled: a quarter of the time until a command starts. V8 itself refuses code of another version or with other flags.

const fs = require("fs");
const Module = require("module");
const vm = require("vm");

/** V8 forgets compiled functions that have not been called for long; by then most of what a start needs is still there. */
const partAfterMs = 10_000;
/** Commands that people wait for have caches of their own: each compiles something else. */
const ownCaches = new Set(["run", "resume", "start", "end", "log", "ls", "show", "get"]);

process.argv.splice(1, 1);
unsetBootFlag();
runMain(fs.realpathSync(process.argv[1]));

/**
 * bin/track starts Node without rehashing V8's snapshot. With that flag still down Node would take neither its own compiled
 * modules nor ours. `node:v8` can put it back, too, but loading it that early costs what was gained.
 */
function unsetBootFlag() {
  if (!process.execArgv.includes("--no-rehash-snapshot")) return;
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    require("internal/test/binding").internalBinding("v8").setFlagsFromString("--rehash-snapshot");
  } catch {
    // Another Node: slower, nothing else.
  }
  process.emitWarning = emitWarning;
}

function runMain(filename) {
  const end = filename.lastIndexOf("/");
  const cache = cacheOf(filename.slice(0, end), filename.slice(end + 1), fs.statSync(filename));
  const whole = readIfThere(cache.path);
  const cachedData = whole ?? readIfThere(`${cache.path}.part`);
  // The bundler leaves nothing but ASCII in it.
  const script = new vm.Script(Module.wrap(fs.readFileSync(filename, "latin1")), {
    filename,
    ...(cachedData !== undefined && { cachedData }),
  });
  if (whole === undefined || script.cachedDataRejected) saveLater(script, cache);
  const main = new Module(filename);
  main.filename = filename;
  main.paths = Module._nodeModulePaths(filename.slice(0, end));
  require.cache[filename] = main;
  script
    .runInThisContext()
    .call(main.exports, main.exports, main.require.bind(main), main, filename, filename.slice(0, end));
}

/** The name tells this very file from any that was or will be in its place. */
function cacheOf(folder, name, { size, ino, ctimeMs }) {
  const command = ownCaches.has(process.argv[2]) ? process.argv[2] : "other";
  const prefix = `${name}-${command}-`;
  return {
    folder: `${folder}/.cache`,
    prefix,
    path: `${folder}/.cache/${prefix}${process.version}-${process.arch}-${size}-${ino}-${ctimeMs}`,
  };
}

function readIfThere(path) {
  try {
    return fs.readFileSync(path);
  } catch {
    return undefined;
  }
}

function saveLater(script, cache) {
  const partly = setTimeout(() => {
    process.off("exit", wholly);
    save(script, cache, ".part");
  }, partAfterMs);
  partly.unref();
  const wholly = () => save(script, cache, "");
  process.on("exit", wholly);
}

/** The folder may well be somebody else's: then all goes on as slowly as it did. */
function save(script, { folder, prefix, path }, ending) {
  const written = `${path}.${process.pid}`;
  try {
    fs.mkdirSync(folder, { recursive: true });
    const fd = fs.openSync(written, "wx", 0o644);
    fs.writeSync(fd, script.createCachedData());
    fs.closeSync(fd);
    for (const name of fs.readdirSync(folder)) {
      const old = `${folder}/${name}`;
      if (name.startsWith(prefix) && old !== written && !(ending === ".part" && old === path)) fs.rmSync(old);
    }
    fs.renameSync(written, path + ending);
  } catch {
    fs.rmSync(written, { force: true });
  }
}
