import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { allOf, program, root } from "../support/requirement.ts";

const PROGRAM = join(import.meta.dirname, "../../bin/cattlegrid");
const canWatch = allOf(root(), program("crun"), program("unshare"), program("ip"));

/**
 * A network namespace in which every address of the world is this machine: whatever is sent, were it one DNS query, goes over its
 * loopback and is counted there. The command line and the daemon talk by unix sockets, which are not.
 */
const EVERYWHERE = `
  ip link set lo up
  ip route add local default dev lo
  ip -6 route add local default dev lo
  sent() { cat /sys/class/net/lo/statistics/tx_packets; }
  mount -t sysfs none /sys
`;

describe.skipIf(!canWatch.met)(canWatch.title("Cattlegrid sends nothing home"), () => {
  const directory = mkdtempSync(join(tmpdir(), "cg-silence-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function count(script: string): number {
    const file = join(directory, "script.sh");
    writeFileSync(
      file,
      `set -e\n${EVERYWHERE}\nbefore=$(sent)\n${script}\necho "sent=$(($(sent) - before))"`,
    );
    const workspace = join(directory, "workspace");
    mkdirSync(workspace, { recursive: true });
    const output = execFileSync("unshare", ["--net", "--mount", "sh", file], {
      cwd: workspace,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: directory,
        CATTLEGRID_HOME: join(directory, "state"),
      },
    });
    return Number(/^sent=(\d+)$/m.exec(output)?.[1]);
  }

  test("no packet leaves while sandboxes are made, used, looked at and removed", () => {
    const cg = `'${PROGRAM}'`;
    const commands = [
      `${cg} version --json`,
      `${cg} doctor --json || true`,
      `${cg} run shell --name quiet -- -c 'echo inside'`,
      `${cg} exec quiet -- true`,
      `${cg} inspect quiet --json`,
      `${cg} logs quiet --egress`,
      `${cg} stop quiet`,
      `${cg} reset --yes`,
    ];
    expect(count(commands.map((command) => `${command} > /dev/null 2>&1`).join("\n"))).toBe(0);
  });

  test("one that is sent is counted, by name or by address", () => {
    expect(count("getent hosts home.example || true")).toBeGreaterThan(0);
    const connect = "bash -c 'exec 3<>/dev/tcp/203.0.113.9/443' 2> /dev/null || true";
    expect(count(connect)).toBeGreaterThan(0);
  });
});
