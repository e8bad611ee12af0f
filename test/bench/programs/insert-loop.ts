/** insert-loop.ts <database> <points> <metrics a step>: a bare prepared INSERT, 5,000 to a transaction; prints the milliseconds. */
import { DatabaseSync } from "node:sqlite";

const [path = "", pointsText, keysText] = process.argv.slice(2);
const points = Number(pointsText);
const keys = Number(keysText);
const rowsPerTransaction = 5000;

using database = new DatabaseSync(path);
const runId = String(database.prepare("SELECT run_uuid FROM runs").get()?.["run_uuid"]);
const insert = database.prepare(
  'INSERT INTO metrics ("key", value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)',
);
const names = Array.from({ length: keys }, (_, key) => `m${key}`);

const began = performance.now();
for (let first = 0; first < points; first += rowsPerTransaction) {
  database.exec("BEGIN");
  for (let index = first; index < Math.min(first + rowsPerTransaction, points); index += 1) {
    insert.run(names[index % keys] ?? "", Math.random(), Date.now(), runId, Math.floor(index / keys), 0);
  }
  database.exec("COMMIT");
}
console.log(performance.now() - began);
