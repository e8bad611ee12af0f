/** A process of its own that serves the server and the sockets it is sent; on "drain" it tells what it heard and ends. */
import { Server, Socket } from "node:net";
import { LogSocketServer } from "../../src/intake/log-socket.ts";
import { Recorder } from "./intake-rig.ts";

const handler = new Recorder();
const server = new LogSocketServer(handler);

process.on("message", (message, handle) => {
  if (handle instanceof Server) {
    server.serve(handle);
    process.send?.("serving");
  } else if (handle instanceof Socket) {
    server.accept(handle);
  } else if (message === "drain") {
    void server.drain().then(() => {
      process.send?.({ metrics: handler.metrics, bad: handler.bad });
      process.disconnect();
    });
  }
});
