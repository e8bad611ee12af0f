"use strict";
// Where Node starts: `node node-boot.cjs <program> ...` runs a CommonJS file of this folder as the main program, from compiled code
// that was kept. Node's own cache holds what it compiles while it loads a file, this one what a whole run has compiled: a quarter
// of the time until a command starts. V8 itself refuses code of another version or with other flags, but not a damaged one.
// What every start needs is no function, since Node's cache has no functions, and asks for nothing that Node has not loaded.

const fs = require("fs");

/** V8 forgets compiled functions that have not been called for long; by then most of what a start needs is still there. */
const partAfterMs = 10_000;
/** Commands that people wait for have caches of their own: each compiles something else. */
const ownCaches = ["run", "resume", "start", "end", "log", "ls", "show", "get"];
const checksumBytes = 4;

process.argv.splice(1, 1);
const name = process.argv[1].slice(process.argv[1].lastIndexOf("/") + 1);
const filename = `${__dirname}/${name}`;
process.argv[1] = filename;

/**
 * bin/track starts its own Node without rehashing V8's snapshot. With that flag still down Node would take neither its compiled
 * modules nor ours. `node:v8` and `node:zlib` have the same to offer, but loading them that early costs what was gained.
 * `undefined` in any other Node, which is slower, nothing else.
 */
let crc32;
if (process.execArgv.includes("--expose-internals")) {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    const { internalBinding } = require("internal/test/binding");
    internalBinding("v8").setFlagsFromString("--rehash-snapshot");
    ({ crc32 } = internalBinding("zlib"));
  } catch {
    // Another Node after all.
  }
  process.emitWarning = emitWarning;
}

if (crc32 === undefined) require(filename);
else {
  const { size, ino, ctimeMs } = fs.statSync(filename);
  const { XDG_CACHE_HOME, HOME } = process.env;
  const home = XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : HOME?.startsWith("/") ? `${HOME}/.cache` : undefined;
  const cache = {
    // Beside the program, or in the user's own folder where that is somebody else's.
    folders: home === undefined ? [`${__dirname}/.cache`] : [`${__dirname}/.cache`, `${home}/track`],
    prefix: `${name}-${ownCaches.includes(process.argv[2]) ? process.argv[2] : "other"}-`,
    // Tells this very file from any other.
    version: `${process.version}-${process.arch}-${size}-${ino}-${ctimeMs}`,
  };
  let code;
  let isWhole = false;
  for (const folder of cache.folders) {
    for (const ending of ["", ".part"]) {
      if (code !== undefined) break;
      try {
        const bytes = fs.readFileSync(`${folder}/${cache.prefix}${cache.version}${ending}`);
        code = bytes.subarray(0, -checksumBytes);
        if (bytes.readUInt32LE(code.length) !== crc32(code, 0)) code = undefined;
        isWhole = code !== undefined && ending === "";
      } catch {
        // Not there, or not to be read.
      }
    }
  }
  const Module = module.constructor;
  const { Script } = require("vm");
  // The bundler leaves nothing but ASCII in it.
  const source = Module.wrap(fs.readFileSync(filename, "latin1"));
  const script = new Script(source, code === undefined ? { filename } : { filename, cachedData: code });
  if (!isWhole || script.cachedDataRejected) saveLater(script, cache);
  const main = new Module(filename);
  main.filename = filename;
  main.paths = Module._nodeModulePaths(__dirname);
  require.cache[filename] = main;
  script.runInThisContext().call(main.exports, main.exports, main.require.bind(main), main, filename, __dirname);
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
  for (const each of fs.readdirSync(folder)) {
    const path = `${folder}/${each}`;
    if (each.startsWith(prefix) && !kept.includes(path)) fs.rmSync(path, { force: true });
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
