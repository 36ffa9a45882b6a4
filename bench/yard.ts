import { mkdirSync, mkdtempSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CaptureSockets } from "../src/sandbox/capture/capture-sockets.ts";
import type { SandboxSpecification } from "../src/sandbox/provider.ts";
import type { Figure } from "./report.ts";

/** What a promise measures itself with. */
export interface BenchContext {
  yard: Yard;
  /** Aborted by Ctrl+C. */
  signal: AbortSignal;
  /** Multiplies how often things are measured; 1 by default. */
  effort: number;
}

export type Bench = (context: BenchContext) => Promise<readonly Figure[]>;

/** A directory of the bench's own, of which nothing is left after it was closed. */
export class Yard implements AsyncDisposable {
  readonly directory: string;

  /** The runtime directory of a provider holds sockets, whose paths must be short. */
  constructor() {
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-bench-")));
  }

  makeDirectory(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A sandbox as `cattlegrid run shell DIRECTORY` makes it. */
export function specify(id: string, workspace: string): SandboxSpecification {
  return {
    id,
    name: id,
    workspace: { path: workspace, mode: "direct" },
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  };
}

/** Nothing connects in these benches; the sockets only have to be let go of. */
export function holdSockets(): {
  onCapture(sockets: CaptureSockets): void;
  close(): void;
} {
  const held: CaptureSockets[] = [];
  return {
    onCapture: (sockets) => void held.push(sockets),
    close: () => {
      for (const { tcp, udp } of held.splice(0)) {
        tcp.close();
        for (const socket of udp) socket.close();
      }
    },
  };
}
