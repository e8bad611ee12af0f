/**
 * Stands in for Git LFS' own filter, which copies every changed file into .git/lfs: says the same pointer and keeps nothing.
 * A program of its own for `node -e`, started by git only when a file of LFS may have changed; speaks gitattributes(5)'s
 * "long running filter process" protocol, version 2: lines and contents in packets with four hex digits of length before each.
 */
const program = `
const { createHash } = require("node:crypto");
let buffer = Buffer.alloc(0), state = "hello", first = Buffer.alloc(0), hash, size = 0;
const packet = (data) => {
  const body = Buffer.from(data);
  process.stdout.write(Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, "0")), body]));
};
const flush = () => process.stdout.write("0000");
const ended = () => {
  if (state === "hello") { packet("git-filter-server\\n"); packet("version=2\\n"); flush(); state = "capabilities"; }
  else if (state === "capabilities") { packet("capability=clean\\n"); flush(); state = "command"; }
  else if (state === "command") { hash = createHash("sha256"); size = 0; first = Buffer.alloc(0); state = "content"; }
  else {
    packet("status=success\\n"); flush();
    const version = "version https://git-lfs.github.com/spec/v1\\n";
    if (first.toString("latin1").startsWith("version https://git-lfs")) packet(first);
    else if (size > 0) packet(version + "oid sha256:" + hash.digest("hex") + "\\nsize " + size + "\\n");
    flush(); flush(); state = "command";
  }
};
process.stdin.on("data", (chunk) => {
  buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
  for (;;) {
    if (buffer.length < 4) return;
    const length = parseInt(buffer.toString("latin1", 0, 4), 16);
    if (buffer.length < length) return;
    const data = buffer.subarray(4, length);
    buffer = buffer.subarray(length === 0 ? 4 : length);
    if (length === 0) ended();
    else if (state === "content") { size += data.length; hash.update(data); if (first.length < 1024) first = Buffer.concat([first, data]); }
  }
});
`;

/** Settings (`name=value`) that make git ask the stand-in; `node` is the path of the Node to run it with. */
export function lfsFilterSettings(node: string): readonly string[] {
  const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  return [
    `filter.lfs.process=${quote(node)} -e ${quote(program)}`,
    "filter.lfs.clean=",
    "filter.lfs.smudge=",
    "filter.lfs.required=false",
  ];
}
