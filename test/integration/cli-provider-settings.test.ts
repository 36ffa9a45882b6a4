/** What sandbox providers are told, by a file, a shell or the vault: through the real command line and daemon. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import type { DoctorReport } from "../../src/protocol/doctor.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { DAYTONA_NEEDS, openFakeDaytona } from "../support/fake-daytona.ts";

const CANARY = "dtn_canary_in_a_file";

describe.skipIf(!DAYTONA_NEEDS.met)(DAYTONA_NEEDS.title("settings of sandbox providers"), () => {
  let daytona: FakeDaytona;
  let cli: CommandLine;
  let file: string;
  beforeAll(async () => {
    daytona = await openFakeDaytona();
    cli = new CommandLine();
    file = join(cli.paths.stateDirectory, "config.yaml");
    mkdirSync(cli.paths.stateDirectory, { mode: 0o700 });
    await cli.run(["secret", "set", "work"], { input: daytona.key });
  });
  beforeEach(() => configure());
  afterAll(async () => {
    configure();
    await cli.close();
    await daytona[Symbol.asyncDispose]();
  });

  const configure = (...lines: readonly string[]): void =>
    writeFileSync(file, ["providers:", ...lines, ""].slice(lines.length === 0 ? 1 : 0).join("\n"));
  const atDaytona = (...lines: readonly string[]): void =>
    configure("  daytona:", ...lines.map((line) => `    ${line}`));
  const run = (argv: string, environment: Record<string, string> = {}): Promise<CommandResult> =>
    cli.run(argv.split(" "), { environment });
  const create = (environment?: Record<string, string>): Promise<CommandResult> =>
    run("create shell --provider daytona --policy locked --name box", environment);
  async function rowsOf(
    id: string,
    environment?: Record<string, string>,
  ): Promise<readonly Record<string, string | undefined>[]> {
    const { stdout } = await run("doctor --json", environment);
    const { providers = [] } = JSON.parse(stdout) as DoctorReport;
    return providers.find((each) => each.id === id)?.probes ?? [];
  }

  test.each([
    ["  dokcer:", "    image: x", "3", 'no sandbox provider "dokcer"; did you mean docker'],
    ["  docker:", "    imgae: x", "3", 'docker has no setting "imgae"; did you mean image'],
    ["  local:", "    image: x", "3", 'local has no setting "image"; it has none'],
    ["  docker:", "    host: tcp://build:1", "3", "such as unix:///run/podman/podman.sock"],
    ["  docker:", "    image: { env: X }", "3", "`image` is a text"],
    ["  docker:", "    image: [x]", "3:12", "neither `{ secret: NAME }`"],
    ["  daytona:", `    apiKey: ${CANARY}`, "3", "never written in a file"],
    ["  daytona:", "    apiKey: { env: NONE }", "3", "no variable NONE"],
  ])("%s %s is refused at its line, whichever provider is wanted", async (...row) => {
    const [id, line, place, why] = row;
    configure(id, line);
    // What is wrong with a reference is told by whoever follows it.
    const provider = line.includes("NONE") ? "daytona" : "local";
    const refused = await run(`create shell --provider ${provider} --name box`);
    expect(refused).toMatchObject({ code: 125, stdout: "" });
    expect(refused.stderr).toContain(`${file}:${place}: `);
    expect(refused.stderr).toContain(why);
    expect(refused.stderr).toContain("CONFIG_INVALID");
    expect(refused.stderr + readFileSync(cli.paths.logFile, "utf8")).not.toContain(CANARY);
    expect((await run("ls --quiet")).stdout).toBe("");
  });

  test("come from the file, by a secret's name, and doctor and inspect say from which line", async () => {
    atDaytona(`apiUrl: ${daytona.url}`, "apiKey: { secret: work }");
    const rows = await rowsOf("daytona");
    const settings = `apiKey (from ${file}:4); apiUrl ${daytona.url} (from ${file}:3)`;
    expect(rows.map(({ status }) => status)).toEqual(["ok", "ok", "ok"]);
    expect(rows[0]).toEqual({ name: "settings", status: "ok", detail: settings });
    expect((await create()).code).toBe(0);
    expect((await run("start box")).code).toBe(0);
    const { facts } = JSON.parse((await run("inspect box --json")).stdout) as { facts: object };
    expect(facts).toMatchObject({
      settings: { apiKey: `from ${file}:4`, apiUrl: `${daytona.url} (from ${file}:3)` },
    });
  });

  test("of mirrors are refused where a service's sandboxes dial by themselves, made already or not", async () => {
    const mirrors = { CATTLEGRID_MIRRORS: "a.example:443=127.0.0.1:1" };
    atDaytona(`apiUrl: ${daytona.url}`, "apiKey: { secret: work }");
    const made = "create shell --provider daytona --policy locked --name two";
    const refused = await run(made, mirrors);
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining("Mirrors need") });
    expect((await run(made)).code).toBe(0);
    const { stderr } = await run("start two", mirrors);
    expect(stderr).toContain("PROVIDER_UNSUPPORTED");
    expect((await run("rm two")).code).toBe(0);
  });

  test("are not changed under a sandbox that runs, by a shell or by leaving them out", async () => {
    atDaytona(`apiUrl: ${daytona.url}`, "apiKey: { secret: work }", "target: elsewhere");
    const other = await run("create shell --provider daytona --policy locked --name two");
    expect(other).toMatchObject({ code: 125, stderr: expect.stringContaining(`${file}:5 is not`) });
    configure();
    const none = await run("create shell --provider daytona --policy locked --name two");
    expect(none.stderr).toContain("Nobody here says DAYTONA_API_URL");
    expect((await run("exec box -- echo still")).stdout).toBe("still\n");
  });

  test("are found by the next daemon, which removes what the last one left", async () => {
    atDaytona(`apiUrl: ${daytona.url}`, "apiKey: { secret: work }");
    const { pid } = JSON.parse(readFileSync(cli.paths.daemonFile, "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    configure();
    expect(await run("rm --force box")).toMatchObject({ code: 0 });
    expect(daytona.sandboxes.list()).toEqual([]);
  });

  test("of a shell that says something else are refused, naming both, and the same is no matter", async () => {
    atDaytona(`apiUrl: ${daytona.url}`, "apiKey: { env: WORK_KEY }");
    const shell = { WORK_KEY: daytona.key, DAYTONA_API_KEY: daytona.key };
    expect((await create(shell)).code).toBe(0);
    expect((await run("rm box", shell)).code).toBe(0);
    const refused = await create({ ...shell, DAYTONA_API_URL: "https://other.example/api" });
    expect(refused.code).toBe(125);
    expect(refused.stderr).toContain("PROVIDER_SETTING_AMBIGUOUS");
    expect(refused.stderr).toContain(`DAYTONA_API_URL of this shell and ${file}:3`);
    const [row] = await rowsOf("daytona", { ...shell, DAYTONA_API_KEY: "another" });
    expect(row).toMatchObject({ name: "settings", status: "missing" });
    expect(row?.["detail"]).toContain("PROVIDER_SETTING_AMBIGUOUS");
  });

  test("of another account leave nothing of the first one's key to it", async () => {
    const first = { DAYTONA_API_URL: daytona.url, DAYTONA_API_KEY: daytona.key };
    expect((await rowsOf("daytona", first)).every(({ status }) => status === "ok")).toBe(true);
    const rows = await rowsOf("daytona", { DAYTONA_API_URL: "https://other.example/api" });
    expect(rows).toMatchObject([{ name: "settings" }, { name: "Daytona key", status: "missing" }]);
  });

  test("that are wrong are told by doctor, with what to do", async () => {
    const wrong = { DAYTONA_API_URL: daytona.url, DAYTONA_API_KEY: "not-the-key" };
    expect((await rowsOf("daytona", wrong)).at(-1)).toMatchObject({
      status: "missing",
      detail: expect.stringContaining("does not accept the key"),
      remedy: "cattlegrid secret set DAYTONA_API_KEY",
    });
    const far = { DOCKER_HOST: "tcp://10.0.0.1:2375" };
    expect(await rowsOf("docker", far)).toMatchObject([
      { name: "settings", detail: "host tcp://10.0.0.1:2375 (from DOCKER_HOST)" },
      { status: "missing", remedy: expect.stringContaining("Run Cattlegrid on the engine's") },
    ]);
  });

  test("count for each shell anew: an engine's socket is where this one says", async () => {
    const [first] = await rowsOf("docker", { DOCKER_HOST: "unix:///nowhere/first.sock" });
    expect(first?.["detail"]).toBe("host unix:///nowhere/first.sock (from DOCKER_HOST)");
    const rows = await rowsOf("docker", { DOCKER_HOST: "unix:///nowhere/second.sock" });
    expect(rows.at(-1)?.["detail"]).toContain("/nowhere/second.sock");
  });
});
