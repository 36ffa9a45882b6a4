import { describe, expect, test } from "vitest";
import { readEnvironment as read, type GivenEnvironment } from "./environment.ts";

const own = { HOME: "/home/me", AGENT_KEY: "s3cret", EMPTY: "" };
const credentials = new Set(["AGENT_KEY"]);

const readEnvironment = (
  entries: readonly string[],
  ...rest: [typeof own, Set<string>]
): GivenEnvironment =>
  read(
    entries.map((text) => ({ text, place: "-e" })),
    ...rest,
  );

describe("variables of -e", () => {
  test("come with a value, or with the caller's own", () => {
    expect(readEnvironment(["A=1=2", "HOME", "B=", "EMPTY"], own, credentials)).toEqual({
      environment: { A: "1=2", HOME: "/home/me", B: "", EMPTY: "" },
      secrets: {},
    });
  });

  test("that are credentials are secrets, taken from the caller's shell", () => {
    expect(readEnvironment(["AGENT_KEY"], own, credentials)).toEqual({
      environment: {},
      secrets: { AGENT_KEY: "s3cret" },
    });
  });

  test.each([
    ["a credential's value on the command line", "AGENT_KEY=x", "is a credential"],
    ["a name that is not set", "UNSET", "UNSET is not set in this shell"],
    ["what is no name", "1A=x", '"1A" is no name'],
    ["no name", "=x", '"" is no name'],
  ])("%s is refused", (_title, entry, message) => {
    const reading = (): unknown => readEnvironment([entry], own, credentials);
    expect(reading).toThrow(expect.objectContaining({ code: "ENVIRONMENT_INVALID" }) as Error);
    expect(reading).toThrow(message);
  });

  test("a refusal repeats no value", () => {
    expect(() => readEnvironment(["AGENT_KEY=s3cret"], own, credentials)).not.toThrow("s3cret");
  });
});
