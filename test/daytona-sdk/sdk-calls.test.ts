import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failure, type SdkSandbox } from "./sdk.ts";
import { SDK_NEEDS, SdkYard, Seen } from "./sdk-yard.ts";

const HTTP_SERVER = `
import http.server as web
class Answer(web.BaseHTTPRequestHandler):
  def do_GET(self):
    self.send_response(200)
    self.end_headers()
    self.wfile.write(b"inside " + self.path.encode())
server = web.HTTPServer(("127.0.0.1", 3000), Answer)
print("up")
server.serve_forever()`;

describe.skipIf(!SDK_NEEDS.met)(SDK_NEEDS.title("what the SDK asks of the fake"), () => {
  let yard: SdkYard;
  let sandbox: SdkSandbox;
  beforeAll(async () => {
    yard = await SdkYard.open();
    sandbox = await yard.daytona.create({
      name: "calls",
      labels: { owner: "test" },
      envVars: { GIVEN: "at create" },
      autoStopInterval: 30,
      ephemeral: true,
    });
  });
  afterAll(() => yard[Symbol.asyncDispose]());

  test("what was wished at creation is what the sandbox says of itself", () => {
    expect(sandbox).toMatchObject({
      name: "calls",
      state: "started",
      labels: { owner: "test", "code-toolbox-language": "python" },
      env: { GIVEN: "at create" },
      autoStopInterval: 30,
      autoDeleteInterval: 0,
      cpu: 1,
      memory: 1,
      disk: 3,
    });
  });

  test("a sandbox is found by id, by name and by labels, page after page", async () => {
    const others = await Promise.all(
      ["one", "two"].map((name) => yard.daytona.create({ name, labels: { owner: "other" } })),
    );
    expect((await yard.daytona.get(sandbox.id)).name).toBe("calls");
    expect((await yard.daytona.get("calls")).id).toBe(sandbox.id);
    const found = await Array.fromAsync(
      yard.daytona.list({ labels: { owner: "other" }, limit: 1 }),
    );
    expect(found.map(({ name }) => name).toSorted()).toEqual(["one", "two"]);
    expect(yard.fake.log.count({ method: "GET", path: /^\/api\/sandbox$/ })).toBe(2);
    await Promise.all(others.map((each) => each.delete()));
  });

  test("labels, intervals and network settings are changed", async () => {
    expect(await sandbox.setLabels({ owner: "changed" })).toEqual({ owner: "changed" });
    await sandbox.setAutostopInterval(60);
    await sandbox.setAutoArchiveInterval(120);
    await sandbox.setAutoDeleteInterval(-1);
    await sandbox.setTtl(600);
    await sandbox.updateNetworkSettings({ domainAllowList: "example.com,*.example.org" });
    await sandbox.refreshActivity();
    await sandbox.refreshData();
    expect(sandbox).toMatchObject({
      labels: { owner: "changed" },
      autoStopInterval: 60,
      autoDeleteInterval: -1,
      domainAllowList: "example.com,*.example.org",
    });
  });

  test("a command runs with its directory and variables, both streams in one, and its exit code", async () => {
    const { process } = sandbox;
    const script = "pwd; echo $GIVEN $MORE; echo err >&2; exit 3";
    expect(await process.executeCommand(script, "/tmp", { MORE: "too" })).toMatchObject({
      exitCode: 3,
      result: "/tmp\nat create too\nerr\n",
    });
    expect(await process.executeCommand("true", "/no/such/directory")).toMatchObject({
      exitCode: -1,
    });
    await sandbox.updateEnv({ LATER: "yes" }, { unset: ["GIVEN"] });
    expect(await process.executeCommand("echo $LATER$GIVEN")).toMatchObject({ result: "yes\n" });
    expect(
      await process.codeRun("import sys; print(6 * 7, sys.argv[1])", { argv: ["x"] }),
    ).toMatchObject({
      exitCode: 0,
      result: "42 x\n",
    });
  });

  test("a command that takes too long is a timeout by name, and what it wrote is lost", async () => {
    const late = failure(sandbox.process.executeCommand("echo lost; sleep 600", undefined, {}, 1));
    expect(await late).toMatchObject({
      name: "DaytonaProcessExecutionTimeoutError",
      statusCode: 408,
      source: "DAYTONA_DAEMON",
    });
  });

  test("files go in and out, and are listed, moved, searched, changed and removed", async () => {
    const { fs } = sandbox;
    expect(await sandbox.getUserHomeDir()).toBe(await sandbox.getWorkDir());
    const bytes = Buffer.from([...Array(256).keys()]);
    await fs.uploadFiles([
      { source: bytes, destination: "files/all bytes.bin" },
      { source: Buffer.from("one\ntwo\n"), destination: "files/text.txt" },
    ]);
    expect(await fs.downloadFile("files/all bytes.bin")).toEqual(bytes);
    const both = await fs.downloadFiles([{ source: "files/text.txt" }, { source: "files/absent" }]);
    expect(both.map(({ result, error }) => result?.toString() ?? error)).toEqual([
      "one\ntwo\n",
      "file not found: files/absent",
    ]);
    await fs.createFolder("files/made", "0750");
    const listed = await fs.listFiles("files");
    expect(Object.fromEntries(listed.map(({ name, isDir }) => [name, isDir]))).toEqual({
      "all bytes.bin": false,
      made: true,
      "text.txt": false,
    });
    expect(await fs.findFiles("files", "two")).toEqual([
      { file: "files/text.txt", line: 2, content: "two" },
    ]);
    expect(await fs.searchFiles("files", "*.txt")).toEqual({ files: ["files/text.txt"] });
    expect(await fs.replaceInFiles(["files/text.txt"], "two", "three")).toMatchObject([
      { success: true },
    ]);
    await fs.setFilePermissions("files/text.txt", { mode: "600" });
    await fs.moveFiles("files/text.txt", "files/made/moved.txt");
    expect(await fs.getFileDetails("files/made/moved.txt")).toMatchObject({
      permissions: "0600",
      size: 10,
    });
    expect(await failure(fs.deleteFile("files"))).toMatchObject({ statusCode: 400 });
    await fs.deleteFile("files", true);
    expect(await failure(fs.downloadFile("files/made/moved.txt"))).toMatchObject({
      name: "DaytonaFileNotFoundError",
      code: "FILE_NOT_FOUND",
    });
  });

  test("a signed address of a file is enough, for its path and its method", async () => {
    const up = await sandbox.uploadUrl("signed.txt");
    const form = new FormData();
    form.append("file", new Blob(["by address"]));
    expect((await fetch(up, { method: "POST", body: form })).status).toBe(200);
    const down = await sandbox.downloadUrl("signed.txt");
    expect(await (await fetch(down)).text()).toBe("by address");
    expect((await fetch(down.replace("signed.txt", "other.txt"))).status).toBe(401);
    await sandbox.rotateSigningKey();
    expect((await fetch(down)).status).toBe(401);
  });

  test("a terminal is made, resized, attached to by a second client, and killed", async () => {
    const { id, terminal, seen } = await yard.terminal(sandbox, {
      cols: 90,
      envs: { TOLD: "here" },
    });
    await terminal.sendInput("echo $TOLD; stty size\n");
    await seen.until(/here\r\n24 90\r\n/);
    expect(await terminal.resize(100, 40)).toMatchObject({ cols: 100, rows: 40 });
    const other = await yard.terminal(sandbox, { id, attach: true });
    await other.terminal.sendInput("stty size\n");
    await Promise.all([seen, other.seen].map((each) => each.until(/40 100\r\n/)));
    expect(await sandbox.process.listPtySessions()).toMatchObject([{ id, active: true }]);
    expect(await sandbox.process.getPtySessionInfo(id)).toMatchObject({ cols: 100, rows: 40 });
    await terminal.kill();
    expect(await terminal.wait()).toEqual({ exitCode: 137, error: "(SIGKILL)" });
    expect(await failure(sandbox.process.getPtySessionInfo(id))).toMatchObject({
      name: "DaytonaProcessNotFoundError",
      statusCode: 404,
    });
  });

  test("a session keeps its shell; streams come apart, followed as they are written", async () => {
    const { process } = sandbox;
    await process.createSession("work");
    await process.executeSessionCommand("work", { command: "cd /tmp; mine=1" });
    const ran = await process.executeSessionCommand("work", {
      command: "pwd; echo $mine; echo 'it''s wrong' >&2; false",
    });
    expect(ran).toMatchObject({ exitCode: 1, stdout: "/tmp\n1\n", stderr: "its wrong\n" });
    const reading = await process.executeSessionCommand("work", {
      command: "read line; echo got $line; echo done >&2",
      runAsync: true,
    });
    const [out, errors] = [new Seen(), new Seen()];
    const add = (seen: Seen) => (text: string) => seen.add(Buffer.from(text));
    const followed = process.getSessionCommandLogs("work", reading.cmdId, add(out), add(errors));
    await process.sendSessionCommandInput("work", reading.cmdId, "a line\n");
    await followed;
    expect([out.text, errors.text]).toEqual(["got a line\n", "done\n"]);
    expect(await process.getSessionCommand("work", reading.cmdId)).toMatchObject({ exitCode: 0 });
    const ended = await process.executeSessionCommand("work", { command: "exit 4" });
    expect(ended.exitCode).toBe(4);
    const after = failure(process.executeSessionCommand("work", { command: "true" }));
    expect(await after).toMatchObject({ name: "DaytonaSessionEndedError", statusCode: 410 });
    await process.deleteSession("work");
    expect(await process.listSessions()).toEqual([]);
  });

  test("a port is reached by its preview link, with the token or by a signed name", async () => {
    const { process } = sandbox;
    await process.createSession("server");
    const server = await process.executeSessionCommand("server", {
      command: `python3 -uc '${HTTP_SERVER}'`,
      runAsync: true,
    });
    const up = new Seen();
    const follow = process.getSessionCommandLogs(
      "server",
      server.cmdId,
      (text) => up.add(Buffer.from(text)),
      () => undefined,
    );
    await up.until(/up/);
    const { url, token } = await sandbox.getPreviewLink(3000);
    expect(await visit(`${url}/path`)).toEqual({ status: 307, text: "" });
    expect(await visit(`${url}/path`, { "x-daytona-preview-token": token })).toEqual({
      status: 200,
      text: "inside /path",
    });
    const signed = await sandbox.getSignedPreviewUrl(3000, 60);
    expect(await visit(`${signed.url}/`)).toEqual({ status: 200, text: "inside /" });
    await sandbox.expireSignedPreviewUrl(3000, signed.token);
    expect((await visit(`${signed.url}/`)).status).toBe(404);
    await process.deleteSession("server");
    await follow;
  });

  test("a snapshot and a fork of a sandbox begin with its files", async () => {
    await sandbox.fs.uploadFile(Buffer.from("kept"), "kept.txt");
    await sandbox.createSnapshot("with-file");
    expect(await yard.daytona.snapshot.get("with-file")).toMatchObject({ state: "active" });
    const [again, fork] = await Promise.all([
      yard.daytona.create({ snapshot: "with-file" }),
      sandbox.fork({ name: "child" }),
    ]);
    expect((await again.fs.downloadFile("kept.txt")).toString()).toBe("kept");
    expect((await fork.fs.downloadFile("kept.txt")).toString()).toBe("kept");
    await yard.daytona.snapshot.delete("with-file");
    await Promise.all([again.delete(), fork.delete()]);
    const gone = failure(yard.daytona.create({ snapshot: "with-file" }));
    expect(await gone).toMatchObject({
      statusCode: 400,
      message: expect.stringContaining("not found"),
    });
  });

  test("snapshots of images are listed; an image without a tag is none", async () => {
    const { snapshot } = yard.daytona;
    await snapshot.create({ name: "from-image", image: "debian:12" });
    const { items } = await snapshot.list();
    expect(items.map(({ name }) => name)).toEqual([
      "daytona-small",
      "daytona-medium",
      "daytona-large",
      "from-image",
    ]);
    expect(await failure(snapshot.create({ name: "no-tag", image: "debian" }))).toMatchObject({
      statusCode: 400,
    });
  });

  test("stopping keeps files and ends programs; resizing and archiving need it stopped", async () => {
    await sandbox.resize({ cpu: 2 });
    expect(sandbox.cpu).toBe(2);
    expect(await failure(sandbox.archive())).toMatchObject({ statusCode: 400 });
    expect(await failure(sandbox.pause())).toMatchObject({ statusCode: 400 });
    await sandbox.stop();
    expect(sandbox.state).toBe("stopped");
    expect(await failure(sandbox.process.executeCommand("true"))).toMatchObject({
      statusCode: 400,
      message: expect.stringContaining("Is the Sandbox started?"),
      source: "DAYTONA_PROXY",
    });
    await sandbox.archive();
    expect(sandbox.state).toBe("archived");
    await sandbox.start();
    expect((await sandbox.fs.downloadFile("kept.txt")).toString()).toBe("kept");
  });
});

/** By the address alone: not every system resolves names below `localhost`. */
async function visit(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string }> {
  const { host, port, pathname } = new URL(url);
  const asked = get({ host: "127.0.0.1", port, path: pathname, headers: { ...headers, host } });
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() };
}
