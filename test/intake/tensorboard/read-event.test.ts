import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { readEvent } from "../../../src/intake/tensorboard/read-event.ts";

type Fill = (writer: BinaryWriter) => void;

function message(fill: Fill): Uint8Array {
  const writer = new BinaryWriter();
  fill(writer);
  return writer.finish();
}

/** An event at step 3 with one value called `loss`, and what else is put into it. */
const eventOf = (fill: Fill): Uint8Array =>
  message((event) => {
    event.tag(1, WireType.Bit64).double(1.5).tag(2, WireType.Varint).int64(3);
    const value = message((writer) => {
      writer.tag(1, WireType.LengthDelimited).string("loss");
      fill(writer);
    });
    event
      .tag(5, WireType.LengthDelimited)
      .bytes(message((summary) => summary.tag(1, WireType.LengthDelimited).bytes(value)));
  });

const tensor = (type: number, fill: Fill): Uint8Array =>
  eventOf((value) =>
    value.tag(8, WireType.LengthDelimited).bytes(
      message((writer) => {
        writer.tag(1, WireType.Varint).int32(type);
        fill(writer);
      }),
    ),
  );

const content =
  (...bytes: readonly number[]): Fill =>
  (writer) =>
    void writer.tag(4, WireType.LengthDelimited).bytes(Uint8Array.from(bytes));

const shape =
  (...sizes: readonly number[]): Fill =>
  (writer) => {
    const dimension = (size: number) => message((inner) => inner.tag(1, WireType.Varint).int64(size));
    const all = message((inner) => {
      for (const size of sizes) inner.tag(2, WireType.LengthDelimited).bytes(dimension(size));
    });
    writer.tag(2, WireType.LengthDelimited).bytes(all);
  };

test.each<[string, Uint8Array, number | undefined]>([
  ["simple_value", eventOf((value) => value.tag(2, WireType.Bit32).float(0.5)), 0.5],
  ["float_val", tensor(1, (writer) => writer.tag(5, WireType.Bit32).float(0.5)), 0.5],
  [
    "packed float_val",
    tensor(1, (writer) => writer.tag(5, WireType.LengthDelimited).bytes(Uint8Array.of(0, 0, 0, 63))),
    0.5,
  ],
  ["double_val", tensor(2, (writer) => writer.tag(6, WireType.Bit64).double(0.1)), 0.1],
  ["int_val", tensor(3, (writer) => writer.tag(7, WireType.Varint).int32(-7)), -7],
  ["int64_val", tensor(9, (writer) => writer.tag(10, WireType.Varint).int64(7)), 7],
  ["half_val", tensor(19, (writer) => writer.tag(13, WireType.Varint).int32(0x3800)), 0.5],
  ["bfloat16 in half_val", tensor(14, (writer) => writer.tag(13, WireType.Varint).int32(0x3f00)), 0.5],
  ["float content", tensor(1, content(0, 0, 0, 63)), 0.5],
  ["double content", tensor(2, content(0, 0, 0, 0, 0, 0, 224, 63)), 0.5],
  ["int content", tensor(3, content(7, 0, 0, 0)), 7],
  ["bfloat16 content", tensor(14, content(0, 63)), 0.5],
  ["half content", tensor(19, content(0, 56)), 0.5],
  ["a shape of one number", tensor(1, (writer) => (shape(1, 1)(writer), content(0, 0, 0, 63)(writer))), 0.5],
  ["a vector", tensor(1, (writer) => (shape(2)(writer), content(0, 0, 0, 63, 0, 0, 0, 63)(writer))), undefined],
  ["a text", tensor(7, (writer) => writer.tag(8, WireType.LengthDelimited).string("hello")), undefined],
  ["another field", eventOf((value) => value.tag(4, WireType.LengthDelimited).bytes(Uint8Array.of(1, 2))), undefined],
])("%s", (_what, bytes, expected) => {
  expect(readEvent(bytes)).toEqual({
    wallTime: 1.5,
    step: 3,
    scalars: expected === undefined ? [] : [["loss", expected]],
    hparams: [],
  });
});

test.each([[[0xff]], [[0x2a, 0x05, 1]], [[0x0b]]])("bytes that are no event: %j", (bytes) => {
  expect(() => readEvent(Uint8Array.from(bytes))).toThrow();
});
