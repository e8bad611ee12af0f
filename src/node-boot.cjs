"use strict";
// Node starts here when bin/track has switched the rehashing of V8's snapshot off. With that flag still down Node would take
// neither its own compiled modules nor ours. `node:v8` can put it back, too, but loading it that early costs what was gained.
const { emitWarning } = process;
process.emitWarning = () => undefined;
try {
  require("internal/test/binding").internalBinding("v8").setFlagsFromString("--rehash-snapshot");
} catch {
  // Another Node: slower, nothing else.
}
process.emitWarning = emitWarning;
process.argv.splice(1, 1);
require(process.argv[1]);
