import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import { RawDaytona } from "../support/daytona-client.ts";
import { DAYTONA_NEEDS, openFakeDaytona } from "../support/fake-daytona.ts";
import { allOf, program } from "../support/requirement.ts";

const NEEDS = allOf(DAYTONA_NEEDS, program("curl"));

describe.skipIf(!NEEDS.met)(NEEDS.title("what sandboxes of the fake Daytona reach"), () => {
  let server: Server;
  let fake: FakeDaytona;
  let client: RawDaytona;
  beforeAll(async () => {
    server = createServer((_request, answer) => answer.end("reached")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const hosts = ["www.example.com", "deep.www.example.com", "other.example"];
    const targets = hosts.map((host) => `${host}:80=127.0.0.1:${port}`).join(",");
    fake = await openFakeDaytona({ mirrors: { targets, certificates: "" } });
    client = new RawDaytona(fake);
  });
  afterAll(async () => {
    await fake[Symbol.asyncDispose]();
    server.close();
  });

  async function reached(id: string): Promise<string[]> {
    const command = ["www.example.com", "deep.www.example.com", "other.example"]
      .map((host) => `curl -sf --max-time 20 http://${host}/ >/dev/null && echo ${host}`)
      .join("\n");
    const { json } = await client.toolbox(id)("POST", "/process/execute", { command });
    return (json as { result: string }).result.split("\n").filter((line) => line !== "");
  }

  test("everything, nothing, or the names of the list, as the fields say and as they change", async () => {
    const id = await client.make();
    const all = ["www.example.com", "deep.www.example.com", "other.example"];
    expect(await reached(id)).toEqual(all);
    const change = async (wish: object): Promise<void> => {
      expect((await client.api("POST", `/sandbox/${id}/network-settings`, wish)).status).toBe(200);
    };
    await change({ domainAllowList: "*.www.example.com,other.example" });
    expect(await reached(id)).toEqual(["deep.www.example.com", "other.example"]);
    await change({ networkBlockAll: true });
    expect(await reached(id)).toEqual([]);
    await change({ networkBlockAll: false, domainAllowList: "" });
    expect(await reached(id)).toEqual(all);
  });

  test("a list of addresses lets no name out", async () => {
    const id = await client.make({ networkAllowList: "203.0.113.0/24" });
    expect(await reached(id)).toEqual([]);
  });
});
