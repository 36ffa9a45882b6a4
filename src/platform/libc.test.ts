import { expect, test } from "vitest";
import { describeLibc } from "./libc.ts";

test("the C library has a name and, for glibc, a version", () => {
  expect(describeLibc()).toMatch(/^(glibc-\d+\.\d+(\.\d+)?|musl)$/);
});
