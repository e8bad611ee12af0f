import { stat } from "node:fs";
import { describe, expect, test } from "vitest";
import { NewlineUnmapper } from "../../src/wrapper/stdio/unmap-newlines.ts";

function create(isPaused = (): boolean => false) {
  const parts: string[] = [];
  const unmapper = new NewlineUnmapper((chunk) => parts.push(chunk.toString("latin1")), isPaused);
  return {
    push: (text: string) => unmapper.push(Buffer.from(text, "latin1")),
    flush: () => unmapper.flush(),
    text: () => parts.join(""),
  };
}

/** What a pseudo terminal makes of it. */
const mapped = (text: string): string => text.replaceAll("\n", "\r\n");

describe("taking back what a pseudo terminal does to line ends", () => {
  test.each(["", "one\ntwo\n", "\n\n", "10%\r20%\r30%\n", "a\r\nb\r\r\n\r", "\u00ff\u0000\n\u0080", "\r", "no end"])(
    "%j, wherever it is cut",
    (text) => {
      const whole = mapped(text);
      for (let cut = 0; cut <= whole.length; cut += 1) {
        const { push, flush, text: out } = create();
        push(whole.slice(0, cut));
        push(whole.slice(cut));
        flush();
        expect(out()).toBe(text);
      }
      const { push, flush, text: out } = create();
      for (const byte of whole.split("")) push(byte);
      flush();
      expect(out()).toBe(text);
    },
  );

  test("a return at the end comes by itself after some ms, but not while nothing is read", async () => {
    let isPaused = true;
    const { push, text } = create(() => isPaused);
    push("50%\r");
    await new Promise((settle) => setTimeout(settle, 100));
    expect(text()).toBe("50%");
    isPaused = false;
    await new Promise((settle) => setTimeout(settle, 100));
    expect(text()).toBe("50%\r");
  });

  test("a loop that comes late to its timers takes no pair apart", async () => {
    const { push, text } = create();
    push("line\r");
    // Done while the loop is blocked, told behind the timers that are due by then: as a read of the terminal is.
    stat("/", () => push("\n"));
    const end = performance.now() + 50;
    while (performance.now() < end);
    await new Promise((settle) => setTimeout(settle, 100));
    expect(text()).toBe("line\n");
  });
});
