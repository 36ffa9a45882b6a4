/**
 * A policy that the command line made, live changes of it and ceilings above it, as `sh`, Node and Python inside the
 * sandbox see them; once more after a restart. What the policy language itself forbids is in network.test.ts.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EgressRecord } from "../../src/protocol/egress.ts";
import { CommandLine } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";

const needed = allOf(...["crun", "python3", "node", "bash"].map(program));
const GREETING = "from outside";

/** Rules under which the names below are tried; the permitted ones lead to a server of this test. */
const RULES = ["--allow", "a.x.example:7000", "--allow", "*.w.example:7000"];
const PERMITTED = ["a.x.example:7000", "A.X.Example.:7000", "b.w.example:7000"];
const FORBIDDEN = ["93.184.215.14:7000", "a.x.example:22", "x.example:7000", "169.254.169.254:80"];

/** Prints one line for each place: what came from it, or nothing. Proxy variables lead nowhere. */
const CLIENTS: Readonly<Record<string, readonly string[]>> = {
  sh: [
    "bash",
    "-c",
    `for place in "$@"; do
      host=\${place%:*} port=\${place##*:}
      printf '%s=%s\\n' "$place" "$( (exec 3<>"/dev/tcp/$host/$port" && timeout 5 cat <&3) 2>/dev/null)"
    done`,
    "sh",
  ],
  node: [
    "node",
    "-e",
    `const { connect } = require("node:net");
    (async () => {
      for (const place of process.argv.slice(1)) {
        const at = place.lastIndexOf(":");
        const socket = connect({ host: place.slice(0, at), port: Number(place.slice(at + 1)) });
        let text = "";
        socket.setTimeout(5000, () => socket.destroy());
        socket.on("data", (bytes) => (text += bytes)).on("error", () => {});
        await new Promise((resolve) => socket.once("close", resolve));
        console.log(place + "=" + text);
      }
    })();`,
  ],
  python: [
    "python3",
    "-c",
    `import socket, sys
for place in sys.argv[1:]:
    host, port = place.rsplit(":", 1)
    text = b""
    try:
        with socket.create_connection((host, int(port)), 5) as s:
            while True:
                part = s.recv(99)
                if not part: break
                text += part
    except OSError: pass
    print(place + "=" + text.decode())`,
  ],
};

describe.skipIf(!needed.met)(needed.title("a policy, from inside a sandbox"), () => {
  let cli: CommandLine;
  let outside: Server;

  async function attempt(client: string, places: readonly string[]): Promise<Map<string, string>> {
    const proxies = ["-e", "NO_PROXY=*", "-e", "HTTPS_PROXY=http://10.0.0.1:3128"];
    const argv = ["exec", ...proxies, "box", "--", ...(CLIENTS[client] ?? []), ...places];
    const { stdout } = await cli.run(argv);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(places.length);
    return new Map(lines.map((line) => [line.split("=")[0] ?? "", line.split("=")[1] ?? ""]));
  }

  async function reached(client: string, places: readonly string[]): Promise<string[]> {
    const results = await attempt(client, places);
    return [...results].filter(([, text]) => text !== "").map(([place]) => place);
  }

  async function recorded(): Promise<EgressRecord[]> {
    const { stdout } = await cli.run(["policy", "log", "box", "--json"]);
    return stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as EgressRecord);
  }

  beforeAll(async () => {
    outside = createServer((socket) => socket.on("error", () => undefined).end(GREETING));
    outside.listen(0, "127.0.0.1");
    await once(outside, "listening");
    const { port } = outside.address() as AddressInfo;
    const names = ["a.x.example", "b.w.example"].map((name) => `${name}:7000=127.0.0.1:${port}`);
    cli = new CommandLine();
    cli.environment["CATTLEGRID_MIRRORS"] = names.join(",");
    await cli.run(["create", "shell", "--name", "box", "--policy", "locked", ...RULES]);
    await cli.run(["start", "box"]);
  });
  afterAll(async () => {
    await cli.close();
    outside.close();
  });

  test.each(Object.keys(CLIENTS))(
    "%s reaches what a rule says and nothing else, and all of it is recorded",
    async (client) => {
      expect(await reached(client, [...PERMITTED, ...FORBIDDEN])).toEqual(PERMITTED);
      const records = await recorded();
      const denied = records.filter(({ action }) => action === "deny");
      for (const address of ["169.254.169.254", "93.184.215.14"]) {
        expect(denied.some((record) => record.address === address)).toBe(true);
      }
      expect(denied.some(({ kind, name }) => kind === "dns" && name === "x.example")).toBe(true);
    },
  );

  test("a live change holds for every client, survives a restart, and is taken back as live", async () => {
    const place = "a.x.example:7000";
    const reachedBy = async (): Promise<string[]> => {
      const tried = await Promise.all(
        Object.keys(CLIENTS).map(
          async (client) => [client, await reached(client, [place])] as const,
        ),
      );
      return tried.filter(([, places]) => places.length > 0).map(([client]) => client);
    };
    expect((await cli.run(["policy", "deny", "box", "a.x.example"])).code).toBe(0);
    expect(await reachedBy()).toEqual([]);
    const check = await cli.run(["policy", "check", "box", place]);
    expect([check.code, check.stdout]).toEqual([1, expect.stringContaining("policy rm box deny-")]);
    expect((await cli.run(["stop", "box"])).code).toBe(0);
    expect((await cli.run(["start", "box"])).code).toBe(0);
    expect(await reachedBy()).toEqual([]);
    expect((await cli.run(["policy", "rm", "box", "a.x.example:*"])).code).toBe(0);
    expect(await reachedBy()).toEqual(Object.keys(CLIENTS));
    const changes = (await recorded()).filter(({ kind }) => kind === "policy");
    expect(changes.map(({ rule, reason }) => [rule?.text, reason])).toEqual([
      ["a.x.example:*", "a person added it (change)"],
      ["a.x.example:*", "a person took it away"],
    ]);
  });

  test("an open connection ends with the change that forbids it, and another one goes on", async () => {
    const held = new Set<Socket>();
    outside.removeAllListeners("connection");
    outside.on("connection", (socket) => {
      held.add(socket.on("error", () => undefined));
      socket.write(GREETING);
    });
    const script =
      'exec 3<>/dev/tcp/$0/7000; head -c 12 <&3; echo; timeout 30 cat <&3; echo "ended"';
    const hold = (name: string) => cli.spawn(["exec", "box", "--", "bash", "-c", script, name]);
    const [lost, kept] = [hold("a.x.example"), hold("b.w.example")];
    const closed = [lost, kept].map((child) => once(child, "close"));
    // A line may come in several pieces.
    const says = (child: ChildProcess, text: string): Promise<void> =>
      new Promise((resolve) => {
        let said = "";
        child.stdout?.on("data", (bytes: Buffer) => {
          said += String(bytes);
          if (said.includes(text)) resolve();
        });
      });
    const greeted = [lost, kept].map((child) => says(child, `${GREETING}\n`));
    const [ended, goesOn] = [says(lost, "ended"), says(kept, "still here")];
    await Promise.all(greeted);
    expect((await cli.run(["policy", "deny", "box", "a.x.example"])).code).toBe(0);
    await ended;
    expect(kept.exitCode).toBeNull();
    for (const socket of held) socket.end("still here");
    await goesOn;
    await Promise.all(closed);
  });

  test("a policy file that cannot be read starts nothing", async () => {
    const path = `${cli.directory}/policy.yaml`;
    const whole = "allow:\n  - a.x.example:7000\ndeny:\n  - host: b.w.example\n";
    const attempts = async (): Promise<number> => {
      const argv = ["create", "shell", "--name", "filed", "--policy", path];
      return (await cli.run(argv)).code;
    };
    expect(await attempts()).toBe(125);
    for (const text of ["allow: [\n", "\0", "allow: *\n", `${whole}  - {host: b`]) {
      writeFileSync(path, text);
      expect([text, await attempts()]).toEqual([text, 125]);
    }
    expect((await cli.run(["ls", "--json"])).stdout).not.toContain("filed");
    writeFileSync(path, whole);
    expect(await attempts()).toBe(0);
    expect((await cli.run(["rm", "filed"])).code).toBe(0);
  });

  test("an organisation's policy stands above every grant, and a broken one starts nothing", async () => {
    const path = `${cli.directory}/organisation.yaml`;
    await cli.run(["daemon", "stop"]);
    cli.environment["CATTLEGRID_ORGANISATION_POLICY"] = path;
    writeFileSync(path, "allow: ['b.w.example:7000']\n");
    expect((await cli.run(["start", "box"])).code).toBe(0);
    await cli.run(["policy", "rm", "box", "a.x.example:*"]);
    const refused = await cli.run(["policy", "allow", "box", "c.x.example"]);
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringContaining("POLICY_BEYOND_CEILING"),
    ]);
    expect((await cli.run(["policy", "show", "box"])).stdout).toContain(
      `organisation policy ${path}`,
    );
    for (const [place, code] of [
      ["a.x.example:7000", 1],
      ["b.w.example:7000", 0],
    ] as const) {
      expect((await cli.run(["policy", "check", "box", place])).code).toBe(code);
    }
    const script = 'exec 3<>/dev/tcp/b.w.example/7000; head -c 12 <&3; echo; cat <&3; echo "ended"';
    const held = cli.spawn(["exec", "box", "--", "bash", "-c", script]);
    let said = "";
    held.stdout?.on("data", (bytes: Buffer) => (said += String(bytes)));
    await expect.poll(() => said, { timeout: 20_000 }).toBe(`${GREETING}\n`);
    writeFileSync(path, "allow: [\n");
    await expect
      .poll(async () => (await cli.run(["doctor"])).stdout, { timeout: 20_000 })
      .toMatch(/less +organisation policy .*what it said before is in force/);
    const broken = (await recorded()).at(-1);
    expect([broken?.kind, broken?.action]).toEqual(["policy", "error"]);
    expect([held.exitCode, said]).toEqual([null, `${GREETING}\n`]);
    writeFileSync(path, "allow: ['a.x.example:7000']\n");
    await once(held, "close");
    expect(said).toBe(`${GREETING}\nended\n`);
    expect((await cli.run(["policy", "check", "box", "b.w.example:7000"])).code).toBe(1);
    await cli.run(["stop", "box"]);
    writeFileSync(path, "allow: [\n");
    expect((await cli.run(["start", "box"])).stderr).toContain("POLICY_INVALID");
  });
});
