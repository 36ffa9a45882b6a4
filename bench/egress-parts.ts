import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createCertificates } from "../simulator/cloud/certificate.ts";
import { spawnProcess, type ChildProcess } from "../src/platform/process.ts";
import type { RelayKind, RelayOrder, RelayReport } from "./egress-relays.ts";

/** The processes of the bench: a server, the gateway, and the two relays it is compared with. */
export class EgressParts implements AsyncDisposable {
  readonly #children: ChildProcess[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    const { authority, certificate, privateKey } = createCertificates(["tls.example"]);
    writeFileSync(join(directory, "server.pem"), privateKey + certificate, { mode: 0o600 });
    writeFileSync(join(directory, "authority.pem"), authority);
    this.authority = authority;
  }

  /** Of the server's certificate. */
  readonly authority: string;

  async origin(): Promise<{ plain: number; tls: number }> {
    const child = this.#spawn("egress-origin.ts", [join(this.#directory, "server.pem")]);
    const [ports] = (await once(child, "message")) as [{ plain: number; tls: number }];
    return ports;
  }

  async relay(kind: RelayKind, origin: { plain: number; tls: number }): Promise<Relay> {
    const ports = [String(origin.plain), String(origin.tls)];
    const child = this.#spawn("egress-relays.ts", [kind, this.#directory, ...ports]);
    const [opened] = (await once(child, "message")) as [RelayReport & { kind: "ports" }];
    return { child, ports: opened.ports, authority: opened.authority ?? "" };
  }

  #spawn(file: string, words: readonly string[]): ChildProcess {
    const argv = [process.execPath, "--expose-gc", join(import.meta.dirname, file), ...words];
    const child = spawnProcess(argv, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      const ended = child.exitCode === null ? once(child, "exit") : undefined;
      child.kill();
      await ended;
    }
  }
}

export interface Relay {
  child: ChildProcess;
  ports: Record<string, number>;
  authority: string;
}

export async function tell({ child }: Relay, order: RelayOrder): Promise<RelayReport> {
  const answered = once(child, "message") as Promise<[RelayReport]>;
  child.send(order);
  return (await answered)[0];
}
