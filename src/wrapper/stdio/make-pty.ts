import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { createRequire } from "node:module";

/** The part of node-pty's binding that is used: a pseudo terminal that is nobody's controlling terminal. */
interface PtyBinding {
  open(columns: number, rows: number): { readonly master: number; readonly slave: number; readonly pty: string };
  resize(fd: number, columns: number, rows: number): void;
}

export interface Pty {
  /** Not close-on-exec: whatever is started must be given something else under this number. */
  readonly masterFd: number;
  /** Blocking, for the command. */
  readonly slaveFd: number;
  readonly slavePath: string;
  /** Whether it had another size. */
  resize(columns: number, rows: number): boolean;
}

/** `undefined` where there is no binding for this platform, no /dev/pts or no descriptor left: the command then keeps the real terminal. */
export function makePty(terminalFd: 1 | 2): Pty | undefined {
  let opened: ReturnType<PtyBinding["open"]> | undefined;
  try {
    const binding = loadBinding();
    let size = readWindowSize(terminalFd) ?? [80, 24];
    opened = binding.open(...size);
    const { master } = opened;
    // The binding's own slave is non-blocking and would be inherited by everything.
    const slavePath = readlinkSync(`/proc/self/fd/${opened.slave}`);
    const slaveFd = openSync(slavePath, constants.O_RDWR | constants.O_NOCTTY);
    closeSync(opened.slave);
    const resize = (columns: number, rows: number): boolean => {
      if (columns === size[0] && rows === size[1]) return false;
      size = [columns, rows];
      binding.resize(master, columns, rows);
      return true;
    };
    return { masterFd: master, slaveFd, slavePath, resize };
  } catch {
    if (opened !== undefined) {
      closeSync(opened.slave);
      closeSync(opened.master);
    }
    return undefined;
  }
}

/** Columns and rows of the terminal behind `fd`, which itself is left alone. */
export function readWindowSize(fd: 1 | 2): [columns: number, rows: number] | undefined {
  try {
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const { WriteStream } = process.getBuiltinModule("node:tty");
    const stream = new WriteStream(own);
    const size: [number, number] | undefined = stream.columns > 0 ? [stream.columns, stream.rows] : undefined;
    stream.destroy();
    return size;
  } catch {
    // The size is a nicety: a terminal that cannot be opened again has the usual one.
    return undefined;
  }
}

function loadBinding(): PtyBinding {
  const file = createRequire(import.meta.url).resolve(`@lydell/node-pty-linux-${process.arch}/pty.node`);
  const module = { exports: {} };
  process.dlopen(module, file);
  return module.exports as PtyBinding;
}
