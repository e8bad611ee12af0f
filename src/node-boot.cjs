"use strict";
// Where Node starts: `node node-boot.cjs <program> ...` runs a CommonJS file of this folder as the main program, from compiled code
// that was kept. Node's own cache holds what it compiles while it loads a file, this one what a whole run has compiled: a quarter
// of the time until a command starts. V8 itself refuses code of another version or with other flags, but not a damaged one.

const fs = require("fs");
const Module = require("module");
const vm = require("vm");

/** V8 forgets compiled functions that have not been called for long; by then most of what a start needs is still there. */
const partAfterMs = 10_000;
/** Commands that people wait for have caches of their own: each compiles something else. */
const ownCaches = new Set(["run", "resume", "start", "end", "log", "ls", "show", "get"]);
const checksumBytes = 4;

process.argv.splice(1, 1);
const filename = fs.realpathSync(process.argv[1]);
const crc32 = openInternals();
if (crc32 === undefined) require(filename);
else runMain(filename.slice(0, filename.lastIndexOf("/")));

/**
 * bin/track starts its own Node without rehashing V8's snapshot. With that flag still down Node would take neither its compiled
 * modules nor ours. `node:v8` and `node:zlib` have the same to offer, but loading them that early costs what was gained.
 * `undefined` in any other Node, which is slower, nothing else.
 */
function openInternals() {
  if (!process.execArgv.includes("--expose-internals")) return undefined;
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    const { internalBinding } = require("internal/test/binding");
    internalBinding("v8").setFlagsFromString("--rehash-snapshot");
    return internalBinding("zlib").crc32;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function runMain(folder) {
  const cache = cacheOf(folder, filename.slice(folder.length + 1));
  const whole = readCode(cache, "");
  const cachedData = whole ?? readCode(cache, ".part");
  // The bundler leaves nothing but ASCII in it.
  const script = new vm.Script(Module.wrap(fs.readFileSync(filename, "latin1")), {
    filename,
    ...(cachedData !== undefined && { cachedData }),
  });
  if (whole === undefined || script.cachedDataRejected) saveLater(script, cache);
  const main = new Module(filename);
  main.filename = filename;
  main.paths = Module._nodeModulePaths(folder);
  require.cache[filename] = main;
  script.runInThisContext().call(main.exports, main.exports, main.require.bind(main), main, filename, folder);
}

/** Beside the program, or in the user's own folder where that is somebody else's. The name tells this very file from any other. */
function cacheOf(folder, name) {
  const { size, ino, ctimeMs } = fs.statSync(filename);
  const command = ownCaches.has(process.argv[2]) ? process.argv[2] : "other";
  const { XDG_CACHE_HOME, HOME } = process.env;
  const home = XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : HOME?.startsWith("/") ? `${HOME}/.cache` : undefined;
  return {
    folders: [`${folder}/.cache`, ...(home === undefined ? [] : [`${home}/track`])],
    prefix: `${name}-${command}-`,
    version: `${process.version}-${process.arch}-${size}-${ino}-${ctimeMs}`,
  };
}

/** `undefined` where there is none that is whole. */
function readCode({ folders, prefix, version }, ending) {
  for (const folder of folders) {
    try {
      const bytes = fs.readFileSync(`${folder}/${prefix}${version}${ending}`);
      const code = bytes.subarray(0, -checksumBytes);
      if (bytes.readUInt32LE(code.length) === crc32(code, 0)) return code;
    } catch {
      // Not there, or not to be read.
    }
  }
  return undefined;
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

/** Never throws: it must not change how the process ends. */
function save(script, { folders, prefix, version }, ending) {
  folders.some((folder) =>
    isDone(() => saveIn(folder, script, { prefix, path: `${folder}/${prefix}${version}`, ending })),
  );
}

function saveIn(folder, script, { prefix, path, ending }) {
  const written = `${path}.${process.pid}`;
  fs.mkdirSync(folder, { recursive: true });
  const fd = fs.openSync(written, "wx", 0o644);
  try {
    const code = script.createCachedData();
    const checksum = Buffer.alloc(checksumBytes);
    checksum.writeUInt32LE(crc32(code, 0));
    fs.writeFileSync(fd, Buffer.concat([code, checksum]));
    removeOlder(folder, prefix, ending === "" ? [written] : [written, path]);
    fs.renameSync(written, path + ending);
  } finally {
    fs.closeSync(fd);
    isDone(() => fs.rmSync(written, { force: true }));
  }
}

function removeOlder(folder, prefix, kept) {
  for (const name of fs.readdirSync(folder)) {
    const path = `${folder}/${name}`;
    if (name.startsWith(prefix) && !kept.includes(path)) fs.rmSync(path, { force: true });
  }
}

function isDone(work) {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
