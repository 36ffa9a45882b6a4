import { execFileSync, spawnSync, type StdioOptions } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { program } from "../../../test/support/requirement.ts";
import { parseClientVersion } from "./client-version.ts";
import { addBlock, removeBlock, renderConfiguration } from "./client-configuration.ts";

const BLOCK = renderConfiguration({ program: "/opt/cattlegrid", names: [] });
const codeOf = (action: () => unknown): unknown => {
  try {
    return action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe("the block in the user's configuration", () => {
  test.each([
    ["an empty file", ""],
    ["hosts of the user's", "Host work\n  Port 2222\n"],
    ["a file without a last line end", "Host *\n  User ada"],
    ["blank lines at the beginning", "\n\nHost *\n"],
  ])("comes first and goes without a trace: %s", (_title, text) => {
    const added = addBlock(text, BLOCK);
    expect(added.startsWith("# >>> cattlegrid")).toBe(true);
    expect(added.endsWith(text)).toBe(true);
    expect(removeBlock(added)).toBe(text);
  });

  test("is written once, however often, and replaced whole", () => {
    const old = addBlock("Host work\n", "Host old\n");
    const added = addBlock(old, BLOCK);
    expect(added).not.toContain("Host old");
    expect(addBlock(added, BLOCK)).toBe(added);
  });

  test("without its end is left to the user, who may have written behind it", () => {
    const cut = addBlock("", BLOCK).replace("# <<< cattlegrid\n", "");
    expect(codeOf(() => removeBlock(cut))).toBe("CONFIG_INVALID");
  });
});

const client = program("ssh");
const QUIET: { encoding: "utf8"; stdio: StdioOptions } = {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "ignore"],
};

describe.skipIf(!client.met)(client.title("OpenSSH"), () => {
  let directory: string;
  const strange = `a b'c"d%h$e\\f`;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cg-ssh-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (text: string): string => {
    const path = join(directory, "config");
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const read = (text: string, host: string): Record<string, string> => {
    const shown = execFileSync("ssh", ["-F", write(text), "-G", host], QUIET);
    return Object.fromEntries(
      shown.split("\n").map((line) => [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)]),
    );
  };

  test("takes it for every name below .cattlegrid, and for no other", () => {
    expect(read(BLOCK, "box.cattlegrid")).toMatchObject({
      user: "agent",
      proxycommand: "/opt/cattlegrid ssh-proxy '%h'",
      stricthostkeychecking: "true",
      forwardagent: "no",
    });
    expect(read(BLOCK, "cattlegrid")["proxycommand"]).toBeUndefined();
    expect(read(BLOCK, "box.cattlegrid.example")["proxycommand"]).toBeUndefined();
  });

  test("takes it before what the user says for all hosts", () => {
    const text = addBlock("Host *\n  ForwardAgent yes\n  User ada\n", BLOCK);
    expect(read(text, "box.cattlegrid")).toMatchObject({ forwardagent: "no", user: "agent" });
    expect(read(text, "other")).toMatchObject({ forwardagent: "yes", user: "ada" });
  });

  test.each([
    ["OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19", false],
    ["OpenSSH_10.0p2 Debian-7", false],
    ["OpenSSH_10.1p1", true],
    ["OpenSSH_11.0", true],
    ["dropbear", false],
  ])("is told not to warn of a pipe only where it would: %s", (text, expected) => {
    const version = parseClientVersion(text);
    const written = renderConfiguration({ program: "/opt/cattlegrid", names: [], version });
    expect(written.includes("WarnWeakCrypto no\n")).toBe(expected);
  });

  test("lists names that are given", () => {
    const text = renderConfiguration({ program: "/opt/cattlegrid", names: ["box", "other"] });
    expect(text).toMatch(/^Host box\.cattlegrid other\.cattlegrid \*\.cattlegrid /);
  });

  test("starts a program, and for a state directory, with any characters in their paths", () => {
    const home = join(directory, strange, "home");
    const place = join(directory, strange);
    mkdirSync(place, { recursive: true });
    const fake = join(place, "program");
    const script = `#!/bin/sh\nprintf '%s\\n' "$CATTLEGRID_HOME" "$@" >> '${directory}/calls'\n`;
    writeFileSync(fake, script);
    chmodSync(fake, 0o755);
    const text = renderConfiguration({ program: fake, home, names: [] });
    spawnSync("ssh", ["-F", write(text), "box.cattlegrid", "true"], {
      env: { PATH: process.env["PATH"], SHELL: "/bin/sh", HOME: directory },
    });
    expect(readFileSync(join(directory, "calls"), "utf8")).toBe(
      `${home}\nssh-proxy\nbox.cattlegrid\n`,
    );
    const listed = execFileSync(
      "ssh",
      ["-F", write(text.replaceAll(/.*ProxyCommand.*\n/g, "")), "-G", "box.cattlegrid"],
      QUIET,
    );
    expect(listed).toContain("knownhostscommand");
  });

  test("hands no name to the shell that could leave its quotes", () => {
    const host = "x'$(touch pwned)'.cattlegrid";
    const result = spawnSync("ssh", ["-F", write(BLOCK), "-G", "--", host], QUIET);
    expect(result.stdout).not.toContain("ssh-proxy");
  });
});
