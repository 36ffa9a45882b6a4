import { randomUUID } from "node:crypto";
import { Refusal } from "./refusal.ts";
import type { Resources } from "./sandbox.ts";

export type SnapshotState = "active" | "inactive" | "building" | "pending" | "error" | "removing";

/** From what sandboxes are made. `files` is the home directory of the sandbox that it was taken of. */
export interface Snapshot {
  id: string;
  name: string;
  state: SnapshotState;
  /** Of the service, for everybody. */
  isGeneral: boolean;
  imageName: string | undefined;
  resources: Resources;
  files: Buffer | undefined;
  createdAt: number;
  errorReason: string | undefined;
}

const GENERAL: Readonly<Record<string, Resources>> = {
  "daytona-small": { cpu: 1, memory: 1, disk: 3 },
  "daytona-medium": { cpu: 2, memory: 4, disk: 8 },
  "daytona-large": { cpu: 4, memory: 8, disk: 10 },
};

export const DEFAULT_SNAPSHOT = "daytona-small";

export class Snapshots {
  readonly #all: Snapshot[] = [];

  constructor(now: number) {
    for (const [name, resources] of Object.entries(GENERAL)) {
      this.add({ name, resources, isGeneral: true, imageName: `daytona/${name}:fake`, now });
    }
  }

  add(made: Pick<Snapshot, "name" | "resources"> & Partial<Snapshot> & { now: number }): Snapshot {
    const { now, ...rest } = made;
    if (this.#all.some(({ name }) => name === made.name)) {
      throw new Refusal(["api", 409], `Snapshot with name "${made.name}" already exists`);
    }
    const snapshot: Snapshot = {
      id: randomUUID(),
      state: "active",
      isGeneral: false,
      imageName: undefined,
      files: undefined,
      errorReason: undefined,
      createdAt: now,
      ...rest,
    };
    this.#all.push(snapshot);
    return snapshot;
  }

  list(): readonly Snapshot[] {
    return this.#all;
  }

  get(idOrName: string): Snapshot {
    const found = this.#all.find(({ id, name }) => id === idOrName || name === idOrName);
    if (found !== undefined) return found;
    throw new Refusal(["api", 404], `Snapshot with ID or name ${idOrName} not found`);
  }

  /** For a new sandbox, which asks in other words. */
  forSandbox(idOrName: string): Snapshot {
    const found = this.#all.find(({ id, name }) => id === idOrName || name === idOrName);
    if (found === undefined) {
      const hint = "Did you add it through the Daytona Dashboard?";
      throw new Refusal(["api", 400], `Snapshot ${idOrName} not found. ${hint}`);
    }
    if (found.state === "active") return found;
    throw new Refusal(["api", 400], `Snapshot ${idOrName} is ${found.state}`);
  }

  remove(idOrName: string): void {
    const snapshot = this.get(idOrName);
    if (snapshot.isGeneral) throw new Refusal(["api", 403], "A general snapshot cannot be removed");
    this.#all.splice(this.#all.indexOf(snapshot), 1);
  }
}
