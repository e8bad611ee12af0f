import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseSync } from "node:sqlite";
import { doesNotExist, StoreError } from "../../errors.ts";
import { type FileAccess, identifyFile, openDatabaseFile, prepareDatabasePath } from "./database-file.ts";
import {
  createTables,
  findTableFault,
  insertDefaultExperiment,
  isEmptyDatabase,
  isMigrating,
  lacksDefaultExperiment,
  readRevision,
  readSchemaVersion,
  tableFaultError,
} from "./database-tables.ts";
import { isBusy, isRecoveryNeeded, primaryCode, sqliteCodes, toStoreError } from "./sqlite-errors.ts";
import { monotonicMs } from "../../util/monotonic.ts";

/** A lock is waited for in slices: SQLite blocks the whole thread for one, then the event loop gets its turn. */
const blockingWaitMs = 40;
const pauseMs = 10;
const migrationLookMs = 300;

export interface ConnectionOptions {
  readonly mode: "read" | "write";
  readonly busyTimeoutMs: number;
  /** Absolute; for experiment 0 where it is missing. */
  readonly artifactRoot: string;
}

/** Where reads and writes are carried out: a connection, or a transaction that is open on one. */
export type SqliteAccess = Pick<SqliteConnection, "read" | "write" | "together" | "revision" | "close">;

/**
 * One connection to one MLflow database. Work is done one piece after the other, each in a transaction of its own;
 * every error of SQLite leaves here as a `StoreError`.
 */
export class SqliteConnection {
  readonly #path: string;
  readonly #options: ConnectionOptions;
  #access: FileAccess;
  #db: DatabaseSync;
  #identity: string | undefined;
  #checkedSchemaVersion: number | undefined;
  #isClosed = false;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(path: string, options: ConnectionOptions) {
    this.#path = path;
    this.#options = options;
    this.#access = options.mode;
    this.#db = this.#openFile();
  }

  /** Opens, and in `write` mode creates, the database at an absolute path; the tables are known to be MLflow's afterwards. */
  static async open(path: string, options: ConnectionOptions): Promise<SqliteConnection> {
    try {
      prepareDatabasePath(path, options.mode);
      const connection = new SqliteConnection(path, options);
      await connection.#startUsing();
      return connection;
    } catch (error) {
      throw toStoreError(error, path);
    }
  }

  /** Runs `body` on one consistent state of the database. It may run again when a lock gets in its way. */
  read<Result>(body: (db: DatabaseSync) => Result): Promise<Result> {
    return this.#enqueue(() => this.#retryWhileBusy(() => this.#readOnce(body)));
  }

  /** Runs `body` in a transaction: all of its writes are stored, or none. */
  write<Result>(body: (db: DatabaseSync) => Result): Promise<Result> {
    return this.#enqueue(() => this.#transact(body));
  }

  /** Makes what `work` does with its argument one transaction; rejects, and stores none of it, where it does or the file refuses. */
  together<Result>(work: (transaction: SqliteAccess) => Promise<Result>): Promise<Result> {
    return this.#enqueue(async () => {
      const deadline = monotonicMs() + this.#options.busyTimeoutMs;
      await this.#retryWhileBusy(() => this.#db.exec("BEGIN IMMEDIATE"), deadline);
      try {
        this.#refuseDuringMigration();
        const result = await work(new OpenTransaction(this.#db, this.#path));
        await this.#retryWhileBusy(() => this.#db.exec("COMMIT"), deadline);
        return result;
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    });
  }

  /** MLflow's revision of the tables right now; it changes when an MLflow migrates the database. */
  revision(): string {
    try {
      return readRevision(this.#db);
    } catch (error) {
      throw toStoreError(error, this.#path);
    }
  }

  /** Waits for the work that was asked for before, and closes the file. Harmless when closed already. */
  close(): Promise<void> {
    return this.#enqueue(async () => {
      this.#isClosed = true;
      if (this.#db.isOpen) this.#db.close();
    });
  }

  #enqueue<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(async () => {
      try {
        if (!this.#isClosed) await this.#followFile();
        return await work();
      } catch (error) {
        // A file that could not be written when it was opened stays so for this connection: the next use opens it anew.
        if (primaryCode(error) === sqliteCodes.readOnly && this.#db.isOpen) this.#db.close();
        throw toStoreError(error, this.#path);
      }
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  #openFile(): DatabaseSync {
    const db = openDatabaseFile(this.#path, this.#access, Math.min(this.#options.busyTimeoutMs, blockingWaitMs));
    this.#identity = identifyFile(this.#path);
    return db;
  }

  async #startUsing(): Promise<void> {
    try {
      this.#checkedSchemaVersion = undefined;
      if (await this.#retryWhileBusy(() => isEmptyDatabase(this.#db))) await this.#createDatabase();
      else await this.#checkDatabase();
      // Kilobytes, taken only as they are needed: a filter over 100,000 runs visits the same pages again and again.
      if (this.#access === "read") this.#db.exec("PRAGMA cache_size = -65536");
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  async #createDatabase(): Promise<void> {
    if (this.#options.mode === "read") throw doesNotExist(`nothing is in the database yet: ${this.#path}`);
    // Not for the many openings of a database that is there.
    const { schemaSql } = await import("./schema.ts");
    await this.#transactUnchecked((db) => {
      // Another process may have been faster while this one waited for the lock.
      if (isEmptyDatabase(db)) createTables(db, schemaSql, this.#options.artifactRoot);
    });
    await this.#checkDatabase();
  }

  async #checkDatabase(): Promise<void> {
    const look = () => this.#retryWhileBusy(() => this.#readOnce(lookAtTables));
    const first = await look();
    if (first.fault !== undefined) {
      await sleep(migrationLookMs);
      const second = await look();
      if (second.fault !== undefined) {
        if (second.isMigrating || second.version !== first.version) throw this.#migrating();
        throw tableFaultError(second.fault, this.#path, this.revision());
      }
    }
    if (this.#options.mode === "write" && first.lacksDefault) {
      await this.#transact((db) => insertDefaultExperiment(db, this.#options.artifactRoot));
    }
  }

  /** SQLite would go on writing to a file that was deleted or replaced, and all of it would be lost. */
  async #followFile(): Promise<void> {
    const identity = identifyFile(this.#path);
    if (identity === this.#identity && this.#db.isOpen) return;
    if (identity === undefined) {
      throw new StoreError("TEMPORARILY_UNAVAILABLE", `the database was removed while in use: ${this.#path}`);
    }
    if (this.#db.isOpen) this.#db.close();
    this.#access = this.#options.mode;
    this.#db = this.#openFile();
    await this.#startUsing();
  }

  #readOnce<Result>(body: (db: DatabaseSync) => Result): Result {
    try {
      this.#db.exec("BEGIN");
      const result = body(this.#db);
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  #transact<Result>(body: (db: DatabaseSync) => Result): Promise<Result> {
    return this.#transactUnchecked((db) => {
      this.#refuseDuringMigration();
      return body(db);
    });
  }

  async #transactUnchecked<Result>(body: (db: DatabaseSync) => Result): Promise<Result> {
    const deadline = monotonicMs() + this.#options.busyTimeoutMs;
    await this.#retryWhileBusy(() => this.#db.exec("BEGIN IMMEDIATE"), deadline);
    try {
      const result = body(this.#db);
      // A busy COMMIT keeps the transaction and keeps new readers out, so that its turn comes.
      await this.#retryWhileBusy(() => this.#db.exec("COMMIT"), deadline);
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  async #retryWhileBusy<Result>(
    attempt: () => Result,
    deadline: number = monotonicMs() + this.#options.busyTimeoutMs,
  ): Promise<Result> {
    for (;;) {
      try {
        return attempt();
      } catch (error) {
        if (isRecoveryNeeded(error) && this.#access === "read") this.#reopenForRecovery();
        else if (!isBusy(error) || monotonicMs() >= deadline) throw error;
      }
      await sleep(pauseMs);
    }
  }

  #reopenForRecovery(): void {
    this.#db.close();
    this.#access = "recover";
    this.#db = this.#openFile();
  }

  #refuseDuringMigration(): void {
    const version = readSchemaVersion(this.#db);
    if (version === this.#checkedSchemaVersion) return;
    if (isMigrating(this.#db) || findTableFault(this.#db) !== undefined) throw this.#migrating();
    this.#checkedSchemaVersion = version;
  }

  #migrating(): StoreError {
    return new StoreError("TEMPORARILY_UNAVAILABLE", `MLflow is migrating the database: ${this.#path}`);
  }

  #rollBack(): void {
    if (!this.#db.isOpen || !this.#db.isTransaction) return;
    try {
      this.#db.exec("ROLLBACK");
    } catch (error) {
      // The failure that led here says more; SQLite undoes the rest when the file is next opened.
      if (!(error instanceof Error)) throw error;
    }
  }
}

/** Everything that is asked of it is a part of that transaction, whose end is the business of whoever has begun it. */
class OpenTransaction implements SqliteAccess {
  readonly #db: DatabaseSync;
  readonly #path: string;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  async read<Result>(body: (db: DatabaseSync) => Result): Promise<Result> {
    try {
      return body(this.#db);
    } catch (error) {
      throw toStoreError(error, this.#path);
    }
  }

  write<Result>(body: (db: DatabaseSync) => Result): Promise<Result> {
    return this.read(body);
  }

  together<Result>(work: (transaction: SqliteAccess) => Promise<Result>): Promise<Result> {
    return work(this);
  }

  revision(): string {
    return readRevision(this.#db);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function lookAtTables(db: DatabaseSync) {
  const fault = findTableFault(db);
  return {
    fault,
    version: readSchemaVersion(db),
    isMigrating: isMigrating(db),
    lacksDefault: fault === undefined && lacksDefaultExperiment(db),
  };
}
