import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import type { KiroCloud, KiroCloudOptions } from "../../simulator/cloud/cloud.ts";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import { CommandLineYard, KEY } from "./command-line-yard.ts";
import { openFakeDaytona } from "./fake-daytona.ts";

/**
 * The command line as a user of Daytona has it: an account at a fake Daytona, from whose sandboxes the simulated Kiro
 * cloud is reached. What is not at the service reaches it by the way out of a company.
 */
export class DaytonaLine {
  readonly yard: CommandLineYard;
  readonly daytona: FakeDaytona;
  /** An API key that the simulated Kiro cloud takes. */
  readonly key = KEY;
  readonly #proxy: Server;

  private constructor(yard: CommandLineYard, daytona: FakeDaytona, proxy: Server) {
    this.yard = yard;
    this.daytona = daytona;
    this.#proxy = proxy;
  }

  static async open(options: Partial<KiroCloudOptions> = {}): Promise<DaytonaLine> {
    const yard = await CommandLineYard.open(options);
    const { cloud, environment } = yard;
    const certificates = readFileSync(cloud.authorityPath, "utf8");
    const daytona = await openFakeDaytona({ mirrors: { targets: cloud.mirrors, certificates } });
    // Redirections are our gateway's to make, and no gateway of ours is at the service.
    delete environment["CATTLEGRID_MIRRORS"];
    delete environment["CATTLEGRID_MIRROR_CA"];
    environment["DAYTONA_API_URL"] = daytona.url;
    environment["DAYTONA_API_KEY"] = daytona.key;
    const proxy = await openProxy(cloud);
    await writeUpstream(yard, proxy);
    return new DaytonaLine(yard, daytona, proxy);
  }

  /** Throws when anything is left, on this machine or at the service. */
  async close(): Promise<void> {
    await this.yard.close();
    const left = this.daytona.sandboxes.list().map(({ name, state }) => `${name} (${state})`);
    await this.daytona[Symbol.asyncDispose]();
    this.#proxy.close();
    this.#proxy.closeAllConnections();
    if (left.length > 0) throw new Error(`left at the service: ${left.join(", ")}`);
  }
}

/** A proxy that takes every CONNECT to the simulated cloud. */
async function openProxy({ port }: KiroCloud): Promise<Server> {
  const proxy = createServer();
  proxy.on("connect", (_request, client) => {
    const server = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on("error", () => other.destroy());
    }
    client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    client.pipe(server).pipe(client);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return proxy;
}

async function writeUpstream(yard: CommandLineYard, proxy: Server): Promise<void> {
  // The state directory has to be the program's own first.
  await yard.run(["ls"]);
  const { port } = proxy.address() as AddressInfo;
  const lines = [
    `proxy: http://127.0.0.1:${port}`,
    `certificates: ${yard.cloud.authorityPath}`,
    "resolve: proxy",
  ];
  writeFileSync(join(yard.root, "state", "upstream.yaml"), `${lines.join("\n")}\n`);
}
