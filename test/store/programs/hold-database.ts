import { DatabaseSync } from "node:sqlite";

// hold-database.ts <database> lock: holds an exclusive lock until stdin ends.
// hold-database.ts <database> read: holds a reader's lock until stdin ends.
// hold-database.ts <database> die: leaves a transaction half in the file, as a writer does that is killed.
const [path = "", how = ""] = process.argv.slice(2);
const db = new DatabaseSync(path);

if (how === "die") {
  db.exec("PRAGMA cache_size = 2; BEGIN IMMEDIATE");
  const insert = db.prepare("INSERT INTO experiments (name, lifecycle_stage) VALUES (?, 'active')");
  for (let index = 0; index < 2000; index += 1) insert.run(`lost ${index} ${"x".repeat(200)}`);
  process.kill(process.pid, "SIGKILL");
}
db.exec(how === "lock" ? "BEGIN EXCLUSIVE" : "BEGIN");
if (how === "read") db.prepare("SELECT count(*) FROM experiments").get();
process.stdout.write("holding\n");
process.stdin.on("end", () => {
  db.exec("COMMIT");
  db.close();
});
process.stdin.resume();
