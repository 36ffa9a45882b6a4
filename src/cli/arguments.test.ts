import { describe, expect, test } from "vitest";
import { type Flags, type Grammar, parseArguments } from "./arguments.ts";

const flags = {
  name: { kind: "text", value: "NAME", help: "" },
  env: { kind: "list", short: "e", value: "NAME[=VALUE]", help: "" },
  rm: { kind: "switch", help: "" },
  tty: { kind: "switch", short: "t", negatable: true, help: "" },
} as const satisfies Flags;

const RUN: Grammar<typeof flags> = {
  verb: "run",
  flags,
  operands: { min: 0, max: 2, names: "AGENT and WORKSPACE" },
  trailing: "after-dashes",
};
const EXEC: Grammar<typeof flags> = {
  verb: "exec",
  flags,
  operands: { min: 1, max: 1, names: "the name of a sandbox, and a command" },
  trailing: "after-name",
};
const LS: Grammar<typeof flags> = {
  verb: "ls",
  flags,
  operands: { min: 0, max: 0, names: "" },
  trailing: "none",
};

const NONE = { name: undefined, env: [], rm: undefined, tty: undefined };

describe("a command line", () => {
  test.each([
    ["nothing at all", [], {}],
    ["operands", ["shell", "a b"], { operands: ["shell", "a b"] }],
    [
      "a value behind a space or a sign",
      ["--name", "x", "-e", "A=1", "-eB", "--env=C=2"],
      {
        flags: { ...NONE, name: "x", env: ["A=1", "B", "C=2"] },
      },
    ],
    [
      "the last text, and every one of a list",
      ["--name", "x", "--name=y", "-e", "A", "-e", "A"],
      {
        flags: { ...NONE, name: "y", env: ["A", "A"] },
      },
    ],
    ["switches on and off", ["--rm", "--no-tty"], { flags: { ...NONE, rm: true, tty: false } }],
    [
      "flags between operands",
      ["shell", "--rm", "."],
      {
        operands: ["shell", "."],
        flags: { ...NONE, rm: true },
      },
    ],
    [
      "what follows dashes, untouched",
      ["shell", "--", "login", "--rm", "--", ""],
      {
        operands: ["shell"],
        trailing: ["login", "--rm", "--", ""],
      },
    ],
    [
      "dashes before any operand",
      ["--name", "x", "--", "login"],
      {
        flags: { ...NONE, name: "x" },
        trailing: ["login"],
      },
    ],
    [
      "a value that begins with a dash behind a sign",
      ["--name=-x"],
      {
        flags: { ...NONE, name: "-x" },
      },
    ],
    ["a single dash as a value", ["--name", "-"], { flags: { ...NONE, name: "-" } }],
    [
      "help, whatever else is wrong",
      ["--help", "a", "b", "c", "--nonsense"],
      {
        operands: ["a", "b", "c"],
        wantsHelp: true,
      },
    ],
    ["help behind dashes is not ours", ["--", "--help"], { trailing: ["--help"] }],
  ])("holds %s", (_title, argv, expected) => {
    const empty = { flags: NONE, operands: [], trailing: [], wantsHelp: false };
    expect(parseArguments(RUN, argv)).toEqual({ ...empty, ...expected });
  });

  test.each([
    [["box", "ls", "-e", "--rm"], ["ls", "-e", "--rm"], []],
    [["-e", "A", "box", "ls"], ["ls"], ["A"]],
    [["box", "-e", "A", "ls", "--", "x"], ["ls", "--", "x"], ["A"]],
    [["box", "--", "-e"], ["-e"], []],
    [["box", "--", "--", "x"], ["--", "x"], []],
  ])("of exec %j has the command %j", (argv, trailing, env) => {
    const parsed = parseArguments(EXEC, argv);
    expect([parsed.operands, parsed.trailing, parsed.flags.env]).toEqual([["box"], trailing, env]);
  });

  test.each<[string, Grammar<typeof flags>, string[], string]>([
    ["an unknown flag", RUN, ["--nonsense"], "`run` has no flag --nonsense."],
    ["a slip in a flag", RUN, ["--nmae", "x"], "Did you mean --name?"],
    ["an unknown letter", RUN, ["-x"], "`run` has no flag -x."],
    ["a flag without its value", RUN, ["--name"], "--name needs a value: --name NAME."],
    ["a flag for a value", RUN, ["--name", "--rm"], "write --name=--rm."],
    ["a letter for a value", RUN, ["-e", "-x"], "write -e-x."],
    ["a value for a switch", RUN, ["--rm=yes"], "--rm takes no value."],
    ["a switch that has no opposite", RUN, ["--no-rm"], "`run` has no flag --no-rm."],
    ["too many operands", RUN, ["a", "b", "c"], 'only AGENT and WORKSPACE; "c" is too many'],
    ["too few", EXEC, [], "`exec` needs the name of a sandbox, and a command."],
    ["any for a verb without", LS, ["x"], 'takes no argument; "x" is too many'],
    ["dashes for a verb without", LS, ["--", "x"], "`ls` takes nothing after `--`."],
    ["an inherited name", RUN, ["--constructor"], "`run` has no flag --constructor."],
  ])("is refused for %s", (_title, grammar, ...[argv, message]) => {
    const parse = (): unknown => parseArguments(grammar, argv);
    expect(parse).toThrow(expect.objectContaining({ code: "USAGE" }) as Error);
    expect(parse).toThrow(message);
  });
});
