// Locks the SQLite database in argv[2] for argv[3] ms, as a migration or a copy would; says "locked".
import { writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(process.argv[2] ?? "");
database.exec("BEGIN EXCLUSIVE");
writeSync(1, "locked\n");
setTimeout(() => database.exec("ROLLBACK"), Number(process.argv[3]));
