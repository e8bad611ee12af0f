import type { Server, Socket } from "node:net";
import { messageOf } from "../util/error-code.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import type { IntakeHandler } from "./intake-handler.ts";
import { LogConnection } from "./log-connection.ts";
import { monotonicMs } from "../util/monotonic.ts";

export interface LogSocketOptions {
  /** A client that takes none of its replies for this long is closed; default 30 s. */
  readonly stallMs?: number;
}

/**
 * The logging socket of child-contract.md. Binds nothing itself: it is given listening servers and open sockets,
 * and hands what the clients say to `handler`. No client can make it throw.
 */
export class LogSocketServer implements Disposable {
  readonly #handler: IntakeHandler;
  readonly #stallMs: number;
  readonly #servers = new Set<Server>();
  readonly #connections = new Set<LogConnection>();
  #isPaused = false;
  #isClosed = false;
  #connectionCount = 0;
  /** Grows with everything that clients do. */
  #activity = 0;

  constructor(handler: IntakeHandler, options: LogSocketOptions = {}) {
    this.#handler = handler;
    this.#stallMs = options.stallMs ?? 30_000;
  }

  /** Serves every connection of an already listening server, which is closed with this one. */
  serve(server: Server): void {
    this.#servers.add(server);
    server.on("connection", (socket) => this.accept(socket));
    server.on("error", (error) => this.#handler.reportBad("fault", `logging socket: ${messageOf(error)}`));
  }

  /** Serves one connection that somebody else accepted. */
  accept(socket: Socket): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    failOnPurpose("socket");
    this.#activity += 1;
    this.#connectionCount += 1;
    const connection = new LogConnection(socket, this.#isPaused, {
      handler: this.#handler,
      connectionId: this.#connectionCount,
      stallMs: this.#stallMs,
      onActivity: () => (this.#activity += 1),
      onClose: (closed) => this.#connections.delete(closed),
    });
    this.#connections.add(connection);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Back pressure: no connection is read from until `resume`; what was read already is still taken in. */
  pause(): void {
    this.#setPaused(true);
  }

  resume(): void {
    this.#setPaused(false);
  }

  /** Takes in what clients have said until nothing came for `idleMs`, or `limitMs` are over; goes on serving. */
  async settle(idleMs = 50, limitMs = 10_000): Promise<void> {
    this.resume();
    const end = monotonicMs() + limitMs;
    for (;;) {
      const before = this.#activity;
      const mark = this.#isBusy();
      await pollAfter(idleMs);
      const isIdle = this.#activity === before && !mark && !this.#isBusy();
      if (isIdle || monotonicMs() >= end) break;
    }
  }

  /** `settle`, then `close`: for when the programs that speak are gone; a line that is only half there is lost. */
  async drain(idleMs = 50, limitMs = 10_000): Promise<void> {
    await this.settle(idleMs, limitMs);
    this.close();
  }

  /** Stops at once: sends the replies that are ready, reads nothing more. May be called twice. */
  close(): void {
    this.#isClosed = true;
    for (const server of this.#servers) server.close();
    this.#servers.clear();
    for (const connection of this.#connections) connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #setPaused(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    for (const connection of this.#connections) connection.setPaused(isPaused);
  }

  #isBusy(): boolean {
    for (const connection of this.#connections) if (connection.isBusy) return true;
    return false;
  }
}

/** Waits, then lets the event loop look at its descriptors once more: after a long block the timer is due before they are. */
function pollAfter(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(() => setImmediate(() => setImmediate(resolve)), delayMs);
  });
}
