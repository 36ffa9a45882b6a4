import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { client, methods, ndJsonStream, PROTOCOL_VERSION } from "@agentclientprotocol/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLine } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { REGISTRY_IN_REACH } from "./registry.ts";
import { openWorld, type World } from "./world.ts";

const NEEDS = allOf(program("crun"), program("node"), program("npm"), REGISTRY_IN_REACH);

let line: CommandLine;
let world: World;
beforeAll(async () => {
  line = new CommandLine();
  world = await openWorld(line.directory);
});
afterAll(async () => {
  await line.close();
  await world[Symbol.asyncDispose]();
});

describe.skipIf(!NEEDS.met)(NEEDS.title("an editor"), () => {
  test("works with an agent in its sandbox, which uses the files and commands inside only", async () => {
    const model = JSON.stringify({ model: "anthropic/claude-sonnet-4-5" });
    const chosen = ["-e", "ANTHROPIC_API_KEY", "-e", `OPENCODE_CONFIG_CONTENT=${model}`];
    const argv = ["acp", "opencode", ...chosen];
    const environment = { ...world.environment, ANTHROPIC_API_KEY: "key-of-an-editor" };
    const child = line.spawn(argv, { environment });
    const said: string[] = [];
    const asked: string[] = [];
    const refuse = (what: string) => () => {
      asked.push(what);
      throw new TypeError("an editor must not be asked for this");
    };
    const editor = client({ name: "test-editor" })
      .onRequest(methods.client.fs.readTextFile, refuse("read"))
      .onRequest(methods.client.fs.writeTextFile, refuse("write"))
      .onRequest(methods.client.terminal.create, refuse("terminal"))
      .onNotification(methods.client.session.update, ({ params }) => {
        const { update } = params;
        if (update.sessionUpdate === "agent_message_chunk" && update.content.type === "text") {
          said.push(update.content.text);
        }
      });
    const output = Writable.toWeb(child.stdin!) as WritableStream<Uint8Array>;
    const input = Readable.toWeb(child.stdout!) as ReadableStream<Uint8Array>;
    await editor.connectWith(ndJsonStream(output, input), async (agent) => {
      const { agentInfo } = await agent.request(methods.agent.initialize, {
        protocolVersion: PROTOCOL_VERSION,
        clientInfo: { name: "test-editor", version: "1" },
        clientCapabilities: { fs: { readTextFile: true, writeTextFile: true }, terminal: true },
      });
      expect(agentInfo?.name).toBe("OpenCode");
      const outside = agent.request(methods.agent.session.new, { cwd: "/etc", mcpServers: [] });
      await expect(outside).rejects.toThrow("is in this sandbox");
      const { sessionId } = await agent.request(methods.agent.session.new, {
        cwd: line.workspace,
        mcpServers: [],
      });
      const { stopReason } = await agent.request(methods.agent.session.prompt, {
        sessionId,
        prompt: [{ type: "text", text: "Please do this.\nRUN: id -un > who.txt; cat who.txt\n" }],
      });
      expect(stopReason).toBe("end_turn");
    });
    expect(said.join("")).toContain("agent");
    expect(readFileSync(join(line.workspace, "who.txt"), "utf8")).toBe("agent\n");
    expect(asked).toEqual([]);
    child.stdin!.end();
    await once(child, "close");
  });

  test("is told which agents speak its protocol", async () => {
    const { code, stderr } = await line.run(["acp", "shell"]);
    expect(code).toBe(125);
    expect(stderr).toContain("shell does not speak the protocol.");
  });
});
